// Linear resizing of images of bytes: part of plain_ops.h, which includes it.
#ifndef OCTET_PLAIN_RESIZE_H
#define OCTET_PLAIN_RESIZE_H

namespace octet_plain {
namespace {

struct Resize {
  int32_t images, ih, iw, oh, ow, channels, src_pitch, dst_pitch;
  int32_t form, offset;  // enum class BlendForm; 128 where bytes hold s8
};
enum { kFixed11, kFixed10, kTerms, kWeights };

// The pixels of the source between which one of the result lies along an axis, and the weight of the second one, in
// parts of 2^11, 2^10 or 1 as the form has it.
struct Neighbours {
  int32_t first, second, fixed;
  float part;
};

struct Corners {  // the channels of four pixels
  const uint8_t *top_left, *top_right, *bottom_left, *bottom_right;
};

// Weights add up to 2^22: what bytes hold above q passes through.
inline void blend_fixed11(uint8_t* __restrict dst, const Corners& c, int64_t count, int32_t wy, int32_t wx) {
  for (int64_t i = 0; i < count; ++i) {
    const int32_t left_top = c.top_left[i], left_bottom = c.bottom_left[i];
    const int32_t top = left_top * 2048 + (c.top_right[i] - left_top) * wx;
    const int32_t bottom = left_bottom * 2048 + (c.bottom_right[i] - left_bottom) * wx;
    dst[i] = static_cast<uint8_t>((top * 2048 + (bottom - top) * wy + (1 << 21)) >> 22);
  }
}

// Ties go away from q = 0.
inline void blend_fixed10(uint8_t* __restrict dst, const Corners& c, int64_t count, int32_t wy, int32_t wx,
                          int32_t offset) {
  const int32_t w00 = (1024 - wy) * (1024 - wx), w01 = (1024 - wy) * wx, w10 = wy * (1024 - wx), w11 = wy * wx;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t sum = (c.top_left[i] - offset) * w00 + (c.top_right[i] - offset) * w01 +
                        (c.bottom_left[i] - offset) * w10 + (c.bottom_right[i] - offset) * w11;
    const int32_t rounded = sum > 0 ? sum + (1 << 19) : sum - (1 << 19);
    dst[i] = static_cast<uint8_t>(rounded / (1 << 20) + offset);
  }
}

inline void blend_terms(uint8_t* __restrict dst, const Corners& c, int64_t count, float wy, float wx) {
  const float top = 1 - wy, left = 1 - wx;
  for (int64_t i = 0; i < count; ++i) {
    const float tl = static_cast<float>(c.top_left[i]) * top * left;
    const float bl = static_cast<float>(c.bottom_left[i]) * wy * left;
    const float tr = static_cast<float>(c.top_right[i]) * top * wx;
    const float br = static_cast<float>(c.bottom_right[i]) * wy * wx;
    dst[i] = static_cast<uint8_t>(static_cast<int32_t>(tl + bl + tr + br + 0.5f));
  }
}

inline void blend_weights(uint8_t* __restrict dst, const Corners& c, int64_t count, float wy, float wx) {
  const float w00 = (1 - wy) * (1 - wx), w01 = (1 - wy) * wx, w10 = wy * (1 - wx), w11 = wy * wx;
  for (int64_t i = 0; i < count; ++i) {
    const float tl = static_cast<float>(c.top_left[i]) * w00, tr = static_cast<float>(c.top_right[i]) * w01;
    const float bl = static_cast<float>(c.bottom_left[i]) * w10, br = static_cast<float>(c.bottom_right[i]) * w11;
    dst[i] = static_cast<uint8_t>(static_cast<int32_t>(tl + tr + bl + br + 0.5f));
  }
}

}  // namespace
}  // namespace octet_plain

// Neighbours by OCTET_WEIGHTS: one for every row of the result, then one for every column.
OCTET_PLAIN void octet_plain_resize(const OctetArgs* args) {
  using namespace octet_plain;
  const Resize p = *in<Resize>(args, OCTET_CONSTANTS);
  const Neighbours* rows = in<Neighbours>(args, OCTET_WEIGHTS);
  const Neighbours* columns = rows + p.oh;
  const uint8_t* image = in<uint8_t>(args, OCTET_SRC);
  uint8_t* dst = out<uint8_t>(args);
  const int64_t row = static_cast<int64_t>(p.iw) * p.src_pitch;
  for (int32_t n = 0; n < p.images; ++n, image += p.ih * row)
    for (int32_t y = 0; y < p.oh; ++y)
      for (int32_t x = 0; x < p.ow; ++x, dst += p.dst_pitch) {
        const Neighbours &v = rows[y], &h = columns[x];
        const uint8_t *top = image + v.first * row, *bottom = image + v.second * row;
        const int64_t left = static_cast<int64_t>(h.first) * p.src_pitch;
        const int64_t right = static_cast<int64_t>(h.second) * p.src_pitch;
        const Corners corners = {top + left, top + right, bottom + left, bottom + right};
        switch (p.form) {
          case kFixed11: blend_fixed11(dst, corners, p.channels, v.fixed, h.fixed); break;
          case kFixed10: blend_fixed10(dst, corners, p.channels, v.fixed, h.fixed, p.offset); break;
          case kTerms: blend_terms(dst, corners, p.channels, v.part, h.part); break;
          default: blend_weights(dst, corners, p.channels, v.part, h.part); break;
        }
      }
}

#endif
