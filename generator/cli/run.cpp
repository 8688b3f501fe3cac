// octet run: a network over arrays or photographs.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "generator/cli/classes.h"
#include "generator/cli/common.h"
#include "generator/cli/inputs.h"
#include "generator/io/file.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

using NamedArrays = std::vector<std::pair<std::string, Array>>;

struct RunOptions {
  ModelOptions model;
  InputOptions inputs;
  std::string output, labels;
  int top = 0;
  bool dump_all = false;
};

// Room for `runs` results one behind the other.
Array stacked(DType dtype, std::vector<int64_t> shape, size_t runs) {
  int64_t elements = 1;
  for (const int64_t d : shape) elements *= d;
  Array a{dtype, std::move(shape), {}};
  if (a.shape.empty() && runs > 1) a.shape = {1};
  if (!a.shape.empty()) a.shape[0] *= static_cast<int64_t>(runs);
  a.data.resize(static_cast<size_t>(elements) * dtype_bytes(dtype) * runs);
  return a;
}

class Runner {
 public:
  Runner(const Executor& executor, const Inputs& inputs, bool dump_all) : plan_(executor.plan()), inputs_(inputs) {
    for (const TensorInfo& t : plan_.outputs) results_.emplace_back(t.name, stacked(t.dtype, t.shape, inputs.runs));
    if (!dump_all) return;
    std::set<std::string> seen;
    for (const TensorInfo& t : plan_.outputs) seen.insert(t.name);
    for (const TensorPlace& t : plan_.tensors) {
      if (!seen.insert(t.name).second) continue;
      places_.push_back(&t);
      results_.emplace_back(t.name, stacked(t.dtype, t.file_shape, inputs.runs));
    }
  }

  NamedArrays run(ExecutionContext& context) {
    Progress progress("running", inputs_.runs);
    for (size_t r = 0; r < inputs_.runs; ++r) {
      run_one(context, r);
      progress.advance();
    }
    return std::move(results_);
  }

 private:
  void run_one(ExecutionContext& context, size_t r) {
    std::vector<const void*> in;
    std::vector<void*> out;
    for (size_t i = 0; i < plan_.inputs.size(); ++i)
      in.push_back(inputs_.arrays[i].data.data() + r * plan_.inputs[i].bytes());
    for (size_t o = 0; o < plan_.outputs.size(); ++o)
      out.push_back(results_[o].second.data.data() + r * plan_.outputs[o].bytes());
    context.run(in, out);
    for (size_t t = 0; t < places_.size(); ++t) {
      const std::vector<uint8_t> values = context.read(*places_[t]);
      std::vector<uint8_t>& all = results_[plan_.outputs.size() + t].second.data;
      if (values.size() * inputs_.runs != all.size())
        internal_error("tensor " + places_[t]->name + " has another size");
      std::copy(values.begin(), values.end(), all.begin() + static_cast<std::ptrdiff_t>(r * values.size()));
    }
  }

  const Plan& plan_;
  const Inputs& inputs_;
  NamedArrays results_;
  std::vector<const TensorPlace*> places_;
};

// What an output holds, where nobody asked for more.
void print_summary(const std::string& name, const Array& a) {
  double least = std::numeric_limits<double>::infinity(), most = -least, sum = 0;
  const auto count = [&](auto values) {
    for (const auto v : values) {
      least = std::min(least, static_cast<double>(v));
      most = std::max(most, static_cast<double>(v));
      sum += static_cast<double>(v);
    }
  };
  switch (a.dtype) {
    case DType::f32: count(a.values<float>()); break;
    case DType::s8: count(a.values<int8_t>()); break;
    case DType::s32: count(a.values<int32_t>()); break;
    case DType::s64: count(a.values<int64_t>()); break;
    default: count(a.values<uint8_t>());
  }
  fmt::print("{}: {} {}, {:.6g} to {:.6g}, mean {:.6g}\n", printable(name), dtype_name(a.dtype), dims_text(a.shape),
             least, most, sum / static_cast<double>(std::max<int64_t>(1, a.elements())));
}

void write_results(const std::string& path, const NamedArrays& results) {
  if (!has_extension(path, ".npy")) return write_npz(path, results);
  if (results.size() != 1) internal_error("a .npy holds one array");
  write_npy(path, results[0].second);
}

// What would otherwise be said when the network has run.
void check_results(const RunOptions& o, const std::vector<TensorInfo>& outputs,
                   const std::vector<std::string>& labels) {
  if (has_extension(o.output, ".npy") && (o.dump_all || outputs.size() != 1))
    user_error(fmt::format("--output {}: a .npy holds one array, but there are more; use .npz", o.output));
  if (!o.output.empty()) check_writable(o.output);
  if (o.top > 0) check_classes(outputs[0], labels);
}

void run(const RunOptions& o) {
  if (o.top < 0) user_error(fmt::format("--top must be positive, not {}", o.top));
  if (!o.labels.empty() && o.top == 0) user_error("--labels needs --top K");
  if (o.dump_all && o.output.empty()) user_error("--dump-all needs --output FILE.npz");
  if (!o.output.empty() && !has_extension(o.output, ".npy") && !has_extension(o.output, ".npz"))
    user_error("--output " + o.output + ": outputs are written as .npz or .npy");
  const std::vector<std::string> labels = read_labels(o.labels);
  LoadOptions options = o.model.load_options();
  options.keep_all = o.dump_all;
  const ReadyModel model = load_ready(o.model.model, options, o.model.cache_options());
  note_cache(model.cache);
  check_results(o, model.executor->plan().outputs, labels);
  const Inputs inputs = gather_inputs(model.executor->plan().inputs, o.inputs);
  ExecutionContext context(model.executor);
  const NamedArrays results = Runner(*model.executor, inputs, o.dump_all).run(context);
  if (!o.output.empty()) write_results(o.output, results);
  if (o.top > 0) print_classes(results[0].second, inputs.names, o.top, labels);
  if (o.output.empty() && o.top == 0)
    for (const auto& [name, array] : results) print_summary(name, array);
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
  verb->add_flag("--dump-all", o->dump_all, "Also write every quantized tensor inside, by its name in the file");
  o->model.add_running(*verb);
  o->model.add_cache(*verb);
  const char* photos = "Photographs";
  verb->add_option("--resize", o->inputs.resize, "squeeze: the whole picture; crop: shortest side, then the centre")
      ->capture_default_str()
      ->group(photos);
  verb->add_option("--scale", o->inputs.scale,
                   "imagenet, -1..1, 0..1 or 0..255; by default what fits the input's quantization")
      ->group(photos);
  verb->add_option("--mean", o->inputs.mean, "Own (x / 255 - mean) / std: one number, or r,g,b")->group(photos);
  verb->add_option("--std", o->inputs.std, "See --mean")->group(photos);
  verb->footer(R"(
Values may be float32, or integers already quantized as the model quantizes its input.

Examples:
  octet run mobilenet.onnx --input cat.bmp --input dog.jpg --top 3 --labels imagenet_labels.txt
  octet run model.onnx --input x.npz --output y.npz --target avx2 --threads 2
  octet run detector.onnx --input image=photo.png --input threshold=t.npy --output y.npz --dump-all)");
  verb->callback([o] { run(*o); });
}

}  // namespace octet::cli
