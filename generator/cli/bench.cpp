// octet bench: how long a network takes, whole and layer by layer.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <thread>

#include "bench/peak.h"
#include "generator/cli/common.h"
#include "generator/io/npy.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct BenchOptions {
  ModelOptions model;
  std::vector<std::string> targets = {"host"};
  std::string json;
  int rounds = 0;
  bool layers = false;
};

double median(std::vector<double> v) {
  const auto middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
  std::nth_element(v.begin(), middle, v.end());
  return *middle;
}

// Values over the input's quantized range, or normal ones; integers over their whole range.
std::vector<uint8_t> random_values(const TensorInfo& t, std::mt19937& random) {
  std::vector<uint8_t> bytes(t.bytes());
  if (t.dtype != DType::f32) {
    if (dtype_bytes(t.dtype) == 1)
      for (uint8_t& b : bytes) b = static_cast<uint8_t>(t.dtype == DType::boolean ? random() & 1 : random());
    return bytes;
  }
  const float lowest = t.quantized == DType::s8 ? -128 : 0;
  std::uniform_real_distribution<float> q(lowest, lowest + 255);
  std::normal_distribution<float> normal;
  auto* values = reinterpret_cast<float*>(bytes.data());
  for (int64_t i = 0; i < t.elements(); ++i)
    values[i] = t.scale > 0 ? t.scale * (q(random) - static_cast<float>(t.zero_point)) : normal(random);
  return bytes;
}

// MAC/s of that many threads at once; 0 where the target has no machine code.
double measured_peak(const Target& target, int threads) {
  std::vector<double> rates(static_cast<size_t>(threads));
  std::vector<std::thread> others;
  for (size_t t = 1; t < rates.size(); ++t) others.emplace_back([&, t] { rates[t] = peak_gmacs(target); });
  rates[0] = peak_gmacs(target);
  for (std::thread& t : others) t.join();
  return 1e9 * std::accumulate(rates.begin(), rates.end(), 0.0);
}

// The inputs and outputs of one run.
struct Buffers {
  explicit Buffers(const Plan& plan) {
    std::mt19937 random(1);
    for (const TensorInfo& t : plan.inputs) data.push_back(random_values(t, random));
    for (const TensorInfo& t : plan.outputs) data.emplace_back(t.bytes());
    for (size_t i = 0; i < data.size(); ++i)
      if (i < plan.inputs.size())
        inputs.push_back(data[i].data());
      else
        outputs.push_back(data[i].data());
  }
  std::vector<std::vector<uint8_t>> data;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
};

// Caches, branch predictors and the clock rate settle first.
void warm_up(int rounds, const std::function<void()>& round) {
  const auto start = Clock::now();
  do round();
  while (rounds == 0 && since(start) < 0.2);
}

// One round after the other until there are enough of them: `rounds`, or a second's worth and at least 5.
void repeat(int rounds, const char* label, const std::function<void()>& round) {
  const auto start = Clock::now();
  if (rounds == 0) {
    for (int n = 0; n < 5 || (n < 100000 && since(start) < 1); ++n) round();
    return;
  }
  Progress progress(label, static_cast<size_t>(rounds));
  for (int n = 0; n < rounds; ++n) {
    round();
    progress.advance();
  }
}

struct Layer {
  std::string name, op, shape, schedule;
  int64_t macs = 0;
  double seconds = 0;  // median
  double least = 0;
  size_t count = 1;    // of equal layers, in the short table
  double rate() const { return seconds > 0 ? static_cast<double>(macs) / seconds : 0; }
};

struct Result {
  std::string target;
  double median = 0, least = 0, load = 0, peak = 0;  // seconds; MAC/s
  size_t rounds = 0;
  std::vector<Layer> layers;
  int64_t macs = 0;
};

