// Tries AIR's copies, which the text before this one declares: a line and a ragged tile come into
// threadgroup memory, are changed there, and go back. probe.cpp knows what must come of it.

constexpr constant uint kThreads = 64;
constexpr constant uint kPitchIn = 16;  // of the tile in In
constexpr constant uint kPitch = 13;    // in threadgroup memory
constexpr constant uint kPitchOut = 20; // in Out
constexpr constant uint kColumns = 12;  // of the tile; the source has 2 less
constexpr constant uint kRows = 8;      // of the tile; the source has 1 less

// In: a line of 64, and 8 rows of 16. Out: the line, 8 rows of 20, and what each thread read there.
[[max_total_threads_per_threadgroup(64)]]
kernel void probe_async_copy(
    device const uint* In [[buffer(0)]],
    device uint* Out [[buffer(1)]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]]) {
    threadgroup uint line[kThreads];
    threadgroup uint tile[kRows * kPitch];
    const ulong size = sizeof(uint);
    const ulong2 whole = ulong2(kColumns, kRows);
    const ulong2 ragged = ulong2(kColumns - 2u, kRows - 1u);

    // What no copy changes can be told.
    line[thread_index] = 0xffffffffu;
    for (uint i = thread_index; i < kRows * kPitch; i += kThreads) {
        tile[i] = 0xffffffffu;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);

    if (simdgroup == 0u) {
        thread _simdgroup_event_t* events[2];
        events[0] = air_copy_1d_to_threadgroup(size, size, line, In, kThreads);
        events[1] = air_copy_2d_to_threadgroup(
            size, size, tile, kPitch, 1, whole,
            In + kThreads, kPitchIn, 1, ragged, long2(0, 0), 0);
        air_wait(2, events);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);

    line[thread_index] ^= 0x5a5a5a5au;
    for (uint i = thread_index; i < kRows * kPitch; i += kThreads) {
        tile[i] += 1u;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);

    if (simdgroup == 0u) {
        thread _simdgroup_event_t* events[2];
        events[0] = air_copy_1d_to_device(size, size, Out, line, kThreads);
        events[1] = air_copy_2d_to_device(
            size, size, Out + kThreads, kPitchOut, 1, whole,
            tile, kPitch, 1, whole, long2(0, 0), 0);
        air_wait(2, events);
    }
    threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);

    device uint* read = Out + kThreads + kRows * kPitchOut;
    read[thread_index] = Out[thread_index] ^ Out[kThreads + thread_index];
}
