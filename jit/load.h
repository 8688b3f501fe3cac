// Model file -> runnable model in this process.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "generator/compile.h"
#include "generator/schedule/tuned.h"
#include "jit/network_file.h"
#include "runtime/executor.h"

namespace octet {

enum class Engine {
  jit,          // machine code; scalar, which has none, is interpreted
  cpp,          // emitted C++, compiled by the machine's compiler
  interpreter,  // the Programs of any target, on any machine
  reference     // the specs
};

struct LoadOptions {
  const Target* target = nullptr;  // nullptr: the host's best
  Engine engine = Engine::jit;
  int threads = 1;                 // at most; small networks run on fewer
  SharingCosts sharing = {};       // decides that
  int64_t batch = 1;               // for a symbolic first dimension
  std::optional<Profile> profile;  // instead of the one that the file asks for
  bool keep_all = false;           // every quantized tensor can be read after a run
  bool fuse = true;                // false: no residual fusion, so that keep_all shows every tensor of the file
  bool views = true;               // false: concats and slices copy
  bool strict_int8 = false;        // true: what has no integer form is refused
  bool prove = true;               // false: needless channels and clamps are computed; keep_all then shows them all
  std::shared_ptr<const TunedTilings> tuned;  // measured choices of register tiles; read_tuned() reads them
  int tiling_candidate = 0;                   // octet tune: TilingChoice::candidate
  WinogradUse winograd = WinogradUse::where_it_pays;
  std::string compiler = "c++";    // engine cpp
  std::filesystem::path dump_dir;  // where graph, programs and code are written; empty: nowhere
};

struct LoadedModel {
  Graph graph;             // after all passes
  CompiledModel compiled;  // its plan has moved into the executor
  std::shared_ptr<const Executor> executor;
  double import_seconds = 0, passes_seconds = 0, compile_seconds = 0, bind_seconds = 0;
  size_t code_bytes = 0;  // machine code made by the JIT
  // Engine jit with machine code only: what a cache keeps of the kernels; the executor holds the code.
  std::vector<StoredKernel> stored_kernels;
};

// As users say it: "host" or a target's name; "jit", "cpp", "interpreter", "reference". Anything else is a user error.
const Target& target_named(const std::string& name);
Engine engine_named(const std::string& name);

// A file that `octet tune` wrote. User errors: it cannot be read, or is something else.
TunedTilings read_tuned(const std::string& path);

// That this machine can run it, else a user error.
void check_target(const Target& target, Engine engine);

// User errors: everything that import, passes and lower refuse; a target that this machine cannot run.
LoadedModel load(const std::filesystem::path& model, const LoadOptions& options);

// The same for a graph as an importer made it; `batch` and `profile` were the importer's.
LoadedModel load(Graph graph, const LoadOptions& options);

}  // namespace octet
