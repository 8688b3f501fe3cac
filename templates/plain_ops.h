// Ops as plain C++17 loops: what emitted C++ calls where no Program exists, and what
// the runtime does the same with. Written beside emitted C++, which includes abi.h first.
//
// Each op reads its parameters by OCTET_CONSTANTS and its tables by OCTET_WEIGHTS, OCTET_SCALE and OCTET_BIAS. No
// library is called (memcpy apart). Every float operation rounds once, so build with -ffp-contract=off. Inner loops
// are shaped for the compiler's vectorizer: restrict pointers, counts known before the loop, floats rounded by
// round_small after the clamp.
#ifndef OCTET_PLAIN_OPS_H
#define OCTET_PLAIN_OPS_H

#include <stdint.h>
#include <string.h>

#include "exact_math.h"

#define OCTET_PLAIN [[maybe_unused]] static

namespace octet_plain {
// Nameless, so that nothing in here is shared between files compiled for different machines: a linker may take any one
// of several equal inline functions, and with it instructions that a lesser machine lacks.
namespace {

// Channels or pixels handled at a time by loops that keep partial results on the stack.
enum { kChunk = 64 };

template <class T>
inline const T* in(const OctetArgs* args, int which) {
  return static_cast<const T*>(args->p[which]);
}
template <class T>
inline T* out(const OctetArgs* args) {
  return static_cast<T*>(const_cast<void*>(args->p[OCTET_DST]));
}
inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// A clamp in float, then rounding; NaN gives lo. [lo, hi] are integers within 2^22.
struct Rounder {
  float lo, hi;
  int32_t add;  // to the rounded value, giving the byte
  uint8_t operator()(float v) const {
    const float above = v > lo ? v : lo;
    const float clamped = above < hi ? above : hi;
    return static_cast<uint8_t>(octet_math::round_small(clamped) + add);
  }
};

// The end of a formula that adds the zero point after rounding, and of one that has it in the float already.
inline Rounder round_then_zero(int32_t zero, int32_t lo, int32_t hi) {
  return {static_cast<float>(lo - zero), static_cast<float>(hi - zero), zero};
}

// ---- parameters -----------------------------------------------------------------------------------------------------

struct Pool {
  int32_t images, ih, iw, oh, ow, channels, src_pitch, dst_pitch;
  int32_t kh, kw, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, count_include_pad;
  int32_t form;      // as generator/kernel/pooling.h has them
  int32_t src_zero;  // subtracted from every byte
  int32_t offset;    // added after rounding
  int32_t lo, hi;    // storage bytes
  float src_scale, dst_scale, m, z;
  int32_t multiplier, exponent;  // of the fixed forms
};

enum MeanForm { kSequential, kVectors, kReciprocal, kScaled, kScaledAway, kFixedAway, kFixedUp, kInteger };

struct Rows {  // channel_permute
  int32_t pixels, channels, src_pitch, dst_pitch;
};

struct Affine {
  int32_t pixels, channels, src_pitch, dst_pitch;
  int32_t src_zero, dst_zero, lo, hi;  // storage bytes
  float src_scale, dst_scale;
};

struct Edge {  // quantize, dequantize, edge
  int32_t images, pixels, channels, channels_first, pitch;
  int32_t zero, flip, to_storage;  // zero: storage byte
  int32_t form;                    // of a quantize, as generator/kernel/spec.h has them
  float scale;
};

enum QuantizeForm { kQuotientEven, kQuotientAway, kQuotientUp, kProductEven };

enum { kCopyRank = 6 };
struct Copy {
  int64_t dims[kCopyRank], src_strides[kCopyRank], dst_strides[kCopyRank];
  int64_t src_offset, dst_offset, fill_bytes;
  int32_t bytes, fill_value;
};

// ---- pooling --------------------------------------------------------------------------------------------------------

// The taps of one output that lie inside the image.
struct Taps {
  int32_t y_begin, y_end, x_begin, x_end;  // in taps
  const uint8_t* first;                    // the pixel of tap (0, 0), which may lie outside
};

inline int32_t taps_before(int32_t start, int32_t dilation,
                           int32_t limit) {  // how many of start + i * dilation < limit
  return start >= limit ? 0 : (limit - start + dilation - 1) / dilation;
}

inline Taps taps_at(const Pool& p, const uint8_t* image, int32_t y, int32_t x) {
  const int32_t top = y * p.stride_h - p.pad_top, left = x * p.stride_w - p.pad_left;
  Taps t;
  t.y_begin = taps_before(top, p.dilation_h, 0);
  t.x_begin = taps_before(left, p.dilation_w, 0);
  t.y_end = static_cast<int32_t>(smaller(p.kh, taps_before(top, p.dilation_h, p.ih)));
  t.x_end = static_cast<int32_t>(smaller(p.kw, taps_before(left, p.dilation_w, p.iw)));
  t.first = image + (static_cast<int64_t>(top) * p.iw + left) * p.src_pitch;
  return t;
}

// Calls each(bytes) for every tap inside the image, row by row; `bytes` are its channels.
template <class Each>
inline void for_each_tap(const Pool& p, const Taps& t, Each each) {
  for (int32_t ky = t.y_begin; ky < t.y_end; ++ky)
    for (int32_t kx = t.x_begin; kx < t.x_end; ++kx)
      each(t.first +
           (static_cast<int64_t>(ky) * p.dilation_h * p.iw + static_cast<int64_t>(kx) * p.dilation_w) * p.src_pitch);
}

// Calls each(taps, output pixel's bytes) for every output pixel.
template <class Each>
inline void for_each_window(const OctetArgs* args, const Pool& p, Each each) {
  const uint8_t* image = in<uint8_t>(args, OCTET_SRC);
  uint8_t* dst = out<uint8_t>(args);
  for (int32_t n = 0; n < p.images; ++n, image += static_cast<int64_t>(p.ih) * p.iw * p.src_pitch)
    for (int32_t y = 0; y < p.oh; ++y)
      for (int32_t x = 0; x < p.ow; ++x, dst += p.dst_pitch) each(taps_at(p, image, y, x), dst);
}

inline void max_into(uint8_t* __restrict best, const uint8_t* __restrict tap, int64_t count) {
  for (int64_t c = 0; c < count; ++c) best[c] = best[c] > tap[c] ? best[c] : tap[c];
}

inline void sum_into(float* __restrict sum, const uint8_t* __restrict tap, int64_t count, int32_t zero, float scale) {
  for (int64_t c = 0; c < count; ++c) sum[c] += static_cast<float>(tap[c] - zero) * scale;
}

inline void sum_into(int32_t* __restrict sum, const uint8_t* __restrict tap, int64_t count, int32_t zero) {
  for (int64_t c = 0; c < count; ++c) sum[c] += tap[c] - zero;
}

}  // namespace
}  // namespace octet_plain

