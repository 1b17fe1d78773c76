// MTLFunctionConstantValues, and the function constants that an MSL text declares.

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "metal.h"

namespace softmetal {
namespace {

constexpr uint32_t kMaxIndex = 65535;

struct ScalarType {
  const char* msl;
  MTL::DataType type;
  uint32_t bytes;
};
constexpr ScalarType kTypes[] = {
    {"float", MTL::DataTypeFloat, 4},   {"half", MTL::DataTypeHalf, 2},
    {"bfloat", MTL::DataTypeBFloat, 2}, {"bool", MTL::DataTypeBool, 1},
    {"char", MTL::DataTypeChar, 1},     {"uchar", MTL::DataTypeUChar, 1},
    {"short", MTL::DataTypeShort, 2},   {"ushort", MTL::DataTypeUShort, 2},
    {"int", MTL::DataTypeInt, 4},       {"uint", MTL::DataTypeUInt, 4},
    {"long", MTL::DataTypeLong, 8},     {"ulong", MTL::DataTypeULong, 8},
};

template <class Same>
const ScalarType& scalar_type(const Same& same, const char* what) {
  for (const ScalarType& t : kTypes) {
    if (same(t)) return t;
  }
  fail("constant type", "%s is no scalar type that this model knows", what);
}

const ScalarType& scalar_type(MTL::DataType type) {
  return scalar_type([&](const ScalarType& t) { return t.type == type; },
                     std::to_string(static_cast<unsigned long>(type)).c_str());
}

void set_value(ConstantValues* c, const void* value, MTL::DataType type, NS::UInteger index) {
  if (!value) fail("null constant", "setConstantValue:type:atIndex: of null");
  if (index > kMaxIndex) {
    fail("constant index", "index %lu is above %u", static_cast<unsigned long>(index), kMaxIndex);
  }
  uint64_t bits = 0;
  std::memcpy(&bits, value, scalar_type(type).bytes);
  c->values[static_cast<uint32_t>(index)] = {type, bits};
}

// The word that ends at `end`, blanks left out; moves `end` to its beginning.
std::string word_before(const std::string& text, size_t& end) {
  auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  while (end > 0 && !is_word(text[end - 1])) --end;
  size_t begin = end;
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  std::string word = text.substr(begin, end - begin);
  end = begin;
  return word;
}

}  // namespace

// constant int n [[function_constant(3)]];
std::vector<Constant> constants_of(const std::string& source) {
  std::vector<Constant> found;
  const std::string mark = "[[function_constant(";
  for (size_t at = source.find(mark); at != source.npos; at = source.find(mark, at + 1)) {
    Constant c;
    c.index = static_cast<uint32_t>(std::atol(source.c_str() + at + mark.size()));
    size_t end = at;
    c.name = word_before(source, end);
    c.type = word_before(source, end);
    found.push_back(std::move(c));
  }
  std::sort(found.begin(), found.end(),
            [](const Constant& a, const Constant& b) { return a.index < b.index; });
  return found;
}

// Values that no constant of the text asks for are ignored, as Metal does.
std::vector<softmetal_constant> values_for(const std::vector<Constant>& constants,
                                           const ConstantValues& given, std::string& error) {
  std::vector<softmetal_constant> out;
  for (const Constant& c : constants) {
    auto value = given.values.find(c.index);
    if (value == given.values.end()) {
      error += "function constant '" + c.name + "' with index " + std::to_string(c.index) +
               " has no value\n";
      continue;
    }
    const ScalarType& declared =
        scalar_type([&](const ScalarType& t) { return c.type == t.msl; }, c.type.c_str());
    const ScalarType& set = scalar_type(value->second.type);
    if (declared.type != set.type) {
      fail("constant type", "function constant '%s' is declared as %s and set as %s",
           c.name.c_str(), declared.msl, set.msl);
    }
    out.push_back({c.index, declared.bytes, value->second.bits});
  }
  return out;
}

void define_constants() {
  Class c = define<ConstantValues>();
  method<decltype(&MTL::FunctionConstantValues::alloc)>(c->isa, "alloc", [](objc_class*) {
    return as<MTL::FunctionConstantValues*>(make<ConstantValues>());
  });
  method<void (*)(const void*, MTL::DataType, NS::UInteger)>(
      c, "setConstantValue:type:atIndex:",
      [](ConstantValues* v, const void* value, MTL::DataType type, NS::UInteger index) {
        set_value(v, value, type, index);
      });
}

}  // namespace softmetal
