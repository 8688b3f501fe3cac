// Products of floats outside of int8: matrices and convolutions. See float_ops.h.
//
// Every output has one sum in binary32, from left to right: the bias, then channel by channel of tap by tap, each
// product rounded before it is added. Sixteen neighbouring outputs stand side by side in vectors.
#ifndef OCTET_FLOAT_LINEAR_H
#define OCTET_FLOAT_LINEAR_H

#include "float_ops.h"

namespace octet_float {
namespace {

constexpr int64_t kSide = 16;

typedef float Vector __attribute__((vector_size(16), aligned(4), may_alias));

inline Vector load(const float* p) {
  Vector v;
  memcpy(&v, p, sizeof v);
  return v;
}
inline Vector splat(float x) { return Vector{x, x, x, x}; }

// Sums of two rows (pixels, rows of a matrix) times sixteen outputs.
struct Sums {
  Vector a0, a1, a2, a3, b0, b1, b2, b3;
};

inline Sums start(const float* bias) {
  Sums s;
  s.a0 = s.b0 = bias ? load(bias) : splat(0.0f);
  s.a1 = s.b1 = bias ? load(bias + 4) : splat(0.0f);
  s.a2 = s.b2 = bias ? load(bias + 8) : splat(0.0f);
  s.a3 = s.b3 = bias ? load(bias + 12) : splat(0.0f);
  return s;
}

// Adds a[k step] * w[k] and b[k step] * w[k] for k below `count`; rows of w are `pitch` apart.
inline void add_products(Sums& sums, const float* a, const float* b, int64_t step, const float* w, int64_t pitch,
                         int64_t count) {
  Sums s = sums;
  for (int64_t k = 0; k < count; ++k, w += pitch) {
    const Vector w0 = load(w), w1 = load(w + 4), w2 = load(w + 8), w3 = load(w + 12);
    const Vector x = splat(a[k * step]), y = splat(b[k * step]);
    s.a0 += x * w0, s.a1 += x * w1, s.a2 += x * w2, s.a3 += x * w3;
    s.b0 += y * w0, s.b1 += y * w1, s.b2 += y * w2, s.b3 += y * w3;
  }
  sums = s;
}

// One tap of sixteen channels by themselves, into the first row of sums.
inline void add_tap(Sums& s, const float* x, const float* w) {
  s.a0 += load(x) * load(w), s.a1 += load(x + 4) * load(w + 4);
  s.a2 += load(x + 8) * load(w + 8), s.a3 += load(x + 12) * load(w + 12);
}

inline void store_first(const Sums& s, float* row) {
  const Vector all[] = {s.a0, s.a1, s.a2, s.a3};
  memcpy(row, all, sizeof all);
}

inline void store(const Sums& s, float* rows) {  // [2][16]
  const Vector all[] = {s.a0, s.a1, s.a2, s.a3, s.b0, s.b1, s.b2, s.b3};
  memcpy(rows, all, sizeof all);
}

// What remains of a row of `count` (below sixteen) neighbouring outputs.
inline void add_products_narrow(float* sums, const float* a, const float* b, int64_t pitch, int64_t k, int64_t count) {
  for (int64_t i = 0; i < k; ++i)
    for (int64_t c = 0; c < count; ++c) sums[c] += a[i] * b[i * pitch + c];
}

inline void matmul_floats(float* y, const float* a, const float* b, const MatMul& p) {
  for (int64_t column = 0; column < p.n; column += kSide) {
    const int64_t width = p.n - column < kSide ? p.n - column : kSide;
    for (int64_t row = 0; row < p.m; row += 2) {
      const int64_t rows = p.m - row < 2 ? 1 : 2;
      float sums[2 * kSide] = {};
      const float *first = a + row * p.k, *second = first + (rows - 1) * p.k;
      if (width == kSide) {
        Sums s = start(nullptr);
        add_products(s, first, second, 1, b + column, p.n, p.k);
        store(s, sums);
      } else {
        add_products_narrow(sums, first, b + column, p.n, p.k, width);
        if (rows == 2) add_products_narrow(sums + kSide, second, b + column, p.n, p.k, width);
      }
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < width; ++c) y[(row + r) * p.n + column + c] = settled(sums[r * kSide + c]);
    }
  }
}

template <class A, class B>
inline void matmul_integers(const OctetArgs* args, int32_t* y, const A* a, const B* b, const MatMul& p) {
  const A* a_zero = in<A>(args, OCTET_SCALE);
  const B* b_zero = in<B>(args, OCTET_BIAS);
  for (int64_t row = 0; row < p.m; ++row) {
    const int32_t za = a_zero ? a_zero[row * p.a_zero_step] : 0;
    for (int64_t column = 0; column < p.n; column += kSide) {
      const int64_t width = p.n - column < kSide ? p.n - column : kSide;
      int32_t sums[kSide] = {}, zb[kSide] = {};
      for (int64_t c = 0; c < width && b_zero; ++c) zb[c] = b_zero[(column + c) * p.b_zero_step];
      for (int64_t k = 0; k < p.k; ++k) {
        const int32_t x = a[row * p.k + k] - za;
        const B* values = b + k * p.n + column;
        for (int64_t c = 0; c < width; ++c) sums[c] += x * (values[c] - zb[c]);
      }
      memcpy(y + row * p.n + column, sums, static_cast<size_t>(width) * sizeof(int32_t));
    }
  }
}

// Calls each(number of the matrix, offsets of a and b) for every matrix of the batch.
template <class Each>
inline void for_each_matrix(const MatMul& p, Each each) {
  int64_t at[kBatchRank] = {}, number = 0, a = 0, b = 0;
  for (;; ++number) {
    each(number, a, b);
    int32_t d = kBatchRank - 1;
    for (; d >= 0; --d) {
      a += p.a[d], b += p.b[d];
      if (++at[d] < p.batch[d]) break;
      a -= p.a[d] * p.batch[d], b -= p.b[d] * p.batch[d];
      at[d] = 0;
    }
    if (d < 0) return;
  }
}

template <class A, class B>
inline void matmul_of(const OctetArgs* args, const MatMul& p) {
  for_each_matrix(p, [&](int64_t number, int64_t a, int64_t b) {
    matmul_integers(args, out<int32_t>(args) + number * p.m * p.n, in<A>(args, OCTET_SRC) + a,
                    in<B>(args, OCTET_SRC2) + b, p);
  });
}

// ---- convolution ----------------------------------------------------------------------------------------------------

// The input index of tap k for output index o along an axis, or -1.
inline int64_t input_of(int64_t o, int64_t k, int64_t size, int64_t stride, int64_t dilation, int64_t pad,
                        int64_t transposed) {
  const int64_t i = transposed ? o + pad - k * dilation : o * stride - pad + k * dilation;
  if (i < 0 || (transposed && i % stride != 0)) return -1;
  const int64_t index = transposed ? i / stride : i;
  return index < size ? index : -1;
}

inline float clamped(float v, const Conv& p) {
  const float s = settled(v);
  const float above = s < p.lo ? p.lo : s;
  return above > p.hi ? p.hi : above;
}

// Two pixels of a row (or one, twice) with sixteen channels; `src` and `weights` are the group's and the block's.
inline void conv_pixels(const Conv& p, const float* src, const float* weights, const float* bias, int64_t oy,
                        const int64_t* ox, float* sums) {
  const Window& w = p.window;
  Sums s = start(bias);
  for (int64_t ky = 0; ky < w.kh; ++ky) {
    const int64_t iy = input_of(oy, ky, p.ih, w.stride_h, w.dilation_h, w.pad_top, p.transposed);
    if (iy < 0) continue;
    for (int64_t kx = 0; kx < w.kw; ++kx) {
      const int64_t a = input_of(ox[0], kx, p.iw, w.stride_w, w.dilation_w, w.pad_left, p.transposed);
      const int64_t b = input_of(ox[1], kx, p.iw, w.stride_w, w.dilation_w, w.pad_left, p.transposed);
      const float *row = src + iy * p.src.row, *tap = weights + (ky * w.kw + kx) * p.ic * kSide;
      if (a < 0 && b < 0) continue;
      Sums both = s;
      add_products(both, row + (a < 0 ? b : a) * p.src.pixel, row + (b < 0 ? a : b) * p.src.pixel, p.src.channel, tap,
                   kSide, p.ic);
      if (a >= 0) s.a0 = both.a0, s.a1 = both.a1, s.a2 = both.a2, s.a3 = both.a3;
      if (b >= 0) s.b0 = both.b0, s.b1 = both.b1, s.b2 = both.b2, s.b3 = both.b3;
    }
  }
  store(s, sums);
}

inline void conv_group(const OctetArgs* args, const Conv& p, int64_t n, int64_t g) {
  const int64_t blocks = (p.oc + kSide - 1) / kSide, block_size = p.window.kh * p.window.kw * p.ic * kSide;
  const float* src = in<float>(args, OCTET_SRC) + n * p.src.image + g * p.ic * p.src.channel;
  const float *all = in<float>(args, OCTET_WEIGHTS), *biases = in<float>(args, OCTET_BIAS);
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * kSide, width = p.oc - first < kSide ? p.oc - first : kSide;
    const float* weights = all + (g * blocks + block) * block_size;
    const float* bias = biases ? biases + (g * blocks + block) * kSide : nullptr;
    float* dst = out<float>(args) + n * p.dst.image + (g * p.oc + first) * p.dst.channel;
    for (int64_t oy = 0; oy < p.oh; ++oy)
      for (int64_t x = 0; x < p.ow; x += 2) {
        const int64_t pixels = p.ow - x < 2 ? 1 : 2, ox[2] = {x, x + pixels - 1};
        float sums[2 * kSide];
        conv_pixels(p, src, weights, bias, oy, ox, sums);
        for (int64_t k = 0; k < pixels; ++k)
          for (int64_t c = 0; c < width; ++c)
            dst[oy * p.dst.row + (x + k) * p.dst.pixel + c * p.dst.channel] = clamped(sums[k * kSide + c], p);
      }
  }
}

