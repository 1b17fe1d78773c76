// Stores that go past the caches, for outputs that are larger than those: a line that nobody reads
// again need not be fetched before it is written, and puts no other out.
#include "codegen/cpu/body.h"

namespace enigma::cpu {

// The instruction takes no less, and every array of numpy's begins on such an address.
constexpr int kStreamAlign = 16;

// Memory that one store writes and nothing reads, at an index that is another one in each turn of
// its loop: then each element is likely to be written once.
std::vector<bool> streamed_memories(const Module& m) {
  constexpr int kMany = 2;
  std::vector<int> uses(m.values.size());
  std::vector<RegionId> home(m.insts.size());
  for (uint32_t r = 0; r < m.regions.size(); ++r) {
    for (InstId i : m.regions[r].insts) home[i.index] = RegionId{r};
  }
  auto moves = [&](ValueId index, RegionId at) {
    RegionId made =
        m.def(index) ? home[m.values[index.index].def.index] : m.values[index.index].region;
    for (; m[at].parent; at = home[m[at].parent.index]) {
      if (made == at) return true;
      if (m[m[at].parent].op != Op::If) return false;
    }
    return true;
  };
  for (const Region& region : m.regions) {
    for (InstId i : region.insts) {
      const Instruction& inst = m[i];
      bool store = info(inst.op).shape == Shape::Store && moves(inst.operands[1], home[i.index]);
      for (ValueId v : inst.operands) {
        if (m.type(v).is_memory()) uses[v.index] += store ? 1 : kMany;
      }
    }
  }
  std::vector<bool> streamed(m.values.size());
  for (const Param& p : m.params) streamed[p.value.index] = uses[p.value.index] == 1;
  return streamed;
}

// Piece by piece, since LLVM would mix the order of what it splits itself. Lines that go past the
// caches are gathered in few buffers, and cost twice where one is given up half full.
void Body::store_past(const V& pointer, const V& x) {
  constexpr int kPiece = 32;  // bytes: one instruction or two, wherever lines begin
  const int element = bits(x.elem) / 8, lanes = kPiece / element;
  for (int first = 0; first < x.lanes; first += lanes) {
    Text order;
    for (int k = 0; k < lanes; ++k) order.add(k ? ", i32 " : "i32 ", first + k);
    V piece = e_.emit(x.elem, lanes,
                      concat("shufflevector ", x.typed(), ", ", x.type(), " poison, <", lanes,
                             " x i32> <", order.str(), ">"));
    V at = e_.emit(Elem::Ptr, 1,
                   concat("getelementptr i8, ", pointer.typed(), ", i64 ", first * element));
    e_.stmt(concat("store ", piece.typed(), ", ", at.typed(), ", align ", kStreamAlign,
                   ", !nontemporal !1"));
  }
}

// Where the lanes of one store begin on a good address, all go past the caches.
void Body::store_runs(const Runs& runs, int align, bool streamed) {
  const auto& [pointers, values] = runs;
  if (pointers.empty()) return;
  auto plain = [&] {
    for (size_t k = 0; k < pointers.size(); ++k) {
      e_.stmt(concat("store ", values[k].typed(), ", ", pointers[k].typed(), ", align ", align));
    }
  };
  if (!streamed) return plain();
  V bits = e_.convert("ptrtoint", pointers[0], Elem::I64);
  for (size_t k = 1; k < pointers.size(); ++k) {
    bits = bits | e_.convert("ptrtoint", pointers[k], Elem::I64);
  }
  std::string past = e_.new_label("past"), through = e_.new_label("through"),
              end = e_.new_label("stored");
  jump_if(e_.cmp("eq", bits & e_.i64(kStreamAlign - 1), 0), past, through);
  e_.begin_block(past);
  for (size_t k = 0; k < pointers.size(); ++k) store_past(pointers[k], values[k]);
  jump(end);
  e_.begin_block(through);
  plain();
  jump(end);
  e_.begin_block(end);
}

}  // namespace enigma::cpu
