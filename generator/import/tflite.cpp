#include "generator/import/tflite.h"

#include <fmt/format.h>

#include <algorithm>

#include "generator/import/tflite_importer.h"
#include "runtime/status.h"

namespace octet {
namespace {

using importing::in_quotes;
using importing::kMostBatch;
using tflite_file::FileTensor;
using tflite_import::NodeImport;

class Importer {
 public:
  Importer(const tflite_file::Model& file, const ImportOptions& options)
      : file_(file), options_(options), state_{.graph = {}, .file = file} {
    if (file.graph_name != "main") state_.graph.name = file.graph_name;  // what converters call every graph
    state_.graph.producer = file.producer;
    state_.graph.channels_last = true;
    state_.tensors.assign(file.tensors.size(), kNoTensor);
  }

  Graph run() {
    if (options_.batch < 1 || options_.batch > kMostBatch)
      user_error(fmt::format("batch {}; supported: 1 to {}", options_.batch, kMostBatch));
    state_.graph.format = "TFLite schema 3, " + numbers();
    add_inputs();
    for (const tflite_file::FileNode& n : file_.nodes) import_node(n);
    add_outputs();
    remove_dead_nodes(state_.graph);
    for (Tensor& t : state_.graph.tensors)
      if (!t.quant && !t.is_constant() && (t.dtype == DType::u8 || t.dtype == DType::s8))
        t.quant = QuantParams{.scale = {1}, .zero_point = {0}};
    importing::refuse_empty(state_.graph);
    verify(state_.graph);
    return std::move(state_.graph);
  }

 private:
  // What most of the activations are.
  std::string numbers() const {
    const auto count = [this](DType dtype) {
      return std::count_if(file_.tensors.begin(), file_.tensors.end(),
                           [dtype](const FileTensor& t) { return !t.data && t.problem.empty() && t.dtype == dtype; });
    };
    const auto floats = count(DType::f32), s8 = count(DType::s8), u8 = count(DType::u8);
    return floats > s8 + u8 ? "float" : s8 >= u8 ? "int8" : "uint8";
  }

  void add_inputs() {
    bool open = false;
    for (int number : file_.inputs) {
      const FileTensor& f = file_.tensors[static_cast<size_t>(number)];
      const std::string who = fmt::format("graph input {}", in_quotes(f.name));
      if (!f.problem.empty()) user_error(fmt::format("{}: {}", who, f.problem));
      if (f.data) user_error(who + " is constant");
      Tensor t{.name = f.name, .dtype = f.dtype, .shape = f.shape};
      if (t.dtype == DType::u8 || t.dtype == DType::s8) t.quant = f.quant;
      if (t.quant && !t.quant->per_tensor()) user_error(who + ": one scale per channel; supported: one scale");
      if (f.open_batch && !t.shape.empty()) {
        open = true;
        t.shape[0] = options_.batch;
      }
      if (std::any_of(t.shape.begin(), t.shape.end(), [](int64_t d) { return d < 1; }))
        user_error(fmt::format("{}: shape {}; supported: positive dimensions", who, to_string(t.shape)));
      if (const std::string problem = importing::shape_problem(t.shape, t.dtype); !problem.empty())
        user_error(who + ": " + problem);
      TensorId& id = state_.tensors[static_cast<size_t>(number)];
      if (id != kNoTensor) user_error(who + " appears twice");
      id = state_.graph.add(std::move(t));
      state_.graph.inputs.push_back(id);
    }
    if (options_.batch != 1 && !open)
      user_error(fmt::format("batch {}: no graph input leaves its first dimension open", options_.batch));
  }

  void import_node(const tflite_file::FileNode& file) {
    const auto& table = tflite_import::handlers();
    const auto at = table.find(file.op);
    NodeImport n(state_, file);
    if (at == table.end())
      n.fail(fmt::format("operator is not supported; supported: {}", fmt::join(supported_tflite_ops(), ", ")));
    at->second(n);
    n.done();
  }

  void add_outputs() {
    Graph& g = state_.graph;
    if (file_.outputs.empty()) user_error("the graph has no outputs");
    std::vector<bool> computed(g.tensors.size(), false);
    for (const Node& n : g.nodes)
      for (TensorId id : n.outputs) computed[static_cast<size_t>(id)] = true;
    for (int number : file_.outputs) {
      const std::string who =
          fmt::format("graph output {}", in_quotes(file_.tensors[static_cast<size_t>(number)].name));
      const TensorId id = state_.tensors[static_cast<size_t>(number)];
      if (id == kNoTensor) user_error(who + ": no node computes it");
      if (!computed[static_cast<size_t>(id)]) user_error(who + " is constant or an input; supported: results of nodes");
      if (std::find(g.outputs.begin(), g.outputs.end(), id) != g.outputs.end()) user_error(who + " appears twice");
      g.outputs.push_back(id);
    }
  }

  const tflite_file::Model& file_;
  const ImportOptions& options_;
  tflite_import::State state_;
};

Graph import_bytes(std::span<const std::byte> bytes, const ImportOptions& options, std::shared_ptr<const void> owner) {
  const tflite_file::Model file = tflite_file::parse(bytes, std::move(owner));
  return Importer(file, options).run();
}

}  // namespace

Graph import_tflite(const std::filesystem::path& path, const ImportOptions& options) {
  return importing::named(path.string(), [&] {
    const auto file = importing::map_model(path);
    Graph graph = import_bytes(file->bytes(), options, file);
    if (graph.name.empty()) graph.name = path.stem().string();
    return graph;
  });
}

Graph import_tflite(std::span<const std::byte> bytes, const ImportOptions& options, const std::string& name) {
  return importing::named(name, [&] { return import_bytes(bytes, options, nullptr); });
}

std::vector<std::string> supported_tflite_ops() {
  std::vector<std::string> names;
  for (const auto& [name, handler] : tflite_import::handlers()) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

FileSummary summarize_tflite(const std::filesystem::path& path) {
  return importing::named(path.string(), [&] {
    const auto file = importing::map_model(path);
    const tflite_file::Model model = tflite_file::parse(file->bytes(), file);
    FileSummary r{model.graph_name, model.producer, "TFLite schema 3"};
    for (const tflite_file::FileNode& n : model.nodes)
      r.ops.push_back({n.op, n.op, tflite_file::node_name(model, n), tflite_import::handlers().contains(n.op)});
    for (const FileTensor& t : model.tensors)
      if (t.data) r.constant_bytes += t.data->size();
    return r;
  });
}

}  // namespace octet
