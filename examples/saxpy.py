"""saxpy: Out = alpha * X + Y, one thread per element."""

import numpy as np

import enigma


@enigma.kernel
def saxpy(X: enigma.f32, alpha: enigma.Scalar(enigma.f32), Y: enigma.f32, Out: enigma.f32):
    tid = enigma.thread_position_in_grid
    Out[tid] = alpha * X[tid] + Y[tid]


def main() -> None:
    n = 1_000_003  # the last threadgroup is smaller than the others
    x = np.linspace(-1, 1, n, dtype=np.float32)
    y = np.linspace(0, 5, n, dtype=np.float32)
    out = np.empty(n, np.float32)

    compiled = enigma.compile(saxpy)
    compiled(x, 2.5, y, out, grid=n, threads=256)

    print(compiled.metal_source)
    print("largest error:", np.abs(out - (np.float32(2.5) * x + y)).max())


if __name__ == "__main__":
    main()
