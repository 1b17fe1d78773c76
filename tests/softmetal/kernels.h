// Kernels for the tests of the Metal runtime: MSL text, and the same in C++, found by its name.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "enigma/runtime.h"
#include "softmetal.h"

namespace testing {

/// Compiles the kernels below and refuses others.
int compile_by_name(const char* source, const char* function, const softmetal_options* options,
                    softmetal_kernel* kernel, char** messages);

/// out = a * x + y
std::shared_ptr<enigma::Artifact> make_saxpy();
/// x += 1
std::shared_ptr<enigma::Artifact> make_increment();
/// y = x[0], where x may be shorter than y
std::shared_ptr<enigma::Artifact> make_spread();
/// The same as saxpy by another name: another content.
std::shared_ptr<enigma::Artifact> make_variant(int number);
/// A kernel whose pipeline takes only 256 threads.
std::shared_ptr<enigma::Artifact> make_narrow();
/// A kernel that the GPU says has faulted.
std::shared_ptr<enigma::Artifact> make_faulty();
/// A kernel of which shader validation has something to say.
std::shared_ptr<enigma::Artifact> make_validated();

template <class T>
enigma::Binding binding(std::vector<T>& v) {
  return {v.data(), v.size() * sizeof(T), nullptr};
}

/// Floats that begin on a page, or some bytes behind one.
class Pages {
 public:
  explicit Pages(size_t count, size_t offset = 0);
  ~Pages();
  Pages(const Pages&) = delete;
  float& operator[](size_t i) { return data_[i]; }
  float* data() { return data_; }
  size_t size() const { return count_; }
  enigma::Binding binding() { return {data_, count_ * sizeof(float), nullptr}; }

 private:
  void* memory_;
  float* data_;
  size_t count_;
};

/// The message of the Error that f throws, with its place; "" when it throws none.
template <class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const enigma::Error& e) {
    std::string where = e.where().line ? e.where().file + ":" + std::to_string(e.where().line) : "";
    return std::string(e.what()) + (where.empty() ? "" : " @ " + where);
  }
  return "";
}

/// Compiler set, faults cleared, a cache folder of its own; at the end nothing may be alive.
class Lab {
 public:
  Lab();
  ~Lab();
  std::string cache() const { return cache_; }

 private:
  std::string cache_;
};

}  // namespace testing
