// octet bench: how long a network takes, whole and layer by layer.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "generator/cli/common.h"
#include "generator/cli/layers.h"
#include "generator/io/npy.h"
#include "runtime/memory_use.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchOptions {
  ModelOptions model;
  std::vector<std::string> targets = {"host"};
  std::string json;
  int rounds = 0;
  bool layers = false;
};

struct Result {
  std::string target;
  double median = 0, least = 0, load = 0;  // seconds
  double cached_load = 0;                  // seconds, 0 without a cache
  size_t resident = 0;                     // bytes that the process held at most until it was loaded
  Machine machine;
  std::string tuned;  // what a file of measured choices did
  size_t rounds = 0;
  std::vector<Layer> layers;
  int64_t macs = 0;
};

Result measure(const LoadedModel& model, const LoadOptions& options, int rounds) {
  Result r{.target = options.target->name};
  Buffers buffers(model.executor->plan());
  const bool limits = options.engine != Engine::reference;
  if (limits) r.machine = measure_machine(*options.target, options.threads);
  std::vector<double> times;
  ExecutionContext context(model.executor);
  const auto round = [&] {
    const auto start = Clock::now();
    context.run(buffers.inputs, buffers.outputs);
    times.push_back(since(start));
  };
  warm_up(rounds, round);
  times.clear();
  repeat(rounds, "network", round);
  r.least = *std::min_element(times.begin(), times.end());
  r.rounds = times.size();
  r.median = median(std::move(times));
  r.layers = time_layers(model, buffers, rounds);
  for (const Layer& l : r.layers) r.macs += l.macs;
  if (limits) measure_peak_again(r.machine, *options.target);
  add_rooflines(r.layers, model, r.machine);
  return r;
}

std::string clipped(const std::string& text, size_t width) {
  return text.size() <= width ? text : text.substr(0, width - 3) + "...";
}

// A schedule for a table: without what all kernels of a target share.
std::string short_schedule(std::string text) {
  if (const size_t at = text.find(" registers, tiles"); at != std::string::npos) {
    const size_t from = text.rfind(", ", at);
    text.erase(from, at + 17 - from);
  }
  return text;
}

// The least time that the machine allows, what sets it, and the share of it that the layer reaches.
std::string roofline_text(const Layer& l) {
  if (l.roofline.seconds() <= 0) return "";
  return fmt::format("{:9.1f}  {:<8} {:5.1f} %", 1e6 * l.roofline.seconds(), l.roofline.bound(),
                     100 * l.share_of_roofline());
}

std::string rate_text(double macs_per_second, double peak) {
  if (macs_per_second <= 0) return "";
  const std::string rate = fmt::format("{:8.1f}", macs_per_second / 1e9);
  return peak > 0 ? rate + fmt::format(" {:6.1f} %", 100 * macs_per_second / peak) : rate;
}

void print_table(const Result& r, bool every_layer) {
  std::vector<Layer> rows = every_layer ? r.layers : merged(r.layers);
  for (Layer& l : rows) l.schedule = short_schedule(l.schedule);
  size_t shape = 5, schedule = 8, name = 5;
  for (const Layer& l : rows) {
    shape = std::max(shape, std::min<size_t>(l.shape.size(), 40));
    schedule = std::max(schedule, std::min<size_t>(l.schedule.size(), 44));
    name = std::max(name, std::min<size_t>(l.name.size(), 32));
  }
  if (!every_layer) name = 5;
  const double peak = r.machine.macs_per_second;
  const auto row = [&](const std::string& first, const std::string& op, const std::string& shape_,
                       const std::string& how, const std::string& time, const std::string& rate,
                       const std::string& limit) {
    std::string line =
        fmt::format("{:<{}}  {:<19}  {:<{}}  {:<{}}  {:>9}  {:<17}{}", clipped(first, name), name, clipped(op, 19),
                    clipped(shape_, shape), shape, clipped(how, schedule), schedule, time, rate, limit);
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  };
  row(every_layer ? "layer" : "count", "op", "shape", "schedule", "us", peak > 0 ? "  GMAC/s     peak" : "  GMAC/s",
      peak > 0 ? " roofline  bound   reached" : "");
  double sum = 0, limits = 0;
  for (const Layer& l : rows) {
    sum += l.seconds;
    row(every_layer ? l.name : fmt::format("{:>5}", l.count), l.op, l.shape, l.schedule,
        fmt::format("{:.1f}", 1e6 * l.seconds), rate_text(l.rate(), peak), roofline_text(l));
    limits += l.roofline.seconds();
  }
  row("total", "", fmt::format("{} layer{}", r.layers.size(), r.layers.size() == 1 ? "" : "s"), "",
      fmt::format("{:.1f}", 1e6 * sum), rate_text(static_cast<double>(r.macs) / sum, peak),
      limits > 0 ? fmt::format("{:9.1f}  {:<8} {:5.1f} %", 1e6 * limits, "", 100 * limits / sum) : "");
}

