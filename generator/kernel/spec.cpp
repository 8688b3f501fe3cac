#include "generator/kernel/spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <concepts>

namespace octet {
namespace {

// One line of "name value" pairs. Fields at their defaults are left out, so the text stays short and still tells any
// two specs apart.
class Line {
 public:
  explicit Line(const char* op) : text_(op) {}

  template <class T>
  Line& add(const char* name, const T& value, const T& fallback) {
    if (value == fallback) return *this;
    text_ += fmt::format(" {} {}", name, value);
    return *this;
  }
  Line& add(const char* name, float value, float fallback) {
    if (value == fallback) return *this;
    text_ += fmt::format(" {} {}", name, value + 0.0f);  // shortest text that reads back equal; -0 equals 0
    return *this;
  }
  Line& flag(const char* name, bool value) {
    if (value) text_ += fmt::format(" {}", name);
    return *this;
  }
  Line& raw(const std::string& text) {
    if (!text.empty()) text_ += " " + text;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string window_text(const Window& w) {
  std::string s = fmt::format("{}x{}", w.kh, w.kw);
  const auto pair = [&s](const char* name, int a, int b, int usual) {
    if (a != usual || b != usual) s += a == b ? fmt::format(" {}{}", name, a) : fmt::format(" {}{},{}", name, a, b);
  };
  pair("s", w.stride_h, w.stride_w, 1);
  pair("d", w.dilation_h, w.dilation_w, 1);
  if (w.pad_top == w.pad_left && w.pad_top == w.pad_bottom && w.pad_top == w.pad_right)
    pair("p", w.pad_top, w.pad_top, 0);
  else
    s += fmt::format(" p{},{},{},{}", w.pad_top, w.pad_left, w.pad_bottom, w.pad_right);
  return s;
}

std::string image(int n, int h, int w, int c) {
  return n == 1 ? fmt::format("{}x{}x{}", h, w, c) : fmt::format("{}x{}x{}x{}", n, h, w, c);
}

std::string range_text(int lo, int hi) {
  return lo == 0 && hi == 255 ? "" : fmt::format("clamp {}..{}", lo, hi);
}

const char* form_name(RequantForm form) {
  static const char* const names[] = {"scaled", "biased", "affine", "fixed_away", "fixed_up", "doubles", "shift"};
  return names[static_cast<size_t>(form)];
}

std::string requant_text(const Requant& r) {
  Line line("requant");
  line.add("zero", r.zero, 0).raw(range_text(r.lo, r.hi)).flag("wide", r.wide);
  if (r.form != RequantForm::scaled) line.raw(form_name(r.form));
  line.add("factor", r.factor, 1.0f).add("offset", r.offset, 0).flag("mixed", r.mixed);
  return line.text();
}

std::string fixed_text(const FixedPoint& m) {
  return m == FixedPoint{} ? "" : fmt::format("{}*2^{}", m.multiplier, m.exponent - 31);
}

std::string add_text(const AddFormula& f) {
  if (f == AddFormula{}) return "";
  Line line("add");
  line.raw(f.form == AddForm::fused ? "" : add_form_name(f.form)).flag("subtracts", f.subtracts);
  line.add("ra", f.ra, 0.0f).add("ka", f.ka, 0.0f).add("rb", f.rb, 0.0f).add("kb", f.kb, 0.0f);
  line.add("r_out", f.r_out, 1.0f).add("ma", fixed_text(f.ma), {}).add("mb", fixed_text(f.mb), {});
  line.add("m_out", fixed_text(f.m_out), {}).add("shift", f.shift, 0);
  line.add("offset_a", f.offset_a, 0).add("offset_b", f.offset_b, 0).add("offset_out", f.offset_out, 0);
  return line.raw(range_text(f.lo, f.hi)).text();
}

std::string mul_text(const MulFormula& f) {
  Line line("by");
  line.raw(f.form == MulForm::fixed ? "fixed" : "").add("a_zero", f.a_zero, 0).add("b_zero", f.b_zero, 0);
  line.add("m", f.m, 1.0f).add("z", f.z, 0).add("fixed", fixed_text(f.fixed), {});
  return line.add("offset_out", f.offset_out, 0).raw(range_text(f.lo, f.hi)).text();
}

std::string view_text(const char* name, const QuantView& v) {
  return fmt::format("{} {}*({} - {})", name, v.scale + 0.0f, v.is_signed ? "s8" : "u8", v.zero_point);
}

std::string mean_text(const MeanFormula& f) {
  Line line(mean_form_name(f.form));
  if (f.src != QuantView{} || f.dst != QuantView{}) line.raw(view_text("from", f.src)).raw(view_text("to", f.dst));
  line.add("sum_zero", f.sum_zero, 0).add("m", f.m, 1.0f).add("z", f.z, 0.0f).add("fixed", fixed_text(f.fixed), {});
  return line.add("offset_out", f.offset_out, 0).raw(range_text(f.lo, f.hi)).text();
}

Line start(const KernelSpec& spec) {
  Line line(spec_op_name(spec));
  return line.raw(shape_text(spec));
}

Line describe(const KernelSpec& spec, const ConvSpec& s) {
  Line line = start(spec);
  line.add("groups", s.groups, 1);
  line.add("src_pitch", s.src_pitch, round_up(s.ic, 4)).add("dst_pitch", s.dst_pitch, round_up(s.oc, 4));
  line.add("src_zero", s.src_zero, 0).add("terms", s.weight_terms, 1).raw(requant_text(s.requant));
  line.flag("residual", s.residual).flag("residual_is_first", s.residual_is_first);
  line.flag("src_flipped", s.flips.src).flag("src2_flipped", s.flips.src2).flag("dst_flipped", s.flips.dst);
  return line.add("src2_pitch", s.src2_pitch, 4).raw(add_text(s.add));
}

Line describe(const KernelSpec& spec, const AddSpec& s) {
  const int dense = round_up(s.channels, 4);
  Line line = start(spec);
  line.flag("one_a", s.broadcast == Broadcast::a).flag("one_b", s.broadcast == Broadcast::b);
  line.add("a_pitch", s.a_pitch, dense).add("b_pitch", s.b_pitch, dense);
  return line.add("dst_pitch", s.dst_pitch, dense).raw(add_text(s.add));
}

Line describe(const KernelSpec& spec, const MulSpec& s) {
  const int dense = round_up(s.channels, 4);
  Line line = start(spec);
  line.add("a_pitch", s.a_pitch, dense).add("b_pitch", s.b_pitch, dense);
  return line.add("dst_pitch", s.dst_pitch, dense).raw(mul_text(s.mul));
}

Line describe(const KernelSpec& spec, const PairSpec& s) {
  const int dense = round_up(s.channels, 4);
  const PairFormula& f = s.pair;
  Line line = start(spec);
  line.flag("one_b", s.broadcast).add("a_pitch", s.a_pitch, dense).add("b_pitch", s.b_pitch, dense);
  line.add("dst_pitch", s.dst_pitch, dense).raw(pair_form_name(f.form));
  line.add("a_zero", f.a_zero, 0).add("b_zero", f.b_zero, 0).add("ra", f.ra, 1.0f).add("rb", f.rb, 1.0f);
  line.add("r_out", f.r_out, 1.0f)
      .add("positive", fixed_text(f.positive), {})
      .add("negative", fixed_text(f.negative), {});
  return line.add("offset_out", f.offset_out, 0).raw(range_text(f.lo, f.hi));
}

Line describe(const KernelSpec& spec, const PoolSpec& s) {
  const int dense = round_up(s.channels, 4);
  Line line = start(spec);
  line.flag("count_include_pad", s.count_include_pad);
  line.add("src_pitch", s.src_pitch, dense).add("dst_pitch", s.dst_pitch, dense);
  return line.raw(mean_text(s.mean));
}

Line describe(const KernelSpec& spec, const LutSpec& s) {
  const int dense = round_up(s.channels, 4);
  return start(spec).add("src_pitch", s.src_pitch, dense).add("dst_pitch", s.dst_pitch, dense);
}

Line describe(const KernelSpec& spec, const AffineSpec& s) {
  const int dense = round_up(s.channels, 4);
  Line line = start(spec);
  line.add("src_pitch", s.src_pitch, dense).add("dst_pitch", s.dst_pitch, dense);
  return line.raw(view_text("from", s.src)).raw(view_text("to", s.dst)).raw(range_text(s.lo, s.hi));
}

// Quantize, dequantize and edge have the same fields; their names differ.
Line describe(const KernelSpec& spec, const QuantizeSpec& s) {
  Line line = start(spec);
  line.raw(s.form == QuantizeForm::quotient_even ? "" : quantize_form_name(s.form));
  line.raw(s.channels_first ? "planes" : "pixels").add("pitch", s.pitch, round_up(s.channels, 4));
  if (const auto* edge = std::get_if<EdgeSpec>(&spec)) line.raw(edge->to_storage ? "to_storage" : "from_storage");
  return line.raw(view_text("quant", s.quant));
}

Line describe(const KernelSpec& spec, const SoftmaxSpec& s) {
  Line line = start(spec);
  line.raw(softmax_form_name(s.form)).add("pixels", s.pixels, 0).add("channels", s.channels, 1);
  line.add("src_pitch", s.src_pitch, round_up(s.length, 4)).add("dst_pitch", s.dst_pitch, round_up(s.length, 4));
  return line.raw(view_text("from", s.src)).raw(view_text("to", s.dst));
}

Line describe(const KernelSpec& spec, const CopySpec& s) {
  Line line = start(spec);
  line.raw(fmt::format("from [{}] to [{}]", fmt::join(s.src_strides, ","), fmt::join(s.dst_strides, ",")));
  line.add("src_offset", s.src_offset, int64_t{0}).add("dst_offset", s.dst_offset, int64_t{0});
  return line.flag("fill", s.fill).add("value", s.fill_value, 0).add("bytes", s.fill_bytes, int64_t{0});
}

Line describe(const KernelSpec& spec, const ChannelPermuteSpec& s) {
  const int dense = round_up(s.channels, 4);
  return start(spec).add("src_pitch", s.src_pitch, dense).add("dst_pitch", s.dst_pitch, dense);
}

Line describe(const KernelSpec& spec, const InterleaveSpec& s) {
  const int half = round_up(s.channels / 2, 4);
  return start(spec)
      .add("a_pitch", s.a_pitch, half)
      .add("b_pitch", s.b_pitch, half)
      .add("dst_pitch", s.dst_pitch, round_up(s.channels, 4));
}

Line describe(const KernelSpec& spec, const FloatSpec& s) {
  return Line(spec_op_name(spec)).raw(float_text(s));
}

Line describe(const KernelSpec& spec, const ResizeSpec& s) {
  const int dense = round_up(s.channels, 4);
  return start(spec)
      .raw(blend_form_name(s.form))
      .add("offset", s.offset, 0)
      .add("src_pitch", s.src_pitch, dense)
      .add("dst_pitch", s.dst_pitch, dense);
}

Line describe(const KernelSpec& spec, const MatMulSpec& s) {
  Line line = start(spec);
  line.raw(fmt::format("a [{}] b [{}] to [{}]", fmt::join(s.a_strides, ","), fmt::join(s.b_strides, ","),
                       fmt::join(s.dst_strides, ",")));
  line.add("a_pitch", s.a_pitch, round_up(s.k, 4)).add("b_pitch", s.b_pitch, round_up(s.n, 4));
  line.add("dst_pitch", s.dst_pitch, round_up(s.n, 4)).add("a_zero", s.a_zero, 0).add("b_zero", s.b_zero, 0);
  return line.add("factor", fixed_text(s.factor), {}).add("zero", s.zero, 0).raw(range_text(s.lo, s.hi));
}

const char* op_name_of(const ConvSpec& s) {
  if (s.is_depthwise()) return "depthwise";
  if (s.groups > 1) return "grouped_conv";
  return s.is_pointwise() && s.ih == 1 && s.iw == 1 && s.oh == 1 && s.ow == 1 ? "linear" : "conv";
}
const char* op_name_of(const AddSpec&) {
  return "add";
}
const char* op_name_of(const MulSpec&) {
  return "mul";
}
const char* op_name_of(const PairSpec& s) {
  if (s.pair.form == PairForm::maximum) return "maximum";
  return s.pair.form == PairForm::minimum ? "minimum" : "prelu";
}
const char* op_name_of(const PoolSpec& s) {
  switch (s.kind) {
    case PoolKind::max: return "max_pool";
    case PoolKind::average: return "average_pool";
    case PoolKind::whole: return s.mean.form == MeanForm::vectors ? "reduce_mean" : "global_average_pool";
  }
  return "pool";
}
const char* op_name_of(const LutSpec& s) {
  return s.copy ? "copy" : "lut";
}
const char* op_name_of(const AffineSpec&) {
  return "affine";
}
const char* op_name_of(const QuantizeSpec&) {
  return "quantize";
}
const char* op_name_of(const DequantizeSpec&) {
  return "dequantize";
}
const char* op_name_of(const EdgeSpec&) {
  return "edge";
}
const char* op_name_of(const SoftmaxSpec& s) {
  return s.form == SoftmaxForm::log_real || s.form == SoftmaxForm::log_fixed ? "log_softmax" : "softmax";
}
const char* op_name_of(const CopySpec&) {
  return "strided_copy";
}
const char* op_name_of(const ChannelPermuteSpec&) {
  return "channel_permute";
}
const char* op_name_of(const InterleaveSpec&) {
  return "interleave";
}
const char* op_name_of(const ResizeSpec&) {
  return "resize";
}
const char* op_name_of(const MatMulSpec&) {
  return "batch_matmul";
}

const char* op_name_of(const FloatSpec& s) {
  return float_op_name(s);
}

std::string pixels_by_channels(int pixels, int channels) {
  return fmt::format("{}x{}", pixels, channels);
}

std::string shape_of(const ConvSpec& s) {
  return fmt::format("{} {} -> {}", window_text(s.window), image(s.n, s.ih, s.iw, s.ic), image(s.n, s.oh, s.ow, s.oc));
}
std::string shape_of(const PoolSpec& s) {
  return fmt::format("{} {} -> {}", window_text(s.window), image(s.n, s.ih, s.iw, s.channels),
                     image(s.n, s.oh, s.ow, s.channels));
}
std::string shape_of(const ResizeSpec& s) {
  return fmt::format("{} -> {}", image(s.n, s.ih, s.iw, s.channels), image(s.n, s.oh, s.ow, s.channels));
}
std::string shape_of(const AddSpec& s) {
  return s.n == 1 ? pixels_by_channels(s.pixels, s.channels) : fmt::format("{}x{}x{}", s.n, s.pixels, s.channels);
}
std::string shape_of(const PairSpec& s) {
  return s.n == 1 ? pixels_by_channels(s.pixels, s.channels) : fmt::format("{}x{}x{}", s.n, s.pixels, s.channels);
}
std::string shape_of(const MulSpec& s) {
  return fmt::format("{}x{}x{} * {}", s.n, s.pixels, s.channels,
                     s.broadcast ? pixels_by_channels(s.n, s.channels) : "same");
}
std::string shape_of(const QuantizeSpec& s) {
  return fmt::format("{}x{}x{}", s.n, s.pixels, s.channels);
}
std::string shape_of(const SoftmaxSpec& s) {
  return s.pixels == 0 ? pixels_by_channels(s.rows, s.length)
                       : fmt::format("{}x{}x{}x{}", s.rows, s.length, s.pixels, s.channels);
}
std::string shape_of(const CopySpec& s) {
  return fmt::format("{} of {} bytes", fmt::join(s.dims, "x"), s.bytes);
}
std::string shape_of(const MatMulSpec& s) {
  const std::string matrices = fmt::format("{}x{} * {}x{}", s.m, s.k, s.k, s.n);
  return s.batch.empty() ? matrices : fmt::format("{} of {}", fmt::join(s.batch, "x"), matrices);
}
std::string shape_of(const FloatSpec& s) {
  return float_shape_text(s);
}
template <class Spec>
requires(!std::derived_from<Spec, QuantizeSpec>) std::string shape_of(const Spec& s) {
  return pixels_by_channels(s.pixels, s.channels);
}

}  // namespace

const char* quantize_form_name(QuantizeForm form) {
  static const char* const names[] = {"quotient_even", "quotient_away", "quotient_up", "product_even"};
  return names[static_cast<size_t>(form)];
}

const char* spec_op_name(const KernelSpec& spec) {
  return std::visit([](const auto& s) { return op_name_of(s); }, spec);
}

std::string to_string(const KernelSpec& spec) {
  return std::visit([&spec](const auto& s) { return describe(spec, s).text(); }, spec);
}

std::string shape_text(const KernelSpec& spec) {
  return std::visit([](const auto& s) { return shape_of(s); }, spec);
}

int64_t mac_count(const KernelSpec& spec) {
  if (const auto* island = std::get_if<FloatSpec>(&spec)) return float_macs(*island);
  if (const auto* product = std::get_if<MatMulSpec>(&spec))
    return element_count(product->batch) * product->m * product->k * product->n;
  const auto* s = std::get_if<ConvSpec>(&spec);
  if (!s) return 0;
  return int64_t{s->n} * s->oh * s->ow * s->oc * s->window.kh * s->window.kw * (s->ic / s->groups);
}

}  // namespace octet
