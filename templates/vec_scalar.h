// The vector vocabulary in plain C++17: the meaning of every op of generator/program/ops.inc, as a function of the same
// name. The interpreter runs it at 16, 32 and 64 bytes, emitted C++ for the target `scalar` includes it at 16, and the
// other vec_*.h must agree with it byte for byte.
//
// No library is needed, and no floating-point feature beyond binary32 and binary64 rounding to nearest even. Build with
// -ffp-contract=off: otherwise a compiler may join a mul_f32 and an add_f32 into one rounding.
#ifndef OCTET_VEC_SCALAR_H
#define OCTET_VEC_SCALAR_H

#include <stdint.h>
#include <string.h>

#include "exact_math.h"

// Ops are internal to each translation unit, so that files compiled for different machines never share a definition.
// OCTET_CALL marks those that compute: called, they cost no time worth measuring; repeated at each use, they cost g++
// ten times as long to compile a kernel.
#define OCTET_VEC  \
  template <int W> \
  static inline
#if defined(__GNUC__)
#define OCTET_CALL \
  template <int W> \
  __attribute__((noinline)) static
#else
#define OCTET_CALL \
  template <int W> \
  static
#endif
// Kernels mark their loops with it: unrolling was the schedule's business.
#if defined(__clang__)
#define OCTET_LOOP _Pragma("clang loop unroll(disable)")
#elif defined(__GNUC__)
#define OCTET_LOOP _Pragma("GCC unroll 1")
#else
#define OCTET_LOOP
#endif
#define OCTET_TARGET_END

