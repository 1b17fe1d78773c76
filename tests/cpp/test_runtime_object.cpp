// The object loader: every relocation, and bytes that are damaged in every way.
#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <vector>

#include "enigma/error.h"
#include "runtime/cpu/object.h"
#include "runtime/cpu/relocate.h"
#include "test_runtime_objects.h"

using namespace enigma;
using cpu::Object;
using testing::compile_c;

namespace {

// Constants, a jump table, writable data, zeroed data, pointers in data, calls within and without.
const std::string kMixed = R"(
typedef __SIZE_TYPE__ size_t;
void* memcpy(void*, const void*, size_t);
void* memset(void*, int, size_t);
float fmodf(float, float);
int counter = 40;
static int zeroed[1000];
static const double table[] = {1.5, 2.5, 3.5, 4.5};
__attribute__((noinline)) static int twice(int x) { return 2 * x; }
__attribute__((noinline)) int thrice(int x) { return 3 * x; }
int (*pointers[2])(int) = {twice, thrice};
int bump(void) { return ++counter + zeroed[999]++; }
double pick(int i) { return table[i & 3]; }
int call(int which, int x) { return pointers[which & 1](x) + thrice(x); }
int choose(int x) {
  switch (x) {
    case 0: return 17; case 1: return bump(); case 2: return -3; case 3: return thrice(x);
    case 4: return 99; case 5: return twice(x); case 6: return 1234; case 7: return x * x;
  }
  return 0;
}
int copy(char* to, const char* from, size_t n) {
  memcpy(to, from, n); memset(to, 33, 1); return 1;
}
float remainder_of(float x, float y) { return fmodf(x, y); }
const char* text(void) { return "some text"; }
)";

template <class F>
F* function(const Object& object, const char* name) {
  void* address = object.find(name);
  REQUIRE(address != nullptr);
  return reinterpret_cast<F*>(address);
}

void check_mixed(const std::string& flags) {
  CAPTURE(flags);
  Object object(compile_c(kMixed, flags));
  CHECK(function<int()>(object, "bump")() == 41);
  CHECK(function<int()>(object, "bump")() == 43);
  CHECK(*function<int>(object, "counter") == 42);
  CHECK(function<double(int)>(object, "pick")(2) == 3.5);
  CHECK(function<int(int, int)>(object, "call")(0, 5) == 25);
  CHECK(function<int(int, int)>(object, "call")(1, 5) == 30);
  auto choose = function<int(int)>(object, "choose");
  CHECK(choose(0) == 17);
  CHECK(choose(5) == 10);
  CHECK(choose(7) == 49);
  CHECK(choose(8) == 0);
  std::vector<char> to(3000, 0), from(3000, 'x');
  CHECK(function<int(char*, const char*, size_t)>(object, "copy")(to.data(), from.data(), 3000));
  CHECK(to[0] == '!');
  CHECK(to[2999] == 'x');
  CHECK(function<float(float, float)>(object, "remainder_of")(7.5f, 2.0f) == 1.5f);
  CHECK(std::string(function<const char*()>(object, "text")()) == "some text");
  CHECK(object.find("twice") == nullptr);  // local
  CHECK(object.find("nothing") == nullptr);
}

// True when it loaded; any other exception than the two of ours fails the test.
bool loads(const std::string& bytes) {
  try {
    Object object{bytes};
    return true;
  } catch (const Error&) {
  } catch (const InternalError&) {
  }
  return false;
}

}  // namespace

TEST_CASE("objects load and run in every code model that compilers use for kernels") {
  check_mixed("-fPIC");
  check_mixed("-fPIC -fvisibility=hidden");
  check_mixed("-fPIE");
  check_mixed("-fPIC -ffunction-sections -fdata-sections");
  check_mixed("-fno-pic");
#if defined(__x86_64__)
  check_mixed("-fno-pic -mno-red-zone -fno-jump-tables");
#endif
}

TEST_CASE("a moved object keeps its code") {
  Object first(compile_c(kMixed));
  Object second(std::move(first));
  CHECK(function<double(int)>(second, "pick")(0) == 1.5);
}

TEST_CASE("a symbol that kernels may not use is named") {
  std::string object = compile_c("int puts(const char*); int f(void) { return puts(\"\"); }");
  CHECK_THROWS_WITH_AS(Object{object},
                       "internal error of Enigma, please report it: a CPU kernel calls puts, which "
                       "kernels may not use",
                       InternalError);
}

TEST_CASE("bytes that are no object are refused") {
  CHECK_THROWS_AS(Object(""), Error);
  CHECK_THROWS_AS(Object("not an object"), Error);
  CHECK_THROWS_AS(Object(std::string(100000, '\0')), Error);
  std::string object = compile_c(kMixed);
  std::string foreign = object;
  foreign[18] = 40;  // 32-bit Arm
  CHECK_THROWS_WITH_AS(Object{foreign}, doctest::Contains("object code is for ELF machine 40"),
                       Error);
  for (size_t size = 0; size < object.size(); size += 1 + size / 40) {
    CHECK_FALSE(loads(object.substr(0, size)));
  }
}

