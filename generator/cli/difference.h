// How far two arrays are apart that should be equal, over any number of runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "generator/cli/inside.h"

namespace octet::cli {

class Difference {
 public:
  // The values of one run on both sides. Integers of one type whose parameters are equal (or unknown on one side) are
  // compared as they are; everything else as real numbers, and then only a distance above half a quantum is a
  // difference where a side is quantized.
  void add(const Values& a, const Values& b);

  int64_t values = 0, differing = 0;
  double most = 0;  // the largest distance; in quanta where a side is quantized
  bool in_quanta = false;
  std::string unlike;      // why they cannot be compared: "shape 1x3 against 3x1"; nothing else then counts
  std::string first;       // the first that differs: "[0,3,1,1]: 12 against 13"; of a later run: "run 2 [0, ..."
  bool known_zero = true;  // false: integers without parameters on either side, and so without sqnr and cosine

  bool equal() const { return differing == 0 && unlike.empty(); }
  double sqnr() const;    // 10 log10(sum a^2 / sum (a - b)^2) dB; infinite where all are equal
  double cosine() const;  // of the angle between both as vectors; 1 where both are zero
  // The share of values that are saturated: real values of the other side that lie beyond what the type can hold, or,
  // beside integers, values at an end of the type that does not mean zero. 0 for floats.
  double saturated_a() const { return share(saturated_a_); }
  double saturated_b() const { return share(saturated_b_); }

 private:
  double share(int64_t count) const {
    return values == 0 ? 0 : static_cast<double>(count) / static_cast<double>(values);
  }
  int64_t runs_ = 0, saturated_a_ = 0, saturated_b_ = 0;
  double aa_ = 0, bb_ = 0, ab_ = 0, noise_ = 0;
};

}  // namespace octet::cli
