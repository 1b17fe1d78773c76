"""libenigma for C++: it installs, a program finds it with find_package and builds a kernel."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.no_asan
def test_installed_library_is_found_and_works(tmp_path):
    # Installed from the folder that the wheel was built in: nothing is compiled but the consumer.
    builds = [path.parent for path in ROOT.glob("build/cp3*/CMakeCache.txt")]
    if not builds:
        pytest.fail("libenigma is not built: run `make install`")
    build = max(builds, key=lambda path: (path / "libenigma.a").stat().st_mtime)
    prefix = tmp_path / "prefix"
    run("cmake", "--install", build, "--prefix", prefix, "--component", "devel")

    consumer = tmp_path / "consumer"
    options = [f"-DCMAKE_PREFIX_PATH={prefix}"]
    if shutil.which("ccache"):
        options.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    run("cmake", "-S", ROOT / "tests" / "package", "-B", consumer, *options)
    run("cmake", "--build", consumer)
    msl = run(consumer / "consumer")
    assert "kernel void twice(" in msl
    assert "* 2.0" in msl


def run(*command: object) -> str:
    result = subprocess.run(
        [str(part) for part in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode:
        pytest.fail(f"$ {' '.join(map(str, command))}\n{result.stdout}", pytrace=False)
    return result.stdout
