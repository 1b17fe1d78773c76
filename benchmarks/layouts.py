"""Layout algebra, against CuTe's own in Python (pycute, of the package nvidia-cutlass)."""

import enigma
from benchmarks.measure import Run, interleaved
from benchmarks.table import Table


def run(table: Table) -> None:
    try:
        import pycute
    except ImportError:
        return
    table.begin("Layouts")
    row, column = ((6, 2), (8, 2)), ((4, 3), (3, 1))
    matrix, tiler = ((9, (4, 8)), (59, (13, 1))), ((3, 3), ((2, 4), (1, 8)))
    subjects = [
        ("composition of two layouts", "composition", row, lambda make: make(*column)),
        (
            "logical_divide by mode",
            "logical_divide",
            matrix,
            lambda make: tuple(make(*t) for t in tiler),
        ),
    ]
    for what, name, layout, other in subjects:

        def calls(library, name=name, layout=layout, other=other) -> Run:
            f, a, b = getattr(library, name), library.Layout(*layout), other(library.Layout)
            return lambda: [f(a, b) for _ in range(1000)]

        times = interleaved({"enigma": calls(enigma), "pycute": calls(pycute)}, 15)
        table.ratio(what, times["enigma"], "pycute", times["pycute"], calls=1000)
