#include "tests/support/random_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "runtime/status.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/random.h"

namespace octet {
namespace {

using test::attr;
using test::Attr;
using test::Floats;
using test::Ints;

struct Quant {
  float scale = 1;
  int zero = 0;
};

struct Live {  // a tensor that layers may read: real values behind a DequantizeLinear
  std::string name;
  Ints shape;  // n, c, h, w or n, c
  Quant quant;
  int readers = 0;
};

class Maker {
 public:
  explicit Maker(const RandomModel& model) : profile_(model.profile), random_(model.seed), builder_(17) {
    signed_ = pick(2) == 1;
    signed_weights_ = signed_ || pick(3) != 0;
    const int planned = 2 + pick(9);
    const Ints shape = {1 + pick(2), 1 + pick(9), 3 + pick(9), 3 + pick(9)};
    const Quant quant = some_quant(0.5f);
    builder_.input("x", shape);
    add_live(dequantized(quantized("x", quant, "x_q"), quant, "x_d"), shape, quant);
    const int layers = model.layers > 0 ? std::min(model.layers, planned) : planned;
    for (int k = 0; k < layers; ++k) {
      layer_ = fmt::format("l{}", k);
      // A generator of its own for each layer: what one draws does not move the next.
      random_ = Random(model.seed * 1000003u + static_cast<uint32_t>(k));
      add_layer();
    }
    finish();
  }

  std::string bytes() const { return builder_.bytes(); }

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }
  float real(float lo, float hi) { return lo + (hi - lo) * static_cast<float>(random_() % 65536) / 65536; }
  int least() const { return signed_ ? -128 : 0; }

  Quant some_quant(float about) {
    const int kind = pick(6);
    const int zero = kind == 0 ? 0 : kind == 1 ? 255 : kind == 2 ? 128 : pick(256);
    return {about / 32 * (pick(4) == 0 ? 1.0f : real(0.5f, 2)), least() + zero};
  }

  std::string quantized(const std::string& x, Quant q, const std::string& name) {
    return signed_ ? builder_.quantize<int8_t>(x, q.scale, static_cast<int8_t>(q.zero), name)
                   : builder_.quantize<uint8_t>(x, q.scale, static_cast<uint8_t>(q.zero), name);
  }
  std::string dequantized(const std::string& q, Quant p, const std::string& name) {
    return signed_ ? builder_.dequantize<int8_t>(q, p.scale, static_cast<int8_t>(p.zero), name)
                   : builder_.dequantize<uint8_t>(q, p.scale, static_cast<uint8_t>(p.zero), name);
  }
  void add_live(const std::string& name, Ints shape, Quant quant) { live_.push_back({name, std::move(shape), quant}); }

  // The end of every layer: quantized as `quant`, dequantized for those that follow.
  void finish_layer(const std::string& real_result, Ints shape, Quant quant) {
    const std::string q = quantized(real_result, quant, real_result + "_q");
    add_live(dequantized(q, quant, real_result + "_d"), std::move(shape), quant);
  }

  // Mostly the newest.
  Live& source() { return live_[pick(3) == 0 ? random_() % live_.size() : live_.size() - 1]; }
  const std::string& read(Live& t) {
    ++t.readers;
    return t.name;
  }
  std::string named(const char* suffix) const { return layer_ + suffix; }

  void add_layer() {
    Live& x = source();
    const bool image = x.shape.size() == 4;
    switch (image ? pick(18) : 14 + pick(4)) {
      case 0:
      case 1:
      case 2:
      case 3: return conv(x, 1);
      case 4:
      case 5: return conv(x, x.shape[1]);
      case 6: return conv(x, x.shape[1] % 2 == 0 ? 2 : 1);
      case 7: return pool(x);
      case 8: return residual(x);
      case 9: return concat(x);
      case 10: return split(x);
      case 11: return pad(x);
      case 12: return slice(x);
      case 13: return global_pool(x);
      case 14: return binary(x);
      case 15: return linear(x);
      default: return unary(x);
    }
  }

