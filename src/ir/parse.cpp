// The parser of the IR's text form (print.cpp shows it): by Shape, as the printer.

#include <charconv>
#include <unordered_map>

#include "enigma/ir.h"
#include "enigma/limits.h"
#include "ir/lexer.h"
#include "ir/parse_type.h"
#include "ir/signature.h"
#include "ir/spelling.h"
#include "ir/verify.h"
#include "support/floats.h"
#include "support/text.h"

namespace enigma {
namespace {

using Names = ShortList<std::string_view, 2>;

class Parser {
 public:
  explicit Parser(std::string_view text) : lex_(text), most_(text.size()) {}

  Module run() {
    lex_.expect_word("enigma.kernel");
    lex_.expect("@");
    m_.name = lex_.name("the kernel's name");
    m_.body = RegionId{0};
    m_.regions.emplace_back();
    lex_.expect("(");
    if (!lex_.accept(")")) {
      do {
        parameter();
      } while (lex_.accept(","));
      lex_.expect(")");
    }
    lex_.expect("{");
    region(m_.body);
    lex_.expect_end();
    fill_param_effects(m_);
    return std::move(m_);
  }

 private:
  // ---- values ----

  // What has the name; none where nothing has. Digits alone are the printer's numbers, which are
  // dense: a text has fewer values than characters.
  ValueId& called(std::string_view name) {
    size_t n = 0;
    const char* end = name.data() + name.size();
    const bool number = std::from_chars(name.data(), end, n).ptr == end && n < most_;
    if (!number || (name[0] == '0' && name.size() > 1)) return named_[name];
    if (n >= numbered_.size()) numbered_.resize(n + 1);
    return numbered_[n];
  }

  // The name after a '%'.
  std::string_view defined_name() {
    lex_.expect("%");
    const std::string_view name = lex_.name("a value's name");
    if (called(name)) lex_.fail("expected a new name: %", name, " is defined already");
    return name;
  }

  ValueId value(std::string_view name, Type type, InstId def, RegionId region, size_t index) {
    ValueId v{static_cast<uint32_t>(m_.values.size())};
    m_.values.push_back({type, def, region, static_cast<uint32_t>(index)});
    m_.value_names.push_back(0);
    if (name[0] < '0' || name[0] > '9') {
      m_.value_names.back() = static_cast<uint32_t>(m_.names.size());
      m_.names.emplace_back(name);
    }
    if (called(name)) lex_.fail("expected a new name: %", name, " is defined already");
    called(name) = v;
    return v;
  }

  ValueId use() {
    lex_.expect("%");
    const std::string_view name = lex_.name("a value's name");
    const ValueId v = called(name);
    if (!v) lex_.fail("expected a value that is defined: %", name, " is not");
    return v;
  }

  ValueIds uses() {
    ValueIds out{use()};
    while (lex_.accept(",")) out.push_back(use());
    return out;
  }

  void parameter() {
    const std::string_view name = defined_name();
    lex_.expect(":");
    const Type t = type();
    if (!t.is_scalar() && !(t.is_memory() && t.space() == AddressSpace::Device)) {
      lex_.fail("expected a scalar type or memref<..., device> for a parameter");
    }
    ValueId v = value(name, t, {}, {}, m_.params.size());
    m_.params.push_back({std::string(name), t.dtype, t.is_scalar(), false, false, v});
    Param& p = m_.params.back();
    if (lex_.accept_word("buffer")) {
      p.index = static_cast<uint32_t>(in_parentheses("an index", 0, kMaxParams - 1));
    }
    if (lex_.accept_word("elements")) {
      p.elements = in_parentheses("a number of elements", 0, UINT64_MAX);
    }
    if (lex_.accept_word("size")) {
      p.multiple = static_cast<uint32_t>(in_parentheses("a multiple", 1, kMaxSize));
      if (t != Type::scalar(DType::U32)) lex_.fail("expected u32 for a size, found ", to_string(t));
    }
  }

  uint64_t in_parentheses(const char* what, uint64_t least, uint64_t most) {
    lex_.expect("(");
    const uint64_t n = lex_.number(what);
    if (n < least || n > most) {
      lex_.fail("expected ", what, " from ", least, " to ", most, ", found ", n);
    }
    lex_.expect(")");
    return n;
  }

  // ---- types ----

  Type type() { return parse_type(lex_); }

  std::vector<Type> types() {
    std::vector<Type> out{type()};
    while (lex_.accept(",")) out.push_back(type());
    return out;
  }

  void expect_type(ValueId v) {
    const Type found = type();
    if (found != m_.type(v)) {
      lex_.fail("expected ", to_string(m_.type(v)), ", the operand's type, found ",
                to_string(found));
    }
  }

