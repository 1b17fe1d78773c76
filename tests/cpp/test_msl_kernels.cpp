// Whole kernels: what a reader sees.
#include <doctest/doctest.h>

#include "test_msl.h"

using namespace enigma;

TEST_CASE("saxpy") {
  Kernel k("saxpy");
  ValueId x = k.b.buffer("X", DType::F32), alpha = k.b.scalar("alpha", DType::F32);
  ValueId y = k.b.buffer("Y", DType::F32), out = k.b.buffer("Out", DType::F32);
  ValueId tid = k.at(6).tid();
  k.at(7).b.store(out, tid, k.op("+", {k.op("*", {alpha, k.b.load(x, tid)}), k.b.load(y, tid)}));
  CHECK(k.text() ==
        "#include <metal_stdlib>\n"
        "using namespace metal;\n"
        "#pragma STDC FP_CONTRACT OFF\n"
        "\n"
        "kernel void saxpy(device const float* X [[buffer(0)]],\n"
        "                  constant float& alpha [[buffer(1)]],\n"
        "                  device const float* Y [[buffer(2)]],\n"
        "                  device float* Out [[buffer(3)]],\n"
        "                  uint3 thread_position_in_grid [[thread_position_in_grid]]) {\n"
        "    const uint tid = thread_position_in_grid.x;  // k.py:6\n"
        "    Out[tid] = alpha * X[tid] + Y[tid];  // k.py:7\n"
        "}\n");
}

TEST_CASE("threadgroup memory and barriers") {
  Kernel k("reverse");
  ValueId a = k.b.buffer("A", DType::F32), b = k.b.buffer("B", DType::F32);
  ValueId tid = k.at(3).tid();
  ValueId lid = k.named("lid", k.b.query(Op::ThreadPositionInThreadgroup));
  ValueId size = k.named("bsize", k.b.query(Op::ThreadsPerThreadgroup));
  ValueId shared = k.at(7).named("shared", k.b.threadgroup_alloc(DType::F32, 256));
  ValueId flags = k.at(8).named("flags", k.b.threadgroup_alloc(DType::B1, 8));
  k.b.store(shared, lid, k.b.load(a, tid));
  k.at(9).b.store(flags, number(0), Literal{true});
  k.at(10).b.barrier(Op::Barrier, kMemThreadgroup | kMemDevice);
  k.b.barrier(Op::SimdBarrier, kMemNone);
  ValueId from = k.at(11).op("-", {k.op("-", {size, lid}), number(1)});
  k.b.begin_if(k.b.load(flags, number(0)));
  k.b.store(b, tid, k.b.load(shared, from));
  k.b.end_if({}, {});
  CHECK(k.body() ==
        "    threadgroup float shared[256];  // k.py:7\n"
        "    threadgroup uchar flags[8];  // k.py:8\n"
        "    const uint tid = thread_position_in_grid.x;  // k.py:3\n"
        "    const uint lid = thread_position_in_threadgroup.x;\n"
        "    const uint bsize = threads_per_threadgroup.x;\n"
        "    shared[lid] = A[tid];  // k.py:8\n"
        "    flags[0] = uchar(true);  // k.py:9\n"
        "    threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);  // k.py:10\n"
        "    simdgroup_barrier(mem_flags::mem_none);\n"
        "    if (flags[0] != 0) {  // k.py:11\n"
        "        B[tid] = shared[bsize - lid - 1u];\n"
        "    }\n");
}

TEST_CASE("a load does not pass a store, a barrier or an atomic") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::F32), b = k.b.buffer("B", DType::F32);
  ValueId tid = k.tid();
  ValueId old = k.b.load(a, tid);
  k.b.store(b, tid, real(1));
  k.b.store(a, tid, k.op("+", {old, k.b.load(b, tid)}));
  CHECK(k.body() ==
        "    const uint tid = thread_position_in_grid.x;\n"
        "    const float A_value = A[tid];\n"
        "    B[tid] = 1.0f;\n"
        "    A[tid] = A_value + B[tid];\n");
}