void print_result(const BenchOptions& o, const LoadedModel& model, const Result& r) {
  const double load = model.import_seconds + model.passes_seconds + model.compile_seconds + model.bind_seconds;
  print_table(r, o.layers);
  fmt::print("\n{} on {}, engine {}, {} thread{}\n", file_name(o.model.model), r.target,
             o.model.engine == "cpp" ? "cpp (" + o.model.compiler + ")" : o.model.engine, o.model.threads,
             o.model.threads == 1 ? "" : "s");
  fmt::print("  whole network   median {:.3f} ms, best {:.3f} ms of {} runs\n", 1e3 * r.median, 1e3 * r.least,
             r.rounds);
  if (r.macs > 0) {
    fmt::print("  work            {:.1f} M multiply-accumulates, {:.1f} GMAC/s", static_cast<double>(r.macs) / 1e6,
               static_cast<double>(r.macs) / r.median / 1e9);
    if (const double peak = r.machine.macs_per_second; peak > 0)
      fmt::print(", {:.1f} % of the measured peak of {:.1f} GMAC/s",
                 100 * static_cast<double>(r.macs) / r.median / peak, peak / 1e9);
    fmt::print("\n");
    if (std::any_of(r.layers.begin(), r.layers.end(),
                    [](const Layer& l) { return l.schedule.starts_with("winograd"); }))
      fmt::print(
          "                  counted as the shapes say; 3x3 layers in Winograd's form carry out a quarter of them\n");
  }
  fmt::print("  load            {:.1f} ms: import {:.1f}, passes {:.1f}, compile {:.1f}, code {:.1f}\n", 1e3 * load,
             1e3 * model.import_seconds, 1e3 * model.passes_seconds, 1e3 * model.compile_seconds,
             1e3 * model.bind_seconds);
  if (r.cached_load > 0) fmt::print("  from the cache  {:.1f} ms\n", 1e3 * r.cached_load);
  fmt::print("  memory          arena {}, weights {}",
             bytes_text(static_cast<size_t>(model.executor->plan().arena_bytes)),
             bytes_text(model.executor->blob_bytes()));
  fmt::print("{}; the process held at most {} while loading\n",
             model.code_bytes ? ", code " + bytes_text(model.code_bytes) : "", bytes_text(r.resident));
  if (r.tuned.size()) fmt::print("  tuned           {}\n", r.tuned);
  if (r.machine.bandwidth.empty()) return;
  fmt::print("  machine         GB/s read (copied) by a core:");
  for (const Bandwidth& b : r.machine.bandwidth) fmt::print(" {} {:.0f} ({:.0f})", b.level, b.read / 1e9, b.copy / 1e9);
  fmt::print("\n");
}

