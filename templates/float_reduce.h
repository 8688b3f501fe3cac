// Ops outside of int8 that go through rows: reductions, softmax, normalization. See float_ops.h.
//
// Sums of floats are in binary64. Along neighbouring elements they are eight sums side by side, element i going to sum
// i % 8, joined in pairs at the end; across rows they are one sum per column, row by row.
#ifndef OCTET_FLOAT_REDUCE_H
#define OCTET_FLOAT_REDUCE_H

#include "float_ops.h"

namespace octet_float {
namespace {

constexpr int64_t kLanes = 8, kColumns = 64;

// How a reduction starts, takes in a value, and ends. A: what it adds up in.
template <class A, Reducer reducer>
struct Fold {
  static A first(A least, A most) {
    return reducer == kMax ? least : reducer == kMin ? most : reducer == kProd ? A{1} : A{0};
  }
  static A join(A a, A b) {
    switch (reducer) {
      case kMax: return b > a || b != b ? b : a;  // a NaN stays
      case kMin: return b < a || b != b ? b : a;
      case kProd: return static_cast<A>(a * b);
      default: return static_cast<A>(a + b);
    }
  }
};

// Calls each(offset) for every index of `dims`, the last of which is left to the caller where `but_last`.
template <class Each>
inline void for_each_offset(const int64_t* dims, const int64_t* strides, bool but_last, Each each) {
  int64_t at[kRank] = {}, offset = 0;
  for (;;) {
    each(offset);
    int32_t d = kRank - 1 - but_last;
    for (; d >= 0; --d) {
      offset += strides[d];
      if (++at[d] < dims[d]) break;
      offset -= strides[d] * dims[d];
      at[d] = 0;
    }
    if (d < 0) return;
  }
}

// T: the elements; A: the sums; U: sums that wrap (A itself for floats).
template <class T, class A, Reducer reducer>
inline A reduce_row(const T* x, const Reduce& p, A first) {
  using F = Fold<A, reducer>;
  A lanes[kLanes];
  for (A& lane : lanes) lane = first;
  const int64_t length = p.reduced[kRank - 1];
  for_each_offset(p.reduced, p.reduced_strides, true, [&](int64_t offset) {
    const T* row = x + offset;
    int64_t i = 0;
    for (; i + kLanes <= length; i += kLanes)
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] = F::join(lanes[lane], static_cast<A>(row[i + lane]));
    for (int64_t lane = 0; i + lane < length; ++lane) lanes[lane] = F::join(lanes[lane], static_cast<A>(row[i + lane]));
  });
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane) lanes[lane] = F::join(lanes[lane], lanes[lane + half]);
  return lanes[0];
}

template <class T, class A, Reducer reducer, class End>
inline void reduce(const OctetArgs* args, const Reduce& p, A least, A most, End end) {
  using F = Fold<A, reducer>;
  const T* x = in<T>(args, OCTET_SRC);
  T* y = out<T>(args);
  const A first = F::first(least, most);
  for_each_offset(p.kept, p.kept_strides, false, [&](int64_t kept) {
    if (p.inner == 1) {
      *y++ = end(reduce_row<T, A, reducer>(x + kept, p, first));
      return;
    }
    for (int64_t c = 0; c < p.inner; c += kColumns) {
      const int64_t width = p.inner - c < kColumns ? p.inner - c : kColumns;
      A sums[kColumns];
      for (A& sum : sums) sum = first;
      for_each_offset(p.reduced, p.reduced_strides, false, [&](int64_t offset) {
        const T* row = x + kept + offset + c;
        for (int64_t i = 0; i < width; ++i) sums[i] = F::join(sums[i], static_cast<A>(row[i]));
      });
      for (int64_t i = 0; i < width; ++i) *y++ = end(sums[i]);
    }
  });
}

inline int64_t reduced_count(const Reduce& p) {
  int64_t count = 1;
  for (const int64_t d : p.reduced) count *= d;
  return count;
}

inline void reduce_floats(const OctetArgs* args, const Reduce& p) {
  const double count = static_cast<double>(reduced_count(p));
  const auto plain = [](double v) { return settled(v); };
  switch (p.reducer) {
    case kSum: return reduce<float, double, kSum>(args, p, 0, 0, plain);
    case kMean: return reduce<float, double, kSum>(args, p, 0, 0, [count](double v) { return settled(v / count); });
    case kMax: return reduce<float, double, kMax>(args, p, -kInfinity, kInfinity, plain);
    case kMin: return reduce<float, double, kMin>(args, p, -kInfinity, kInfinity, plain);
    case kProd: return reduce<float, double, kProd>(args, p, 0, 0, plain);
    default: return;
  }
}

// Sums and products wrap; a mean is toward zero.
template <class T, class U>
inline void reduce_integers(const OctetArgs* args, const Reduce& p, T lowest, T highest) {
  const T count = static_cast<T>(reduced_count(p));
  const auto wrapped = [](U v) { return static_cast<T>(v); };
  const auto plain = [](T v) { return v; };
  switch (p.reducer) {
    case kSum: return reduce<T, U, kSum>(args, p, 0, 0, wrapped);
    case kMean:
      return reduce<T, U, kSum>(args, p, 0, 0, [count](U v) { return static_cast<T>(static_cast<T>(v) / count); });
    case kMax: return reduce<T, T, kMax>(args, p, lowest, highest, plain);
    case kMin: return reduce<T, T, kMin>(args, p, lowest, highest, plain);
    case kProd: return reduce<T, U, kProd>(args, p, 0, 0, wrapped);
    default: return;
  }
}