TEST_CASE("masked loads read nothing where the mask does not hold") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::F16), m = k.b.buffer("M", DType::B1),
          out = k.b.buffer("Out", DType::F16);
  ValueId n = k.b.scalar("n", DType::U32);
  ValueId tid = k.tid();
  ValueId mask = k.named("mask", k.op("cmp_lt", {tid, n}));
  ValueId x = k.named("x", k.b.load_if(a, tid, mask, real(0.5)));
  ValueId y = k.b.load_if(m, tid, k.op("cmp_ne", {tid, n}), Literal{true});
  k.b.store_if(out, tid, x, k.op("&", {mask, y}));
  CHECK(k.body() ==
        "    const uint tid = thread_position_in_grid.x;\n"
        "    const bool mask = tid < n;\n"
        "    const half x = mask ? A[tid] : 0.5h;\n"
        "    if (mask && (tid != n ? M[tid] != 0 : true)) {\n"
        "        Out[tid] = x;\n"
        "    }\n");
}

TEST_CASE("atomics: the buffer is atomic when nothing else uses it, and cast at use otherwise") {
  Kernel k;
  ValueId h = k.b.buffer("H", DType::U32), c = k.b.buffer("C", DType::I32),
          out = k.b.buffer("Out", DType::B1);
  ValueId tid = k.tid();
  std::vector<Operand> values{number(1)};
  k.b.atomic(Op::AtomicAdd, h, tid, values);
  ValueId shared = k.named("shared", k.b.threadgroup_alloc(DType::U32, 4));
  k.b.store(shared, number(0), number(0));
  ValueId old = k.named("old", *k.b.atomic(Op::AtomicMax, shared, number(0), values));
  k.b.store(c, number(1), k.b.cast(old, DType::I32));
  std::vector<Operand> pair{number(-1), number(2)};
  k.b.store(out, tid, *k.b.atomic(Op::AtomicCas, c, tid, pair, MemoryOrder::Acquire));
  MslCode code = k.code();
  CHECK(code.version == 320);  // for the fence
  CHECK(code.text.find("kernel void k(coherent(device) device atomic_uint* H [[buffer(0)]],\n"
                       "              coherent(device) device int* C [[buffer(1)]],\n") !=
        std::string::npos);
  CHECK(code.text.substr(code.text.find(" {\n") + 3) ==
        "    threadgroup uint shared[4];\n"
        "    const uint tid = thread_position_in_grid.x;\n"
        "    atomic_fetch_add_explicit(&H[tid], 1u, memory_order_relaxed);\n"
        "    shared[0] = 0u;\n"
        "    const uint old = atomic_fetch_max_explicit((threadgroup atomic_uint*)&shared[0], 1u, "
        "memory_order_relaxed);\n"
        "    C[1] = int(old);\n"
        "    int expected = -1;\n"
        "    const bool exchanged = atomic_compare_exchange_weak_explicit("
        "(coherent(device) device atomic_int*)&C[tid], &expected, 2, memory_order_relaxed, "
        "memory_order_relaxed);\n"
        "    atomic_thread_fence(mem_flags::mem_device | mem_flags::mem_threadgroup, "
        "memory_order_seq_cst, thread_scope_device);\n"
        "    Out[tid] = uchar(exchanged);\n"
        "}\n");
}

