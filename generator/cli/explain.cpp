// octet explain: what became of a network and why; nothing is run, so any target can be asked for.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "generator/cli/common.h"
#include "generator/cli/cores.h"
#include "generator/cli/layers.h"
#include "generator/import/model.h"
#include "generator/io/file.h"
#include "generator/passes/passes.h"
#include "jit/backend.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

using Counts = std::map<std::string, int>;

Counts count_ops(const Graph& graph) {
  Counts counts;
  for (const Node& n : graph.nodes) ++counts[op_name(n.op)];
  return counts;
}

// "-52 dequantize, +4 requantize", or nothing.
std::string difference(const Counts& before, const Counts& after) {
  Counts delta = after;
  for (const auto& [op, n] : before) delta[op] -= n;
  std::string text;
  for (const auto& [op, n] : delta)
    if (n != 0) text += fmt::format("{}{:+} {}", text.empty() ? "" : ", ", n, op);
  return text;
}

struct Passed {
  Graph graph;
  Graph whole;  // before channels and clamps were dropped
};

Passed through_passes(const ModelOptions& o) {
  Graph graph = import_model(o.model, o.import_options());
  fmt::print("{}: {}, {} nodes{}\n\nPasses\n", file_name(o.model), graph.format, graph.nodes.size(),
             graph.producer.empty() ? "" : ", made by " + printable(graph.producer));
  Counts before = count_ops(graph);
  Graph whole;
  PassOptions options = o.pass_options();
  options.report = [&](const char* pass, double milliseconds, const Graph& g) {
    const Counts after = count_ops(g);
    const std::string changes = difference(before, after);
    fmt::print("  {:<20} {:7.2f} ms  {:5} nodes{}{}\n", pass, milliseconds, g.nodes.size(), changes.empty() ? "" : "  ",
               changes);
    before = after;
    if (std::string_view(pass) == "prove_ranges") whole = g;
  };
  run_passes(graph, options);
  return {std::move(graph), std::move(whole)};
}

std::string label(const Node& n) {
  return printable(n.name);
}
std::string label(const Tensor& t) {
  return "'" + printable(t.name) + "'";
}

std::string readers_of(const Graph& graph, const GraphIndex& index, TensorId t, int besides) {
  std::string text;
  for (const int reader : index.consumers[static_cast<size_t>(t)])
    if (reader != besides) text += (text.empty() ? "" : ", ") + label(graph.nodes[static_cast<size_t>(reader)]);
  return text;
}

// Why this addend's producer did not take the add in.
std::string why_not(const Graph& graph, const GraphIndex& index, int add, TensorId addend) {
  const Tensor& t = graph.tensor(addend);
  const int producer = index.producer[static_cast<size_t>(addend)];
  if (t.is_constant()) return fmt::format("{} is a constant", label(t));
  if (producer < 0) return fmt::format("{} is an input", label(t));
  const Node& p = graph.nodes[static_cast<size_t>(producer)];
  if (p.op != OpKind::conv && p.op != OpKind::linear) return fmt::format("{} comes from {}", label(t), op_name(p.op));
  if (p.fused_add) return fmt::format("{} holds an add already", label(p));
  if (std::find(graph.outputs.begin(), graph.outputs.end(), addend) != graph.outputs.end())
    return fmt::format("{} is an output", label(t));
  const std::string others = readers_of(graph, index, addend, add);
  if (!others.empty()) return fmt::format("{} is also read by {}", label(t), others);
  if (t.shape != graph.tensor(graph.nodes[static_cast<size_t>(add)].outputs[0]).shape)
    return fmt::format("{} is smaller than the sum", label(t));
  return fmt::format("{} does not take it", label(p));
}

void explain_fusions(const Graph& graph) {
  const GraphIndex index(graph);
  int clamps = 0, adds = 0;
  for (const Node& n : graph.nodes) {
    clamps += n.range != QRange{};
    adds += n.fused_add.has_value();
  }
  fmt::print(
      "\nFusions\n  {} residual add{} inside a convolution or linear layer, {} clamp{} that act inside a producer\n",
      adds, adds == 1 ? "" : "s", clamps, clamps == 1 ? "" : "s");
  for (const Node& n : graph.nodes)
    if (n.fused_add)
      fmt::print("  made     {}: adds {}, so '{}' vanished\n", label(n), label(graph.tensor(n.inputs[3])),
                 printable(n.fused_add->tensor));
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    if (n.op != OpKind::add || !n.island.empty()) continue;
    const int at = static_cast<int>(i);
    fmt::print("  refused  {}: {}; {}\n", label(n), why_not(graph, index, at, n.inputs[0]),
               why_not(graph, index, at, n.inputs[1]));
  }
}

