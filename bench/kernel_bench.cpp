// Google Benchmark of single kernels: op x shape x target, with the shapes and operands of the tests.
//
//   taskset -c 1 kernel_bench --benchmark_filter='conv/.*layer3.*/avx2'
//
// OCTET_NETWORK=seed=17,layers=4 adds the random network of that line, in every way that graph_fuzz_test runs it.
// OCTET_BENCH_COMPILER=g++ times emitted C++ instead of machine code. A convolution's label is its schedule; "of_peak"
// is its share of the dot products that the core can do on registers alone, measured in the same run.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/conv_shapes.h"
#include "bench/peak.h"
#include "generator/emit_cpp/library.h"
#include "generator/program/build.h"
#include "generator/program/plan_conv.h"
#include "generator/schedule/cost.h"
#include "jit/backend.h"
#include "tests/support/conv_case.h"
#include "tests/support/kernel_case.h"
#include "tests/support/random_model.h"
#include "tests/support/ways.h"

namespace octet {
namespace {

using benchmark::Counter;

constexpr int64_t kWorthTiming = 8192;  // bytes that an elementwise layer of the tests' table moves

std::string compiler_name() {
  const char* name = std::getenv("OCTET_BENCH_COMPILER");
  return name ? name : "";
}

// A kernel and what keeps it alive.
struct Code {
  OctetKernel entry;
  std::shared_ptr<void> memory;
};

Code make_code(const Program& program, const Target& target) {
  if (const std::string compiler = compiler_name(); !compiler.empty()) {
    const KernelLibrary library = build_program_library({program}, target, compiler);
    return {library.kernels[0], library.handle};
  }
  const auto memory = std::make_shared<CodeMemory>();
  const CompiledKernel kernel = compile(program, target, *memory);
  memory->seal();
  return {kernel.entry, memory};
}

double peak_of(const Target& target) {
  static std::map<std::string, double> peaks;
  const auto [at, fresh] = peaks.try_emplace(target.name, 0);
  if (fresh) at->second = peak_gmacs(target);
  return at->second;
}

Counter per_second(double amount) {
  return Counter(amount, Counter::kIsIterationInvariantRate);
}

void time_conv(benchmark::State& state, const ConvShape& shape, const ConvNumbers& numbers, const Target& target) {
  const ConvCase c = make_conv_case(shape, numbers, 1);
  const Emitter emitter = compiler_name().empty() ? Emitter::jit : Emitter::compiler;
  const PlannedConv plan = plan_conv(c.spec, c.data, target, emitter);
  const Program program = plan.build("conv");
  const Code code = make_code(program, target);
  ConvOutput out(c.spec, plan.scratch_bytes);
  const OctetArgs args = conv_args(c, plan.packed, program, out);
  const double peak = peak_of(target), gmacs = 1e-9 * static_cast<double>(executed_macs(c.spec));
  for (auto _ : state) code.entry(&args);
  state.counters["GMAC/s"] = per_second(gmacs);
  if (peak > 0) state.counters["of_peak"] = per_second(gmacs / peak);
  state.SetLabel(plan.schedule);
}

void time_op(benchmark::State& state, const KernelSpec& spec, const Target& target) {
  const Program program = build_program(spec, target, "op").value();
  const KernelCase c(spec, 1);
  const Code code = make_code(program, target);
  std::vector<uint8_t> out = c.fresh_output();
  const OctetArgs args = c.args(out, program.constants.data());
  for (auto _ : state) code.entry(&args);
  state.SetBytesProcessed(state.iterations() * traffic(spec).bytes());
}

void register_convs(const std::string& file, const Target& target) {
  for (const ConvShape& shape : read_conv_shapes(OCTET_SOURCE_DIR "/tests/shapes/" + file))
    for (const ConvNumbers& n : conv_numbers()) {
      // Weights that maddubs takes as they are, ones that it does not, a residual, and other forms of requantization.
      const std::set<std::string> wanted = {"random", "bell", "residual", "fixed_up", "fixed_away", "affine", "biased"};
      if (!wanted.count(n.name)) continue;
      benchmark::RegisterBenchmark(
          ("conv/" + shape.name + "/" + n.name + "/" + target.name).c_str(),
          [shape, n, &target](benchmark::State& state) { time_conv(state, shape, n, target); });
    }
}

// "add", and "add.doubling" for another form than ONNX Runtime's.
std::string op_title(const KernelSpec& spec) {
  std::string title = spec_op_name(spec);
  const auto form = [&title](bool usual, const char* name) { title += usual ? "" : std::string(".") + name; };
  if (const auto* s = std::get_if<AddSpec>(&spec)) form(s->add.form == AddForm::fused, add_form_name(s->add.form));
  if (const auto* s = std::get_if<MulSpec>(&spec)) form(s->mul.form == MulForm::real, "fixed");
  if (const auto* s = std::get_if<PairSpec>(&spec)) form(false, pair_form_name(s->pair.form));
  if (const auto* s = std::get_if<PoolSpec>(&spec)) form(s->kind == PoolKind::max, mean_form_name(s->mean.form));
  return title;
}

// Those that have a Program; the others are plain loops.
void register_ops(const Target& target) {
  std::map<std::string, int> seen;
  for (const KernelSpec& spec : kernel_specs()) {
    if (traffic(spec).bytes() < kWorthTiming || !build_program(spec, target, "op")) continue;
    const std::string name = op_title(spec) + "/" + shape_text(spec) + "/" + target.name;
    if (seen[name]++) continue;  // the same shape with other numbers
    benchmark::RegisterBenchmark(name.c_str(),
                                 [spec, &target](benchmark::State& state) { time_op(state, spec, target); });
  }
}

void time_network(benchmark::State& state, const RandomModel& network, const Way& way) {
  const LoadedModel model = load(graph_of(network), way);
  ExecutionContext context(model.executor);
  const ByteArrays inputs = random_inputs(model.executor->plan(), network.seed);
  for (auto _ : state) benchmark::DoNotOptimize(run(model, context, inputs));
}

void register_network(const RandomModel& network) {
  for (const Way& way : ways())
    benchmark::RegisterBenchmark(("network/" + to_string(network) + "/" + to_string(way)).c_str(),
                                 [=](benchmark::State& state) { time_network(state, network, way); });
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  using namespace octet;
  for (const Target& target : all_targets()) {
    if (!host_runs(target) || (!can_compile(target) && compiler_name().empty())) continue;
    for (const char* file : {"networks.txt", "tails.txt"}) register_convs(file, target);
    register_ops(target);
  }
  if (const char* line = std::getenv("OCTET_NETWORK")) register_network(random_model_named(line));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
