#include "generator/cli/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <set>

#include "generator/cli/common.h"

namespace octet::cli {
namespace {

using Clock = std::chrono::steady_clock;

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

int64_t network_bytes(const LoadedModel& model) {
  return model.executor->plan().arena_bytes + static_cast<int64_t>(model.executor->blob_bytes());
}

// Without times and rooflines.
std::vector<Layer> layers_of(const LoadedModel& model) {
  const Plan& plan = model.executor->plan();
  std::vector<Layer> layers;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const KernelUnit& unit = model.compiled.kernels[plan.steps[s].kernel];
    const StepInfo& info = model.compiled.steps[s];
    if (s == 0 || plan.steps[s].group != plan.steps[s - 1].group)
      layers.push_back({printable(info.node), spec_op_name(unit.spec), shape_text(unit.spec), unit.schedule, s});
    Layer& layer = layers.back();
    ++layer.steps;
    layer.macs += info.macs;
    layer.predicted += predicted_seconds(unit, network_bytes(model), *model.compiled.target);
  }
  return layers;
}

}  // namespace

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> v) {
  const auto middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
  std::nth_element(v.begin(), middle, v.end());
  return *middle;
}

Buffers::Buffers(const Plan& plan) {
  std::mt19937 random(1);
  for (const TensorInfo& t : plan.inputs) data.push_back(random_values(t, random));
  for (const TensorInfo& t : plan.outputs) data.emplace_back(t.bytes());
  for (size_t i = 0; i < data.size(); ++i)
    if (i < plan.inputs.size())
      inputs.push_back(data[i].data());
    else
      outputs.push_back(data[i].data());
}

void warm_up(int rounds, const std::function<void()>& round) {
  const auto start = Clock::now();
  do round();
  while (rounds == 0 && since(start) < 0.2);
}

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

std::string tuned_text(const std::string& file, const TunedTilings& tuned, const CompiledModel& model) {
  std::set<std::string> found;
  for (const StepInfo& s : model.steps)
    if (!s.layer.empty() && tuned.find(model.target->name, host_cpu(), s.layer)) found.insert(s.layer);
  return fmt::format("{}: {} of its {} lines apply to this network, target and processor; others are ignored", file,
                     found.size(), tuned.size());
}

double predicted_seconds(const KernelUnit& unit, int64_t network_bytes, const Target& target) {
  const CostTable* costs = cost_table(target);
  return costs ? total_cycles(unit.cost, network_bytes, *costs) / costs->clock : 0;
}

std::vector<Layer> time_layers(const LoadedModel& model, Buffers& buffers, int rounds) {
  std::vector<Layer> layers = layers_of(model);
  ExecutionContext context(model.executor);
  std::vector<std::vector<double>> times(layers.size());
  std::vector<double> seconds(model.executor->plan().steps.size());
  const auto round = [&] {
    std::fill(seconds.begin(), seconds.end(), 0.0);
    context.run_timed(buffers.inputs, buffers.outputs, seconds);
    for (size_t l = 0; l < layers.size(); ++l) times[l].push_back(seconds[layers[l].first_step]);
  };
  warm_up(rounds, round);
  for (auto& t : times) t.clear();
  repeat(rounds, "layers", round);
  for (size_t l = 0; l < layers.size(); ++l) {
    layers[l].least = *std::min_element(times[l].begin(), times[l].end());
    layers[l].seconds = median(std::move(times[l]));
  }
  return layers;
}

void add_rooflines(std::vector<Layer>& layers, const LoadedModel& model, const Machine& machine) {
  for (Layer& layer : layers)
    for (size_t s = layer.first_step; s < layer.first_step + layer.steps; ++s) {
      const KernelUnit& unit = model.compiled.kernels[model.executor->plan().steps[s].kernel];
      const Roofline part = roofline(unit.spec, unit.cost, network_bytes(model), machine);
      layer.roofline.compute += part.compute;
      layer.roofline.memory += part.memory;
      layer.roofline.level = part.level;
    }
}

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
    same->least += l.least;
    same->predicted += l.predicted;
    same->roofline.compute += l.roofline.compute;
    same->roofline.memory += l.roofline.memory;
    ++same->count;
  }
  return rows;
}

}  // namespace octet::cli