TEST_CASE("atomics of float: Metal's own where it has them, on the bits elsewhere") {
  Kernel k;
  ValueId x = k.b.buffer("X", DType::F32), y = k.b.buffer("Y", DType::F32);
  ValueId shared = k.named("shared", k.b.threadgroup_alloc(DType::F32, 4));
  std::vector<Operand> one{number(1.0)}, pair{number(0.0), number(1.0)};
  auto all = [&](ValueId memory) {
    k.b.atomic(Op::AtomicStore, memory, number(0), one);
    k.b.atomic(Op::AtomicAdd, memory, number(0), one);
    k.b.atomic(Op::AtomicMin, memory, number(1), one);
    k.b.atomic(Op::AtomicCas, memory, number(2), pair);
  };
  all(x);
  all(shared);
  k.b.store(y, number(0), *k.b.atomic(Op::AtomicLoad, shared, number(0), {}));
  MslCode code = k.code();
  CHECK(code.version == 310);
  CHECK(code.text.find("inline float enigma_atomic_fetch_min_device(device atomic_uint* object, "
                       "float x) {\n") != std::string::npos);
  CHECK(code.text.find("inline float enigma_atomic_fetch_min_threadgroup(threadgroup atomic_uint* "
                       "object, float x) {\n") != std::string::npos);
  CHECK(code.text.find("enigma_atomic_fetch_add_device") == std::string::npos);
  CHECK(code.text.find("kernel void k(device atomic_float* X [[buffer(0)]],\n") !=
        std::string::npos);
  CHECK(code.text.substr(code.text.find("    threadgroup float")) ==
        "    threadgroup float shared[4];\n"
        "    atomic_store_explicit(&X[0], 1.0f, memory_order_relaxed);\n"
        "    atomic_fetch_add_explicit(&X[0], 1.0f, memory_order_relaxed);\n"
        "    enigma_atomic_fetch_min_device((device atomic_uint*)&X[1], 1.0f);\n"
        "    uint expected = as_type<uint>(0.0f);\n"
        "    atomic_compare_exchange_weak_explicit((device atomic_uint*)&X[2], &expected, "
        "as_type<uint>(1.0f), memory_order_relaxed, memory_order_relaxed);\n"
        "    atomic_store_explicit((threadgroup atomic_uint*)&shared[0], as_type<uint>(1.0f), "
        "memory_order_relaxed);\n"
        "    enigma_atomic_fetch_add_threadgroup((threadgroup atomic_uint*)&shared[0], 1.0f);\n"
        "    enigma_atomic_fetch_min_threadgroup((threadgroup atomic_uint*)&shared[1], 1.0f);\n"
        "    uint expected_1 = as_type<uint>(0.0f);\n"
        "    atomic_compare_exchange_weak_explicit((threadgroup atomic_uint*)&shared[2], "
        "&expected_1, as_type<uint>(1.0f), memory_order_relaxed, memory_order_relaxed);\n"
        "    const float shared_value = as_type<float>(atomic_load_explicit((threadgroup "
        "atomic_uint*)&shared[0], memory_order_relaxed));\n"
        "    Y[0] = shared_value;\n"
        "}\n");
}

TEST_CASE("orders are fences on the sides that need them") {
  auto text = [](Op op, AddressSpace space, MemoryOrder order) {
    Kernel k;
    ValueId x = k.b.buffer("X", DType::U32);
    if (space == AddressSpace::Threadgroup) x = k.b.threadgroup_alloc(DType::U32, 4);
    std::vector<Operand> one{number(1)};
    k.b.atomic(op, x, number(0), op == Op::AtomicLoad ? Operands{} : Operands{one}, order);
    std::string t = k.code().text, out;
    for (size_t at = 0; (at = t.find("atomic_", at)) != std::string::npos; ++at) {
      if (t.compare(at, 19, "atomic_thread_fence") == 0) {
        out += t.find("thread_scope_device", at) < t.find('\n', at) ? "D" : "G";
      } else if (t.find("_explicit(", at) < t.find('\n', at)) {
        out += "a";
        at = t.find('\n', at);
      }
    }
    return out;
  };
  constexpr auto kDevice = AddressSpace::Device, kGroup = AddressSpace::Threadgroup;
  CHECK(text(Op::AtomicLoad, kDevice, MemoryOrder::Acquire) == "aD");
  CHECK(text(Op::AtomicStore, kDevice, MemoryOrder::Release) == "Da");
  CHECK(text(Op::AtomicAdd, kDevice, MemoryOrder::Relaxed) == "a");
  CHECK(text(Op::AtomicAdd, kDevice, MemoryOrder::AcqRel) == "DaD");
  CHECK(text(Op::AtomicAdd, kGroup, MemoryOrder::SeqCst) == "GaG");
  CHECK(text(Op::AtomicLoad, kGroup, MemoryOrder::SeqCst) == "GaG");
}

