// The kernels' C++, and what every test sets up and checks at its end.

#include "kernels.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace testing {

using enigma::Artifact;
using enigma::DType;

namespace {

size_t threads_of(const softmetal_launch* l) {
  return size_t{l->grid[0]} * l->grid[1] * l->grid[2];
}
float* floats(const softmetal_launch* l, int index) {
  return static_cast<float*>(l->bindings[index].data);
}

softmetal_fault saxpy(void*, const softmetal_launch* l) {
  const float a = *floats(l, 0);
  for (size_t i = 0; i < threads_of(l); ++i) {
    floats(l, 3)[i] = a * floats(l, 1)[i] + floats(l, 2)[i];
  }
  return {};
}
softmetal_fault increment(void*, const softmetal_launch* l) {
  for (size_t i = 0; i < threads_of(l); ++i) floats(l, 0)[i] += 1;
  return {};
}
softmetal_fault spread(void*, const softmetal_launch* l) {
  for (size_t i = 0; i < threads_of(l); ++i) floats(l, 1)[i] = floats(l, 0)[0];
  return {};
}
softmetal_fault faulty(void*, const softmetal_launch*) {
  return {strdup("faulty: A[9] is out of bounds (A has 4 elements)"), SOFTMETAL_PAGE_FAULT, 6};
}
softmetal_fault validated(void*, const softmetal_launch*) { return {strdup("A[9] is read"), 0, 6}; }

std::shared_ptr<Artifact> artifact(const std::string& name, const std::string& parameters,
                                   const std::string& body) {
  auto a = std::make_shared<Artifact>();
  a->kernel_name = a->msl_name = name;
  a->msl = "#include <metal_stdlib>\nusing namespace metal;\n\nkernel void " + name + "(" +
           parameters + ",\n    uint3 gid [[thread_position_in_grid]]) {\n    " + body +
           "  // kernels.py:12\n}\n";
  a->locations = {{"dir/kernels.py", 12}};
  return a;
}

std::shared_ptr<Artifact> saxpy_named(const std::string& name) {
  auto a = artifact(name,
                    "constant float& a [[buffer(0)]], device const float* x [[buffer(1)]], device "
                    "const float* y [[buffer(2)]], device float* out [[buffer(3)]]",
                    "out[gid.x] = a * x[gid.x] + y[gid.x];");
  a->params = {{"a", 0, DType::F32, true, true, false},
               {"x", 1, DType::F32, false, true, false},
               {"y", 2, DType::F32, false, true, false},
               {"out", 3, DType::F32, false, false, true}};
  a->bounds = {{3, 0, {{1, {enigma::IndexTerm::kPositionX}}}}};
  return a;
}

}  // namespace

int compile_by_name(const char*, const char* function, const softmetal_options*,
                    softmetal_kernel* kernel, char** messages) {
  std::string name = function;
  if (name.rfind("saxpy", 0) == 0) kernel->run = saxpy;
  if (name == "increment") kernel->run = increment;
  if (name == "spread") kernel->run = spread;
  if (name == "faulty") kernel->run = faulty;
  if (name == "validated") kernel->run = validated;
  if (name == "narrow") kernel->run = increment, kernel->max_threads = 256;
  if (kernel->run) return 0;
  *messages = strdup("program_source:4:13: error: unknown kernel\n");
  return 1;
}

std::shared_ptr<Artifact> make_saxpy() { return saxpy_named("saxpy"); }
std::shared_ptr<Artifact> make_variant(int number) {
  return saxpy_named("saxpy" + std::to_string(number));
}
static std::shared_ptr<Artifact> in_place(const char* name) {
  auto a = artifact(name, "device float* A [[buffer(0)]]", "A[gid.x] += 1;");
  a->params = {{"A", 0, DType::F32, false, true, true}};
  return a;
}
std::shared_ptr<Artifact> make_increment() { return in_place("increment"); }
std::shared_ptr<Artifact> make_narrow() { return in_place("narrow"); }
std::shared_ptr<Artifact> make_faulty() { return in_place("faulty"); }
std::shared_ptr<Artifact> make_validated() { return in_place("validated"); }
std::shared_ptr<Artifact> make_spread() {
  auto a = artifact("spread", "device const float* x [[buffer(0)]], device float* y [[buffer(1)]]",
                    "y[gid.x] = x[0];");
  a->params = {{"x", 0, DType::F32, false, true, false}, {"y", 1, DType::F32, false, false, true}};
  return a;
}

Pages::Pages(size_t count, size_t offset) : count_(count) {
  const auto page = static_cast<size_t>(getpagesize());
  size_t bytes = (count * sizeof(float) + offset + page - 1) / page * page;
  memory_ = std::aligned_alloc(page, bytes);
  data_ = reinterpret_cast<float*>(static_cast<char*>(memory_) + offset);
  std::fill(data_, data_ + count, 0.0f);
}
Pages::~Pages() { std::free(memory_); }

Lab::Lab() {
  char name[] = "/tmp/enigma-softmetal-XXXXXX";
  cache_ = mkdtemp(name);
  setenv("ENIGMA_CACHE_DIR", cache_.c_str(), 1);
  softmetal_set_kernel_compiler(compile_by_name);
  softmetal_clear_faults();
  softmetal_set_os(15, 0);
  softmetal_set_family(9);
}

Lab::~Lab() {
  softmetal_hold(0);
  std::filesystem::remove_all(cache_);
  char* alive = softmetal_describe_live_objects();
  CHECK(std::string(alive) == "");
  std::free(alive);
}

}  // namespace testing
