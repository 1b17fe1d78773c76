// Kernels of the CPU ABI written in C, and the system's compiler to make objects of them at test
// time.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "enigma/artifact.h"
#include "support/cpu_abi.h"

namespace enigma::testing {

#if defined(__APPLE__)
inline const std::string kHostFlags = "-target aarch64-none-elf ";
#elif defined(__aarch64__)
inline const std::string kHostFlags = "-mno-outline-atomics ";  // else calls into libgcc
#else
inline const std::string kHostFlags = "";
#endif

/// The object file that `cc -c -O2` makes of C text.
inline std::string compile_c(const std::string& source, const std::string& flags = "-fPIC") {
  static std::mutex mutex;
  static std::map<std::pair<std::string, std::string>, std::string> done;
  std::lock_guard lock(mutex);
  std::string& object = done[{source, flags}];
  if (!object.empty()) return object;
  auto directory = std::filesystem::temp_directory_path() / "enigma-test-XXXXXX";
  std::string name = directory.string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no temporary directory");
  std::ofstream(name + "/k.c") << source;
  std::string command = "cc -c -O2 -w -fno-stack-protector " + kHostFlags + flags + " " + name +
                        "/k.c -o " + name + "/k.o";
  int status = std::system(command.c_str());
  std::ifstream in(name + "/k.o", std::ios::binary);
  object.assign(std::istreambuf_iterator<char>(in), {});
  std::filesystem::remove_all(name);
  if (status != 0 || object.empty()) throw std::runtime_error("the C compiler failed");
  return object;
}

/// What each kernel text begins with: the words of cpu_abi.h, and a way to report a fault.
inline const std::string kKernelPrelude = R"(
typedef unsigned long long u64; typedef long long i64; typedef unsigned u32;
struct Fault { u32 kind, claimed, location, param; i64 index, size; u32 thread[3]; };
static void fail(const u64* args, u32 kind, u32 location, u32 param, i64 index, i64 size, u32 x) {
  struct Fault* f = (struct Fault*)args[6];
  if (__atomic_exchange_n(&f->claimed, 1, __ATOMIC_ACQ_REL)) return;
  f->location = location; f->param = param; f->index = index; f->size = size;
  f->thread[0] = x; f->thread[1] = 0; f->thread[2] = 0;
  __atomic_store_n(&f->kind, kind, __ATOMIC_RELEASE);
}
)";

/// saxpy(a: Scalar f32, X, Y, Out: f32) in one dimension; every access is checked.
inline const std::string kSaxpy = kKernelPrelude + R"(
void saxpy(const u64* args, i64 begin, i64 end, void* scratch) {
  float a = *(const float*)&args[7];
  const float *X = (const float*)args[9], *Y = (const float*)args[11];
  float* Out = (float*)args[13];
  if ((u64)scratch % 64) { fail(args, 99, 0, 0, 0, 0, 0); return; }
  for (i64 i = begin * THREADS; i < end * THREADS && i < (i64)args[0]; ++i) {
    if (i >= (i64)args[14]) { fail(args, 1, 1, 3, i, args[14], i); return; }
    if (i < (i64)args[10] && i < (i64)args[12]) Out[i] = a * X[i] + Y[i];
  }
}
)";

inline std::shared_ptr<Artifact> make_saxpy() {
  auto artifact = std::make_shared<Artifact>();
  artifact->kernel_name = "saxpy";
  artifact->params = {{"a", 0, DType::F32, true, true, false},
                      {"X", 1, DType::F32, false, true, false},
                      {"Y", 2, DType::F32, false, true, false},
                      {"Out", 3, DType::F32, false, false, true}};
  artifact->locations = {{"kernels.py", 11}, {"kernels.py", 12}};
  artifact->cpu = [](const std::string&, const CpuVariant& v) {
    return CpuCode{"#define THREADS " + std::to_string(v.threads.x) + "\n" + kSaxpy, "saxpy", 100};
  };
  return artifact;
}

}  // namespace enigma::testing