TEST_CASE("operations across lanes are statements of their own") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::F32), l = k.b.buffer("L", DType::I64),
          h = k.b.buffer("H", DType::BF16);
  ValueId tid = k.tid();
  ValueId sum = k.op("simd_sum", {k.b.load(a, tid)});
  k.b.store(a, tid, k.op("where", {real(0), sum, k.op("cmp_lt", {tid, number(4)})}));
  k.b.store(l, tid, k.op("simd_shuffle_xor", {k.b.load(l, tid), number(1)}));
  k.b.store(h, tid, k.op("simd_max", {k.b.load(h, tid)}));
  CHECK(k.body() ==
        "    const uint tid = thread_position_in_grid.x;\n"
        "    const float lane_sum = simd_sum(A[tid]);\n"
        "    A[tid] = tid < 4u ? lane_sum : 0.0f;\n"
        "    const long lane_shuffle_xor = as_type<long>(simd_shuffle_xor(as_type<uint2>(L[tid]), "
        "1u));\n"
        "    L[tid] = lane_shuffle_xor;\n"
        "    const bfloat lane_max = bfloat(enigma_simd_max(float(H[tid])));\n"
        "    H[tid] = lane_max;\n");
}

TEST_CASE("bfloat goes through float, half where it lacks a function") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::BF16), h = k.b.buffer("H", DType::F16);
  k.b.store(a, number(0), k.op("fmax", {k.op("exp", {k.b.load(a, number(0))}), real(0.1)}));
  k.b.store(h, number(0), k.op("tanh", {k.op("sqrt", {k.b.load(h, number(0))})}));
  k.b.store(h, number(1), k.op("erf", {k.b.load(h, number(1))}));
  CHECK(k.body() ==
        "    A[0] = bfloat(fmax(float(bfloat(exp(float(A[0])))), 0.100097656f));\n"
        "    H[0] = half(tanh(float(sqrt(H[0]))));\n"
        "    H[1] = half(enigma_erf(float(H[1])));\n");
}

TEST_CASE("only the functions that are called, once each") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::I32), b = k.b.buffer("B", DType::F32);
  k.b.store(a, number(0), k.op("%", {k.op("%", {k.b.load(a, number(0)), number(-3)}), number(-5)}));
  k.b.store(b, number(0), k.op("%", {k.b.load(b, number(0)), real(2)}));
  std::string text = k.text();
  auto count = [&](std::string_view what) {
    int n = 0;
    for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
    return n;
  };
  CHECK(count("inline ") == 2);
  CHECK(count("inline int enigma_floormod(int a, int b) {") == 1);
  CHECK(count("inline float enigma_floormod(float a, float b) {") == 1);
}

TEST_CASE("the pragma stands where a product is added, and not in fast math") {
  auto kernel = [](bool fast, std::string_view name) {
    Kernel k;
    ValueId a = k.b.buffer("A", DType::F32);
    ValueId x = k.b.load(a, number(0));
    k.b.store(a, number(0), k.op(name, {k.op("*", {x, x}), x}));
    return k.code(fast).text;
  };
  CHECK(kernel(false, "+").find("#pragma STDC FP_CONTRACT OFF\n") != std::string::npos);
  CHECK(kernel(true, "+").find("#pragma") == std::string::npos);
  CHECK(kernel(false, "/").find("#pragma") == std::string::npos);
}

TEST_CASE("comments cannot be broken by a file's name") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::F32);
  k.b.set_location("/x/<cell\n1>\\", 3);
  k.b.store(a, number(0), real(1));
  CHECK(k.body() == "    A[0] = 1.0f;  // <cell?1>?:3\n");
}
