// Convolution kernels of real layers through machine code or emitted C++: share of the peak measured beside each, and
// what choosing, packing, building and compiling take. Run on an idle core:
// `taskset -c 1 conv_bench [file of shapes] [part of a name] [C++ compiler]`.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/conv_shapes.h"
#include "bench/peak.h"
#include "generator/emit_cpp/library.h"
#include "generator/program/build.h"
#include "generator/schedule/cost.h"
#include "generator/schedule/pack.h"
#include "jit/backend.h"

namespace octet {
namespace {

double seconds_of(const auto& work, double at_least) {
  using Clock = std::chrono::steady_clock;
  const auto passed = [](Clock::time_point since) {
    return std::chrono::duration<double>(Clock::now() - since).count();
  };
  double best = 1e9;
  for (const auto begin = Clock::now(); passed(begin) < at_least;) {
    const auto start = Clock::now();
    work();
    best = std::min(best, passed(start));
  }
  return best;
}

struct Random {
  uint32_t state = 1;
  uint8_t operator()() { return static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24); }
};

// Memory for a kernel's operands, aligned as the runtime aligns them.
struct Bytes {
  explicit Bytes(size_t size) : store(size + OCTET_SLACK_BYTES + OCTET_ALIGNMENT) {}
  uint8_t* data() { return store.data() + (-reinterpret_cast<uintptr_t>(store.data()) & (OCTET_ALIGNMENT - 1)); }
  std::vector<uint8_t> store;
};

// A kernel, what keeps it alive, and how big it is where that is known.
struct Code {
  OctetKernel entry;
  std::shared_ptr<void> memory;
  size_t bytes;
};

// By machine code, or by a C++ compiler where one is named.
Code make_code(const Program& program, const Target& target, const std::string& compiler) {
  if (!compiler.empty()) {
    const KernelLibrary library = build_program_library({program}, target, compiler);
    return {library.kernels[0], library.handle, 0};
  }
  const auto memory = std::make_shared<CodeMemory>();
  const CompiledKernel kernel = compile(program, target, *memory);
  memory->seal();
  return {kernel.entry, memory, kernel.code_bytes};
}

void measure(const ConvShape& shape, const Target& target, const std::string& compiler, bool residual,
             int weight_limit) {
  ConvSpec s = shape.spec;
  s.requant = {.zero = 7};
  s.src_zero = 7;
  s.residual = residual;
  s.add = {0.5f, 0.75f, 1.0f};
  Random random;
  ConvData data;
  data.weights.resize(static_cast<size_t>(s.oc) * (s.ic / s.groups) * s.window.kh * s.window.kw);
  for (int8_t& w : data.weights) w = static_cast<int8_t>(random() % (2 * weight_limit) - weight_limit);
  data.bias.assign(static_cast<size_t>(s.oc), 100);
  data.multiplier.assign(static_cast<size_t>(s.oc),
                         0.5f / static_cast<float>(s.ic / s.groups * s.window.kh * s.window.kw));
  const int64_t macs = mac_count(s), executed = executed_macs(s);
  merge_groups(s, data);

  const Emitter emitter = compiler.empty() ? Emitter::jit : Emitter::compiler;
  const ConvSchedule schedule = choose_conv(s, data, target, emitter);
  const double choosing = seconds_of([&] { choose_conv(s, data, target, emitter); }, 1e-3);
  const double packing = seconds_of([&] { pack_conv(s, schedule, target, data); }, 5e-3);
  const double building = seconds_of([&] { build_conv(s, schedule, target, "conv"); }, 2e-3);
  const PackedConv packed = pack_conv(s, schedule, target, data);
  const Program program = build_conv(s, schedule, target, "conv");
  const auto start = std::chrono::steady_clock::now();
  const Code kernel = make_code(program, target, compiler);
  const std::chrono::duration<double, std::milli> compiling = std::chrono::steady_clock::now() - start;

  const int64_t pixels = int64_t{s.n} * s.oh * s.ow;
  Bytes src(static_cast<size_t>(s.n * s.ih * s.iw * s.src_pitch)), dst(static_cast<size_t>(pixels * s.dst_pitch));
  Bytes src2(static_cast<size_t>(pixels * s.src2_pitch)), weights(packed.weights.size());
  for (uint8_t& b : src.store) b = random();
  for (uint8_t& b : src2.store) b = random();
  std::memcpy(weights.data(), packed.weights.data(), packed.weights.size());
  Bytes bias(4 * packed.bias.size()), scale(4 * packed.scale.size()), constants(64 * program.constants.size());
  std::memcpy(bias.data(), packed.bias.data(), 4 * packed.bias.size());
  std::memcpy(scale.data(), packed.scale.data(), 4 * packed.scale.size());
  std::memcpy(constants.data(), program.constants.data(), 64 * program.constants.size());
  Bytes scratch(static_cast<size_t>(schedule.scratch_bytes()));
  const OctetArgs args{{src.data(), weights.data(), dst.data(), bias.data(), scale.data(), src2.data(),
                        constants.data(), scratch.data()}};

  double peak = peak_gmacs(target);
  const double seconds = seconds_of([&] { kernel.entry(&args); }, 0.1);
  peak = std::max(peak, peak_gmacs(target));
  const double gmacs = 1e-9 * static_cast<double>(executed) / seconds;
  fmt::print(
      "{:<36} {:<11} {:8.1f} us {:6.1f} GMAC/s {:5.1f} % of {:5.1f} ({:5.1f} % with the skipped)  choose {:4.0f} pack "
      "{:5.0f} build {:4.0f} us compile {:6.2f} ms, {:5} instructions {:6} bytes  {}\n",
      shape.name + (residual ? " +add" : ""), target.name, 1e6 * seconds, gmacs, 100 * gmacs / peak, peak,
      1e-7 * static_cast<double>(macs) / seconds / peak, 1e6 * choosing, 1e6 * packing, 1e6 * building,
      compiling.count(), program.code.size(), kernel.bytes, to_string(schedule));
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  using namespace octet;
  const std::string file = argc > 1 ? argv[1] : OCTET_SOURCE_DIR "/tests/shapes/networks.txt";
  const std::string part = argc > 2 ? argv[2] : "";
  const std::string compiler = argc > 3 ? argv[3] : "";
  for (const Target& target : all_targets()) {
    if ((!target.has_jit && compiler.empty()) || !host_runs(target)) continue;
    for (const ConvShape& shape : read_conv_shapes(file)) {
      if (shape.name.find(part) == std::string::npos) continue;
      measure(shape, target, compiler, false, 64);
      measure(shape, target, compiler, true, 64);
      if (target.best_dot == DotForm::maddubs) measure(shape, target, compiler, false, 128);
    }
  }
}
