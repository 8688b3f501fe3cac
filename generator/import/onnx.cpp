#include "generator/import/onnx.h"

#include <fmt/format.h>

#include <algorithm>

#include "generator/import/importer.h"
#include "generator/import/onnx_profile.h"
#include "runtime/status.h"

namespace octet {
namespace {

using importing::in_quotes;
using importing::kMostBatch;
using onnx_import::NodeImport;

constexpr int64_t kFirstOpset = 10, kLastOpset = 23;

bool moves_values(const Node& n) {
  switch (n.op) {
    case OpKind::max_pool:
    case OpKind::reshape:
    case OpKind::transpose:
    case OpKind::slice:
    case OpKind::split:
    case OpKind::concat:
    case OpKind::expand:
    case OpKind::tile:
    case OpKind::gather:
    case OpKind::gather_nd:
    case OpKind::depth_to_space:
    case OpKind::space_to_depth:
    case OpKind::resize:
    case OpKind::identity: return true;
    case OpKind::reduce: return n.reduction == Reduction::max || n.reduction == Reduction::min;
    default: return false;
  }
}

class Importer {
 public:
  Importer(const onnx_file::Model& file, const ImportOptions& options) : file_(file), options_(options) {
    state_.opset = file.opset;
    state_.graph.name = file.graph_name;
    state_.graph.producer = file.producer;
    state_.graph.external_data = file.external_data;
  }

  Graph run() {
    check_head();
    for (const onnx_file::Constant& c : file_.constants)
      if (!state_.constants.emplace(c.name, &c).second)
        user_error(fmt::format("initializer {} appears twice", in_quotes(c.name)));
    add_inputs();
    note_readers();
    for (const onnx_file::FileNode& n : file_.nodes) import_node(n);
    add_outputs();
    remove_dead_nodes(state_.graph);
    share_quantization();
    drop_unused_tensors();
    importing::refuse_empty(state_.graph);
    verify(state_.graph);
    const ProfileChoice choice = onnx_profile(file_, state_.graph);
    state_.graph.profile = choice.profile;
    state_.graph.profile_reason = choice.reason;
    return std::move(state_.graph);
  }

 private:
  void check_head() {
    if (file_.opset < kFirstOpset || file_.opset > kLastOpset)
      user_error(fmt::format("opset {} of the default domain; supported: {} to {}",
                             file_.opset ? fmt::format("{}", file_.opset) : "missing", kFirstOpset, kLastOpset));
    if (options_.batch < 1 || options_.batch > kMostBatch)
      user_error(fmt::format("batch {}; supported: 1 to {}", options_.batch, kMostBatch));
    const auto any = [this](auto test) { return std::any_of(file_.nodes.begin(), file_.nodes.end(), test); };
    const bool qoperator = any([](const auto& n) { return n.op.starts_with("QLinear") || n.op == "QGemm"; });
    const bool qdq = any([](const auto& n) { return n.op == "DequantizeLinear"; });
    state_.graph.format = fmt::format("ONNX opset {}, {}", file_.opset,
                                      qoperator ? "QOperator"
                                      : qdq     ? "QDQ"
                                                : "float");
  }

  // Files before IR version 4 list their initializers among the inputs.
  void add_inputs() {
    bool open = false;
    for (const onnx_file::GraphInput& input : file_.inputs) {
      if (state_.constants.count(input.name)) continue;
      Tensor t{.name = input.name};
      const std::string who = fmt::format("graph input {}", in_quotes(input.name));
      const bool known = onnx_file::dtype_of(input.type, t.dtype);
      if (!known)
        user_error(fmt::format("{}: dtype {}; supported: float, uint8, int8, int32, int64, bool", who,
                               onnx_file::type_name(input.type)));
      if (!input.has_shape) user_error(who + ": no shape; supported: fixed shapes with an open batch");
      for (size_t d = 0; d < input.shape.size(); ++d) t.shape.push_back(dimension(who, d, input.shape[d], open));
      if (const std::string problem = importing::shape_problem(t.shape, t.dtype); !problem.empty())
        user_error(who + ": " + problem);
      const TensorId id = state_.add(std::move(t));
      if (input.name.empty() || !state_.tensors.emplace(input.name, id).second)
        user_error(who + (input.name.empty() ? " has no name" : " appears twice"));
      state_.graph.inputs.push_back(id);
    }
    if (options_.batch != 1 && !open)
      user_error(fmt::format("batch {}: no graph input leaves its first dimension open", options_.batch));
  }

  int64_t dimension(const std::string& who, size_t axis, const onnx_file::Dimension& d, bool& open) const {
    if (d.value > 0) return d.value;
    if (axis != 0)
      user_error(fmt::format("{}: dimension {} is {}; supported: fixed dimensions, only the first may be open", who,
                             axis, d.symbol.empty() ? "open" : in_quotes(d.symbol)));
    open = true;
    return options_.batch;
  }

  void note_readers() {
    for (const onnx_file::FileNode& n : file_.nodes) state_.read.insert(n.inputs.begin(), n.inputs.end());
    for (const std::string& name : file_.outputs)
      if (!state_.outputs.insert(name).second)
        user_error(fmt::format("graph output {} appears twice", in_quotes(name)));
    state_.read.insert(state_.outputs.begin(), state_.outputs.end());
    state_.read.erase("");
  }

  void import_node(const onnx_file::FileNode& file) {
    const auto& table = onnx_import::handlers();
    const auto at = table.find(file.domain.empty() ? file.op : file.domain + "." + file.op);
    NodeImport n(state_, file);
    if (at == table.end()) {
      std::string supported;
      for (const std::string& op : supported_onnx_ops()) supported += (supported.empty() ? "" : ", ") + op;
      n.fail("operator is not supported; supported: " + supported);
    }
    at->second(n);
    n.done();
  }

