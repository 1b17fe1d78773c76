"""libenigma for C++: it installs, and a program finds it with find_package and embeds it."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "cpp"

pytestmark = [pytest.mark.slow, pytest.mark.no_asan]


def run(*command: object) -> str:
    result = subprocess.run(
        [str(part) for part in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode:
        pytest.fail(f"$ {' '.join(map(str, command))}\n{result.stdout}", pytrace=False)
    return result.stdout


def cmake(source: pathlib.Path, build: pathlib.Path, *options: object) -> None:
    if shutil.which("ccache"):
        options += ("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",)
    run("cmake", "-S", source, "-B", build, "-G", "Ninja", *options)


def static_build() -> pathlib.Path:
    """The folder that the wheel was built in, where nothing is left to compile."""
    builds = [path.parent for path in ROOT.glob("build/cp3*/CMakeCache.txt")]
    if not builds:
        pytest.fail("libenigma is not built: run `make install`")
    return max(builds, key=lambda path: (path / "libenigma.a").stat().st_mtime)


def shared_build() -> pathlib.Path:
    build = ROOT / "build" / "shared"
    cmake(
        ROOT,
        build,
        "-DBUILD_SHARED_LIBS=ON",
        "-DCMAKE_BUILD_TYPE=Debug",
        f"-DPython3_EXECUTABLE={sys.executable}",
    )
    run("cmake", "--build", build, "--parallel", os.cpu_count())
    return build


@pytest.fixture(scope="module", params=[static_build, shared_build], ids=["static", "shared"])
def prefix(request, tmp_path_factory) -> pathlib.Path:
    """Where libenigma lies, which is not where it was installed: an installation can be moved."""
    folder = tmp_path_factory.mktemp(request.param.__name__)
    run("cmake", "--install", request.param(), "--prefix", folder / "a", "--component", "devel")
    return (folder / "a").rename(folder / "b")


def test_the_example_is_built_and_runs(prefix, tmp_path):
    clang = "clang-19" if sys.platform == "linux" else "clang"
    assert shutil.which(clang), f"{clang} is missing: run .ci/system-packages test"
    cmake(
        EXAMPLE,
        tmp_path,
        f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DJIT_CLANG={shutil.which(clang)}",
        "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Werror",
    )
    run("cmake", "--build", tmp_path)
    msl, _, results = run(tmp_path / "rmsnorm").partition("\n}\n")

    assert msl.startswith("#include <metal_stdlib>\nusing namespace metal;\n\nkernel void rmsnorm(")
    # A line of the MSL has the line of C++ that it comes from.
    line = 1 + EXAMPLE.joinpath("main.cpp").read_text().split("auto loop =")[0].count("\n")
    assert f"float squares = 0.0f;  // main.cpp:{line - 1}\n" in msl
    right = r"right, largest error \d\.\de-0[78], \d+\.\d{3} ms"
    cpu, metal = results.strip().splitlines()
    assert re.fullmatch(rf"CPU \(\d+ threads?, \w+\): {right}", cpu), cpu
    no_metal = (
        "Metal: there is no Metal device here: Metal needs macOS on Apple silicon. To run on the "
        "CPU, use enigma.CpuRuntime() instead of enigma.MetalRuntime(), or set ENIGMA_DEVICE=cpu"
    )
    if sys.platform == "linux":
        assert metal == no_metal
    else:
        assert metal.startswith("Metal: ") or re.fullmatch(rf"Apple .*: {right}", metal), metal


def test_the_library_is_there_once_and_complete(prefix):
    found = {str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir()}
    found = {re.sub("^lib64/", "lib/", name) for name in found}
    headers = {f"include/enigma/{path.name}" for path in (ROOT / "include" / "enigma").iterdir()}
    package = {name for name in found if name.startswith("lib/cmake/enigma/enigma-")}
    libraries = found - headers - package
    assert headers < found
    assert len(package) == 4  # the configuration, its version, the targets, those of the build type
    if prefix.parent.name.startswith("static"):
        assert libraries == {"lib/libenigma.a"}
    else:
        name = r"lib/libenigma(\.so(\.0\.\d+(\.\d+)?)?|(\.0\.\d+(\.\d+)?)?\.dylib)"
        assert len(libraries) == 3
        assert all(re.fullmatch(name, library) for library in libraries), libraries


def test_another_minor_version_is_refused(prefix, tmp_path):
    tmp_path.joinpath("CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.24)\nproject(other LANGUAGES CXX)\n"
        "find_package(enigma 0.0 QUIET)\nfind_package(Threads REQUIRED)\n"
        'message(STATUS "found: ${enigma_FOUND}, considered: ${enigma_CONSIDERED_VERSIONS}")\n'
    )
    out = run("cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}")
    assert "found: 0, considered: 0.1." in out


def test_each_header_stands_alone(prefix, tmp_path):
    headers = sorted(prefix.joinpath("include", "enigma").glob("*.h"))
    assert len(headers) >= 8
    sources = [tmp_path / f"{header.stem}.cpp" for header in headers]
    for header, source in zip(headers, sources, strict=True):
        source.write_text(f"#include <enigma/{header.name}>\n" * 2)
    warnings = "-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror".split()
    compilers = [c for c in ("c++", "clang++-19") if shutil.which(c)]
    for compiler in compilers:
        run(compiler, "-std=c++20", "-fsyntax-only", *warnings, f"-I{prefix}/include", *sources)
