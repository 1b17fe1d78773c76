// Legal identifiers: what Metal reserves, and how names that it would refuse are changed.
#include "codegen/msl/names.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "support/text.h"

namespace enigma::msl {
namespace {

// Words that are not types with a number behind them; those are recognised by their form below.
constexpr std::string_view kReserved =
    // C++: keywords and alternative tokens
    " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t"
    " char32_t class compl concept const consteval constexpr constinit const_cast continue co_await"
    " co_return co_yield decltype default delete do double dynamic_cast else enum explicit export"
    " extern false final float for friend goto if import inline int long module mutable namespace "
    "new"
    " noexcept not not_eq nullptr operator or or_eq override private protected public register"
    " reinterpret_cast requires restrict return short signed sizeof static static_assert "
    "static_cast"
    " struct switch template this thread_local throw true try typedef typeid typename union "
    "unsigned"
    " using virtual void volatile wchar_t while xor xor_eq main std size_t ptrdiff_t nullptr_t"
    // Metal: address spaces, functions, types
    " kernel vertex fragment mesh object visible stitchable intersection patch device constant "
    "thread"
    " threadgroup threadgroup_imageblock ray_data object_data coherent half bfloat uchar ushort "
    "uint"
    " ulong int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t intptr_t uintptr_t"
    " vec packed_vec matrix array array_ref atomic sampler access level bias gradient2d gradient3d"
    " gradientcube metal mem_flags memory_order"
    " thread_scope memory_order_relaxed memory_order_acquire memory_order_release "
    "memory_order_acq_rel"
    " memory_order_seq_cst thread_scope_thread thread_scope_simdgroup thread_scope_threadgroup"
    " thread_scope_device atomic_bool atomic_int atomic_uint atomic_ulong atomic_long atomic_float"
    " simdgroup_matrix simd_vote quad_vote numeric_limits as_type fast precise function_constant"
    // Metal's library: a local of such a name would hide the function from the kernel
    " abs absdiff acos acosh addsat align_up all any asin asinh atan atan2 atanh ceil clamp clz "
    "copysign"
    " cos cosh cospi cross ctz dfdx dfdy determinant distance distance_squared divide dot exp "
    "exp10 exp2"
    " extract_bits fabs faceforward fdim floor fma fmax fmax3 fmedian3 fmin fmin3 fmod fract frexp "
    "fwidth"
    " hadd ilogb insert_bits isfinite isinf isnan isnormal isordered isunordered ldexp length"
    " length_squared log log10 log2 mad24 madhi madsat max max3 median3 min min3 mix modf mul24 "
    "mulhi"
    " nextafter normalize popcount pow powr reflect refract reverse_bits rhadd rint rotate round "
    "rsqrt"
    " saturate select sign signbit sin sincos sinh sinpi smoothstep sqrt step subsat tan tanh tanpi"
    " transpose trunc threadgroup_barrier simdgroup_barrier atomic_thread_fence"
    // macros
    " INFINITY NAN HUGE_VAL HUGE_VALF HUGE_VALH HUGE_VALBF MAXFLOAT MAXHALF MAXBFLOAT NULL "
    "CHAR_BIT SCHAR_MAX"
    " SCHAR_MIN UCHAR_MAX CHAR_MAX CHAR_MIN SHRT_MAX SHRT_MIN USHRT_MAX INT_MAX INT_MIN UINT_MAX"
    " LONG_MAX LONG_MIN ULONG_MAX FLT_MAX FLT_MIN FLT_EPSILON FLT_DIG HALF_MAX HALF_MIN "
    "HALF_EPSILON"
    " HALF_DIG BFLT_MAX BFLT_MIN BFLT_EPSILON FP_ILOGB0 FP_ILOGBNAN METAL_FUNC METAL_ALIGN"
    " METAL_ASM METAL_CONST METAL_PURE assert errno linux unix ";

// Families of names that belong to Metal or to the prelude.
constexpr std::string_view kPrefixes[] = {"enigma_", "simdgroup_", "atomic_", "pack_",    "unpack_",
                                          "metal_",  "M_",         "FLT_",    "HALF_",    "BFLT_",
                                          "air_",    "texture",    "depth2d", "depthcube"};

// What follows simd_ and quad_ in the library's names, or begins there.
constexpr std::string_view kLaneOps[] = {
    "sum", "product", "min",       "max",     "and",    "or",       "xor",     "all",
    "any", "ballot",  "broadcast", "shuffle", "prefix", "is_first", "active_", "vote"};

// Element types that Metal puts a vector or matrix size behind: float4, packed_half3, float4x4.
constexpr std::string_view kElements[] = {"float",  "half",  "bfloat", "double", "bool",
                                          "char",   "short", "int",    "long",   "uchar",
                                          "ushort", "uint",  "ulong"};

bool is_size(std::string_view s) {
  auto digit = [](char c) { return c >= '1' && c <= '9'; };
  if (s == "16" || s == "8") return true;
  return (s.size() == 1 && digit(s[0])) ||
         (s.size() == 3 && digit(s[0]) && s[1] == 'x' && digit(s[2]));
}

bool is_sized_type(std::string_view name) {
  for (std::string_view prefix : {"packed_", "simdgroup_"}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  for (std::string_view element : kElements) {
    if (name.starts_with(element) && is_size(name.substr(element.size()))) return true;
  }
  return false;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Decodes one UTF-8 sequence; a broken one gives the byte itself.
uint32_t code_point(std::string_view s, size_t& at) {
  auto byte = [&](size_t i) -> uint32_t { return static_cast<unsigned char>(s[i]); };
  uint32_t lead = byte(at++);
  size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
  uint32_t code = lead & (0x3fu >> more);
  for (size_t k = 0; k < more; ++k) {
    if (at + k >= s.size() || (byte(at + k) & 0xc0) != 0x80) return lead;
    code = code << 6 | (byte(at + k) & 0x3f);
  }
  if (more == 0) return lead;
  at += more;
  return code;
}

void add_hex(std::string& out, uint32_t code) {
  char digits[8];
  auto end = std::to_chars(digits, digits + sizeof digits, code, 16).ptr;
  out.push_back('u');
  out.append(digits, end);
}

}  // namespace

bool is_reserved(std::string_view name) {
  static const auto* words = [] {
    auto* set = new std::unordered_set<std::string_view>;  // lives as long as the process
    for (size_t at = 1; at < kReserved.size();) {
      size_t end = kReserved.find(' ', at);
      set->insert(kReserved.substr(at, end - at));
      at = end + 1;
    }
    return set;
  }();
  if (words->contains(name) || is_sized_type(name)) return true;
  for (std::string_view prefix : kPrefixes) {
    if (name.starts_with(prefix)) return true;
  }
  if (!name.starts_with("simd_") && !name.starts_with("quad_")) return false;
  name.remove_prefix(std::string_view("simd_").size());
  return std::any_of(std::begin(kLaneOps), std::end(kLaneOps),
                     [&](std::string_view op) { return name.starts_with(op); });
}

std::string legal_identifier(std::string_view wanted) {
  std::string out;
  for (size_t at = 0; at < wanted.size();) {
    uint32_t code = code_point(wanted, at);
    if (code >= 0x80) {
      add_hex(out, code);
    } else if (char c = static_cast<char>(code); !is_word(c)) {
      if (!out.empty() && out.back() != '_') out.push_back('_');
    } else if (c != '_' || (!out.empty() && out.back() != '_')) {
      // Leading and double underscores belong to the implementation.
      out.push_back(c);
    }
  }
  if (out.empty()) out = "value";
  if (std::isdigit(static_cast<unsigned char>(out[0]))) out.insert(0, 1, 'v');
  if (is_reserved(out)) {
    // A trailing underscore frees a word, not a family of names.
    out.push_back('_');
    if (is_reserved(out)) out.insert(0, "my_");
  }
  return out;
}

void Namer::close() {
  for (const std::string& name : scopes_.back()) taken_.erase(name);
  scopes_.pop_back();
}

std::string Namer::declare(std::string_view wanted) {
  return declare_legal(legal_identifier(wanted));
}

std::string Namer::declare_legal(std::string_view base) {
  std::string name(base);
  if (taken_.contains(name)) {
    unsigned& next = next_[name];
    std::string_view join = base.back() == '_' ? "" : "_";
    do {
      name = concat(base, join, ++next);
    } while (taken_.contains(name) || is_reserved(name));
  }
  taken_.insert(name);
  scopes_.back().push_back(name);
  return name;
}

}  // namespace enigma::msl
