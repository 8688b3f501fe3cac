// octet inspect: what a model file holds, and which ops of it have an integer form here.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "generator/cli/common.h"
#include "generator/import/model.h"
#include "generator/io/npy.h"
#include "generator/passes/integer_form.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

struct InspectOptions : ModelOptions {
  bool json = false;
};

// How the nodes of one operator fare.
struct OpCount {
  int count = 0;     // in the file
  int int8 = 0;      // integer kernels
  int folded = 0;    // gone into a neighbour or a constant: no cost of their own
  int in_float = 0;  // outside of int8
  int unsupported = 0;
};

struct Inspection {
  std::string name, producer, format, profile, profile_reason;
  std::vector<TensorInfo> inputs, outputs;
  std::map<std::string, OpCount> ops;
  std::vector<std::array<std::string, 3>> islands;  // node, op, why it works outside of int8
  std::vector<std::string> faults;                  // why it does not run; empty: it runs
  size_t nodes = 0, constant_bytes = 0;
};

// Ops by name; those that the importer does not know at all.
void count_file_ops(const FileSummary& file, Inspection& out) {
  std::map<std::string, std::string> first;  // unknown op -> its first node
  for (const FileOp& n : file.ops) {
    OpCount& c = out.ops[n.op];
    ++c.count;
    if (n.known) continue;
    ++c.unsupported;
    first.emplace(n.full_name, n.node);
  }
  for (const auto& [op, node] : first)
    out.faults.push_back(fmt::format("operator {} is not supported (first at node {})", op, node));
  out.constant_bytes = file.constant_bytes;
  out.nodes = file.ops.size();
}

TensorInfo tensor_info(const Graph& graph, TensorId id) {
  const Tensor& t = graph.tensor(id);
  TensorInfo info{.name = t.name, .dtype = t.dtype, .shape = t.shape};
  const auto set = [&info](const Tensor& q) {
    if (!q.is_quantized() || !q.quant->per_tensor()) return;
    info.quantized = q.dtype;
    info.scale = q.quant->scale[0];
    info.zero_point = q.quant->zero_point[0];
  };
  set(t);
  for (const Node& n : graph.nodes) {
    if (n.op == OpKind::quantize && n.inputs[0] == id) set(graph.tensor(n.outputs[0]));
    if (n.op == OpKind::dequantize && n.outputs[0] == id) set(graph.tensor(n.inputs[0]));
  }
  return info;
}

// The passes up to the one that decides what works outside of int8, and refuses what cannot.
void fold(Graph& graph, bool strict) {
  for (const Pass& pass : all_passes()) {
    if (pass.when == Pass::strict && !strict) continue;
    pass.run(graph);
    remove_dead_nodes(graph);
    if (std::strcmp(pass.name, "make_islands") == 0) return;
  }
}

// What became of the ops. `runs`: what is outside of int8 may stay there.
void count_graph_ops(const Graph& graph, bool runs, Inspection& out) {
  for (const Node& n : graph.nodes) {
    if (!n.island.empty()) out.islands.push_back({n.name, op_name(n.op), n.island});
    const auto at = out.ops.find(n.source);
    if (at == out.ops.end()) continue;  // a node that a pass made
    OpCount& c = at->second;
    ++(!is_float(graph, n) ? c.int8 : runs ? c.in_float : c.unsupported);
  }
  for (auto& [op, c] : out.ops) c.folded = std::max(0, c.count - c.int8 - c.in_float - c.unsupported);
}

Inspection inspect_file(const InspectOptions& o) {
  Inspection out;
  const FileSummary file = summarize_model(o.model);
  out.name = file.graph_name;
  out.producer = file.producer;
  out.format = file.format;
  count_file_ops(file, out);
  if (!out.faults.empty()) return out;
  try {
    Graph graph = import_model(o.model, o.import_options());
    out.format = graph.format;
    out.profile = profile_name(graph.profile);
    out.profile_reason = graph.profile_reason;
    for (const TensorId t : graph.inputs) out.inputs.push_back(tensor_info(graph, t));
    for (const TensorId t : graph.outputs) out.outputs.push_back(tensor_info(graph, t));
    try {
      fold(graph, o.strict_int8);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::user) throw;
      out.faults.push_back(e.what());
    }
    count_graph_ops(graph, out.faults.empty(), out);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::user) throw;
    out.faults.push_back(e.what());
  }
  return out;
}

void print_tensors(const char* what, const std::vector<TensorInfo>& tensors) {
  for (const TensorInfo& t : tensors) {
    const std::string quant = quantization_text(t);
    fmt::print("  {:<9} {}: {} {}{}\n", what, printable(t.name), dtype_name(t.dtype), dims_text(t.shape),
               quant.empty() ? "" : "  (quantized: " + quant + ")");
  }
}

