#include "generator/cli/difference.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace octet::cli {
namespace {

double value_at(const Array& a, size_t i) {
  switch (a.dtype) {
    case DType::f32: return static_cast<double>(a.values<float>()[i]);
    case DType::s8: return a.values<int8_t>()[i];
    case DType::s32: return a.values<int32_t>()[i];
    case DType::s64: return static_cast<double>(a.values<int64_t>()[i]);
    case DType::u8:
    case DType::boolean: return a.values<uint8_t>()[i];
  }
  return 0;
}

bool is_byte(DType t) {
  return t == DType::u8 || t == DType::s8;
}

// The ends of what a quantized tensor can hold, in its own integers.
double least(DType t) {
  return t == DType::s8 ? -128 : 0;
}

std::string place_of(size_t index, const std::vector<int64_t>& shape) {
  std::vector<size_t> at(shape.size());
  for (size_t d = shape.size(); d-- > 0; index /= static_cast<size_t>(shape[d]))
    at[d] = index % static_cast<size_t>(shape[d]);
  return fmt::format("[{}]", fmt::join(at, ","));
}

bool same_number(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

}  // namespace

void Difference::add(const Values& va, const Values& vb) {
  const Array &a = va.array, &b = vb.array;
  const int64_t run = runs_++;
  if (a.shape != b.shape) {
    unlike = fmt::format("shape {} against {}", dims_text(a.shape), dims_text(b.shape));
    return;
  }
  const bool known = va.scale > 0 || vb.scale > 0;
  const bool both_known = va.scale > 0 && vb.scale > 0;
  const bool same_grid = !both_known || (va.scale == vb.scale && va.zero_point == vb.zero_point);
  const bool as_integers = a.dtype == b.dtype && a.dtype != DType::f32 && same_grid;
  if (!as_integers && (is_byte(a.dtype) || is_byte(b.dtype)) &&
      ((is_byte(a.dtype) && va.scale <= 0) || (is_byte(b.dtype) && vb.scale <= 0))) {
    unlike = fmt::format("{} against {}, and the scale is not known", dtype_name(a.dtype), dtype_name(b.dtype));
    return;
  }
  known_zero = !is_byte(a.dtype) || !as_integers || known;
  in_quanta = as_integers || known;
  // real = scale * (q - zero); integers count in quanta.
  const Values& grid = va.scale > 0 ? va : vb;
  const double zero_a = as_integers && is_byte(a.dtype) ? grid.zero_point : va.zero_point;
  const double zero_b = as_integers && is_byte(a.dtype) ? grid.zero_point : vb.zero_point;
  const double scale_a = as_integers || va.scale <= 0 ? 1 : static_cast<double>(va.scale);
  const double scale_b = as_integers || vb.scale <= 0 ? 1 : static_cast<double>(vb.scale);
  const double quantum = as_integers || !known ? 1 : std::max<double>(va.scale, vb.scale);
  // Reals that a quantizer would round to the same integer are no difference; 1e-4: those that lie at a tie.
  const double tolerance = as_integers || !known ? 0 : 0.5 * quantum * (1 + 1e-4);
  // What the type of one side can hold, in reals.
  const auto beyond = [](double real, const Values& v) {
    const double lo = (least(v.array.dtype) - v.zero_point) * static_cast<double>(v.scale);
    return real < lo || real > lo + 255 * static_cast<double>(v.scale);
  };
  // An end that means zero is what a fused Relu leaves.
  const auto at_end = [&](double q, DType t, double zero) {
    return (q == least(t) || q == least(t) + 255) && (!known || q != zero);
  };
  const auto n = static_cast<size_t>(a.elements());
  for (size_t i = 0; i < n; ++i) {
    const double qa = value_at(a, i), qb = value_at(b, i);
    const double x = scale_a * (qa - zero_a), y = scale_b * (qb - zero_b);
    if (is_byte(a.dtype)) saturated_a_ += b.dtype == DType::f32 ? beyond(qb, va) : at_end(qa, a.dtype, zero_a);
    if (is_byte(b.dtype)) saturated_b_ += a.dtype == DType::f32 ? beyond(qa, vb) : at_end(qb, b.dtype, zero_b);
    aa_ += x * x;
    bb_ += y * y;
    ab_ += x * y;
    if (same_number(x, y)) continue;
    const double distance = std::fabs(x - y);
    noise_ += distance * distance;
    if (std::isnan(distance)) most = std::numeric_limits<double>::infinity();
    most = std::max(most, distance / quantum);
    if (distance <= tolerance) continue;
    if (differing++ == 0)
      first = fmt::format("{}{}: {:.7g} against {:.7g}", run > 0 ? fmt::format("run {} ", run) : "",
                          place_of(i, a.shape), as_integers ? qa : x, as_integers ? qb : y);
  }
  values += static_cast<int64_t>(n);
}

double Difference::sqnr() const {
  if (!known_zero) return std::numeric_limits<double>::quiet_NaN();
  if (noise_ == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(aa_ / noise_);
}

double Difference::cosine() const {
  if (!known_zero) return std::numeric_limits<double>::quiet_NaN();
  if (aa_ == 0 && bb_ == 0) return 1;
  return aa_ == 0 || bb_ == 0 ? 0 : ab_ / std::sqrt(aa_ * bb_);
}

}  // namespace octet::cli