  void add_outputs() {
    Graph& g = state_.graph;
    if (file_.outputs.empty()) user_error("the graph has no outputs");
    for (const std::string& name : file_.outputs) {
      const std::string who = fmt::format("graph output {}", in_quotes(name));
      const TensorId id = state_.find(name);
      if (id == kNoTensor) user_error(who + ": no node computes it");
      if (!state_.producer_of(id)) user_error(who + " is constant or an input; supported: results of nodes");
      g.outputs.push_back(id);
    }
  }

  // Integer tensors that ops only move have their neighbours' parameters. Graph inputs for which nothing says any, and
  // what is moved from there, are just integers, with scale 1; what casts and run-time quantization make has none.
  void share_quantization() {
    Graph& g = state_.graph;
    for (const Node& n : g.nodes) share(n, true);
    for (size_t k = g.nodes.size(); k-- > 0;) share(g.nodes[k], false);
    for (const Node& n : g.nodes) share(n, true);
    for (TensorId id : g.inputs) number(g.tensor(id));
    for (const Node& n : g.nodes)
      if (moves_values(n) && g.tensor(n.inputs[0]).quant)
        for (TensorId id : n.outputs) number(g.tensor(id));
  }

  static void number(Tensor& t) {
    if (!t.quant && (t.dtype == DType::u8 || t.dtype == DType::s8))
      t.quant = QuantParams{.scale = {1}, .zero_point = {0}};
  }

  void share(const Node& n, bool forward) {
    if (!moves_values(n)) return;
    Graph& g = state_.graph;
    const Tensor& first = g.tensor(n.inputs[0]);
    const size_t data_inputs = n.op == OpKind::concat ? n.inputs.size() : 1;
    const std::vector<TensorId> moved(n.inputs.begin(), n.inputs.begin() + static_cast<long>(data_inputs));
    const bool literal = std::all_of(moved.begin(), moved.end(), [&](TensorId id) {
      return n.source != "QLinearConcat" && g.tensor(id).dtype == first.dtype;
    });
    if (!literal || (first.dtype != DType::u8 && first.dtype != DType::s8)) return;
    const auto& from = forward ? moved : n.outputs;
    const auto& to = forward ? n.outputs : moved;
    const auto known =
        std::find_if(from.begin(), from.end(), [&](TensorId id) { return g.tensor(id).quant.has_value(); });
    if (known == from.end()) return;
    const QuantParams& quant = *g.tensor(*known).quant;
    if (!quant.per_tensor()) return;
    for (TensorId id : to) {
      Tensor& t = g.tensor(id);
      if (!t.quant)
        t.quant = quant;
      else if (*t.quant != quant)
        user_error(
            fmt::format("node {} ({}): {} has scale {} and zero point {}, {} has {} and {}; supported: the same "
                        "on both sides of an op on integers",
                        in_quotes(n.name), n.source, in_quotes(g.tensor(*known).name), quant.scale[0],
                        quant.zero_point[0], in_quotes(t.name), t.quant->scale[0], t.quant->zero_point[0]));
    }
  }

  void drop_unused_tensors() {
    Graph& g = state_.graph;
    std::vector<TensorId> now(g.tensors.size(), kNoTensor);
    std::vector<Tensor> kept;
    const auto keep = [&](std::vector<TensorId>& ids) {
      for (TensorId& id : ids) {
        if (id == kNoTensor) continue;
        TensorId& to = now[static_cast<size_t>(id)];
        if (to == kNoTensor) {
          to = static_cast<TensorId>(kept.size());
          kept.push_back(std::move(g.tensor(id)));
        }
        id = to;
      }
    };
    keep(g.inputs);
    for (Node& n : g.nodes) {
      keep(n.inputs);
      keep(n.outputs);
    }
    keep(g.outputs);
    g.tensors = std::move(kept);
  }

  const onnx_file::Model& file_;
  const ImportOptions& options_;
  onnx_import::State state_;
};

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

Graph import_bytes(std::span<const std::byte> bytes, const std::filesystem::path& folder, const ImportOptions& options,
                   std::shared_ptr<const void> owner) {
  const onnx_file::Model file = onnx_file::parse(bytes, folder, std::move(owner));
  return Importer(file, options).run();
}

}  // namespace

Graph import_onnx(const std::filesystem::path& path, const ImportOptions& options) {
  return importing::named(path.string(), [&] {
    const auto file = importing::map_model(path);
    Graph graph = import_bytes(file->bytes(), folder_of(path), options, file);
    if (graph.name.empty()) graph.name = path.stem().string();
    return graph;
  });
}

Graph import_onnx(std::span<const std::byte> bytes, const ImportOptions& options, const std::string& name) {
  return importing::named(name, [&] { return import_bytes(bytes, {}, options, nullptr); });
}

std::vector<std::string> supported_onnx_ops() {
  std::vector<std::string> names;
  for (const auto& [name, handler] : onnx_import::handlers()) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

FileSummary summarize_onnx(const std::filesystem::path& path) {
  return importing::named(path.string(), [&] {
    const auto file = importing::map_model(path);
    const onnx_file::Model model = onnx_file::parse(file->bytes(), folder_of(path), file);
    FileSummary r{model.graph_name, model.producer, fmt::format("ONNX opset {}", model.opset)};
    for (const onnx_file::FileNode& n : model.nodes) {
      const std::string name = n.domain.empty() ? n.op : n.domain + "." + n.op;
      r.ops.push_back({n.op, name, in_quotes(n.name), onnx_import::handlers().contains(name)});
    }
    for (const onnx_file::Constant& c : model.constants)
      if (c.data) r.constant_bytes += c.data->size();
    return r;
  });
}

}  // namespace octet
