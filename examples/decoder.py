"""One transformer decoder layer, token by token with a cache: a chain of kernels in one batch.

RMSNorm, queries, keys and values, rotary embedding, attention over the cache, projection, RMSNorm,
SwiGLU. The weights are bound once; a step binds the tokens and where they stand.
"""

import functools
import math
from dataclasses import dataclass, fields

import attention
import matmul
import numpy as np
import rmsnorm
import rope

import enigma

THREADS = 256
EPSILON = 1e-6


@dataclass
class Weights:
    """Of one layer; each matrix is (inputs, outputs), all of one type."""

    norm_attention: np.ndarray
    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    out: np.ndarray
    norm_mlp: np.ndarray
    gate: np.ndarray
    up: np.ndarray
    down: np.ndarray


@functools.cache
def kernels(dtype: str) -> dict[str, enigma.CompiledKernel]:
    """The small kernels between the large ones: a thread per element."""

    @enigma.kernel
    def add(X: dtype, Y: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = X[i] + Y[i]

    @enigma.kernel
    def swiglu(Gate: dtype, Up: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        gate = enigma.metal_cast(Gate[i], "float")
        Out[i] = gate / (1.0 + enigma.exp(-gate)) * Up[i]

    @enigma.kernel
    def append(X: dtype, Cache: dtype, first: enigma.Scalar(enigma.u32)):
        i = enigma.thread_position_in_grid
        Cache[first + i] = X[i]

    return {k.__name__: enigma.compile(k) for k in (add, swiglu, append)}


class DecoderLayer:
    """A layer whose kernels are bound for steps of `tokens` tokens, with room for `places`."""

    def __init__(
        self,
        weights: Weights,
        heads: int,
        kv_heads: int,
        tokens: int,
        places: int,
        runtime: enigma.Runtime | None = None,
    ) -> None:
        self.runtime = rt = runtime or enigma.default_runtime()
        self.tokens, self.places, self.place = tokens, places, 0
        self.dtype = weights.query.dtype
        dtype, bytes_of = str(self.dtype), self.dtype.itemsize
        width, wide = weights.gate.shape
        size = weights.query.shape[1] // heads
        half, log_base, scale = size // 2, math.log(10_000.0), 1 / math.sqrt(size)
        small, norm, product = kernels(dtype), rmsnorm.kernel(dtype), matmul.kernel(dtype)
        self.row = kv_heads * size  # elements of a place in the cache
        self.chain: list[tuple[enigma.PreparedKernel, object, object]] = []

        def run(kernel, inputs, count, grid, threads) -> enigma.PreparedKernel:
            """The kernel on these inputs at its place in the chain, with `count` numbers of output.

            A `count` of 0 is for a kernel that writes to one of its inputs.
            """
            values = [x.output() if isinstance(x, enigma.PreparedKernel) else x for x in inputs]
            prepared = rt.prepare(kernel, values, output_size=count * bytes_of or None)
            self.chain.append((prepared, grid, threads))
            return prepared

        def flat(name, count, *inputs) -> enigma.PreparedKernel:
            return run(small[name], inputs, count, count, THREADS)

        def normalize(x, weight) -> enigma.PreparedKernel:
            inputs = [x, weight, width, EPSILON]
            return run(norm, inputs, tokens * width, tokens * rmsnorm.THREADS, rmsnorm.THREADS)

        def times(x, weight) -> enigma.PreparedKernel:
            k, n = weight.shape
            return run(product, [x, weight, tokens, n, k], tokens * n, *matmul.launch(tokens, n))

        def turned(x, heads) -> enigma.PreparedKernel:
            inputs = [x, heads, half, 0, log_base]
            grid = half, tokens * heads
            return run(rope.kernel(dtype), inputs, tokens * heads * size, grid, (32, 8))

        def cached(x) -> enigma.PreparedKernel:
            cache = np.zeros(places * self.row, self.dtype)
            grid = tokens * self.row
            return run(small["append"], [x, cache, 0], 0, grid, THREADS)

        self.input = np.zeros((tokens, width), self.dtype)
        first = normalize(self.input, weights.norm_attention)
        self.query = turned(times(first, weights.query), heads)
        self.key = turned(times(first, weights.key), kv_heads)
        self.caches = [cached(self.key), cached(times(first, weights.value))]
        self.attention = run(
            attention.kernel(dtype, size, causal=True),
            [self.query, *self.caches, tokens, places, heads, kv_heads, scale],
            tokens * heads * size,
            (-(-tokens // attention.QUERIES) * attention.THREADS, heads),
            attention.THREADS,
        )
        self.sum = flat("add", tokens * width, times(self.attention, weights.out), self.input)
        second = normalize(self.sum, weights.norm_mlp)
        gate, up = times(second, weights.gate), times(second, weights.up)
        down = times(flat("swiglu", tokens * wide, gate, up), weights.down)
        self.result = flat("add", tokens * width, down, self.sum)

    def step(self, x: np.ndarray) -> np.ndarray:
        """The layer's output for the next `tokens` tokens, (tokens, width), in their type."""
        if x.shape != self.input.shape or x.dtype != self.dtype:
            raise ValueError(f"a step takes {self.input.shape} of {self.dtype}, not {x.shape}")
        if self.place + self.tokens > self.places:
            raise ValueError(f"the cache has room for {self.places} places")
        self.chain[0][0].set_input("X", x)
        self.sum.set_input("Y", x)
        for kernel in (self.query, self.key):
            kernel.set_input("first", self.place)
        for cache in self.caches:
            cache.set_input("first", self.place * self.row)
        self.place += self.tokens
        self.attention.set_input("keys", self.place)
        self.runtime.dispatch_batch(self.chain)
        return self.result.read_output(dtype=self.dtype).reshape(x.shape)

    def release(self) -> None:
        """Gives back the memory."""
        for prepared, _, _ in self.chain:
            prepared.release()


def reference(x: np.ndarray, weights: Weights, heads: int, kv_heads: int) -> np.ndarray:
    """All steps at once in numpy, in float64."""
    w = Weights(*(getattr(weights, f.name).astype(float) for f in fields(weights)))
    x = x.astype(float)
    tokens = len(x)
    h = rmsnorm.reference(x, w.norm_attention, EPSILON)
    q = rope.reference((h @ w.query).reshape(tokens, heads, -1))
    k = rope.reference((h @ w.key).reshape(tokens, kv_heads, -1))
    v = (h @ w.value).reshape(tokens, kv_heads, -1)
    x = x + attention.reference(q, k, v, causal=True).reshape(tokens, -1) @ w.out
    h = rmsnorm.reference(x, w.norm_mlp, EPSILON)
    gate = h @ w.gate
    return x + (gate / (1 + np.exp(-gate)) * (h @ w.up)) @ w.down


def random_weights(
    width: int, heads: int, kv_heads: int, size: int, wide: int, dtype: type, seed: int = 0
) -> Weights:
    rng = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / math.sqrt(shape[0])).astype(dtype)

    def ones() -> np.ndarray:
        return rng.uniform(0.5, 1.5, width).astype(dtype)

    q, kv = heads * size, kv_heads * size
    return Weights(
        ones(), matrix(width, q), matrix(width, kv), matrix(width, kv), matrix(q, width),
        ones(), matrix(width, wide), matrix(width, wide), matrix(wide, width),
    )  # fmt: skip


def main() -> None:
    heads, kv_heads, tokens, steps = 4, 2, 5, 4
    weights = random_weights(128, heads, kv_heads, 32, 336, np.float32)
    x = np.random.default_rng(1).standard_normal((tokens * steps, 128), dtype=np.float32)
    layer = DecoderLayer(weights, heads, kv_heads, tokens, tokens * steps)
    got = np.concatenate([layer.step(part) for part in np.split(x, steps)])
    layer.release()
    exact = reference(x, weights, heads, kv_heads)
    print("largest error:", np.abs(got - exact).max())


if __name__ == "__main__":
    main()
