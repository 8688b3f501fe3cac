#include "generator/kernel/lut.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "generator/kernel/requant.h"
#include "runtime/status.h"

namespace octet {
namespace {

float hard_sigmoid(float alpha, float beta, float x) {
  const float product = alpha * x;
  return std::min(1.0f, std::max(0.0f, product + beta));
}

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

double wide_value(Unary function, double alpha, double x) {
  switch (function) {
    case Unary::sigmoid: return sigmoid(x);
    case Unary::tanh: return std::tanh(x);
    case Unary::elu: return x >= 0 ? x : alpha * std::expm1(x);
    case Unary::exp: return std::exp(x);
    case Unary::erf: return std::erf(x);
    case Unary::silu: return x * sigmoid(x);
    case Unary::gelu:
      if (alpha != 0) return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
      return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    case Unary::softplus: return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    case Unary::log: return std::log(x);
    case Unary::sin: return std::sin(x);
    case Unary::cos: return std::cos(x);
    default: internal_error("a function without values");
  }
}

}  // namespace

float unary_value(Unary function, float alpha, float beta, float x) {
  switch (function) {
    case Unary::relu: return std::max(0.0f, x);
    case Unary::clip: return std::min(std::max(x, alpha), beta);
    case Unary::hard_sigmoid: return hard_sigmoid(alpha, beta, x);
    case Unary::hard_swish: return x * hard_sigmoid(1.0f / 6.0f, 0.5f, x);
    case Unary::leaky_relu: return x >= 0 ? x : alpha * x;
    case Unary::neg: return -x;
    case Unary::abs: return std::fabs(x);
    case Unary::sqrt: return std::sqrt(x);
    case Unary::reciprocal: return 1.0f / x;
    case Unary::rsqrt: return 1.0f / std::sqrt(x);
    case Unary::square: return x * x;
    case Unary::floor: return std::floor(x);
    case Unary::ceil: return std::ceil(x);
    case Unary::round: return static_cast<float>(std::nearbyint(x));
    case Unary::sign: return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f;
    case Unary::logical_not: return x == 0 ? 1.0f : 0.0f;
    default: return static_cast<float>(wide_value(function, alpha, x));
  }
}

Lut unary_table(Unary function, float alpha, float beta, const QuantView& src, const QuantView& dst, int lo, int hi) {
  Lut table{};
  for (size_t q = 0; q < table.size(); ++q)
    table[q] = quantize(unary_value(function, alpha, beta, dequantize(static_cast<uint8_t>(q), src)), dst, lo, hi);
  return table;
}

Lut requantize_table(const QuantView& src, const QuantView& dst, int lo, int hi) {
  Lut table{};
  for (size_t q = 0; q < table.size(); ++q) {
    const auto byte = static_cast<uint8_t>(q);
    table[q] =
        src == dst ? static_cast<uint8_t>(std::clamp<int>(byte, lo, hi)) : quantize(dequantize(byte, src), dst, lo, hi);
  }
  return table;
}

Lut compose(const Lut& first, const Lut& second) {
  Lut table{};
  for (size_t q = 0; q < table.size(); ++q) table[q] = second[first[q]];
  return table;
}

bool is_identity(const Lut& table) {
  for (size_t q = 0; q < table.size(); ++q)
    if (table[q] != q) return false;
  return true;
}

std::vector<float> softmax_table(float src_scale, int64_t length) {
  const float room = std::log(std::numeric_limits<float>::max() / static_cast<float>(length));
  const double scale = static_cast<double>(src_scale), top = std::max(0.0, static_cast<double>(room) - 5.0) / scale;
  std::vector<float> table(256);
  for (size_t d = 0; d < table.size(); ++d)
    table[d] = std::ldexp(static_cast<float>(std::exp((top - static_cast<double>(d)) * scale)), -32);
  return table;
}

float softmax_inverse(float dst_scale) {
  return std::floor(1.0f / dst_scale);
}

}  // namespace octet
