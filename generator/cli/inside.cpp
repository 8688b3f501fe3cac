#include "generator/cli/inside.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "generator/cli/find_tensor.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

// real = scale * (q - zero_point), one float32 rounding, as DequantizeLinear.
Array dequantized(const Array& q, const Source& s) {
  Array out{DType::f32, q.shape, std::vector<uint8_t>(q.data.size() * sizeof(float))};
  const auto real = out.values<float>();
  for (size_t i = 0; i < q.data.size(); ++i) {
    const int value = q.dtype == DType::s8 ? static_cast<int8_t>(q.data[i]) : q.data[i];
    real[i] = static_cast<float>(value - s.zero_point) * s.scale;
  }
  return out;
}

// What exists in a network that was loaded with keep_all, in the order of execution.
std::vector<Source> sources_of(const LoadedModel& m) {
  const Plan& plan = m.executor->plan();
  std::map<std::string, const TensorPlace*> places;
  std::map<std::string, int> outputs;
  for (size_t o = 0; o < plan.outputs.size(); ++o) outputs.emplace(plan.outputs[o].name, static_cast<int>(o));
  for (const TensorPlace& t : plan.tensors) places.emplace(t.name, &t);
  std::vector<Source> sources;
  std::set<std::string> seen;
  for (const Node& n : m.graph.nodes)
    for (const TensorId id : n.outputs) {
      const Tensor& t = m.graph.tensor(id);
      const auto output = outputs.find(t.name);
      const auto place = places.find(t.name);
      if ((output == outputs.end() && place == places.end()) || !seen.insert(t.name).second) continue;
      Source s{.name = t.name, .node = n.name, .op = n.source};
      if (output != outputs.end()) s.output = output->second;
      if (place != places.end()) s.place = *place->second;
      if (t.is_quantized() && t.quant->per_tensor()) {
        s.scale = t.quant->scale[0];
        s.zero_point = t.quant->zero_point[0];
      }
      sources.push_back(std::move(s));
    }
  return sources;
}

LoadedModel load_kept(const Graph& file, LoadOptions options) {
  options.keep_all = true;
  return load(file, options);
}

}  // namespace

std::vector<Source> output_sources(const Plan& plan) {
  std::vector<Source> sources;
  for (size_t o = 0; o < plan.outputs.size(); ++o) {
    const TensorInfo& t = plan.outputs[o];
    const bool quantized = t.dtype != DType::f32 && t.scale > 0;
    sources.push_back({.name = t.name,
                       .output = static_cast<int>(o),
                       .scale = quantized ? t.scale : 0,
                       .zero_point = quantized ? t.zero_point : 0});
  }
  return sources;
}

Recorder::Recorder(std::shared_ptr<const Executor> executor, std::vector<Source> sources)
    : executor_(std::move(executor)), sources_(std::move(sources)), context_(executor_) {
  for (const TensorInfo& t : executor_->plan().outputs) outputs_.emplace_back(t.bytes());
}

std::vector<Values> Recorder::run(const Inputs& inputs, size_t run) {
  const Plan& plan = executor_->plan();
  std::vector<const void*> in;
  std::vector<void*> out;
  for (size_t i = 0; i < plan.inputs.size(); ++i)
    in.push_back(inputs.arrays[i].data.data() + run * plan.inputs[i].bytes());
  for (std::vector<uint8_t>& o : outputs_) out.push_back(o.data());
  context_.run(in, out);
  std::vector<Values> values;
  for (const Source& s : sources_) {
    Values v{.name = s.name, .scale = s.scale, .zero_point = s.zero_point};
    if (const auto o = static_cast<size_t>(s.output); s.output >= 0)
      v.array = {plan.outputs[o].dtype, plan.outputs[o].shape, outputs_[o]};
    else
      v.array = {s.place.dtype, s.place.file_shape, context_.read(s.place)};
    if (s.dequantize) v = {s.name, dequantized(v.array, s)};
    values.push_back(std::move(v));
  }
  return values;
}

std::vector<Values> Recorder::run_all(const Inputs& inputs) {
  Progress progress("running", inputs.runs);
  std::vector<Values> all;
  for (size_t r = 0; r < inputs.runs; ++r) {
    std::vector<Values> values = run(inputs, r);
    for (size_t v = 0; v < values.size(); ++v) {
      if (r == 0) {
        all.push_back(std::move(values[v]));
        std::vector<int64_t>& shape = all[v].array.shape;
        if (shape.empty() && inputs.runs > 1) shape = {1};
        if (!shape.empty()) shape[0] *= static_cast<int64_t>(inputs.runs);
        all[v].array.data.reserve(all[v].array.data.size() * inputs.runs);
      } else {
        const std::vector<uint8_t>& more = values[v].array.data;
        all[v].array.data.insert(all[v].array.data.end(), more.begin(), more.end());
      }
    }
    progress.advance();
  }
  return all;
}

Inside::Inside(const ModelOptions& options, const std::vector<std::string>& names) {
  LoadOptions load = options.load_options();
  check_target(*load.target, load.engine);
  const Graph file = import_model(options.model, options.import_options());
  LoadedModel m = load_kept(file, load);
  wanted_ = sources_of(m);
  add_aliases(file, wanted_);
  if (!names.empty()) {
    FoundTensors found = find_tensors(file, wanted_, names);
    if (!found.lost.empty() && (load.fuse || load.prove)) {
      load.fuse = load.prove = false;
      m = load_kept(file, load);
      wanted_ = sources_of(m);
      add_aliases(file, wanted_);
      found = find_tensors(file, wanted_, names);
    }
    if (!found.lost.empty()) user_error(found.lost);
    wanted_ = std::move(found.sources);
  }
  executor_ = m.executor;
}

}  // namespace octet::cli
