// Ops outside of int8, element by element, and what moves elements: plain C++17 loops over dense tensors, called by
// every engine, so that their bytes are equal everywhere. Parameters (float_params.h) come by OCTET_CONSTANTS. Written
// beside emitted C++, which includes abi.h first. Build with -ffp-contract=off.
//
// Integers wrap; a division by zero gives 0, a conversion to an integer is toward zero and saturates (NaN gives 0).
// Every NaN that leaves an op of floats is the same one.
#ifndef OCTET_FLOAT_OPS_H
#define OCTET_FLOAT_OPS_H

#include <stdint.h>
#include <string.h>

#include "float_math.h"
#include "float_params.h"

#define OCTET_FLOAT [[maybe_unused]] static

namespace octet_float {
namespace {

template <class T>
inline const T* in(const OctetArgs* args, int which) {
  return static_cast<const T*>(args->p[which]);
}
template <class T>
inline T* out(const OctetArgs* args) {
  return static_cast<T*>(const_cast<void*>(args->p[OCTET_DST]));
}
template <class Params>
inline Params params(const OctetArgs* args) {
  Params p;
  memcpy(&p, args->p[OCTET_CONSTANTS], sizeof p);
  return p;
}

// ---- one operand ----------------------------------------------------------------------------------------------------

template <class F>
inline void map_floats(const OctetArgs* args, int64_t count, F f) {
  const float* __restrict x = in<float>(args, OCTET_SRC);
  float* __restrict y = out<float>(args);
  for (int64_t i = 0; i < count; ++i) y[i] = settled(f(x[i]));
}

// The same in binary64, rounded at the end.
template <class F>
inline void map_doubles(const OctetArgs* args, int64_t count, F f) {
  map_floats(args, count, [f](float x) { return f(static_cast<double>(x)); });
}

inline float hard_sigmoid_value(float alpha, float beta, float x) {
  const float product = alpha * x;
  const float sum = product + beta;
  const float above = sum < 0.0f ? 0.0f : sum;
  return above > 1.0f ? 1.0f : above;
}

inline void unary_floats(const OctetArgs* args, const Unary& p) {
  const int64_t n = p.count;
  const float alpha = p.alpha, beta = p.beta;
  switch (p.function) {
    case kRelu: return map_floats(args, n, [](float x) { return x <= 0.0f ? 0.0f : x; });
    case kClip:
      return map_floats(args, n, [alpha, beta](float x) {
        const float above = x < alpha ? alpha : x;
        return above > beta ? beta : above;
      });
    case kSigmoid: return map_doubles(args, n, [](double x) { return sigmoid_of(x); });
    case kTanh: return map_doubles(args, n, [](double x) { return tanh_of(x); });
    case kHardSigmoid:
      return map_floats(args, n, [alpha, beta](float x) { return hard_sigmoid_value(alpha, beta, x); });
    case kHardSwish: return map_floats(args, n, [](float x) { return x * hard_sigmoid_value(1.0f / 6.0f, 0.5f, x); });
    case kLeakyRelu: return map_floats(args, n, [alpha](float x) { return x >= 0.0f ? x : alpha * x; });
    case kElu:
      return map_doubles(args, n,
                         [alpha](double x) { return x >= 0.0 ? x : static_cast<double>(alpha) * expm1_of(x); });
    case kExp: return map_doubles(args, n, [](double x) { return exp_of(x); });
    case kSqrt: return map_doubles(args, n, [](double x) { return sqrt_value(x); });
    case kNeg: return map_floats(args, n, [](float x) { return -x; });
    case kAbs: return map_doubles(args, n, [](double x) { return absolute(x); });
    case kErf: return map_doubles(args, n, [](double x) { return erf_of(x); });
    case kSilu: return map_doubles(args, n, [](double x) { return x < -120.0 ? -0.0 : x * sigmoid_of(x); });
    case kGelu:
      if (alpha == 1.0f) return map_doubles(args, n, [](double x) { return gelu_by_tanh_of(x); });
      return map_doubles(args, n, [](double x) { return gelu_of(x); });
    case kSoftplus: return map_doubles(args, n, [](double x) { return softplus_of(x); });
    case kReciprocal: return map_floats(args, n, [](float x) { return 1.0f / x; });
    case kLog: return map_doubles(args, n, [](double x) { return log_value(x); });
    case kSquare: return map_floats(args, n, [](float x) { return x * x; });
    case kRsqrt: return map_doubles(args, n, [](double x) { return rsqrt_value(x); });
    case kFloor: return map_floats(args, n, [](float x) { return floor_value(x); });
    case kCeil: return map_floats(args, n, [](float x) { return ceil_value(x); });
    case kRound: return map_floats(args, n, [](float x) { return round_value(x); });
    case kSin: return map_doubles(args, n, [](double x) { return sine_value(x, 0); });
    case kCos: return map_doubles(args, n, [](double x) { return sine_value(x, 1); });
    case kSign: return map_floats(args, n, [](float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; });
    default: return;
  }
}

// T: s32 or s64; U: the same without a sign, whose products and sums wrap.
template <class T, class U>
inline void unary_integers(const OctetArgs* args, const Unary& p) {
  const T* x = in<T>(args, OCTET_SRC);
  T* y = out<T>(args);
  const auto map = [&](auto f) {
    for (int64_t i = 0; i < p.count; ++i) y[i] = static_cast<T>(f(x[i]));
  };
  const auto negated = [](T v) { return static_cast<T>(U{0} - static_cast<U>(v)); };
  switch (p.function) {
    case kRelu: return map([](T v) { return v > 0 ? v : T{0}; });
    case kNeg: return map(negated);
    case kAbs: return map([&](T v) { return v < 0 ? negated(v) : v; });
    case kSquare: return map([](T v) { return static_cast<U>(v) * static_cast<U>(v); });
    case kSign: return map([](T v) { return (v > 0) - (v < 0); });
    default: return;
  }
}

// ---- conversion -----------------------------------------------------------------------------------------------------

template <class To, class From>
inline To converted(From v) {
  return static_cast<To>(v);
}

// The nearest to zero of what the type holds; `least` and `beyond` are powers of two, or zero, and so exact.
template <class To>
inline To saturated(float v, float least, float beyond, To lowest, To highest) {
  if (!(v == v)) return 0;
  if (v < least) return lowest;
  return v >= beyond ? highest : static_cast<To>(v);
}
template <>
inline int32_t converted<int32_t, float>(float v) {
  return saturated<int32_t>(v, -2147483648.0f, 2147483648.0f, INT32_MIN, INT32_MAX);
}
template <>
inline int64_t converted<int64_t, float>(float v) {
  return saturated<int64_t>(v, -9223372036854775808.0f, 9223372036854775808.0f, INT64_MIN, INT64_MAX);
}
template <>
inline uint8_t converted<uint8_t, float>(float v) {
  return saturated<uint8_t>(v, 0.0f, 256.0f, 0, 255);
}
template <>
inline int8_t converted<int8_t, float>(float v) {
  return saturated<int8_t>(v, -128.0f, 128.0f, -128, 127);
}
template <>
inline float converted<float, float>(float v) {
  return settled(v);
}

template <class From, class To>
inline void cast_to(const OctetArgs* args, int64_t count) {
  const From* x = in<From>(args, OCTET_SRC);
  To* y = out<To>(args);
  for (int64_t i = 0; i < count; ++i) y[i] = converted<To, From>(x[i]);
}

template <class From>
inline void cast_from(const OctetArgs* args, const Cast& p) {
  switch (p.to) {
    case kF32: return cast_to<From, float>(args, p.count);
    case kU8: return cast_to<From, uint8_t>(args, p.count);
    case kS8: return cast_to<From, int8_t>(args, p.count);
    case kS32: return cast_to<From, int32_t>(args, p.count);
    case kS64: return cast_to<From, int64_t>(args, p.count);
    default: break;
  }
  const From* x = in<From>(args, OCTET_SRC);
  uint8_t* y = out<uint8_t>(args);
  for (int64_t i = 0; i < p.count; ++i) y[i] = x[i] != From{0};
}

// ---- two and three operands -----------------------------------------------------------------------------------------

// Calls row(index of the destination, offsets of the operands) for every row of `dims`.
template <class Row>
inline void for_each_row(const int64_t* dims, const int64_t* a, const int64_t* b, const int64_t* c, Row row) {
  int64_t at[kRank] = {}, dst = 0, offset_a = 0, offset_b = 0, offset_c = 0;
  for (;;) {
    row(dst, offset_a, offset_b, offset_c);
    dst += dims[kRank - 1];
    int32_t d = kRank - 2;
    for (; d >= 0; --d) {
      offset_a += a[d], offset_b += b[d], offset_c += c[d];
      if (++at[d] < dims[d]) break;
      offset_a -= a[d] * dims[d], offset_b -= b[d] * dims[d], offset_c -= c[d] * dims[d];
      at[d] = 0;
    }
    if (d < 0) return;
  }
}

template <class T, class R, class F>
inline void binary_row(R* __restrict y, const T* __restrict a, const T* __restrict b, int64_t step_a, int64_t step_b,
                       int64_t count, F f) {
  if (step_a == 1 && step_b == 1) {
    for (int64_t i = 0; i < count; ++i) y[i] = f(a[i], b[i]);
  } else if (step_a == 1 && step_b == 0) {
    const T v = *b;
    for (int64_t i = 0; i < count; ++i) y[i] = f(a[i], v);
  } else if (step_a == 0 && step_b == 1) {
    const T v = *a;
    for (int64_t i = 0; i < count; ++i) y[i] = f(v, b[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) y[i] = f(a[i * step_a], b[i * step_b]);
  }
}

template <class T, class R, class F>
inline void binary_rows(const OctetArgs* args, const Binary& p, F f) {
  const T *a = in<T>(args, OCTET_SRC), *b = in<T>(args, OCTET_SRC2);
  R* y = out<R>(args);
  for_each_row(p.dims, p.a, p.b, p.b, [&](int64_t dst, int64_t at_a, int64_t at_b, int64_t) {
    binary_row(y + dst, a + at_a, b + at_b, p.a[kRank - 1], p.b[kRank - 1], p.dims[kRank - 1], f);
  });
}

template <class T>
inline void compare(const OctetArgs* args, const Binary& p) {
  switch (p.op) {
    case kEqual: return binary_rows<T, uint8_t>(args, p, [](T a, T b) { return a == b; });
    case kNotEqual: return binary_rows<T, uint8_t>(args, p, [](T a, T b) { return a != b; });
    case kLess: return binary_rows<T, uint8_t>(args, p, [](T a, T b) { return a < b; });
    case kLessEqual: return binary_rows<T, uint8_t>(args, p, [](T a, T b) { return a <= b; });
    case kGreater: return binary_rows<T, uint8_t>(args, p, [](T a, T b) { return a > b; });
    case kGreaterEqual: return binary_rows<T, uint8_t>(args, p, [](T a, T b) { return a >= b; });
    default: return;
  }
}

inline void binary_floats(const OctetArgs* args, const Binary& p) {
  const auto rows = [&](auto f) {
    binary_rows<float, float>(args, p, [f](float a, float b) { return settled(f(a, b)); });
  };
  const auto either = [](float a, float b, bool first) { return a != a || b != b ? a + b : first ? a : b; };
  switch (p.op) {
    case kAdd: return rows([](float a, float b) { return a + b; });
    case kSub: return rows([](float a, float b) { return a - b; });
    case kMul: return rows([](float a, float b) { return a * b; });
    case kDiv: return rows([](float a, float b) { return a / b; });
    case kMaximum: return rows([either](float a, float b) { return either(a, b, a > b); });
    case kMinimum: return rows([either](float a, float b) { return either(a, b, a < b); });
    case kPow: return rows([](float a, float b) { return pow_value(static_cast<double>(a), static_cast<double>(b)); });
    case kFloorDiv: return rows([](float a, float b) { return floor_value(a / b); });
    case kFloorMod: return rows([](float a, float b) { return floor_mod_value(a, b); });
    case kSquaredDifference: return rows([](float a, float b) { return (a - b) * (a - b); });
    case kPrelu: return rows([](float a, float b) { return a >= 0.0f ? a : a * b; });
    default: return compare<float>(args, p);
  }
}

template <class T, class U>
inline T floor_div_value(T a, T b) {
  if (b == 0) return 0;
  if (b == -1) return static_cast<T>(U{0} - static_cast<U>(a));
  const T quotient = static_cast<T>(a / b);
  return static_cast<T>(quotient - (a % b != 0 && (a < 0) != (b < 0)));
}

// By squaring, modulo 2^n; negative powers are toward zero.
template <class T, class U>
inline T integer_power(T a, T b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? T{-1} : T{1}) : 0;
  U result = 1, base = static_cast<U>(a);
  for (U power = static_cast<U>(b); power != 0; power >>= 1, base *= base)
    if (power & 1) result *= base;
  return static_cast<T>(result);
}

template <class T, class U>
inline void binary_integers(const OctetArgs* args, const Binary& p) {
  const auto rows = [&](auto f) { binary_rows<T, T>(args, p, [f](T a, T b) { return static_cast<T>(f(a, b)); }); };
  switch (p.op) {
    case kAdd: return rows([](T a, T b) { return static_cast<U>(a) + static_cast<U>(b); });
    case kSub: return rows([](T a, T b) { return static_cast<U>(a) - static_cast<U>(b); });
    case kMul: return rows([](T a, T b) { return static_cast<U>(a) * static_cast<U>(b); });
    case kDiv:
      return rows([](T a, T b) {
        return b == 0 ? T{0} : b == -1 ? static_cast<T>(U{0} - static_cast<U>(a)) : static_cast<T>(a / b);
      });
    case kMaximum: return rows([](T a, T b) { return a > b ? a : b; });
    case kMinimum: return rows([](T a, T b) { return a < b ? a : b; });
    case kPow: return rows(integer_power<T, U>);
    case kFloorDiv: return rows(floor_div_value<T, U>);
    case kFloorMod:
      return rows(
          [](T a, T b) { return static_cast<U>(a) - static_cast<U>(floor_div_value<T, U>(a, b)) * static_cast<U>(b); });
    case kSquaredDifference:
      return rows([](T a, T b) {
        const U difference = static_cast<U>(a) - static_cast<U>(b);
        return difference * difference;
      });
    case kPrelu:
      return rows([](T a, T b) { return a >= 0 ? static_cast<U>(a) : static_cast<U>(a) * static_cast<U>(b); });
    default: return compare<T>(args, p);
  }
}

// Booleans: any byte but 0 is true.
inline void binary_booleans(const OctetArgs* args, const Binary& p) {
  const auto rows = [&](auto f) {
    binary_rows<uint8_t, uint8_t>(args, p, [f](uint8_t a, uint8_t b) { return f(a != 0, b != 0); });
  };
  switch (p.op) {
    case kEqual: return rows([](bool a, bool b) { return a == b; });
    case kNotEqual:
    case kXor: return rows([](bool a, bool b) { return a != b; });
    case kAnd: return rows([](bool a, bool b) { return a && b; });
    case kOr: return rows([](bool a, bool b) { return a || b; });
    default: return;
  }
}

template <class Element>
inline void where(const OctetArgs* args, const Where& p) {
  const uint8_t* condition = in<uint8_t>(args, OCTET_WEIGHTS);
  const Element *a = in<Element>(args, OCTET_SRC), *b = in<Element>(args, OCTET_SRC2);
  Element* y = out<Element>(args);
  constexpr int32_t kLast = kRank - 1;
  for_each_row(p.dims, p.condition, p.a, p.b, [&](int64_t dst, int64_t at, int64_t at_a, int64_t at_b) {
    for (int64_t i = 0; i < p.dims[kLast]; ++i)
      y[dst + i] = condition[at + i * p.condition[kLast]] ? a[at_a + i * p.a[kLast]] : b[at_b + i * p.b[kLast]];
  });
}

}  // namespace
}  // namespace octet_float