void print_text(const InspectOptions& o, const Inspection& in) {
  fmt::print("{}: {}\n", file_name(o.model), in.format);
  if (!in.name.empty()) fmt::print("  {:<9} {}\n", "graph", printable(in.name));
  if (!in.producer.empty()) fmt::print("  {:<9} {}\n", "producer", printable(in.producer));
  if (!in.profile.empty()) fmt::print("  {:<9} {}: {}\n", "profile", in.profile, in.profile_reason);
  fmt::print("  {:<9} {} nodes, {} of constants\n", "size", in.nodes, bytes_text(in.constant_bytes));
  print_tensors("input", in.inputs);
  print_tensors("output", in.outputs);
  fmt::print("\n{:<28} {:>6} {:>6} {:>7} {:>6} {:>12}\n", "op", "count", "int8", "folded", "float", "unsupported");
  const auto cell = [](int n) { return n ? std::to_string(n) : std::string(); };
  for (const auto& [op, c] : in.ops) {
    std::string line = fmt::format("{:<28} {:>6} {:>6} {:>7} {:>6} {:>12}", printable(op), c.count, cell(c.int8),
                                   cell(c.folded), cell(c.in_float), cell(c.unsupported));
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
  if (!in.islands.empty()) fmt::print("\nIslands, outside of int8:\n");
  for (const auto& [node, op, why] : in.islands) fmt::print("  {} ({}): {}\n", printable(node), op, printable(why));
  fmt::print("\n{}\n", in.faults.empty() ? "It runs; folded ops cost nothing of their own." : "It does not run:");
  for (const std::string& fault : in.faults) fmt::print("  {}\n", printable(fault));
}

nlohmann::ordered_json tensors_json(const std::vector<TensorInfo>& tensors) {
  auto all = nlohmann::ordered_json::array();
  for (const TensorInfo& t : tensors) {
    nlohmann::ordered_json j = {{"name", t.name}, {"dtype", dtype_name(t.dtype)}, {"shape", t.shape}};
    if (t.scale > 0) {
      j["quantized"] = dtype_name(t.quantized);
      j["scale"] = t.scale;
      j["zero_point"] = t.zero_point;
    }
    all.push_back(std::move(j));
  }
  return all;
}

void print_json(const InspectOptions& o, const Inspection& in) {
  nlohmann::ordered_json j = {{"model", o.model},
                              {"name", in.name},
                              {"producer", in.producer},
                              {"format", in.format},
                              {"profile", in.profile},
                              {"profile_reason", in.profile_reason},
                              {"nodes", in.nodes},
                              {"constant_bytes", in.constant_bytes},
                              {"inputs", tensors_json(in.inputs)},
                              {"outputs", tensors_json(in.outputs)},
                              {"ops", nlohmann::ordered_json::array()}};
  for (const auto& [op, c] : in.ops)
    j["ops"].push_back({{"op", op},
                        {"count", c.count},
                        {"int8", c.int8},
                        {"folded", c.folded},
                        {"float", c.in_float},
                        {"unsupported", c.unsupported}});
  j["islands"] = nlohmann::ordered_json::array();
  for (const auto& [node, op, why] : in.islands) j["islands"].push_back({{"node", node}, {"op", op}, {"why", why}});
  j["runs"] = in.faults.empty();
  j["why_not"] = in.faults;
  // Names come from a file and may be no UTF-8.
  fmt::print("{}\n", j.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void inspect(const InspectOptions& o) {
  o.import_options();  // refuses what is wrong with them even where the file is, too
  const Inspection in = inspect_file(o);
  if (o.json)
    print_json(o, in);
  else
    print_text(o, in);
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto o = std::make_shared<InspectOptions>();
  CLI::App* verb = app.add_subcommand("inspect", "Say what a model is, and which of its ops run in int8");
  verb->add_option("MODEL", o->model, "The network: an .onnx or .tflite file")->required()->check(no_empty_name());
  o->add_profile(*verb);
  verb->add_option("--batch", o->batch, "Images at a time, where the file leaves it open")->capture_default_str();
  verb->add_flag("--json", o->json, "As JSON on standard output");
  verb->footer(R"(
For every operator of the file: how many have integer kernels, how many fold into a neighbour or a constant and cost
nothing, how many work outside of int8 (islands) and why, and what is not supported, with the reason.

Examples:
  octet inspect model.tflite
  octet inspect model.onnx --json)");
  verb->callback([o] { inspect(*o); });
}

}  // namespace octet::cli