  // Constant weights behind a DequantizeLinear, rows of axis 0 that need not have one scale; gives the scale.
  float weights(const std::string& name, const Ints& shape) {
    int64_t count = 1;
    for (const int64_t d : shape) count *= d;
    const int kind = pick(4);
    const bool per_channel = pick(2) == 0;
    const float scale = real(0.002f, 0.02f);
    const int zero = signed_weights_ ? 0 : pick(3) == 0 ? 255 * pick(2) : 100 + pick(60);
    const auto value = [&] {
      const int lo = signed_weights_ ? -128 : 0;
      if (kind == 0) return lo + 255 * pick(2);
      if (kind == 1) return std::clamp(zero + pick(9) - 4, lo, lo + 255);
      return pick(6) == 0 ? lo + 255 * pick(2) : lo + pick(256);
    };
    Floats scales(per_channel ? static_cast<size_t>(shape[0]) : 1, scale);
    if (per_channel)
      for (float& s : scales) s *= real(0.3f, 1);
    const Ints dims = per_channel ? Ints{shape[0]} : Ints{};
    builder_.constant<float>(name + "_s", dims, scales);
    if (signed_weights_)
      add_weights<int8_t>(name, shape, count, dims, scales.size(), zero, value);
    else
      add_weights<uint8_t>(name, shape, count, dims, scales.size(), zero, value);
    builder_.node("DequantizeLinear", {name + "_i", name + "_s", name + "_z"}, name, {attr("axis", 0)});
    return scale;
  }
  template <class T, class Value>
  void add_weights(const std::string& name, const Ints& shape, int64_t count, const Ints& dims, size_t scales, int zero,
                   Value value) {
    std::vector<T> values(static_cast<size_t>(count));
    for (T& v : values) v = static_cast<T>(value());
    builder_.constant<T>(name + "_i", shape, values);
    builder_.constant<T>(name + "_z", dims, std::vector<T>(scales, static_cast<T>(zero)));
  }

  // For a sum of `terms` products of x with weights of that scale.
  Quant for_sums(const Live& x, float weight_scale, int64_t terms) {
    return some_quant(32 * x.quant.scale * weight_scale * 80 * 80 * std::sqrt(static_cast<float>(terms)) / 100);
  }

  std::vector<std::string> with_bias(std::vector<std::string> inputs, int64_t oc, float spread) {
    if (pick(3) == 0) return inputs;
    Floats bias(static_cast<size_t>(oc));
    for (float& b : bias) b = pick(8) == 0 ? 40 * spread : real(-spread, spread);  // some channels stick at an end
    inputs.push_back(builder_.constant<float>(named("_b"), {oc}, bias));
    return inputs;
  }

  std::string activation(const std::string& x) {
    switch (pick(5)) {
      case 0: return builder_.node("Relu", {x}, x + "_relu");
      case 1:
        return builder_.node(
            "Clip", {x, builder_.scalar(x + "_lo", real(-2, 0)), builder_.scalar(x + "_hi", real(0, 6))}, x + "_clip");
      default: return x;
    }
  }

  void conv(Live& x, int64_t groups) {
    const Ints s = x.shape;
    const int64_t ic = s[1], oc = groups == ic && ic > 1 ? ic * (1 + pick(2)) : groups * (1 + pick(20));
    std::array<int64_t, 2> kernel{}, stride{}, dilation{}, before{}, after{}, out{};
    for (size_t d = 0; d < 2; ++d) {
      const int64_t in = s[d + 2];
      kernel[d] = 1 + pick(pick(2) == 0 ? 1 : 4);
      stride[d] = 1 + (pick(3) == 0);
      dilation[d] = 1 + (pick(5) == 0);
      before[d] = pick(static_cast<int>(kernel[d]));
      after[d] = pick(static_cast<int>(kernel[d]));
      const int64_t reach = (kernel[d] - 1) * dilation[d] + 1;
      if (in + before[d] + after[d] < reach) kernel[d] = 1, before[d] = after[d] = 0;
      out[d] = (in + before[d] + after[d] - ((kernel[d] - 1) * dilation[d] + 1)) / stride[d] + 1;
    }
    const float scale = weights(named("_w"), {oc, ic / groups, kernel[0], kernel[1]});
    const Quant quant = for_sums(x, scale, ic / groups * kernel[0] * kernel[1]);
    const std::string y =
        builder_.node("Conv", with_bias({read(x), named("_w")}, oc, 40 * quant.scale), named("_conv"),
                      {attr("group", static_cast<int>(groups)), attr("strides", Ints{stride[0], stride[1]}),
                       attr("dilations", Ints{dilation[0], dilation[1]}),
                       attr("pads", Ints{before[0], before[1], after[0], after[1]})});
    finish_layer(activation(y), {s[0], oc, out[0], out[1]}, quant);
  }

