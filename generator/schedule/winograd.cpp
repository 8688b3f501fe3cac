#include "generator/schedule/winograd.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "generator/schedule/scales.h"

namespace octet {
namespace {

constexpr int kEnoughTiles = 8;  // in a region: more would share weights further, but their sums leave the near caches
constexpr int kTaps = 9;

int tiles_along(int outputs) {
  return (outputs + kWinogradTile - 1) / kWinogradTile;
}

// One more line: steps of 4 KiB would put all of them into the same cache sets.
int64_t apart(int64_t bytes) {
  return (bytes + 63) / 64 * 64 + 64;
}

// Some input channels side by side, for compilers to make vectors of.
constexpr int kSome = 16;
using Words = std::array<int16_t, kSome>;

// Input channels [first, first + kSome) of one tap of an output channel, the weight terms added up; 0 beyond the last.
Words weights_at(const ConvSpec& s, const ConvData& data, int oc, int tap, int first) {
  Words sum{};
  const auto n = static_cast<size_t>(std::min(kSome, s.ic - first));
  for (int term = 0; term < s.weight_terms; ++term) {
    const int8_t* row = data.weights.data() + ((int64_t{term} * s.oc + oc) * kTaps + tap) * s.ic + first;
    for (size_t i = 0; i < n; ++i) sum[i] = static_cast<int16_t>(sum[i] + row[i]);
  }
  return sum;
}

// G g along one axis: three values `step` apart to six, `to` apart.
void transform(const Words* g, int step, Words* out, int to) {
  for (size_t i = 0; i < kSome; ++i) {
    const int a = g[0][i], b = g[step][i], c = g[2 * step][i];
    const int values[kWinogradInputs] = {6 * a, a + b + c, a - b + c, a + 2 * b + 4 * c, a - 2 * b + 4 * c, 6 * c};
    for (int p = 0; p < kWinogradInputs; ++p) out[p * to][i] = static_cast<int16_t>(values[p]);
  }
}

std::array<Words, kWinogradPoints> transformed(const std::array<Words, kTaps>& g) {
  std::array<Words, kWinogradInputs * 3> rows;  // [point][column]
  for (int x = 0; x < 3; ++x) transform(&g[static_cast<size_t>(x)], 3, &rows[static_cast<size_t>(x)], 3);
  std::array<Words, kWinogradPoints> points;
  for (size_t y = 0; y < kWinogradInputs; ++y) transform(&rows[3 * y], 1, &points[kWinogradInputs * y], 1);
  return points;
}

// A vector of output channels: `oc` is its first, and there are as many as it has lanes or the layer has left.
struct Lanes {
  int oc = 0, count = 0;
};

// All points of a vector of output channels to `out`, its place in the first pair of the first point.
void pack_points(const ConvSpec& s, const ConvData& data, const Lanes& lanes, int64_t step, int8_t* out) {
  const int64_t point = winograd_pairs(s) * step;
  std::array<std::array<Words, kWinogradPoints>, 16> points;
  for (int first = 0; first < s.ic; first += kSome) {
    for (int lane = 0; lane < lanes.count; ++lane) {
      std::array<Words, kTaps> kernel;
      for (int t = 0; t < kTaps; ++t) kernel[static_cast<size_t>(t)] = weights_at(s, data, lanes.oc + lane, t, first);
      points[static_cast<size_t>(lane)] = transformed(kernel);
    }
    const int pairs = std::min(kSome, s.ic - first + 1) / 2;
    for (size_t p = 0; p < kWinogradPoints; ++p)
      for (int k = 0; k < pairs; ++k) {
        int8_t* to = out + static_cast<int64_t>(p) * point + (first / 2 + k) * step;
        for (int lane = 0; lane < lanes.count; ++lane)
          std::memcpy(to + int64_t{4} * lane, &points[static_cast<size_t>(lane)][p][static_cast<size_t>(2 * k)], 4);
      }
  }
}

// Sums of an output channel's weights: of all, of the positive ones.
struct WeightSums {
  int64_t all = 0, positive = 0;
};
WeightSums weight_sums(const ConvSpec& s, const ConvData& data, int oc) {
  WeightSums sums;
  for (int t = 0; t < kTaps; ++t)
    for (int first = 0; first < s.ic; first += kSome) {
      int all = 0, positive = 0;
      for (const int w : weights_at(s, data, oc, t, first)) all += w, positive += std::max(w, 0);
      sums.all += all;
      sums.positive += positive;
    }
  return sums;
}

}  // namespace

bool has_winograd(const ConvSpec& s) {
  const Window& w = s.window;
  if (s.groups != 1 || w.kh != 3 || w.kw != 3 || w.stride_h != 1 || w.stride_w != 1) return false;
  if (w.dilation_h != 1 || w.dilation_w != 1 || s.oh < kWinogradTile || s.ow < kWinogradTile) return false;
  if (std::min({w.pad_top, w.pad_left, w.pad_bottom, w.pad_right}) < 0) return false;
  if (s.oh + 2 != s.ih + w.pad_top + w.pad_bottom || s.ow + 2 != s.iw + w.pad_left + w.pad_right) return false;
  // Offsets in the scratch have 32 bits.
  constexpr int64_t kWidestBlock = 128;
  const int64_t pixel = round_up(s.ic, 8), row = (int64_t{s.ow} + 2) * pixel, tiles = winograd_tiles(s);
  const int64_t bytes = (int64_t{s.oh} + 2 + s.window.pad_left + 2 * kWinogradInputs) * row +
                        kWinogradPoints * (2 * tiles * pixel + 4 * tiles * kWidestBlock) + (1 << 20);
  return bytes < std::numeric_limits<int32_t>::max();
}

bool fits_winograd(const ConvSpec& s, const ConvData& data) {
  constexpr int64_t kMost = (1 << 25) - 1;
  for (int oc = 0; oc < s.oc; ++oc) {
    const WeightSums sums = weight_sums(s, data, oc);
    if (std::max(sums.positive, sums.positive - sums.all) * data.source.hi > kMost) return false;
  }
  return true;
}

// As few rows of tiles as the image needs, and of those regions the largest that is not too large.
int winograd_rows(const ConvSpec& s) {
  const int columns = tiles_along(s.ow), all = tiles_along(s.oh);
  if (all * columns <= kEnoughTiles) return all;
  int best = 1, computed = all;
  for (int rows = 2; rows * columns <= kEnoughTiles && rows * kWinogradTile <= s.oh; ++rows) {
    const int n = (all + rows - 1) / rows * rows;
    if (n <= computed) best = rows, computed = n;
  }
  return best;
}

int winograd_tiles(const ConvSpec& s) {
  return winograd_rows(s) * tiles_along(s.ow);
}

int64_t winograd_bytes(const ConvSpec& s) {
  return int64_t{kWinogradPoints} * winograd_pairs(s) * 4 * round_up(s.oc, 4);
}

WinogradLayout::WinogradLayout(const ConvSpec& s, const ConvSchedule& schedule) {
  columns = tiles_along(s.ow);
  rows = winograd_rows(s);
  regions = (tiles_along(s.oh) + rows - 1) / rows;
  pixel = round_up(s.ic, 8);  // half of the narrowest vector of words
  row = (int64_t{s.ow} + 2) * pixel;
  int channels = 0;
  for (const OcBlock& b : schedule.blocks) channels = std::max(channels, b.channels);
  lines = apart((s.oh + 2) * row + int64_t{s.window.pad_left} * pixel);
  line = apart(2 * row);
  inputs = lines + apart(kWinogradInputs * line);
  input = apart(int64_t{2} * tiles() * pixel);
  sums = inputs + kWinogradPoints * input;
  sum = apart(int64_t{4} * tiles() * channels);
  bytes = sums + kWinogradPoints * sum;
}

PackedConv pack_winograd(const ConvSpec& s, const ConvSchedule& schedule, const ConvData& data) {
  PackedConv p;
  const int words = scale_words(s.requant);
  int lanes = 0;
  for (const OcBlock& b : schedule.blocks) lanes += b.count * b.channels;
  p.weights.resize(static_cast<size_t>(kWinogradPoints * winograd_pairs(s) * 4) * static_cast<size_t>(lanes));
  p.bias.resize(static_cast<size_t>(lanes));
  p.scale.resize(static_cast<size_t>(lanes * words));
  int8_t* weights = p.weights.data();
  int32_t* bias = p.bias.data();
  uint32_t* scale = p.scale.data();
  for (const OcBlock& b : schedule.blocks)
    for (int i = 0; i < b.count; ++i) {
      const int64_t step = int64_t{4} * b.channels;
      for (const VectorGroup& g : b.groups) {
        const int first = b.oc + i * b.channels + g.oc, count = std::min(g.bytes / 4, s.oc - first);
        pack_points(s, data, {first, count}, step, weights + int64_t{4} * g.oc);
        for (int lane = 0; lane < count; ++lane) {
          const auto c = static_cast<size_t>(first + lane);
          const auto sum = static_cast<uint32_t>(weight_sums(s, data, first + lane).all);
          bias[lane] =
              static_cast<int32_t>(static_cast<uint32_t>(data.bias[c]) - static_cast<uint32_t>(s.src_zero) * sum);
          put_scale(data.scale[c], s.requant, scale, g.bytes / 4, lane);
        }
        bias += g.bytes / 4;
        scale += g.bytes / 4 * words;
      }
      weights += kWinogradPoints * winograd_pairs(s) * step;
    }
  return p;
}

std::vector<int16_t> unpack_winograd(const ConvSpec& s, const ConvSchedule& schedule, const PackedConv& packed) {
  std::vector<int16_t> out(static_cast<size_t>(s.oc) * kTaps * static_cast<size_t>(s.ic));
  const int8_t* weights = packed.weights.data();
  for (const OcBlock& b : schedule.blocks)
    for (int i = 0; i < b.count; ++i) {
      const int64_t step = int64_t{4} * b.channels, point = winograd_pairs(s) * step;
      for (int oc = b.oc + i * b.channels, lane = 0; lane < b.channels && oc < s.oc; ++oc, ++lane)
        for (int ic = 0; ic < s.ic; ++ic) {
          const auto at = [&](int y, int x) {
            int16_t word;
            std::memcpy(&word, weights + (kWinogradInputs * y + x) * point + ic / 2 * step + 4 * lane + ic % 2 * 2, 2);
            return int{word};
          };
          // Along an axis 6 g0, 6 g2 and g0 + g1 + g2 are points of their own.
          const auto back = [](int first, int sum, int last) {
            return std::array<int, 3>{first / 6, sum - first / 6 - last / 6, last / 6};
          };
          const auto row = [&](int y) { return back(at(y, 0), at(y, 1), at(y, 5)); };
          const std::array<int, 3> first = row(0), sum = row(1), last = row(5);
          for (size_t x = 0; x < 3; ++x) {
            const std::array<int, 3> column = back(first[x], sum[x], last[x]);
            for (size_t y = 0; y < 3; ++y)
              out[(static_cast<size_t>(oc) * kTaps + 3 * y + x) * static_cast<size_t>(s.ic) + static_cast<size_t>(ic)] =
                  static_cast<int16_t>(column[y]);
          }
        }
      weights += kWinogradPoints * point;
    }
  return out;
}

}  // namespace octet
