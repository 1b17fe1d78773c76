// One file for each object, named by the digest of all that went into it. Nothing that goes wrong
// with a file is an error: what cannot be used is compiled anew.

#include "runtime/cpu/object_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "runtime/cpu/host.h"
#include "support/cache_folder.h"
#include "support/digest.h"
#include "support/text.h"

namespace enigma {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".object";
constexpr uint64_t kMostBytes = uint64_t{128} << 20;

// What a file begins with. It says whose object it is, and whether that is whole.
std::string head(std::string_view key, std::string_view object) {
  return concat("enigma object 1 ", key, ' ', digest(object), '\n');
}

struct Descriptor {
  int fd;
  explicit Descriptor(int fd) : fd(fd) {}
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

// Code is run only if nobody but the user or the system's owner can have written it.
bool trusted(const struct stat& s) {
  return S_ISREG(s.st_mode) && (s.st_uid == geteuid() || s.st_uid == 0) &&
         (s.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

std::optional<std::string> read_object(const fs::path& path, const std::string& key) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat s;
  if (file.fd < 0 || fstat(file.fd, &s) != 0 || !trusted(s)) return std::nullopt;
  std::string content(static_cast<size_t>(s.st_size), '\0');
  size_t got = 0;
  while (got < content.size()) {
    ssize_t n = read(file.fd, content.data() + got, content.size() - got);
    if (n <= 0) return std::nullopt;
    got += static_cast<size_t>(n);
  }
  const size_t begin = head(key, "").size();
  if (content.size() <= begin) return std::nullopt;
  std::string_view object = std::string_view(content).substr(begin);
  if (!content.starts_with(head(key, object))) return std::nullopt;
  futimens(file.fd, nullptr);  // the files that are used longest ago go first
  return content.substr(begin);
}

bool write_all(const fs::path& path, std::string_view content) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file.fd < 0) return false;
  while (!content.empty()) {
    ssize_t n = write(file.fd, content.data(), content.size());
    if (n <= 0) return false;
    content.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

CpuCompiler cpu::cached_in(fs::path folder, uint64_t most, CpuCompiler compiler,
                           const std::string& identity) {
  if (folder.empty() || !compiler) return compiler;
  auto stores = std::make_shared<std::atomic<unsigned>>(0);
  return [=, who = concat(identity, '\n', host_identity(), '\n')](const std::string& llvm_ir) {
    const std::string key = digest(who + llvm_ir);
    const fs::path path = folder / concat(key, kSuffix);
    if (std::optional<std::string> object = read_object(path, key)) return *std::move(object);
    std::string object = compiler(llvm_ir);
    replace_file(
        path, [&](const fs::path& draft) { return write_all(draft, head(key, object) + object); });
    // Looking through the folder takes about as long as compiling does.
    constexpr unsigned kStoresBetween = 32;
    if (stores->fetch_add(1) % kStoresBetween == 0) trim_folder(folder, kSuffix, most);
    return object;
  };
}

CpuCompiler cached_compiler(CpuCompiler compiler, const std::string& identity) {
  return cpu::cached_in(cache_folder("cpu"), kMostBytes, std::move(compiler), identity);
}

}  // namespace enigma
