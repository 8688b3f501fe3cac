// octet run: a network over arrays or photographs.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "generator/cli/classes.h"
#include "generator/cli/common.h"
#include "generator/cli/inside.h"
#include "generator/io/file.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

struct RunOptions {
  ModelOptions model;
  InputOptions inputs;
  std::string output, labels;
  std::vector<std::string> nodes;
  int top = 0;
  bool dump_all = false;
};

// What an output holds, where nobody asked for more.
void print_summary(const Values& v) {
  const Array& a = v.array;
  double least = std::numeric_limits<double>::infinity(), most = -least, sum = 0;
  const auto count = [&](auto values) {
    for (const auto x : values) {
      least = std::min(least, static_cast<double>(x));
      most = std::max(most, static_cast<double>(x));
      sum += static_cast<double>(x);
    }
  };
  switch (a.dtype) {
    case DType::f32: count(a.values<float>()); break;
    case DType::s8: count(a.values<int8_t>()); break;
    case DType::s32: count(a.values<int32_t>()); break;
    case DType::s64: count(a.values<int64_t>()); break;
    default: count(a.values<uint8_t>());
  }
  fmt::print("{}: {} {}, {:.6g} to {:.6g}, mean {:.6g}", printable(v.name), dtype_name(a.dtype), dims_text(a.shape),
             least, most, sum / static_cast<double>(std::max<int64_t>(1, a.elements())));
  if (v.scale > 0) fmt::print("; scale {:.6g}, zero point {}", v.scale, v.zero_point);
  fmt::print("\n");
}

void write_results(const std::string& path, std::vector<Values> results) {
  std::vector<std::pair<std::string, Array>> named;
  for (Values& v : results) named.emplace_back(std::move(v.name), std::move(v.array));
  if (!has_extension(path, ".npy")) return write_npz(path, named);
  if (named.size() != 1) internal_error("a .npy holds one array");
  write_npy(path, named[0].second);
}

void check_words(const RunOptions& o) {
  if (o.top < 0) user_error(fmt::format("--top must be positive, not {}", o.top));
  if (!o.labels.empty() && o.top == 0) user_error("--labels needs --top K");
  if (o.dump_all && o.output.empty()) user_error("--dump-all needs --output FILE.npz");
  if (!o.nodes.empty() && (o.dump_all || o.top > 0)) user_error("--node and --dump-all, --top exclude each other");
  if (!o.output.empty() && !has_extension(o.output, ".npy") && !has_extension(o.output, ".npz"))
    user_error("--output " + o.output + ": outputs are written as .npz or .npy");
}

// Before the network runs.
void check_output(const RunOptions& o, size_t arrays) {
  if (has_extension(o.output, ".npy") && (o.dump_all || arrays != 1))
    user_error(fmt::format("--output {}: a .npy holds one array, but there are more; use .npz", o.output));
  if (!o.output.empty()) check_writable(o.output);
}

void finish(const RunOptions& o, std::vector<Values> results) {
  if (!o.output.empty()) return write_results(o.output, std::move(results));
  for (const Values& v : results) print_summary(v);
}

void run_nodes(const RunOptions& o) {
  const Inside network(o.model, o.nodes);
  check_output(o, network.wanted().size());
  const Inputs inputs = gather_inputs(network.inputs(), o.inputs);
  finish(o, network.recorder().run_all(inputs));
}

void run_outputs(const RunOptions& o) {
  const std::vector<std::string> labels = read_labels(o.labels);
  const ReadyModel model = load_ready(o.model.model, o.model.load_options(), o.model.cache_options());
  note_cache(model.cache);
  const std::vector<TensorInfo>& outputs = model.executor->plan().outputs;
  check_output(o, outputs.size());
  if (o.top > 0) check_classes(outputs[0], labels);
  const Inputs inputs = gather_inputs(model.executor->plan().inputs, o.inputs);
  std::vector<Values> results = Recorder(model.executor, output_sources(model.executor->plan())).run_all(inputs);
  if (o.top > 0) print_classes(results[0].array, inputs.names, o.top, labels);
  if (o.top == 0 || !o.output.empty()) finish(o, std::move(results));
}

void run(const RunOptions& o) {
  check_words(o);
  if (o.dump_all || !o.nodes.empty())
    run_nodes(o);
  else
    run_outputs(o);
}

}  // namespace

void add_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  CLI::App* verb = app.add_subcommand("run", "Run a network over arrays or photographs");
  o->model.add_model(*verb);
  verb->add_option("--input", o->inputs.files,
                   "FILE or NAME=FILE: .npy, .npz (a member per input, of its name), .bmp, .jpg, .png;\n"
                   "repeat it for more inputs or more pictures; more rows than the model takes at\n"
                   "a time are run one after the other")
      ->required()
      ->take_all()
      ->allow_extra_args(false)
      ->check(no_empty_name());
  verb->add_option("--output", o->output, "Write one array per graph output (.npz, or .npy for a single one)")
      ->check(no_empty_name());
  verb->add_option("--top", o->top, "Print the K best classes of every image");
  verb->add_option("--labels", o->labels, "Names of the classes, one a line")->check(no_empty_name());
  verb->add_flag("--dump-all", o->dump_all,
                 "Write every tensor inside that fusion leaves (all with --no-fuse --no-prove), in the order of\n"
                 "execution, by its name in the file; for octet compare");
  verb->add_option("--node", o->nodes,
                   "Instead of the outputs, a tensor inside: its name or the node's that computes it; repeat it for\n"
                   "more. Fusions and proofs that would lose it are off; the bytes stay the same")
      ->take_all()
      ->allow_extra_args(false)
      ->check(no_empty_name());
  o->model.add_running(*verb);
  o->model.add_cache(*verb);
  o->inputs.add_photos(*verb);
  verb->footer(R"(
Values may be float32, or integers already quantized as the model quantizes its input.

Examples:
  octet run mobilenet.onnx --input cat.bmp --input dog.jpg --top 3 --labels imagenet_labels.txt
  octet run model.onnx --input x.npz --output y.npz --target avx2 --threads 2
  octet run model.onnx --input x.npz --node conv1 --node layer3_add --engine reference
  octet run detector.onnx --input image=photo.png --input threshold=t.npy --output y.npz --dump-all)");
  verb->callback([o] { run(*o); });
}

}  // namespace octet::cli
