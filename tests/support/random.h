// Seeded 32-bit random numbers, the same on every machine.
#pragma once

#include <cstdint>
#include <random>

namespace octet {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  uint32_t operator()() { return static_cast<uint32_t>(engine_()); }

 private:
  std::mt19937 engine_;
};

}  // namespace octet