OCTET_PLAIN void octet_plain_max_pool(const OctetArgs* args) {
  using namespace octet_plain;
  const Pool p = *in<Pool>(args, OCTET_CONSTANTS);
  const uint8_t lo = static_cast<uint8_t>(p.lo), hi = static_cast<uint8_t>(p.hi);
  for_each_window(args, p, [&](const Taps& taps, uint8_t* dst) {
    for (int64_t c = 0; c < p.channels; c += kChunk) {
      const int64_t count = smaller(kChunk, p.channels - c);
      uint8_t best[kChunk];
      memset(best, lo, sizeof best);
      for_each_tap(p, taps, [&](const uint8_t* tap) { max_into(best, tap + c, count); });
      for (uint8_t& b : best) b = b < hi ? b : hi;
      memcpy(dst + c, best, static_cast<size_t>(count));
    }
  });
}

// Sum of dequantized values from left to right; mean; RN32(mean / scale) + zero point, rounded together.
OCTET_PLAIN void octet_plain_average_pool(const OctetArgs* args) {
  using namespace octet_plain;
  const Pool p = *in<Pool>(args, OCTET_CONSTANTS);
  const Rounder round = round_then_zero(p.offset, p.lo, p.hi);
  for_each_window(args, p, [&](const Taps& t, uint8_t* dst) {
    const int32_t inside = (t.y_end - t.y_begin) * (t.x_end - t.x_begin);
    const int32_t count = p.count_include_pad ? p.kh * p.kw : inside > 1 ? inside : 1;
    for (int64_t c = 0; c < p.channels; c += kChunk) {
      const int64_t width = smaller(kChunk, p.channels - c);
      float sum[kChunk] = {};
      for_each_tap(p, t, [&](const uint8_t* tap) { sum_into(sum, tap + c, width, p.src_zero, p.src_scale); });
      for (int64_t i = 0; i < width; ++i) {
        const float mean = sum[i] / static_cast<float>(count);
        const float scaled = mean / p.dst_scale;
        dst[c + i] = round(scaled + p.z);
      }
    }
  });
}

