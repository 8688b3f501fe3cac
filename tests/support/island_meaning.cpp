// The definitions of ops outside of int8, written for reading.
#include <algorithm>
#include <cmath>
#include <functional>

#include "generator/kernel/lut.h"
#include "runtime/status.h"
#include "tests/support/island_case.h"

namespace octet {
namespace {

using Index = std::vector<int64_t>;
using Values = std::vector<double>;

size_t flat(const Index& at, const Shape& shape) {
  int64_t i = 0;
  for (size_t d = 0; d < shape.size(); ++d) i = i * shape[d] + at[d];
  return static_cast<size_t>(i);
}

void each(const Shape& shape, const std::function<void(const Index&)>& body) {
  Index at(shape.size(), 0);
  for (int64_t k = element_count(shape); k > 0; --k) {
    body(at);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
}

double unary(const Node& n, DType dtype, double x) {
  if (std::isnan(x)) return x;
  switch (n.function) {
    case Unary::silu:
    case Unary::gelu:
      if (x == -INFINITY) return -0.0;
      return static_cast<double>(unary_value(n.function, n.alpha, n.beta, static_cast<float>(x)));
    case Unary::square: return x * x;
    case Unary::rsqrt: return 1 / std::sqrt(x);
    case Unary::floor: return std::floor(x);
    case Unary::ceil: return std::ceil(x);
    case Unary::round: return std::nearbyint(x);
    case Unary::sin: return std::sin(x);
    case Unary::cos: return std::cos(x);
    case Unary::sign: return x > 0 ? 1 : x < 0 ? -1 : x;
    case Unary::logical_not: return x == 0;
    case Unary::log: return std::log(x);
    case Unary::sqrt: return std::sqrt(x);
    case Unary::relu: return std::max(x, 0.0);
    default:
      return dtype == DType::f32 ? static_cast<double>(unary_value(n.function, n.alpha, n.beta, static_cast<float>(x)))
             : n.function == Unary::neg ? -x
                                        : std::fabs(x);
  }
}

double binary(const Node& n, DType dtype, double a, double b) {
  const bool real = dtype == DType::f32;
  switch (n.op) {
    case OpKind::add: return a + b;
    case OpKind::sub: return a - b;
    case OpKind::mul: return a * b;
    case OpKind::div: return real ? a / b : b == 0 ? 0 : std::trunc(a / b);
    case OpKind::maximum: return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
    case OpKind::minimum: return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
    case OpKind::pow: return real ? std::pow(a, b) : std::trunc(std::pow(a, b));
    case OpKind::floor_div:
      return real ? std::floor(static_cast<double>(static_cast<float>(a / b))) : b == 0 ? 0 : std::floor(a / b);
    case OpKind::floor_mod: {
      if (!real && b == 0) return a;
      const double r = std::fmod(a, b);
      return r != 0 && (r < 0) != (b < 0) ? r + b : r;
    }
    case OpKind::squared_difference: return (a - b) * (a - b);
    case OpKind::prelu: return a >= 0 ? a : a * b;
    case OpKind::compare:
      switch (n.relation) {
        case Relation::equal: return a == b;
        case Relation::not_equal: return a != b;
        case Relation::less: return a < b;
        case Relation::less_equal: return a <= b;
        case Relation::greater: return a > b;
        default: return a >= b;
      }
    case OpKind::logic:
      return n.connective == Connective::all ? a && b : n.connective == Connective::any ? a || b : (a != 0) != (b != 0);
    default: internal_error(std::string("island_meaning: no ") + op_name(n.op));
  }
}

class Meaning {
 public:
  Meaning(const IslandCase& c, const IslandValues& inputs) : c_(c), n_(c.node), in_(inputs) {}

  IslandValues run() {
    switch (n_.op) {
      case OpKind::unary: return fill([&](const Index& y) { return unary(n_, type(0), at(0, y)); });
      case OpKind::cast: return fill([&](const Index& y) { return cast(at(0, y)); });
      case OpKind::where:
        return fill([&](const Index& y) { return broadcast(0, y) != 0 ? broadcast(1, y) : broadcast(2, y); });
      case OpKind::matmul:
      case OpKind::integer_matmul: return matmul();
      case OpKind::linear: return linear();
      case OpKind::reduce: return reduce();
      case OpKind::arg: return arg();
      case OpKind::softmax:
      case OpKind::log_softmax: return softmax();
      case OpKind::layer_norm:
      case OpKind::instance_norm:
      case OpKind::group_norm: return norm();
      case OpKind::conv:
      case OpKind::conv_transpose:
      case OpKind::integer_conv:
      case OpKind::batch_norm:
      case OpKind::max_pool:
      case OpKind::average_pool:
      case OpKind::global_average_pool: return image();
      case OpKind::dynamic_quantize: return dynamic_quantize();
      case OpKind::resize: return resize();
      case OpKind::reshape:
      case OpKind::identity: return {in_[0]};
      case OpKind::transpose:
      case OpKind::slice:
      case OpKind::pad:
      case OpKind::concat:
      case OpKind::split:
      case OpKind::expand:
      case OpKind::tile:
      case OpKind::gather:
      case OpKind::gather_nd:
      case OpKind::depth_to_space:
      case OpKind::space_to_depth: return move();
      default: return fill([&](const Index& y) { return binary(n_, type(0), broadcast(0, y), broadcast(1, y)); });
    }
  }

 private:
  const Shape& shape(size_t k) const { return c_.inputs[k].shape; }
  const Shape& out() const { return c_.outputs[0].shape; }
  DType type(size_t k) const { return c_.inputs[k].dtype; }
  bool has(size_t k) const { return k < c_.inputs.size() && !c_.inputs[k].absent; }
  double at(size_t k, const Index& i) const { return in_[k][flat(i, shape(k))]; }
  double broadcast(size_t k, const Index& y) const {
    Index i(y.end() - static_cast<int64_t>(shape(k).size()), y.end());
    for (size_t d = 0; d < i.size(); ++d) i[d] = std::min(i[d], shape(k)[d] - 1);
    return at(k, i);
  }

  IslandValues fill(const std::function<double(const Index&)>& value) const {
    Values v;
    each(out(), [&](const Index& i) { v.push_back(value(i)); });
    return {v};
  }

  double cast(double x) const {
    switch (c_.outputs[0].dtype) {
      case DType::f32: return static_cast<double>(static_cast<float>(x));
      case DType::boolean: return x != 0;
      case DType::s32: return std::isnan(x) ? 0 : std::clamp(std::trunc(x), -2147483648.0, 2147483647.0);
      case DType::u8: return std::isnan(x) ? 0 : std::clamp(std::trunc(x), 0.0, 255.0);
      case DType::s8: return std::isnan(x) ? 0 : std::clamp(std::trunc(x), -128.0, 127.0);
      default: return std::isnan(x) ? 0 : std::clamp(std::trunc(x), -0x1p63, 0x1p63);
    }
  }

  IslandValues matmul() const {
    const int64_t depth = shape(0).back();
    const auto zero = [&](size_t k, int64_t i) {
      return !has(k) ? 0.0 : in_[k][in_[k].size() == 1 ? 0 : static_cast<size_t>(i)];
    };
    return fill([&](const Index& y) {
      double sum = 0;
      for (int64_t k = 0; k < depth; ++k) {
        Index a = y, b = y;
        a.back() = k;
        b[b.size() - 2] = k;
        const auto batch = [&](size_t which, Index i) {
          i.erase(i.begin(), i.end() - static_cast<int64_t>(shape(which).size()));
          for (size_t d = 0; d + 2 < i.size(); ++d) i[d] = std::min(i[d], shape(which)[d] - 1);
          return at(which, i);
        };
        sum += (batch(0, a) - zero(2, y[y.size() - 2])) * (batch(1, b) - zero(3, y.back()));
      }
      return sum;
    });
  }

  IslandValues linear() const {
    return fill([&](const Index& y) {
      double sum = has(2) ? in_[2][static_cast<size_t>(y.back())] : 0;
      Index x = y;
      for (int64_t k = 0; k < shape(1)[1]; ++k) {
        x.back() = k;
        sum += at(0, x) * at(1, {y.back(), k});
      }
      return sum;
    });
  }

  // The values of x whose kept indices are those of element k of the (flattened) output.
  IslandValues reduce() const {
    std::vector<Values> groups(static_cast<size_t>(element_count(out())));
    Shape kept = shape(0);
    for (int64_t a : n_.axes) kept[static_cast<size_t>(a)] = 1;
    each(shape(0), [&](Index i) {
      const double v = at(0, i);
      for (int64_t a : n_.axes) i[static_cast<size_t>(a)] = 0;
      groups[flat(i, kept)].push_back(v);
    });
    Values y;
    for (const Values& g : groups) {
      double v = g[0];
      for (size_t k = 1; k < g.size(); ++k) {
        switch (n_.reduction) {
          case Reduction::max: v = std::isnan(v) || std::isnan(g[k]) ? NAN : std::max(v, g[k]); break;
          case Reduction::min: v = std::isnan(v) || std::isnan(g[k]) ? NAN : std::min(v, g[k]); break;
          case Reduction::prod: v *= g[k]; break;
          default: v += g[k];
        }
      }
      if (n_.reduction == Reduction::mean) v /= static_cast<double>(g.size());
      y.push_back(type(0) == DType::f32 ? v : std::trunc(v));
    }
    return {y};
  }

  // Along node.axis of input 0: the row through index i.
  Values row(Index i, size_t axis) const {
    Values v;
    for (int64_t k = 0; k < shape(0)[axis]; ++k) {
      i[axis] = k;
      v.push_back(at(0, i));
    }
    return v;
  }

  IslandValues arg() const {
    const auto axis = static_cast<size_t>(n_.axis);
    Values y;
    Shape kept = shape(0);
    kept[axis] = 1;
    each(kept, [&](const Index& i) {
      const Values v = row(i, axis);
      size_t best = 0;
      for (size_t k = 1; k < v.size(); ++k) {
        const bool wins = n_.reduction == Reduction::min ? v[k] < v[best] : v[k] > v[best];
        if (wins || (n_.select_last && v[k] == v[best])) best = k;
      }
      y.push_back(static_cast<double>(best));
    });
    return {y};
  }

  IslandValues softmax() const {
    const auto axis = static_cast<size_t>(n_.axis);
    return fill([&](const Index& y) {
      const Values v = row(y, axis);
      const double most = *std::max_element(v.begin(), v.end());
      double sum = 0;
      for (double x : v) sum += std::exp(x - most);
      const double x = at(0, y) - most;
      return n_.op == OpKind::log_softmax ? x - std::log(sum) : std::exp(x) / sum;
    });
  }

  IslandValues norm() const {
    const Shape& x = shape(0);
    const bool layer = n_.op == OpKind::layer_norm;
    const int64_t groups = n_.op == OpKind::group_norm ? n_.group : layer ? 1 : x[1];
    const auto group_of = [&](const Index& i) {  // what is normalized together
      if (layer) return Index(i.begin(), i.begin() + n_.axis);
      return Index{i[0], i[1] / (x[1] / groups)};
    };
    const auto parameter = [&](size_t k, const Index& i, double otherwise) {
      if (!has(k)) return otherwise;
      if (!layer) return in_[k][static_cast<size_t>(i[1])];
      return in_[k][flat(Index(i.begin() + n_.axis, i.end()), Shape(x.begin() + n_.axis, x.end()))];
    };
    return fill([&](const Index& y) {
      double sum = 0, squares = 0, count = 0;
      const auto visit = [&](const std::function<void(double)>& f) {
        each(x, [&](const Index& i) {
          if (group_of(i) == group_of(y)) f(at(0, i));
        });
      };
      visit([&](double v) { sum += v, ++count; });
      visit([&](double v) { squares += (v - sum / count) * (v - sum / count); });
      const double normal = (at(0, y) - sum / count) / std::sqrt(squares / count + static_cast<double>(n_.alpha));
      return normal * parameter(1, y, 1) + parameter(2, y, 0);
    });
  }

  // n, c, h, w of a tensor's index, whatever its rank and order.
  struct Pixel {
    int64_t n, c, h, w;
  };
  Pixel pixel(const Index& i) const {
    const size_t r = i.size();
    if (r == 2) return {i[0], i[1], 0, 0};
    if (c_.channels_last) return {i[0], i.back(), r == 4 ? i[1] : 0, i[r - 2]};
    return {i[0], i[1], r == 4 ? i[2] : 0, i[r - 1]};
  }
  double x_at(Pixel p) const {
    const size_t r = shape(0).size();
    if (r == 2) return at(0, {p.n, p.c});
    if (r == 3) return c_.channels_last ? at(0, {p.n, p.w, p.c}) : at(0, {p.n, p.c, p.w});
    return c_.channels_last ? at(0, {p.n, p.h, p.w, p.c}) : at(0, {p.n, p.c, p.h, p.w});
  }
  Pixel sizes(const Shape& s) const {
    const Index last = s;
    Pixel p = pixel(last);
    p.h = std::max<int64_t>(p.h, 1), p.w = std::max<int64_t>(p.w, 1);
    return p;
  }

  IslandValues image() const {
    return fill([&](const Index& y) { return image_value(pixel(y)); });
  }

  double image_value(Pixel y) const {
    const Pixel x = sizes(shape(0)), o = sizes(out());
    if (n_.op == OpKind::batch_norm) {
      const auto p = [&](size_t k) { return in_[k][static_cast<size_t>(y.c)]; };
      return (x_at(y) - p(3)) / std::sqrt(p(4) + static_cast<double>(n_.alpha)) * p(1) + p(2);
    }
    const bool whole = n_.op == OpKind::global_average_pool;
    const bool pool = whole || n_.op == OpKind::max_pool || n_.op == OpKind::average_pool;
    const bool transposed = n_.op == OpKind::conv_transpose, integer = n_.op == OpKind::integer_conv;
    Window w = n_.window;
    if (whole) w = {.kh = static_cast<int>(x.h), .kw = static_cast<int>(x.w)};
    const int64_t ic = pool ? 1 : x.c / n_.group, oc = o.c / n_.group, group = pool ? y.c : y.c / oc;
    double sum = !pool && !integer && has(2) ? in_[2][static_cast<size_t>(y.c)] : 0, most = -INFINITY;
    int64_t taps = 0;
    const auto source = [&](int64_t at, int64_t k, int64_t stride, int64_t dilation, int64_t pad) -> int64_t {
      if (!transposed) return at * stride - pad + k * dilation;
      const int64_t i = at + pad - k * dilation;
      return i % stride ? -1 : i / stride;
    };
    for (int64_t c = 0; c < ic; ++c)
      for (int64_t ky = 0; ky < w.kh; ++ky)
        for (int64_t kx = 0; kx < w.kw; ++kx) {
          const int64_t h = source(y.h, ky, w.stride_h, w.dilation_h, w.pad_top);
          const int64_t v = source(y.w, kx, w.stride_w, w.dilation_w, w.pad_left);
          if (h < 0 || h >= x.h || v < 0 || v >= x.w) continue;
          const double value = x_at({y.n, group * ic + c, h, v});
          ++taps;
          most = std::max(most, value);
          if (pool) {
            sum += value;
            continue;
          }
          const int64_t row = transposed ? (group * ic + c) * oc + y.c % oc : y.c * ic + c;
          const double weight = in_[1][static_cast<size_t>((row * w.kh + ky) * w.kw + kx)];
          const double x_zero = integer && has(2) ? in_[2][0] : 0;
          const double w_zero = integer && has(3) ? in_[3][in_[3].size() == 1 ? 0 : static_cast<size_t>(y.c)] : 0;
          sum += (value - x_zero) * (weight - w_zero);
        }
    if (!pool) return sum;
    return n_.op == OpKind::max_pool ? most : sum / static_cast<double>(n_.count_include_pad ? w.kh * w.kw : taps);
  }

  IslandValues dynamic_quantize() const {
    float least = 0, most = 0;
    for (double v : in_[0]) {
      least = std::min(least, static_cast<float>(v));
      most = std::max(most, static_cast<float>(v));
    }
    const float scale = most > least ? (most - least) / 255.0f : 1.0f;
    const double zero = std::clamp(std::nearbyint(static_cast<double>(0.0f - least / scale)), 0.0, 255.0);
    Values q;
    for (double v : in_[0])
      q.push_back(std::clamp(std::nearbyint(static_cast<double>(static_cast<float>(v) / scale)) + zero, 0.0, 255.0));
    return {q, {static_cast<double>(scale)}, {zero}};
  }

  IslandValues resize() const {
    return fill([&](const Index& y) { return resized(y, Index(y.size()), 0); });
  }

  double resized(const Index& y, Index x, size_t d) const {
    if (d == y.size()) return at(0, x);
    const int64_t in = shape(0)[d], to = out()[d];
    const double scale = n_.resize.scales.empty() ? static_cast<double>(to) / static_cast<double>(in)
                                                  : static_cast<double>(n_.resize.scales[d]);
    const auto o = static_cast<double>(y[d]);
    double place = 0;
    switch (n_.resize.coordinates) {
      case Resize::Coordinates::asymmetric: place = o / scale; break;
      case Resize::Coordinates::align_corners:
        place = to == 1 ? 0 : o * static_cast<double>(in - 1) / static_cast<double>(to - 1);
        break;
      case Resize::Coordinates::tf_half_pixel_nearest: place = (o + 0.5) / scale; break;
      case Resize::Coordinates::half_pixel_symmetric: {
        const double middle = static_cast<double>(in) / 2, length = scale * static_cast<double>(in);
        place = middle * (1 - static_cast<double>(to) / length) + (o + 0.5) / scale - 0.5;
        break;
      }
      case Resize::Coordinates::pytorch_half_pixel: place = to == 1 ? 0 : (o + 0.5) / scale - 0.5; break;
      default: place = (o + 0.5) / scale - 0.5;
    }
    if (n_.resize.mode == Resize::Mode::nearest) {
      switch (n_.resize.nearest) {
        case Resize::Nearest::floor: place = std::floor(place); break;
        case Resize::Nearest::ceil: place = std::ceil(place); break;
        case Resize::Nearest::round_prefer_floor: place = std::ceil(place - 0.5); break;
        default: place = std::floor(place + 0.5);
      }
      x[d] = std::clamp<int64_t>(static_cast<int64_t>(place), 0, in - 1);
      return resized(y, x, d + 1);
    }
    if (n_.resize.mode == Resize::Mode::cubic || n_.resize.antialias) return weighted(y, x, d, place, scale);
    place = std::clamp(place, 0.0, static_cast<double>(in - 1));
    x[d] = static_cast<int64_t>(place);
    const double lo = resized(y, x, d + 1), part = place - static_cast<double>(x[d]);
    if (part == 0) return lo;
    ++x[d];
    return lo + (resized(y, x, d + 1) - lo) * part;
  }

  // The kernel around `place`, over all elements that it may reach.
  double weighted(const Index& y, Index x, size_t d, double place, double scale) const {
    const Resize& r = n_.resize;
    const bool cubic = r.mode == Resize::Mode::cubic;
    const double shrink = r.antialias ? std::min(scale, 1.0) : 1, a = static_cast<double>(r.cubic_a);
    const auto weight = [&](double t) {
      if (!cubic) return t < 1 ? 1 - t : 0.0;
      if (t <= 1) return (a + 2) * t * t * t - (a + 3) * t * t + 1;
      return t < 2 ? a * t * t * t - 5 * a * t * t + 8 * a * t - 4 * a : 0.0;
    };
    const int64_t in = shape(0)[d], reach = static_cast<int64_t>(2 / shrink) + 3;
    double sum = 0, weights = 0;
    for (int64_t i = static_cast<int64_t>(place) - reach; i <= static_cast<int64_t>(place) + reach; ++i) {
      const double w = weight(std::abs(static_cast<double>(i) - place) * shrink);
      if (w == 0 || (r.exclude_outside && (i < 0 || i >= in))) continue;
      x[d] = std::clamp<int64_t>(i, 0, in - 1);
      sum += w * resized(y, x, d + 1);
      weights += w;
    }
    return sum / weights;
  }

  static int64_t wrapped(double index, int64_t size) {
    const auto i = static_cast<int64_t>(index);
    return i < 0 ? i + size : i;
  }

  IslandValues move() const {
    const auto axis = static_cast<size_t>(n_.axis);
    switch (n_.op) {
      case OpKind::transpose:
        return fill([&](const Index& y) {
          Index i(y.size());
          for (size_t d = 0; d < y.size(); ++d) i[static_cast<size_t>(n_.perm[d])] = y[d];
          return at(0, i);
        });
      case OpKind::slice:
        return fill([&](Index y) {
          for (size_t d = 0; d < y.size(); ++d) y[d] = n_.starts[d] + y[d] * n_.steps[d];
          return at(0, y);
        });
      case OpKind::pad: return fill([&](const Index& y) { return padded(y); });
      case OpKind::expand: return fill([&](const Index& y) { return broadcast(0, y); });
      case OpKind::tile:
        return fill([&](Index y) {
          for (size_t d = 0; d < y.size(); ++d) y[d] %= shape(0)[d];
          return at(0, y);
        });
      case OpKind::concat:
        return fill([&](Index y) {
          size_t k = 0;
          for (; y[axis] >= shape(k)[axis]; ++k) y[axis] -= shape(k)[axis];
          return at(k, y);
        });
      case OpKind::split: return split(axis);
      case OpKind::gather:
        return fill([&](const Index& y) {
          const auto begin = y.begin() + n_.axis, end = begin + static_cast<int64_t>(shape(1).size());
          Index i(y.begin(), begin);
          i.push_back(wrapped(at(1, Index(begin, end)), shape(0)[axis]));
          i.insert(i.end(), end, y.end());
          return at(0, i);
        });
      case OpKind::gather_nd:
        return fill([&](const Index& y) {
          const auto lead = static_cast<int64_t>(shape(1).size()) - 1;
          Index tuple(y.begin(), y.begin() + lead), i;
          tuple.push_back(0);
          for (int64_t d = 0; d < shape(1).back(); ++d) {
            tuple.back() = d;
            i.push_back(wrapped(at(1, tuple), shape(0)[static_cast<size_t>(d)]));
          }
          i.insert(i.end(), y.begin() + lead, y.end());
          return at(0, i);
        });
      default: return blocks();
    }
  }

  double padded(Index y) const {
    for (size_t d = 0; d < y.size(); ++d) {
      y[d] -= n_.pads[d];
      const int64_t last = shape(0)[d] - 1;
      if (n_.pad_mode == PadMode::edge) y[d] = std::clamp<int64_t>(y[d], 0, last);
      if (n_.pad_mode == PadMode::reflect) y[d] = y[d] < 0 ? -y[d] : y[d] > last ? 2 * last - y[d] : y[d];
      if (n_.pad_mode == PadMode::symmetric) y[d] = y[d] < 0 ? -y[d] - 1 : y[d] > last ? 2 * last + 1 - y[d] : y[d];
      if (y[d] < 0 || y[d] > last) return static_cast<double>(n_.alpha);
    }
    return at(0, y);
  }

  IslandValues split(size_t axis) const {
    IslandValues all;
    int64_t begin = 0;
    for (const IslandTensor& piece : c_.outputs) {
      all.emplace_back();
      each(piece.shape, [&](Index y) {
        y[axis] += begin;
        all.back().push_back(at(0, y));
      });
      begin += piece.shape[axis];
    }
    return all;
  }

  IslandValues blocks() const {
    const int64_t b = n_.block;
    const size_t h = c_.channels_last ? 1 : 2, w = h + 1, c = c_.channels_last ? 3 : 1;
    return fill([&](const Index& y) {
      Index i = y;
      if (n_.op == OpKind::depth_to_space) {
        const int64_t channels = out()[c], row = y[h] % b, column = y[w] % b;
        i[h] = y[h] / b, i[w] = y[w] / b;
        i[c] = n_.column_row_depth ? (y[c] * b + row) * b + column : (row * b + column) * channels + y[c];
      } else {
        const int64_t channels = shape(0)[c], block = y[c] / channels;
        i[c] = y[c] % channels;
        i[h] = y[h] * b + block / b, i[w] = y[w] * b + block % b;
      }
      return at(0, i);
    });
  }

  const IslandCase& c_;
  const Node& n_;
  const IslandValues& in_;
};

}  // namespace

IslandValues island_meaning(const IslandCase& c, const IslandValues& inputs) {
  return Meaning(c, inputs).run();
}

}  // namespace octet
