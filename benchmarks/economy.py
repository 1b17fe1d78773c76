"""What the examples' kernels execute and move for each element they write: docs/performance.md.

The page is written by tests/structure/test_performance_page.py (`pytest --update-golden`), which
fails where it is not true.
"""

from dataclasses import dataclass, field

import attention
import dequantize
import edges
import layernorm
import matmul
import matmul_pipelined
import rmsnorm
import rope
import saxpy
import softmax
import stencil
import tiled_add
import transpose

import enigma
from benchmarks.counting import Dim3, counts
from benchmarks.measure import vector_add

HEAD = """\
# What kernels execute and move

Counted, not timed: what the threads of one threadgroup in the middle of the grid do, divided by the
elements that they write. The counts come from the IR after all passes, whose operations the MSL
text spells out (`benchmarks/counting.py`); loops, conditions and addresses are those of real
sizes. This page is written by `tests/structure/test_performance_page.py`
(`pytest --update-golden`), which fails where it is not true. What instructions Metal's compiler
makes of an operation is not known here; what time they take, `make bench` shows for the CPU device.

* **Device bytes** are moved by loads and stores. **Least** is what the threadgroup would move if it
  read or wrote each element once. **Accesses** are the loads and stores; a `float4` is one.
* **Threadgroup bytes** are moved to and from threadgroup memory.
* **Integer**: operations on integers and bools, which are addresses and bounds. **Float**:
  arithmetic and functions; one on a `float4` is one.
* **Control**: turns of loops, conditions, barriers. **Groups**: operations of a SIMD-group
  together, on lanes or 8x8 matrices, one for each thread.
* **Text**: operations in the text of the kernel.
"""


@dataclass
class Case:
    """A kernel and where it is looked at; `why` says what is moved more than once, and for what."""

    title: str
    compiled: enigma.CompiledKernel
    threads: Dim3
    groups: Dim3
    group: Dim3
    scalars: dict[str, int] = field(default_factory=dict)
    why: str = ""


def flat(title, compiled, threads=256, why="", **scalars: int) -> Case:
    return Case(title, compiled, (threads, 1, 1), (3, 1, 1), (1, 0, 0), scalars, why)


def tiled(title, compiled, threads, why="", **scalars: int) -> Case:
    return Case(title, compiled, threads, (3, 3, 1), (1, 1, 0), scalars, why)


def launched(title, compiled, group, why="") -> Case:
    """A jit function, which knows its grid."""
    block = compiled.block
    groups = tuple(g // b for g, b in zip(compiled.grid, block, strict=True))
    return Case(title, compiled, block, groups, group, {}, why)


def matrix(name: str, index: int, rows: int, columns: int) -> enigma.Tensor:
    return enigma.Tensor(name, index, "float", enigma.Layout((rows, columns), (columns, 1)))


def cases() -> list[Case]:
    row, product = {"columns": 4096}, {"M": 192, "N": 192, "K": 128}
    threads = (matmul.THREADS, 1, 1)
    turned = enigma.compile(
        transpose.make_transpose(transpose.swizzled), matrix("X", 0, 96, 96), matrix("Y", 1, 96, 96)
    )
    added = enigma.compile(
        tiled_add.tiled_add, *(matrix(name, k, 48, 256) for k, name in enumerate("ABC"))
    )
    return [
        flat("vector add", enigma.compile(vector_add())),
        flat("saxpy", enigma.compile(saxpy.saxpy)),
        launched("tiled add, 48 x 256", added, (1, 0, 0)),
        launched("transpose, 96 x 96", turned, (1, 1, 0)),
        flat(
            "softmax, rows of 4096",
            softmax.kernel("float32"),
            why="the row is read for its maximum and for its exponentials, and written twice",
            **row,
        ),
        flat(
            "RMSNorm, rows of 4096",
            rmsnorm.kernel("float32"),
            why="the row is read for its sum and for its result",
            **row,
        ),
        flat(
            "LayerNorm, rows of 4096",
            layernorm.kernel("float32"),
            why="the row is read for its mean, its variance and its result",
            **row,
        ),
        tiled("rotary embedding", rope.kernel("float32"), (32, 8, 1), heads=8, half=96, first=0),
        tiled("Sobel", enigma.compile(edges.sobel), (16, 16, 1), width=48, height=48),
        tiled(
            "stencil 5 x 5",
            stencil.kernel_2d("float32", 2),
            (16, 16, 1),
            why="each thread reads the 25 weights",
            width=48,
            height=48,
        ),
        tiled("matmul, K = 128", matmul.kernel("float32"), threads, **product),
        tiled(
            "pipelined matmul, K = 128",
            matmul_pipelined.kernel("float32", 2),
            (matmul_pipelined.THREADS, 1, 1),
            **product,
        ),
        tiled(
            "int4 matmul, K = 128",
            dequantize.kernel("float32", 4),
            (dequantize.THREADS, 1, 1),
            why="each thread reads a whole byte and the scale for its weight",
            **product,
        ),
        tiled(
            "attention, 96 keys of 64",
            attention.kernel("float32", 64, False),
            (attention.THREADS, 1, 1),
            queries=96,
            keys=96,
            heads=3,
            kv_heads=3,
        ),
    ]


def page() -> str:
    names = ["device bytes", "least", "accesses", "threadgroup bytes", "integer", "float"]
    names += ["control", "groups", "text"]
    lines = [HEAD, f"| kernel | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    remarks = []
    for case in cases():
        found = counts(case.compiled.ir, case.threads, case.groups, case.group, case.scalars)
        elements = len(found.written)
        executed = found.executed
        each = [
            found.bytes["device"],
            found.least(),
            found.accesses["device"],
            found.bytes["threadgroup"],
            executed["integer"],
            executed["float"],
            executed["control"],
            executed["lane"] + executed["matrix"],
        ]
        cells = [f"{number / elements:.2f}".rstrip("0").rstrip(".") for number in each]
        lines.append(f"| {case.title} | {' | '.join(cells)} | {found.static} |")
        if case.why:
            remarks.append(f"* {case.title.partition(',')[0]}: {case.why}.")
    return "\n".join([*lines, "", "Where more is moved than the least:", "", *remarks]) + "\n"
