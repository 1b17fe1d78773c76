// Programs: kernels that run in order on the same arguments, as a jit function launches them.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "enigma/runtime.h"
#include "sizes.h"

namespace enigma {

/// One launch of a program.
struct Part {
  std::shared_ptr<const Artifact> kernel;
  std::vector<uint32_t> params;  ///< which parameter of the program each of the kernel's is
  std::array<Size, 3> grid;
  Dim3 threads;
};

/// The launches of a jit function, and the sizes that only a run knows.
struct Program {
  std::vector<Part> parts;
  Sizes sizes;
};

/// A grid that stands for the program's own.
constexpr Dim3 kOwnGrid{0, 0, 0};

/// What a program shows of itself: parameters, texts, warnings and constants of all its parts.
/// `params` names the parameters in order; what the parts have beyond them follows. Fills in
/// Part::params.
std::shared_ptr<const Artifact> face_of(std::string name, std::vector<ParamInfo> params,
                                        std::vector<Part>& parts);

/// Prepares the parts on the same memory: what it gives dispatches all of them, in order, with the
/// grids that they bring, at the sizes that are bound. A dispatch is told the grid of the last, or
/// kOwnGrid.
std::unique_ptr<Prepared> prepare_program(Runtime& runtime, const Artifact& face,
                                          const Program& program, std::vector<Binding> bindings,
                                          const std::vector<ConstantValue>& constants);
/// Adds a launch to a batch: its parts', if it is of a program.
void add_launch(std::vector<Launch>& batch, const Launch& launch);

}  // namespace enigma
