#include "generator/schedule/exactness.h"

namespace octet {
namespace {

// Saturating pairs among `count` weights that lie in a row; an odd last one pairs with the zero that packing adds.
int64_t scan_row(const int8_t* w, int count, ActivationRange range) {
  int32_t found = 0;
  for (int i = 0; i + 1 < count; i += 2) found += pair_saturates(w[i], w[i + 1], range);
  if (count % 2) found += pair_saturates(w[count - 1], 0, range);
  return found;
}

}  // namespace

PairScan scan_pairs(const ConvSpec& spec, const ConvData& data, ActivationRange range) {
  const int ic = spec.ic / spec.groups;
  const int64_t rows = static_cast<int64_t>(spec.weight_terms) * spec.oc * spec.window.kh * spec.window.kw;
  PairScan scan{rows * ((ic + 1) / 2), 0};
  const int8_t* w = data.weights.data();
  for (int64_t r = 0; r < rows; ++r) scan.saturating += scan_row(w + r * ic, ic, range);
  return scan;
}

}  // namespace octet
