// From a traced module to an artifact: passes, verification, MSL text, and what the CPU emits
// later.

#include "enigma/compile.h"

#include <optional>

#include "codegen/cpu/emit.h"
#include "codegen/msl/emit.h"
#include "ir/extent.h"
#include "ir/locations.h"
#include "ir/signature.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include "pipeline/async_copies.h"

namespace enigma {
namespace {

CpuCode emit_variant(const std::string& ir, const CpuVariant& variant) {
  Module m = parse(ir);
  // The lanes of the CPU device are its vectors: to it a vector access is one for each element.
  if (has_vector_accesses(m)) split_vectors(m);
  return emit_cpu(verify(std::move(m)), variant);
}

}  // namespace

std::shared_ptr<const Artifact> compile(Module module, const CompileOptions& options) {
  check_sound(module);  // it may come from anywhere, and the passes follow its ids
  run_passes(module, options);
  std::optional<Verified> air;
  if (has_async_copies(module)) {
    if (check_async_copies(module)) air = verify(module);
    lower_async_copies(module);
    run_passes(module, options);
  }
  const Verified verified = verify(std::move(module));
  const Module& m = verified.module();
  MslCode msl = emit_msl(verified, options.fast_math);

  auto artifact = std::make_shared<Artifact>();
  artifact->kernel_name = m.name;
  artifact->msl_name = std::move(msl.function);
  artifact->msl = std::move(msl.text);
  artifact->msl_version = msl.version;
  artifact->ir = print(m);
  for (const Param& p : m.params) {
    const auto position = static_cast<uint32_t>(artifact->params.size());
    artifact->params.push_back({p.name, p.index.value_or(position), p.dtype, p.is_scalar, p.read,
                                p.written, p.elements, p.multiple});
  }
  for (const FunctionConstant& c : function_constants(m)) {
    artifact->constants.push_back({c.index, c.dtype, m.name_of(c.values[0])});
  }
  artifact->threadgroup_bytes = threadgroup_bytes(m);
  for (InstId i : m[m.body].insts) {
    if (m[i].op != Op::ThreadgroupAlloc) continue;
    artifact->threadgroup_names.push_back(m.name_of(m[i].results[0]));
  }
  artifact->fast_math = options.fast_math;
  for (const auto& [message, where] : m.warnings) artifact->warnings.push_back({message, where});
  const LocationTable locations(m);
  artifact->locations = locations.list();
  if (InstId first = first_simd_matrix(m, m.body)) artifact->simd_matrices = locations[first];
  artifact->bounds = index_bounds(m);
  artifact->cpu = emit_variant;
  if (air) {
    auto variant = [&](bool escaped) {
      auto same = std::make_shared<Artifact>(*artifact);
      MslCode own = emit_msl(*air, options.fast_math, escaped);
      same->msl_name = std::move(own.function);
      same->msl = std::move(own.text);
      same->msl_version = own.version;
      return same;
    };
    auto plain = variant(false), escaped = variant(true);
    artifact->air = std::move(plain);
    artifact->escaped_air = std::move(escaped);
  }
  return artifact;
}

}  // namespace enigma
