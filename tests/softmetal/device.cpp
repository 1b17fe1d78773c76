// MTLDevice and MTLBuffer: what the machine can do, and its memory.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "metal.h"

extern "C" {
void* _Block_copy(const void* block);
void _Block_release(const void* block);
MTL::Device* MTLCreateSystemDefaultDevice();
NS::Array* MTLCopyAllDevices();
}

namespace softmetal {
namespace {

constexpr size_t kMaxBufferLength = size_t{1} << 34;

size_t page_size() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

char* new_pages(size_t length) {
  void* data = nullptr;
  if (posix_memalign(&data, page_size(), length) != 0) return nullptr;
  std::memset(data, 0xCD, length);  // nobody may count on zeros
  return static_cast<char*>(data);
}

void check_length(const char* method, size_t length) {
  if (length == 0) fail("empty buffer", "-[MTLDevice %s] of 0 bytes", method);
}
void check_shared(MTL::ResourceOptions options) {
  if (options != MTL::ResourceStorageModeShared) {
    fail("storage mode", "buffers of options %lu", static_cast<unsigned long>(options));
  }
}

MTL::Buffer* new_buffer(size_t length, MTL::ResourceOptions options, const void* contents) {
  check_length("newBufferWithLength:options:", length);
  check_shared(options);
  if (length > kMaxBufferLength || strikes("buffer allocation")) return nullptr;
  char* data = new_pages(length);
  if (!data) return nullptr;
  if (contents) std::memcpy(data, contents, length);
  return as<MTL::Buffer*>(make<Buffer>(data, length, true));
}

MTL::Buffer* new_buffer_no_copy(const void* data, size_t length, MTL::ResourceOptions options,
                                void (^deallocator)(void*, NS::UInteger)) {
  check_length("newBufferWithBytesNoCopy:length:options:deallocator:", length);
  check_shared(options);
  if (reinterpret_cast<uintptr_t>(data) % page_size() != 0 || length % page_size() != 0) {
    fail("unaligned memory", "no-copy buffers are whole pages of %zu bytes, not %zu bytes at %p",
         page_size(), length, data);
  }
  if (strikes("no-copy refused")) return nullptr;
  ++statistics().shared_buffers;
  auto copied = (void (^)(void*, NS::UInteger))_Block_copy((const void*)deallocator);
  return as<MTL::Buffer*>(
      make<Buffer>(static_cast<char*>(const_cast<void*>(data)), length, false, copied));
}

void define_limits(Class c) {
  method<decltype(&MTL::Device::name)>(
      c, "name", [](Device*) -> NS::String* { return new_string("Software Metal"); });
  method<decltype(&MTL::Device::supportsFamily)>(
      c, "supportsFamily:", [](Device*, MTL::GPUFamily f) -> bool {
        if (f >= MTL::GPUFamilyApple1 && f < MTL::GPUFamilyMac1) return f - 1000 <= family();
        return f == MTL::GPUFamilyMac2 || f == MTL::GPUFamilyMetal3 ||
               (f >= MTL::GPUFamilyCommon1 && f <= MTL::GPUFamilyCommon3);
      });
  method<decltype(&MTL::Device::maxThreadsPerThreadgroup)>(
      c, "maxThreadsPerThreadgroup",
      [](Device*) -> MTL::Size { return MTL::Size(kMaxThreads, kMaxThreads, kMaxThreads); });
  method<decltype(&MTL::Device::maxThreadgroupMemoryLength)>(
      c, "maxThreadgroupMemoryLength",
      [](Device*) -> NS::UInteger { return kMaxThreadgroupMemory; });
  method<decltype(&MTL::Device::maxBufferLength)>(
      c, "maxBufferLength", [](Device*) -> NS::UInteger { return kMaxBufferLength; });
  method<decltype(&MTL::Device::hasUnifiedMemory)>(c, "hasUnifiedMemory",
                                                   [](Device*) -> bool { return true; });
}

void define_makers(Class c) {
  method<MTL::CommandQueue* (*)()>(c, "newCommandQueue", [](Device*) -> MTL::CommandQueue* {
    return strikes("no queue") ? nullptr : make_queue();
  });
  method<MTL::Buffer* (*)(NS::UInteger, MTL::ResourceOptions)>(
      c, "newBufferWithLength:options:",
      [](Device*, NS::UInteger length, MTL::ResourceOptions options) -> MTL::Buffer* {
        return new_buffer(length, options, nullptr);
      });
  method<MTL::Buffer* (*)(const void*, NS::UInteger, MTL::ResourceOptions)>(
      c, "newBufferWithBytes:length:options:",
      [](Device*, const void* bytes, NS::UInteger length, MTL::ResourceOptions options)
          -> MTL::Buffer* { return new_buffer(length, options, bytes); });
  using Deallocator = void (^)(void*, NS::UInteger);
  method<MTL::Buffer* (*)(const void*, NS::UInteger, MTL::ResourceOptions, Deallocator)>(
      c, "newBufferWithBytesNoCopy:length:options:deallocator:",
      [](Device*, const void* bytes, NS::UInteger length, MTL::ResourceOptions options,
         Deallocator deallocator) -> MTL::Buffer* {
        return new_buffer_no_copy(bytes, length, options, deallocator);
      });
  method<MTL::Library* (*)(const NS::String*, const MTL::CompileOptions*, NS::Error**)>(
      c, "newLibraryWithSource:options:error:",
      [](Device*, const NS::String* source, const MTL::CompileOptions* options,
         NS::Error** error) -> MTL::Library* {
        return compile_library(text_of(source), as<CompileOptions*>(options), error);
      });
  method<MTL::ComputePipelineState* (*)(const MTL::ComputePipelineDescriptor*, MTL::PipelineOption,
                                        const MTL::AutoreleasedComputePipelineReflection*,
                                        NS::Error**)>(
      c, "newComputePipelineStateWithDescriptor:options:reflection:error:",
      [](Device*, const MTL::ComputePipelineDescriptor* descriptor, MTL::PipelineOption options,
         const MTL::AutoreleasedComputePipelineReflection*,
         NS::Error** error) -> MTL::ComputePipelineState* {
        return make_pipeline(as<PipelineDescriptor*>(descriptor), options, error);
      });
  method<decltype(&MTL::Device::newBinaryArchive)>(
      c, "newBinaryArchiveWithDescriptor:error:",
      [](Device*, const MTL::BinaryArchiveDescriptor* descriptor,
         NS::Error** error) -> MTL::BinaryArchive* {
        return make_archive(as<ArchiveDescriptor*>(descriptor), error);
      });
}

}  // namespace

Buffer::~Buffer() {
  if (owned) std::free(data);
  if (deallocator) {
    deallocator(data, length);
    _Block_release((const void*)deallocator);
  }
}

void define_device() {
  Class device = define<Device>();
  define_limits(device);
  define_makers(device);

  Class buffer = define<Buffer>();
  method<decltype(&MTL::Buffer::contents)>(buffer, "contents",
                                           [](Buffer* b) -> void* { return b->data; });
  method<decltype(&MTL::Buffer::length)>(buffer, "length",
                                         [](Buffer* b) -> NS::UInteger { return b->length; });
  method<decltype(&MTL::Buffer::addDebugMarker)>(
      buffer, "addDebugMarker:range:", [](Buffer* b, const NS::String* marker, NS::Range range) {
        text_of(marker);
        const NS::UInteger location = range.location, length = range.length;
        if (location > b->length || length > b->length - location) {
          fail("range", "a debug marker behind the end of a buffer");
        }
        b->marked = std::max(b->marked.load(), location + length);
      });
}

}  // namespace softmetal

// The caller owns it.
MTL::Device* MTLCreateSystemDefaultDevice() {
  using namespace softmetal;
  return strikes("no device") ? nullptr : as<MTL::Device*>(make<Device>());
}

// The caller owns it.
NS::Array* MTLCopyAllDevices() {
  using namespace softmetal;
  auto* all = make<Array>();
  if (!strikes("no device")) {
    auto* device = make<Device>();
    all->objects.emplace_back(device);
    release(device);
  }
  return as<NS::Array*>(all);
}
