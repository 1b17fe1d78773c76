"""What `make demo` shows: a kernel's MSL, and three kernels on real input beside numpy."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import edges
import rmsnorm
import saxpy

import enigma


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time of a few runs after one that warms up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]


def row(what: str, mine: float, numpys: float, error: float) -> None:
    ratio = numpys / mine
    print(f"{what:<34} {mine * 1e3:9.2f} ms {numpys * 1e3:9.2f} ms {ratio:7.2f} x   {error:10.3g}")


def run_saxpy(runtime: enigma.Runtime) -> None:
    n = 16_000_000
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, n), dtype=np.float32)
    out = np.empty(n, np.float32)
    kernel = enigma.compile(saxpy.saxpy)
    alpha = np.float32(2.5)

    mine = seconds(lambda: kernel(x, alpha, y, out, grid=n, threads=256, runtime=runtime))
    numpys = seconds(lambda: alpha * x + y)
    exact = 2.5 * x.astype(np.float64) + y
    row("saxpy, 16 M floats", mine, numpys, np.abs(out - exact).max())


def run_rms_norm(runtime: enigma.Runtime) -> None:
    shape = 4096, 4096
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, dtype=np.float32)
    w = rng.standard_normal(shape[1], dtype=np.float32)
    out = np.empty_like(x)
    kernel = enigma.compile(rmsnorm.rms_norm)
    grid, threads = shape[0] * rmsnorm.THREADS, rmsnorm.THREADS

    mine = seconds(
        lambda: kernel(x, w, out, shape[1], 1e-6, grid=grid, threads=threads, runtime=runtime)
    )
    numpys = seconds(lambda: rmsnorm.reference(x, w, 1e-6))
    exact = rmsnorm.reference(x.astype(np.float64), w, 1e-6)
    row("RMSNorm, 4096 x 4096", mine, numpys, np.abs(out - exact).max())


def run_edges(runtime: enigma.Runtime, path: Path) -> None:
    from PIL import Image
    from skimage import data

    photo = data.astronaut()
    image = np.ascontiguousarray(photo.astype(np.float32).mean(axis=2) / 255)
    height, width = image.shape
    out = np.empty_like(image)
    kernel = enigma.compile(edges.sobel)
    grid, threads = (width, height), (edges.TILE, edges.TILE)

    mine = seconds(
        lambda: kernel(image, out, width, height, grid=grid, threads=threads, runtime=runtime)
    )
    numpys = seconds(lambda: edges.reference(image))
    exact = edges.reference(image.astype(np.float64))
    row(f"edges of a photograph, {width} x {height}", mine, numpys, np.abs(out - exact).max())

    pixels = np.clip(out / out.max() * 255, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)


def main() -> None:
    target = Path(__file__).parent / "out" / "edges.png"
    target.parent.mkdir(exist_ok=True)
    runtime = enigma.default_runtime()
    print(enigma.compile(saxpy.saxpy).metal_source)
    print(f"on {runtime.device_capabilities().name}; medians, arrays bound at each call\n")
    print(f"{'':<34} {'enigma':>12} {'numpy':>12} {'':>9}   {'largest error':>10}")
    run_saxpy(runtime)
    run_rms_norm(runtime)
    run_edges(runtime, target)
    print(f"\nedges written to {target}")


if __name__ == "__main__":
    main()