  void linear(Live& x) {
    const Ints s = x.shape;
    int64_t k = 1;
    for (size_t d = 1; d < s.size(); ++d) k *= s[d];
    std::string flat = read(x);
    if (s.size() > 2) flat = builder_.node("Flatten", {flat}, named("_flat"));
    if (s.size() > 2) flat = dequantized(quantized(flat, x.quant, flat + "_q"), x.quant, flat + "_d");
    const int64_t oc = 1 + pick(24);
    const float scale = weights(named("_w"), {oc, k});
    const Quant quant = for_sums(x, scale, k);
    const std::string y =
        builder_.node("Gemm", with_bias({flat, named("_w")}, oc, 40 * quant.scale), named("_fc"), {attr("transB", 1)});
    finish_layer(activation(y), {s[0], oc}, quant);
  }

  void residual(Live& first) {
    const Live x = first;
    conv(first, 1);  // and then with whatever has its shape
    Live& y = live_.back();
    const auto same = std::find_if(live_.begin(), live_.end() - 1, [&](const Live& t) { return t.shape == y.shape; });
    Live& other = same == live_.end() - 1 ? y : *same;
    const bool swapped = pick(2) == 0;
    const std::string sum = builder_.node("Add", {read(swapped ? other : y), read(swapped ? y : other)}, named("_res"));
    const Quant quant = some_quant(32 * std::max(y.quant.scale, other.quant.scale));
    const Ints shape = y.shape;
    finish_layer(activation(sum), shape, quant);
  }

  void binary(Live& x) {
    std::vector<size_t> fits;  // equal, or a value per channel
    for (size_t t = 0; t < live_.size(); ++t) {
      const Ints& s = live_[t].shape;
      const bool gate =
          s.size() == 4 && x.shape.size() == 4 && s[0] == x.shape[0] && s[1] == x.shape[1] && s[2] == 1 && s[3] == 1;
      if (s == x.shape || gate) fits.push_back(t);
    }
    Live& other = live_[fits[random_() % fits.size()]];
    static constexpr const char* kOps[] = {"Add", "Mul", "Add", "Mul"};
    const char* op = kOps[pick(4)];
    const Ints shape = x.shape;
    const float spread =
        op[0] == 'M' ? 60 * x.quant.scale * other.quant.scale : std::max(x.quant.scale, other.quant.scale);
    const bool swapped = pick(2) == 0;
    const std::string y = builder_.node(op, {read(swapped ? other : x), read(swapped ? x : other)}, named("_bin"));
    finish_layer(activation(y), shape, some_quant(32 * spread));
  }

  void concat(Live& x) {
    std::vector<size_t> fits;
    for (size_t t = 0; t < live_.size(); ++t) {
      const Ints& s = live_[t].shape;
      if (s.size() == 4 && s[0] == x.shape[0] && s[2] == x.shape[2] && s[3] == x.shape[3]) fits.push_back(t);
    }
    Ints shape = x.shape;
    shape[1] = 0;
    std::vector<std::string> names;
    const Quant quant = pick(2) == 0 ? x.quant : some_quant(32 * x.quant.scale);
    for (int k = 0, pieces = 2 + pick(2); k < pieces; ++k) {
      Live& t = live_[fits[random_() % fits.size()]];
      shape[1] += t.shape[1];
      names.push_back(read(t));
    }
    finish_layer(builder_.node("Concat", names, named("_cat"), {attr("axis", 1)}), shape, quant);
  }

  void split(Live& x) {
    const Ints shape = x.shape;
    const Quant quant = x.quant;
    if (shape[1] < 2) return unary(x);
    const int64_t left = 1 + pick(static_cast<int>(shape[1]) - 1);
    builder_.node("Split", {read(x), builder_.ints(named("_sizes"), {left, shape[1] - left})}, named("_split"),
                  {attr("axis", 1)}, 2);
    finish_layer(named("_split:0"), {shape[0], left, shape[2], shape[3]}, quant);
    finish_layer(named("_split:1"), {shape[0], shape[1] - left, shape[2], shape[3]}, quant);
  }

  void pool(Live& x) {
    const Ints s = x.shape;
    const Quant quant = x.quant;
    const int64_t k = 1 + pick(3), stride = 1 + pick(2), pad = pick(static_cast<int>(k));
    Ints shape = s;
    for (size_t d = 2; d < 4; ++d) {
      if (s[d] + pad < k) return unary(x);
      shape[d] = (s[d] + pad - k) / stride + 1;
    }
    const bool average = pick(2) == 0;
    std::vector<Attr> attributes = {attr("kernel_shape", Ints{k, k}), attr("strides", Ints{stride, stride}),
                                    attr("pads", Ints{pad, 0, 0, pad})};
    if (average) attributes.push_back(attr("count_include_pad", pick(2)));
    const std::string y = builder_.node(average ? "AveragePool" : "MaxPool", {read(x)}, named("_pool"), attributes);
    // Only ONNX Runtime's average pool knows other parameters for its result.
    const Quant other = some_quant(32 * quant.scale);
    finish_layer(y, shape, pick(2) == 0 || profile_ != Profile::ort ? quant : other);
  }

