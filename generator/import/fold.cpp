#include "generator/import/fold.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace octet::importing {
namespace {

template <class To, class From>
std::vector<std::byte> converted(const NodeInputs& n, const Tensor& t) {
  std::vector<std::byte> bytes(static_cast<size_t>(element_count(t.shape)) * sizeof(To));
  std::byte* to = bytes.data();
  for (const From v : t.values<From>()) {
    To r;
    if constexpr (std::is_same_v<To, bool>) {
      r = v != From{};
    } else if constexpr (std::is_same_v<From, float> && std::is_integral_v<To>) {
      const double d = std::trunc(static_cast<double>(v));
      // 2^63 itself is no s64: the limit is exclusive where it does not fit a double.
      const double top = std::ldexp(1.0, std::numeric_limits<To>::digits);
      if (!(d >= static_cast<double>(std::numeric_limits<To>::min()) && d < top))
        n.fail(fmt::format("value {} does not fit the type cast to", v));
      r = static_cast<To>(d);
    } else {
      r = static_cast<To>(v);
    }
    std::memcpy(to, &r, sizeof(To));
    to += sizeof(To);
  }
  return bytes;
}

template <class From>
std::vector<std::byte> converted_to(const NodeInputs& n, const Tensor& t, DType to) {
  switch (to) {
    case DType::f32: return converted<float, From>(n, t);
    case DType::u8: return converted<uint8_t, From>(n, t);
    case DType::s8: return converted<int8_t, From>(n, t);
    case DType::s32: return converted<int32_t, From>(n, t);
    case DType::s64: return converted<int64_t, From>(n, t);
    case DType::boolean: break;
  }
  return converted<bool, From>(n, t);
}

// False where there is no result: overflow, division by zero.
template <class T>
bool compute(OpKind op, T a, T b, T& r) {
  if (op == OpKind::maximum || op == OpKind::minimum) {
    r = (op == OpKind::maximum) == (a > b) ? a : b;
    return true;
  }
  if constexpr (std::is_same_v<T, float>) {
    switch (op) {
      case OpKind::add: r = a + b; break;
      case OpKind::sub: r = a - b; break;
      case OpKind::mul: r = a * b; break;
      case OpKind::div: r = a / b; break;
      case OpKind::pow: r = std::pow(a, b); break;
      default: return false;
    }
    return true;
  } else {
    switch (op) {
      case OpKind::add: return !__builtin_add_overflow(a, b, &r);
      case OpKind::sub: return !__builtin_sub_overflow(a, b, &r);
      case OpKind::mul: return !__builtin_mul_overflow(a, b, &r);
      case OpKind::pow:
        if (b < 0 || b > 63) return false;
        r = 1;
        for (T k = 0; k < b; ++k)
          if (__builtin_mul_overflow(r, a, &r)) return false;
        return true;
      default: break;
    }
    if (b == 0 || (b == -1 && a == std::numeric_limits<T>::min())) return false;
    const T rest = static_cast<T>(a % b);
    r = static_cast<T>(op == OpKind::div ? a / b : rest == 0 || (rest < 0) == (b < 0) ? rest : rest + b);
    return op == OpKind::div || op == OpKind::floor_mod;
  }
}

template <class T>
bool related(Relation relation, T a, T b) {
  switch (relation) {
    case Relation::equal: return a == b;
    case Relation::not_equal: return a != b;
    case Relation::less: return a < b;
    case Relation::less_equal: return a <= b;
    case Relation::greater: return a > b;
    case Relation::greater_equal: break;
  }
  return a >= b;
}

bool connected(Connective connective, bool a, bool b) {
  return connective == Connective::all ? a && b : connective == Connective::any ? a || b : a != b;
}

template <class T>
std::vector<std::byte> combined_as(const NodeInputs& n, const Node& like, const Tensor& left, const Tensor& right,
                                   const Shape& shape) {
  const std::vector<std::byte> a = repeated(left, shape), b = repeated(right, shape);
  const size_t count = a.size() / sizeof(T);
  const bool truth = like.op == OpKind::compare || like.op == OpKind::logic;
  std::vector<std::byte> out(count * (truth ? 1 : sizeof(T)));
  for (size_t i = 0; i < count; ++i) {
    T x, y, r{};
    std::memcpy(&x, a.data() + i * sizeof(T), sizeof(T));
    std::memcpy(&y, b.data() + i * sizeof(T), sizeof(T));
    if (like.op == OpKind::compare) {
      out[i] = static_cast<std::byte>(related(like.relation, x, y));
    } else if (like.op == OpKind::logic) {
      out[i] = static_cast<std::byte>(connected(like.connective, x != T{}, y != T{}));
    } else {
      if (!compute(like.op, x, y, r)) n.fail(fmt::format("constants {} {} {} have no result", x, op_name(like.op), y));
      std::memcpy(out.data() + i * sizeof(T), &r, sizeof(T));
    }
  }
  return out;
}

}  // namespace

std::vector<std::byte> cast_values(const NodeInputs& n, const Tensor& t, DType to) {
  switch (t.dtype) {
    case DType::f32: return converted_to<float>(n, t, to);
    case DType::u8:
    case DType::boolean: return converted_to<uint8_t>(n, t, to);
    case DType::s8: return converted_to<int8_t>(n, t, to);
    case DType::s32: return converted_to<int32_t>(n, t, to);
    case DType::s64: break;
  }
  return converted_to<int64_t>(n, t, to);
}

std::vector<std::byte> repeated(const Tensor& t, const Shape& shape) {
  Ints strides = row_major_strides(t.shape);
  for (size_t d = 0; d < strides.size(); ++d)
    if (t.shape[d] == 1) strides[d] = 0;
  strides.insert(strides.begin(), shape.size() - strides.size(), 0);
  return strided_copy(t, shape, 0, strides);
}

std::vector<std::byte> combined(const NodeInputs& n, const Node& like, const Tensor& a, const Tensor& b,
                                const Shape& shape) {
  switch (a.dtype) {
    case DType::f32: return combined_as<float>(n, like, a, b, shape);
    case DType::s32: return combined_as<int32_t>(n, like, a, b, shape);
    case DType::s64: return combined_as<int64_t>(n, like, a, b, shape);
    case DType::boolean:
      if (like.op == OpKind::logic) return combined_as<int8_t>(n, like, a, b, shape);
      break;
    default: break;
  }
  n.fail(fmt::format("arithmetic on {} constants; supported: f32, s32, s64", dtype_name(a.dtype)));
}

std::vector<std::byte> joined(const std::vector<const Tensor*>& pieces, int64_t outer) {
  std::vector<std::byte> bytes;
  for (int64_t o = 0; o < outer; ++o)
    for (const Tensor* t : pieces) {
      const size_t row = t->data->size() / static_cast<size_t>(outer);
      const std::byte* from = t->data->data() + static_cast<size_t>(o) * row;
      bytes.insert(bytes.end(), from, from + row);
    }
  return bytes;
}

}  // namespace octet::importing
