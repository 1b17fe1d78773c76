// Loads an ELF object: sections into three runs of pages (code, constants, data), then relocations.
// The compiler targets ELF on every host, macOS included, so there is one format to read.

#include "runtime/cpu/object.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "enigma/error.h"
#include "runtime/cpu/relocate.h"
#include "support/text.h"

namespace enigma::cpu {
namespace {

struct ElfHeader {
  uint8_t ident[16];
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, program_headers, section_headers;
  uint32_t flags;
  uint16_t header_size, program_size, program_count, section_size, section_count, name_section;
};
static_assert(sizeof(ElfHeader) == 64);

struct ElfSection {
  uint32_t name, type;
  uint64_t flags, address, offset, size;
  uint32_t link, info;
  uint64_t alignment, entry_size;
};
static_assert(sizeof(ElfSection) == 64);

struct ElfSymbol {
  uint32_t name;
  uint8_t info, other;
  uint16_t section;
  uint64_t value, size;
};
static_assert(sizeof(ElfSymbol) == 24);

struct ElfRela {
  uint64_t offset, info;
  int64_t addend;
};
static_assert(sizeof(ElfRela) == 24);

constexpr uint32_t kSymbolTable = 2, kRela = 4, kNoBits = 8, kRel = 9;  // section types
constexpr uint64_t kWrite = 1, kAlloc = 2, kExecute = 4, kThreadLocal = 0x400;
constexpr uint16_t kUndefined = 0, kFirstReserved = 0xff00, kAbsolute = 0xfff1;
constexpr uint32_t kTypeSection = 3;                 // of a symbol: stands for its section
constexpr uint64_t kMaxImage = uint64_t{256} << 20;  // within reach of every branch and address

#if defined(__x86_64__)
constexpr uint16_t kHostMachine = kMachineX86_64;
#elif defined(__aarch64__)
constexpr uint16_t kHostMachine = kMachineAArch64;
#else
#error "the CPU device runs on x86-64 and aarch64"
#endif

[[noreturn]] void damaged(std::string_view what) {
  throw Error(concat("object code is damaged: ", what));
}

// What compilers call on their own, where the instruction set lacks it. Each has one right result,
// so that numbers do not depend on the host's libraries.
uint64_t external(std::string_view name) {
  auto at = [](auto* function) { return reinterpret_cast<uint64_t>(function); };
  using F1 = float(float);
  using F2 = float(float, float);
  using F3 = float(float, float, float);
  using D1 = double(double);
  using D2 = double(double, double);
  using D3 = double(double, double, double);
  static const std::pair<std::string_view, uint64_t> kAllowed[] = {
      {"memcpy", at(static_cast<void* (*)(void*, const void*, size_t)>(&std::memcpy))},
      {"memmove", at(static_cast<void* (*)(void*, const void*, size_t)>(&std::memmove))},
      {"memset", at(static_cast<void* (*)(void*, int, size_t)>(&std::memset))},
      {"ceilf", at(static_cast<F1*>(&::ceilf))},
      {"ceil", at(static_cast<D1*>(&::ceil))},
      {"floorf", at(static_cast<F1*>(&::floorf))},
      {"floor", at(static_cast<D1*>(&::floor))},
      {"truncf", at(static_cast<F1*>(&::truncf))},
      {"trunc", at(static_cast<D1*>(&::trunc))},
      {"rintf", at(static_cast<F1*>(&::rintf))},
      {"rint", at(static_cast<D1*>(&::rint))},
      {"nearbyintf", at(static_cast<F1*>(&::nearbyintf))},
      {"nearbyint", at(static_cast<D1*>(&::nearbyint))},
      {"roundf", at(static_cast<F1*>(&::roundf))},
      {"round", at(static_cast<D1*>(&::round))},
      {"fmodf", at(static_cast<F2*>(&::fmodf))},
      {"fmod", at(static_cast<D2*>(&::fmod))},
      {"fmaf", at(static_cast<F3*>(&::fmaf))},
      {"fma", at(static_cast<D3*>(&::fma))},
  };
  for (auto& [allowed, address] : kAllowed) {
    if (allowed == name) return address;
  }
  throw InternalError(concat("a CPU kernel calls ", name, ", which kernels may not use"));
}

// Copies out of the bytes, with every access checked.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::string_view slice(uint64_t offset, uint64_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) damaged("it ends too early");
    return bytes_.substr(offset, size);
  }
  template <class T>
  std::vector<T> array(uint64_t offset, uint64_t bytes) const {
    std::string_view source = slice(offset, bytes);
    std::vector<T> out(source.size() / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), source.data(), out.size() * sizeof(T));
    return out;
  }

 private:
  std::string_view bytes_;
};

std::string_view string_at(std::string_view table, uint32_t offset) {
  if (offset >= table.size()) damaged("a name lies outside its table");
  std::string_view rest = table.substr(offset);
  size_t end = rest.find('\0');
  if (end == std::string_view::npos) damaged("a name has no end");
  return rest.substr(0, end);
}

uint64_t align_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

