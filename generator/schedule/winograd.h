// Winograd's F(4x4, 3x3): sixteen outputs of a 3x3 convolution of stride 1 from 36 products per input and output
// channel instead of 144, in integers and without any rounding.
//
// Along an axis, six inputs d make four outputs y of a kernel g as y = A ((G g) * (B d)), with the interpolation points
// 0, 1, -1, 2, -2 and infinity (Lavin and Gray, arXiv:1509.09308). G has fractions; here each of its rows is multiplied
// until it is whole, and A makes up for that, which leaves f[i] * y[i] with f = 24, 12, 6, 6:
//
//   B    4  0 -5  0  1  0      G   6  0  0      A    1 -4 -4  1  1  0   / 24
//        0 -4 -4  1  1  0          1  1  1           0 -2  2  1 -1  0   / 12
//        0  4 -4 -1  1  0          1 -1  1           0 -1 -1  1  1  0   /  6
//        0 -2 -1  2  1  0          1  2  4           0 -1  1  2 -2  1   /  6
//        0  2 -1 -2  1  0          1 -2  4
//        0  4  0 -5  0  1          0  0  6
//
// In two dimensions B d B' of bytes lies in [-12750, 17340] and G g G' of 9-bit weights in 49 * [-255, 255]: both fit
// s16, and pairs of products are summed up in s32 (dot2), modulo 2^32. What comes out is 9 * 2^k * y modulo 2^32, k
// from 2 to 6; times the inverse of 9 that is 2^k * y, and an arithmetic shift leaves y itself if it lies in [-2^25,
// 2^25). So what has to be proved is the range of the sums alone (fits_winograd), and the bytes are those of any other
// form.
#pragma once

#include <cstdint>

#include "generator/kernel/spec.h"
#include "generator/schedule/pack.h"
#include "generator/schedule/schedule.h"

namespace octet {

inline constexpr int kWinogradTile = 4;                             // outputs along an axis
inline constexpr int kWinogradInputs = 6;                           // and inputs
inline constexpr int kWinogradPoints = 36;                          // products per channel
inline constexpr uint32_t kInverseOf9 = 954437177;                  // modulo 2^32
inline constexpr int kWinogradShift[kWinogradTile] = {3, 2, 1, 1};  // f[i] = 3 * 2^shift

// Whether the layer's shape has this form: one group, 3x3, stride and dilation 1, at least a tile of outputs.
bool has_winograd(const ConvSpec& spec);

// Whether every sum of the layer, zero point and bias left out, lies in [-2^25, 2^25).
bool fits_winograd(const ConvSpec& spec, const ConvData& data);

// Pairs of input channels, the steps of every product; the last one may be half empty.
inline int winograd_pairs(const ConvSpec& spec) {
  return (spec.ic + 1) / 2;
}

// Rows of tiles that are transformed together, so that register tiles find enough tiles to share weights.
int winograd_rows(const ConvSpec& spec);
// Tiles of such a region.
int winograd_tiles(const ConvSpec& spec);

// Bytes of the packed weights.
int64_t winograd_bytes(const ConvSpec& spec);

// Where things lie in the scratch; offsets and steps in bytes. The last row and column of tiles end where the image
// does and overlap their neighbours, so that every tile is whole.
struct WinogradLayout {
  explicit WinogradLayout(const ConvSpec& spec, const ConvSchedule& schedule);
  int columns, rows, regions;  // tiles in a row, rows of tiles in a region, regions
  int pixel;                   // the image with its padding, from 0 on: bytes of a pixel,
  int64_t row;                 // of a row
  int64_t lines, line;         // the region's rows of inputs, transformed along columns: kWinogradInputs lines
  int64_t inputs, input;       // transformed both ways: kWinogradPoints sets of [tile][channel] s16
  int64_t sums, sum;           // kWinogradPoints sets of [tile][channel of the block] s32
  int64_t bytes;               // of all
  int tiles() const { return rows * columns; }  // of a region
};

// As pack_conv says, but for the weights: for every block and point pairs of input channels, vector, lane, two s16.
PackedConv pack_winograd(const ConvSpec& spec, const ConvSchedule& schedule, const ConvData& data);

// The sums of the weight terms again, for tests: [oc][kh][kw][ic].
std::vector<int16_t> unpack_winograd(const ConvSpec& spec, const ConvSchedule& schedule, const PackedConv& packed);

}  // namespace octet