nlohmann::ordered_json as_json(const BenchOptions& o, const Result& r) {
  const double peak = r.machine.macs_per_second;
  nlohmann::ordered_json j = {{"model", o.model.model},
                              {"target", r.target},
                              {"engine", o.model.engine},
                              {"threads", o.model.threads},
                              {"batch", o.model.batch},
                              {"rounds", r.rounds},
                              {"median_ms", 1e3 * r.median},
                              {"min_ms", 1e3 * r.least},
                              {"load_ms", 1e3 * r.load},
                              {"cached_load_ms", 1e3 * r.cached_load},
                              {"resident_bytes", r.resident},
                              {"macs", r.macs},
                              {"peak_gmacs", peak / 1e9},
                              {"bandwidth", nlohmann::ordered_json::array()},
                              {"layers", nlohmann::ordered_json::array()}};
  for (const Bandwidth& b : r.machine.bandwidth)
    j["bandwidth"].push_back({{"level", b.level}, {"read_gbs", b.read / 1e9}, {"copy_gbs", b.copy / 1e9}});
  for (const Layer& l : r.layers)
    j["layers"].push_back({{"name", l.name},
                           {"op", l.op},
                           {"shape", l.shape},
                           {"schedule", l.schedule},
                           {"macs", l.macs},
                           {"median_us", 1e6 * l.seconds},
                           {"min_us", 1e6 * l.least},
                           {"gmacs", l.rate() / 1e9},
                           {"share_of_peak", peak > 0 ? l.rate() / peak : 0},
                           {"predicted_us", 1e6 * l.predicted},
                           {"roofline_us", 1e6 * l.roofline.seconds()},
                           {"bound", l.roofline.bound()},
                           {"share_of_roofline", l.share_of_roofline()}});
  return j;
}

// Seconds of a load that hits the cache, filled before; 0 where none is wanted or it cannot be used.
double cached_load(const ModelOptions& o, const LoadOptions& options) {
  if (o.cache_options().folder.empty()) return 0;
  const ReadyModel first = load_ready(o.model, options, o.cache_options());
  note_cache(first.cache);
  const auto start = Clock::now();
  const ReadyModel second = load_ready(o.model, options, o.cache_options());
  return second.cache == "hit" ? since(start) : 0;
}

void bench(const BenchOptions& o) {
  if (o.rounds < 0) user_error(fmt::format("--rounds must be positive, not {}", o.rounds));
  if (!o.json.empty()) check_writable(o.json);  // said before the time is spent
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& target : o.targets) {
    ModelOptions model_options = o.model;
    model_options.target = target;
    const LoadOptions options = model_options.load_options();
    const auto start = Clock::now();
    const LoadedModel model = load(o.model.model, options);
    const double load_seconds = since(start);
    const size_t resident = memory_use().peak;
    Result result = measure(model, options, o.rounds);
    result.load = load_seconds;
    if (options.tuned) result.tuned = tuned_text(o.model.tuned, *options.tuned, model.compiled);
    result.resident = resident;
    result.cached_load = cached_load(model_options, options);
    if (!all.empty()) fmt::print("\n");
    print_result(o, model, result);
    all.push_back(as_json(o, result));
  }
  // One target is an object, several are a list.
  if (!o.json.empty())
    write_file(
        o.json,
        std::string_view(
            (all.size() == 1 ? all[0] : all).dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
            "\n"));
}

}  // namespace

void add_bench(CLI::App& app) {
  auto o = std::make_shared<BenchOptions>();
  CLI::App* verb = app.add_subcommand("bench", "Time a network, whole and layer by layer");
  o->model.add_model(*verb);
  verb->add_option("--target", o->targets,
                   "scalar, avx2, avx512_vnni, avx512_vbmi, host; several are timed one after the other")
      ->take_all()
      ->allow_extra_args(false)
      ->capture_default_str();
  o->model.add_engine(*verb);
  o->model.add_tuned(*verb);
  verb->add_option("--threads", o->model.threads, "Threads that one run uses")->capture_default_str();
  verb->add_option("--batch", o->model.batch, "Images at a time, where the file leaves it open")->capture_default_str();
  o->model.add_cache(*verb);
  verb->add_option("--rounds", o->rounds, "Runs to time; by default a second's worth");
  o->model.add_bisecting(*verb);
  verb->add_flag("--layers", o->layers, "A row for every layer, not one for all equal layers");
  verb->add_option("--json", o->json, "Write the figures, with every layer, to this file")->check(no_empty_name());
  verb->footer(R"(
The whole network is timed without clocks between its layers, and the layers in runs of their own. "Peak" is what the
machine's dot product reaches on registers alone, measured in the same run. "Roofline" is the least time that the
machine allows: multiply-accumulates at the peak, or bytes at the bandwidth of the level of memory that holds them
(also measured); "bound" says which, "reached" the share of it.

Examples:
  octet bench resnet50.onnx
  octet bench mobilenet.onnx --target avx2 --target avx512_vnni --layers
  taskset -c 0 octet bench mobilenet.onnx --json times.json)");
  verb->callback([o] { bench(*o); });
}

}  // namespace octet::cli