  void global_pool(Live& x) {
    const Ints shape = {x.shape[0], x.shape[1], 1, 1};
    const Quant quant = some_quant(16 * x.quant.scale);
    finish_layer(builder_.node("GlobalAveragePool", {read(x)}, named("_gap")), shape, quant);
  }

  void unary(Live& x) {
    static constexpr const char* kOps[] = {"Relu", "Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "Elu", "Abs"};
    const Ints shape = x.shape;
    const int op = pick(static_cast<int>(std::size(kOps)));
    const Quant quant =
        op == 1 || op == 2 ? Quant{1.0f / 128, least() + (op == 1 ? 0 : 128)} : some_quant(32 * x.quant.scale);
    finish_layer(builder_.node(kOps[op], {read(x)}, named("_un")), shape, quant);
  }

  void pad(Live& x) {
    Ints shape = x.shape;
    const Quant quant = x.quant;
    Ints pads(8);
    for (size_t d = 1; d < 4; ++d) {
      pads[d] = d == 1 && pick(3) != 0 ? 0 : pick(3);
      pads[d + 4] = d == 1 && pads[d] == 0 ? 0 : pick(3);
      shape[d] += pads[d] + pads[d + 4];
    }
    const std::string y = builder_.node(
        "Pad",
        {read(x), builder_.ints(named("_pads"), pads), builder_.scalar(named("_fill"), pick(2) == 0 ? 0 : real(-1, 1))},
        named("_pad"));
    finish_layer(y, shape, quant);
  }

  void slice(Live& x) {
    Ints shape = x.shape;
    const Quant quant = x.quant;
    Ints starts, ends, steps;
    for (size_t d = 1; d < 4; ++d) {
      const int64_t start = pick(static_cast<int>(std::min<int64_t>(shape[d], 3))), step = 1 + (pick(4) == 0);
      const int64_t end = start + 1 + pick(static_cast<int>(shape[d] - start));
      starts.push_back(start), ends.push_back(end), steps.push_back(step);
      shape[d] = (end - start + step - 1) / step;
    }
    const std::string y =
        builder_.node("Slice",
                      {read(x), builder_.ints(named("_from"), starts), builder_.ints(named("_to"), ends),
                       builder_.ints(named("_axes"), {1, 2, 3}), builder_.ints(named("_steps"), steps)},
                      named("_slice"));
    finish_layer(y, shape, quant);
  }

  // What nobody reads leaves the network: as floats, or as the integers before.
  void finish() {
    for (Live& t : live_)
      if (t.readers == 0 || &t == &live_.back()) {
        const bool integers = pick(3) == 0 && t.name != "x_d";
        builder_.output(integers ? t.name.substr(0, t.name.size() - 2) + "_q" : t.name);
      }
  }

  Profile profile_;
  Random random_;
  test::OnnxBuilder builder_;
  bool signed_ = false, signed_weights_ = true;
  std::string layer_;
  std::vector<Live> live_;
};

}  // namespace

std::string to_string(const RandomModel& m) {
  std::string text = fmt::format("seed={}", m.seed);
  if (m.layers > 0) text += fmt::format(",layers={}", m.layers);
  if (m.profile != Profile::ort) text += fmt::format(",profile={}", profile_name(m.profile));
  return text;
}

RandomModel random_model_named(const std::string& line) {
  RandomModel m;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find(',', at), line.size());
    const std::string setting = line.substr(at, end - at);
    at = end + 1;
    const size_t equals = std::min(setting.find('='), setting.size() - 1);
    const std::string key = setting.substr(0, equals), value = setting.substr(equals + 1);
    uint32_t n = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    const bool number = error == std::errc() && stop == value.data() + value.size();
    if (key == "profile")
      m.profile = profile_named(value);
    else if (key == "seed" && number)
      m.seed = n;
    else if (key == "layers" && number && n < 1000)
      m.layers = static_cast<int>(n);
    else
      user_error(fmt::format("'{}': a random network is seed=N, with layers=N and profile=P if wanted", line));
  }
  return m;
}

std::string onnx_of(const RandomModel& model) {
  return Maker(model).bytes();
}

Graph graph_of(const RandomModel& model) {
  const std::string bytes = onnx_of(model);
  Graph graph = import_onnx(std::as_bytes(std::span(bytes)), {}, to_string(model));
  graph.profile = model.profile;
  graph.profile_reason = "asked for";
  return graph;
}

}  // namespace octet