// One load under way: parse, plan, then write into mapped memory.
class Loader {
 public:
  explicit Loader(std::string_view elf) : in_(elf) { parse(); }

  uint64_t plan();
  bool low_memory() const { return low_memory_; }
  void fill(uint8_t* memory);
  /// Code is executable, constants are read-only. False when the system refuses.
  bool protect(uint8_t* memory) const;
  std::unordered_map<std::string, void*> exports(uint8_t* memory) const;

 private:
  static constexpr uint64_t kNone = UINT64_MAX;
  enum Run : uint8_t { kCode, kConstants, kData, kRuns, kNotLoaded };
  struct Placed {
    Run run = kNotLoaded;
    uint64_t offset = 0;  // in the image
  };

  void parse();
  bool loaded(uint32_t section) const {
    return section < placed_.size() && placed_[section].run != kNotLoaded;
  }
  std::string_view name_of(const ElfSymbol& s) const { return string_at(names_, s.name); }
  const ElfSymbol& symbol_of(const ElfRela& r) const {
    uint64_t index = r.info >> 32;
    if (index >= symbols_.size()) damaged("a relocation names no symbol");
    return symbols_[index];
  }
  uint64_t address_of_symbol(const ElfSymbol& s, uint8_t* memory) const;
  template <class F>
  void each_relocation(F&& f) const;

  Reader in_;
  std::vector<ElfSection> sections_;
  std::vector<Placed> placed_;
  std::vector<ElfSymbol> symbols_;
  std::string_view names_;
  std::vector<uint64_t> got_, stub_;  // by symbol: offset in the image, or kNone
  uint64_t run_begin_[kRuns + 1] = {};
  bool low_memory_ = false;
};

void Loader::parse() {
  auto headers = in_.array<ElfHeader>(0, sizeof(ElfHeader));
  const ElfHeader& h = headers[0];
  static constexpr uint8_t kIdent[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};  // 64 bits, little-endian
  if (std::memcmp(h.ident, kIdent, sizeof kIdent) != 0 || h.type != 1) {
    damaged("it is no relocatable 64-bit ELF object");
  }
  if (h.machine != kHostMachine) {
    throw Error(
        concat("object code is for ELF machine ", h.machine, ", this machine is ", kHostMachine));
  }
  if (h.section_size != sizeof(ElfSection)) damaged("bad section headers");
  sections_ = in_.array<ElfSection>(h.section_headers, uint64_t{h.section_count} * 64);
  if (h.name_section >= sections_.size()) damaged("no section names");
  const ElfSection& names = sections_[h.name_section];
  std::string_view section_names = in_.slice(names.offset, names.size);

  placed_.resize(sections_.size());
  for (size_t i = 0; i < sections_.size(); ++i) {
    const ElfSection& s = sections_[i];
    if (s.type == kSymbolTable) {
      symbols_ = in_.array<ElfSymbol>(s.offset, s.size);
      if (s.link >= sections_.size()) damaged("no symbol names");
      names_ = in_.slice(sections_[s.link].offset, sections_[s.link].size);
    }
    // Unwind tables are of no use: kernels throw nothing and nothing throws through them.
    if (!(s.flags & kAlloc) || string_at(section_names, s.name) == ".eh_frame") continue;
    if (s.flags & kThreadLocal) throw Error("object code has thread-local variables");
    if (s.alignment & (s.alignment - 1) || s.alignment > 4096) damaged("bad alignment");
    if (s.size > kMaxImage) damaged("a section is too large");
    if (s.type != kNoBits) in_.slice(s.offset, s.size);
    placed_[i].run = s.flags & kExecute ? kCode : s.flags & kWrite ? kData : kConstants;
  }
}

template <class F>
void Loader::each_relocation(F&& f) const {
  for (const ElfSection& s : sections_) {
    if ((s.type != kRela && s.type != kRel) || !loaded(s.info)) continue;
    if (s.type == kRel) throw Error("object code has relocations without addends");
    for (const ElfRela& r : in_.array<ElfRela>(s.offset, s.size)) {
      if (static_cast<uint32_t>(r.info) != 0) f(s.info, r, static_cast<uint32_t>(r.info));
    }
  }
}

// Decides where everything lies in the image; the number of bytes it takes.
uint64_t Loader::plan() {
  got_.assign(symbols_.size(), kNone);
  stub_.assign(symbols_.size(), kNone);
  each_relocation([&](uint32_t, const ElfRela& r, uint32_t type) {
    const ElfSymbol& s = symbol_of(r);
    size_t index = r.info >> 32;
    switch (needs_of(kHostMachine, type)) {
      case Needs::GotSlot:
        got_[index] = 0;
        break;
      case Needs::CallStub:
        if (s.section == kUndefined) stub_[index] = 0;
        break;
      case Needs::LowMemory:
        low_memory_ = true;
        break;
      case Needs::Nothing:
        break;
    }
  });
  auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t at = 0;
  for (uint8_t run = kCode; run < kRuns; ++run) {
    run_begin_[run] = at = align_up(at, page);
    for (size_t i = 0; i < sections_.size(); ++i) {
      if (placed_[i].run != run) continue;
      at = align_up(at, std::max<uint64_t>(sections_[i].alignment, 1));
      placed_[i].offset = at;
      at += sections_[i].size;
      if (at > kMaxImage) damaged("it is too large");
    }
    if (run == kData) break;
    at = align_up(at, 16);
    for (uint64_t& slot : run == kCode ? stub_ : got_) {
      if (slot == kNone) continue;
      slot = at;
      at += run == kCode ? kCallStubBytes : 8;
    }
  }
  run_begin_[kRuns] = align_up(at, page);
  if (run_begin_[kRuns] == 0) damaged("it holds no code");
  return run_begin_[kRuns];
}

