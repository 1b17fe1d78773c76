// The builder's frame: locations, names, parameters, constants, visibility, the finished module.

#include <algorithm>
#include <atomic>
#include <utility>

#include "enigma/builder.h"
#include "enigma/limits.h"
#include "ir/builder_state.h"
#include "ir/literal.h"
#include "ir/signature.h"

namespace enigma {

namespace {

// The one thing that builders share: a number that no other has, across threads, for telling their
// values apart.
uint32_t next_stamp() {
  static std::atomic<uint32_t> last{0};
  uint32_t stamp = 0;
  while (!stamp) stamp = ++last;  // 0 is that of no builder
  return stamp;
}

}  // namespace

Builder::State::State(std::string kernel_name) : stamp(next_stamp()) {
  m.name = std::move(kernel_name);
  m.body = region(InstId{});
  is_open[m.body.index] = true;
  at = m.body;
}

void Builder::State::warn(std::string message) {
  // A Python loop unrolls to the same line again and again: it is one finding.
  for (const auto& [text, place] : m.warnings) {
    if (text == message && place.file == where.file && place.line == where.line) return;
  }
  m.warnings.emplace_back(std::move(message), where);
}

// ---- appending ----

InstId Builder::State::append(Op op, ValueIds operands, uint64_t attr) {
  InstId id{static_cast<uint32_t>(m.insts.size())};
  m.insts.push_back({op, attr, std::move(operands), {}, {}});
  m.locs.push_back(loc);
  m[at].insts.push_back(id);
  return id;
}

ValueId Builder::State::value(const Value& v, RegionId lives_in) {
  ValueId id{static_cast<uint32_t>(m.values.size()), stamp};
  m.values.push_back(v);
  m.value_names.push_back(0);
  home.push_back(lives_in);
  stamps.push_back(stamp);
  return id;
}

ValueId Builder::State::result(InstId inst, Type type) {
  ValueId v = value({type, inst, {}, static_cast<uint32_t>(m[inst].results.size())}, at);
  m[inst].results.push_back(v);
  return v;
}

RegionId Builder::State::region(InstId parent) {
  RegionId r{static_cast<uint32_t>(m.regions.size())};
  m.regions.push_back({parent, {}, {}});
  is_open.push_back(false);
  if (parent) m[parent].regions.push_back(r);
  return r;
}

ValueId Builder::State::argument(RegionId r, Type type) {
  ValueId v = value({type, {}, r, static_cast<uint32_t>(m[r].args.size())}, r);
  m[r].args.push_back(v);
  return v;
}

ValueId Builder::State::declare(Op op, Type type, uint64_t attr, size_t position) {
  InstId id{static_cast<uint32_t>(m.insts.size())};
  m.insts.push_back({op, attr, {}, {}, {}});
  m.locs.push_back(loc);
  auto& body = m[m.body].insts;
  body.insert(body.begin() + static_cast<ptrdiff_t>(position), id);
  ValueId v = result(id, type);
  home[v.index] = m.body;
  return v;
}

void Builder::State::set_name(ValueId v, std::string_view name) {
  check_known(v);
  uint32_t& slot = m.value_names[v.index];
  if (slot || name.empty()) return;
  auto [it, is_new] =
      name_numbers.try_emplace(std::string(name), static_cast<uint32_t>(m.names.size()));
  if (is_new) m.names.emplace_back(name);
  slot = it->second;
}

// ---- reading ----

std::string Builder::State::describe(const Operand& x) const {
  if (const Literal* l = std::get_if<Literal>(&x)) return concat("the literal ", to_string(*l));
  ValueId v = std::get<ValueId>(x);
  const std::string& name = m.name_of(v);
  std::string type_text = to_string(type(v));
  return name.empty() ? type_text : concat(name, " (", type_text, ")");
}

std::string Builder::State::describe(std::span<const Operand> list) const {
  std::string out;
  for (const Operand& x : list) out += concat(out.empty() ? "" : " and ", describe(x));
  return out.empty() ? "nothing" : out;
}

std::string Builder::State::describe_region(RegionId r) const {
  InstId parent = m[r].parent;
  const char* what = m[parent].op == Op::If ? "if_" : m[parent].op == Op::For ? "loop" : "while_";
  Location place = m.location(parent);
  if (!place.line) return concat("the ", what);
  return concat("the ", what, " at line ", place.line);
}

void Builder::State::check_known(ValueId v) const {
  if (!v) fail("a value is used that is none: the result of a store, or a ValueId never set");
  if (v.index >= m.values.size() || (v.stamp && v.stamp != stamps[v.index])) {
    fail("a value is used that belongs to another kernel, or to a region whose tracing failed");
  }
}

void Builder::State::check_dtype(DType t) const {
  if (static_cast<int>(t) >= kNumDTypes) fail("no dtype has the number ", static_cast<int>(t));
}

void Builder::State::check_visible(ValueId v) const {
  check_known(v);
  RegionId r = home[v.index];
  if (is_open[r.index]) return;
  const std::string& name = m.name_of(v);
  const std::string what = name.empty() ? "a value" : name;
  const Value& value = m[v];
  if (value.region && m[m[r].parent].op == Op::For && value.index == 0) {
    fail(name.empty() ? "a loop index" : name, " counts ", describe_region(r),
         " and has no value outside it; give another name a value before the loop and set it "
         "inside");
  }
  fail(what, " is assigned inside ", describe_region(r), "; give it a value before it");
}

void Builder::State::check_value(ValueId v) const {
  check_visible(v);
  if (!type(v).is_memory()) return;
  const std::string& name = m.name_of(v);
  const std::string what = name.empty() ? "this memory" : name;
  fail(what, " is a buffer, not a value; read an element of it: ", name.empty() ? "buffer" : name,
       "[i]");
}

// ---- the public frame ----

Builder::Builder(std::string kernel_name)
    : state_(std::make_unique<State>(std::move(kernel_name))) {}
Builder::~Builder() = default;
Builder::Builder(Builder&&) noexcept = default;
Builder& Builder::operator=(Builder&&) noexcept = default;

void Builder::set_location(std::string_view file, uint32_t line) {
  State& s = *state_;
  s.where.line = line;
  s.loc.line = line;
  if (s.where.file == file && !s.m.files.empty()) return;
  s.where.file = file;
  auto found = std::find(s.m.files.begin(), s.m.files.end(), file);
  s.loc.file = static_cast<uint32_t>(found - s.m.files.begin());
  if (found == s.m.files.end()) s.m.files.emplace_back(file);
}

const Location& Builder::location() const { return state_->where; }
void Builder::set_name(ValueId v, std::string_view name) { state_->set_name(v, name); }
const Module& Builder::module() const { return state_->m; }

Type Builder::type(ValueId v) const {
  state_->check_known(v);
  return state_->type(v);
}

const std::vector<std::pair<std::string, Location>>& Builder::warnings() const {
  return state_->m.warnings;
}

namespace {

void check_param(const Module& m, std::string_view name, std::optional<uint32_t> index,
                 const Location& where) {
  if (name.empty()) throw Error("a parameter needs a name", where);
  if (m.params.size() >= kMaxParams) {
    throw Error(concat("a kernel takes at most ", kMaxParams, " parameters; ", name,
                       " is one more: pass several values in one buffer"),
                where);
  }
  for (const Param& p : m.params) {
    if (p.name == name)
      throw Error(concat("two parameters are called ", name, "; give each its own name"), where);
  }
  const auto position = static_cast<uint32_t>(m.params.size());
  const uint32_t mine = index.value_or(position);
  if (mine >= kMaxParams) {
    throw Error(concat("parameter ", name, " has the buffer index ", mine, ": Metal has ", 0,
                       " to ", kMaxParams - 1),
                where);
  }
  uint32_t k = 0;
  for (const Param& p : m.params) {
    if (p.index.value_or(k++) != mine) continue;
    throw Error(concat("parameters ", p.name, " and ", name, " both have the buffer index ", mine,
                       "; give one of them another"),
                where);
  }
}

}  // namespace

ValueId Builder::State::parameter(std::string_view name, DType dtype, bool is_scalar,
                                  std::optional<uint32_t> index) {
  check_dtype(dtype);
  check_param(m, name, index, where);
  if (index == m.params.size()) index.reset();
  const Type type = is_scalar ? Type::scalar(dtype) : Type::memory(dtype, AddressSpace::Device);
  const ValueId v = value({type, {}, {}, static_cast<uint32_t>(m.params.size())}, m.body);
  m.params.push_back({std::string(name), dtype, is_scalar, false, false, v, index});
  set_name(v, name);
  return v;
}

ValueId Builder::buffer(std::string_view name, DType dtype, std::optional<uint32_t> index) {
  return state_->parameter(name, dtype, false, index);
}

ValueId Builder::scalar(std::string_view name, DType dtype, std::optional<uint32_t> index) {
  return state_->parameter(name, dtype, true, index);
}

ValueId Builder::size(std::string_view name, uint32_t multiple, std::optional<uint32_t> index) {
  if (multiple < 1 || multiple > kMaxSize) {
    state_->fail("size takes a multiple from 1 to ", kMaxSize, ", not ", multiple);
  }
  ValueId v = scalar(name, DType::U32, index);
  state_->m.params.back().multiple = multiple;
  return v;
}

ValueId Builder::constant(Literal x) {
  DType t = natural_type(x);
  if (!fits(t, x)) return state_->literal(t, x, false);  // 2^64 and the like: fails there
  return state_->constant(Type::scalar(t), literal_bits(t, x));
}

ValueId Builder::constant(DType dtype, Literal x) {
  State& s = *state_;
  s.check_dtype(dtype);
  if (!fits_width(dtype, x)) {
    s.fail("the ", python_type(x), " ", to_string(x), " does not fit ", info(dtype).mnemonic);
  }
  return s.constant(Type::scalar(dtype), literal_bits(dtype, x));
}

ValueId Builder::query(Op op, int dim) {
  const OpInfo& row = info(op);
  if (row.shape != Shape::Query) {
    state_->fail("query() takes a position or size of the grid, ", row.mnemonic, " was given");
  }
  if (dim < 0 || dim >= (row.has(flag::XYZ) ? 3 : 1)) {
    state_->fail(row.python, " has no dimension ", dim);
  }
  return state_->emit(op, {}, Type::scalar(DType::U32), static_cast<uint64_t>(dim));
}

ValueId Builder::function_constant(DType dtype, int64_t index) {
  State& s = *state_;
  s.check_dtype(dtype);
  if (index < 0 || index > kMaxFunctionConstant) {
    s.fail("function_constant takes an index from 0 to ", kMaxFunctionConstant, ", not ", index);
  }
  const auto number = static_cast<uint64_t>(index);
  for (size_t k = s.allocs; k < s.allocs + s.constants; ++k) {
    const InstId known = s.m[s.m.body].insts[k];
    const DType is = s.type(s.m[known].results[0]).dtype;
    if (s.m[known].attr != number || is == dtype) continue;
    const uint32_t line = s.m.location(known).line;
    s.fail("function constant ", number, " is ", info(is).mnemonic,
           line ? concat(" (line ", line, ")") : "", " and cannot be ", info(dtype).mnemonic,
           " as well; give one of them another index");
  }
  return s.declare(Op::FunctionConstant, Type::scalar(dtype), number, s.allocs + s.constants++);
}

void Builder::set_elements(ValueId buffer, uint64_t elements) {
  State& s = *state_;
  for (Param& p : s.m.params) {
    if (p.value != s.memory(buffer, "set_elements")) continue;
    p.elements = std::max(p.elements, elements);
    return;
  }
  s.fail("set_elements takes a parameter from buffer(), ", s.describe(buffer), " was given");
}

Builder::Bounds Builder::bounds(ValueId v) {
  State& s = *state_;
  s.check_known(v);
  s.ranges.update();
  const Range r = s.ranges[v];
  const Range all = range_of(DType::I64);
  return {static_cast<int64_t>(std::clamp(r.lo, all.lo, all.hi)),
          static_cast<int64_t>(std::clamp(r.hi, all.lo, all.hi))};
}

Builder::Sum Builder::apart(ValueId v) const {
  state_->check_known(v);
  const Module& m = state_->m;
  const Instruction* def = m.def(v);
  if (!def || def->op != Op::AddI || info(m.type(v).dtype).bits < 32) return {v};
  const auto last = m.constant(def->operands[1]);
  if (!last || *last > INT32_MAX) return {v};
  return {def->operands[0], static_cast<int64_t>(*last)};
}

void Builder::set_launch(std::array<uint32_t, 3> grid, std::array<uint32_t, 3> threads) {
  state_->ranges.set_launch(grid, threads);
}

int Builder::depth() const { return static_cast<int>(state_->open.size()); }

void Builder::abandon() {
  State& s = *state_;
  if (s.open.empty()) return;
  Module& m = s.m;
  std::erase_if(m[m.body].insts, [&](InstId i) { return i.index >= s.mark.insts; });
  m.insts.resize(s.mark.insts);
  m.locs.resize(s.mark.insts);
  m.values.resize(s.mark.values);
  m.value_names.resize(s.mark.values);
  s.home.resize(s.mark.values);
  s.stamps.resize(s.mark.values);
  s.stamp = next_stamp();  // the numbers are given again: what had them is not meant
  m.regions.resize(s.mark.regions);
  s.is_open.resize(s.mark.regions);
  s.threadgroup_bytes = s.mark.threadgroup_bytes;
  s.allocs = s.mark.allocs;
  s.constants = s.mark.constants;
  s.open.clear();
  s.ranges.truncate(s.mark.values);
  s.at = m.body;
}

Module Builder::finish() {
  State& s = *state_;
  if (!s.open.empty()) {
    s.fail(s.describe_region(s.at), " is still open; close it with ", s.open.back().closer(),
           "() before finish()");
  }
  fill_param_effects(s.m);
  Module done = std::move(s.m);
  state_ = std::make_unique<State>("");
  return done;
}

}  // namespace enigma