namespace octet_plain {
namespace {

// The end of a mean whose sum is an integer.
inline int32_t fixed_mean(int32_t sum, int32_t count, const Pool& p) {
  if (p.form == kInteger) return sum < 0 ? -((-sum + count / 2) / count) : (sum + count / 2) / count;
  return p.form == kFixedUp ? octet_math::scale_up(sum, p.multiplier, p.exponent)
                            : octet_math::scale_away(sum, p.multiplier, p.exponent);
}

// Between two integers of few digits; ties away from zero.
inline int32_t round_away(float v, int32_t lo, int32_t hi) {
  const float least = static_cast<float>(lo), most = static_cast<float>(hi);
  const float x = v < least ? least : v > most ? most : v;
  const int32_t whole = static_cast<int32_t>(x);
  const float rest = x - static_cast<float>(whole);
  return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

inline void round_means(uint8_t* __restrict dst, const int32_t* __restrict sum, int64_t width, int32_t count,
                        const Pool& p) {
  if (p.form >= kFixedAway) {
    for (int64_t i = 0; i < width; ++i) {
      const int32_t q = fixed_mean(sum[i], count, p) + p.offset;
      dst[i] = static_cast<uint8_t>(q < p.lo ? p.lo : q > p.hi ? p.hi : q);
    }
    return;
  }
  if (p.form == kScaledAway) {
    for (int64_t i = 0; i < width; ++i) {
      const float scaled = static_cast<float>(sum[i]) * p.m;
      dst[i] = static_cast<uint8_t>(round_away(scaled + p.z, p.lo - p.offset, p.hi - p.offset) + p.offset);
    }
    return;
  }
  const Rounder round = round_then_zero(p.offset, p.lo, p.hi);
  const float m = p.form == kReciprocal ? 1.0f / static_cast<float>(count) : p.m;
  for (int64_t i = 0; i < width; ++i) {
    const float scaled = static_cast<float>(sum[i]) * m;
    dst[i] = round(scaled + p.z);
  }
}

}  // namespace
}  // namespace octet_plain

// Integer sums, whatever follows.
OCTET_PLAIN void octet_plain_integer_average_pool(const OctetArgs* args) {
  using namespace octet_plain;
  const Pool p = *in<Pool>(args, OCTET_CONSTANTS);
  for_each_window(args, p, [&](const Taps& t, uint8_t* dst) {
    const int32_t inside = (t.y_end - t.y_begin) * (t.x_end - t.x_begin);
    const int32_t count = p.count_include_pad ? p.kh * p.kw : inside > 1 ? inside : 1;
    for (int64_t c = 0; c < p.channels; c += kChunk) {
      const int64_t width = smaller(kChunk, p.channels - c);
      int32_t sum[kChunk] = {};
      for_each_tap(p, t, [&](const uint8_t* tap) { sum_into(sum, tap + c, width, p.src_zero); });
      round_means(dst + c, sum, width, count, p);
    }
  });
}

namespace octet_plain {
namespace {

// The sum of `count` strided values in the order of aligned 16-byte vectors, where the first value lies `start` floats
// behind an aligned address (generator/kernel/pooling.cpp, sum_by_vectors).
inline float sum_by_vectors(const Pool& p, const uint8_t* src, int64_t start, int64_t count) {
  const auto value = [&](int64_t i) { return static_cast<float>(src[i * p.src_pitch] - p.src_zero) * p.src_scale; };
  const int64_t head = smaller((4 - start % 4) % 4, count), vectors = (count - head) / 4, tail = head + 4 * vectors;
  float even[4] = {}, odd[4] = {}, sum = 0;
  int64_t v = 0;
  for (; v + 2 <= vectors; v += 2)
    for (int64_t lane = 0; lane < 4; ++lane) {
      even[lane] += value(head + 4 * v + lane);
      odd[lane] += value(head + 4 * v + 4 + lane);
    }
  for (int64_t lane = 0; lane < 4; ++lane) {
    even[lane] += odd[lane];
    if (v < vectors) even[lane] += value(head + 4 * v + lane);
  }
  if (vectors > 0) sum = (even[0] + even[2]) + (even[1] + even[3]);
  for (int64_t i = 0; i < head; ++i) sum += value(i);
  for (int64_t i = tail; i < count; ++i) sum += value(i);
  return sum;
}

}  // namespace
}  // namespace octet_plain

OCTET_PLAIN void octet_plain_reduce_mean(const OctetArgs* args) {
  using namespace octet_plain;
  const Pool p = *in<Pool>(args, OCTET_CONSTANTS);
  const Rounder round = round_then_zero(p.offset, p.lo, p.hi);
  const int64_t count = static_cast<int64_t>(p.ih) * p.iw;
  for (int64_t n = 0; n < p.images; ++n)
    for (int64_t c = 0; c < p.channels; ++c) {
      const uint8_t* src = in<uint8_t>(args, OCTET_SRC) + n * count * p.src_pitch + c;
      const float mean = sum_by_vectors(p, src, (n * p.channels + c) * count, count) / static_cast<float>(count);
      out<uint8_t>(args)[n * p.dst_pitch + c] = round(mean / p.dst_scale);
    }
}

// ---- elementwise ----------------------------------------------------------------------------------------------------

namespace octet_plain {
namespace {

inline void affine_row(uint8_t* __restrict dst, const uint8_t* __restrict src, const float* __restrict scale,
                       const float* __restrict shift, const Affine& p) {
  const Rounder round = round_then_zero(p.dst_zero, p.lo, p.hi);
  const int32_t zero = p.src_zero, channels = p.channels;
  const float src_scale = p.src_scale, dst_scale = p.dst_scale;
  for (int32_t c = 0; c < channels; ++c) {
    const float d = static_cast<float>(src[c] - zero) * src_scale;
    const float product = d * scale[c];
    dst[c] = round((product + shift[c]) / dst_scale);
  }
}

}  // namespace
}  // namespace octet_plain

OCTET_PLAIN void octet_plain_affine(const OctetArgs* args) {
  using namespace octet_plain;
  const Affine p = *in<Affine>(args, OCTET_CONSTANTS);
  const uint8_t* src = in<uint8_t>(args, OCTET_SRC);
  uint8_t* dst = out<uint8_t>(args);
  for (int32_t pixel = 0; pixel < p.pixels; ++pixel, src += p.src_pitch, dst += p.dst_pitch)
    affine_row(dst, src, in<float>(args, OCTET_SCALE), in<float>(args, OCTET_BIAS), p);
}

OCTET_PLAIN void octet_plain_channel_permute(const OctetArgs* args) {
  using namespace octet_plain;
  const Rows p = *in<Rows>(args, OCTET_CONSTANTS);
  const uint8_t* src = in<uint8_t>(args, OCTET_SRC);
  const uint16_t* perm = in<uint16_t>(args, OCTET_WEIGHTS);
  uint8_t* dst = out<uint8_t>(args);
  for (int32_t pixel = 0; pixel < p.pixels; ++pixel, src += p.src_pitch, dst += p.dst_pitch)
    for (int32_t c = 0; c < p.channels; ++c) dst[c] = src[perm[c]];
}

// ---- the network's edges --------------------------------------------------------------------------------------------

namespace octet_plain {
namespace {

// Calls each(pixel's bytes, file's element of channel 0, distance of channels there, how many pixels, distance of
// pixels in the file), in runs of at most kChunk pixels.
template <class Each>
inline void for_each_run(const Edge& p, Each each) {
  for (int64_t n = 0; n < p.images; ++n)
    for (int64_t pixel = 0; pixel < p.pixels; pixel += kChunk) {
      const int64_t count = smaller(kChunk, p.pixels - pixel), image = n * p.pixels * p.channels;
      const int64_t bytes = (n * p.pixels + pixel) * p.pitch;
      if (p.channels_first)
        each(bytes, image + pixel, p.pixels, count, int64_t{1});
      else
        each(bytes, image + pixel * p.channels, int64_t{1}, count, int64_t{p.channels});
    }
}

// The byte of a scaled value: ties to even, or away from zero, or up.
inline uint8_t rounded(float v, const Rounder& round, int32_t form) {
  if (form == kQuotientEven || form == kProductEven) return round(v);
  const float above = v > round.lo ? v : round.lo;
  const double clamped = static_cast<double>(above < round.hi ? above : round.hi);
  const int32_t q = form == kQuotientAway && clamped < 0 ? -static_cast<int32_t>(0.5 - clamped)
                                                         : static_cast<int32_t>(clamped + 1024.5) - 1024;
  return static_cast<uint8_t>(q + round.add);
}

// What a value is multiplied by, or else divided by.
struct Scaling {
  float scale, inverse;
  bool multiplies;
  explicit Scaling(const Edge& p) : scale(p.scale), inverse(1.0f / p.scale), multiplies(p.form == kProductEven) {}
};

inline void quantize_row(uint8_t* __restrict dst, const float* __restrict src, int64_t count, const Rounder round,
                         const Scaling by, int32_t form) {
  if (form == kQuotientAway || form == kQuotientUp) {
    for (int64_t i = 0; i < count; ++i) dst[i] = rounded(src[i] / by.scale, round, form);
  } else if (by.multiplies) {
    for (int64_t i = 0; i < count; ++i) dst[i] = round(src[i] * by.inverse);
  } else {
    for (int64_t i = 0; i < count; ++i) dst[i] = round(src[i] / by.scale);
  }
}

// One plane's values into byte `shift` / 8 of each pixel's word.
inline void quantize_into_words(uint32_t* __restrict words, const float* __restrict src, int64_t count,
                                const Rounder round, float scale, int32_t shift) {
  for (int64_t i = 0; i < count; ++i) {
    const float v = src[i] / scale;
    const float above = v > round.lo ? v : round.lo;
    const float clamped = above < round.hi ? above : round.hi;
    words[i] |= static_cast<uint32_t>(octet_math::round_small(clamped) + round.add) << shift;
  }
}

inline void dequantize_row(float* __restrict dst, const uint8_t* __restrict src, int64_t count, int32_t zero,
                           float scale) {
  for (int64_t i = 0; i < count; ++i) dst[i] = static_cast<float>(src[i] - zero) * scale;
}

}  // namespace
}  // namespace octet_plain

OCTET_PLAIN void octet_plain_quantize(const OctetArgs* args) {
  using namespace octet_plain;
  const Edge p = *in<Edge>(args, OCTET_CONSTANTS);
  const Rounder round = round_then_zero(p.zero, 0, 255);
  const Scaling by(p);
  const bool even = p.form == kQuotientEven;
  const float* src = in<float>(args, OCTET_SRC);
  uint8_t* dst = out<uint8_t>(args);
  for_each_run(p, [&](int64_t bytes, int64_t file, int64_t channel_step, int64_t count, int64_t pixel_step) {
    if (!p.channels_first) {
      for (int64_t i = 0; i < count; ++i)
        quantize_row(dst + bytes + i * p.pitch, src + file + i * pixel_step, p.channels, round, by, p.form);
    } else if (p.pitch == 4 && even) {  // a pixel is one word: images
      uint32_t words[kChunk] = {};
      for (int32_t c = 0; c < p.channels; ++c)
        quantize_into_words(words, src + file + c * channel_step, count, round, p.scale, 8 * c);
      memcpy(dst + bytes, words, static_cast<size_t>(4 * count));
    } else {
      uint8_t plane[kChunk];
      for (int32_t c = 0; c < p.channels; ++c) {
        quantize_row(plane, src + file + c * channel_step, count, round, by, p.form);
        for (int64_t i = 0; i < count; ++i) dst[bytes + i * p.pitch + c] = plane[i];
      }
    }
  });
}

OCTET_PLAIN void octet_plain_dequantize(const OctetArgs* args) {
  using namespace octet_plain;
  const Edge p = *in<Edge>(args, OCTET_CONSTANTS);
  const uint8_t* src = in<uint8_t>(args, OCTET_SRC);
  float* dst = out<float>(args);
  for_each_run(p, [&](int64_t bytes, int64_t file, int64_t channel_step, int64_t count, int64_t pixel_step) {
    if (!p.channels_first || p.pixels == 1) {
      for (int64_t i = 0; i < count; ++i)
        dequantize_row(dst + file + i * pixel_step, src + bytes + i * p.pitch, p.channels, p.zero, p.scale);
      return;
    }
    uint8_t plane[kChunk];
    for (int32_t c = 0; c < p.channels; ++c) {
      for (int64_t i = 0; i < count; ++i) plane[i] = src[bytes + i * p.pitch + c];
      dequantize_row(dst + file + c * channel_step, plane, count, p.zero, p.scale);
    }
  });
}

// Integers as the file has them <-> storage bytes.
OCTET_PLAIN void octet_plain_edge(const OctetArgs* args) {
  using namespace octet_plain;
  const Edge p = *in<Edge>(args, OCTET_CONSTANTS);
  const uint8_t* src = in<uint8_t>(args, OCTET_SRC);
  uint8_t* dst = out<uint8_t>(args);
  const uint8_t flip = static_cast<uint8_t>(p.flip);
  for_each_run(p, [&](int64_t bytes, int64_t file, int64_t channel_step, int64_t count, int64_t pixel_step) {
    for (int32_t c = 0; c < p.channels; ++c)
      for (int64_t i = 0; i < count; ++i) {
        const int64_t stored = bytes + i * p.pitch + c, given = file + i * pixel_step + c * channel_step;
        if (p.to_storage)
          dst[stored] = static_cast<uint8_t>(src[given] ^ flip);
        else
          dst[given] = static_cast<uint8_t>(src[stored] ^ flip);
      }
  });
}

// ---- strided copies -------------------------------------------------------------------------------------------------

namespace octet_plain {
namespace {

inline void copy_elements(uint8_t* dst, const uint8_t* src, const Copy& p) {
  const int64_t count = p.dims[kCopyRank - 1], from = p.src_strides[kCopyRank - 1], to = p.dst_strides[kCopyRank - 1];
  if (from == p.bytes && to == p.bytes) {
    memcpy(dst, src, static_cast<size_t>(count * p.bytes));
  } else if (p.bytes == 1) {
    for (int64_t i = 0; i < count; ++i) dst[i * to] = src[i * from];
  } else {
    for (int64_t i = 0; i < count; ++i) memcpy(dst + i * to, src + i * from, static_cast<size_t>(p.bytes));
  }
}

inline void copy_dims(uint8_t* dst, const uint8_t* src, const Copy& p, int32_t dim) {
  if (dim == kCopyRank - 1) return copy_elements(dst, src, p);
  for (int64_t i = 0; i < p.dims[dim]; ++i)
    copy_dims(dst + i * p.dst_strides[dim], src + i * p.src_strides[dim], p, dim + 1);
}

}  // namespace
}  // namespace octet_plain

OCTET_PLAIN void octet_plain_strided_copy(const OctetArgs* args) {
  using namespace octet_plain;
  const Copy p = *in<Copy>(args, OCTET_CONSTANTS);
  uint8_t* dst = out<uint8_t>(args);
  if (p.fill_bytes > 0) memset(dst, p.fill_value, static_cast<size_t>(p.fill_bytes));
  copy_dims(dst + p.dst_offset, in<uint8_t>(args, OCTET_SRC) + p.src_offset, p, 0);
}

#include "plain_matmul.h"
#include "plain_resize.h"
#include "plain_softmax.h"

#undef OCTET_PLAIN
#endif