uint64_t Loader::address_of_symbol(const ElfSymbol& s, uint8_t* memory) const {
  if (s.section == kAbsolute) return s.value;
  if (s.section == kUndefined) return external(name_of(s));
  if (s.section >= kFirstReserved || !loaded(s.section)) {
    damaged("a symbol's section is not in memory");
  }
  if (s.value > sections_[s.section].size) damaged("a symbol lies outside its section");
  return reinterpret_cast<uint64_t>(memory) + placed_[s.section].offset + s.value;
}

void Loader::fill(uint8_t* memory) {
  auto base = reinterpret_cast<uint64_t>(memory);
  for (size_t i = 0; i < sections_.size(); ++i) {
    const ElfSection& s = sections_[i];
    if (!loaded(static_cast<uint32_t>(i)) || s.type == kNoBits || s.size == 0) continue;
    std::memcpy(memory + placed_[i].offset, in_.slice(s.offset, s.size).data(), s.size);
  }
  for (size_t i = 0; i < symbols_.size(); ++i) {
    if (got_[i] != kNone) {
      uint64_t address = address_of_symbol(symbols_[i], memory);
      std::memcpy(memory + got_[i], &address, 8);
    }
    if (stub_[i] != kNone) {
      write_call_stub(kHostMachine, external(name_of(symbols_[i])),
                      {memory + stub_[i], kCallStubBytes});
    }
  }
  each_relocation([&](uint32_t section, const ElfRela& r, uint32_t type) {
    const ElfSymbol& s = symbol_of(r);
    size_t index = r.info >> 32;
    uint64_t size = sections_[section].size;
    if (r.offset > size) damaged("a relocation lies outside its section");
    Needs needs = needs_of(kHostMachine, type);
    uint64_t at = placed_[section].offset + r.offset;
    uint64_t target = needs == Needs::GotSlot ? base + got_[index]
                      : stub_[index] != kNone ? base + stub_[index]
                                              : address_of_symbol(s, memory);
    relocate({kHostMachine, type, base + at, target, r.addend}, {memory + at, size - r.offset});
  });
}

bool Loader::protect(uint8_t* memory) const {
  static constexpr int kProtection[kRuns] = {PROT_READ | PROT_EXEC, PROT_READ,
                                             PROT_READ | PROT_WRITE};
  for (uint8_t run = kCode; run < kData; ++run) {
    uint64_t bytes = run_begin_[run + 1] - run_begin_[run];
    if (bytes && mprotect(memory + run_begin_[run], bytes, kProtection[run]) != 0) return false;
  }
  auto* code = reinterpret_cast<char*>(memory);
  __builtin___clear_cache(code, code + run_begin_[kConstants]);
  return true;
}

std::unordered_map<std::string, void*> Loader::exports(uint8_t* memory) const {
  std::unordered_map<std::string, void*> out;
  for (const ElfSymbol& s : symbols_) {
    bool global = (s.info >> 4) != 0 && (s.info & 15) < kTypeSection;
    if (!global || !loaded(s.section)) continue;
    out.emplace(name_of(s), reinterpret_cast<void*>(address_of_symbol(s, memory)));
  }
  return out;
}

}  // namespace

Object::Object(std::string_view elf) {
  Loader loader(elf);
  bytes_ = loader.plan();
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#if defined(MAP_32BIT)
  if (loader.low_memory()) flags |= MAP_32BIT;
#endif
  // macOS allows this sequence to programs without the hardened runtime, as Python's are; one with
  // it would need MAP_JIT. Unproven until it ran there.
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) throw Error(concat("no memory for ", bytes_, " bytes of code"));
  memory_ = memory;
  try {
    auto* bytes = static_cast<uint8_t*>(memory);
    loader.fill(bytes);
    symbols_ = loader.exports(bytes);
    if (!loader.protect(bytes)) {
      throw Error("this system does not let the process execute code that it made");
    }
  } catch (...) {
    munmap(memory_, bytes_);
    throw;
  }
}

Object::~Object() {
  if (memory_) munmap(memory_, bytes_);
}

Object::Object(Object&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)),
      bytes_(other.bytes_),
      symbols_(std::move(other.symbols_)) {}

void* Object::find(const std::string& symbol) const {
  auto it = symbols_.find(symbol);
  return it == symbols_.end() ? nullptr : it->second;
}

}  // namespace enigma::cpu
