// RMSNorm through libenigma: a kernel built in C++, shown as MSL, run on the CPU and on Metal.

#include <enigma/builder.h>
#include <enigma/compile.h>
#include <enigma/runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "jit.h"

using enigma::Binding;
using enigma::Op;

// Y[row][i] = X[row][i] * W[i] / sqrt(mean of the row's squares + eps); a SIMD-group has a row.
enigma::Module rmsnorm() {
  using enum enigma::DType;
  enigma::Builder b("rmsnorm");
  b.set_location();
  auto x = b.buffer("X", F32), w = b.buffer("W", F32), y = b.buffer("Y", F32);
  auto columns = b.scalar("columns", U32), eps = b.scalar("eps", F32);

  auto lane = b.query(Op::ThreadIndexInSimdgroup);
  auto row = b.apply("*", {b.query(Op::ThreadgroupPositionInGrid), columns});
  b.set_name(row, "row");

  b.set_location();  // comments in the MSL, and errors, name this line from here on
  auto loop = b.begin_for(lane, columns, 32, U32, {0.0f});
  b.set_name(loop.args[0], "squares");
  auto value = b.load(x, b.apply("+", {row, loop.index}));
  auto squares = b.end_for({b.apply("fma", {value, value, loop.args[0]})})[0];

  b.set_location();
  auto mean = b.apply("/", {b.apply("simd_sum", {squares}), columns});
  auto scale = b.apply("rsqrt", {b.apply("+", {mean, eps})});
  b.set_name(scale, "scale");

  b.set_location();
  loop = b.begin_for(lane, columns, 32, U32);
  auto at = b.apply("+", {row, loop.index});
  auto scaled = b.apply("*", {b.load(x, at), scale});
  b.store(y, at, b.apply("*", {scaled, b.load(w, loop.index)}));
  b.end_for();
  return b.finish();
}

// Runs the kernel and compares all it wrote with the same sums in double.
bool run(enigma::Runtime& device, const std::shared_ptr<const enigma::Artifact>& kernel) {
  constexpr uint32_t kRows = 500, kColumns = 1000;  // no multiple of 32: the last lanes rest
  constexpr float kEps = 1e-5f;
  std::vector<float> x(kRows * kColumns), w(kColumns), y(x.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i % 9973));
  for (size_t i = 0; i < w.size(); ++i) w[i] = 1 + static_cast<float>(i) / kColumns;

  // The kernel works on the vectors' own memory, which therefore stays where it is until the last
  // dispatch has ended; scalars are copied.
  auto prepared = device.prepare(kernel, {Binding::of(x), Binding::of(w), Binding::of(y),
                                          Binding::of(kColumns), Binding::of(kEps)});
  const enigma::Dim3 grid{kRows * 32}, threads{32};  // in threads: one threadgroup for a row
  prepared->dispatch(grid, threads);
  const double milliseconds = prepared->dispatch_timed(grid, threads);

  double worst = 0;
  for (size_t row = 0; row < kRows; ++row) {
    double squares = 0;
    for (size_t i = 0; i < kColumns; ++i) squares += std::pow(x[row * kColumns + i], 2);
    const double scale = 1 / std::sqrt(squares / kColumns + kEps);
    for (size_t i = 0; i < kColumns; ++i) {
      const size_t at = row * kColumns + i;
      worst = std::max(worst, std::abs(y[at] - x[at] * scale * w[i]));
    }
  }
  const bool right = worst < 1e-5;
  std::printf("%s: %s, largest error %.1e, %.3f ms\n", device.capabilities().name.c_str(),
              right ? "right" : "WRONG", worst, milliseconds);
  return right;
}

int main() try {
  auto kernel = enigma::compile(rmsnorm());
  std::printf("%s\n", kernel->msl.c_str());
  bool right = run(*enigma::make_cpu_runtime(compile_with_clang), kernel);

  std::shared_ptr<enigma::Runtime> metal;
  try {
    metal = enigma::make_metal_runtime();
  } catch (const enigma::Error& why) {
    std::printf("Metal: %s\n", why.what());
  }
  if (metal) right = run(*metal, kernel) && right;
  return right ? 0 : 1;
} catch (const enigma::Error& e) {
  if (e.where().line) std::fprintf(stderr, "%s:%u: ", e.where().file.c_str(), e.where().line);
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
