"""MSL that others wrote: the kernels of the mlx-metal wheel, which pip fetches once for all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from .lab import BUILD, ROOT

# What the build takes metal-cpp from, so that there is one download.
PINNED = (ROOT / "cmake" / "MetalCpp.cmake").read_text()
VERSION, SHA256 = re.findall(r"set\(metal_cpp_wheel_(?:version|hash) (\S+)\)", PINNED)
WHEEL = f"mlx_metal-{VERSION}-py3-none-macosx_14_0_arm64.whl"
DOWNLOADS = ROOT / "build" / "metal-cpp"  # where cmake/MetalCpp.cmake keeps the same wheel
KERNELS = "mlx/backend/metal/kernels"


class Unavailable(Exception):
    """The wheel cannot be fetched."""


def wheel() -> Path:
    """The wheel, downloaded unless it is there. Errors: Unavailable; ValueError for another file.

    Several processes may do this at once: each downloads into a folder of its own, and what one of
    them moved into place is whole.
    """
    path = DOWNLOADS / WHEEL
    if not path.exists():
        DOWNLOADS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=DOWNLOADS) as folder:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", folder]
            command += ["--only-binary=:all:", "--platform", "macosx_14_0_arm64"]
            command += ["--disable-pip-version-check", f"mlx-metal=={VERSION}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"mlx-metal {VERSION}: {done.stderr.strip()[-300:]}")
            os.replace(Path(folder) / WHEEL, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{path} has the hash {digest}, not {SHA256}")
    return path


def headers() -> Path:
    """The folder that the includes of the wheel's kernels start from."""
    folder = BUILD / f"mlx-metal-{VERSION}-{SHA256[:8]}"
    if not folder.is_dir():
        BUILD.mkdir(parents=True, exist_ok=True)
        own = Path(tempfile.mkdtemp(prefix=".headers-", dir=BUILD))
        with zipfile.ZipFile(wheel()) as archive:
            for name in archive.namelist():
                if name.startswith(f"mlx/include/{KERNELS}"):
                    archive.extract(name, own)
        try:
            own.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(own)
    return folder / "mlx" / "include"


# complex.h and logging.h have overloads that differ in the address space alone, which the lab
# cannot tell apart; _disjunction is a name of Apple's own headers.
_COMPLEX = """
namespace metal {
template <class... B>
struct _disjunction {
  static constexpr bool value = (B::value || ...);
};
}  // namespace metal
template <class T>
struct complex_t {
  T real, imag;
  constexpr complex_t(T r = T(0), T i = T(0)) : real(r), imag(i) {}
};
typedef complex_t<float> complex64_t;
#define COMPLEX_OPERATOR(op) \\
  inline complex64_t operator op(complex64_t, complex64_t) { return {}; }
#define COMPLEX_COMPARISON(op) \\
  constexpr bool operator op(complex64_t a, complex64_t b) { return a.real op b.real; }
COMPLEX_OPERATOR(+) COMPLEX_OPERATOR(-) COMPLEX_OPERATOR(*) COMPLEX_OPERATOR(/)
COMPLEX_OPERATOR(%)
COMPLEX_COMPARISON(<) COMPLEX_COMPARISON(>) COMPLEX_COMPARISON(==) COMPLEX_COMPARISON(!=)
COMPLEX_COMPARISON(<=) COMPLEX_COMPARISON(>=)
inline complex64_t operator-(complex64_t a) { return {-a.real, -a.imag}; }
"""
_LOGGING = """
namespace mlx {
struct os_log {
  constexpr os_log(const char*, const char*) {}
  template <class... T>
  void log_debug(T...) const {}
};
}  // namespace mlx
"""


def text_of(*names: str) -> str:
    """These headers of the kernels' folder and all that they include, as one text."""
    root, seen = headers(), set[str]()

    def inlined(name: str) -> str:
        # bf16_math.h is written in names that only Apple's own headers have.
        if name in seen or name.endswith("/bf16_math.h"):
            return ""
        seen.add(name)
        for end, ours in (("/complex.h", _COMPLEX), ("/logging.h", _LOGGING)):
            if name.endswith(end):
                return ours
        text = re.sub(r"#pragma once", "", (root / name).read_text())
        return re.sub(r'#include "(mlx/[^"]+)"', lambda m: inlined(m[1]), text)

    parts = [inlined(f"{KERNELS}/{name}") for name in names]
    return "#include <metal_stdlib>\nusing namespace metal;\n" + "\n".join(parts)


def unary_operations() -> set[str]:
    """The functors of unary_ops.h."""
    text = (headers() / KERNELS / "unary_ops.h").read_text()
    return set(re.findall(r"^struct (\w+) \{", text, re.M))
