#include "generator/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>

#include "generator/passes/between_convs.h"
#include "generator/passes/lower.h"
#include "generator/passes/place.h"
#include "generator/program/build.h"
#include "generator/program/plan_conv.h"
#include "generator/schedule/affine.h"
#include "generator/schedule/order.h"
#include "generator/schedule/share.h"
#include "runtime/status.h"

namespace octet {
namespace {

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& v) {
  return std::as_bytes(std::span<const T>(v));
}

std::span<const float> floats_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

constexpr int64_t kEverything = INT64_MAX;  // bytes that a step may touch where its kernel's footprint is unknown

class Compiler {
 public:
  Compiler(const Graph& graph, const CompileOptions& options)
      : graph_(graph), options_(options), places_(place_tensors(graph, options.views)) {
    model_.name = graph.name;
    model_.target = options.target ? options.target : &host_target();
  }

  CompiledModel run() {
    reserve_blob();
    choose_flips();
    const std::vector<std::vector<Share>> shares = share_among_threads();
    each_layer([&](LoweredNode& node) {
      add_node(node, shares.empty() ? std::vector<Share>{{unsplit(node.spec), 0}} : shares[groups_]);
    });
    plan_arena();
    plan_threads();
    describe_edges();
    describe_tensors();
    return std::move(model_);
  }

 private:
  // Address space only, so amply: widened weights are twice as large, and depthwise ones come once per border.
  void reserve_blob() {
    size_t bytes = 0;
    for (const Tensor& t : graph_.tensors) bytes += t.data ? t.data->size() : 0;
    model_.plan.blob.reserve(4 * bytes);
  }

  // A dot of signed bytes wants its activations flipped: where only convolutions see them, they stay so in memory.
  void choose_flips() {
    flipped_.assign(graph_.tensors.size(), false);
    if (model_.target->best_dot == DotForm::flipped && !options_.reference && !options_.keep_all)
      flipped_ = between_convs(graph_, places_);
  }

  // Every kernel call, in order, with specs as they are compiled.
  void each_layer(const std::function<void(LoweredNode&)>& take) const {
    const auto flipped = [this](TensorId t) { return t != kNoTensor && flipped_[static_cast<size_t>(t)]; };
    lower_each(graph_, places_, [&](LoweredNode& n) {
      if (auto* conv = std::get_if<ConvSpec>(&n.spec)) conv->flips = {flipped(n.src), flipped(n.src2), flipped(n.dst)};
      take(n);
    });
  }

  // Who does what; empty where there is one thread. Layers are lowered for it once more, because all must be known
  // before the first is split.
  std::vector<std::vector<Share>> share_among_threads() const {
    if (options_.threads == 1 || options_.reference) return {};
    const auto operand = [this](TensorId id, int64_t offset) {
      if (id == kNoTensor || graph_.tensor(id).is_constant()) return Operand{};
      const Place& place = places_[static_cast<size_t>(id)];
      return Operand{place.root, place.offset + offset};
    };
    std::vector<Layer> layers;
    int64_t constants = 0;
    each_layer([&](const LoweredNode& n) {
      layers.push_back({n.spec, operand(n.src, n.src_offset), operand(n.src2, 0), operand(n.dst, n.dst_offset)});
      constants += traffic(n.spec).constants;
    });
    const auto cycles = [&](const KernelSpec& spec) { return predict_cycles(spec, *model_.target, constants); };
    return share(layers, options_.threads, cycles, options_.sharing);
  }

  void add_node(LoweredNode& node, const std::vector<Share>& shares) {
    const auto group = groups_++;
    for (const auto& [part, thread] : shares) {
      OctetStep step{};
      step.group = group;
      step.args[OCTET_SRC] = reference_to(node.src, node.src_offset + part.src_offset, group);
      step.args[OCTET_SRC2] = reference_to(node.src2, part.src2_offset, group);
      step.args[OCTET_DST] = reference_to(node.dst, node.dst_offset + part.dst_offset, group);
      for (const auto& [arg, tensor] : node.operands) step.args[arg] = reference_to(tensor, 0, group);
      step.kernel = kernel_for(node, part, step);
      for (size_t a = 0; a < node.data.size(); ++a)
        if (step.args[a].space == OCTET_NONE) step.args[a] = add_to_blob(node.data[a]);
      model_.plan.steps.push_back(step);
      model_.plan.thread_of.push_back(thread);
      const Node& n = graph_.nodes[static_cast<size_t>(node.node)];
      model_.steps.push_back(
          {n.name, n.source, mac_count(part.spec), std::exchange(reason_, {}), std::exchange(layer_, {}), tiling_});
    }
  }