// The layers of a network: the parts of a layer that several threads share are one.
std::vector<Layer> layers_of(const CompiledModel& model, const Plan& plan, std::vector<size_t>& first_steps) {
  std::vector<Layer> layers;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    if (s == 0 || plan.steps[s].group != plan.steps[s - 1].group) {
      const KernelUnit& unit = model.kernels[plan.steps[s].kernel];
      layers.push_back({printable(model.steps[s].node), spec_op_name(unit.spec), shape_text(unit.spec), unit.schedule});
      first_steps.push_back(s);
    }
    layers.back().macs += model.steps[s].macs;
  }
  return layers;
}

void time_layers(const LoadedModel& model, Buffers& buffers, int rounds, Result& result) {
  const Plan& plan = model.executor->plan();
  std::vector<size_t> first;
  result.layers = layers_of(model.compiled, plan, first);
  ExecutionContext context(model.executor);
  std::vector<std::vector<double>> times(first.size());
  std::vector<double> seconds(plan.steps.size());
  const auto round = [&] {
    std::fill(seconds.begin(), seconds.end(), 0.0);
    context.run_timed(buffers.inputs, buffers.outputs, seconds);
    for (size_t l = 0; l < first.size(); ++l) times[l].push_back(seconds[first[l]]);
  };
  warm_up(rounds, round);
  for (auto& t : times) t.clear();
  repeat(rounds, "layers", round);
  for (size_t l = 0; l < first.size(); ++l) {
    result.layers[l].least = *std::min_element(times[l].begin(), times[l].end());
    result.layers[l].seconds = median(std::move(times[l]));
    result.macs += result.layers[l].macs;
  }
}

Result measure(const LoadedModel& model, const LoadOptions& options, int rounds) {
  Result r{.target = options.target->name};
  Buffers buffers(model.executor->plan());
  if (options.engine != Engine::reference) r.peak = measured_peak(*options.target, options.threads);
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
  time_layers(model, buffers, rounds, r);
  // The clock of a shared machine drifts: the better of two probes is the peak.
  if (r.peak > 0) r.peak = std::max(r.peak, measured_peak(*options.target, options.threads));
  return r;
}

// Layers that run the same kernel on as many multiply-accumulates, as one row.
std::vector<Layer> merged(const std::vector<Layer>& layers) {
  std::vector<Layer> rows;
  for (const Layer& l : layers) {
    const auto same = std::find_if(rows.begin(), rows.end(), [&](const Layer& r) {
      return r.op == l.op && r.shape == l.shape && r.schedule == l.schedule;
    });
    if (same == rows.end()) {
      rows.push_back(l);
      continue;
    }
    same->macs += l.macs;
    same->seconds += l.seconds;
    ++same->count;
  }
  return rows;
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
  const auto row = [&](const std::string& first, const std::string& op, const std::string& shape_,
                       const std::string& how, const std::string& time, const std::string& rate) {
    std::string line =
        fmt::format("{:<{}}  {:<19}  {:<{}}  {:<{}}  {:>9}  {}", clipped(first, name), name, clipped(op, 19),
                    clipped(shape_, shape), shape, clipped(how, schedule), schedule, time, rate);
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  };
  row(every_layer ? "layer" : "count", "op", "shape", "schedule", "us", r.peak > 0 ? "  GMAC/s     peak" : "  GMAC/s");
  double sum = 0;
  for (const Layer& l : rows) {
    sum += l.seconds;
    row(every_layer ? l.name : fmt::format("{:>5}", l.count), l.op, l.shape, l.schedule,
        fmt::format("{:.1f}", 1e6 * l.seconds), rate_text(l.rate(), r.peak));
  }
  row("total", "", fmt::format("{} layer{}", r.layers.size(), r.layers.size() == 1 ? "" : "s"), "",
      fmt::format("{:.1f}", 1e6 * sum), rate_text(static_cast<double>(r.macs) / sum, r.peak));
}

