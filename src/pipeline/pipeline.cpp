// The ring: one allocation, and slots counted modulo the stages.

#include "enigma/pipeline.h"

#include "enigma/limits.h"
#include "ir/literal.h"
#include "ir/signature.h"
#include "support/text.h"

namespace enigma {
namespace {

template <class... Ts>
[[noreturn]] void fail(const Builder& b, const Ts&... pieces) {
  throw Error(concat("pipeline: ", pieces...), b.location());
}

bool is_power_of_two(int64_t n) { return (n & (n - 1)) == 0; }

}  // namespace

Pipeline::Pipeline(Builder& b, DType dtype, int64_t size, int64_t stages)
    : builder_(&b), size_(size), stages_(stages) {
  if (stages < 2) {
    fail(b, "stages is ", stages, ": it must be at least 2, one tile to use and one to fill");
  }
  if (size < 1) fail(b, "size is ", size, ": it must be at least 1");
  const int64_t bytes = byte_size(dtype),
                used = static_cast<int64_t>(threadgroup_bytes(b.module()));
  const int64_t most = (kThreadgroupBytes - used) / bytes;
  if (size > most || stages > most / size) {
    const bool far = size > INT32_MAX || stages > INT32_MAX;
    fail(b, stages, " stages x ", size, " x ", info(dtype).mnemonic, " need ",
         far ? std::string("far more") : concat(stages * size * bytes),
         " bytes; threadgroup memory is limited to ", kThreadgroupBytes, " bytes",
         used ? concat(", of which ", used, " are allocated already") : "",
         "; use fewer stages or smaller tiles");
  }
  memory_ = b.threadgroup_alloc(dtype, size * stages);
}

std::optional<int64_t> Pipeline::number(const Operand& slot) const {
  const Literal* l = std::get_if<Literal>(&slot);
  if (!l) return std::nullopt;
  const auto* known = std::get_if<int64_t>(l);
  if (known && *known >= 0 && *known < stages_) return *known;
  fail(*builder_, "the slot ", to_string(*l), " is none of the ", stages_, ", which are 0 to ",
       stages_ - 1);
}

// (slot + by) modulo the stages, for 0 < by < stages.
Operand Pipeline::wrapped(Operand slot, int64_t by) const {
  if (const auto known = number(slot)) return (*known + by) % stages_;
  Builder& b = *builder_;
  if (stages_ == 2) return b.apply("-", {1, slot});
  const ValueId sum = b.apply("+", {slot, by});
  if (is_power_of_two(stages_)) return b.apply("&", {sum, stages_ - 1});
  const ValueId inside = b.apply("cmp_lt", {sum, stages_});
  return b.apply("where", {by == 1 ? Operand(0) : b.apply("-", {sum, stages_}), sum, inside});
}

Operand Pipeline::next(Operand slot) const { return wrapped(slot, 1); }

Operand Pipeline::offset(Operand slot, int64_t stage) const {
  if (stage < 0 || stage >= stages_) {
    fail(*builder_, "there is no stage ", stage, ": the ", stages_, " stages are 0 to ",
         stages_ - 1);
  }
  Operand at = stage ? wrapped(slot, stage) : slot;
  if (const auto known = number(at)) return *known * size_;
  return size_ == 1 ? at : builder_->apply("*", {at, size_});
}

}  // namespace enigma
