// The variant cache, and the way from an artifact to a loaded object.

#include "runtime/cpu/variants.h"

#include <algorithm>

#include "support/text.h"

namespace enigma::cpu {
namespace {

std::unique_ptr<Code> compile(const Artifact& artifact, const CpuVariant& variant,
                              const CpuCompiler& compiler) {
  if (!compiler) {
    throw Error(concat(artifact.kernel_name,
                       ": the CPU device has no compiler; give make_cpu_runtime one"));
  }
  if (!artifact.cpu) throw InternalError(concat(artifact.kernel_name, " has no CPU code"));
  CpuCode code = artifact.cpu(artifact.ir, variant);
  Object object(compiler(code.llvm_ir));
  void* kernel = object.find(code.symbol);
  if (!kernel) throw InternalError(concat("object code lacks the symbol ", code.symbol));
  return std::unique_ptr<Code>(
      new Code{std::move(object), reinterpret_cast<Kernel>(kernel), code.scratch_bytes, {}});
}

}  // namespace

Code& Variants::get(const Artifact& artifact, const CpuVariant& variant,
                    const CpuCompiler& compiler) {
  Entry* entry = nullptr;
  {
    std::lock_guard lock(mutex_);
    auto it = std::find_if(entries_.begin(), entries_.end(),
                           [&](auto& e) { return e->variant == variant; });
    if (it == entries_.end()) {
      it = entries_.insert(entries_.end(), std::make_unique<Entry>());
      (*it)->variant = variant;
    }
    entry = it->get();
  }
  std::lock_guard lock(entry->compiling);
  if (!entry->code) entry->code = compile(artifact, variant, compiler);
  return *entry->code;
}

std::shared_ptr<Variants> VariantCache::get(const std::shared_ptr<const Artifact>& artifact) {
  std::lock_guard lock(mutex_);
  if (entries_.size() >= sweep_at_) {
    std::erase_if(entries_, [](auto& e) { return e.second.artifact.expired(); });
    sweep_at_ = std::max<size_t>(64, 2 * entries_.size());
  }
  Entry& entry = entries_[artifact.get()];
  if (entry.artifact.lock() != artifact) entry = {artifact, std::make_shared<Variants>()};
  return entry.variants;
}

}  // namespace enigma::cpu