  void expect_types(std::span<const ValueId> vs) {
    for (size_t k = 0; k < vs.size(); ++k) {
      if (k) lex_.expect(",");
      expect_type(vs[k]);
    }
  }

  // ---- instructions ----

  InstId append(RegionId r, Op op, ValueIds operands = {}, uint64_t attr = 0) {
    InstId i{static_cast<uint32_t>(m_.insts.size())};
    m_.insts.push_back({op, attr, std::move(operands), {}, {}});
    m_.locs.emplace_back();
    m_[r].insts.push_back(i);
    return i;
  }

  RegionId add_region(InstId parent) {
    RegionId r{static_cast<uint32_t>(m_.regions.size())};
    m_.regions.push_back({parent, {}, {}});
    m_[parent].regions.push_back(r);
    return r;
  }

  void argument(RegionId r, std::string_view name, Type t) {
    ValueId v = value(name, t, {}, r, m_[r].args.size());
    m_[r].args.push_back(v);
  }

  // Up to and with the closing brace. A yield that was left out is put back.
  void region(RegionId r) {
    if (++depth_ > kMaxDepth) lex_.fail("expected at most ", kMaxDepth, " regions in one another");
    while (!lex_.accept("}")) instruction(r);
    const Region& here = m_[r];
    if (here.parent &&
        (here.insts.empty() || info(m_[here.insts.back()].op).shape != Shape::Yield)) {
      append(r, Op::Yield);
    }
    --depth_;
  }

  void instruction(RegionId r) {
    Names names;
    if (lex_.at("%")) {
      do {
        names.push_back(defined_name());
      } while (lex_.accept(","));
      lex_.expect("=");
    }
    const std::string_view mnemonic = lex_.dotted_word("an instruction");
    const OpInfo* row = find_mnemonic(mnemonic);
    if (!row || row->shape == Shape::Composed)
      lex_.fail("expected an instruction, found \"", mnemonic, "\"");
    InstId i = append(r, row->op);
    std::vector<Type> types = operands(i, *row);
    if (types.size() != names.size()) {
      lex_.fail("expected ", types.size(), " results of ", mnemonic, ", found ", names.size());
    }
    for (size_t k = 0; k < names.size(); ++k) {
      ValueId v = value(names[k], types[k], i, {}, k);
      m_[i].results.push_back(v);
    }
    location(i);
  }

  // Everything after the mnemonic; gives the types of the results.
  std::vector<Type> operands(InstId i, const OpInfo& row) {
    switch (row.shape) {
      case Shape::Constant:
        return constant(i);
      case Shape::FunctionConstant: {
        m_[i].attr = lex_.number("an index");
        lex_.expect(":");
        const Type t = type();
        if (!t.is_scalar()) lex_.fail("expected a scalar type, found ", to_string(t));
        return {t};
      }
      case Shape::Query: {
        if (row.has(flag::XYZ)) m_[i].attr = dimension();
        lex_.expect(":");
        return {type()};
      }
      case Shape::Map:
      case Shape::Lane: {
        ValueIds x = uses();
        count(x, row);
        m_[i].operands = std::move(x);
        lex_.expect(":");
        const Type shared = shared_type(m_, m_[i]);
        const Type found = type();
        if (found != shared)
          lex_.fail("expected ", to_string(shared), ", found ", to_string(found));
        if (!shared.is_value()) lex_.fail("expected operands that are values");
        return result(row, m_[i]);
      }
      case Shape::Whole: {
        ValueIds x = uses();
        count(x, row);
        lex_.expect(":");
        expect_types(x);
        m_[i].operands = std::move(x);
        std::vector<Type> types = result(row, m_[i]);
        if (!types[0].is_value()) lex_.fail("expected factors that have a product");
        return types;
      }
      case Shape::Make: {
        m_[i].operands = uses();
        lex_.expect(":");
        return {type()};
      }
      case Shape::Extract: {
        ValueId whole = use();
        m_[i].operands = {whole};
        lex_.expect("[");
        m_[i].attr = lex_.number("the number of a part");
        lex_.expect("]");
        lex_.expect(":");
        expect_type(whole);
        return {part_type(m_.type(whole))};
      }
      case Shape::Cast: {
        ValueIds x{use()};
        lex_.expect(":");
        expect_type(x[0]);
        m_[i].operands = std::move(x);
        lex_.expect_word("to");
        return {type()};
      }
      case Shape::Alloc: {
        m_[i].attr = lex_.number("a number of elements");
        lex_.expect(":");
        return {type()};
      }
      case Shape::Store: {
        ValueId stored = use();
        lex_.expect(",");
        ValueIds x = element();
        vector_access(i);
        x.push_back(stored);
        return memory_operands(i, row, std::move(x));
      }
      case Shape::Atomic:
        m_[i].attr = memory_order();
        [[fallthrough]];
      case Shape::Load: {
        ValueIds x = element();
        if (row.shape == Shape::Load) vector_access(i);
        while (lex_.accept(",")) x.push_back(use());
        return memory_operands(i, row, std::move(x));
      }
      case Shape::Async: {
        ValueIds x = uses();
        count(x, row);
        m_[i].operands = std::move(x);
        return result(row, m_[i]);
      }
      case Shape::SimdMatrix:
        return simd_matrix(i, row);
      case Shape::Barrier:
        m_[i].attr = mem_flags();
        return {};
      case Shape::Yield:
        if (row.op == Op::Condition) {
          lex_.expect("(");
          ValueId v = use();
          m_[i].operands = {v};
          lex_.expect(")");
        } else {
          ValueIds x = uses();
          lex_.expect(":");
          expect_types(x);
          m_[i].operands = std::move(x);
        }
        return {};
      case Shape::Region:
        if (row.op == Op::If) return if_(i);
        return row.op == Op::For ? for_(i) : while_(i);
      case Shape::Composed:
        break;
    }
    lex_.fail("expected an instruction");
  }

