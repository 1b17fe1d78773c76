// The gate before emission: only verify() makes a Verified, and only a Verified can be emitted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "enigma/ir.h"
#include "ir/uniformity.h"

namespace enigma {

/// A module that holds all rules of the IR, with what was found out while checking them.
class Verified {
 public:
  const Module& module() const { return *module_; }
  const Uniformity& uniformity() const { return uniformity_; }

 private:
  friend Verified verify(Module m);
  Verified(std::shared_ptr<const Module> m, Uniformity u)
      : module_(std::move(m)), uniformity_(std::move(u)) {}
  std::shared_ptr<const Module> module_;
  Uniformity uniformity_;
};

/// Regions in regions, the kernel's body counted: what recursive passes and emitters can take.
constexpr int kMaxDepth = 200;

/// InternalError, with every rule of the IR that the module breaks; nothing when it is sound.
void check_sound(const Module& m);

/// The same, and Error when the kernel itself is wrong (a barrier that provably not all threads of
/// a threadgroup reach, a loop without an end), at the user's line.
Verified verify(Module m);

/// The broken rules of a module, each with the text of its instruction; empty when it is sound.
std::vector<std::string> broken_rules(const Module& m);

}  // namespace enigma
