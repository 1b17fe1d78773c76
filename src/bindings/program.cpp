// Programs: one prepared object for the launches of a jit function.
#include "program.h"

#include <algorithm>
#include <cstring>

#include "enigma/error.h"

namespace enigma {
namespace {

/// A size that is bound: a u32.
int64_t number(const Binding& memory) {
  uint32_t n = 0;
  std::memcpy(&n, memory.data, sizeof n);
  return n;
}

class PreparedProgram final : public Prepared {
 public:
  PreparedProgram(std::string name, const Program& program, const std::vector<Binding>& bindings)
      : name_(std::move(name)), parts_(program.parts), sizes_(program.sizes) {
    for (uint32_t p : sizes_.params()) values_.push_back(number(bindings[p]));
  }

  void add(std::unique_ptr<Prepared> part) { prepared_.push_back(std::move(part)); }

  void dispatch(Dim3 grid, Dim3 threads, bool wait) override {
    check(grid, threads);
    for (size_t k = 0; k < parts_.size(); ++k) {
      prepared_[k]->dispatch(grid_of(parts_[k]), parts_[k].threads, wait);
    }
  }

  double dispatch_timed(Dim3 grid, Dim3 threads) override {
    check(grid, threads);
    double milliseconds = 0;
    for (size_t k = 0; k < parts_.size(); ++k) {
      milliseconds += prepared_[k]->dispatch_timed(grid_of(parts_[k]), parts_[k].threads);
    }
    return milliseconds;
  }

  void bind(uint32_t param, Binding memory) override {
    for (size_t s = 0; s < values_.size(); ++s) {
      if (sizes_.params()[s] == param) values_[s] = number(memory);
    }
    each(param, [&](Prepared& p, uint32_t own) { p.bind(own, memory); });
  }

  Binding read(uint32_t param) override {
    Binding found;
    each(param, [&](Prepared& p, uint32_t own) { found = p.read(own); });
    if (found.data) return found;
    throw Error(name_ + " has no kernel that uses parameter " + std::to_string(param));
  }

  void unbind() override {
    for (auto& p : prepared_) p->unbind();
  }

  void add_to(std::vector<Launch>& batch, Dim3 grid, Dim3 threads) const {
    check(grid, threads);
    for (size_t k = 0; k < parts_.size(); ++k) {
      batch.push_back({prepared_[k].get(), grid_of(parts_[k]), parts_[k].threads});
    }
  }

 private:
  void check(Dim3 grid, Dim3 threads) const {
    const Part& last = parts_.back();
    const Dim3 own = grid_of(last);
    if ((grid == kOwnGrid || grid == own) && threads == last.threads) return;
    throw Error("jit function '" + name_ +
                "' launches its kernels itself, the last over the grid " + str(own) +
                " in threadgroups of " + str(last.threads) + ", but the grid " + str(grid) +
                " in threadgroups of " + str(threads) + " is given; leave both out");
  }

  Dim3 grid_of(const Part& part) const {
    std::array<uint32_t, 3> out;
    for (size_t d = 0; d < 3; ++d) {
      const int64_t n = sizes_.value(part.grid[d], values_);
      if (n < 1 || n > int64_t{UINT32_MAX}) {
        throw Error("jit function '" + name_ + "': the grid " + str(part.grid[d]) + " of kernel '" +
                    part.kernel->kernel_name + "' is " + std::to_string(n) +
                    " threads; it must be from 1 to " + std::to_string(UINT32_MAX));
      }
      out[d] = static_cast<uint32_t>(n);
    }
    return {out[0], out[1], out[2]};
  }

  template <class F>
  void each(uint32_t param, const F& f) {
    for (size_t k = 0; k < parts_.size(); ++k) {
      const auto& params = parts_[k].params;
      auto found = std::find(params.begin(), params.end(), param);
      if (found != params.end()) f(*prepared_[k], static_cast<uint32_t>(found - params.begin()));
    }
  }

  const std::string name_;
  const std::vector<Part> parts_;
  const Sizes sizes_;
  std::vector<int64_t> values_;  // of the sizes
  std::vector<std::unique_ptr<Prepared>> prepared_;
};

}  // namespace

std::shared_ptr<const Artifact> face_of(std::string name, std::vector<ParamInfo> params,
                                        std::vector<Part>& parts) {
  auto face = std::make_shared<Artifact>();
  face->kernel_name = std::move(name);
  face->msl_name = parts.back().kernel->msl_name;
  face->params = std::move(params);
  face->fast_math = parts.back().kernel->fast_math;
  for (Part& part : parts) {
    const Artifact& kernel = *part.kernel;
    face->msl += (face->msl.empty() ? "" : "\n") + kernel.msl;
    face->ir += (face->ir.empty() ? "" : "\n") + kernel.ir;
    face->msl_version = std::max(face->msl_version, kernel.msl_version);
    face->threadgroup_bytes = std::max(face->threadgroup_bytes, kernel.threadgroup_bytes);
    face->warnings.insert(face->warnings.end(), kernel.warnings.begin(), kernel.warnings.end());
    for (const ParamInfo& p : kernel.params) {
      auto known = std::find_if(face->params.begin(), face->params.end(),
                                [&](const ParamInfo& f) { return f.name == p.name; });
      if (known == face->params.end()) {
        face->params.push_back(p);
        known = face->params.end() - 1;
      }
      if (known->dtype != p.dtype || known->is_scalar != p.is_scalar || known->index != p.index) {
        throw Error("two tensors of jit function '" + face->kernel_name + "' are called '" +
                    p.name + "'; give each its own name");
      }
      known->read |= p.read;
      known->written |= p.written;
      known->elements = std::max(known->elements, p.elements);
      part.params.push_back(static_cast<uint32_t>(known - face->params.begin()));
    }
    for (const ConstantInfo& c : kernel.constants) {
      auto known = std::find_if(face->constants.begin(), face->constants.end(),
                                [&](const ConstantInfo& f) { return f.index == c.index; });
      if (known == face->constants.end()) face->constants.push_back(c);
    }
  }
  return face;
}

std::unique_ptr<Prepared> prepare_program(Runtime& runtime, const Artifact& face,
                                          const Program& program, std::vector<Binding> bindings,
                                          const std::vector<ConstantValue>& constants) {
  auto out = std::make_unique<PreparedProgram>(face.kernel_name, program, bindings);
  for (const Part& part : program.parts) {
    std::vector<Binding> own;
    for (uint32_t p : part.params) own.push_back(bindings[p]);
    std::vector<ConstantValue> values;
    for (const ConstantValue& c : constants) {
      for (const ConstantInfo& info : part.kernel->constants) {
        if (info.index == c.index) values.push_back(c);
      }
    }
    out->add(runtime.prepare(part.kernel, std::move(own), std::move(values)));
  }
  return out;
}

void add_launch(std::vector<Launch>& batch, const Launch& launch) {
  if (const auto* program = dynamic_cast<const PreparedProgram*>(launch.prepared)) {
    program->add_to(batch, launch.grid, launch.threads);
  } else {
    batch.push_back(launch);
  }
}

}  // namespace enigma
