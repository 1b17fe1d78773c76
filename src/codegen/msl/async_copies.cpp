// AIR's own asynchronous copies, and what must be done for a GPU not to hang on one.
#include "codegen/msl/writer.h"

namespace enigma::msl {

// AIR's own copy. Its event is kept in an array, of which the value is the index: a pointer cannot
// be carried by loops as numbers can. What it brings into threadgroup memory must be read, or a GPU
// may hang: the wait reads it.
void Writer::async_copy(const Instruction& inst) {
  const auto& x = inst.operands;
  const DType t = dtype(x[0]);
  const bool to_device = m_.type(x[0]).space() == AddressSpace::Device;
  const bool is_line = m_.constant(x[7]) == uint64_t{1};
  auto place = [&](size_t k) {
    return concat("&", frags_[x[k].index].text, "[", index_of(x[k + 1]).text, "]");
  };
  auto wide = [&](size_t k) { return concat("ulong(", exact(x[k]).text, ")"); };
  const int size = byte_size(t);
  std::string call =
      concat("air_copy_", is_line ? "1d" : "2d", to_device ? "_to_device(" : "_to_threadgroup(",
             size, ", ", size, ", ", place(0), ", ");
  if (is_line) {
    call += concat(place(3), ", ", wide(6), ")");
  } else {
    const std::string tile = concat("ulong2(", wide(6), ", ", wide(7), ")");
    call += concat(wide(2), ", 1, ", tile, ", ", place(3), ", ", wide(5), ", 1, ", tile,
                   ", long2(0, 0), 0)");
  }
  settle_loads();
  Frag event = literal(DType::U32, copies_++);
  event.atom = true;
  line(concat(events_, "[", event.text, "] = ", call, ";"));
  if (!to_device) {
    line(concat(brought_, "[", event.text, "] = (threadgroup volatile uchar*)", place(0), ";"));
  }
  frags_[inst.results[0].index] = std::move(event);
}

// Waiting again for a copy that has ended does nothing.
void Writer::async_wait(const Instruction& inst) {
  settle_loads();
  const std::string index = concat("[", atom(inst.operands[0]).text, "]");
  line(concat("if (", events_, index, ") {"));
  line(concat("    air_wait(1, &", events_, index, ");"));
  line(concat("    ", events_, index, " = nullptr;"));
  line("    simdgroup_barrier(mem_flags::mem_threadgroup);");
  line(concat("    if (", brought_, index, ") (void)*", brought_, index, ";"));
  line("}");
}

void Writer::events() {
  size_t copies = 0;
  for (size_t i = 0; i < m_.insts.size(); ++i) {
    copies += uses_.live[i] && m_.insts[i].op == Op::AsyncCopy;
  }
  if (!copies) return;
  events_ = names_.declare("events");
  line(concat("thread _simdgroup_event_t* ", events_, "[", copies, "] = {};"));
  brought_ = names_.declare("brought");
  line(concat("threadgroup volatile uchar* ", brought_, "[", copies, "] = {};"));
}

}  // namespace enigma::msl