int64_t macs_of(const Graph& graph, const Node& n) {
  const Shape& w = graph.tensor(n.inputs[1]).shape;
  return element_count(graph.tensor(n.outputs[0]).shape) * (element_count(w) / w[0]);
}

std::string share(int64_t part, int64_t all) {
  return fmt::format("{} of {} ({:.1f} %)", part, all,
                     all ? 100.0 * static_cast<double>(part) / static_cast<double>(all) : 0);
}

// The passes that drop keep a node's outputs, so layers are found again by them.
void explain_proofs(const Passed& passed) {
  const GraphIndex then(passed.whole);
  int64_t channels = 0, dropped = 0, macs = 0, macs_left = 0;
  int clamps = 0, layers = 0;
  std::string text;
  for (const Node& n : passed.graph.nodes) {
    const TensorId out = n.outputs[0];
    const Node& before = passed.whole.nodes[static_cast<size_t>(then.producer[static_cast<size_t>(out)])];
    const bool clamp = n.range != before.range || (n.fused_add && n.fused_add->range != before.fused_add->range);
    clamps += clamp;
    if (clamp) text += fmt::format("  {}: a clamp cannot act\n", label(n));
    if ((n.op != OpKind::conv && n.op != OpKind::linear) || !n.island.empty()) continue;
    const int64_t all = passed.whole.tensor(out).shape.back(), left = passed.graph.tensor(out).shape.back();
    const int64_t work = macs_of(passed.whole, before), work_left = macs_of(passed.graph, n);
    channels += all;
    dropped += all - left;
    macs += work;
    macs_left += work_left;
    layers += work != work_left;
    if (work != work_left)
      text += fmt::format("  {}: {} of {} channels, {:.1f} % of its multiply-accumulates\n", label(n), left, all,
                          100.0 * static_cast<double>(work_left) / static_cast<double>(work));
  }
  fmt::print("\nProved from the weights\n{}", text);
  fmt::print("  dropped: {} channels of layers, {} multiply-accumulates in {} layers, {} clamp{}\n",
             share(dropped, channels), share(macs - macs_left, macs), layers, clamps, clamps == 1 ? "" : "s");
}

// Mean time of the steps that run each kernel, by a run of the network on this machine.
std::vector<double> measured_kernels(const ModelOptions& o, const LoadOptions& options) {
  const LoadedModel model = load(o.model, options);
  Buffers buffers(model.executor->plan());
  std::vector<double> seconds(model.compiled.kernels.size());
  std::vector<size_t> uses(seconds.size());
  for (const Layer& layer : time_layers(model, buffers, 0)) {
    const uint32_t k = model.executor->plan().steps[layer.first_step].kernel;
    seconds[k] += layer.seconds;
    ++uses[k];
  }
  for (size_t k = 0; k < seconds.size(); ++k) seconds[k] /= static_cast<double>(std::max<size_t>(1, uses[k]));
  return seconds;
}

// "predicted 12.3 us, measured 12.9 us (-5 %)", as far as there is either.
std::string time_text(double predicted, double measured) {
  std::string text;
  if (predicted > 0) text = fmt::format("predicted {:.1f} us", 1e6 * predicted);
  if (measured > 0) text += fmt::format("{}measured {:.1f} us", text.empty() ? "" : ", ", 1e6 * measured);
  if (predicted > 0 && measured > 0) text += fmt::format(" ({:+.0f} %)", 100 * (predicted / measured - 1));
  return text;
}

// `measured`: seconds of one step of every kernel, or nothing.
void explain_layers(const CompiledModel& model, const std::vector<double>& measured) {
  fmt::print("\nKernels on {}, with their schedules and why\n", model.target->name);
  std::vector<size_t> uses(model.kernels.size()), first(model.kernels.size());
  for (size_t s = model.plan.steps.size(); s-- > 0;) {
    ++uses[model.plan.steps[s].kernel];
    first[model.plan.steps[s].kernel] = s;
  }
  const int64_t network_bytes = model.plan.arena_bytes + static_cast<int64_t>(model.plan.blob.size());
  double predicted_sum = 0, measured_sum = 0;
  const CoreText cores = model.target->arch == Arch::aarch64 ? core_text(model) : CoreText();
  size_t width = 0;
  for (const KernelUnit& u : model.kernels) width = std::max(width, u.name.size());
  for (size_t k = 0; k < model.kernels.size(); ++k) {
    const KernelUnit& u = model.kernels[k];
    fmt::print("  {:<{}}  {}   {}{}\n", u.name, width, shape_text(u.spec), printable(model.steps[first[k]].node),
               uses[k] > 1 ? fmt::format(" and {} more steps", uses[k] - 1) : "");
    const auto more = [width](const std::string& text) {
      if (!text.empty()) fmt::print("  {:<{}}    {}\n", "", width, text);
    };
    more(u.schedule);
    more(model.steps[first[k]].reason);
    const double guess = predicted_seconds(u, network_bytes, *model.target), real = measured.empty() ? 0 : measured[k];
    more(time_text(guess, real));
    if (!cores.kernels.empty())
      for (const std::string& line : cores.kernels[k]) more(line);
    predicted_sum += guess * static_cast<double>(uses[k]);
    measured_sum += real * static_cast<double>(uses[k]);
  }
  const std::string sum = time_text(predicted_sum, measured_sum);
  if (!sum.empty()) fmt::print("  all steps on one core after the other: {}\n", sum);
  if (!cores.sum.empty()) fmt::print("  {}\n", cores.sum);
}

