// The IR's text form, in MLIR's manner. What is printed parses back and prints the same again.
//
//   enigma.kernel @name(%X: memref<f32, device>, %alpha: f32) {
//     %tid = gpu.thread_position_in_grid x : u32 loc("k.py":4)
//     %0 = memref.load %X[%tid] : memref<f32, device> loc("k.py":5)
//     %acc_0 = scf.for %i = %lo to %hi step %st iter_args(%acc = %init) -> (f32) : i32 {
//       scf.yield %1 : f32
//     } loc("k.py":6)
//   }
//
// Values carry their Python names, made unique by a suffix; those without one are numbered. A yield
// that hands over nothing, and an else region that holds nothing else, are left out.

#include <charconv>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "enigma/ir.h"
#include "ir/signature.h"
#include "ir/spelling.h"
#include "support/floats.h"
#include "support/text.h"

namespace enigma {
namespace {

// A name as it may stand in the text: other characters become '_'.
std::string plain(std::string_view name) {
  std::string out;
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) out += '_';
  for (char c : name) out += is_name_char(c) ? c : '_';
  return out;
}

class Printer {
 public:
  explicit Printer(const Module& m) : m_(m), names_(m.values.size()) {
    for (const std::string& file : m.files) files_.push_back(escaped(file));
  }

  std::string run() {
    out_.add("enigma.kernel @", plain(m_.name), "(");
    for (const Param& p : m_.params) {
      out_.add(&p == &m_.params.front() ? "" : ", ", define(p.value), ": ",
               to_string(m_.type(p.value)));
      if (p.index) out_.add(" buffer(", *p.index, ")");
      if (p.elements) out_.add(" elements(", p.elements, ")");
      if (p.multiple) out_.add(" size(", p.multiple, ")");
    }
    out_.add(") {\n");
    insts(m_.body);
    out_.add("}\n");
    return std::move(out_.str());
  }

 private:
  // Gives a value its name in the text.
  const std::string& define(ValueId v) {
    std::string& name = names_[v.index];
    if (!name.empty()) return name;
    const std::string& python = m_.name_of(v);
    if (python.empty()) return name = concat("%", unnamed_++);
    std::string base = plain(python);
    std::string unique = base;
    while (!taken_.insert(unique).second) unique = concat(base, "_", suffix_[base]++);
    return name = concat("%", unique);
  }

  // A value that nothing has defined yet is broken IR; it still has to print, for messages.
  const std::string& use(ValueId v) {
    if (v.index < names_.size() && !names_[v.index].empty()) return names_[v.index];
    std::string& name = broken_[v.index];
    name = v.index < names_.size() ? concat("%<undefined ", v.index, ">") : "%<none>";
    return name;
  }
  std::string uses(std::span<const ValueId> vs, size_t from = 0) {
    Text t;
    for (size_t k = from; k < vs.size(); ++k) t.add(k > from ? ", " : "", use(vs[k]));
    return t.str();
  }
  std::string types(std::span<const ValueId> vs, size_t from = 0) const {
    Text t;
    for (size_t k = from; k < vs.size(); ++k) {
      t.add(k > from ? ", " : "", to_string(m_.type(vs[k])));
    }
    return t.str();
  }
  std::string type(ValueId v) const {
    return v.index < m_.values.size() ? to_string(m_.type(v)) : "none";
  }

  void location(InstId i) {
    const Loc l = m_.locs[i.index];
    if (l.line) out_.add(" loc(\"", files_[l.file], "\":", l.line, ")");
  }

  static std::string escaped(std::string_view file) {
    Text t;
    for (char c : file) {
      if (c == '"' || c == '\\') {
        t.add('\\', c);
      } else if (static_cast<unsigned char>(c) < 0x20) {
        constexpr char kHex[] = "0123456789ABCDEF";
        t.add('\\', kHex[c >> 4 & 15], kHex[c & 15]);
      } else {
        t.add(c);
      }
    }
    return t.str();
  }

  void insts(RegionId r) {
    ++depth_;
    for (InstId i : m_[r].insts) {
      const Instruction& inst = m_[i];
      if (inst.op == Op::Yield && inst.operands.empty()) continue;
      indent();
      for (size_t k = 0; k < inst.results.size(); ++k) {
        out_.add(k ? ", " : "", define(inst.results[k]));
      }
      if (!inst.results.empty()) out_.add(" = ");
      out_.add(info(inst.op).mnemonic);
      instruction(inst);
      location(i);
      out_.add("\n");
    }
    --depth_;
  }

