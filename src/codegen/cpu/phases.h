// Where each instruction of a kernel runs: once per threadgroup, or in a phase, which is a loop
// over the threadgroup's SIMD-groups between two barriers.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/cpu/homes.h"
#include "codegen/cpu/lanes.h"
#include "ir/verify.h"

namespace enigma::cpu {

/// Memory in the worker's scratch for a value that one phase makes and another uses.
struct Slot {
  enum Kind : uint8_t {
    None,
    Once,     ///< one for the threadgroup
    PerSimd,  ///< one for each SIMD-group: a uniform value, or the base of a linear one
    PerLane,  ///< 32 for each SIMD-group
    Home,     ///< of a matrix, among the homes of each SIMD-group; the offset is its number
  } kind = None;
  uint32_t offset = 0;  ///< in scratch; the components of a vector follow each other
  uint32_t pitch = 0;   ///< bytes from one component to the next
};

struct Copy {
  ValueId from, to;  ///< `to` has a slot
};

struct Phase {
  std::vector<InstId> scalars;   ///< run once, before the loop over SIMD-groups
  std::vector<InstId> insts;     ///< run for each SIMD-group
  std::vector<Copy> copies;      ///< then these, all read before any is written
  std::vector<ValueId> imports;  ///< values of other phases, in an order in which they can be had
  /// Set when the phase only finds out whether all threads agree on the control of this.
  InstId agree;
};

/// What a threadgroup does, one after the other.
struct Step {
  enum Kind : uint8_t { RunPhase, Construct } kind;
  uint32_t index;  ///< of the phase, or of the instruction that contains a barrier
};

struct Plan {
  std::vector<Phase> phases;
  std::vector<std::vector<Step>> steps;  ///< by region; empty for regions inside a phase
  std::vector<bool> at_group;            ///< by value: a scalar that is there for all phases
  std::vector<Slot> slots;               ///< by value
  std::vector<InstId> index_of;          ///< by value: the loop whose index it is, if the index
                                         ///< differs between threads though their trips agree
  uint32_t homes = 0;                    ///< where those of the first SIMD-group begin
  uint32_t homes_bytes = 0;              ///< of one SIMD-group
  uint32_t scratch_end = 0;
};

/// `scratch_begin` is the first free byte of scratch. A matrix that stays in its home is not
/// copied.
Plan plan_phases(const Verified& kernel, const GroupShape& shape,
                 const std::vector<LaneForm>& forms, const Homes& homes, uint32_t scratch_begin);

}  // namespace enigma::cpu
