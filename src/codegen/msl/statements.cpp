// Statements of MSL: stores, barriers, and structured control flow with its variables.
#include <algorithm>
#include <unordered_map>

#include "codegen/msl/table.h"
#include "codegen/msl/writer.h"

namespace enigma::msl {
namespace {

constexpr size_t kLongestBound = 40;  // a loop's bound that is written where it is tested

}  // namespace

void Writer::region(RegionId r) {
  for (InstId id : m_[r].insts) {
    if (uses_.live[id.index]) statement(id);
  }
}

void Writer::statement(InstId id) {
  const Instruction& inst = m_[id];
  InstId before = std::exchange(at_, id);
  switch (info(inst.op).shape) {
    case Shape::Constant:
    case Shape::FunctionConstant:
    case Shape::Alloc:
    case Shape::Yield:
      break;  // numbers stand where they are used, arrays at the top, yields with their region
    case Shape::Store:
      store(inst);
      break;
    case Shape::Atomic:
      atomic(id);
      break;
    case Shape::Async:
      inst.op == Op::AsyncCopy ? async_copy(inst) : async_wait(inst);
      break;
    case Shape::Barrier:
      barrier(inst);
      break;
    case Shape::SimdMatrix:
      simd_matrix(id);
      break;
    case Shape::Region:
      if (inst.op == Op::For) emit_for(id);
      if (inst.op == Op::While) emit_while(id);
      if (inst.op == Op::If) emit_if(id);
      break;
    default:
      value(id);
  }
  at_ = before;
}

// ---- memory
// --------------------------------------------------------------------------------------

void Writer::store(const Instruction& inst) {
  DType t = dtype(inst.operands[0]);
  Frag index = index_of(inst.operands[1]), x = exact(inst.operands[2]);
  if (t == DType::B1)
    x = make_frag(concat("uchar(", x.text, ")"), Prec::Primary, Form::Exact, {&x});
  settle_loads();
  line(concat(place(inst.operands[0], index, inst.attr), " = ", x.text, ";"));
}

void Writer::barrier(const Instruction& inst) {
  static constexpr std::pair<uint8_t, std::string_view> kFlags[] = {
      {kMemDevice, "mem_device"},
      {kMemThreadgroup, "mem_threadgroup"},
      {kMemTexture, "mem_texture"}};
  std::string flags;
  for (auto [bit, name] : kFlags) {
    if (inst.attr & bit) flags += concat(flags.empty() ? "" : " | ", "mem_flags::", name);
  }
  if (flags.empty()) flags = "mem_flags::mem_none";
  settle_loads();
  line(concat(replaced(std::string(spelling(inst.op).text), "$f", flags), ";"));
}

// ---- variables
// -----------------------------------------------------------------------------------

Frag Writer::variable_frag(uint32_t variable) const {
  Frag f;
  f.text = variable_names_[variable];
  f.atom = true;
  f.reads.push_back(variable);
  return f;
}

void Writer::declare_variable(uint32_t variable, const Frag* init) {
  std::string name = names_.declare(variables_.name(variable));
  std::string type = type_name(variables_.type(variable));
  line(init ? concat(type, " ", name, " = ", init->text, ";") : concat(type, " ", name, ";"));
  variable_names_[variable] = std::move(name);
}

// Assignments that all read before any is made.
void Writer::assign(std::vector<Assignment> work) {
  std::unordered_map<uint32_t, size_t> place;  // of a variable's assignment
  for (size_t i = 0; i < work.size(); ++i) place.emplace(work[i].variable, i);
  std::vector<std::set<size_t>> reads(work.size());  // whose old values each wants
  std::vector<size_t> wanted(work.size());           // by how many others
  for (size_t i = 0; i < work.size(); ++i) {
    for (uint32_t variable : work[i].value.reads) {
      auto found = place.find(variable);
      if (found == place.end() || found->second == i || !reads[i].insert(found->second).second) {
        continue;
      }
      ++wanted[found->second];
    }
  }
  std::set<size_t> left, ready;
  for (size_t i = 0; i < work.size(); ++i) {
    left.insert(left.end(), i);
    if (!wanted[i]) ready.insert(ready.end(), i);
  }
  auto has_read = [&](size_t i) {
    for (size_t other : reads[i]) {
      if (!--wanted[other]) ready.insert(other);
    }
    reads[i].clear();
  };
  while (!left.empty()) {
    const size_t i = ready.empty() ? *left.begin() : *ready.begin();
    Assignment& a = work[i];
    if (ready.empty()) {
      // They wait for each other in a circle; a copy of one opens it.
      std::string next = names_.declare(concat(variable_names_[a.variable], "_next"));
      line(concat("const ", type_name(variables_.type(a.variable)), " ", next, " = ", a.value.text,
                  ";"));
      a.value = Frag{};
      a.value.text = next;
    } else {
      line(concat(variable_names_[a.variable], " = ", a.value.text, ";"));
      ready.erase(i);
      left.erase(i);
    }
    has_read(i);
  }
}

// What a region hands over at its end, into the variables of `targets`.
void Writer::yield(RegionId r, std::span<const ValueId> targets, size_t first) {
  const Instruction& last = m_[m_[r].insts.back()];
  std::vector<Assignment> work;
  for (size_t k = 0; k + first < targets.size() && k < last.operands.size(); ++k) {
    uint32_t variable = variables_.of(targets[k + first]);
    if (variables_.of(last.operands[k]) == variable) continue;
    work.push_back({variable, exact(last.operands[k])});
  }
  InstId before = std::exchange(at_, InstId{});  // the statement has been named where it computes
  assign(std::move(work));
  at_ = before;
}

void Writer::declare_carried(InstId id, size_t first_init, RegionId body, size_t first_arg) {
  const Instruction& inst = m_[id];
  for (size_t k = 0; k + first_init < inst.operands.size(); ++k) {
    ValueId init = inst.operands[k + first_init], arg = m_[body].args[k + first_arg];
    uint32_t variable = variables_.of(arg);
    if (variable_names_[variable].empty()) {
      Frag f = exact(init);
      declare_variable(variable, &f);
    }
    frags_[arg.index] = variable_frag(variable);
    frags_[inst.results[k].index] = variable_frag(variable);
  }
}

std::set<uint32_t> Writer::assigned_in(InstId id) const {
  std::set<uint32_t> out;
  std::vector<InstId> work{id};
  while (!work.empty()) {
    const Instruction& inst = m_[work.back()];
    work.pop_back();
    for (ValueId v : inst.results) {
      if (variables_.of(v) != kNoVariable) out.insert(variables_.of(v));
    }
    for (RegionId r : inst.regions) work.insert(work.end(), m_[r].insts.begin(), m_[r].insts.end());
  }
  return out;
}

bool Writer::has_effects(InstId id) const {
  std::vector<InstId> work{id};
  while (!work.empty()) {
    const Instruction& inst = m_[work.back()];
    work.pop_back();
    if (info(inst.op).has(flag::WRITE | flag::SYNC)) return true;
    for (RegionId r : inst.regions) work.insert(work.end(), m_[r].insts.begin(), m_[r].insts.end());
  }
  return false;
}

bool Writer::reads_any(const Frag& f, const std::set<uint32_t>& variables) const {
  return std::any_of(f.reads.begin(), f.reads.end(),
                     [&](uint32_t v) { return variables.contains(v); });
}

// Waiting texts that would see what the instruction does are written out before it. A load that
// its first arm alone wants waits on: the arm keeps the order of the program.
void Writer::before_region_op(InstId id) {
  if (has_effects(id)) {
    const Instruction& inst = m_[id];
    std::vector<ValueId> later;
    std::erase_if(loading_, [&](ValueId v) {
      const std::vector<InstId>& users = uses_.users[v.index];
      const bool waits =
          inst.op == Op::If && users.size() == 1 && uses_.in_or_under(inst.regions[0], users[0]);
      if (waits) later.push_back(v);
      return waits;
    });
    settle_loads();
    loading_ = std::move(later);
  }
  settle_reads(assigned_in(id));
}

// ---- control flow
// --------------------------------------------------------------------------------

std::string Writer::body_text(const std::function<void()>& write) {
  Text inner;
  for (int k = 0; k <= depth_; ++k) inner.indent();
  std::swap(text_, inner);
  ++depth_;
  write();
  --depth_;
  std::swap(text_, inner);
  return std::move(inner.str());
}

// Text that a loop evaluates in each turn: cheap, and the same each time.
Frag Writer::repeated(ValueId v, const std::set<uint32_t>& assigned) {
  Frag f = exact(v);
  if (!f.loads && f.text.size() <= kLongestBound && !reads_any(f, assigned)) return f;
  std::string name = m_[v].def && !f.atom ? local_name(m_[v].def) : names_.declare("bound");
  line(concat("const ", type_name(m_.type(v)), " ", name, " = ", f.text, ";"));
  f = Frag{};
  f.text = name;
  f.atom = true;
  return f;
}

void Writer::emit_for(InstId id) {
  const Instruction& inst = m_[id];
  RegionId body = inst.regions[0];
  ValueId index = m_[body].args[0], lo = inst.operands[0], hi = inst.operands[1],
          by = inst.operands[2];
  DType t = dtype(index);
  declare_carried(id, 3, body, 1);
  std::set<uint32_t> assigned = assigned_in(id);
  Frag bound = repeated(hi, assigned), step = repeated(by, assigned), start = in_range(lo);
  before_region_op(id);

  names_.open();
  std::string i = names_.declare(m_.name_of(index).empty() ? "i" : m_.name_of(index));
  Frag counter;
  counter.text = i;
  counter.atom = true;
  frags_[index.index] = counter;

  Form form = is_narrow(t) ? Form::Promoted : Form::Exact;  // C++ compares narrow types as ints
  if (const auto c = m_.constant(hi)) bound = literal(t, *c, form);
  std::string limit = as_operand(bound, Prec::Relational, true);
  std::string number = as_operand(step, Prec::Relational, false);
  std::string zero = literal(t, 0, form).text;
  Range s = ranges_[by];
  std::string test;
  if (s.lo > 0) {
    test = concat(i, " < ", limit);
  } else if (s.hi < 0) {
    test = concat(i, " > ", limit);
  } else if (is_unsigned(t)) {
    test = concat(number, " > ", zero, " && ", i, " < ", limit);
  } else {
    test = concat(number, " > ", zero, " ? ", i, " < ", limit, " : ", number, " < ", zero, " && ",
                  i, " > ", limit);
  }

  // Where a constant bound says that the last step passes the end of the type, addsat stops there.
  // A traced bound is taken not to lie that close: loops that compilers know are worth more.
  Range all = range_of(t), h = ranges_[hi];
  bool passes = m_.constant(hi) && (h.hi - 1 + s.hi > all.hi || h.lo + 1 + s.lo < all.lo);
  std::string advance;
  if (passes) {
    advance = concat(i, " = addsat(", i, ", ", step.text, ")");
  } else if (s.lo == s.hi && (s.lo == 1 || s.lo == -1)) {
    advance = concat(i, s.lo == 1 ? "++" : "--");
  } else if (s.lo == s.hi) {
    Range::Wide size = s.lo < 0 ? -s.lo : s.lo;
    advance =
        concat(i, s.lo < 0 ? " -= " : " += ", literal(t, static_cast<uint64_t>(size), form).text);
  } else {
    advance = concat(i, " += ", step.text);
  }
  line(concat("for (", name_of(t), " ", i, " = ", start.text, "; ", test, "; ", advance, ") {"));
  std::string inner = body_text([&] {
    region(body);
    yield(body, m_[body].args, 1);
  });
  text_.add(inner);
  text_.line("}");
  names_.close();
}

void Writer::emit_while(InstId id) {
  const Instruction& inst = m_[id];
  RegionId condition = inst.regions[0], body = inst.regions[1];
  declare_carried(id, 0, body, 0);
  for (ValueId v : m_[condition].args) frags_[v.index] = variable_frag(variables_.of(v));
  before_region_op(id);

  std::string note = comment();
  names_.open();
  std::string test;
  std::string before = body_text([&] {
    bool outer = std::exchange(in_condition_, true);
    region(condition);
    in_condition_ = outer;
    Frag f = exact(m_[m_[condition].insts.back()].operands[0]);
    test = f.text;
    if (!text_.str().empty()) text_.line("if (!", as_operand(f, Prec::Unary, true), ") break;");
  });
  text_.line("while (", before.empty() ? test : "true", ") {", note);
  text_.add(before);
  std::string inner = body_text([&] {
    region(body);
    yield(body, m_[body].args, 0);
  });
  text_.add(inner);
  text_.line("}");
  names_.close();
}

void Writer::emit_if(InstId id) {
  const Instruction& inst = m_[id];
  Frag test = exact(inst.operands[0]);
  for (ValueId v : inst.results) {
    uint32_t variable = variables_.of(v);
    if (variable_names_[variable].empty()) declare_variable(variable, nullptr);
    frags_[v.index] = variable_frag(variable);
  }
  before_region_op(id);

  std::string note = comment();
  std::string arms[2];
  for (size_t arm = 0; arm < inst.regions.size(); ++arm) {
    names_.open();
    arms[arm] = body_text([&] {
      region(inst.regions[arm]);
      if (!inst.results.empty()) yield(inst.regions[arm], inst.results, 0);
    });
    names_.close();
  }
  if (arms[0].empty() && arms[1].empty()) return;
  if (arms[0].empty()) {
    text_.line("if (!", as_operand(test, Prec::Unary, true), ") {", note);
    std::swap(arms[0], arms[1]);
  } else {
    text_.line("if (", test.text, ") {", note);
  }
  text_.add(arms[0]);
  if (!arms[1].empty()) {
    text_.line("} else {");
    text_.add(arms[1]);
  }
  text_.line("}");
}

}  // namespace enigma::msl
