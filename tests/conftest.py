"""What all tests share: the golden fixture, and how much hypothesis tries."""

import atexit
import difflib
import gc
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

try:
    from hypothesis import HealthCheck, Phase, settings
except ImportError:  # the structure tests run without it
    pass
else:
    # Times say nothing on a shared machine; a failure in CI must fail again here.
    # The fixtures of a function, such as its device, are the same for all examples.
    unhealthy = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    common = {"deadline": None, "suppress_health_check": unhealthy}
    settings.register_profile("default_", derandomize=bool(os.environ.get("CI")), **common)
    # For the sanitizers, which look for reports; what fails is made small by the plain run.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("quick", max_examples=15, derandomize=True, phases=phases, **common)
    settings.register_profile("thorough", max_examples=1000, **common)
    settings.load_profile("default_")
    # Hypothesis leaves a callback in the garbage collector. At the interpreter's end it keeps the
    # last collections from freeing what test modules hold, which nanobind then reports as leaked.
    atexit.register(gc.callbacks.clear)

# On a Mac the compiler of the text, the runtime and the GPU are the real ones.
collect_ignore = [] if sys.platform == "linux" else ["msl", "softmetal", "macos_cross"]

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite tests/golden and docs/ops.md from what was produced",
    )
    parser.addoption(
        "--device",
        action="append",
        choices=["cpu", "msl", "softmetal", "metal"],
        help="run kernels on this device only; may be given again (tests/python/conftest.py)",
    )
    parser.addoption(
        "--msl-schedule",
        choices=["forward", "reverse", "random"],
        default="forward",
        help="the order in which the device msl runs threads",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Objects of Metal's that outlived a process of this run, as text.
    config.left_alive = []
    # Compiled kernels: kept for this run, never of the user's or of another run.
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="enigma-cache-")
        os.environ["ENIGMA_CACHE_DIR"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """A process of pytest-xdist's has ended: it hands over what it found."""
    node.config.left_alive += getattr(node, "workeroutput", {}).get("left_alive", [])


def pytest_sessionfinish(session: pytest.Session) -> None:
    left = session.config.left_alive
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_alive"] = left
    elif left:
        raise RuntimeError(f"objects of Metal's are still alive: {'; '.join(left)}")


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """The top of the source tree."""
    return ROOT


@pytest.fixture
def golden(request: pytest.FixtureRequest):
    """golden(name, text): text must equal the file of this name in tests/golden, or `folder`."""

    def check(name: str, text: str, folder: pathlib.Path = GOLDEN) -> None:
        path = folder / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
            return
        if not path.exists():
            pytest.fail(f"{path.relative_to(ROOT)} does not exist: run pytest --update-golden")
        expected = path.read_text()
        if text != expected:
            lines = difflib.unified_diff(
                expected.splitlines(), text.splitlines(), path.name, "produced", lineterm=""
            )
            pytest.fail("\n".join(lines), pytrace=False)

    return check
