// octet compile: a network as C++ source, or as objects with a little of it.
#include <fmt/format.h>

#include <filesystem>

#include "generator/cli/common.h"
#include "generator/emit_cpp/model.h"
#include "generator/import/model.h"
#include "generator/passes/passes.h"
#include "jit/llvm/codegen.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

constexpr int kMostKernelFiles = 1000;

struct CompileVerbOptions {
  ModelOptions model;
  std::vector<std::string> targets = {"host"};
  std::string out_dir, name, emit = "cpp";
  int kernel_files = 0;
  bool explain = false;
};

// "mobilenet_v2.int8.onnx" -> "mobilenet_v2"; whatever a C++ name cannot hold becomes '_'.
std::string name_of(const std::string& model) {
  std::string name = file_name(model);
  name = name.substr(0, name.find('.', 1));
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) > 0x7f) c = '_';
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) name = "model_" + name;
  return name;
}

// For the heads of the files: what made them, without what differs from machine to machine.
std::string command_line(const CompileVerbOptions& o, const std::string& name,
                         const std::vector<const Target*>& targets) {
  std::string text = fmt::format("octet compile {} --name {}", file_name(o.model.model), name);
  for (const Target* t : targets) text += fmt::format(" --target {}", t->name);
  if (!o.model.profile.empty()) text += " --profile " + o.model.profile;
  if (o.model.strict_int8) text += " --strict-int8";
  if (o.emit != "cpp") text += " --emit " + o.emit;
  if (o.model.batch != 1) text += fmt::format(" --batch {}", o.model.batch);
  return text;
}

void compile_verb(const CompileVerbOptions& o) {
  if (o.emit != "cpp" && o.emit != "obj") user_error("unknown --emit '" + o.emit + "' (supported: cpp, obj)");
  const bool objects = o.emit == "obj";
  if (o.kernel_files < 0 || o.kernel_files > kMostKernelFiles)
    user_error(fmt::format("--kernel-files must be 0 to {}, not {}", kMostKernelFiles, o.kernel_files));
  const std::string name = o.name.empty() ? name_of(o.model.model) : o.name;
  if (!is_model_name(name)) user_error("--name '" + printable(name) + "' is no C++ name");
  std::vector<const Target*> targets;
  for (const std::string& t : o.targets) targets.push_back(&target_named(t));
  Graph graph = import_model(o.model.model, o.model.import_options());
  const std::string producer = graph.producer;
  run_passes(graph, o.model.pass_options());
  const TunedTilings tuned = o.model.tuned.empty() ? TunedTilings() : read_tuned(o.model.tuned);
  std::vector<CompiledModel> models;
  for (const Target* t : targets)
    models.push_back(compile(graph, {.target = t,
                                     .emitter = objects ? emitter_of(*t) : Emitter::compiler,
                                     .tilings = {.tuned = &tuned, .winograd = o.model.winograd()},
                                     .views = !o.model.no_views}));
  emit_model(models, {.name = name,
                      .out_dir = o.out_dir,
                      .model_file = file_name(o.model.model),
                      .producer = producer,
                      .command_line = command_line(o, name, targets),
                      .version = OCTET_VERSION,
                      .kernel_files = o.kernel_files,
                      .make_object = objects ? MakeObject(llvm_object) : MakeObject()});
  for (const CompiledModel& m : models)
    fmt::print("{:<12} {:3} steps, {:3} kernels, weights {}, arena {}\n", m.target->name, m.plan.steps.size(),
               m.kernels.size(), bytes_text(m.plan.blob.size()), bytes_text(static_cast<size_t>(m.plan.arena_bytes)));
  const std::filesystem::path header = std::filesystem::path(o.out_dir) / (name + ".h");
  fmt::print("{}: {}::run(inputs, outputs, arena)\n", header.string(), name);
  if (!o.explain) return;
  for (const Target* t : targets) {
    fmt::print("\n");
    ModelOptions one = o.model;
    one.target = t->name;
    print_explanation(one, false);
  }
}

}  // namespace

void add_compile(CLI::App& app) {
  auto o = std::make_shared<CompileVerbOptions>();
  CLI::App* verb = app.add_subcommand("compile", "Turn a network into C++ source that needs nothing else");
  o->model.add_model(*verb);
  verb->add_option("-o,--output", o->out_dir, "The folder to write to; made if it is not there")
      ->required()
      ->check(no_empty_name());
  verb->add_option("--target", o->targets,
                   "scalar, avx2, avx512_vnni, avx512_vbmi, neon, neon_dot, neon_i8mm, host; of several, the\n"
                   "program takes the best that the machine has when it runs; x86's and AArch64's may stand\n"
                   "together, and each machine builds its own")
      ->take_all()
      ->allow_extra_args(false)
      ->capture_default_str();
  o->model.add_tuned(*verb);
  o->model.add_profile(*verb);
  verb->add_option("--name", o->name, "Namespace and file prefix; by default after the model's file");
  verb->add_option("--emit", o->emit,
                   "cpp: C++17 source; obj: machine code of the kernels, by LLVM, and C++17\n"
                   "for the rest (scalar is C++ all the same)")
      ->capture_default_str();
  verb->add_option("--batch", o->model.batch, "Images at a time, where the file leaves it open")->capture_default_str();
  verb->add_option("--kernel-files", o->kernel_files, "Spread the kernels of a target over N files; 0: by size");
  verb->add_flag("--explain", o->explain, "Also print what `octet explain` says");
  verb->add_option("--dump", o->model.dump_dir, "Write the graph after each pass into this folder")
      ->envname("OCTET_DUMP")
      ->check(no_empty_name());
  o->model.add_bisecting(*verb);
  verb->footer(R"(
The folder then holds NAME.h, with NAME::run(inputs, outputs, arena) and NAME::arena_bytes, and sources to build with
  g++ -std=c++17 -O3 -ffp-contract=off -c *.cpp
In CMake, octet_add_model(NAME digits MODEL digits.onnx TARGETS avx2 scalar) does both.

Examples:
  octet compile mobilenet.onnx -o generated
  octet compile resnet50.onnx -o generated --name resnet --target scalar --target avx2 --target avx512_vnni
  octet compile mobilenet.onnx -o generated --target scalar --target neon --target neon_dot
  octet compile mobilenet.onnx -o generated --target neon_dot --emit obj)");
  verb->callback([o] { compile_verb(*o); });
}

}  // namespace octet::cli
