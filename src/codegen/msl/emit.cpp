// The whole text of a kernel: headers, the functions that it needs, its parameters and its body.
#include "codegen/msl/emit.h"

#include "codegen/msl/prelude.h"
#include "codegen/msl/table.h"
#include "codegen/msl/writer.h"
#include "ir/signature.h"
#include "support/async_copy.h"

namespace enigma {
namespace msl {
namespace {

constexpr size_t kLongestLine = 88;  // with a comment behind it

// The file's name without its folders, with nothing in it that could end or continue a comment.
std::string base_name(std::string_view path) {
  std::string out(
      path.substr(path.find_last_of('/') == path.npos ? 0 : path.find_last_of('/') + 1));
  for (char& c : out) {
    if (c < ' ' || c > '~' || c == '\\') c = '?';
  }
  return out;
}

}  // namespace

Writer::Writer(const Module& m, const Uniformity& uniformity, bool fast_math, bool escaped)
    : m_(m),
      uniformity_(uniformity),
      fast_math_(fast_math),
      escaped_(escaped),
      uses_(m),
      variables_(m, uses_),
      ranges_(m),
      frags_(m.values.size()),
      waiting_(m.values.size()),
      reading_(variables_.count()),
      variable_names_(variables_.count()),
      memory_use_(m.values.size()) {
  ranges_.visit();
}

void Writer::scan_memory() {
  for (size_t i = 0; i < m_.insts.size(); ++i) {
    if (!uses_.live[i]) continue;
    const Instruction& inst = m_.insts[i];
    Shape shape = info(inst.op).shape;
    if (shape == Shape::Atomic) scan_atomic(inst);
    bool plain = shape == Shape::Load || shape == Shape::Store ||
                 (shape == Shape::SimdMatrix && m_.type(inst.operands[0]).is_memory());
    if (plain) memory_use_[inst.operands[0].index] |= kPlain;
    bool vector = (shape == Shape::Load || shape == Shape::Store) && inst.attr;
    if (vector) memory_use_[inst.operands[0].index] |= kVectors;
    if (inst.op == Op::AsyncCopy) {
      for (size_t k : {0, 3}) memory_use_[inst.operands[k].index] |= kPlain;
    }
  }
}

// Names the Python statement behind a line, once.
std::string Writer::comment() {
  if (!at_) return "";
  Loc loc = m_.locs[at_.index];
  if (loc.line == 0 || loc == commented_) return "";
  commented_ = loc;
  return concat("  // ", base_name(m_.files[loc.file]), ":", loc.line);
}

void Writer::line(std::string_view text) {
  std::string note = comment();
  if (!note.empty() && text.size() + note.size() + 4 * static_cast<size_t>(depth_) > kLongestLine) {
    text_.line(std::string_view(note).substr(2));
    note.clear();
  }
  text_.line(text, note);
}

std::string Writer::parameters() {
  std::vector<std::string> out;
  auto name_value = [&](ValueId v, std::string text, Prec prec) {
    Frag f;
    f.text = std::move(text);
    f.prec = prec;
    f.atom = true;
    frags_[v.index] = std::move(f);
  };
  for (size_t k = 0; k < m_.params.size(); ++k) {
    const Param& p = m_.params[k];
    const size_t index = p.index.value_or(k);
    std::string name = names_.declare(p.name);
    std::string_view type = memory_name(p.dtype);
    std::string atomic = is_atomic_only(p.value) ? concat("atomic_", type) : std::string(type);
    bool is_const = !p.written && !(memory_use_[p.value.index] & kAtomic);
    if (is_const) memory_use_[p.value.index] |= kConst;
    out.push_back(p.is_scalar ? concat("constant ", type, "& ", name, " [[buffer(", index, ")]]")
                              : concat(is_const ? "device const" : device_, " ", atomic, "* ", name,
                                       " [[buffer(", index, ")]]"));
    if (p.is_scalar && p.dtype == DType::B1) {
      name_value(p.value, name + " != 0", Prec::Equality);
    } else {
      name_value(p.value, name, Prec::Primary);
    }
  }
  for (const OpInfo& row : all_ops()) {
    if (row.shape != Shape::Query) continue;
    std::string name;
    std::string_view attribute = spelling(row.op).text;
    bool xyz = row.has(flag::XYZ), is_lane = row.op == Op::ThreadIndexInSimdgroup;
    for (size_t i = 0; i < m_.insts.size(); ++i) {
      const Instruction& inst = m_.insts[i];
      bool asks = inst.op == row.op, needs = is_lane && needs_lane(inst);
      if (!uses_.live[i] || !(asks || needs)) continue;
      if (name.empty()) {
        name = names_.declare_legal(attribute);
        out.push_back(concat(xyz ? "uint3 " : "uint ", name, " [[", attribute, "]]"));
        if (is_lane) lane_ = name;
      }
      if (!asks) continue;
      name_value(inst.results[0], xyz ? concat(name, ".", "xyz"[inst.attr % 3]) : name,
                 Prec::Primary);
    }
  }
  std::string text, indent(concat("kernel void ", function_, "(").size(), ' ');
  for (const std::string& p : out) text += concat(text.empty() ? "" : concat(",\n", indent), p);
  return text;
}

// Declarations at file scope. The compiler of a pipeline knows their values.
std::string Writer::function_constants() {
  Text outer = std::exchange(text_, Text());
  const int depth = std::exchange(depth_, 0);
  for (const FunctionConstant& c : enigma::function_constants(m_)) {
    const std::string& python = m_.name_of(c.values[0]);
    Frag f;
    f.text = names_.declare(python.empty() ? concat("constant_", c.index) : python);
    f.atom = true;
    // Metal's values know of bfloat, but nothing says that its compiler takes one here; bits it
    // takes for certain. The Metal runtime does the same.
    const bool is_bits = c.dtype == DType::BF16;
    at_ = c.first;
    line(concat("constant ", name_of(is_bits ? DType::U16 : c.dtype), " ", f.text, " [[",
                spelling(Op::FunctionConstant).text, "(", c.index, ")]];"));
    if (is_bits) f.text = concat("as_type<bfloat>(", f.text, ")");
    for (ValueId v : c.values) frags_[v.index] = f;
  }
  at_ = InstId{};
  commented_ = {};  // the kernel's own lines name their statements again
  depth_ = depth;
  std::string text = std::move(std::exchange(text_, std::move(outer)).str());
  return text.empty() ? text : text + "\n";
}

// Metal wants them at the top of the kernel; what they hold at first is undefined.
void Writer::threadgroup_arrays() {
  for (size_t i = 0; i < m_.insts.size(); ++i) {
    const Instruction& inst = m_.insts[i];
    if (info(inst.op).shape != Shape::Alloc || inst.results.empty()) continue;
    ValueId v = inst.results[0];
    if (!memory_use_[v.index]) continue;
    std::string name = names_.declare(m_.name_of(v).empty() ? "shared" : m_.name_of(v));
    std::string_view type = memory_name(dtype(v));
    at_ = InstId{static_cast<uint32_t>(i)};
    std::string alignment;
    if (memory_use_[v.index] & kVectors) alignment = concat("alignas(", kMaxVectorBytes, ") ");
    line(concat(alignment, "threadgroup ", is_atomic_only(v) ? "atomic_" : "", type, " ", name, "[",
                inst.attr, "];"));
    frags_[v.index].text = std::move(name);
  }
  at_ = InstId{};
}

std::string Writer::place(ValueId memory, const Frag& index, uint64_t lanes) const {
  const std::string& name = frags_[memory.index].text;
  if (!lanes) return concat(name, "[", index.text, "]");
  const Type t = m_.type(memory);
  const std::string_view space = t.space() == AddressSpace::Threadgroup ? "threadgroup"
                                 : memory_use_[memory.index] & kConst   ? "device const"
                                                                        : device_;
  return concat("*(", space, " ", type_name(Type::vector(t.dtype, static_cast<int>(lanes))), "*)(",
                name, " + ", as_operand(index, Prec::Additive, true), ")");
}

// A product that is added to something: Metal may otherwise fuse the two.
bool Writer::may_contract() const {
  for (size_t i = 0; i < m_.insts.size(); ++i) {
    const Instruction& inst = m_.insts[i];
    if (!uses_.live[i] || (inst.op != Op::AddF && inst.op != Op::SubF)) continue;
    for (ValueId v : inst.operands) {
      const Instruction* def = m_.def(v);
      if (def && def->op == Op::NegF) def = m_.def(def->operands[0]);
      if (def && def->op == Op::MulF) return true;
    }
  }
  return false;
}

MslCode Writer::kernel() {
  scan_memory();
  function_ = names_.declare(m_.name);
  std::string params = parameters();
  std::string constants = function_constants();
  text_.indent();
  threadgroup_arrays();
  events();
  region(m_.body);
  // A GPU may hang as well where no barrier follows.
  if (!events_.empty()) line("threadgroup_barrier(mem_flags::mem_threadgroup);");

  Text out;
  out.add("#include <metal_stdlib>\nusing namespace metal;\n");
  if (!fast_math_ && may_contract()) out.add("#pragma STDC FP_CONTRACT OFF\n");
  out.add("\n", constants, prelude_text(prelude_, device_));
  if (!events_.empty()) out.add(async_copy_declarations(escaped_), "\n");
  out.add("kernel void ", function_, "(", params, ") {\n", text_.str(), "}\n");
  return {std::move(out.str()), function_, version_};
}

}  // namespace msl

MslCode emit_msl(const Verified& kernel, bool fast_math, bool escaped) {
  return msl::Writer(kernel.module(), kernel.uniformity(), fast_math, escaped).kernel();
}

}  // namespace enigma