// sums[i] += x[i step] * w[i w_step].
inline void add_taps(float* __restrict sums, const float* __restrict x, int64_t step, const float* __restrict w,
                     int64_t w_step, int64_t count) {
  if (step == 1 && w_step == 1) {
    for (int64_t i = 0; i < count; ++i) sums[i] += x[i] * w[i];
  } else if (step == 1 && w_step == 0) {
    for (int64_t i = 0; i < count; ++i) sums[i] += x[i] * *w;
  } else {
    for (int64_t i = 0; i < count; ++i) sums[i] += x[i * step] * w[i * w_step];
  }
}

// One channel per group, channels last: all channels of a pixel side by side.
inline void depthwise_pixel(const OctetArgs* args, const Conv& p, const float* src, float* dst, int64_t oy,
                            int64_t ox) {
  const Window& w = p.window;
  const float *weights = in<float>(args, OCTET_WEIGHTS), *bias = in<float>(args, OCTET_BIAS);
  for (int64_t c = 0; c < p.groups; c += kSide) {
    const int64_t width = p.groups - c < kSide ? p.groups - c : kSide;
    float sums[kSide] = {};
    if (bias) memcpy(sums, bias + c, sizeof sums);
    Sums s = start(bias ? bias + c : nullptr);
    for (int64_t ky = 0; ky < w.kh; ++ky) {
      const int64_t iy = input_of(oy, ky, p.ih, w.stride_h, w.dilation_h, w.pad_top, p.transposed);
      for (int64_t kx = 0; kx < w.kw && iy >= 0; ++kx) {
        const int64_t ix = input_of(ox, kx, p.iw, w.stride_w, w.dilation_w, w.pad_left, p.transposed);
        if (ix < 0) continue;
        const float* tap = weights + (c / kSide * w.kh * w.kw + ky * w.kw + kx) * kSide;
        const float* x = src + iy * p.src.row + ix * p.src.pixel + c * p.src.channel;
        if (width == kSide && p.src.channel == 1)
          add_tap(s, x, tap);
        else
          add_taps(sums, x, p.src.channel, tap, 1, width);
      }
    }
    if (width == kSide && p.src.channel == 1) store_first(s, sums);
    for (int64_t i = 0; i < width; ++i) dst[(c + i) * p.dst.channel] = clamped(sums[i], p);
  }
}

