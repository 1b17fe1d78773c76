// AIR's own copies between device and threadgroup memory, as far as they have become known: Apple's
// headers declare none of this. Tiles, pitches (elements per row) and offsets count elements of
// `element` bytes; `.x` runs along a row. What a target's tile has beyond the source's becomes 0
// with clamp 0, and repeats its edge with clamp 1.
//
// A copy is issued once for a whole SIMD-group, by all of its lanes with the same arguments, and
// waited for there. What it brought must then be read, behind a barrier: an M1 may hang until it
// is started anew when nothing reads it.

struct _simdgroup_event_t;

thread _simdgroup_event_t* air_copy_1d_to_threadgroup(
    ulong element, ulong alignment, threadgroup void* target, const device void* source,
    ulong count) __asm("air.simdgroup_async_copy_1d.p3i8.p1i8");

thread _simdgroup_event_t* air_copy_1d_to_device(
    ulong element, ulong alignment, device void* target, const threadgroup void* source,
    ulong count) __asm("air.simdgroup_async_copy_1d.p1i8.p3i8");

// Strides are between neighbours in a row: 1.
thread _simdgroup_event_t* air_copy_2d_to_threadgroup(
    ulong element, ulong alignment, threadgroup void* target, ulong target_pitch,
    ulong target_stride, ulong2 target_tile, const device void* source, ulong source_pitch,
    ulong source_stride, ulong2 source_tile, long2 offset_in_source_tile,
    int clamp) __asm("air.simdgroup_async_copy_2d.p3i8.p1i8");

thread _simdgroup_event_t* air_copy_2d_to_device(
    ulong element, ulong alignment, device void* target, ulong target_pitch, ulong target_stride,
    ulong2 target_tile, const threadgroup void* source, ulong source_pitch, ulong source_stride,
    ulong2 source_tile, long2 offset_in_source_tile,
    int clamp) __asm("air.simdgroup_async_copy_2d.p1i8.p3i8");

void air_wait(int count, thread _simdgroup_event_t** events) __asm("air.wait_simdgroup_events");
