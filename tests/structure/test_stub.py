"""The stub of enigma._core, generated from the bindings, is pinned: its diff is the API's diff."""

import importlib.util
import pathlib

import pytest


def package_folder() -> pathlib.Path:
    # Found, not imported: the stub is that of the installed package.
    spec = importlib.util.find_spec("enigma")
    if spec is None or not spec.submodule_search_locations:
        pytest.fail("the package enigma is not installed: run `make install`")
    return pathlib.Path(next(iter(spec.submodule_search_locations)))


def test_stub_is_as_reviewed(golden):
    golden("_core.pyi", (package_folder() / "_core.pyi").read_text())


def test_package_is_marked_as_typed():
    assert (package_folder() / "py.typed").exists()
