#include "bench/core_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>

#include "generator/emit_cpp/build.h"
#include "generator/io/file.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr const char* kMca = "llvm-mca-19";
constexpr const char* kObjdump = "llvm-objdump-19";

// Standard output of a command; user error if it fails.
std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = popen((command + " 2>/dev/null </dev/null").c_str(), "r");
  if (!pipe) user_error("no process for " + command);
  std::array<char, 4096> buffer{};
  for (size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) text.append(buffer.data(), n);
  if (pclose(pipe) != 0) user_error("failed: " + command + " (Debian: llvm-19)");
  return text;
}

// Instructions of each function, one a string, as an assembler reads them.
std::map<std::string, std::vector<std::string>> disassembly(std::span<const uint8_t> object,
                                                            const TemporaryFolder& folder) {
  const std::string file = (folder.path() / "kernels.o").string();
  const Bytes pieces[] = {object};
  write_file(file, pieces);
  std::istringstream lines(
      output_of(fmt::format("{} -d --mattr=+dotprod,+i8mm --no-show-raw-insn --no-leading-addr '{}'", kObjdump, file)));
  std::map<std::string, std::vector<std::string>> functions;
  std::vector<std::string>* function = nullptr;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 3 && line[0] == '<' && line.ends_with(">:"))
      function = &functions[line.substr(1, line.size() - 3)];
    else if (function && !line.empty() && (line[0] == ' ' || line[0] == '\t'))
      function->push_back(line.substr(0, line.find('<')));  // behind a branch's address, where that lies
  }
  return functions;
}

// A list of instructions, by number, that run one after the other; what it takes is cycles * `times`.
struct Trace {
  std::vector<size_t> run;
  double times = 1;
};

// Cuts a kernel's run into traces, each of which is to be run several times, so that a core may overlap its end with
// its next beginning. A trace is a loop's body in which inner loops are unrolled; of an innermost loop only as many
// trips as it takes to settle, since those left all take what one does among many.
class Tracer {
 public:
  explicit Tracer(const A64Code& code) { cut(code.whole, 1); }

  std::vector<Trace> traces;
  struct Left {
    const A64Loop* loop;
    double trips;
  };
  std::vector<Left> left;

 private:
  static constexpr int64_t kSettled = 200;   // instructions: more than a core looks ahead
  static constexpr int64_t kLongest = 2000;  // of a trace

  static int64_t length_of(const A64Loop& loop) { return static_cast<int64_t>(loop.end - loop.first); }
  static int64_t unrolled(const A64Loop& loop) {
    return loop.inner.empty() ? std::min(loop.trips, kSettled / length_of(loop) + 1) : loop.trips;
  }
  static int64_t body_length(const A64Loop& loop) {
    int64_t length = length_of(loop);
    for (const A64Loop& l : loop.inner) length += unrolled(l) * body_length(l) - length_of(l);
    return length;
  }

  // `times`: how often the loop is entered.
  void cut(const A64Loop& loop, double times) {
    times *= static_cast<double>(loop.trips);
    if (body_length(loop) <= kLongest) {
      Trace t{.times = times};
      append(loop, times, t.run);
      traces.push_back(std::move(t));
      return;
    }
    Trace between{.times = times};
    size_t at = loop.first;
    const auto flush = [&](size_t to) {
      for (; at < to; ++at) between.run.push_back(at);
      if (!between.run.empty()) traces.push_back(between);
      between.run.clear();
    };
    for (const A64Loop& l : loop.inner) {
      flush(l.first);
      cut(l, times);
      at = l.end;
    }
    flush(loop.end);
  }

  // One trip; `times`: how often it runs.
  void append(const A64Loop& loop, double times, std::vector<size_t>& run) {
    size_t at = loop.first;
    const auto go = [&](size_t to) {
      for (; at < to; ++at) run.push_back(at);
    };
    for (const A64Loop& l : loop.inner) {
      go(l.first);
      const int64_t trips = unrolled(l);
      for (int64_t k = 0; k < trips; ++k) append(l, times, run);
      if (trips < l.trips) left.push_back({&l, times * static_cast<double>(l.trips - trips)});
      at = l.end;
    }
    go(loop.end);
  }
};

