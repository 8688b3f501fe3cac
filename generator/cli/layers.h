// Timing a loaded network, whole and layer by layer, beside what is predicted and what the machine allows.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "bench/roofline.h"
#include "jit/load.h"

namespace octet::cli {

double since(std::chrono::steady_clock::time_point start);  // seconds
double median(std::vector<double> values);

// Inputs and outputs of one run, the inputs random over their ranges.
struct Buffers {
  explicit Buffers(const Plan& plan);
  std::vector<std::vector<uint8_t>> data;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
};

// Runs until caches, branch predictors and the clock rate have settled; once where `rounds` says how often to measure.
void warm_up(int rounds, const std::function<void()>& round);

// One round after the other until there are enough of them: `rounds`, or where that is 0 a second's worth and at
// least 5. `label` names the progress bar.
void repeat(int rounds, const char* label, const std::function<void()>& round);

// A layer of a network: a step, or the parts of one that several threads share. Times in seconds.
struct Layer {
  std::string name, op, shape, schedule;
  size_t first_step = 0, steps = 0;  // of the plan
  int64_t macs = 0;                  // nominal
  double seconds = 0, least = 0;     // measured: median and best
  double predicted = 0;              // by the cost model, on one thread; 0 where it has no constants for the target
  Roofline roofline;
  size_t count = 1;  // of equal layers, where merged() made one row of them
  double rate() const { return seconds > 0 ? static_cast<double>(macs) / seconds : 0; }
  double share_of_roofline() const { return seconds > 0 ? roofline.seconds() / seconds : 0; }
};

// Every layer in order, timed in `rounds` runs of the network (as repeat() takes them), with its prediction.
std::vector<Layer> time_layers(const LoadedModel& model, Buffers& buffers, int rounds);

void add_rooflines(std::vector<Layer>& layers, const LoadedModel& model, const Machine& machine);

// Layers that run the same kernel on as many multiply-accumulates, as one row with their sums.
std::vector<Layer> merged(const std::vector<Layer>& layers);

// How many lines of measured choices there are, and how many of the network's layers they hold for.
std::string tuned_text(const std::string& file, const TunedTilings& tuned, const CompiledModel& model);

// Seconds of one kernel in a network that touches `network_bytes` in a run, at the clock of the target's cost table; 0
// where there is none.
double predicted_seconds(const KernelUnit& unit, int64_t network_bytes, const Target& target);

}  // namespace octet::cli
