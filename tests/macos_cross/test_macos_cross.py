"""libenigma with its Metal runtime, compiled and linked for arm64 macOS on this machine.

The Mach-O file is looked at and never run: this shows that the code compiles against Darwin's
headers and imports what we mean it to, and nothing about how it behaves on a Mac.
"""

import fcntl
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "macos_cross"
BUILD = ROOT / "build" / "macos-cross"
MACOS = "14.0"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.no_asan,
    pytest.mark.skipif(sys.platform == "darwin", reason="a Mac builds it for itself"),
]

FRAMEWORKS = {"Metal", "Foundation", "CoreGraphics"}
OBJC = {"_objc_msgSend", "_objc_lookUpClass", "_objc_getProtocol", "_sel_registerName"}


def run(*command: str) -> None:
    result = subprocess.run(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode:
        pytest.fail(f"$ {' '.join(command)}\n{result.stdout}", pytrace=False)


def need(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.fail(f"{module} is missing: pip install -r <(.ci/requirements.py test)")


def configure(build: pathlib.Path, tools: pathlib.Path, shared: str) -> None:
    run(
        "cmake",
        *("-S", str(ROOT), "-B", str(build), "-G", "Ninja"),
        f"-DCMAKE_TOOLCHAIN_FILE={HERE / 'toolchain.cmake'}",
        f"-DMACOS_CROSS={tools}",
        f"-DPython3_EXECUTABLE={sys.executable}",
        "-DCMAKE_BUILD_TYPE=Release",
        f"-DBUILD_SHARED_LIBS={shared}",
    )


@pytest.fixture(scope="module")
def library():
    """The Mach-O file, read by lief."""
    need("ziglang")
    need("lief")
    import lief

    tools = BUILD / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    target = f"-target aarch64-macos.{MACOS}"
    for name, command in {
        "cc": f"cc {target}",
        "c++": f"c++ {target}",
        "ar": "ar",
        "ranlib": "ranlib",
    }.items():
        script = tools / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang {command} "$@"\n')
        script.chmod(0o755)
    with open(BUILD / "lock", "w") as lock:  # test processes share the folder
        fcntl.flock(lock, fcntl.LOCK_EX)
        build(tools)
    (path,) = (p for p in BUILD.glob("libenigma*.dylib") if not p.is_symlink())
    return lief.MachO.parse(str(path)).at(0)


def build(tools: pathlib.Path) -> None:
    # The headers come with the configuration, and the link stubs from the headers.
    configure(BUILD, tools, "ON")
    given = os.environ.get("METAL_CPP_DIR")
    headers = pathlib.Path(given) if given else ROOT / "build/metal-cpp/mlx/include/metal_cpp"
    run(sys.executable, str(HERE / "link_stubs.py"), str(headers), str(tools))
    run("cmake", "--build", str(BUILD), "--target", "enigma")


def imports(library) -> dict[str, set[str]]:
    """Imported symbols by the library that they come from, which a two-level name says."""
    _, *names = (pathlib.PurePosixPath(lib.name).name for lib in library.libraries)
    own = {symbol.name for symbol in library.exported_symbols}
    found: dict[str, set[str]] = {}
    for symbol in library.imported_symbols:
        if symbol.name in own:  # shared with other libraries that have it too
            continue
        ordinal = symbol.description >> 8 & 0xFF
        assert 1 <= ordinal <= len(names), f"{symbol.name} comes from no library"
        found.setdefault(names[ordinal - 1], set()).add(symbol.name)
    return found


def test_it_is_a_signed_arm64_library_for_the_oldest_macos(library):
    import lief

    assert library.header.cpu_type == lief.MachO.Header.CPU_TYPE.ARM64
    assert library.header.file_type == lief.MachO.Header.FILE_TYPE.DYLIB
    assert library.build_version.platform == lief.MachO.BuildVersion.PLATFORMS.MACOS
    assert library.build_version.minos[:2] == [int(part) for part in MACOS.split(".")]
    flags = {flag.name for flag in library.header.flags_list}
    assert {"NOUNDEFS", "TWOLEVEL"} <= flags
    assert library.has_code_signature


def test_it_loads_only_what_every_mac_has(library):
    own, *others = (pathlib.PurePosixPath(lib.name).name for lib in library.libraries)
    assert own.startswith("libenigma")
    assert set(others) == FRAMEWORKS | {"libSystem.B.dylib", "libobjc.A.dylib"}


def test_it_imports_what_we_mean_it_to(library):
    found = imports(library)
    assert found["libobjc.A.dylib"] <= OBJC
    assert "_objc_msgSend" in found["libobjc.A.dylib"]
    assert {"_MTLCreateSystemDefaultDevice", "_MTLCopyAllDevices"} <= found["Metal"]
    assert all(name.startswith("_MTL") for name in found["Metal"])
    assert all(name.startswith("_NS") for name in found.get("Foundation", set()))
    assert set(found) <= FRAMEWORKS | {"libSystem.B.dylib", "libobjc.A.dylib"}


def test_metal_cpp_stays_inside(library):
    exported = {symbol.name for symbol in library.exported_symbols}
    assert any("make_metal_runtime" in name for name in exported)
    leaked = [name for name in exported if re.search("^_MTL|^__ZNK?(2NS|3MTL)", name)]
    assert not leaked, leaked[:5]


def test_a_static_library_brings_its_frameworks(library):
    # What find_package(enigma) gives is written while configuring: nothing has to be compiled.
    build = BUILD / "static"
    configure(build, BUILD / "tools", "OFF")
    (targets,) = build.glob("CMakeFiles/Export/*/enigma-targets.cmake")
    linked = re.search('INTERFACE_LINK_LIBRARIES "(.*)"', targets.read_text())
    assert linked
    assert {f"-framework {name}" for name in FRAMEWORKS} <= set(linked[1].split(";"))
