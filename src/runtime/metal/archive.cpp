// Reads and writes binary archives; a file appears under its name only when it is whole.

#include "runtime/metal/archive.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <system_error>
#include <vector>

#include "support/text.h"

namespace enigma::metal {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxArchives = 1024;  // of some 10 to 50 KB
constexpr const char* kSuffix = ".metalarchive";
constexpr const char* kDraft = ".draft";

// Null for a name that is no text: file systems take what NSString does not.
NS::URL* url(const fs::path& path) {
  NS::String* name = string(path.string());
  return name ? NS::URL::fileURLWithPath(name) : nullptr;
}

}  // namespace

void replace_file(const fs::path& path, const std::function<bool(const fs::path& draft)>& write) {
  static std::atomic<uint64_t> count = 0;
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  fs::path draft = path;
  draft += concat('.', getpid(), '.', count.fetch_add(1), kDraft);
  if (write(draft)) fs::rename(draft, path, error);
  fs::remove(draft, error);  // there when either has failed
}

Owned<MTL::BinaryArchive> new_archive(MTL::Device* device, NS::URL* contents) {
  Owned descriptor(MTL::BinaryArchiveDescriptor::alloc()->init());
  if (contents) descriptor->setUrl(contents);
  NS::Error* error = nullptr;
  return Owned(device->newBinaryArchive(descriptor.get(), &error));
}

ArchiveFolder::ArchiveFolder(fs::path folder) : folder_(std::move(folder)) {
  if (folder_.empty()) return;
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) {
    folder_.clear();
    return;
  }
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  const auto yesterday = fs::file_time_type::clock::now() - std::chrono::hours(24);
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;  // another process may be doing the same
    auto time = it->last_write_time(gone);
    if (gone) continue;
    if (it->path().extension() == kSuffix) files.emplace_back(time, it->path());
    // What a crash has left.
    if (it->path().extension() == kDraft && time < yesterday) fs::remove(it->path(), gone);
  }
  if (files.size() <= kMaxArchives) return;
  auto keep = files.begin() + kMaxArchives / 2;
  std::nth_element(files.begin(), keep, files.end(), std::greater<>());
  for (auto it = keep; it != files.end(); ++it) fs::remove(it->second, error);
}

fs::path ArchiveFolder::path(const std::string& key) const { return folder_ / (key + kSuffix); }

Owned<MTL::BinaryArchive> ArchiveFolder::load(MTL::Device* device, const std::string& key) const {
  std::error_code error;
  if (folder_.empty() || !fs::exists(path(key), error)) return {};
  NS::URL* file = url(path(key));
  return file ? new_archive(device, file) : Owned<MTL::BinaryArchive>();
}

void ArchiveFolder::store(MTL::BinaryArchive* archive, const std::string& key) const {
  if (folder_.empty()) return;
  replace_file(path(key), [&](const fs::path& draft) {
    NS::Error* failure = nullptr;
    NS::URL* file = url(draft);
    return file && archive->serializeToURL(file, &failure);
  });
}

}  // namespace enigma::metal
