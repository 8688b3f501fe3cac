// Which taps of a window exist for which output pixel. Kernels skip the taps that lie in the padding, so output pixels
// fall into classes by the taps that they have; rows and columns are classified by themselves.
#pragma once

#include <vector>

#include "generator/kernel/spec.h"
#include "targets/target.h"

namespace octet {

struct Taps {  // [begin, end) along one axis; {0, 0} where all lie in the padding
  int begin = 0, end = 0;
  int count() const { return end - begin; }
  bool operator==(const Taps&) const = default;
};

// The taps of output index `o` along an axis of `in` input pixels.
Taps taps_at(int o, int in, int kernel, int stride, int dilation, int pad);

struct AxisClasses {
  std::vector<Taps> classes;  // distinct, in order of appearance
  int count = 0;              // output indices
  std::vector<int> of;        // class of every output index; empty where there is one class only
  int at(int o) const { return of.empty() ? 0 : of[static_cast<size_t>(o)]; }
};

struct PixelClasses {
  AxisClasses rows, columns;
  int biases = 1;  // biases packed per channel: one per (row class, column class), or one where the dot's zero is 0
  // Distance, in packed biases, of neighbouring row and column classes.
  int row_step() const { return biases == 1 ? 0 : static_cast<int>(columns.classes.size()); }
  int column_step() const { return biases == 1 ? 0 : 1; }
};

PixelClasses pixel_classes(const ConvSpec& spec, DotForm dot = DotForm::fused);

// The source's zero point as the dot sees it: flipped, activations are 128 less.
int zero_of(const ConvSpec& spec, DotForm dot);

// A pointwise convolution of stride 1 without padding is one row of n * oh * ow pixels; other specs stay as they are.
ConvSpec flattened(const ConvSpec& spec);

}  // namespace octet
