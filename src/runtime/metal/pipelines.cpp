// Compiles MSL text with the options that make it mean what the other devices compute.

#include "runtime/metal/pipelines.h"

#include "runtime/metal/errors.h"
#include "support/cache_folder.h"
#include "support/digest.h"
#include "support/text.h"

namespace enigma::metal {
namespace {

constexpr size_t kMaxPipelines = 512;

// The macOS that first had a language version.
uint32_t macos_of(uint32_t msl_version) {
  return msl_version >= 410 ? 27 : msl_version >= 400 ? 26 : msl_version >= 320 ? 15 : 14;
}

// As codegen/msl declares function constants: a bfloat is given as its bits.
MTL::DataType data_type(DType t) {
  switch (t) {
    case DType::F32:
      return MTL::DataTypeFloat;
    case DType::F16:
      return MTL::DataTypeHalf;
    case DType::I8:
      return MTL::DataTypeChar;
    case DType::I16:
      return MTL::DataTypeShort;
    case DType::I32:
      return MTL::DataTypeInt;
    case DType::I64:
      return MTL::DataTypeLong;
    case DType::U8:
      return MTL::DataTypeUChar;
    case DType::BF16:
    case DType::U16:
      return MTL::DataTypeUShort;
    case DType::U32:
      return MTL::DataTypeUInt;
    case DType::U64:
      return MTL::DataTypeULong;
    case DType::B1:
      return MTL::DataTypeBool;
  }
  throw InternalError("a type that Metal does not know");
}

Owned<MTL::Function> function_of(MTL::Library* library, const Artifact& kernel,
                                 std::span<const uint64_t> constants) {
  if (constants.empty()) return Owned(library->newFunction(string(kernel.msl_name)));
  Owned values(MTL::FunctionConstantValues::alloc()->init());
  for (size_t k = 0; k < constants.size(); ++k) {
    const ConstantInfo& c = kernel.constants[k];
    // The low bytes come first, as on every machine that has Metal.
    values->setConstantValue(&constants[k], data_type(c.dtype), NS::UInteger{c.index});
  }
  NS::Error* error = nullptr;
  Owned made(library->newFunction(string(kernel.msl_name), values.get(), &error));
  if (!made) fail_function(kernel, error);
  return made;
}

}  // namespace

PipelineCache::PipelineCache(const Device& device)
    : device_(device), archives_(cache_folder("metal")) {}

std::shared_ptr<const Pipeline> PipelineCache::get(const Artifact& kernel,
                                                   std::span<const uint64_t> constants) {
  const std::string text = concat(kernel.msl_version, kernel.fast_math ? " fast " : " safe ",
                                  kernel.msl_name, '\n', kernel.msl);
  std::string content = text;
  for (uint64_t bits : constants) content += concat('\n', bits);
  std::shared_ptr<Entry> slot = entry(content);
  std::lock_guard lock(slot->compiling);
  if (!slot->pipeline) {
    slot->pipeline = build(kernel, constants, content,
                           constants.empty() ? std::make_shared<Source>() : source(text));
  }
  return slot->pipeline;
}

std::shared_ptr<Source> PipelineCache::source(const std::string& text) {
  std::lock_guard lock(mutex_);
  std::weak_ptr<Source>& known = sources_[text];
  std::shared_ptr<Source> found = known.lock();
  if (!found) {
    known = found = std::make_shared<Source>();
    std::erase_if(sources_, [](const auto& s) { return s.second.expired(); });
  }
  return found;
}

std::shared_ptr<PipelineCache::Entry> PipelineCache::entry(std::string content) {
  std::lock_guard lock(mutex_);
  if (auto found = entries_.find(content); found != entries_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return found->second->second;
  }
  recent_.emplace_front(std::move(content), std::make_shared<Entry>());
  entries_.emplace(recent_.front().first, recent_.begin());
  if (recent_.size() > kMaxPipelines) {
    entries_.erase(recent_.back().first);
    recent_.pop_back();
  }
  return recent_.front().second;
}

Owned<MTL::Library> PipelineCache::library(const Artifact& kernel) const {
  const uint32_t version = kernel.msl_version;
  if (macos_of(version) > device_.os_major) {
    throw Error(concat(kernel.kernel_name, ": uses Metal Shading Language ", version / 100, '.',
                       version / 10 % 10, ", which needs macOS ", macos_of(version),
                       "; this is macOS ", device_.os_version));
  }
  Owned options(MTL::CompileOptions::alloc()->init());
  options->setLanguageVersion(
      static_cast<MTL::LanguageVersion>(version / 100 << 16 | version / 10 % 10));
  if (device_.os_major >= 15) {
    options->setMathMode(kernel.fast_math ? MTL::MathModeFast : MTL::MathModeSafe);
    options->setMathFloatingPointFunctions(kernel.fast_math
                                               ? MTL::MathFloatingPointFunctionsFast
                                               : MTL::MathFloatingPointFunctionsPrecise);
  } else {
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
    options->setFastMathEnabled(kernel.fast_math);
#pragma clang diagnostic pop
  }
  NS::String* source = string(kernel.msl);
  if (!source) throw Error(concat(kernel.kernel_name, ": its MSL is not UTF-8"));
  NS::Error* error = nullptr;  // with a library: its warnings
  Owned made(device_.device->newLibrary(source, options.get(), &error));
  if (!made) fail_library(kernel, error);
  return made;
}

std::shared_ptr<const Pipeline> PipelineCache::build(const Artifact& kernel,
                                                     std::span<const uint64_t> constants,
                                                     const std::string& content,
                                                     std::shared_ptr<Source> source) const {
  Pool pool;
  MTL::Device* device = device_.device.get();
  {
    std::lock_guard lock(source->compiling);
    if (!source->library) source->library = library(kernel);
  }
  Owned<MTL::Function> function = function_of(source->library.get(), kernel, constants);
  if (!function) throw InternalError(concat("the MSL has no function ", kernel.msl_name));
  Owned descriptor(MTL::ComputePipelineDescriptor::alloc()->init());
  descriptor->setComputeFunction(function.get());
  descriptor->setLabel(string(kernel.kernel_name));

  auto make = [&](MTL::BinaryArchive* archive, MTL::PipelineOption options, NS::Error** error) {
    const NS::Object* one = archive;
    descriptor->setBinaryArchives(archive ? NS::Array::array(&one, 1) : nullptr);
    return Owned(device->newComputePipelineState(descriptor.get(), options, nullptr, error));
  };
  NS::Error* error = nullptr;
  Owned<MTL::ComputePipelineState> state;
  std::string key =
      digest(concat(device_.capabilities.name, '\n', device_.os_version, '\n', content));
  if (auto archive = archives_.load(device, key)) {
    state = make(archive.get(), MTL::PipelineOptionFailOnBinaryArchiveMiss, &error);
  }
  if (!state) {
    // Compiled into the archive and taken out of it: once, not twice.
    Owned<MTL::BinaryArchive> archive = new_archive(device);
    bool added = archive && archive->addComputePipelineFunctions(descriptor.get(), &error);
    error = nullptr;
    state = make(added ? archive.get() : nullptr, MTL::PipelineOptionNone, &error);
    if (!state) fail_pipeline(kernel, error);
    if (added) archives_.store(archive.get(), key);
  }
  auto pipeline = std::make_shared<Pipeline>();
  pipeline->max_threads = static_cast<uint32_t>(state->maxTotalThreadsPerThreadgroup());
  pipeline->state = std::move(state);
  if (!constants.empty()) pipeline->source = std::move(source);
  return pipeline;
}

}  // namespace enigma::metal