// Cycles of each list of instructions, when it is run again and again.
std::vector<double> simulate(const std::vector<std::string>& lists, int iterations, const Core& core,
                             const TemporaryFolder& folder) {
  const std::string file = (folder.path() / "regions.s").string();
  std::string text;
  for (size_t k = 0; k < lists.size(); ++k) text += fmt::format("# LLVM-MCA-BEGIN {}\n{}# LLVM-MCA-END\n", k, lists[k]);
  write_file(file, text);
  std::istringstream lines(
      output_of(fmt::format("{} -mtriple=aarch64 -mattr=+dotprod{} -mcpu={} -iterations={} -instruction-info=0 "
                            "-resource-pressure=0 '{}'",
                            kMca, core.i8mm ? ",+i8mm" : "", core.name, iterations, file)));
  std::vector<double> cycles;
  constexpr std::string_view kTotal = "Total Cycles:";
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(kTotal)) cycles.push_back(std::stod(line.substr(kTotal.size())) / iterations);
  if (cycles.size() != lists.size()) user_error(fmt::format("{} answers otherwise than it should", kMca));
  return cycles;
}

}  // namespace

std::vector<Core> modelled_cores(const Target& target) {
  constexpr std::array<Core, 3> kCores = {
      {{"neoverse-n1", 2, false}, {"neoverse-v1", 4, true}, {"cortex-a55", 1, false}}};
  std::vector<Core> cores;
  for (const Core& c : kCores)
    if (target.arch == Arch::aarch64 && (c.i8mm || !std::strstr(target.features, "i8mm"))) cores.push_back(c);
  return cores;
}

int peak_dots(const Core& core, const A64Code& code) {
  return core.pipes * (multiplies_matrices(code.whole) ? 2 : 1);
}

bool has_core_models() {
  const auto runs = [](const char* tool) {
    return std::system(fmt::format("{} --version >/dev/null 2>&1 </dev/null", tool).c_str()) == 0;
  };
  return runs(kMca) && runs(kObjdump);
}

std::vector<ModelledKernel> model_kernels(std::span<const uint8_t> object, std::span<const std::string> names,
                                          std::span<const A64Code> codes, const Core& core) {
  // So many that what it takes to begin and to end vanishes. Reading text takes longer than running it.
  constexpr int kTraceRuns = 10, kLoopRuns = 200;
  const TemporaryFolder folder;
  const auto functions = disassembly(object, folder);
  struct Share {
    size_t kernel;
    double times;
    bool hot = false;
  };
  std::vector<std::string> traces, loops;
  std::vector<Share> trace_shares, loop_shares;
  for (size_t k = 0; k < names.size(); ++k) {
    const auto at = functions.find(names[k]);
    if (at == functions.end() || at->second.size() != codes[k].words.size())
      internal_error(names[k] + ": not as the disassembler has it");
    const Tracer tracer(codes[k]);
    for (const Trace& t : tracer.traces) {
      std::string& text = traces.emplace_back();
      for (const size_t i : t.run) text += at->second[i] + "\n";
      trace_shares.push_back({k, t.times});
    }
    std::map<const A64Loop*, double> left;
    for (const Tracer::Left& l : tracer.left) left[l.loop] += l.trips;
    const A64Loop* const hot = hot_loop(codes[k]);
    if (hot) left.try_emplace(hot, 0);
    for (const auto& [loop, trips] : left) {
      std::string& text = loops.emplace_back();
      for (size_t i = loop->first; i < loop->end; ++i) text += at->second[i] + "\n";
      loop_shares.push_back({k, trips, loop == hot});
    }
  }
  std::vector<ModelledKernel> kernels(names.size());
  const std::vector<double> trace_cycles = simulate(traces, kTraceRuns, core, folder);
  for (size_t t = 0; t < traces.size(); ++t)
    kernels[trace_shares[t].kernel].cycles += trace_shares[t].times * trace_cycles[t];
  const std::vector<double> loop_cycles = simulate(loops, kLoopRuns, core, folder);
  for (size_t l = 0; l < loops.size(); ++l) {
    const Share& share = loop_shares[l];
    ModelledKernel& kernel = kernels[share.kernel];
    kernel.cycles += share.times * loop_cycles[l];
    if (share.hot) kernel.loop_dots = static_cast<double>(hot_loop(codes[share.kernel])->dots()) / loop_cycles[l];
  }
  return kernels;
}

}  // namespace octet