  // The kernel of one part, made if no equal one exists; adds the data that it reads to the blob and the step.
  uint32_t kernel_for(LoweredNode& node, const Part& part, OctetStep& step) {
    if (const auto* conv = std::get_if<ConvSpec>(&part.spec)) return conv_kernel(node, part, *conv, step);
    if (const auto* affine = std::get_if<AffineSpec>(&part.spec); affine && !options_.reference)
      if (const auto fused = fused_affine(node, *affine, step)) return *fused;
    std::optional<PlainKernel> plain = plain_kernel(part.spec);
    if (options_.reference) {
      if (plain) step.args[OCTET_CONSTANTS] = add_to_blob(plain->params);
      return unit("reference " + to_string(part.spec), part.spec, "reference", [](KernelUnit&) {});
    }
    const std::string key = to_string(part.spec);
    const uint32_t k = unit(key, part.spec, "", [&](KernelUnit& u) {
      u.program = build_program(part.spec, *model_.target, u.name);
      u.schedule = u.program ? fmt::format("{} bytes a vector", model_.target->vector_bytes) : "plain loop";
      if (!u.program) u.plain = plain;
      if (const CostTable* costs = cost_table(*model_.target)) u.cost = cost_of(part.spec, *costs);
    });
    const KernelUnit& u = model_.kernels[k];
    if (u.program)
      step.args[OCTET_CONSTANTS] = add_to_blob(bytes_of(u.program->constants));
    else if (plain)
      step.args[OCTET_CONSTANTS] = add_to_blob(plain->params);
    return k;
  }

  uint32_t conv_kernel(LoweredNode& node, const Part& part, const ConvSpec& spec, OctetStep& step) {
    const auto& whole = std::get<ConvSpec>(node.spec);
    ConvData raw =
        spec == whole ? std::move(node.conv) : select_channels(whole, node.conv, part.oc_begin, part.oc_count);
    if (options_.reference) {
      step.args[OCTET_WEIGHTS] = add_to_blob(bytes_of(raw.weights));
      step.args[OCTET_BIAS] = add_to_blob(bytes_of(raw.bias));
      step.args[OCTET_SCALE] = add_to_blob(bytes_of(raw.scale));
      return unit("reference " + to_string(spec), spec, "reference", [](KernelUnit&) {});
    }
    const PlannedConv plan = plan_conv(spec, std::move(raw), *model_.target, options_.emitter, options_.tilings);
    reason_ = plan.reason;
    layer_ = plan.layer;
    tiling_ = plan.tiling;
    if (plan.scratch_bytes > 0) step.args[OCTET_SCRATCH] = new_scratch(plan.scratch_bytes, step.group);
    const uint32_t k =
        unit(to_string(KernelSpec(plan.spec)) + " | " + plan.schedule, plan.spec, plan.schedule, [&](KernelUnit& u) {
          u.program = plan.build(u.name);
          u.cost = plan.cost;
          u.scratch_bytes = plan.scratch_bytes;
        });
    step.args[OCTET_WEIGHTS] = add_to_blob(bytes_of(plan.packed.weights));
    step.args[OCTET_BIAS] = add_to_blob(bytes_of(plan.packed.bias));
    step.args[OCTET_SCALE] = add_to_blob(bytes_of(plan.packed.scale));
    step.args[OCTET_CONSTANTS] = add_to_blob(bytes_of(model_.kernels[k].program->constants));
    return k;
  }

  // The short form of an affine, where it gives the same bytes for these channels.
  std::optional<uint32_t> fused_affine(const LoweredNode& node, const AffineSpec& spec, OctetStep& step) {
    const auto line = fuse_affine(spec, floats_of(node.data[OCTET_SCALE]), floats_of(node.data[OCTET_BIAS]));
    if (!line) return std::nullopt;
    step.args[OCTET_SCALE] = add_to_blob(bytes_of(line->scale));
    step.args[OCTET_BIAS] = add_to_blob(bytes_of(line->shift));
    const std::string schedule = fmt::format("one fma, {} bytes a vector", model_.target->vector_bytes);
    reason_ = "a fused multiply-add per channel gives the same bytes for all 256 that can come";
    const uint32_t k = unit(to_string(KernelSpec(spec)) + " | " + schedule, spec, schedule, [&](KernelUnit& u) {
      u.program = build_fused_affine(spec, *model_.target, u.name);
      if (const CostTable* costs = cost_table(*model_.target)) u.cost = cost_of(KernelSpec(spec), *costs);
    });
    step.args[OCTET_CONSTANTS] = add_to_blob(bytes_of(model_.kernels[k].program->constants));
    return k;
  }

