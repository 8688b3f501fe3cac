// Ops outside of int8 that pick elements or mix neighbours: pools, interpolation, gathers, dynamic quantization. See
// float_ops.h.
#ifndef OCTET_FLOAT_MOVE_H
#define OCTET_FLOAT_MOVE_H

#include "float_linear.h"
#include "float_reduce.h"

namespace octet_float {
namespace {

// ---- pooling --------------------------------------------------------------------------------------------------------

// How many of `taps` taps from `start` on stand before `end`.
inline int64_t taps_before(int64_t end, int64_t start, int64_t taps, int64_t dilation) {
  const int64_t fit = end > start ? (end - start - 1) / dilation + 1 : 0;
  return fit < taps ? fit : taps;
}

// Sums are in binary64, row by row. A window that reaches behind the padding is smaller there.
inline float pool_value(const float* x, const Pool& p, int64_t oy, int64_t ox) {
  const Window& w = p.window;
  double sum = 0;
  float most = -__builtin_inff();
  int64_t count = 0;
  for (int64_t ky = 0; ky < w.kh; ++ky) {
    const int64_t iy = input_of(oy, ky, p.ih, w.stride_h, w.dilation_h, w.pad_top, 0);
    for (int64_t kx = 0; kx < w.kw && iy >= 0; ++kx) {
      const int64_t ix = input_of(ox, kx, p.iw, w.stride_w, w.dilation_w, w.pad_left, 0);
      if (ix < 0) continue;
      const float v = x[iy * p.src.row + ix * p.src.pixel];
      sum += static_cast<double>(v);
      most = v > most || v != v ? v : most;
      ++count;
    }
  }
  if (p.largest) return settled(most);
  if (p.count_include_pad)
    count = taps_before(p.ih + p.pad_bottom, oy * w.stride_h - w.pad_top, w.kh, w.dilation_h) *
            taps_before(p.iw + p.pad_right, ox * w.stride_w - w.pad_left, w.kw, w.dilation_w);
  return settled(sum / static_cast<double>(count > 1 ? count : 1));
}

// ---- interpolation --------------------------------------------------------------------------------------------------

inline void blend(float* __restrict y, const float* lo, const float* hi, int64_t count, float weight) {
  for (int64_t k = 0; k < count; ++k) {
    const float step = (hi[k] - lo[k]) * weight;
    y[k] = settled(lo[k] + step);
  }
}

// Rows of `count` elements.
inline void weighted_sum(float* __restrict y, const float* src, int64_t count, const int32_t* rows,
                         const float* weights, int64_t taps) {
  for (int64_t k = 0; k < count; ++k) {
    float sum = 0;
    for (int64_t t = 0; t < taps; ++t) {
      const float product = src[rows[t] * count + k] * weights[t];
      sum += product;
    }
    y[k] = settled(sum);
  }
}

// ---- indices --------------------------------------------------------------------------------------------------------

inline int64_t index_at(const void* indices, int64_t i, int64_t type, int64_t size) {
  int64_t index = type == kS64 ? static_cast<const int64_t*>(indices)[i] : static_cast<const int32_t*>(indices)[i];
  if (index < 0) index = index < -size ? 0 : index + size;
  return index < size ? index : size - 1;
}

inline void copy_rows(uint8_t* dst, const uint8_t* src, int64_t rows, int64_t bytes, int64_t dst_row, int64_t src_row) {
  for (int64_t r = 0; r < rows; ++r) memcpy(dst + r * dst_row, src + r * src_row, static_cast<size_t>(bytes));
}

// ---- dynamic quantization -------------------------------------------------------------------------------------------

struct Range {
  float least, most;
};

// Of the values and zero.
inline Range range_of(const float* x, int64_t count) {
  Range r = {0.0f, 0.0f};
  for (int64_t i = 0; i < count; ++i) {
    r.least = x[i] < r.least ? x[i] : r.least;
    r.most = x[i] > r.most ? x[i] : r.most;
  }
  return r;
}

inline float dynamic_scale(Range r) {
  const float scale = (r.most - r.least) / 255.0f;
  return scale > 0.0f ? scale : 1.0f;
}

inline int32_t dynamic_zero(Range r) {
  const float zero = 0.0f - r.least / dynamic_scale(r);
  return octet_math::round_small(zero < 0.0f ? 0.0f : zero > 255.0f ? 255.0f : zero);
}

inline void dynamic_values(uint8_t* __restrict y, const float* __restrict x, int64_t count, Range r, uint8_t flip) {
  const float scale = dynamic_scale(r);
  const int32_t zero = dynamic_zero(r);
  const float lo = static_cast<float>(-zero), hi = static_cast<float>(255 - zero);
  for (int64_t i = 0; i < count; ++i) {
    const float v = x[i] / scale;
    const float above = v > lo ? v : lo;
    const float clamped_value = above < hi ? above : hi;
    y[i] = static_cast<uint8_t>((octet_math::round_small(clamped_value) + zero) ^ flip);
  }
}

}  // namespace
}  // namespace octet_float

