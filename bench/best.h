// The least of several timings: what these shared machines can repeat.
#pragma once

#include <algorithm>
#include <chrono>

namespace octet {

// Seconds of the fastest of `rounds` runs.
double best_seconds(int rounds, const auto& work) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    const auto start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

}  // namespace octet