  void count(const ValueIds& x, const OpInfo& row) {
    if (x.size() != row.operands.size()) {
      lex_.fail("expected ", row.operands.size(), " operands of ", row.mnemonic, ", found ",
                x.size());
    }
  }

  std::vector<Type> result(const OpInfo& row, const Instruction& inst) const {
    if (row.result == '-') return {};
    return {result_type(row, operand_types(m_, inst), inst.attr)};
  }

  ValueIds element() {
    ValueIds x{use()};
    lex_.expect("[");
    x.push_back(use());
    lex_.expect("]");
    return x;
  }

  void vector_access(InstId i) {
    if (lex_.accept_word("lanes")) m_[i].attr = in_parentheses("a number of lanes", 2, 4);
  }

  std::vector<Type> memory_operands(InstId i, const OpInfo& row, ValueIds x) {
    count(x, row);
    lex_.expect(":");
    expect_type(x[0]);
    const Type memory = m_.type(x[0]);
    if (!memory.is_memory()) lex_.fail("expected a memref, found ", to_string(memory));
    const bool whole = row.shape == Shape::Load || row.shape == Shape::Store;
    if (whole && m_[i].attr && !is_vector_access(memory.dtype, m_[i].attr)) {
      lex_.fail("expected memory of which ", m_[i].attr, " elements are a vector, found ",
                to_string(memory));
    }
    m_[i].operands = std::move(x);
    return result(row, m_[i]);
  }

  std::vector<Type> simd_matrix(InstId i, const OpInfo& row) {
    if (row.operands[0] == 'm') {
      if (lex_.accept_word("transposed")) m_[i].attr = 1;
      ValueIds stored;
      if (row.result == '-') {
        stored.push_back(use());
        lex_.expect(",");
      }
      ValueIds x = element();
      lex_.expect(",");
      x.push_back(use());
      x.append(stored.begin(), stored.end());
      return memory_operands(i, row, std::move(x));
    }
    ValueIds x = uses();
    count(x, row);
    lex_.expect(":");
    expect_types(x);
    m_[i].operands = std::move(x);
    return result(row, m_[i]);
  }

  uint64_t dimension() {
    const std::string_view word = lex_.word("x, y or z");
    const size_t found = word.size() == 1 ? std::string_view("xyz").find(word) : 3;
    if (found < 3) return found;
    lex_.fail("expected x, y or z, found \"", word, "\"");
  }

  uint64_t memory_order() {
    const std::string_view word = lex_.word("a memory order");
    for (size_t k = 0; k < kMemoryOrders.size(); ++k) {
      if (word == kMemoryOrders[k]) return k;
    }
    lex_.fail("expected a memory order, found \"", word, "\"");
  }

  uint64_t mem_flags() {
    uint64_t flags = 0;
    do {
      const std::string_view word = lex_.word("memory flags");
      if (word == "mem_none") continue;
      uint64_t bit = 0;
      for (const MemFlagName& f : kMemFlagNames) {
        if (word == f.name) bit = f.flag;
      }
      if (!bit) lex_.fail("expected memory flags, found \"", word, "\"");
      flags |= bit;
    } while (lex_.accept("|"));
    return flags;
  }

  std::vector<Type> constant(InstId i) {
    const std::string_view text = lex_.literal("a number");
    lex_.expect(":");
    const Type t = type();
    if (!t.is_value()) lex_.fail("expected the type of a number, found ", to_string(t));
    auto bits = number_bits(t.dtype, text);
    if (!bits) lex_.fail("expected a number of type ", info(t.dtype).mnemonic, ", found ", text);
    m_[i].attr = *bits;
    return {t};
  }