// Outputs [begin, end) of a row whose input at this tap lies inside.
struct Span {
  int64_t begin, end;
};
inline Span span_of(const Conv& p, int64_t kx, int64_t first, int64_t end) {
  const Window& w = p.window;
  Span s = {first, end};
  const auto inside = [&](int64_t o) { return input_of(o, kx, p.iw, w.stride_w, w.dilation_w, w.pad_left, 0) >= 0; };
  while (s.begin < s.end && !inside(s.begin)) ++s.begin;
  while (s.end > s.begin && !inside(s.end - 1)) --s.end;
  return s;
}

// One channel per group, channels first, not transposed: the pixels of a row side by side.
inline void depthwise_row(const OctetArgs* args, const Conv& p, const float* src, float* dst, int64_t c, int64_t oy) {
  constexpr int64_t kRow = 64;
  const Window& w = p.window;
  const float *weights = in<float>(args, OCTET_WEIGHTS), *bias = in<float>(args, OCTET_BIAS);
  for (int64_t first = 0; first < p.ow; first += kRow) {
    const int64_t end = p.ow - first < kRow ? p.ow : first + kRow;
    float sums[kRow];
    for (float& sum : sums) sum = bias ? bias[c] : 0.0f;
    for (int64_t ky = 0; ky < w.kh; ++ky) {
      const int64_t iy = input_of(oy, ky, p.ih, w.stride_h, w.dilation_h, w.pad_top, 0);
      for (int64_t kx = 0; kx < w.kw && iy >= 0; ++kx) {
        const Span s = span_of(p, kx, first, end);
        const float* tap = weights + (c / kSide * w.kh * w.kw + ky * w.kw + kx) * kSide + c % kSide;
        const int64_t ix = s.begin * w.stride_w - w.pad_left + kx * w.dilation_w;
        if (s.begin < s.end)
          add_taps(sums + (s.begin - first), src + iy * p.src.row + ix * p.src.pixel, w.stride_w * p.src.pixel, tap, 0,
                   s.end - s.begin);
      }
    }
    for (int64_t i = first; i < end; ++i) dst[i * p.dst.pixel] = clamped(sums[i - first], p);
  }
}

