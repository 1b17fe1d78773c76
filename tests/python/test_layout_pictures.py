"""Pictures of layouts are as reviewed, and docs/layouts.md says and shows what is true."""

import doctest
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import enigma
from enigma import Layout

DOCS = Path(__file__).parents[2] / "docs"

THREADS = enigma.make_ordered_layout((2, 4), order=(1, 0))
VALUES = enigma.make_ordered_layout((2, 2), order=(1, 0))
TILE, TV = enigma.make_layout_tv(THREADS, VALUES)

PICTURES = {
    "matrix": (Layout((2, (2, 2)), (4, (2, 1))), {}),
    "vector": (Layout((4, 2), (2, 1))(None, 1), {}),
    "three_modes": (Layout((2, 3, 2)), {}),
    "number": (Layout(()), {}),
    "empty": (Layout((0, 4)), {}),
    "negative": (Layout((2, 4), (4, -1)), {}),
    "coordinates": (enigma.make_identity_layout((2, 4)), {}),
    "swizzled": (enigma.swizzle(Layout((4, 4), (4, 1)), 2, 0, 2), {}),
    "colours": (Layout((2, 4)), {"color": Layout((2, 4), (0, 1))}),
    "threads": (TV, {"tiler": TILE}),
    "threads_apart": (Layout((4, 2), (2, 8)), {"tiler": 16}),
    "threads_share": (Layout(((2, 2), 2), ((1, 0), 2)), {"tiler": (2, 2)}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name: str, golden, capsys) -> None:
    layout, options = PICTURES[name]
    enigma.print_layout(layout, **options)
    golden(f"layout/{name}.txt", capsys.readouterr().out)
    svg = enigma.layout_svg(layout, **options)
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    golden(f"layout/{name}.svg", svg)
    if name in ("matrix", "threads"):
        golden(f"layout/{name}.tex", enigma.layout_latex(layout, **options))


def test_every_label_is_drawn() -> None:
    svg = enigma.layout_svg(Layout((16, 16), (16, 1)))
    cells = re.findall(r'<text x="(\d+)" y="(\d+)">(\d+)</text>', svg)[32:]
    assert [int(label) for *_, label in cells] == list(range(256))
    assert len({(x, y) for x, y, _ in cells}) == 256


def test_notebooks_show_a_picture_or_the_text() -> None:
    assert Layout((4, 8))._repr_svg_() == enigma.layout_svg(Layout((4, 8)))
    swizzled = enigma.swizzle(Layout((4, 8)), 1, 0, 2)
    assert swizzled._repr_svg_() == enigma.layout_svg(swizzled)
    assert Layout((4096, 4096))._repr_svg_() is None


def test_the_page_is_true_and_its_pictures_are_what_it_draws(request) -> None:
    text = (DOCS / "layouts.md").read_text()
    scope: dict[str, object] = {}
    runner = doctest.DocTestRunner()
    report: list[str] = []
    shown = set()
    parts = re.split(r"!\[.*?\]\((.*?)\)", text)
    for part, picture in zip(parts[::2], [*parts[1::2], None], strict=True):
        code = "\n".join(re.findall(r"```python\n(.*?)```", part, re.S))
        test = doctest.DocTestParser().get_doctest(code, scope, "layouts.md", None, None)
        runner.run(test, out=report.append, clear_globs=False)
        scope = test.globs
        if picture is None:
            break
        drawn, path = scope["picture"], DOCS / picture
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(drawn)
        assert path.read_text() == drawn, f"docs/{picture} differs: run pytest --update-golden"
        assert len(drawn) < 10_000, "pictures of the documentation are small"
        shown.add(path.name)
    assert not report, "".join(report)
    assert runner.tries > 50
    assert {p.name for p in (DOCS / "layouts").iterdir()} == shown