  // ---- regions ----

  std::vector<Type> if_(InstId i) {
    ValueId condition = use();
    m_[i].operands = {condition};
    std::vector<Type> results;
    if (lex_.accept("->")) results = parenthesised_types();
    lex_.expect("{");
    region(add_region(i));
    RegionId other = add_region(i);
    if (lex_.accept_word("else")) {
      lex_.expect("{");
      region(other);
    } else {
      append(other, Op::Yield);
    }
    return results;
  }

  std::vector<Type> parenthesised_types() {
    lex_.expect("(");
    std::vector<Type> out = types();
    lex_.expect(")");
    return out;
  }

  std::vector<Type> for_(InstId i) {
    const std::string_view index = defined_name();
    lex_.expect("=");
    ValueIds x{use()};
    lex_.expect_word("to");
    x.push_back(use());
    lex_.expect_word("step");
    x.push_back(use());
    Names names;
    std::vector<Type> carried;
    if (lex_.accept_word("iter_args")) {
      lex_.expect("(");
      inits(names, x);
      lex_.expect(")");
      lex_.expect("->");
      carried = parenthesised_types();
      check_carried(names.size(), carried, std::span(x).subspan(3));
    }
    lex_.expect(":");
    const Type t = type();
    m_[i].operands = std::move(x);
    RegionId body = add_region(i);
    argument(body, index, t);
    for (size_t k = 0; k < names.size(); ++k) argument(body, names[k], carried[k]);
    lex_.expect("{");
    region(body);
    return carried;
  }

  void inits(Names& names, ValueIds& operands) {
    do {
      names.push_back(defined_name());
      lex_.expect("=");
      operands.push_back(use());
    } while (lex_.accept(","));
  }

  void check_carried(size_t names, const std::vector<Type>& types, std::span<const ValueId> inits) {
    if (types.size() != names) lex_.fail("expected ", names, " types of carried values");
    for (size_t k = 0; k < names; ++k) {
      if (m_.type(inits[k]) != types[k]) {
        lex_.fail("expected ", to_string(m_.type(inits[k])),
                  ", the type of an initial value, found ", to_string(types[k]));
      }
    }
  }

  std::vector<Type> while_(InstId i) {
    Names names;
    ValueIds x;
    std::vector<Type> carried;
    lex_.expect("(");
    if (!lex_.at(")")) inits(names, x);
    lex_.expect(")");
    lex_.expect(":");
    lex_.expect("(");
    if (!lex_.at(")")) carried = types();
    lex_.expect(")");
    check_carried(names.size(), carried, x);
    m_[i].operands = std::move(x);
    lex_.expect("{");
    RegionId condition = add_region(i);
    for (size_t k = 0; k < names.size(); ++k) argument(condition, names[k], carried[k]);
    region(condition);
    lex_.expect_word("do");
    lex_.expect("{");
    RegionId body = add_region(i);
    if (lex_.accept("^")) {
      lex_.expect_word("bb0");
      lex_.expect("(");
      do {
        const std::string_view name = defined_name();
        lex_.expect(":");
        argument(body, name, type());
      } while (lex_.accept(","));
      lex_.expect(")");
      lex_.expect(":");
    }
    region(body);
    return carried;
  }

  // ---- locations ----

  void location(InstId i) {
    if (!lex_.accept_word("loc")) return;
    lex_.expect("(");
    // Most instructions are of the same file as the one before.
    if (last_file_.empty() || !lex_.accept(last_file_)) {
      const std::string_view file = lex_.quoted("a file name");
      auto [it, is_new] = files_.try_emplace(file, static_cast<uint32_t>(m_.files.size()));
      if (is_new) m_.files.push_back(lex_.unescaped(file));
      last_file_ = {file.data() - 1, file.size() + 2};  // with its quotes
      file_ = it->second;
    }
    lex_.expect(":");
    const uint64_t line = lex_.number("a line");
    lex_.expect(")");
    if (line == 0 || line > UINT32_MAX) lex_.fail("expected a line");
    m_.locs[i.index] = {file_, static_cast<uint32_t>(line)};
  }

  Lexer lex_;
  Module m_;
  int depth_ = 0;
  size_t most_;  // more than there are values
  std::unordered_map<std::string_view, ValueId> named_;
  std::vector<ValueId> numbered_;
  std::unordered_map<std::string_view, uint32_t> files_;
  std::string_view last_file_;
  uint32_t file_ = 0;
};

}  // namespace

Module parse(std::string_view text) { return Parser(text).run(); }

}  // namespace enigma
