"""The examples' matrix products for sizes that no tile divides, and docs/matmul.md."""

import functools
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import matmul
import matmul_pipelined
import ml_dtypes
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DTYPES = {np.float32: 2.0**-23, np.float16: 2.0**-10, ml_dtypes.bfloat16: 2.0**-7}
QUOTE = re.compile(r"```(python|metal)\n(.*?)```", re.S)
SIZES = [(1, 1, 1), (64, 64, 32), (65, 33, 7), (30, 129, 70), (128, 64, 96), (7, 200, 33)]


@pytest.fixture(autouse=True)
def no_kernels_of_other_devices() -> Iterator[None]:
    """A compiled kernel keeps to the runtime of its first call, and keeps that alive."""
    yield
    matmul.kernel.cache_clear()
    matmul_pipelined.kernel.cache_clear()


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_product(size: tuple[int, int, int], dtype: type) -> None:
    check(matmul.matmul, size, dtype)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stages", [2, 3])
def test_pipelined_product(stages: int, dtype: type) -> None:
    for size in [(1, 1, 1), (33, 70, 95), (32, 32, 32), (40, 20, 257)]:
        check(functools.partial(matmul_pipelined.matmul, stages=stages), size, dtype)


def check(
    product: Callable[[np.ndarray, np.ndarray], np.ndarray],
    size: tuple[int, int, int],
    dtype: type,
) -> None:
    m, n, k = size
    rng = np.random.default_rng(m)
    a, b = (rng.uniform(-1, 1, shape).astype(dtype) for shape in [(m, k), (k, n)])
    want = a.astype(np.float64) @ b.astype(np.float64)
    got = product(a, b)
    assert got.dtype == dtype and got.shape == (m, n)
    bound = DTYPES[dtype] * np.abs(want).max() + k * 2.0**-23
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=0, atol=bound)


def squeezed(text: str) -> str:
    """Without indentation and blank lines, which are the quotation's affair."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def filled(quote: str, source: str) -> str:
    """All lines of the source from the quotation's first to its last."""
    wanted = [line.split("  //")[0] for line in squeezed(quote).splitlines()]  # lines may move
    lines = source.splitlines()

    def find(line: str, start: int) -> int:
        return next(i for i in range(start, len(lines)) if lines[i].strip().startswith(line))

    begin = find(wanted[0], 0)
    end = find(wanted[-1], begin)
    return textwrap.dedent("\n".join(lines[begin : end + 1])) + "\n"


def test_the_page_quotes_the_example_and_its_msl(request: pytest.FixtureRequest) -> None:
    page = ROOT / "docs" / "matmul.md"
    sources = {
        "python": "".join(
            (ROOT / "examples" / name).read_text() for name in ("matmul.py", "matmul_pipelined.py")
        ),
        "metal": matmul.kernel("float32").metal_source,
    }
    text = page.read_text()
    if request.config.getoption("--update-golden"):
        text = QUOTE.sub(lambda m: f"```{m[1]}\n{filled(m[2], sources[m[1]])}```", text)
        page.write_text(text)
    quotes = QUOTE.findall(text)
    assert len(quotes) >= 7
    for language, quote in quotes:
        assert squeezed(quote) in squeezed(sources[language]), quote