  template <class Make>
  uint32_t unit(const std::string& key, const KernelSpec& spec, const std::string& schedule, Make make) {
    const auto [at, fresh] = by_key_.try_emplace(key, static_cast<uint32_t>(model_.kernels.size()));
    if (fresh) {
      KernelUnit u{
          .name = fmt::format("{}_{}", spec_op_name(spec), model_.kernels.size()), .spec = spec, .schedule = schedule};
      make(u);
      model_.kernels.push_back(std::move(u));
    }
    return at->second;
  }

  // Equal data (splatted constants, parameters of equal ops) is stored once.
  OctetRef add_to_blob(std::span<const std::byte> bytes) {
    if (bytes.empty()) return {OCTET_NONE, 0, 0};
    const auto* p = reinterpret_cast<const uint8_t*>(bytes.data());
    constexpr size_t kWorthComparing = 4096;
    const std::string key = bytes.size() <= kWorthComparing ? std::string(p, p + bytes.size()) : std::string();
    if (!key.empty())
      if (const auto at = small_data_.find(key); at != small_data_.end()) return {OCTET_BLOB, 0, at->second};
    const size_t offset = model_.plan.blob.append(bytes.size());
    std::memcpy(model_.plan.blob.data() + offset, p, bytes.size());
    if (!key.empty()) small_data_.emplace(key, offset);
    return {OCTET_BLOB, 0, offset};
  }

  // Arena offsets are not known yet: `offset` is relative to the root's buffer until plan_arena.
  OctetRef reference_to(TensorId id, int64_t offset, uint32_t group) {
    if (id == kNoTensor) return {OCTET_NONE, 0, 0};
    const auto among = [id](const std::vector<TensorId>& ids) {
      return std::find(ids.begin(), ids.end(), id) - ids.begin();
    };
    const Place& place = places_[static_cast<size_t>(id)];
    if (const auto i = among(graph_.inputs); i < static_cast<long>(graph_.inputs.size()))
      return {OCTET_INPUT, static_cast<uint32_t>(i), static_cast<uint64_t>(offset)};
    if (const auto o = among(graph_.outputs); o < static_cast<long>(graph_.outputs.size()))
      return {OCTET_OUTPUT, static_cast<uint32_t>(o), static_cast<uint64_t>(offset)};
    const Tensor& t = graph_.tensor(id);
    if (t.is_constant()) {
      OctetRef ref = add_to_blob(stored_constant(t, place.pitch));
      ref.offset += static_cast<uint64_t>(offset);
      return ref;
    }
    const auto [at, fresh] = buffer_of_.try_emplace(place.root, model_.buffers.size());
    if (fresh) {
      const Tensor& root = graph_.tensor(place.root);
      const int64_t rows = root.shape.empty() ? 1 : element_count(root.shape) / std::max<int64_t>(1, root.shape.back());
      model_.buffers.push_back({rows * place.pitch, static_cast<int>(group), static_cast<int>(group)});
      model_.buffer_names.push_back(root.name);
    }
    Buffer& b = model_.buffers[at->second];
    b.last = std::max(b.last, static_cast<int>(group));
    return {OCTET_ARENA, static_cast<uint32_t>(at->second), static_cast<uint64_t>(place.offset + offset)};
  }

  // Of one part of a step: parts may run at the same time.
  OctetRef new_scratch(int bytes, uint32_t group) {
    model_.buffers.push_back({bytes, static_cast<int>(group), static_cast<int>(group)});
    model_.buffer_names.emplace_back("scratch");
    return {OCTET_ARENA, static_cast<uint32_t>(model_.buffers.size() - 1), 0};
  }

  void plan_arena() {
    model_.memory =
        plan_memory(model_.buffers, options_.keep_all ? PlanMode::separate : PlanMode::reuse, OCTET_SLACK_BYTES);
    model_.plan.arena_bytes = model_.memory.arena_bytes;
    for (OctetStep& s : model_.plan.steps)
      for (OctetRef& r : s.args)
        if (r.space == OCTET_ARENA) r = in_arena(r.index, r.offset);
  }

