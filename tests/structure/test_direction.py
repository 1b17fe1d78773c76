"""An include goes to a lower rank only, and foreign headers stay in the one folder they belong to.

The table is that of docs/architecture.md. A quoted include is looked up as `src/<path>` or
`include/<path>`; an include in angle brackets must be C++'s, or be allowed to that folder below.
"""

import functools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

TABLES = ("enigma/ops.def", "enigma/dtypes.def")
BASE = (*TABLES, "enigma/error.h", "enigma/limits.h", "enigma/types.h")
DATA = (*BASE, "enigma/artifact.h")
IR = (*DATA, "enigma/ir.h", "enigma/ops.h", "enigma/builder.h")
LAYOUT = ("enigma/int_tuple.h", "enigma/layout.h")
PIPELINE = ("enigma/gemm.h", "enigma/pipeline.h")
RUN = (*DATA, "enigma/runtime.h", "support/", "runtime/check.h")

# Folder or file → what its quoted includes may start with. The longest matching key counts.
MAY_INCLUDE: dict[str, tuple[str, ...]] = {
    "include/enigma": ("enigma/",),
    "src/support": (*BASE, "support/"),
    "src/layout": (*BASE, *LAYOUT, "support/", "layout/"),
    "src/ir": (*IR, "support/", "ir/"),
    # compile.h for what a pass may be asked to do; who calls the passes is above them.
    "src/passes": (*IR, "enigma/compile.h", "support/", "layout/", "ir/", "passes/"),
    "src/pipeline": (*IR, *PIPELINE, "support/", "layout/", "ir/", "pipeline/"),
    "src/tensor": (
        *IR,
        *LAYOUT,
        "enigma/tensor.h",
        "enigma/size.h",
        "support/",
        "layout/",
        "tensor/",
    ),
    "src/codegen/msl": (*IR, "support/", "ir/", "codegen/msl/"),
    "src/codegen/cpu": (*IR, "support/", "ir/", "codegen/cpu/"),
    "src/runtime": RUN,
    "src/runtime/cpu": (*RUN, "runtime/cpu/"),
    "src/runtime/metal": (*RUN, "runtime/metal/"),
    "src/compile.cpp": (
        *IR,
        "enigma/compile.h",
        "support/",
        "ir/",
        "passes/",
        "pipeline/",
        "codegen/",
    ),
    "src/bindings": ("enigma/",),
}

# Headers that are neither ours nor C++'s, and the only folders that may have them.
FOREIGN = {
    re.compile(r"^nanobind/"): ("src/bindings",),
    re.compile(r"^(Metal|Foundation|QuartzCore)/|^objc/"): ("src/runtime/metal",),
    re.compile(r"^(sys|mach|linux)/"): ("src/runtime",),
    re.compile(r"^(dlfcn|elf|fcntl|pthread|sched|signal|unistd)\.h$"): ("src/runtime",),
    re.compile(r"^(immintrin|arm_neon|cpuid)\.h$"): ("src/runtime",),
    re.compile(r"^(Python\.h|llvm|mlx|numpy)"): (),
}

SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("include", "src")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".h", ".cpp", ".def", ".mm"}
)


def includes(source: str) -> list[tuple[bool, str]]:
    text = (ROOT / source).read_text()
    return [(mark == '"', path) for mark, path in INCLUDE.findall(text)]


def place(source: str) -> str | None:
    keys = [key for key in MAY_INCLUDE if source == key or source.startswith(key + "/")]
    return max(keys, key=len, default=None)


@pytest.mark.parametrize("source", SOURCES)
def test_includes_go_to_a_lower_rank(source):
    key = place(source)
    assert key, f"{source} lies in a folder that the table of ranks does not have"
    for quoted, path in includes(source):
        if quoted:
            # Bindings name their neighbours without a folder: src is not on their include path.
            neighbour = "/" not in path and (ROOT / source).parent.joinpath(path).exists()
            assert neighbour or path.startswith(MAY_INCLUDE[key]), f'{source} includes "{path}"'
        else:
            folders = [allowed for pattern, allowed in FOREIGN.items() if pattern.search(path)]
            for allowed in folders:
                assert key.startswith(allowed) if allowed else False, f"{source} includes <{path}>"
            if not folders:
                assert re.fullmatch(r"[a-z_0-9]+", path), f"{source} includes <{path}>"


@functools.cache
def reached(source: str) -> frozenset[str]:
    """All headers of ours that `source` sees, directly or through others."""
    found: set[str] = set()
    for quoted, path in includes(source):
        if not quoted:
            continue
        for base in ("include/", "src/", source.rpartition("/")[0] + "/"):
            if (ROOT / (base + path)).exists() and base + path not in found:
                found |= {base + path} | reached(base + path)
                break
    return frozenset(found)


@pytest.mark.parametrize("source", [s for s in SOURCES if s.startswith("src/runtime/")])
def test_runtimes_never_see_the_ir(source):
    seen = reached(source) & {"include/enigma/ir.h", "include/enigma/builder.h"}
    assert not seen, f"{source} sees {sorted(seen)}"


@pytest.mark.parametrize("source", [s for s in SOURCES if s.startswith("src/layout/")])
def test_layouts_see_nothing_else_of_the_project(source):
    seen = {h for h in reached(source) if not h.startswith(("src/layout/", "src/support/"))}
    known = {"include/enigma/" + name for name in ("error.h", "int_tuple.h", "layout.h")}
    assert seen <= known, f"{source} sees {sorted(seen - known)}"


@pytest.mark.parametrize("source", [s for s in SOURCES if s.startswith("include/")])
def test_public_headers_name_no_foreign_type(source):
    code = re.sub(r"//.*|/\*.*?\*/|\"[^\"\n]*\"", "", (ROOT / source).read_text())
    found = re.search(
        r"\b(MTL|NS|CA)::|\bPyObject\b|\bnanobind\b|\bnb::|\bllvm::|\bLLVM[A-Z]", code
    )
    assert not found, f"{source} names {found and found.group()}"


def test_every_folder_of_the_table_is_reachable_from_src():
    folders = {place(source) for source in SOURCES}
    assert folders >= {"include/enigma", "src/support", "src/ir", "src/bindings"}