namespace octet_scalar {

// W bytes in memory order. Lanes<T, W> is the same seen as numbers; lanes() and bytes() convert.
template <int W>
struct Vec {
  uint8_t b[W];
};

template <class T, int W>
struct Lanes {
  T v[W / sizeof(T)];
};

template <class T, int W>
static inline Lanes<T, W> lanes(const Vec<W>& a) {
  Lanes<T, W> x;
  memcpy(x.v, a.b, W);
  return x;
}

template <class T, int W>
static inline Vec<W> bytes(const Lanes<T, W>& x) {
  Vec<W> d;
  memcpy(d.b, x.v, W);
  return d;
}

// One step of a table that moves a pointer.
[[maybe_unused]] static inline int64_t step_at(const uint8_t* p) {
  int64_t step;
  memcpy(&step, p, sizeof step);
  return step;
}

static inline int16_t sat16(int32_t x) { return static_cast<int16_t>(x < -32768 ? -32768 : x > 32767 ? 32767 : x); }
static inline uint8_t sat_u8(int32_t x) { return static_cast<uint8_t>(x < 0 ? 0 : x > 255 ? 255 : x); }

using octet_math::fma_once;
using octet_math::round_even;

// ---- memory ----

// The bytes where they are: what uses them as an operand makes no copy.
OCTET_VEC const Vec<W>& load(const uint8_t* p) { return *reinterpret_cast<const Vec<W>*>(p); }

OCTET_VEC Vec<W> load_acc(const uint8_t* p) { return load<W>(p); }

template <int W>
static inline Vec<W> load_act(const uint8_t* p, int n) {
  Vec<W> d;
  for (int i = 0; i < W; i += n) memcpy(d.b + i, p, static_cast<size_t>(n));
  return d;
}

OCTET_CALL Vec<W> widen8_16(const uint8_t* p) {
  Lanes<uint16_t, W> d;
  for (int i = 0; i < W / 2; ++i) d.v[i] = p[i];
  return bytes(d);
}

OCTET_CALL Vec<W> widen8_32(const uint8_t* p) {
  Lanes<uint32_t, W> d;
  for (int i = 0; i < W / 4; ++i) d.v[i] = p[i];
  return bytes(d);
}

OCTET_CALL Vec<W> broadcast32(const uint8_t* p) { return load_act<W>(p, 4); }

OCTET_VEC void store(uint8_t* p, const Vec<W>& a) { memcpy(p, a.b, W); }

OCTET_VEC void store_low(uint8_t* p, const Vec<W>& a, int n) { memcpy(p, a.b, static_cast<size_t>(n)); }

OCTET_CALL void store_split(uint8_t* p, const Vec<W>& a, int n, int exist, const int32_t* offset) {
  const int piece = 16 / n;
  for (int q = 0; q < exist; ++q)
    for (int block = 0; block < W / 16; ++block)
      memcpy(p + offset[q] + block * piece, a.b + 16 * block + q * piece, static_cast<size_t>(piece));
}

// ---- integer ----

// What all dots share, `a` being the activation bytes already in place: 16-bit products (a u8 times an s8 always fits)
// of the even and of the odd bytes, which compilers turn into vector code.
OCTET_VEC void dot4_in_place(Vec<W>& d, const Lanes<uint16_t, W>& a, const Vec<W>& b) {
  const auto w = lanes<int16_t>(b);
  Lanes<int16_t, W> even, odd;
  for (int i = 0; i < W / 2; ++i) {
    even.v[i] = static_cast<int16_t>((a.v[i] & 255) * static_cast<int8_t>(w.v[i] & 255));
    odd.v[i] = static_cast<int16_t>((a.v[i] >> 8) * (w.v[i] >> 8));
  }
  Lanes<int32_t, W> e, o, sum = lanes<int32_t>(d);
  memcpy(e.v, even.v, W);
  memcpy(o.v, odd.v, W);
  for (int i = 0; i < W / 4; ++i) {
    const int32_t four = static_cast<int16_t>(e.v[i]) + (e.v[i] >> 16) + static_cast<int16_t>(o.v[i]) + (o.v[i] >> 16);
    sum.v[i] = static_cast<int32_t>(static_cast<uint32_t>(sum.v[i]) + static_cast<uint32_t>(four));
  }
  d = bytes(sum);
}

// The activation bytes of every dword are those of its own place.
OCTET_CALL void dot4_lanes(Vec<W>& d, const Vec<W>& a, const Vec<W>& b) { dot4_in_place(d, lanes<uint16_t>(a), b); }

// The activation bytes of every dword are the four bytes at `group` of its block.
OCTET_CALL void dot4_group(Vec<W>& d, const Vec<W>& a, const Vec<W>& b, int group) {
  Lanes<uint16_t, W> act;
  for (int i = 0; i < W / 4; ++i) memcpy(act.v + 2 * i, a.b + i / 4 * 16 + 4 * group, 4);
  dot4_in_place(d, act, b);
}

OCTET_VEC void dot4(Vec<W>& d, const Vec<W>& a, const Vec<W>& b, int group) {
  if (group < 0) {
    dot4_lanes(d, a, b);
  } else {
    dot4_group(d, a, b, group);
  }
}

OCTET_CALL void dot4s(Vec<W>& d, const Vec<W>& a, const Vec<W>& b, int group) {
  auto sum = lanes<uint32_t>(d);
  for (int i = 0; i < W / 4; ++i)
    for (int e = 0; e < 4; ++e)
      sum.v[i] += static_cast<uint32_t>(static_cast<int8_t>(a.b[group < 0 ? 4 * i + e : i / 4 * 16 + 4 * group + e]) *
                                        static_cast<int8_t>(b.b[4 * i + e]));
  d = bytes(sum);
}

OCTET_CALL Vec<W> mmla(const Vec<W>& d, const Vec<W>& a, const Vec<W>& b) {
  auto sum = lanes<uint32_t>(d);
  for (int i = 0; i < W / 4; ++i) {
    const uint8_t* x = a.b + i / 4 * 16 + i % 4 / 2 * 8;
    const uint8_t* y = b.b + i / 4 * 16 + i % 2 * 8;
    for (int e = 0; e < 8; ++e) sum.v[i] += static_cast<uint32_t>(x[e] * static_cast<int8_t>(y[e]));
  }
  return bytes(sum);
}

OCTET_CALL Vec<W> maddubs(const Vec<W>& a, const Vec<W>& b) {
  Lanes<int16_t, W> d;
  for (int i = 0; i < W / 2; ++i)
    d.v[i] = sat16(a.b[2 * i] * static_cast<int8_t>(b.b[2 * i]) + a.b[2 * i + 1] * static_cast<int8_t>(b.b[2 * i + 1]));
  return bytes(d);
}

// Wraps where all four operands are -32768, as the instruction does.
OCTET_CALL Vec<W> madd16(const Vec<W>& a, const Vec<W>& b) {
  const auto x = lanes<int16_t>(a), y = lanes<int16_t>(b);
  Lanes<int32_t, W> d;
  for (int i = 0; i < W / 4; ++i)
    d.v[i] = static_cast<int32_t>(static_cast<uint32_t>(x.v[2 * i] * y.v[2 * i]) +
                                  static_cast<uint32_t>(x.v[2 * i + 1] * y.v[2 * i + 1]));
  return bytes(d);
}

OCTET_CALL void dot2(Vec<W>& d, const Vec<W>& a, const Vec<W>& b) {
  const auto pairs = lanes<uint32_t>(madd16(a, b));
  auto sum = lanes<uint32_t>(d);
  for (int i = 0; i < W / 4; ++i) sum.v[i] += pairs.v[i];
  d = bytes(sum);
}

// A lane-wise op of two operands, as an expression of the lanes x and y.
#define OCTET_LANEWISE(name, T, expression)                     \
  OCTET_CALL Vec<W> name(const Vec<W>& a, const Vec<W>& b) {    \
    const auto xs = lanes<T>(a), ys = lanes<T>(b);              \
    Lanes<T, W> d;                                              \
    for (int i = 0; i < W / static_cast<int>(sizeof(T)); ++i) { \
      const T x = xs.v[i], y = ys.v[i];                         \
      d.v[i] = static_cast<T>(expression);                      \
    }                                                           \
    return bytes(d);                                            \
  }

OCTET_LANEWISE(add16, uint16_t, x + y)
OCTET_LANEWISE(sub16, uint16_t, x - y)
OCTET_LANEWISE(add32, uint32_t, x + y)
OCTET_LANEWISE(sub32, uint32_t, x - y)
OCTET_LANEWISE(max_i32, int32_t, x > y ? x : y)
OCTET_LANEWISE(min_i32, int32_t, x < y ? x : y)
OCTET_LANEWISE(and_, uint32_t, x& y)
OCTET_LANEWISE(or_, uint32_t, x | y)
OCTET_LANEWISE(xor_, uint32_t, x ^ y)
OCTET_LANEWISE(max_u8, uint8_t, x > y ? x : y)
OCTET_LANEWISE(min_u8, uint8_t, x < y ? x : y)
OCTET_LANEWISE(adds16, int16_t, sat16(x + y))
OCTET_LANEWISE(mul32, uint32_t, x* y)
OCTET_LANEWISE(sllv32, uint32_t, x << y)
OCTET_LANEWISE(srav32, int32_t, x >> y)
OCTET_LANEWISE(mulhi32, int32_t, (static_cast<int64_t>(x) * y) >> 32)
// Float: each one rounding. Where an operand is NaN, max and min give b.
OCTET_LANEWISE(add_f32, float, x + y)
OCTET_LANEWISE(sub_f32, float, x - y)
OCTET_LANEWISE(mul_f32, float, x* y)
OCTET_LANEWISE(div_f32, float, x / y)
OCTET_LANEWISE(max_f32, float, x > y ? x : y)
OCTET_LANEWISE(min_f32, float, x < y ? x : y)
#undef OCTET_LANEWISE

OCTET_CALL Vec<W> srl16(const Vec<W>& a, int n) {
  auto x = lanes<uint16_t>(a);
  for (int i = 0; i < W / 2; ++i) x.v[i] = static_cast<uint16_t>(x.v[i] >> n);
  return bytes(x);
}

OCTET_CALL Vec<W> sll16(const Vec<W>& a, int n) {
  auto x = lanes<uint16_t>(a);
  for (int i = 0; i < W / 2; ++i) x.v[i] = static_cast<uint16_t>(x.v[i] << n);
  return bytes(x);
}

OCTET_CALL Vec<W> sll32(const Vec<W>& a, int n) {
  auto x = lanes<uint32_t>(a);
  for (int i = 0; i < W / 4; ++i) x.v[i] <<= n;
  return bytes(x);
}

OCTET_CALL Vec<W> sra32(const Vec<W>& a, int n) {
  auto x = lanes<int32_t>(a);
  for (int i = 0; i < W / 4; ++i) x.v[i] >>= n;
  return bytes(x);
}

OCTET_CALL Vec<W> packs32(const Vec<W>& a, const Vec<W>& b) {
  const auto x = lanes<int32_t>(a), y = lanes<int32_t>(b);
  Lanes<int16_t, W> d;
  for (int block = 0; block < W / 16; ++block)
    for (int i = 0; i < 4; ++i) {
      d.v[8 * block + i] = sat16(x.v[4 * block + i]);
      d.v[8 * block + 4 + i] = sat16(y.v[4 * block + i]);
    }
  return bytes(d);
}

OCTET_CALL Vec<W> packus16(const Vec<W>& a, const Vec<W>& b) {
  const auto x = lanes<int16_t>(a), y = lanes<int16_t>(b);
  Vec<W> d;
  for (int block = 0; block < W / 16; ++block)
    for (int i = 0; i < 8; ++i) {
      d.b[16 * block + i] = sat_u8(x.v[8 * block + i]);
      d.b[16 * block + 8 + i] = sat_u8(y.v[8 * block + i]);
    }
  return d;
}

// Interleaves the low (half = 0) or high (half = 1) halves of every block.
template <class T, int W>
static inline Vec<W> zip(const Vec<W>& a, const Vec<W>& b, int half) {
  const int n = 16 / static_cast<int>(sizeof(T));
  const auto x = lanes<T>(a), y = lanes<T>(b);
  Lanes<T, W> d;
  for (int block = 0; block < W / 16; ++block)
    for (int i = 0; i < n / 2; ++i) {
      d.v[n * block + 2 * i] = x.v[n * block + half * n / 2 + i];
      d.v[n * block + 2 * i + 1] = y.v[n * block + half * n / 2 + i];
    }
  return bytes(d);
}

OCTET_CALL Vec<W> zip_lo8(const Vec<W>& a, const Vec<W>& b) { return zip<uint8_t>(a, b, 0); }
OCTET_CALL Vec<W> zip_hi8(const Vec<W>& a, const Vec<W>& b) { return zip<uint8_t>(a, b, 1); }
OCTET_CALL Vec<W> zip_lo16(const Vec<W>& a, const Vec<W>& b) { return zip<uint16_t>(a, b, 0); }
OCTET_CALL Vec<W> zip_hi16(const Vec<W>& a, const Vec<W>& b) { return zip<uint16_t>(a, b, 1); }

OCTET_CALL Vec<W> zip_lo64(const Vec<W>& a, const Vec<W>& b) { return zip<uint64_t>(a, b, 0); }
OCTET_CALL Vec<W> zip_hi64(const Vec<W>& a, const Vec<W>& b) { return zip<uint64_t>(a, b, 1); }

OCTET_CALL Vec<W> shuffle8(const Vec<W>& a, const Vec<W>& b) {
  Vec<W> d;
  for (int i = 0; i < W; ++i) d.b[i] = static_cast<uint8_t>(b.b[i] < 128 ? a.b[i / 16 * 16 + b.b[i] % 16] : 0);
  return d;
}

OCTET_CALL Vec<W> blend8(const Vec<W>& a, const Vec<W>& b, const Vec<W>& c) {
  Vec<W> d;
  for (int i = 0; i < W; ++i) d.b[i] = c.b[i] < 128 ? a.b[i] : b.b[i];
  return d;
}

[[maybe_unused]] static Vec<64> permute128(const Vec<64>& index, const Vec<64>& a, const Vec<64>& b) {
  Vec<64> d;
  for (int i = 0; i < 64; ++i) d.b[i] = (index.b[i] & 64 ? b : a).b[index.b[i] % 64];
  return d;
}

// ---- float ----

OCTET_CALL Vec<W> cvt_f32(const Vec<W>& a) {
  const auto x = lanes<int32_t>(a);
  Lanes<float, W> d;
  for (int i = 0; i < W / 4; ++i) d.v[i] = static_cast<float>(x.v[i]);
  return bytes(d);
}

OCTET_CALL Vec<W> cvt_i32(const Vec<W>& a) {
  const auto x = lanes<float>(a);
  Lanes<int32_t, W> d;
  for (int i = 0; i < W / 4; ++i) d.v[i] = round_even(static_cast<double>(x.v[i]));
  return bytes(d);
}

OCTET_CALL Vec<W> scale64(const Vec<W>& a, const uint8_t* m) {
  const auto x = lanes<int32_t>(a);
  Lanes<double, 2 * W> factor;
  memcpy(factor.v, m, 2 * W);
  Lanes<int32_t, W> d;
  for (int i = 0; i < W / 4; ++i) {
    const double product = x.v[i] * factor.v[i];
    d.v[i] = product >= 2147483647.0 ? INT32_MAX : product > -2147483648.0 ? static_cast<int32_t>(product) : INT32_MIN;
  }
  return bytes(d);
}

OCTET_CALL Vec<W> fma_f32(const Vec<W>& a, const Vec<W>& b, const Vec<W>& c) {
  const auto x = lanes<float>(a), y = lanes<float>(b), z = lanes<float>(c);
  Lanes<float, W> d;
  for (int i = 0; i < W / 4; ++i) d.v[i] = fma_once(x.v[i], y.v[i], z.v[i]);
  return bytes(d);
}

// ---- as emitted kernels write them ----
// Immediates are template arguments, and registers may be read or written narrower.

template <int W, int N>
static inline Vec<W> load_act(const uint8_t* p) {
  return load_act<W>(p, N);
}

template <int G, int W>
static inline void dot4(Vec<W>& d, const Vec<W>& a, const Vec<W>& b) {
  dot4(d, a, b, G);
}

template <int G, int W>
static inline void dot4(Vec<W>& d, const Vec<W>& a, const uint8_t* b) {
  dot4(d, a, load<W>(b), G);
}

template <int G, int W>
static inline void dot4s(Vec<W>& d, const Vec<W>& a, const Vec<W>& b) {
  dot4s(d, a, b, G);
}

template <int G, int W>
static inline void dot4s(Vec<W>& d, const Vec<W>& a, const uint8_t* b) {
  dot4s(d, a, load<W>(b), G);
}

template <int W>
static inline void dot2(Vec<W>& d, const Vec<W>& a, const uint8_t* b) {
  dot2(d, a, load<W>(b));
}

template <int N, int W>
static inline Vec<W> srl16(const Vec<W>& a) {
  return srl16(a, N);
}

template <int N, int W>
static inline Vec<W> sll16(const Vec<W>& a) {
  return sll16(a, N);
}

template <int N, int W>
static inline Vec<W> sll32(const Vec<W>& a) {
  return sll32(a, N);
}

template <int N, int W>
static inline Vec<W> sra32(const Vec<W>& a) {
  return sra32(a, N);
}

template <int N, int W>
static inline void store_low(uint8_t* p, const Vec<W>& a) {
  store_low(p, a, N);
}

template <int N, int EXIST, int W>
static inline void store_split(uint8_t* p, const Vec<W>& a, int32_t o0, int32_t o1 = 0, int32_t o2 = 0,
                               int32_t o3 = 0) {
  const int32_t offset[4] = {o0, o1, o2, o3};
  store_split(p, a, N, EXIST, offset);
}

// The low W bytes of a wider register, and a register whose low bytes are a narrower one (zeros above).
template <int W, int V>
static inline Vec<W> low(const Vec<V>& a) {
  Vec<W> d;
  memcpy(d.b, a.b, W);
  return d;
}

template <int W, int V>
static inline Vec<W> extend(const Vec<V>& a) {
  Vec<W> d;
  memset(d.b, 0, W);
  memcpy(d.b, a.b, V);
  return d;
}

}  // namespace octet_scalar

#undef OCTET_VEC
#undef OCTET_CALL
#endif
