// What loading a network costs, from file to ready to run: every round in a process of its own, so that no heap is
// warm. The file itself is in the page cache after the first round. Run on an idle core (taskset -c 1).
//
//   load_bench [--rounds N] [--cache FOLDER] MODEL...
//
// With a cache the first round fills it and the others hit it; then there are no phases.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "jit/load_ready.h"
#include "runtime/memory_use.h"

namespace octet {
namespace {

struct Cost {  // plain data: it comes through a pipe
  double seconds = 0, import = 0, passes = 0, compile = 0, bind = 0;
  size_t peak = 0, steady = 0;  // bytes resident beyond those of a process that has loaded nothing
  size_t weights = 0, arena = 0;
};

// As a user holds it: the phases come from a load of its own, after the one that is measured.
Cost load_once(const std::string& model, const CacheOptions& cache) {
  const MemoryUse before = memory_use();
  const auto start = std::chrono::steady_clock::now();
  const ReadyModel ready = load_ready(model, {}, cache);
  const ExecutionContext context(ready.executor);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const MemoryUse after = memory_use();
  Cost cost{.seconds = seconds.count(),
            .peak = after.peak - before.resident,
            .steady = after.resident - before.resident,
            .weights = ready.executor->blob_bytes(),
            .arena = static_cast<size_t>(ready.executor->plan().arena_bytes)};
  if (!cache.folder.empty()) return cost;
  const LoadedModel again = load(model, {});
  cost.import = again.import_seconds;
  cost.passes = again.passes_seconds;
  cost.compile = again.compile_seconds;
  cost.bind = again.bind_seconds;
  return cost;
}

// False where the load failed; the child has said why.
bool load_in_child(const std::string& model, const CacheOptions& cache, Cost& cost) {
  int ends[2];
  if (pipe(ends) != 0) return false;
  const pid_t child = fork();
  if (child == 0) {
    int status = 1;
    try {
      const Cost c = load_once(model, cache);
      status = write(ends[1], &c, sizeof c) == sizeof c ? 0 : 1;
    } catch (const std::exception& e) {
      fmt::print(stderr, "{}\n", e.what());
    }
    _exit(status);
  }
  close(ends[1]);
  const bool got = read(ends[0], &cost, sizeof cost) == sizeof cost;
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return got;
}

int bench(int rounds, const CacheOptions& cache, const std::vector<std::string>& models) {
  fmt::print("{:<34} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}  {:>7} {:>7} {:>7} {:>7}\n", "model", "best ms", "median",
             "import", "passes", "compile", "code", "weights", "arena", "+ peak", "+ after");
  for (const std::string& model : models) {
    std::vector<Cost> costs(static_cast<size_t>(rounds));
    for (Cost& c : costs)
      if (!load_in_child(model, cache, c)) return 1;
    std::sort(costs.begin(), costs.end(), [](const Cost& a, const Cost& b) { return a.seconds < b.seconds; });
    const Cost& c = costs[0];
    const auto mib = [&](size_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
    const auto beyond = [&](size_t bytes) { return mib(bytes) - mib(c.weights + c.arena); };
    fmt::print("{:<34} {:7.1f} {:7.1f} {:7.1f} {:7.1f} {:7.1f} {:7.1f}  {:7.2f} {:7.2f} {:7.2f} {:7.2f}\n",
               model.substr(model.find_last_of('/') + 1), 1e3 * c.seconds, 1e3 * costs[costs.size() / 2].seconds,
               1e3 * c.import, 1e3 * c.passes, 1e3 * c.compile, 1e3 * c.bind, mib(c.weights), mib(c.arena),
               beyond(c.peak), beyond(c.steady));
  }
  return 0;
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  int rounds = 10;
  std::vector<std::string> models(argv + 1, argv + argc);
  octet::CacheOptions cache;
  for (; models.size() > 1 && models[0].starts_with("--"); models.erase(models.begin(), models.begin() + 2)) {
    if (models[0] == "--rounds") rounds = std::max(1, std::atoi(models[1].c_str()));
    if (models[0] == "--cache") cache.folder = models[1];
  }
  if (models.empty()) {
    fmt::print(stderr, "load_bench [--rounds N] [--cache FOLDER] MODEL...\n");
    return 1;
  }
  return octet::bench(rounds, cache, models);
}
