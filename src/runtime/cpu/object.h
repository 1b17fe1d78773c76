// A relocatable ELF object in executable memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

namespace enigma::cpu {

/// Machine code loaded from the bytes of an ELF object, for as long as this lives. Memory is never
/// writable and executable at once.
class Object {
 public:
  /// Error when the bytes are damaged or not for this machine: every offset in them is checked.
  /// InternalError for a symbol that the object expects from elsewhere and that kernels may not
  /// use.
  explicit Object(std::string_view elf);
  ~Object();
  Object(Object&& other) noexcept;
  Object& operator=(Object&&) = delete;

  /// Address of a global function or variable; nullptr when there is none of this name.
  void* find(const std::string& symbol) const;

 private:
  void* memory_ = nullptr;
  size_t bytes_ = 0;
  std::unordered_map<std::string, void*> symbols_;
};

}  // namespace enigma::cpu
