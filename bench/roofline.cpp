#include "bench/roofline.h"

#include <algorithm>
#include <numeric>
#include <thread>

#include "bench/peak.h"

namespace octet {
namespace {

constexpr double kStepSeconds = 100e-9;  // arguments, call and the clock around a timed step

double peak_of_threads(const Target& target, int threads) {
  std::vector<double> rates(static_cast<size_t>(threads));
  std::vector<std::thread> others;
  for (size_t t = 1; t < rates.size(); ++t) others.emplace_back([&, t] { rates[t] = peak_gmacs(target); });
  rates[0] = peak_gmacs(target);
  for (std::thread& t : others) t.join();
  return 1e9 * std::accumulate(rates.begin(), rates.end(), 0.0);
}

}  // namespace

Machine measure_machine(const Target& target, int threads) {
  return {threads, peak_of_threads(target, threads), measure_bandwidth(target)};
}

void measure_peak_again(Machine& machine, const Target& target) {
  machine.macs_per_second = std::max(machine.macs_per_second, peak_of_threads(target, machine.threads));
}

const char* Roofline::bound() const {
  if (seconds() < kStepSeconds) return "overhead";
  return compute > memory ? "compute" : level;
}

Roofline roofline(const KernelSpec& spec, const Cost& cost, int64_t network_bytes, const Machine& machine) {
  Roofline r;
  if (machine.bandwidth.empty() || machine.macs_per_second <= 0) return r;
  if (const auto* conv = std::get_if<ConvSpec>(&spec))
    r.compute = static_cast<double>(cost.macs > 0 ? cost.macs : executed_macs(*conv)) / machine.macs_per_second;
  const Traffic moved = cost.core > 0 ? cost.traffic : traffic(spec);
  const Residence from = residence(moved, network_bytes);
  // Cores have the first two levels for themselves and share the others.
  const auto rate = [&](Level level, double Bandwidth::*kind) {
    return machine.bandwidth[static_cast<size_t>(level)].*kind * (level <= Level::l2 ? machine.threads : 1);
  };
  const double activations = static_cast<double>(moved.activations) / rate(from.activations, &Bandwidth::copy);
  const double constants = static_cast<double>(moved.constants) / rate(from.constants, &Bandwidth::read);
  r.memory = activations + constants;
  r.level = level_name(activations > constants ? from.activations : from.constants);
  return r;
}

}  // namespace octet
