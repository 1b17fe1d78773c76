"""FlashAttention, forward: scores live in threadgroup memory a tile at a time, never as a whole.

A threadgroup of four SIMD-groups takes 32 queries of one head and walks over the keys in tiles of
32. Each SIMD-group holds its 8 rows of the result as SIMD-group matrices; what a new maximum does
to them is a product with a diagonal matrix.
"""

import functools
import math

import numpy as np

import enigma

SIMDGROUPS = 4
QUERIES = 8 * SIMDGROUPS
KEYS = 32
THREADS = 32 * SIMDGROUPS


@functools.cache
def kernel(dtype: str, size: int, causal: bool) -> enigma.CompiledKernel:
    """The kernel for heads of `size` dimensions; it computes in float."""
    width = -(-size // 8) * 8  # of a tile's row
    blocks = range(0, width, 8)

    @enigma.kernel
    def attention(
        Q: dtype,
        K: dtype,
        V: dtype,
        Out: dtype,
        queries: enigma.Scalar(enigma.u32),
        keys: enigma.Scalar(enigma.u32),
        heads: enigma.Scalar(enigma.u32),
        kv_heads: enigma.Scalar(enigma.u32),
        scale: enigma.Scalar(enigma.f32),
    ):
        thread = enigma.thread_position_in_threadgroup()
        group = enigma.simdgroup_index_in_threadgroup()
        lane = enigma.thread_index_in_simdgroup()
        first = enigma.threadgroup_position_in_grid("x") * QUERIES
        head = enigma.threadgroup_position_in_grid("y")
        kv_head = head * kv_heads / heads

        tile = enigma.threadgroup_alloc("float", (QUERIES, width))
        scores = enigma.threadgroup_alloc("float", (QUERIES, KEYS))
        diagonals = enigma.threadgroup_alloc("float", (SIMDGROUPS, 8, 8))

        def load(source, start, rows, head, heads):
            """32 rows of a head into the tile, with zeros around what there is."""
            with enigma.for_range(thread, QUERIES * width, THREADS, dtype="uint") as i:
                row, column = i / width, i % width
                inside = (start + row < rows) & (column < size)
                at = ((start + row) * heads + head) * size + column
                tile[row, column] = enigma.load_if(source, at, inside, default=0)
            enigma.barrier()

        def block(memory, row, column, columns, transpose=False):
            return enigma.simdgroup_matrix_load(
                memory, columns, offset=(row, column), transpose=transpose
            )

        # A row of a SIMD-group's 8 is the work of 4 lanes, 8 scores each.
        own = lane / 4
        row = group * 8 + own
        query = first + row

        def scaled(matrices, factor):
            """Each row of the SIMD-group's matrices times its own factor."""
            with enigma.if_(lane % 4 == 0):
                diagonals[group, own, own] = factor
            enigma.simd_barrier()
            diagonal = enigma.simdgroup_matrix_load(diagonals, 8, offset=(group, 0, 0))
            zero = enigma.make_filled_simdgroup_matrix(0.0)
            return [enigma.simdgroup_multiply_accumulate(diagonal, m, zero) for m in matrices]

        with enigma.for_range(thread, SIMDGROUPS * 64, THREADS, dtype="uint") as i:
            diagonals[i / 64, i / 8 % 8, i % 8] = 0.0
        load(Q, first, queries, head, heads)
        q = [block(tile, group * 8, d, width) for d in blocks]
        enigma.barrier()

        out = [enigma.make_filled_simdgroup_matrix(0.0) for _ in blocks]
        largest, total = enigma.f32(-math.inf), enigma.f32(0)
        # With fewer queries than keys, the last query is that of the last key.
        seen = enigma.metal_cast(query + keys, "int") - enigma.metal_cast(queries, "int")
        end = keys
        if causal:
            end = enigma.imin(keys, enigma.imax(first + QUERIES + keys, queries) - queries)
        with enigma.for_range(0, end, KEYS, dtype="uint") as start:
            load(K, start, keys, kv_head, kv_heads)
            for k in range(0, KEYS, 8):
                s = enigma.make_filled_simdgroup_matrix(0.0)
                for n, d in enumerate(blocks):
                    turned = block(tile, k, d, width, transpose=True)
                    s = enigma.simdgroup_multiply_accumulate(q[n], turned, s)
                enigma.simdgroup_matrix_store(s, scores, KEYS, offset=(group * 8, k))
            enigma.barrier()
            load(V, start, keys, kv_head, kv_heads)

            found = []
            for k in range(8):
                column = lane % 4 * 8 + k
                key = start + column
                visible = key < keys
                if causal:
                    visible = visible & (enigma.metal_cast(key, "int") <= seen)
                score = scores[row, column] * (scale * math.log2(math.e))
                found.append(enigma.where(-math.inf, score, visible))
            new = largest
            for score in found:
                new = enigma.fmax(new, score)
            new = enigma.quad_max(new)
            base = enigma.where(new, 0.0, new == -math.inf)  # no key is visible yet
            shrink = enigma.exp2(largest - base)
            fresh = enigma.f32(0)
            for k in range(8):
                weight = enigma.exp2(found[k] - base)
                scores[row, lane % 4 * 8 + k] = weight
                fresh = fresh + weight
            total = total * shrink + enigma.quad_sum(fresh)
            largest = new

            out = scaled(out, shrink)
            for k in range(0, KEYS, 8):
                weights = block(scores, group * 8, k, KEYS)
                for n, d in enumerate(blocks):
                    out[n] = enigma.simdgroup_multiply_accumulate(
                        weights, block(tile, k, d, width), out[n]
                    )
            enigma.barrier()

        out = scaled(out, enigma.where(1.0 / total, 0.0, total == 0.0))
        for n, d in enumerate(blocks):
            enigma.simdgroup_matrix_store(out[n], tile, width, offset=(group * 8, d))
        enigma.barrier()
        with enigma.for_range(thread, QUERIES * size, THREADS, dtype="uint") as i:
            place, column = first + i / size, i % size
            at = (place * heads + head) * size + column
            enigma.store_if(Out, at, tile[i / size, column], place < queries)

    return enigma.compile(attention)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool = False) -> np.ndarray:
    """softmax(q @ k.T / sqrt(size)) @ v for each head, in q's type.

    q is (queries, heads, size), k and v are (keys, kv_heads, size), where kv_heads divides heads:
    heads / kv_heads neighbours share keys and values. With `causal` query i sees the keys up to
    i + keys - queries; a query that sees none gives zeros. `size` is at most 128.
    """
    queries, heads, size = q.shape
    keys, kv_heads, _ = k.shape
    if k.shape != v.shape or k.shape[2] != size or heads % kv_heads or size > 128:
        raise ValueError(f"q {q.shape}, k {k.shape} and v {v.shape} do not fit together")
    out = np.empty_like(q)
    run = kernel(str(q.dtype), size, causal)
    grid = -(-queries // QUERIES) * THREADS, heads
    sizes = queries, keys, heads, kv_heads, 1 / math.sqrt(size)
    run(q, k, v, out, *sizes, grid=grid, threads=THREADS)
    return out


def reference(q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool = False) -> np.ndarray:
    """The same in numpy, in float64."""
    queries, heads, size = q.shape
    keys, kv_heads, _ = k.shape
    q, k, v = (x.astype(float).swapaxes(0, 1) for x in (q, k, v))
    k, v = (np.repeat(x, heads // kv_heads, axis=0) for x in (k, v))
    scores = q @ k.swapaxes(1, 2) / math.sqrt(size)
    if causal:
        hidden = np.arange(keys) > np.arange(queries)[:, None] + keys - queries
        scores[:, hidden] = -np.inf
    largest = scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isinf(largest), 0, largest))
    total = weights.sum(axis=-1, keepdims=True)
    return (weights / np.where(total == 0, 1, total) @ v).swapaxes(0, 1)


def main() -> None:
    rng = np.random.default_rng(0)
    q = rng.standard_normal((100, 4, 64), dtype=np.float32)
    k, v = rng.standard_normal((2, 130, 2, 64), dtype=np.float32)
    worst = max(
        np.abs(attention(q, k, v, causal) - reference(q, k, v, causal)).max()
        for causal in (False, True)
    )
    print("largest error:", worst)


if __name__ == "__main__":
    main()