void explain_islands(const Graph& graph) {
  const auto count =
      std::count_if(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) { return !n.island.empty(); });
  if (count == 0) return;
  fmt::print("\nIslands: {} ops work outside of int8\n", count);
  for (const Node& n : graph.nodes)
    if (!n.island.empty()) fmt::print("  {} ({}): {}\n", label(n), op_name(n.op), printable(n.island));
}

void explain_memory(const CompiledModel& model) {
  int64_t sum = 0;
  for (const Buffer& b : model.buffers) sum += b.bytes;
  fmt::print("\nMemory: {} buffers of {} together share an arena of {}\n", model.buffers.size(),
             bytes_text(static_cast<size_t>(sum)), bytes_text(static_cast<size_t>(model.memory.arena_bytes)));
  fmt::print("  steps from left to right, addresses from top to bottom, a letter per buffer\n");
  fmt::print("{}", picture(model.buffers, model.memory));
}

void explain_sizes(const CompiledModel& model) {
  size_t code = 0, programs = 0;
  for (const KernelUnit& u : model.kernels) programs += u.program.has_value();
  if (can_compile(*model.target)) {
    CodeMemory memory;
    for (const KernelUnit& u : model.kernels)
      if (u.program) code += compile(*u.program, *model.target, memory).code_bytes;
  }
  fmt::print("\nSizes: {} steps share {} kernels ({} generated, the rest plain loops); weights and constants {}",
             model.plan.steps.size(), model.kernels.size(), programs, bytes_text(model.plan.blob.size()));
  fmt::print("{}\n", code ? ", machine code " + bytes_text(code) : "");
}

}  // namespace

void print_explanation(const ModelOptions& o, bool measure) {
  const LoadOptions options = o.load_options();
  const Passed passed = through_passes(o);
  const Graph& graph = passed.graph;
  explain_fusions(graph);
  explain_islands(graph);
  if (o.no_prove)
    fmt::print("\nProved from the weights: switched off\n");
  else
    explain_proofs(passed);
  const CompiledModel model = compile(graph, {.target = options.target,
                                              .emitter = emitter_of(*options.target),
                                              .threads = options.threads,
                                              .tilings = {.tuned = options.tuned.get(), .winograd = options.winograd},
                                              .views = options.views});
  if (options.tuned) fmt::print("\nTuned {}\n", tuned_text(o.tuned, *options.tuned, model));
  explain_layers(model, measure ? measured_kernels(o, options) : std::vector<double>());
  explain_memory(model);
  explain_sizes(model);
}

void add_explain(CLI::App& app) {
  auto o = std::make_shared<ModelOptions>();
  auto measure = std::make_shared<bool>(false);
  CLI::App* verb = app.add_subcommand("explain", "Say what is done with a network and why");
  o->add_model(*verb);
  o->add_target(*verb);
  o->add_tuned(*verb);
  o->add_profile(*verb);
  verb->add_option("--threads", o->threads, "Threads that one run uses")->capture_default_str();
  verb->add_option("--batch", o->batch, "Images at a time, where the file leaves it open")->capture_default_str();
  o->add_bisecting(*verb);
  verb->add_flag("--measure", *measure, "Run the network too: measured times beside the predicted ones");
  verb->footer(R"(
Shows the passes with what each changed, fusions made and refused, islands outside of int8 and why, channels and clamps that the weights prove needless,
the schedule of every kernel and which dot product is exact for its weights, the time that the cost model predicts, the
memory plan as a picture, and sizes. The target need not be this machine's, unless --measure runs it. For AArch64 targets,
instructions a call, and dot products a cycle by llvm-mca's models of three cores, where llvm-mca-19 is installed.

Example:
  octet explain resnet50.onnx --target avx2)");
  verb->callback([o, measure] { print_explanation(*o, *measure); });
}

}  // namespace octet::cli
