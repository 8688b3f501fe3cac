#include "jit/load.h"

#include <fmt/format.h>

#include <chrono>

#include "generator/emit_cpp/library.h"
#include "generator/import/model.h"
#include "generator/io/file.h"
#include "generator/kernel/reference.h"
#include "generator/passes/passes.h"
#include "generator/program/interpret.h"
#include "jit/backend.h"
#include "jit/dump.h"
#include "jit/llvm/codegen.h"
#include "runtime/status.h"

namespace octet {
namespace {

class Stopwatch {
 public:
  // Seconds since the last call.
  double lap() {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

BoundKernel interpreted(const KernelUnit& u) {
  return {nullptr, [program = *u.program](const OctetArgs& args) { interpret(program, args); }};
}

std::vector<BoundKernel> bind_interpreter(const CompiledModel& model) {
  std::vector<BoundKernel> kernels;
  for (const KernelUnit& u : model.kernels)
    kernels.push_back(u.program ? interpreted(u) : BoundKernel{u.plain->function, {}});
  return kernels;
}

std::vector<BoundKernel> bind_reference(const CompiledModel& model) {
  std::vector<BoundKernel> kernels;
  for (const KernelUnit& u : model.kernels)
    kernels.push_back({nullptr, [spec = u.spec](const OctetArgs& args) { reference(spec, args); }});
  return kernels;
}

struct Bound {
  std::vector<BoundKernel> kernels;
  std::shared_ptr<void> owner;
  size_t code_bytes = 0;
  std::vector<StoredKernel> stored;
};

Bound bind_jit(const CompiledModel& model, const LoadOptions& options) {
  auto memory = std::make_shared<CodeMemory>();
  Bound bound{.owner = memory};
  for (const KernelUnit& u : model.kernels) {
    if (!u.program) {
      bound.kernels.push_back({u.plain->function, {}});
      bound.stored.push_back({u.plain->name, {}});
    } else if (model.target->backend == Backend::none) {
      bound.kernels.push_back(interpreted(u));
    } else {
      CodeOffsets offsets;
      const CompiledKernel code =
          compile(*u.program, *model.target, *memory, options.dump_dir.empty() ? nullptr : &offsets);
      if (!options.dump_dir.empty()) dump_kernel(options.dump_dir.string(), *u.program, *model.target, code, offsets);
      bound.kernels.push_back({code.entry, {}});
      bound.stored.push_back({u.name, {reinterpret_cast<const uint8_t*>(code.entry), code.code_bytes}});
      bound.code_bytes += code.code_bytes;
    }
  }
  memory->seal();
  return bound;
}

// Compiled as one object and linked by LLVM; the code itself is what a cache keeps.
Bound bind_llvm(const CompiledModel& model, const LoadOptions& options) {
  std::vector<const Program*> programs;
  std::vector<std::string> names;
  for (const KernelUnit& u : model.kernels)
    if (u.program) {
      programs.push_back(&*u.program);
      names.push_back(u.program->name);
    }
  const std::vector<uint8_t> object = llvm_object(programs, *model.target);
  const std::vector<std::vector<uint8_t>> codes = code_of_object(object, names);
  LinkedKernels linked = orc_link(object, names);
  Bound bound{.owner = std::move(linked.owner)};
  auto entry = linked.entries.begin();
  auto code = codes.begin();
  for (const KernelUnit& u : model.kernels) {
    if (!u.program) {
      bound.kernels.push_back({u.plain->function, {}});
      bound.stored.push_back({u.plain->name, {}});
      continue;
    }
    const CompiledKernel kernel{*entry++, code++->size()};
    if (!options.dump_dir.empty()) dump_kernel(options.dump_dir.string(), *u.program, *model.target, kernel, {});
    bound.kernels.push_back({kernel.entry, {}});
    bound.stored.push_back({u.name, {reinterpret_cast<const uint8_t*>(kernel.entry), kernel.code_bytes}});
    bound.code_bytes += kernel.code_bytes;
  }
  return bound;
}

Bound bind_cpp(const CompiledModel& model, const LoadOptions& options) {
  KernelLibrary library = build_kernel_library(model, options.compiler);
  Bound bound{.owner = library.handle};
  for (OctetKernel k : library.kernels) bound.kernels.push_back({k, {}});
  return bound;
}

}  // namespace

void check_target(const Target& target, Engine engine) {
  if (engine == Engine::reference || engine == Engine::interpreter || host_runs(target)) return;
  user_error(fmt::format("target {}: this machine cannot run it (or OCTET_MAX_TARGET forbids it); its best is {}",
                         target.name, host_target().name));
}

const Target& target_named(const std::string& name) {
  if (name == "host") return host_target();
  if (const Target* t = find_target(name)) return *t;
  std::string known;
  for (const Target& t : all_targets()) known += std::string(t.name) + ", ";
  user_error("unknown target '" + name + "' (supported: " + known + "host)");
}

Engine engine_named(const std::string& name) {
  if (name == "jit") return Engine::jit;
  if (name == "cpp") return Engine::cpp;
  if (name == "interpreter") return Engine::interpreter;
  if (name == "reference") return Engine::reference;
  user_error("unknown engine '" + name + "' (supported: jit, cpp, interpreter, reference)");
}

TunedTilings read_tuned(const std::string& path) {
  constexpr size_t kMost = size_t{64} << 20;
  const std::vector<uint8_t> bytes = read_file(path, kMost);
  return TunedTilings::parse({bytes.begin(), bytes.end()}, path);
}

LoadedModel load(const std::filesystem::path& path, const LoadOptions& options) {
  check_target(options.target ? *options.target : host_target(), options.engine);
  Stopwatch watch;
  Graph graph = import_model(path, {.batch = options.batch, .profile = options.profile});
  const double import_seconds = watch.lap();
  LoadedModel m = load(std::move(graph), options);
  m.import_seconds = import_seconds;
  return m;
}

LoadedModel load(Graph graph, const LoadOptions& options) {
  const Target& target = options.target ? *options.target : host_target();
  check_target(target, options.engine);
  LoadedModel m;
  m.graph = std::move(graph);
  Stopwatch watch;
  run_passes(m.graph, {.fuse = options.fuse,
                       .prove = options.prove,
                       .strict_int8 = options.strict_int8,
                       .dump_dir = options.dump_dir.string()});
  m.passes_seconds = watch.lap();
  m.compiled = compile(m.graph, {.target = &target,
                                 .emitter = options.engine == Engine::cpp ? Emitter::compiler : emitter_of(target),
                                 .reference = options.engine == Engine::reference,
                                 .threads = options.threads,
                                 .sharing = options.sharing,
                                 .keep_all = options.keep_all,
                                 .tilings = {options.tuned.get(), options.tiling_candidate, options.winograd},
                                 .views = options.views});
  m.compile_seconds = watch.lap();
  if (!options.dump_dir.empty()) {
    write_file(options.dump_dir / "graph.txt", print(m.graph));
    std::string kernels;
    for (const KernelUnit& u : m.compiled.kernels)
      kernels += fmt::format("{}\n  {}\n  {}\n", u.name, to_string(u.spec), u.schedule);
    write_file(options.dump_dir / "kernels.txt", kernels);
  }
  Bound bound;
  switch (options.engine) {
    case Engine::jit: bound = (target.backend == Backend::llvm ? bind_llvm : bind_jit)(m.compiled, options); break;
    case Engine::cpp: bound = bind_cpp(m.compiled, options); break;
    case Engine::interpreter: bound.kernels = bind_interpreter(m.compiled); break;
    case Engine::reference: bound.kernels = bind_reference(m.compiled); break;
  }
  m.code_bytes = bound.code_bytes;
  if (options.engine == Engine::jit && target.backend != Backend::none) m.stored_kernels = std::move(bound.stored);
  m.executor =
      std::make_shared<const Executor>(std::move(m.compiled.plan), std::move(bound.kernels), std::move(bound.owner));
  m.compiled.plan = {};
  m.bind_seconds = watch.lap();
  return m;
}

}  // namespace octet
