// Machine code of pipelines on disk, between processes: one MTLBinaryArchive for each.
#pragma once

#include <filesystem>
#include <string>

#include "runtime/metal/metal.h"

namespace enigma::metal {

/// What lies on the disk may be damaged, of another program or another macOS: it is then made anew.
/// Nothing that goes wrong here is an error of the caller's.
class ArchiveFolder {
 public:
  /// Removes the oldest archives when they have too many bytes.
  explicit ArchiveFolder(std::filesystem::path folder);

  /// The archive kept under `key`; null when there is none that Metal can read.
  Owned<MTL::BinaryArchive> load(MTL::Device* device, const std::string& key) const;
  /// Replaces what is kept under `key`, for other processes at once or not at all.
  void store(MTL::BinaryArchive* archive, const std::string& key) const;

 private:
  std::filesystem::path path(const std::string& key) const;

  std::filesystem::path folder_;  // empty: nothing is kept
};

/// An archive with nothing in it; null when Metal makes none.
Owned<MTL::BinaryArchive> new_archive(MTL::Device* device, NS::URL* contents = nullptr);

}  // namespace enigma::metal
