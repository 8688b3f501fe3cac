#include "generator/schedule/exactness.h"

#include <array>
#include <optional>

namespace octet {
namespace {

// The answer for every pair of weights: a scan is one look-up per pair.
using PairTable = std::array<uint8_t, 65536>;

uint16_t index_of(int8_t w0, int8_t w1) {
  return static_cast<uint16_t>(static_cast<uint8_t>(w0) | static_cast<uint8_t>(w1) << 8);
}

PairTable make_table(ActivationRange range) {
  PairTable table{};
  for (int w0 = -128; w0 <= 127; ++w0)
    for (int w1 = -128; w1 <= 127; ++w1)
      table[index_of(static_cast<int8_t>(w0), static_cast<int8_t>(w1))] = pair_saturates(w0, w1, range);
  return table;
}

// Saturating pairs among `count` weights that lie in a row; an odd last one pairs with the zero that packing adds.
int64_t scan_row(const int8_t* w, int count, const PairTable& saturates) {
  int64_t found = 0;
  for (int i = 0; i + 1 < count; i += 2) found += saturates[index_of(w[i], w[i + 1])];
  if (count % 2) found += saturates[index_of(w[count - 1], 0)];
  return found;
}

}  // namespace

PairScan scan_pairs(const ConvSpec& spec, const ConvData& data, ActivationRange range) {
  const int ic = spec.ic / spec.groups;
  const int64_t rows = static_cast<int64_t>(spec.weight_terms) * spec.oc * spec.window.kh * spec.window.kw;
  PairScan scan{rows * ((ic + 1) / 2), 0};
  static const PairTable any_byte = make_table({});
  const std::optional<PairTable> narrower =
      range.lo == 0 && range.hi == 255 ? std::nullopt : std::optional(make_table(range));
  const PairTable& table = narrower ? *narrower : any_byte;
  const int8_t* w = data.weights.data();
  for (int64_t r = 0; r < rows; ++r) scan.saturating += scan_row(w + r * ic, ic, table);
  return scan;
}

}  // namespace octet
