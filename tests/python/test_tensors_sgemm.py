"""CuTe's first tutorial: a product of matrices by tiles and partitions, at any size."""

import numpy as np
import pytest

import enigma
from enigma import Layout, Tensor

pytestmark = pytest.mark.usefixtures("device")

TILE = (16, 8, 4)  # of m, n and k
THREADS = Layout((8, 4))


@enigma.jit
def sgemm(mA: Tensor, mB: Tensor, mC: Tensor):
    groups = [-(-size // tile) for size, tile in zip(mC.shape, TILE[:2], strict=True)]

    @enigma.kernel
    def product(mA, mB, mC):
        thread = enigma.thread_position_in_threadgroup()
        group = (*(enigma.threadgroup_position_in_grid(dim) for dim in "xy"), None)
        gA = enigma.local_tile(mA, TILE, group, proj=(1, None, 1))
        gB = enigma.local_tile(mB, TILE, group, proj=(None, 1, 1))
        gC = enigma.local_tile(mC, TILE, group, proj=(1, 1, None))
        sA = enigma.threadgroup_alloc("float", Layout(gA.shape[:2]))
        sB = enigma.threadgroup_alloc("float", Layout(gB.shape[:2]))

        def mine(tensor, *proj):
            return enigma.local_partition(tensor, THREADS, thread, *proj)

        rows, columns = mine(sA, (1, None)), mine(sB, (None, 1))
        total = enigma.register_tensor((2, 2)).load()
        for k in enigma.range(gA.shape[2]):
            mine(sA).store(mine(gA)[None, None, k].load())
            mine(sB).store(mine(gB)[None, None, k].load())
            enigma.barrier()
            for j in enigma.range(TILE[2]):
                a, b = rows[None, j].load(), columns[None, j].load()
                step = enigma.register_tensor((2, 2))
                for m in range(2):
                    for n in range(2):
                        step[m, n] = a[m] * b[n]
                total = total + step.load()
            enigma.barrier()
        mine(gC).store(total)

    product(mA, mB, mC).launch(grid=(groups[0] * 32, groups[1]), block=32)


@pytest.mark.parametrize("row_major", [False, True])
def test_sgemm(row_major):
    m, n, k = 21, 19, 6
    shapes = {"A": (m, k), "B": (n, k), "C": (m, n)}
    tensors = [
        Tensor(name, i, "float", Layout(shape, (shape[1], 1) if row_major else None))
        for i, (name, shape) in enumerate(shapes.items())
    ]
    rng = np.random.default_rng(2)
    a, b = (rng.integers(-4, 5, shape).astype(np.float32) for shape in ((m, k), (n, k)))
    order = "C" if row_major else "F"
    c = np.zeros(m * n, np.float32)
    enigma.compile(sgemm, *tensors)(a.ravel(order), b.ravel(order), c)
    np.testing.assert_array_equal(c.reshape((m, n), order=order), a @ b.T)