template <class T, class Index>
inline void arg(const OctetArgs* args, const Arg& p) {
  const T* x = in<T>(args, OCTET_SRC);
  Index* y = out<Index>(args);
  const Along a = p.along;
  for (int64_t o = 0; o < a.outer; ++o)
    for (int64_t i = 0; i < a.inner; ++i) {
      const T* row = x + o * a.length * a.inner + i;
      int64_t best = 0;
      for (int64_t k = 1; k < a.length; ++k) {
        const T v = row[k * a.inner], held = row[best * a.inner];
        if ((p.smallest ? v < held : v > held) || (p.last && v == held)) best = k;
      }
      y[o * a.inner + i] = static_cast<Index>(best);
    }
}

template <class T>
inline void arg_of(const OctetArgs* args, const Arg& p) {
  if (p.to == kS64) return arg<T, int64_t>(args, p);
  arg<T, int32_t>(args, p);
}

// One row, `step` elements apart.
inline void softmax_row(float* y, const float* x, int64_t length, int64_t step) {
  float largest = x[0];
  for (int64_t i = 1; i < length; ++i) largest = x[i * step] > largest ? x[i * step] : largest;
  double sum = 0;
  for (int64_t i = 0; i < length; ++i) {
    const float e = static_cast<float>(exp_of(static_cast<double>(x[i * step]) - static_cast<double>(largest)));
    y[i * step] = e;
    sum += static_cast<double>(e);
  }
  for (int64_t i = 0; i < length; ++i) y[i * step] = settled(static_cast<double>(y[i * step]) / sum);
}

inline void log_softmax_row(float* y, const float* x, int64_t length, int64_t step) {
  float largest = x[0];
  for (int64_t i = 1; i < length; ++i) largest = x[i * step] > largest ? x[i * step] : largest;
  const double shift = static_cast<double>(largest);
  double sum = 0;
  for (int64_t i = 0; i < length; ++i) sum += exp_of(static_cast<double>(x[i * step]) - shift);
  const double logarithm = log_value(sum);
  for (int64_t i = 0; i < length; ++i) y[i * step] = settled((static_cast<double>(x[i * step]) - shift) - logarithm);
}

struct Moments {
  double mean, scale;  // scale: 1 / sqrt(variance + epsilon)
};

inline double sum_lanes(const double* lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

inline Moments moments(const float* x, int64_t length, double epsilon) {
  double sums[kLanes] = {}, squares[kLanes] = {};
  for (int64_t i = 0; i < length; ++i) sums[i % kLanes] += static_cast<double>(x[i]);
  const double mean = sum_lanes(sums) / static_cast<double>(length);
  for (int64_t i = 0; i < length; ++i) {
    const double distance = static_cast<double>(x[i]) - mean;
    squares[i % kLanes] += distance * distance;
  }
  return {mean, rsqrt_value(sum_lanes(squares) / static_cast<double>(length) + epsilon)};
}

}  // namespace
}  // namespace octet_float

OCTET_FLOAT void octet_float_reduce(const OctetArgs* args) {
  using namespace octet_float;
  const Reduce p = params<Reduce>(args);
  switch (p.type) {
    case kF32: return reduce_floats(args, p);
    case kS32: return reduce_integers<int32_t, uint32_t>(args, p, INT32_MIN, INT32_MAX);
    default: return reduce_integers<int64_t, uint64_t>(args, p, INT64_MIN, INT64_MAX);
  }
}

OCTET_FLOAT void octet_float_arg(const OctetArgs* args) {
  using namespace octet_float;
  const Arg p = params<Arg>(args);
  switch (p.type) {
    case kF32: return arg_of<float>(args, p);
    case kS8: return arg_of<int8_t>(args, p);
    case kS32: return arg_of<int32_t>(args, p);
    case kS64: return arg_of<int64_t>(args, p);
    default: return arg_of<uint8_t>(args, p);
  }
}

OCTET_FLOAT void octet_float_softmax(const OctetArgs* args) {
  using namespace octet_float;
  const Softmax p = params<Softmax>(args);
  const Along a = p.along;
  for (int64_t o = 0; o < a.outer; ++o)
    for (int64_t i = 0; i < a.inner; ++i) {
      const int64_t at = o * a.length * a.inner + i;
      if (p.log)
        log_softmax_row(out<float>(args) + at, in<float>(args, OCTET_SRC) + at, a.length, a.inner);
      else
        softmax_row(out<float>(args) + at, in<float>(args, OCTET_SRC) + at, a.length, a.inner);
    }
}

OCTET_FLOAT void octet_float_norm(const OctetArgs* args) {
  using namespace octet_float;
  const Norm p = params<Norm>(args);
  const float *x = in<float>(args, OCTET_SRC), *gamma = in<float>(args, OCTET_SCALE),
              *beta = in<float>(args, OCTET_BIAS);
  float* y = out<float>(args);
  for (int64_t r = 0; r < p.rows; ++r, x += p.length, y += p.length) {
    const Moments m = moments(x, p.length, p.epsilon);
    for (int64_t j = 0; j < p.length; ++j) {
      const int64_t k = r % p.period * p.per_row + j / p.inner;
      const double normal = (static_cast<double>(x[j]) - m.mean) * m.scale;
      const double scaled = gamma ? normal * static_cast<double>(gamma[k]) : normal;
      y[j] = settled(beta ? scaled + static_cast<double>(beta[k]) : scaled);
    }
  }
}

#endif