void print_result(const BenchOptions& o, const LoadedModel& model, const Result& r) {
  const double load = model.import_seconds + model.passes_seconds + model.compile_seconds + model.bind_seconds;
  print_table(r, o.layers);
  fmt::print("\n{} on {}, engine {}, {} thread{}\n", file_name(o.model.model), r.target, o.model.engine,
             o.model.threads, o.model.threads == 1 ? "" : "s");
  fmt::print("  whole network   median {:.3f} ms, best {:.3f} ms of {} runs\n", 1e3 * r.median, 1e3 * r.least,
             r.rounds);
  if (r.macs > 0) {
    fmt::print("  work            {:.1f} M multiply-accumulates, {:.1f} GMAC/s", static_cast<double>(r.macs) / 1e6,
               static_cast<double>(r.macs) / r.median / 1e9);
    if (r.peak > 0)
      fmt::print(", {:.1f} % of the measured peak of {:.1f} GMAC/s",
                 100 * static_cast<double>(r.macs) / r.median / r.peak, r.peak / 1e9);
    fmt::print("\n");
  }
  fmt::print("  load            {:.1f} ms: import {:.1f}, passes {:.1f}, compile {:.1f}, code {:.1f}\n", 1e3 * load,
             1e3 * model.import_seconds, 1e3 * model.passes_seconds, 1e3 * model.compile_seconds,
             1e3 * model.bind_seconds);
  fmt::print("  memory          arena {}, weights {}",
             bytes_text(static_cast<size_t>(model.executor->plan().arena_bytes)),
             bytes_text(model.executor->blob_bytes()));
  fmt::print("{}\n", model.code_bytes ? ", code " + bytes_text(model.code_bytes) : "");
}

nlohmann::ordered_json as_json(const BenchOptions& o, const Result& r) {
  nlohmann::ordered_json j = {{"model", o.model.model},      {"target", r.target},
                              {"engine", o.model.engine},    {"threads", o.model.threads},
                              {"batch", o.model.batch},      {"rounds", r.rounds},
                              {"median_ms", 1e3 * r.median}, {"min_ms", 1e3 * r.least},
                              {"load_ms", 1e3 * r.load},     {"macs", r.macs},
                              {"peak_gmacs", r.peak / 1e9},  {"layers", nlohmann::ordered_json::array()}};
  for (const Layer& l : r.layers)
    j["layers"].push_back({{"name", l.name},
                           {"op", l.op},
                           {"shape", l.shape},
                           {"schedule", l.schedule},
                           {"macs", l.macs},
                           {"median_us", 1e6 * l.seconds},
                           {"min_us", 1e6 * l.least},
                           {"gmacs", l.rate() / 1e9},
                           {"share_of_peak", r.peak > 0 ? l.rate() / r.peak : 0}});
  return j;
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
    Result result = measure(model, options, o.rounds);
    result.load = load_seconds;
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
  verb->add_option("--engine", o->model.engine, "jit, cpp or reference")->capture_default_str();
  verb->add_option("--threads", o->model.threads, "Threads that one run uses")->capture_default_str();
  verb->add_option("--batch", o->model.batch, "Images at a time, where the file leaves it open")->capture_default_str();
  verb->add_option("--rounds", o->rounds, "Runs to time; by default a second's worth");
  verb->add_flag("--layers", o->layers, "A row for every layer, not one for all equal layers");
  verb->add_option("--json", o->json, "Write the figures, with every layer, to this file")->check(no_empty_name());
  verb->footer(R"(
The whole network is timed without clocks between its layers, and the layers in runs of their own. "Peak" is what the
machine's dot product reaches on registers alone, measured in the same run.

Examples:
  octet bench resnet50.onnx
  octet bench mobilenet.onnx --target avx2 --target avx512_vnni --layers
  taskset -c 0 octet bench mobilenet.onnx --json times.json)");
  verb->callback([o] { bench(*o); });
}

}  // namespace octet::cli