  void instruction(const Instruction& inst) {
    const OpInfo& row = info(inst.op);
    const auto& x = inst.operands;
    switch (row.shape) {
      case Shape::Constant:
        out_.add(" ", number(inst), " : ", types(inst.results));
        break;
      case Shape::FunctionConstant:
        out_.add(" ", inst.attr, " : ", types(inst.results));
        break;
      case Shape::Query:
        if (row.has(flag::XYZ)) out_.add(" ", "xyz"[inst.attr % 3]);
        out_.add(" : ", types(inst.results));
        break;
      case Shape::Map:
      case Shape::Lane:
        out_.add(" ", uses(x), " : ", to_string(shared_type(m_, inst)));
        break;
      case Shape::Composed:
      case Shape::Whole:
        out_.add(" ", uses(x), " : ", types(x));
        break;
      case Shape::Make:
        out_.add(" ", uses(x), " : ", types(inst.results));
        break;
      case Shape::Extract:
        out_.add(" ", uses(x), "[", inst.attr, "] : ", types(x));
        break;
      case Shape::Cast:
        out_.add(" ", uses(x), " : ", types(x), " to ", types(inst.results));
        break;
      case Shape::Alloc:
        out_.add(" ", inst.attr, " : ", types(inst.results));
        break;
      case Shape::Store:
        if (x.size() == 3) {
          out_.add(" ", use(x[2]), ", ", use(x[0]), "[", use(x[1]), "]", lanes(inst), " : ",
                   type(x[0]));
        }
        break;
      case Shape::Atomic:
        out_.add(" ", kMemoryOrders[inst.attr % kMemoryOrders.size()]);
        [[fallthrough]];
      case Shape::Load:
        if (x.size() >= 2) {
          out_.add(" ", use(x[0]), "[", use(x[1]), "]", lanes(inst), x.size() > 2 ? ", " : "",
                   uses(x, 2), " : ", type(x[0]));
        }
        break;
      case Shape::Async:
        out_.add(" ", uses(x));
        break;
      case Shape::SimdMatrix: {
        const bool memory = row.operands[0] == 'm' && x.size() >= 3;
        if (!memory) {
          out_.add(" ", uses(x), " : ", types(x));
          break;
        }
        out_.add(inst.attr ? " transposed " : " ", x.size() > 3 ? use(x[3]) + ", " : "", use(x[0]),
                 "[", use(x[1]), "], ", use(x[2]), " : ", type(x[0]));
        break;
      }
      case Shape::Barrier:
        out_.add(" ", mem_flags_text(static_cast<uint8_t>(inst.attr)));
        break;
      case Shape::Yield:
        if (inst.op == Op::Condition) {
          out_.add("(", uses(x), ")");
        } else {
          out_.add(" ", uses(x), " : ", types(x));
        }
        break;
      case Shape::Region:
        region_op(inst);
        break;
    }
  }

  void region_op(const Instruction& inst) {
    const auto& x = inst.operands;
    if (inst.op == Op::If) {
      out_.add(" ", uses(x));
      if (!inst.results.empty()) out_.add(" -> (", types(inst.results), ")");
      if (inst.regions.size() != 2) return;
      out_.add(" {\n");
      insts(inst.regions[0]);
      indent();
      out_.add("}");
      const auto& other = m_[inst.regions[1]].insts;
      if (!inst.results.empty() || other.size() > 1) {
        out_.add(" else {\n");
        insts(inst.regions[1]);
        indent();
        out_.add("}");
      }
      return;
    }
    if (inst.op == Op::For) {
      if (inst.regions.size() != 1 || x.size() < 3) return;
      const Region& body = m_[inst.regions[0]];
      if (body.args.size() + 2 != x.size()) return;
      out_.add(" ", define(body.args[0]), " = ", use(x[0]), " to ", use(x[1]), " step ", use(x[2]));
      if (x.size() > 3) {
        out_.add(" iter_args(");
        for (size_t k = 3; k < x.size(); ++k) {
          out_.add(k > 3 ? ", " : "", define(body.args[k - 2]), " = ", use(x[k]));
        }
        out_.add(") -> (", types(x, 3), ")");
      }
      out_.add(" : ", type(body.args[0]), " {\n");
      insts(inst.regions[0]);
      indent();
      out_.add("}");
      return;
    }
    if (inst.regions.size() != 2) return;
    const Region& condition = m_[inst.regions[0]];
    const Region& body = m_[inst.regions[1]];
    if (condition.args.size() != x.size()) return;
    out_.add(" (");
    for (size_t k = 0; k < x.size(); ++k) {
      out_.add(k ? ", " : "", define(condition.args[k]), " = ", use(x[k]));
    }
    out_.add(") : (", types(x), ") {\n");
    insts(inst.regions[0]);
    indent();
    out_.add("} do {\n");
    if (!body.args.empty()) {
      indent();
      out_.add("^bb0(");
      for (ValueId a : body.args) out_.add(a == body.args[0] ? "" : ", ", define(a), ": ", type(a));
      out_.add("):\n");
    }
    insts(inst.regions[1]);
    indent();
    out_.add("}");
  }

  static std::string lanes(const Instruction& inst) {
    if (info(inst.op).shape == Shape::Atomic || !inst.attr) return "";
    return concat(" lanes(", inst.attr, ")");
  }

  std::string number(const Instruction& inst) const {
    if (inst.results.empty()) return "0";
    const DType t = m_.type(inst.results[0]).dtype;
    if (t == DType::B1) return inst.attr ? "true" : "false";
    if (is_signed(t)) return concat(sign_extend(t, inst.attr));
    if (is_unsigned(t)) return concat(inst.attr);
    const double x = bits_to_double(t, inst.attr);
    char buffer[48];
    if (!std::isfinite(x)) {  // bits, so that a NaN keeps its payload
      char* end = std::to_chars(buffer, buffer + sizeof buffer, inst.attr, 16).ptr;
      return concat("0x", std::string_view(buffer, static_cast<size_t>(end - buffer)));
    }
    char* end = std::to_chars(buffer, buffer + sizeof buffer, static_cast<float>(x)).ptr;
    std::string text(buffer, end);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }

  void indent() { out_.str().append(static_cast<size_t>(depth_) * 2, ' '); }

  const Module& m_;
  Text out_;
  int depth_ = 0;
  uint32_t unnamed_ = 0;
  std::vector<std::string> names_;  // parallel to values, with the %
  std::vector<std::string> files_;  // as they are written
  std::unordered_map<uint32_t, std::string> broken_;
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, uint32_t> suffix_;
};

}  // namespace

std::string print(const Module& m) { return Printer(m).run(); }

std::string mem_flags_text(uint8_t flags) {
  if (!flags) return "mem_none";
  Text t;
  for (const MemFlagName& f : kMemFlagNames) {
    if (flags & f.flag) t.add(t.str().empty() ? "" : "|", f.name);
  }
  return t.str();
}

}  // namespace enigma
