// What the verbs share: options that name a model and how to run it, numbers for people, the progress bar.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>

#include "generator/import/model.h"
#include "generator/passes/passes.h"
#include "jit/load_ready.h"

namespace octet::cli {

// A model and how it is to be run; `load` checks the words and loads it.
struct ModelOptions {
  std::string model, target = "host", engine = "jit", compiler = "c++", profile, dump_dir, tuned, cache_dir;
  int threads = 1;
  int64_t batch = 1;
  bool no_fuse = false, no_views = false, no_prove = false, no_winograd = false, no_cache = false, strict_int8 = false;

  void add_model(CLI::App& verb);
  void add_target(CLI::App& verb);
  void add_tuned(CLI::App& verb);
  void add_profile(CLI::App& verb);    // and --strict-int8
  void add_engine(CLI::App& verb);     // and the compiler of engine cpp
  void add_running(CLI::App& verb);    // target, engine, profile, threads, batch, dump directory, bisecting
  void add_bisecting(CLI::App& verb);  // what can be switched off; the bytes stay the same
  void add_cache(CLI::App& verb);
  ImportOptions import_options() const;
  WinogradUse winograd() const;
  PassOptions pass_options() const;
  LoadOptions load_options() const;
  CacheOptions cache_options() const { return {.folder = no_cache ? "" : cache_dir}; }
};

// One line on stderr where a cache was wanted and did not do its work; `status` is ReadyModel::cache.
void note_cache(const std::string& status);
void check_batch(int64_t batch);
CLI::Validator no_empty_name();  // for options that take a file or a folder

std::string bytes_text(size_t bytes);                     // "3.2 MiB"
std::string quantization_text(const TensorInfo& tensor);  // "u8, scale 0.0078, zero point 128", or nothing
std::string file_name(const std::string& path);
std::string printable(std::string text);  // names come from files: control characters become '?'

// A bar on stderr, drawn only on a terminal and only once the work has taken two seconds.
class Progress {
 public:
  Progress(std::string label, size_t total);
  ~Progress();
  void advance();

 private:
  using Clock = std::chrono::steady_clock;
  std::string label_;
  size_t done_ = 0, total_;
  bool terminal_, drawn_ = false;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

// What `octet explain` prints, for one target; `measure` runs the network for times beside the predicted ones.
void print_explanation(const ModelOptions& options, bool measure);

// A verb adds itself to the command; its callback does the work and throws Error.
void add_run(CLI::App& app);
void add_compile(CLI::App& app);
void add_bench(CLI::App& app);
void add_inspect(CLI::App& app);
void add_explain(CLI::App& app);
void add_tune(CLI::App& app);
void add_compare(CLI::App& app);

}  // namespace octet::cli
