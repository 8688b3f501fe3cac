// Linear resizing of quantized images, in the form of each runtime. RN32 is one binary32 operation rounded to nearest
// even, rne the nearest integer with ties to even. A result lies between two pixels of each axis; w is the weight of
// the second one, and corners are top left (tl), top right, bottom left and bottom right.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/kernel/quant_view.h"

namespace octet {

enum class BlendForm : uint8_t {
  fixed11,  // w in parts of 2^11; t = (tl << 11) + (tr - tl) * wx, b alike; ((t << 11) + (b - t) * wy + 2^21) >> 22
  fixed10,  // w in parts of 2^10; sum of q * wy * wx of the corners / 2^20, ties away from zero
  terms,    // tl * (1 - wy) * (1 - wx) + bl * wy * (1 - wx) + tr * (1 - wy) * wx + br * wy * wx + 0.5 in binary32, left
            // to right, truncated
  weights,  // tl * w00 + tr * w01 + bl * w10 + br * w11 + 0.5 likewise, the four products of weights first
};
const char* blend_form_name(BlendForm form);

// xnn: fixed11; TensorFlow Lite's kernels for s8: fixed10; its reference kernel for u8: terms, its optimized one:
// weights. LiteRT 2.3.0 and TFLite Micro: 0 of 640k differ, half_pixel, asymmetric and align_corners. User error where
// the profile has no formula, or where source and result have different parameters.
BlendForm blend_form(Profile profile, const QuantView& src, const QuantView& dst);

// For every pixel of an axis of the result: the two of the source, and the weight of the second in parts of 2^11 or
// 2^10 (`fixed`) or as it is (`part`), by form.
//   scale = RN32(in / out), or RN32((in - 1) / (out - 1)) where align_corners and out > 1
//   fixed11: v = RN32(x * scale), half_pixel RN32(. + RN32(RN32(0.5 * scale) - 0.5)), clamped to [0, in - 1];
//     first = trunc(v), second = min(first + 1, in - 1); rne(RN32(v - first) * 2^11)
//   fixed10: scale = ((in << 10) + out / 2) / out in integers; v = x * scale, half_pixel + scale / 2 - 512;
//     first = max(v / 1024, 0), second = min((v + 1023) / 1024, in - 1), truncating; v - 1024 * first, which half_pixel
//     makes negative in front of the first pixel
//   terms, weights: v = RN32(x * scale), half_pixel RN32(RN32(RN32(x + 0.5) * scale) - 0.5); first = max(floor(v), 0),
//     second = min(ceil(v), in - 1); RN32(v - first)
struct ResizeNeighbours {
  int32_t first = 0, second = 0, fixed = 0;
  float part = 0;
};
std::vector<ResizeNeighbours> resize_neighbours(BlendForm form, Resize::Coordinates coordinates, int in, int out);

// Storage byte of the result between four corners; `offset` is 128 where bytes hold s8.
uint8_t blend_bytes(BlendForm form, const std::array<uint8_t, 4>& corners, const ResizeNeighbours& y,
                    const ResizeNeighbours& x, int offset);

}  // namespace octet
