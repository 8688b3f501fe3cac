// The meaning of a graph in binary64, op by op, in the file's order.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "generator/kernel/lut.h"
#include "generator/passes/edit.h"
#include "runtime/status.h"
#include "tests/support/island_case.h"
#include "tests/support/net.h"

namespace octet {
namespace {

using Values = std::vector<double>;
using Index = std::vector<int64_t>;

int64_t flat(const Index& at, const Shape& shape) {
  int64_t i = 0;
  for (size_t d = 0; d < shape.size(); ++d) i = i * shape[d] + at[d];
  return i;
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

class Evaluator {
 public:
  Evaluator(const Graph& graph, const Arrays& inputs) : graph_(graph), values_(graph.tensors.size()) {
    for (size_t i = 0; i < inputs.size(); ++i) values_[static_cast<size_t>(graph.inputs[i])] = inputs[i];
    for (size_t t = 0; t < graph.tensors.size(); ++t)
      if (graph.tensors[t].is_constant()) values_[t] = constant(graph.tensors[t]);
  }

  Arrays run() {
    for (const Node& n : graph_.nodes) evaluate(n);
    Arrays out;
    for (TensorId t : graph_.outputs) out.push_back(of(t));
    return out;
  }

 private:
  static Values constant(const Tensor& t) {
    if (t.dtype == DType::f32) return {t.values<float>().begin(), t.values<float>().end()};
    if (t.dtype == DType::s64) return {t.values<int64_t>().begin(), t.values<int64_t>().end()};
    if (t.dtype == DType::boolean) return {t.values<uint8_t>().begin(), t.values<uint8_t>().end()};
    const std::vector<int32_t> q = integers(t);
    return {q.begin(), q.end()};
  }

  const Shape& shape(TensorId t) const { return graph_.tensor(t).shape; }
  Values& of(TensorId t) { return values_[static_cast<size_t>(t)]; }
  double at(TensorId t, const Index& i) { return of(t)[static_cast<size_t>(flat(i, shape(t)))]; }

  void fill(TensorId out, const std::function<double(const Index&)>& value) {
    Values v;
    each(shape(out), [&](const Index& i) { v.push_back(value(i)); });
    of(out) = std::move(v);
  }

  // Quantized add and mul take the zero point in before they round (numerics.md 2.3).
  double round_to(double x, const Tensor& t, bool zero_first) const {
    const double v = x / static_cast<double>(t.quant->scale[0]), zero = t.quant->zero_point[0];
    const double q = zero_first ? std::nearbyint(v + zero) : std::nearbyint(v) + zero;
    return std::clamp<double>(q, type_min(t.dtype), type_max(t.dtype));
  }

  // Whether t is a sum or product of two dequantized tensors, perhaps clamped.
  bool is_quantized_binary(TensorId t) const {
    const GraphIndex index(graph_);
    const auto producer = [&](TensorId id) {
      const int p = index.producer[static_cast<size_t>(id)];
      return p < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(p)];
    };
    const Node* n = producer(t);
    while (n && n->op == OpKind::unary) n = producer(n->inputs[0]);
    if (!n || (n->op != OpKind::add && n->op != OpKind::mul)) return false;
    return std::all_of(n->inputs.begin(), n->inputs.end(), [&](TensorId in) {
      const Node* p = producer(in);
      return p && p->op == OpKind::dequantize;
    });
  }

  void evaluate(const Node& n) {
    const TensorId x = n.inputs[0], y = n.outputs[0];
    const Tensor &in = graph_.tensor(x), &out = graph_.tensor(y);
    switch (n.op) {
      case OpKind::quantize: {
        const bool zero_first = is_quantized_binary(x);
        return fill(y, [&](const Index& i) { return round_to(at(x, i), out, zero_first); });
      }
      case OpKind::dequantize:
        return fill(y, [&](const Index& i) {
          const size_t c = in.quant->per_tensor() ? 0 : static_cast<size_t>(i[static_cast<size_t>(in.quant->axis)]);
          return (at(x, i) - in.quant->zero_point[c]) * static_cast<double>(in.quant->scale[c]);
        });
      case OpKind::conv: return conv(n);
      case OpKind::conv_transpose: return conv_transpose(n);
      case OpKind::linear: return linear(n);
      case OpKind::matmul: return matmul(n);
      case OpKind::max_pool:
      case OpKind::average_pool:
      case OpKind::global_average_pool: return pool(n);
      case OpKind::unary:
        return fill(y, [&](const Index& i) {
          return static_cast<double>(unary_value(n.function, n.alpha, n.beta, static_cast<float>(at(x, i))));
        });
      case OpKind::add: return binary(n, std::plus<>());
      case OpKind::sub: return binary(n, std::minus<>());
      case OpKind::mul: return binary(n, std::multiplies<>());
      case OpKind::div: return binary(n, std::divides<>());
      case OpKind::identity:
      case OpKind::reshape: of(y) = of(x); return;
      default: return move(n);
    }
  }

  double broadcast(TensorId t, const Index& i) {  // from the right
    Index own(i.end() - static_cast<int64_t>(shape(t).size()), i.end());
    for (size_t d = 0; d < own.size(); ++d) own[d] = std::min(own[d], shape(t)[d] - 1);
    return at(t, own);
  }

  void binary(const Node& n, const std::function<double(double, double)>& f) {
    fill(n.outputs[0], [&](const Index& i) { return f(broadcast(n.inputs[0], i), broadcast(n.inputs[1], i)); });
  }

  // n, c, h, w; rank 3 is n, c, w.
  double pixel(TensorId t, int64_t n, int64_t c, int64_t h, int64_t w) {
    return shape(t).size() == 4 ? at(t, {n, c, h, w}) : at(t, {n, c, w});
  }

  bool tap(const Window& w, const Shape& x, const Index& y, int ky, int kx, int64_t& ih, int64_t& iw) const {
    const bool flat_image = x.size() == 3;
    ih = (flat_image ? 0 : y[2]) * w.stride_h - w.pad_top + ky * w.dilation_h;
    iw = y.back() * w.stride_w - w.pad_left + kx * w.dilation_w;
    return ih >= 0 && ih < (flat_image ? 1 : x[2]) && iw >= 0 && iw < x.back();
  }

  void conv(const Node& n) {
    const TensorId x = n.inputs[0], w = n.inputs[1];
    const int64_t oc = shape(w)[0], ic = shape(w)[1], per_group = oc / n.group;
    fill(n.outputs[0], [&](const Index& y) {
      double sum = n.inputs.size() > 2 ? of(n.inputs[2])[static_cast<size_t>(y[1])] : 0.0;
      for (int ky = 0; ky < n.window.kh; ++ky)
        for (int kx = 0; kx < n.window.kw; ++kx)
          for (int64_t c = 0; c < ic; ++c)
            if (int64_t ih, iw; tap(n.window, shape(x), y, ky, kx, ih, iw))
              sum += pixel(x, y[0], y[1] / per_group * ic + c, ih, iw) * pixel(w, y[1], c, ky, kx);
      return sum;
    });
  }

  // Every input scatters its products; the pads crop what they make.
  void conv_transpose(const Node& n) {
    const TensorId x = n.inputs[0], w = n.inputs[1], y = n.outputs[0];
    const int64_t per_group = shape(w)[1], ic = shape(x)[1] / n.group;
    fill(y, [&](const Index& i) { return n.inputs.size() > 2 ? of(n.inputs[2])[static_cast<size_t>(i[1])] : 0.0; });
    const Shape &in = shape(x), &out = shape(y);
    std::vector<double>& sums = of(y);
    const auto scatter = [&](const Index& from, int64_t oh, int64_t ow, int ky, int kx) {
      for (int64_t c = 0; c < per_group; ++c) {
        const int64_t to = from[1] / ic * per_group + c;
        sums[static_cast<size_t>(((from[0] * out[1] + to) * out[2] + oh) * out[3] + ow)] +=
            at(x, from) * at(w, {from[1], c, ky, kx});
      }
    };
    const Window& v = n.window;
    for (Index from(4, 0); from[0] < in[0]; ++from[0])
      for (from[1] = 0; from[1] < in[1]; ++from[1])
        for (from[2] = 0; from[2] < in[2]; ++from[2])
          for (from[3] = 0; from[3] < in[3]; ++from[3])
            for (int ky = 0; ky < v.kh; ++ky)
              for (int kx = 0; kx < v.kw; ++kx) {
                const int64_t oh = from[2] * v.stride_h - v.pad_top + ky * v.dilation_h;
                const int64_t ow = from[3] * v.stride_w - v.pad_left + kx * v.dilation_w;
                if (oh >= 0 && oh < out[2] && ow >= 0 && ow < out[3]) scatter(from, oh, ow, ky, kx);
              }
  }

  void linear(const Node& n) {
    const TensorId x = n.inputs[0], w = n.inputs[1];
    fill(n.outputs[0], [&](const Index& y) {
      double sum = n.inputs.size() > 2 ? of(n.inputs[2])[static_cast<size_t>(y.back())] : 0.0;
      Index i = y;
      for (int64_t k = 0; k < shape(w)[1]; ++k) {
        i.back() = k;
        sum += at(x, i) * at(w, {y.back(), k});
      }
      return sum;
    });
  }

  void matmul(const Node& n) {
    const TensorId a = n.inputs[0], b = n.inputs[1];
    fill(n.outputs[0], [&](const Index& y) {
      double sum = 0;
      Index row = y, column = y;
      for (int64_t k = 0; k < shape(a).back(); ++k) {
        row.back() = column[column.size() - 2] = k;
        sum += broadcast(a, row) * broadcast(b, column);
      }
      return sum;
    });
  }

  void pool(const Node& n) {
    const TensorId x = n.inputs[0];
    Window w = n.window;
    if (n.op == OpKind::global_average_pool)
      w = {.kh = shape(x).size() == 4 ? static_cast<int>(shape(x)[2]) : 1, .kw = static_cast<int>(shape(x).back())};
    fill(n.outputs[0], [&](const Index& y) {
      double sum = 0, largest = -1e300;
      int taps = 0;
      for (int ky = 0; ky < w.kh; ++ky)
        for (int kx = 0; kx < w.kw; ++kx)
          if (int64_t ih, iw; tap(w, shape(x), y, ky, kx, ih, iw)) {
            const double v = pixel(x, y[0], y[1], ih, iw);
            sum += v;
            largest = std::max(largest, v);
            ++taps;
          }
      return n.op == OpKind::max_pool ? largest : sum / (n.count_include_pad ? w.kh * w.kw : taps);
    });
  }

  void move(const Node& n) {
    const TensorId x = n.inputs[0];
    const auto axis = static_cast<size_t>(n.axis);
    int64_t begin = 0;
    switch (n.op) {
      case OpKind::transpose:
        return fill(n.outputs[0], [&](const Index& y) {
          Index i(y.size());
          for (size_t d = 0; d < y.size(); ++d) i[static_cast<size_t>(n.perm[d])] = y[d];
          return at(x, i);
        });
      case OpKind::slice:
        return fill(n.outputs[0], [&](Index y) {
          for (size_t d = 0; d < y.size(); ++d) y[d] = n.starts[d] + y[d] * n.steps[d];
          return at(x, y);
        });
      case OpKind::pad:
        if (n.pad_mode == PadMode::symmetric) return island(n);
        return fill(n.outputs[0], [&](Index y) {
          for (size_t d = 0; d < y.size(); ++d) {
            y[d] -= n.pads[d];
            const int64_t last = shape(x)[d] - 1;
            if (n.pad_mode == PadMode::edge) y[d] = std::clamp<int64_t>(y[d], 0, last);
            if (n.pad_mode == PadMode::reflect) y[d] = y[d] < 0 ? -y[d] : y[d] > last ? 2 * last - y[d] : y[d];
            if (y[d] < 0 || y[d] > last) return static_cast<double>(n.alpha);
          }
          return at(x, y);
        });
      case OpKind::split:
        for (TensorId out : n.outputs) {
          fill(out, [&](Index y) {
            y[axis] += begin;
            return at(x, y);
          });
          begin += shape(out)[axis];
        }
        return;
      case OpKind::concat:
        return fill(n.outputs[0], [&](Index y) {
          for (TensorId in : n.inputs) {
            if (y[axis] < shape(in)[axis]) return at(in, y);
            y[axis] -= shape(in)[axis];
          }
          internal_error("concat of less than its output");
        });
      default: return island(n);
    }
  }

  // As the table of ops outside of int8 has it.
  void island(const Node& n) {
    IslandCase c{.node = n, .channels_last = graph_.channels_last};
    IslandValues inputs;
    for (TensorId t : n.inputs) {
      c.inputs.push_back(t == kNoTensor ? IslandTensor{.absent = true}
                                        : IslandTensor{graph_.tensor(t).dtype, graph_.tensor(t).shape});
      inputs.push_back(t == kNoTensor ? Values() : of(t));
    }
    for (TensorId t : n.outputs) c.outputs.push_back({graph_.tensor(t).dtype, graph_.tensor(t).shape});
    const IslandValues outputs = island_meaning(c, inputs);
    for (size_t k = 0; k < outputs.size(); ++k) of(n.outputs[k]) = outputs[k];
  }

  const Graph& graph_;
  std::vector<Values> values_;
};

}  // namespace

Arrays evaluate(const Graph& graph, const Arrays& inputs) {
  return Evaluator(graph, inputs).run();
}

}  // namespace octet
