// Blocks, as clang lays them out: copied from the stack to the heap when somebody keeps them.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

enum : int32_t {
  kDeallocating = 1,
  kCountMask = 0xfffe,  // in steps of 2
  kNeedsFree = 1 << 24,
  kHasCopyDispose = 1 << 25,
  kIsGlobal = 1 << 28,
};

struct Descriptor {
  uintptr_t reserved, size;
  // Present with kHasCopyDispose.
  void (*copy)(void* to, const void* from);
  void (*dispose)(const void* block);
};

struct Block {
  void* isa;
  std::atomic<int32_t> flags;
  int32_t reserved;
  void (*invoke)(void*);
  Descriptor* descriptor;
};

// A __block variable.
struct ByRef {
  void* isa;
  ByRef* forwarding;
  std::atomic<int32_t> flags;
  uint32_t size;
  // Present with kHasCopyDispose.
  void (*keep)(ByRef* to, ByRef* from);
  void (*destroy)(ByRef*);
};

enum : int { kFieldObject = 3, kFieldBlock = 7, kFieldByRef = 8 };

}  // namespace

extern "C" {

void* _NSConcreteStackBlock[32] = {};
void* _NSConcreteGlobalBlock[32] = {};
void* _NSConcreteMallocBlock[32] = {};

void* _Block_copy(const void* source) {
  auto* block = static_cast<Block*>(const_cast<void*>(source));
  if (!block) return nullptr;
  int32_t flags = block->flags;
  if (flags & kIsGlobal) return block;
  if (flags & kNeedsFree) {
    block->flags.fetch_add(2);
    return block;
  }
  auto* copy = static_cast<Block*>(std::malloc(block->descriptor->size));
  std::memcpy(static_cast<void*>(copy), block, block->descriptor->size);
  copy->isa = _NSConcreteMallocBlock;
  copy->flags = (flags & ~(kCountMask | kDeallocating)) | kNeedsFree | 2;
  if (flags & kHasCopyDispose) block->descriptor->copy(copy, block);
  return copy;
}

void _Block_release(const void* source) {
  auto* block = static_cast<Block*>(const_cast<void*>(source));
  if (!block || !(block->flags & kNeedsFree)) return;
  if (((block->flags.fetch_sub(2) - 2) & kCountMask) != 0) return;
  if (block->flags & kHasCopyDispose) block->descriptor->dispose(block);
  std::free(block);
}

void _Block_object_assign(void* destination, const void* object, const int flags) {
  auto** to = static_cast<void**>(destination);
  if (flags & kFieldByRef) {
    auto* ref = static_cast<ByRef*>(const_cast<void*>(object))->forwarding;
    if (!(ref->flags & kNeedsFree)) {
      auto* copy = static_cast<ByRef*>(std::malloc(ref->size));
      std::memcpy(static_cast<void*>(copy), ref, ref->size);
      copy->isa = nullptr;
      copy->flags = ref->flags | kNeedsFree | 4;  // the stack's and the heap's reference
      copy->forwarding = copy;
      ref->forwarding = copy;
      if (ref->flags & kHasCopyDispose) ref->keep(copy, ref);
      *to = copy;
    } else {
      ref->flags.fetch_add(2);
      *to = ref;
    }
  } else if ((flags & kFieldBlock) == kFieldBlock) {
    *to = _Block_copy(object);
  } else {
    *to = const_cast<void*>(object);
  }
}

void _Block_object_dispose(const void* object, const int flags) {
  if (flags & kFieldByRef) {
    auto* ref = static_cast<ByRef*>(const_cast<void*>(object))->forwarding;
    if (!(ref->flags & kNeedsFree)) return;
    if (((ref->flags.fetch_sub(2) - 2) & kCountMask) != 0) return;
    if (ref->flags & kHasCopyDispose) ref->destroy(ref);
    std::free(ref);
  } else if ((flags & kFieldBlock) == kFieldBlock) {
    _Block_release(object);
  }
}

}  // extern "C"