TEST_CASE("damaged objects give an error, never a crash") {
  const std::string object = compile_c(kMixed);
  std::mt19937 random(1);
  auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  uint64_t section_headers;
  std::memcpy(&section_headers, &object[40], 8);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = object;
    size_t changes = 1 + below(4);
    for (size_t i = 0; i < changes; ++i) {
      // Half of the changes in the headers, where they do the most harm.
      size_t at = below(2) ? below(64) : section_headers + below(bytes.size() - section_headers);
      if (below(2)) at = below(bytes.size());
      static constexpr uint64_t kWords[] = {
          0, 1, 0xff, 0x7fffffff, 0xffffffff, ~uint64_t{0}, ~uint64_t{0} >> 1, ~uint64_t{15}};
      uint64_t word = below(2) ? kWords[below(8)] : uint64_t{random()} << below(40);
      size_t width = size_t{1} << below(4);
      std::memcpy(&bytes[at], &word, std::min(width, bytes.size() - at));
    }
    refused += !loads(bytes);
  }
  CHECK(refused > 5000);
}

TEST_CASE("x86-64 relocations") {
  auto patched = [](uint32_t type, uint64_t place, uint64_t target, int64_t addend) {
    uint8_t bytes[8] = {};
    cpu::relocate({cpu::kMachineX86_64, type, place, target, addend}, bytes);
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    return word;
  };
  CHECK(patched(1, 0, 0x123456789abcdef0, 16) == 0x123456789abcdf00);
  CHECK(patched(2, 0x1000, 0x3000, -4) == 0x1ffc);
  CHECK(patched(4, 0x3000, 0x1000, 0) == 0xffffe000);
  CHECK(patched(10, 0, 0xfffffff0, 0) == 0xfffffff0);
  CHECK(patched(11, 0, 0x7ffffff0, 0) == 0x7ffffff0);
  CHECK(patched(24, 0x3000, 0x1000, 0) == ~uint64_t{0x1fff});
  CHECK_THROWS_AS(patched(2, 0, uint64_t{1} << 31, 0), Error);
  CHECK_THROWS_AS(patched(10, 0, uint64_t{1} << 32, 0), Error);
  CHECK_THROWS_AS(patched(11, 0, uint64_t{1} << 31, 0), Error);
  CHECK_THROWS_AS(patched(77, 0, 0, 0), Error);
}

TEST_CASE("aarch64 relocations") {
  auto patched = [](uint32_t type, uint32_t instruction, uint64_t place, uint64_t target,
                    int64_t addend = 0) {
    uint8_t bytes[4];
    std::memcpy(bytes, &instruction, 4);
    cpu::relocate({cpu::kMachineAArch64, type, place, target, addend}, bytes);
    std::memcpy(&instruction, bytes, 4);
    return instruction;
  };
  CHECK(patched(275, 0x90000000, 0x1010, 0x5123) == 0x90000020);         // adrp x0, +4 pages
  CHECK(patched(275, 0x90000000, 0x5000, 0x4fff) == 0xf0ffffe0);         // adrp x0, -1 page
  CHECK(patched(277, 0x91000000, 0, 0x5123) == 0x91048c00);              // add x0, x0, 0x123
  CHECK(patched(286, 0xf9400000, 0, 0x5128) == 0xf9409400);              // ldr x0, [x0, 0x128]
  CHECK(patched(285, 0xb9400000, 0, 0x5120, 8) == 0xb9412800);           // ldr w0, [x0, 0x128]
  CHECK(patched(284, 0x79400000, 0, 0x5002) == 0x79400400);              // ldrh w0, [x0, 2]
  CHECK(patched(278, 0x39400000, 0, 0x5003) == 0x39400c00);              // ldrb w0, [x0, 3]
  CHECK(patched(299, 0x3dc00000, 0, 0x5130) == 0x3dc04c00);              // ldr q0, [x0, 0x130]
  CHECK(patched(283, 0x94000000, 0x1000, 0x2000) == 0x94000400);         // bl +0x1000
  CHECK(patched(282, 0x14000000, 0x2000, 0x1000) == 0x17fffc00);         // b -0x1000
  CHECK(patched(280, 0x54000000, 0x1000, 0x1010) == 0x54000080);         // b.eq +16
  CHECK(patched(312, 0xf9400000, 0, 0x5ff8) == 0xf947fc00);              // ldr x0, [x0, 0xff8]
  CHECK(patched(266, 0xf2a00000, 0, 0x123456789abc0000) == 0xf2b35780);  // movk x0, 0x9abc, lsl 16
  CHECK(patched(269, 0xf2e00000, 0, 0x123456789abc0000) == 0xf2e24680);  // movk x0, 0x1234, lsl 48
  CHECK(patched(261, 0, 0x2000, 0x1000, 4) == 0xfffff004);
  CHECK_THROWS_AS(patched(283, 0x94000000, 0, 1 << 27), Error);  // too far
  CHECK_THROWS_AS(patched(283, 0x94000000, 0, 2), Error);        // between instructions
  CHECK_THROWS_AS(patched(286, 0xf9400000, 0, 0x5124), Error);   // not aligned
  uint8_t few[3] = {};
  CHECK_THROWS_AS(cpu::relocate({cpu::kMachineAArch64, 257, 0, 0, 0}, few), Error);
}
