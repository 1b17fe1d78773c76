// Atomic operations, each row as a function and as a method of TracingTensor.
#include <string>
#include <type_traits>
#include <utility>

#include "trace.h"

namespace enigma {
namespace {

MemoryOrder memory_order(Trace& trace, nb::handle order) {
  constexpr std::pair<const char*, MemoryOrder> kOrders[] = {
      {"relaxed", MemoryOrder::Relaxed}, {"acquire", MemoryOrder::Acquire},
      {"release", MemoryOrder::Release}, {"acq_rel", MemoryOrder::AcqRel},
      {"seq_cst", MemoryOrder::SeqCst},
  };
  if (PyUnicode_Check(order.ptr())) {
    std::string_view name = nb::cast<std::string_view>(order);
    for (const auto& [known, value] : kOrders) {
      if (name == known) return value;
    }
  }
  throw Error("unknown memory order " + describe(order) +
                  ": it is one of relaxed, acquire, release, acq_rel and seq_cst",
              trace.builder.location());
}

/// The order that was given, under one of its two names.
MemoryOrder chosen(Trace& trace, const OpInfo& row, nb::handle order, nb::handle other) {
  const MemoryOrder first = memory_order(trace, order);
  if (other.is_none()) return first;
  if (first != MemoryOrder::Relaxed) {
    throw Error(std::string(row.python) + " takes its order once, and memory_order= is another " +
                    "name of it; write one of them",
                trace.builder.location());
  }
  return memory_order(trace, other);
}

/// C++'s rule: an exchange that fails writes nothing to release, and orders no more than one that
/// succeeds. So the order of success says all.
void check_failure(Trace& trace, const OpInfo& row, MemoryOrder success, nb::handle failure) {
  const MemoryOrder order = memory_order(trace, failure);
  const char* wrong = nullptr;
  if (order == MemoryOrder::Release || order == MemoryOrder::AcqRel) {
    wrong = ": a failed exchange releases nothing; it is one of relaxed, acquire and seq_cst";
  } else if ((order == MemoryOrder::SeqCst && success != MemoryOrder::SeqCst) ||
             (order == MemoryOrder::Acquire &&
              (success == MemoryOrder::Relaxed || success == MemoryOrder::Release))) {
    wrong = ", which is stronger than its success_order; make that as strong";
  }
  if (wrong) {
    throw Error(std::string(row.python) + " cannot have the failure_order '" +
                    nb::cast<std::string>(failure) + "'" + wrong,
                trace.builder.location());
  }
}

nb::object apply(Trace& trace, const OpInfo& row, nb::handle memory, nb::handle index,
                 std::initializer_list<nb::handle> values, MemoryOrder order) {
  Place at = place(trace, memory, index, row.python);
  if (at.exists) {
    throw Error(std::string(row.python) +
                    ": the tensor's tiles reach beyond its end, so that this element may not "
                    "exist; use memory that its tiles divide",
                trace.builder.location());
  }
  std::vector<Operand> operands;
  for (nb::handle v : values) operands.push_back(operand(trace, v, row.python));
  std::optional<ValueId> result =
      trace.builder.atomic(row.op, at.memory, at.index, operands, order);
  return result ? value_object(trace, *result) : nb::none();
}

/// Defines a row in the module, or in the class with the memory as self.
template <class Scope, class F, class... Args>
void define(Scope& scope, const OpInfo& row, F f, const std::string& values, const char* orders,
            const Args&... args) {
  constexpr bool is_function = std::is_same_v<Scope, nb::module_>;
  std::string sig = std::string("def ") + row.python +
                    (is_function ? "(buf: TracingTensor" : "(self") +
                    ", index: IRValue | int | tuple[IRValue | int, ...]" + values + orders +
                    ") -> " + (row.result == '-' ? "None" : "IRValue");
  if constexpr (is_function) {
    scope.def(row.python, f, nb::arg("buf").none(), nb::arg("index").none(), args...,
              nb::sig(sig.c_str()), docstring(row).c_str());
  } else {
    scope.def(row.python, f, nb::arg("index").none(), args..., nb::sig(sig.c_str()),
              docstring(row).c_str());
  }
}

template <class Scope>
void bind_row(Scope& scope, const OpInfo& row) {
  using H = nb::handle;
  const char* const kValue = ": " ENIGMA_VALUE;
  const char* const kOrder = ", order: str = 'relaxed', memory_order: str | None = None";
  const auto order = nb::arg("order").none() = "relaxed";
  const auto other = nb::arg("memory_order") = nb::none();
  switch (row.operands.size()) {
    case 2:
      define(
          scope, row,
          [&row](H self, H index, H o, H other) {
            Trace& trace = Trace::here(row.python);
            return apply(trace, row, self, index, {}, chosen(trace, row, o, other));
          },
          "", kOrder, order, other);
      break;
    case 3:
      define(
          scope, row,
          [&row](H self, H index, H value, H o, H other) {
            Trace& trace = Trace::here(row.python);
            return apply(trace, row, self, index, {value}, chosen(trace, row, o, other));
          },
          std::string(", value") + kValue, kOrder, nb::arg("value").none(), order, other);
      break;
    case 4:
      define(
          scope, row,
          [&row](H self, H index, H expected, H desired, H success, H failure, H other) {
            Trace& trace = Trace::here(row.python);
            const MemoryOrder order = chosen(trace, row, success, other);
            check_failure(trace, row, order, failure);
            return apply(trace, row, self, index, {expected, desired}, order);
          },
          std::string(", expected") + kValue + ", desired" + kValue,
          ", success_order: str = 'relaxed', failure_order: str = 'relaxed', "
          "memory_order: str | None = None",
          nb::arg("expected").none(), nb::arg("desired").none(),
          nb::arg("success_order").none() = "relaxed", nb::arg("failure_order").none() = "relaxed",
          other);
      break;
    default:
      throw InternalError(std::string("no binding for atomics of the form of ") + row.name);
  }
}

}  // namespace

void bind_atomics(nb::module_& m) {
  auto methods = nb::borrow<nb::class_<TracingTensor>>(nb::type<TracingTensor>());
  for (const OpInfo& row : all_ops()) {
    if (row.shape != Shape::Atomic) continue;
    bind_row(m, row);
    bind_row(methods, row);
  }
}

}  // namespace enigma