OCTET_FLOAT void octet_float_unary(const OctetArgs* args) {
  using namespace octet_float;
  const Unary p = params<Unary>(args);
  switch (p.type) {
    case kF32: return unary_floats(args, p);
    case kS32: return unary_integers<int32_t, uint32_t>(args, p);
    case kS64: return unary_integers<int64_t, uint64_t>(args, p);
    default: break;
  }
  const uint8_t* x = in<uint8_t>(args, OCTET_SRC);  // logical_not
  uint8_t* y = out<uint8_t>(args);
  for (int64_t i = 0; i < p.count; ++i) y[i] = x[i] == 0;
}

OCTET_FLOAT void octet_float_cast(const OctetArgs* args) {
  using namespace octet_float;
  const Cast p = params<Cast>(args);
  switch (p.from) {
    case kF32: return cast_from<float>(args, p);
    case kS8: return cast_from<int8_t>(args, p);
    case kS32: return cast_from<int32_t>(args, p);
    case kS64: return cast_from<int64_t>(args, p);
    default: return cast_from<uint8_t>(args, p);
  }
}

OCTET_FLOAT void octet_float_binary(const OctetArgs* args) {
  using namespace octet_float;
  const Binary p = params<Binary>(args);
  switch (p.type) {
    case kF32: return binary_floats(args, p);
    case kS32: return binary_integers<int32_t, uint32_t>(args, p);
    case kS64: return binary_integers<int64_t, uint64_t>(args, p);
    default: return binary_booleans(args, p);
  }
}

OCTET_FLOAT void octet_float_where(const OctetArgs* args) {
  using namespace octet_float;
  const Where p = params<Where>(args);
  switch (p.bytes) {
    case 1: return where<uint8_t>(args, p);
    case 4: return where<uint32_t>(args, p);
    default: return where<uint64_t>(args, p);
  }
}

#endif
