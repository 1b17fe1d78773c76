// Reads and writes binary archives.

#include "runtime/metal/archive.h"

#include <cstdint>
#include <system_error>

#include "support/cache_folder.h"

namespace enigma::metal {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".metalarchive";
constexpr uint64_t kMostBytes = uint64_t{64} << 20;  // an archive has some 10 to 50 KB

// Null for a name that is no text: file systems take what NSString does not.
NS::URL* url(const fs::path& path) {
  NS::String* name = string(path.string());
  return name ? NS::URL::fileURLWithPath(name) : nullptr;
}

}  // namespace

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
  } else {
    trim_folder(folder_, kSuffix, kMostBytes);
  }
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
