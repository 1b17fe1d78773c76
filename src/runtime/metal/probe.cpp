// Compiles probe.metal, runs it, compares what it copied, and remembers how that went.

#include "runtime/metal/probe.h"

#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "support/async_copy.h"
#include "support/cache_folder.h"
#include "support/text.h"

namespace enigma {
/// The text of probe.metal, which the build embeds.
extern const std::string_view kProbeMsl;
}  // namespace enigma

namespace enigma::metal {
namespace {

using Words = std::vector<uint32_t>;

// The sizes of probe.metal.
constexpr size_t kThreads = 64, kColumns = 12, kRows = 8;
constexpr size_t kPitchIn = 16, kPitchOut = 20;

// A GPU that an undocumented function hangs is not waited for: nothing promises that the system
// stops it.
constexpr std::chrono::seconds kPatience{5};

Artifact kernel(bool escaped) {
  Artifact a;
  a.kernel_name = a.msl_name = "probe_async_copy";
  a.msl = concat("#include <metal_stdlib>\nusing namespace metal;\n\n",
                 async_copy_declarations(escaped), '\n', kProbeMsl);
  return a;
}

Words input() {
  Words in(kThreads + kRows * kPitchIn);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint32_t>(i + 1) * 0x9e3779b9u;
  return in;
}

Words blank_output() { return Words(kThreads + kRows * kPitchOut + kThreads, 0xa5a5a5a5u); }

Words expected(const Words& in) {
  Words out = blank_output();
  for (size_t i = 0; i < kThreads; ++i) out[i] = in[i] ^ 0x5a5a5a5au;
  for (size_t y = 0; y < kRows; ++y) {
    for (size_t x = 0; x < kColumns; ++x) {
      bool inside = y + 1 < kRows && x + 2 < kColumns;
      out[kThreads + y * kPitchOut + x] = 1 + (inside ? in[kThreads + y * kPitchIn + x] : 0);
    }
  }
  for (size_t i = 0; i < kThreads; ++i) {
    out[kThreads + kRows * kPitchOut + i] = out[i] ^ out[kThreads + i];
  }
  return out;
}

Owned<MTL::Buffer> buffer(MTL::Device* device, const Words& contents) {
  const size_t bytes = contents.size() * sizeof contents[0];
  Owned made(device->newBuffer(bytes, MTL::ResourceStorageModeShared));
  if (made) std::memcpy(made->contents(), contents.data(), bytes);
  return made;
}

// Whether the copies are right; nothing when they could not be tried.
std::optional<bool> copies(MTL::Device* device, MTL::ComputePipelineState* pipeline) {
  const Words given = input(), want = expected(given);
  // A queue of its own: what hangs there holds nobody up.
  Owned queue(device->newCommandQueue());
  Owned in = buffer(device, given);
  Owned out = buffer(device, blank_output());
  if (!queue || !in || !out) return {};
  auto commands = retained(queue->commandBuffer());
  MTL::ComputeCommandEncoder* encoder = commands ? commands->computeCommandEncoder() : nullptr;
  if (!encoder) return {};
  encoder->setComputePipelineState(pipeline);
  encoder->setBuffer(in.get(), 0, 0);
  encoder->setBuffer(out.get(), 0, 1);
  encoder->dispatchThreads(MTL::Size(kThreads, 1, 1), MTL::Size(kThreads, 1, 1));
  encoder->endEncoding();
  commands->commit();
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (commands->status() < MTL::CommandBufferStatusCompleted) {
    // What still runs keeps its buffers.
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  commands->waitUntilCompleted();  // nothing of it goes on behind us
  return commands->status() == MTL::CommandBufferStatusCompleted &&
         std::memcmp(out->contents(), want.data(), want.size() * sizeof want[0]) == 0;
}

// Nothing when it could not be tried, today: that is not remembered.
std::optional<AsyncCopy> attempt(const Device& device, PipelineCache& pipelines) {
  for (bool escaped : {false, true}) {
    std::shared_ptr<const Pipeline> pipeline;
    try {
      pipeline = pipelines.get(kernel(escaped), {});
    } catch (...) {
      continue;  // refused, by one of the two compilers
    }
    // The other spelling means the same: it would copy no better.
    auto right = copies(device.device.get(), pipeline->state.get());
    if (!right) return {};
    if (!*right) break;
    return escaped ? AsyncCopy::EscapedAir : AsyncCopy::Air;
  }
  return AsyncCopy::Cooperative;
}

}  // namespace

AsyncCopy probe_async_copy(const Device& device, PipelineCache& pipelines) {
  Pool pool;
  namespace fs = std::filesystem;
  // A file whose text is the answer and all that it depends on. Another text, of another system or
  // a damaged one, is no answer.
  auto entry = [&](AsyncCopy answer) {
    return concat(to_string(answer), '\n', device.capabilities.name, '\n', device.os_version, '\n',
                  kernel(false).msl);
  };
  fs::path file = cache_folder("probe");
  if (!file.empty()) {
    file /= "async_copy";
    std::ifstream stream(file, std::ios::binary);
    const std::string kept{std::istreambuf_iterator<char>(stream), {}};
    for (AsyncCopy answer : {AsyncCopy::Cooperative, AsyncCopy::Air, AsyncCopy::EscapedAir}) {
      if (kept == entry(answer)) return answer;
    }
  }
  std::optional<AsyncCopy> found = attempt(device, pipelines);
  if (found && !file.empty()) {
    replace_file(file, [&](const fs::path& draft) {
      std::ofstream stream(draft, std::ios::binary);
      stream << entry(*found);
      return static_cast<bool>(stream.flush());
    });
  }
  return found.value_or(AsyncCopy::Cooperative);
}

}  // namespace enigma::metal