  void plan_threads() {
    Plan& plan = model_.plan;
    for (const uint32_t t : plan.thread_of) plan.threads = std::max(plan.threads, static_cast<int>(t) + 1);
    if (plan.threads == 1) return plan.thread_of.clear();
    std::vector<StepAccess> steps;
    for (size_t s = 0; s < plan.steps.size(); ++s) {
      const OctetStep& step = plan.steps[s];
      const auto touched = footprint(model_.kernels[step.kernel].spec);
      const auto add = [&](std::vector<Region>& regions, OctetArg arg, Rows Footprint::*operand) {
        const OctetRef& ref = step.args[arg];
        if (ref.space != OCTET_ARENA && ref.space != OCTET_OUTPUT) return;  // nobody writes there
        const Rows rows = touched ? (*touched).*operand : Rows{1, kEverything, 0};
        regions.push_back(
            {ref.space, ref.index, touched ? static_cast<int64_t>(ref.offset) : 0, rows.rows, rows.bytes, rows.pitch});
      };
      StepAccess access{.thread = plan.thread_of[s], .group = step.group};
      add(access.reads, OCTET_SRC, &Footprint::src);
      add(access.reads, OCTET_SRC2, &Footprint::src2);
      for (const OctetArg arg : {OCTET_WEIGHTS, OCTET_BIAS, OCTET_SCALE})
        if (!touched) add(access.reads, arg, &Footprint::src);
      add(access.writes, OCTET_DST, &Footprint::dst);
      if (const OctetRef& scratch = step.args[OCTET_SCRATCH]; scratch.space == OCTET_ARENA)
        access.writes.push_back({scratch.space, scratch.index, static_cast<int64_t>(scratch.offset), 1,
                                 model_.kernels[step.kernel].scratch_bytes, 0});
      steps.push_back(std::move(access));
    }
    plan.waits = order(steps);
  }

  OctetRef in_arena(size_t buffer, uint64_t offset) const {
    return {OCTET_ARENA, 0, offset + static_cast<uint64_t>(model_.memory.offset[buffer])};
  }

  TensorInfo edge(TensorId id, bool is_input) const {
    const Tensor& t = graph_.tensor(id);
    TensorInfo info{.name = t.name, .dtype = t.dtype, .shape = t.file_shape.empty() ? t.shape : t.file_shape};
    const auto set = [&info](const Tensor& q) {
      if (!q.quant || !q.quant->per_tensor()) return;
      info.quantized = q.dtype;
      info.scale = q.quant->scale[0];
      info.zero_point = q.quant->zero_point[0];
    };
    set(t);
    for (const Node& n : graph_.nodes) {
      if (is_input && n.op == OpKind::quantize && n.inputs[0] == id) set(graph_.tensor(n.outputs[0]));
      if (!is_input && n.op == OpKind::dequantize && n.outputs[0] == id) set(graph_.tensor(n.inputs[0]));
    }
    return info;
  }

  void describe_edges() {
    for (TensorId id : graph_.inputs) model_.plan.inputs.push_back(edge(id, true));
    for (TensorId id : graph_.outputs) model_.plan.outputs.push_back(edge(id, false));
  }

  void describe_tensors() {
    for (size_t id = 0; id < graph_.tensors.size(); ++id) {
      const Tensor& t = graph_.tensors[id];
      const Place& place = places_[id];
      const auto at = buffer_of_.find(place.root);
      const bool lost_channels = !t.file_shape.empty() && element_count(t.file_shape) != element_count(t.shape);
      if (t.is_constant() || at == buffer_of_.end() || lost_channels) continue;
      const bool moved = !t.file_shape.empty();  // even where both orders have equal shapes
      model_.plan.tensors.push_back({t.name, t.dtype, t.is_quantized(), t.shape,
                                     t.file_shape.empty() ? t.shape : t.file_shape, moved && t.shape.size() >= 3,
                                     place.pitch, in_arena(at->second, static_cast<uint64_t>(place.offset))});
    }
  }

  const Graph& graph_;
  const CompileOptions& options_;
  std::vector<Place> places_;
  std::vector<bool> flipped_;  // per tensor: its bytes lie ^ 0x80
  CompiledModel model_;
  uint32_t groups_ = 0;
  std::string reason_, layer_;  // of the step being made
  Tiling tiling_;
  std::unordered_map<std::string, uint32_t> by_key_;
  std::unordered_map<std::string, size_t> small_data_;
  std::map<TensorId, size_t> buffer_of_;  // root tensor -> buffer
};

}  // namespace

CompiledModel compile(const Graph& graph, const CompileOptions& options) {
  if (!graph.channels_last) internal_error("compile wants a graph that the passes have laid out");
  return Compiler(graph, options).run();
}

}  // namespace octet
