// Specs as text, tables, and the reference convolution by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "generator/kernel/lut.h"
#include "generator/kernel/reference.h"
#include "generator/kernel/requant.h"

namespace octet {
namespace {

// ---- text -----------------------------------------------------------------------------------------------------------

// Specs that differ from the default one of their type in a single field each.
template <class Spec>
class Variants {
 public:
  explicit Variants(Spec base = {}) : base_(base) { all_.push_back(base); }
  template <class Change>
  Variants& with(Change change) {
    Spec s = base_;
    change(s);
    all_.push_back(s);
    return *this;
  }
  std::vector<KernelSpec> all() const { return {all_.begin(), all_.end()}; }

 private:
  Spec base_;
  std::vector<Spec> all_;
};

#define WITH(assignment) with([](auto& s) { s.assignment; })

std::vector<KernelSpec> conv_variants() {
  return Variants<ConvSpec>()
      .WITH(n = 2)
      .WITH(ih = 2)
      .WITH(iw = 2)
      .WITH(ic = 8)
      .WITH(oh = 2)
      .WITH(ow = 2)
      .WITH(oc = 8)
      .WITH(window.kh = 3)
      .WITH(window.kw = 3)
      .WITH(window.stride_h = 2)
      .WITH(window.stride_w = 2)
      .WITH(window.dilation_h = 2)
      .WITH(window.dilation_w = 2)
      .WITH(window.pad_top = 1)
      .WITH(window.pad_left = 1)
      .WITH(window.pad_bottom = 1)
      .WITH(window.pad_right = 1)
      .WITH(window = (Window{.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1}))
      .WITH(window = (Window{.kh = 2, .kw = 2}))
      .WITH(window = (Window{.stride_h = 2, .stride_w = 2}))
      .WITH(groups = 2)
      .WITH(groups = 4)
      .WITH(src_pitch = 8)
      .WITH(dst_pitch = 8)
      .WITH(src_zero = 1)
      .WITH(weight_terms = 2)
      .WITH(requant.zero = 1)
      .WITH(requant.lo = 1)
      .WITH(requant.hi = 254)
      .WITH(requant.wide = true)
      .WITH(requant.form = RequantForm::biased)
      .WITH(requant.form = RequantForm::fixed_away)
      .WITH(requant.form = RequantForm::fixed_up)
      .WITH(requant.factor = 2)
      .WITH(requant.offset = 128)
      .WITH(requant.mixed = true)
      .WITH(residual = true)
      .WITH(residual_is_first = true)
      .WITH(src2_pitch = 8)
      .WITH(add.ra = 1)
      .WITH(add.rb = 1)
      .WITH(add.form = AddForm::doubling)
      .WITH(add.kb = 1)
      .WITH(add.kb = std::nextafter(1.0f, 2.0f))
      .WITH(add.offset_a = 128)
      .WITH(add.offset_b = 128)
      .WITH(add.offset_out = 128)
      .WITH(add.lo = 1)
      .WITH(add.hi = 254)
      .all();
}

std::vector<KernelSpec> pool_variants() {
  return Variants<PoolSpec>()
      .WITH(kind = PoolKind::average)
      .WITH(kind = PoolKind::whole)
      .WITH(n = 2)
      .WITH(ih = 2)
      .WITH(iw = 2)
      .WITH(oh = 2)
      .WITH(ow = 2)
      .WITH(channels = 5)
      .WITH(window.kh = 2)
      .WITH(count_include_pad = true)
      .WITH(src_pitch = 8)
      .WITH(dst_pitch = 8)
      .WITH(mean.form = MeanForm::vectors)
      .WITH(mean.form = MeanForm::integer)
      .WITH(mean.src.scale = 2)
      .WITH(mean.src.zero_point = 1)
      .WITH(mean.src.is_signed = true)
      .WITH(mean.dst.scale = 2)
      .WITH(mean.dst.zero_point = 1)
      .WITH(mean.dst.is_signed = true)
      .WITH(mean.sum_zero = 1)
      .WITH(mean.offset_out = 1)
      .WITH(mean.m = 2)
      .WITH(mean.z = 1)
      .WITH(mean.fixed = (FixedPoint{1 << 30, 0}))
      .WITH(mean.fixed = (FixedPoint{1 << 30, -1}))
      .WITH(mean.lo = 1)
      .WITH(mean.hi = 254)
      .all();
}

template <class Spec>
std::vector<KernelSpec> quantize_variants() {
  return Variants<Spec>()
      .WITH(n = 2)
      .WITH(pixels = 2)
      .WITH(channels = 5)
      .WITH(form = QuantizeForm::product_even)
      .WITH(channels_first = false)
      .WITH(pitch = 8)
      .WITH(quant.scale = 2)
      .WITH(quant.zero_point = -1)
      .WITH(quant.is_signed = true)
      .all();
}

std::vector<std::vector<KernelSpec>> all_variants() {
  auto edges = quantize_variants<EdgeSpec>();
  edges.push_back([] {
    EdgeSpec s;
    s.to_storage = false;
    return s;
  }());
  const CopySpec copy = {.dims = {2, 3}, .src_strides = {3, 1}, .dst_strides = {3, 1}};
  const MatMulSpec stack = {.batch = {2}, .a_strides = {16}, .b_strides = {16}, .dst_strides = {16}};
  return {
      conv_variants(),
      pool_variants(),
      quantize_variants<QuantizeSpec>(),
      quantize_variants<DequantizeSpec>(),
      edges,
      Variants<AddSpec>()
          .WITH(n = 2)
          .WITH(broadcast = Broadcast::a)
          .WITH(broadcast = Broadcast::b)
          .WITH(pixels = 2)
          .WITH(channels = 5)
          .WITH(a_pitch = 8)
          .WITH(b_pitch = 8)
          .WITH(dst_pitch = 8)
          .WITH(add.ra = 1)
          .WITH(add.ka = 1)
          .WITH(add.rb = 1)
          .WITH(add.kb = 1)
          .WITH(add.r_out = 2)
          .WITH(add.form = AddForm::product)
          .WITH(add.form = AddForm::quotient)
          .WITH(add.form = AddForm::shifted_up)
          .WITH(add.form = AddForm::shifted_away)
          .WITH(add.form = AddForm::doubling)
          .WITH(add.ma.multiplier = 1)
          .WITH(add.mb.multiplier = 1)
          .WITH(add.m_out.multiplier = 1)
          .WITH(add.shift = 1)
          .WITH(add.subtracts = true)
          .WITH(add.offset_out = 1)
          .WITH(add.lo = 1)
          .all(),
      Variants<MulSpec>()
          .WITH(n = 2)
          .WITH(pixels = 2)
          .WITH(channels = 5)
          .WITH(broadcast = true)
          .WITH(a_pitch = 8)
          .WITH(b_pitch = 8)
          .WITH(dst_pitch = 8)
          .WITH(mul.form = MulForm::fixed)
          .WITH(mul.a_zero = 1)
          .WITH(mul.b_zero = 1)
          .WITH(mul.m = 2)
          .WITH(mul.z = 1)
          .WITH(mul.fixed.multiplier = 1)
          .WITH(mul.offset_out = 128)
          .WITH(mul.lo = 1)
          .WITH(mul.hi = 254)
          .all(),
      Variants<PairSpec>()
          .WITH(n = 2)
          .WITH(pixels = 2)
          .WITH(channels = 5)
          .WITH(broadcast = true)
          .WITH(a_pitch = 8)
          .WITH(b_pitch = 8)
          .WITH(dst_pitch = 8)
          .WITH(pair.form = PairForm::minimum)
          .WITH(pair.form = PairForm::prelu_fixed)
          .WITH(pair.form = PairForm::prelu_product)
          .WITH(pair.form = PairForm::prelu_quotient)
          .WITH(pair.a_zero = 1)
          .WITH(pair.b_zero = 1)
          .WITH(pair.ra = 2)
          .WITH(pair.rb = 2)
          .WITH(pair.r_out = 2)
          .WITH(pair.positive.multiplier = 1)
          .WITH(pair.negative.multiplier = 1)
          .WITH(pair.offset_out = 1)
          .WITH(pair.lo = 1)
          .WITH(pair.hi = 254)
          .all(),
      Variants<LutSpec>()
          .WITH(pixels = 2)
          .WITH(channels = 5)
          .WITH(src_pitch = 8)
          .WITH(dst_pitch = 8)
          .WITH(copy = true)
          .all(),
      Variants<AffineSpec>()
          .WITH(pixels = 2)
          .WITH(channels = 5)
          .WITH(src_pitch = 8)
          .WITH(dst_pitch = 8)
          .WITH(src.scale = 2)
          .WITH(dst.zero_point = 3)
          .WITH(lo = 1)
          .WITH(hi = 254)
          .all(),
      Variants<SoftmaxSpec>()
          .WITH(rows = 2)
          .WITH(length = 5)
          .WITH(src_pitch = 8)
          .WITH(dst_pitch = 8)
          .WITH(form = SoftmaxForm::exact)
          .WITH(pixels = 2)
          .WITH(channels = 2)
          .WITH(src.scale = 2)
          .WITH(dst.is_signed = true)
          .all(),
      Variants<CopySpec>(copy)
          .WITH(dims[0] = 3)
          .WITH(src_strides[1] = 2)
          .WITH(dst_strides[1] = 2)
          .WITH(bytes = 4)
          .WITH(src_offset = 1)
          .WITH(dst_offset = 1)
          .WITH(fill = true)
          .WITH(fill_value = 1)
          .WITH(fill_bytes = 1)
          .all(),
      Variants<ResizeSpec>()
          .WITH(n = 2)
          .WITH(ih = 2)
          .WITH(iw = 2)
          .WITH(oh = 2)
          .WITH(ow = 2)
          .WITH(channels = 5)
          .WITH(src_pitch = 8)
          .WITH(dst_pitch = 8)
          .WITH(form = BlendForm::terms)
          .WITH(offset = 128)
          .all(),
      Variants<MatMulSpec>(stack)
          .WITH(m = 2)
          .WITH(k = 5)
          .WITH(n = 5)
          .WITH(a_pitch = 8)
          .WITH(b_pitch = 8)
          .WITH(dst_pitch = 8)
          .WITH(batch[0] = 3)
          .WITH(a_strides[0] = 0)
          .WITH(b_strides[0] = 0)
          .WITH(dst_strides[0] = 32)
          .WITH(a_zero = 1)
          .WITH(b_zero = 1)
          .WITH(factor.multiplier = 1)
          .WITH(zero = 1)
          .WITH(lo = 1)
          .WITH(hi = 254)
          .all(),
      Variants<InterleaveSpec>()
          .WITH(pixels = 2)
          .WITH(channels = 6)
          .WITH(a_pitch = 8)
          .WITH(b_pitch = 8)
          .WITH(dst_pitch = 8)
          .all(),
      Variants<ChannelPermuteSpec>().WITH(pixels = 2).WITH(channels = 5).WITH(src_pitch = 8).WITH(dst_pitch = 8).all()};
}

TEST(SpecText, TellsAnyTwoSpecsApartAndNoEqualOnes) {
  std::set<std::string> texts;
  size_t count = 0;
  for (const auto& variants : all_variants())
    for (const KernelSpec& spec : variants) {
      const KernelSpec same = spec;
      EXPECT_EQ(to_string(spec), to_string(same));
      EXPECT_EQ(to_string(spec).find('\n'), std::string::npos);
      EXPECT_TRUE(texts.insert(to_string(spec)).second) << "two specs say: " << to_string(spec);
      ++count;
    }
  EXPECT_EQ(texts.size(), count);
}

TEST(SpecText, NegativeZeroEqualsZeroInTextAsInValue) {
  AddSpec a, b;
  a.add.kb = 0.0f, a.add.ra = b.add.ra = 1;
  b.add.kb = -0.0f;
  EXPECT_EQ(a, b);
  EXPECT_EQ(to_string(a), to_string(b));
}

TEST(SpecText, NamesShapesAndCounts) {
  ConvSpec s{.ih = 112, .iw = 112, .ic = 3, .oh = 56, .ow = 56, .oc = 64};
  s.window = {
      .kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  EXPECT_EQ(shape_text(s), "3x3 s2 p1 112x112x3 -> 56x56x64");
  EXPECT_EQ(mac_count(s), 56 * 56 * 64 * 27);
  EXPECT_STREQ(spec_op_name(s), "conv");
  s.window = {.kh = 1, .kw = 3, .stride_w = 2, .pad_left = 1};
  EXPECT_EQ(shape_text(s), "1x3 s1,2 p0,1,0,0 112x112x3 -> 56x56x64");
  s.ic = s.oc = s.groups = 64;
  EXPECT_STREQ(spec_op_name(s), "depthwise");
  EXPECT_EQ(mac_count(s), 56 * 56 * 64 * 3);
  EXPECT_STREQ(spec_op_name(ConvSpec{.n = 7, .ic = 1280, .oc = 1000}), "linear");
}

// ---- tables ---------------------------------------------------------------------------------------------------------

TEST(Lut, HardSigmoidRoundsTwiceInBinary32) {
  const float alpha = 0.1666666716337204f;
  int differ = 0;
  for (int q = -2000; q < 2000; ++q) {
    const float x = static_cast<float>(q) * 0.0117f;
    const float product = alpha * x;
    EXPECT_EQ(unary_value(Unary::hard_sigmoid, alpha, 0.5f, x), std::clamp(product + 0.5f, 0.0f, 1.0f));
    differ += unary_value(Unary::hard_sigmoid, alpha, 0.5f, x) !=
              static_cast<float>(std::clamp(static_cast<double>(alpha) * x + 0.5, 0.0, 1.0));
  }
  EXPECT_GT(differ, 0) << "the two ways must differ somewhere, or this test tells nothing";
}

TEST(Lut, KnownValuesAndClamps) {
  const QuantView in{.scale = 0.1f, .zero_point = -3, .is_signed = true},
      out{.scale = 1.0f / 256, .zero_point = -128, .is_signed = true};
  const Lut sigmoid = unary_table(Unary::sigmoid, 0, 0, in, out);
  EXPECT_EQ(sigmoid[125], 128);  // sigmoid(0) = 0.5
  EXPECT_EQ(sigmoid[255], 255);
  EXPECT_EQ(sigmoid[0], 0);
  const Lut relu = unary_table(Unary::relu, 0, 0, in, in, 0, 200);
  for (int q = 0; q < 256; ++q) EXPECT_EQ(relu[static_cast<size_t>(q)], std::clamp(q, 125, 200));
  const Lut clip = unary_table(Unary::clip, -1, 1, in, in);
  EXPECT_EQ(clip[0], 115);
  EXPECT_EQ(clip[255], 135);
}

TEST(Lut, RequantizeComposeIdentity) {
  const QuantView u{.scale = 0.5f, .zero_point = 100}, s{.scale = 0.5f, .zero_point = -28, .is_signed = true};
  EXPECT_TRUE(is_identity(requantize_table(u, u)));
  EXPECT_TRUE(is_identity(requantize_table(u, s)));  // s8 bytes are q + 128
  EXPECT_FALSE(is_identity(requantize_table(u, u, 1, 255)));
  const QuantView half{.scale = 1.0f, .zero_point = 50};
  const Lut down = requantize_table(u, half);
  EXPECT_EQ(down[101], 50);  // 0.5 -> 0
  EXPECT_EQ(down[103], 52);  // 1.5 -> 2
  EXPECT_EQ(compose(down, requantize_table(half, u))[103], 104);
}

TEST(Lut, SoftmaxTableIsAsLargeAsARowsSumMayBe) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  for (const int length : {1, 10, 1000, 1 << 20}) {
    const double sum = std::ldexp(static_cast<double>(softmax_table(0.1f, length)[0]), 32) * length;
    EXPECT_NEAR(sum / kLargest, std::exp(-5.0), 1e-5) << length;
  }
  const auto table = softmax_table(0.1f, 10);
  for (size_t d = 1; d < table.size(); ++d) EXPECT_NEAR(table[d] / table[d - 1], std::exp(-0.1), 1e-6) << d;
  EXPECT_EQ(softmax_table(2.0f, 10)[255], 0.0f);
}

TEST(Lut, SoftmaxInverseIsAnInteger) {
  EXPECT_EQ(softmax_inverse(1.0f / 256), 256.0f);
  EXPECT_EQ(softmax_inverse(1.0f / 255), 254.0f);  // 1 / RN32(1 / 255) is just below 255, and ORT cuts
  EXPECT_EQ(softmax_inverse(0.0037f), 270.0f);
}

// ---- reference convolution ------------------------------------------------------------------------------------------

TEST(Reference, ConvolutionByHand) {
  // 2x2 image of 1 channel at pitch 4, 3x3 window, pad 1: each output sees all four pixels.
  ConvSpec s{.ih = 2, .iw = 2, .ic = 1, .oh = 2, .ow = 2, .oc = 1, .src_zero = 10};
  s.window = {.kh = 3, .kw = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  s.requant.zero = 100;
  const std::vector<uint8_t> src = {11, 0, 0, 0, 12, 0, 0, 0, 13, 0, 0, 0, 14, 0, 0, 0};
  const std::vector<int8_t> weights = {1, 2, 3, 4, -128, 6, 7, 8, 9};
  const int32_t bias = 5;
  const float scale = 0.5f;
  std::vector<uint8_t> dst(16, 0xA5);
  OctetArgs args{};
  args.p[OCTET_SRC] = src.data(), args.p[OCTET_WEIGHTS] = weights.data(), args.p[OCTET_BIAS] = &bias;
  args.p[OCTET_SCALE] = &scale, args.p[OCTET_DST] = dst.data();
  reference(s, args);
  // (0, 0): 5 + 1*-128 + 2*6 + 3*8 + 4*9 = -51 -> -25.5 -> -26.
  EXPECT_EQ(dst[0], 74);
  // (1, 1): 5 + 1*1 + 2*2 + 3*4 + 4*-128 = -490 -> -245.
  EXPECT_EQ(dst[12], 0);
  EXPECT_EQ(dst[1], 0xA5);
}

}  // namespace
}  // namespace octet
