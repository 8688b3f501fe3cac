// octet tune: measures the register tiles that the cost model cannot tell apart, and stores what is faster.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>

#include "generator/cli/common.h"
#include "generator/cli/layers.h"
#include "generator/io/file.h"
#include "generator/schedule/tuned.h"
#include "jit/backend.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

constexpr int kMostCandidates = 6;   // as tilings_to_measure() gives
constexpr double kNoise = 0.02;      // a candidate that wins by less is not taken
constexpr double kFirstShare = 0.7;  // of the time for measuring; the rest confirms

struct TuneOptions {
  ModelOptions model;
  std::string output;
  double seconds = 20;
};

// The network with one choice of tilings, and each tunable layer's best time so far. Equal layers are one.
struct Variant {
  Variant(const std::string& path, const LoadOptions& options)
      : model(load(path, options)),
        buffers(model.executor->plan()),
        context(model.executor),
        seconds(model.executor->plan().steps.size()),
        best(seconds.size(), 1e9) {}

  void run() {
    std::fill(seconds.begin(), seconds.end(), 0.0);
    context.run_timed(buffers.inputs, buffers.outputs, seconds);
    for (size_t s = 0; s < seconds.size(); ++s) best[s] = std::min(best[s], seconds[s]);
  }

  // Sum over the steps that are the layer.
  std::map<std::string, double> layers() const {
    std::map<std::string, double> sums;
    for (size_t s = 0; s < best.size(); ++s)
      if (const std::string& layer = model.compiled.steps[s].layer; !layer.empty()) sums[layer] += best[s];
    return sums;
  }
  std::map<std::string, Tiling> tilings() const {
    std::map<std::string, Tiling> all;
    for (const StepInfo& s : model.compiled.steps)
      if (!s.layer.empty()) all[s.layer] = s.tiling;
    return all;
  }

  LoadedModel model;
  Buffers buffers;
  ExecutionContext context;
  std::vector<double> seconds, best;
};

// Rounds in turn, so that what else the machine does meets all variants alike.
void interleave(std::vector<Variant>& variants, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  constexpr int kAtLeast = 5;
  for (int round = 0; round < kAtLeast || passed() < seconds; ++round)
    for (Variant& v : variants) v.run();
}

struct Winner {
  Tiling tiling;
  double before = 0, after = 0;  // seconds
};
using Winners = std::map<std::string, Winner>;

// The layers that some variant runs clearly faster than the first.
Winners faster_layers(const std::vector<Variant>& variants) {
  Winners winners;
  const auto before = variants.front().layers();
  for (const Variant& v : variants) {
    const auto tilings = v.tilings();
    for (const auto& [layer, seconds] : v.layers()) {
      const double now = before.at(layer);
      const auto at = winners.find(layer);
      if (seconds < (1 - kNoise) * now && (at == winners.end() || seconds < at->second.after))
        winners[layer] = {tilings.at(layer), now, seconds};
    }
  }
  return winners;
}

std::vector<Variant> candidates(const TuneOptions& o, LoadOptions options) {
  std::vector<Variant> variants;
  variants.reserve(kMostCandidates);
  for (int c = 0; c < kMostCandidates; ++c) {
    options.tiling_candidate = c;
    variants.emplace_back(o.model.model, options);
    if (c > 0 && variants.back().tilings() == variants.front().tilings()) {
      variants.pop_back();  // no layer has so many
      break;
    }
  }
  return variants;
}

// The winners that win again, in a network where all of them are at work.
Winners confirmed(const TuneOptions& o, LoadOptions options, const Winners& winners) {
  if (winners.empty()) return {};
  TunedTilings tuned;
  for (const auto& [layer, w] : winners) tuned.set(options.target->name, host_cpu(), layer, w.tiling);
  std::vector<Variant> pair;
  pair.reserve(2);
  pair.emplace_back(o.model.model, options);
  options.tuned = std::make_shared<const TunedTilings>(tuned);
  pair.emplace_back(o.model.model, options);
  interleave(pair, (1 - kFirstShare) * o.seconds);
  return faster_layers(pair);
}

void tune(const TuneOptions& o) {
  if (!(o.seconds > 0 && o.seconds <= 3600))
    user_error(fmt::format("--seconds must be above 0 and at most 3600, not {}", o.seconds));
  const LoadOptions options = o.model.load_options();
  if (!can_compile(*options.target))
    user_error(fmt::format("target {} has no machine code to tune", options.target->name));
  TunedTilings tuned;
  if (std::filesystem::exists(o.output)) tuned = read_tuned(o.output);
  check_writable(o.output);
  std::vector<Variant> variants = candidates(o, options);
  interleave(variants, kFirstShare * o.seconds);
  const Winners winners = confirmed(o, options, faster_layers(variants));
  double before = 0, after = 0;
  for (const auto& [layer, tiling] : variants.front().tilings()) {
    const auto at = winners.find(layer);
    if (at == winners.end()) {
      tuned.erase(options.target->name, host_cpu(), layer);
      continue;
    }
    const Winner& w = at->second;
    tuned.set(options.target->name, host_cpu(), layer, w.tiling);
    fmt::print("{:8.1f} -> {:7.1f} us  {} -> {}  {}\n", 1e6 * w.before, 1e6 * w.after, to_string(tiling),
               to_string(w.tiling), layer);
    before += w.before, after += w.after;
  }
  write_file(o.output, tuned.text());
  fmt::print("{}: {} of {} different layers are faster than by default, together {:.1f} us of {:.1f}\n", o.output,
             winners.size(), variants.front().tilings().size(), 1e6 * (before - after), 1e6 * before);
}

}  // namespace

void add_tune(CLI::App& app) {
  auto o = std::make_shared<TuneOptions>();
  CLI::App* verb = app.add_subcommand("tune", "Measure what the cost model cannot tell, and store it");
  o->model.add_model(*verb);
  o->model.add_target(*verb);
  verb->add_option("-o,--output", o->output, "The file of measured choices; what it holds for others is kept")
      ->required()
      ->check(no_empty_name());
  verb->add_option("--seconds", o->seconds, "How long to measure, loading apart")->capture_default_str();
  verb->add_option("--batch", o->model.batch, "Images at a time, where the file leaves it open")->capture_default_str();
  verb->footer(R"(
The network runs with up to six choices of register tiles in turn; a layer keeps its default unless another tile is
faster by more than the noise, twice. The file then goes to --tuned of run, bench, compile and explain. It is
text, a line for each layer with target and processor; the results' bytes do not depend on it.

Example:
  octet tune resnet50.onnx -o tuned.txt
  octet bench resnet50.onnx --tuned tuned.txt)");
  verb->callback([o] { tune(*o); });
}

}  // namespace octet::cli