inline void depthwise_image(const OctetArgs* args, const Conv& p, int64_t n) {
  const float* src = in<float>(args, OCTET_SRC) + n * p.src.image;
  float* dst = out<float>(args) + n * p.dst.image;
  if (p.src.pixel == 1 && p.iw > 1 && !p.transposed) {
    for (int64_t c = 0; c < p.groups; ++c)
      for (int64_t oy = 0; oy < p.oh; ++oy)
        depthwise_row(args, p, src + c * p.src.channel, dst + c * p.dst.channel + oy * p.dst.row, c, oy);
    return;
  }
  for (int64_t oy = 0; oy < p.oh; ++oy)
    for (int64_t ox = 0; ox < p.ow; ++ox)
      depthwise_pixel(args, p, src, dst + oy * p.dst.row + ox * p.dst.pixel, oy, ox);
}

template <class X, class W>
inline void integer_conv(const OctetArgs* args, const IntegerConv& p) {
  const Window& w = p.window;
  const X *src = in<X>(args, OCTET_SRC), *x_zero = in<X>(args, OCTET_SCALE);
  const W *weights = in<W>(args, OCTET_SRC2), *w_zero = in<W>(args, OCTET_BIAS);
  const int32_t zero = x_zero ? *x_zero : 0;
  const auto sum_at = [&](int64_t n, int64_t g, int64_t c, int64_t oy, int64_t ox) {
    const int64_t oc = g * p.oc + c;
    const int32_t w_minus = w_zero ? w_zero[oc * p.zero_step] : 0;
    int32_t sum = 0;
    for (int64_t k = 0; k < p.ic; ++k)
      for (int64_t ky = 0; ky < w.kh; ++ky) {
        const int64_t iy = input_of(oy, ky, p.ih, w.stride_h, w.dilation_h, w.pad_top, 0);
        for (int64_t kx = 0; kx < w.kw && iy >= 0; ++kx) {
          const int64_t ix = input_of(ox, kx, p.iw, w.stride_w, w.dilation_w, w.pad_left, 0);
          if (ix < 0) continue;
          const X x = src[n * p.src.image + (g * p.ic + k) * p.src.channel + iy * p.src.row + ix * p.src.pixel];
          sum += (x - zero) * (weights[((oc * p.ic + k) * w.kh + ky) * w.kw + kx] - w_minus);
        }
      }
    return sum;
  };
  int32_t* y = out<int32_t>(args);
  for (int64_t n = 0; n < p.images; ++n)
    for (int64_t g = 0; g < p.groups; ++g)
      for (int64_t c = 0; c < p.oc; ++c)
        for (int64_t oy = 0; oy < p.oh; ++oy)
          for (int64_t ox = 0; ox < p.ow; ++ox)
            y[n * p.dst.image + (g * p.oc + c) * p.dst.channel + oy * p.dst.row + ox * p.dst.pixel] =
                sum_at(n, g, c, oy, ox);
}

}  // namespace
}  // namespace octet_float

