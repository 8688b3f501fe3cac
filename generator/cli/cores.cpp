#include "generator/cli/cores.h"

#include <fmt/format.h>

#include <cstring>
#include <future>

#include "bench/core_model.h"
#include "jit/llvm/codegen.h"

namespace octet::cli {
namespace {

std::string code_text(const A64Code& code) {
  const int64_t run = instructions_run(code.whole), dots = dots_run(code.whole);
  std::string text = fmt::format("{} instructions a call", run);
  if (dots > 0) text += fmt::format(", {:.2f} a dot", static_cast<double>(run) / static_cast<double>(dots));
  if (const A64Loop* hot = hot_loop(code))
    text += fmt::format("; {} instructions with {} dots in the loop", hot->end - hot->first, hot->dots());
  return text;
}

// `has_dots`: whether the target has the instruction that a core's peak counts.
std::string model_text(const ModelledKernel& m, const A64Code& code, const Core& core, bool has_dots) {
  const int64_t dots = dots_run(code.whole);
  const int peak = peak_dots(core, code);
  if (dots == 0) return fmt::format("{}: {:.0f} cycles", core.name, m.cycles);
  const double whole = static_cast<double>(dots) / m.cycles;
  std::string text = fmt::format("{}: ", core.name);
  if (m.loop_dots > 0)
    text +=
        fmt::format("{:.2f} {}dots a cycle in the loop, ", m.loop_dots, has_dots ? fmt::format("of {} ", peak) : "");
  text += fmt::format("{:.2f} in all", whole);
  return text + (has_dots ? fmt::format(" ({:.1f} % of its peak)", 100 * whole / peak) : "");
}

}  // namespace

CoreText core_text(const CompiledModel& model) {
  CoreText text{.kernels = std::vector<std::vector<std::string>>(model.kernels.size())};
  if (!has_llvm()) {
    text.sum = "this Octet was built without LLVM, so nothing is known of the machine code";
    return text;
  }
  const Target& target = *model.target;
  const bool has_dots = std::strstr(target.features, "dotprod") != nullptr;
  std::vector<const Program*> programs;
  std::vector<std::string> names;
  std::vector<size_t> units;
  for (size_t k = 0; k < model.kernels.size(); ++k)
    if (const auto& program = model.kernels[k].program) {
      programs.push_back(&*program);
      names.push_back(program->name);
      units.push_back(k);
    }
  const std::vector<uint8_t> object = llvm_object(programs, target);
  const auto bytes = code_of_object(object, names);
  std::vector<A64Code> codes;
  for (size_t i = 0; i < names.size(); ++i) {
    codes.push_back(read_a64(bytes[i], *programs[i]));
    text.kernels[units[i]] = {code_text(codes[i])};
  }
  if (!has_core_models()) {
    text.sum = "no modelled cycles: llvm-mca-19 or llvm-objdump-19 is missing (Debian: llvm-19)";
    return text;
  }
  std::vector<int64_t> uses(model.kernels.size());
  for (const OctetStep& s : model.plan.steps) ++uses[s.kernel];
  const std::vector<Core> cores = modelled_cores(target);
  std::vector<std::future<std::vector<ModelledKernel>>> running;
  for (const Core& core : cores)
    running.push_back(std::async(std::launch::async, [&] { return model_kernels(object, names, codes, core); }));
  for (size_t c = 0; c < cores.size(); ++c) {
    const std::vector<ModelledKernel> modelled = running[c].get();
    double cycles = 0;
    for (size_t i = 0; i < names.size(); ++i) {
      text.kernels[units[i]].push_back("llvm-mca, " + model_text(modelled[i], codes[i], cores[c], has_dots));
      cycles += modelled[i].cycles * static_cast<double>(uses[units[i]]);
    }
    text.sum += fmt::format("{}{} {:.2f} million cycles", c ? ", " : "", cores[c].name, 1e-6 * cycles);
  }
  text.sum = "all generated steps by llvm-mca's models, every byte in the nearest cache: " + text.sum;
  return text;
}

}  // namespace octet::cli
