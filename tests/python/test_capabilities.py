"""What a runtime says of its device, on every device; how asynchronous copies can be made there."""

import pytest
from softmetal import control

import enigma


def test_capabilities(device: str) -> None:
    c = enigma.default_runtime().device_capabilities()
    assert c.backend == ("metal" if device in ("metal", "softmetal") else "cpu")
    assert (c.simd_width, c.max_threads_per_threadgroup) == (32, 1024)
    assert c.async_copy in ("cooperative", "air", "escaped air")
    if c.backend == "cpu":
        assert c.async_copy == "cooperative"
    assert repr(c).startswith(f"DeviceCapabilities(name='{c.name}'")


# On software Metal the probe's own text is executed by the lab. What other devices say of
# themselves does not depend on a cache.
@pytest.mark.parametrize(
    "macos, outcome", [(14, "air"), (15, "air"), (26, "escaped air"), (27, "cooperative")]
)
def test_probe_of_async_copies(
    device: str, macos: int, outcome: str, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setenv("ENIGMA_CACHE_DIR", str(tmp_path))
    if device != "softmetal":
        before = enigma.default_runtime().device_capabilities().async_copy
        assert enigma.MetalRuntime().device_capabilities().async_copy == before
        return
    control.set_os(macos)
    try:
        for _ in range(2):  # tried, then remembered
            assert enigma.MetalRuntime().device_capabilities().async_copy == outcome
    finally:
        control.set_os(15)
    first = (tmp_path / "probe" / "async_copy").read_text().splitlines()
    assert first[:3] == [outcome, "Software Metal", f"Version {macos}.0 (Build SOFT1)"]