OCTET_FLOAT void octet_float_matmul(const OctetArgs* args) {
  using namespace octet_float;
  const MatMul p = params<MatMul>(args);
  if (p.a_type == kU8)
    return p.b_type == kU8 ? matmul_of<uint8_t, uint8_t>(args, p) : matmul_of<uint8_t, int8_t>(args, p);
  if (p.a_type == kS8)
    return p.b_type == kU8 ? matmul_of<int8_t, uint8_t>(args, p) : matmul_of<int8_t, int8_t>(args, p);
  for_each_matrix(p, [&](int64_t number, int64_t a, int64_t b) {
    matmul_floats(out<float>(args) + number * p.m * p.n, in<float>(args, OCTET_SRC) + a,
                  in<float>(args, OCTET_SRC2) + b, p);
  });
}

OCTET_FLOAT void octet_float_conv(const OctetArgs* args) {
  using namespace octet_float;
  const Conv p = params<Conv>(args);
  for (int64_t n = 0; n < p.images; ++n) {
    if (p.ic == 1 && p.oc == 1 && p.groups > 1) {
      depthwise_image(args, p, n);
      continue;
    }
    for (int64_t g = 0; g < p.groups; ++g) conv_group(args, p, n, g);
  }
}

OCTET_FLOAT void octet_float_integer_conv(const OctetArgs* args) {
  using namespace octet_float;
  const IntegerConv p = params<IntegerConv>(args);
  if (p.type == kU8)
    return p.weight_type == kU8 ? integer_conv<uint8_t, uint8_t>(args, p) : integer_conv<uint8_t, int8_t>(args, p);
  return p.weight_type == kU8 ? integer_conv<int8_t, uint8_t>(args, p) : integer_conv<int8_t, int8_t>(args, p);
}

#endif