OCTET_FLOAT void octet_float_pool(const OctetArgs* args) {
  using namespace octet_float;
  const Pool p = params<Pool>(args);
  const float* src = in<float>(args, OCTET_SRC);
  float* dst = out<float>(args);
  for (int64_t n = 0; n < p.images; ++n)
    for (int64_t oy = 0; oy < p.oh; ++oy)
      for (int64_t ox = 0; ox < p.ow; ++ox)
        for (int64_t c = 0; c < p.channels; ++c)
          dst[n * p.dst.image + oy * p.dst.row + ox * p.dst.pixel + c * p.dst.channel] =
              pool_value(src + n * p.src.image + c * p.src.channel, p, oy, ox);
}

OCTET_FLOAT void octet_float_interpolate(const OctetArgs* args) {
  using namespace octet_float;
  const Interpolate p = params<Interpolate>(args);
  const Along a = p.along;
  const int32_t* indices = in<int32_t>(args, OCTET_WEIGHTS);
  const float* weights = in<float>(args, OCTET_SCALE);
  for (int64_t o = 0; o < a.outer; ++o)
    for (int64_t i = 0; i < p.to; ++i) {
      const float* src = in<float>(args, OCTET_SRC) + o * a.length * a.inner;
      float* y = out<float>(args) + (o * p.to + i) * a.inner;
      if (p.taps > 0)
        weighted_sum(y, src, a.inner, indices + i * p.taps, weights + i * p.taps, p.taps);
      else
        blend(y, src + indices[2 * i] * a.inner, src + indices[2 * i + 1] * a.inner, a.inner, weights[i]);
    }
}

OCTET_FLOAT void octet_float_gather(const OctetArgs* args) {
  using namespace octet_float;
  const Gather p = params<Gather>(args);
  const void* indices = args->p[OCTET_SRC2];
  int64_t at[kRank] = {};
  const uint8_t* src = in<uint8_t>(args, OCTET_SRC);
  uint8_t* dst = out<uint8_t>(args);
  for (;;) {
    for (int64_t i = 0; i < p.count; ++i)
      copy_rows(dst + i * p.dst_step, src + index_at(indices, i, p.index_type, p.axis) * p.src_step, p.rows,
                p.row_bytes, p.dst_row, p.src_row);
    int32_t d = kRank - 1;
    for (; d >= 0; --d) {
      src += p.src_outer[d], dst += p.dst_outer[d];
      if (++at[d] < p.outer[d]) break;
      src -= p.src_outer[d] * p.outer[d], dst -= p.dst_outer[d] * p.outer[d];
      at[d] = 0;
    }
    if (d < 0) return;
  }
}

OCTET_FLOAT void octet_float_gather_nd(const OctetArgs* args) {
  using namespace octet_float;
  const GatherNd p = params<GatherNd>(args);
  const void* indices = args->p[OCTET_SRC2];
  for (int64_t i = 0; i < p.count; ++i) {
    int64_t offset = 0;
    for (int64_t d = 0; d < p.depth; ++d)
      offset += index_at(indices, i * p.depth + d, p.index_type, p.sizes[d]) * p.strides[d];
    copy_rows(out<uint8_t>(args) + i * p.dst_step, in<uint8_t>(args, OCTET_SRC) + offset, p.rows, p.row_bytes,
              p.dst_row, p.src_row);
  }
}

OCTET_FLOAT void octet_float_dynamic_quantize(const OctetArgs* args) {
  using namespace octet_float;
  const DynamicQuantize p = params<DynamicQuantize>(args);
  const float* x = in<float>(args, OCTET_SRC);
  const Range range = range_of(x, p.count);
  const uint8_t flip = p.is_signed ? 0x80 : 0;
  switch (p.what) {
    case kDynamicScale: *out<float>(args) = dynamic_scale(range); return;
    case kDynamicZero: *out<uint8_t>(args) = static_cast<uint8_t>(dynamic_zero(range) ^ flip); return;
    default: dynamic_values(out<uint8_t>(args), x, p.count, range, flip);
  }
}

#endif
