#include "tests/support/kernel_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "generator/kernel/requant.h"
#include "generator/kernel/resize.h"
#include "tests/support/random.h"

namespace octet {
namespace {

const QuantView kU8{.scale = 0.0173f, .zero_point = 113};
const QuantView kS8{.scale = 0.0211f, .zero_point = -7, .is_signed = true};
const QuantView kU8Low{.scale = 0.25f, .zero_point = 0}, kU8High{.scale = 0.5f, .zero_point = 255};
const QuantView kS8Low{.scale = 0.5f, .zero_point = -128, .is_signed = true};
const QuantView kS8High{.scale = 0.125f, .zero_point = 127, .is_signed = true};

struct Views {
  QuantView a, b, out;
  int lo = 0, hi = 255;
};
// Powers of two make exact ties; a scale that is far too fine saturates.
const std::vector<Views>& views() {
  static const std::vector<Views> all = {{kU8, kS8, kU8},
                                         {kS8, kU8, kS8, 20, 240},
                                         {kU8Low, kU8High, kU8Low},
                                         {kS8Low, kS8High, kS8High, 128, 255},
                                         {kU8High, kU8Low, kS8Low},
                                         {kU8, kU8, {.scale = 1e-6f, .zero_point = 3}, 2, 250},
                                         {kS8High, kS8High, {.scale = 4.0f, .zero_point = -3, .is_signed = true}}};
  return all;
}

struct Extent {
  int pixels, channels, extra;  // extra: bytes beyond the smallest pitch
};
const std::vector<Extent>& extents() {
  static const std::vector<Extent> all = {{1, 1, 0},    {5, 3, 0},   {3, 4, 4},   {7, 5, 8},  {2, 16, 0},
                                          {3, 17, 0},   {1, 31, 12}, {2, 64, 0},  {3, 67, 4}, {49, 96, 0},
                                          {1, 1000, 0}, {30, 20, 0}, {5, 132, 16}};
  return all;
}

// Calls make(extent, views) for every extent, and for one of them with all views.
template <class Make>
std::vector<KernelSpec> for_each_case(Make make) {
  std::vector<KernelSpec> specs;
  for (const Extent& e : extents()) specs.push_back(make(e, views()[specs.size() % views().size()]));
  for (const Views& v : views()) specs.push_back(make(Extent{300, 44, 0}, v));
  return specs;
}

// The same for each of some variants of an op: make(variant, extent, views).
template <class Variant, class Make>
std::vector<KernelSpec> for_each_case_of(std::initializer_list<Variant> variants, Make make) {
  std::vector<KernelSpec> specs;
  for (const Variant& variant : variants)
    for (KernelSpec& s : for_each_case([&](const Extent&e, const Views&v) { return make(variant, e, v); }))
      specs.push_back(std::move(s));
  return specs;
}

int pitch_of(const Extent& e) {
  return round_up(e.channels, 4) + e.extra;
}

}  // namespace

const std::vector<Profile>& formula_profiles() {
  static const std::vector<Profile> all = {Profile::ort, Profile::xnn, Profile::tfl_ref, Profile::torch_x86,
                                           Profile::qnnpack};
  return all;
}

namespace {

// A result's scale that every runtime takes: those that go by ratios refuse results much finer than their operands.
Views taken_by(Profile profile, Views v) {
  if (profile == Profile::qnnpack) v.out.scale = std::max(v.out.scale, std::max(v.a.scale, v.b.scale) / 200);
  return v;
}

}  // namespace

std::vector<KernelSpec> add_specs(Profile profile, bool minus) {
  return for_each_case_of({Broadcast::none, Broadcast::a, Broadcast::b},
                          [&](Broadcast broadcast, const Extent& e, const Views& given) {
                            const Views v = taken_by(profile, given);
                            const auto formula = minus ? sub_formula : add_formula;
                            return AddSpec{.n = broadcast == Broadcast::none ? 1 : 2,
                                           .pixels = e.pixels,
                                           .channels = e.channels,
                                           .broadcast = broadcast,
                                           .a_pitch = pitch_of(e),
                                           .b_pitch = pitch_of(e) + e.extra,
                                           .dst_pitch = pitch_of(e),
                                           .add = formula(profile, v.a, v.b, v.out, v.lo, v.hi)};
                          });
}

std::vector<KernelSpec> mul_specs(Profile profile) {
  return for_each_case_of({false, true}, [profile](bool broadcast, const Extent& e, const Views& v) {
    return MulSpec{.n = 2,
                   .pixels = e.pixels,
                   .channels = e.channels,
                   .broadcast = broadcast,
                   .a_pitch = pitch_of(e),
                   .b_pitch = pitch_of(e) + e.extra,
                   .dst_pitch = pitch_of(e),
                   .mul = mul_formula(profile, v.a, v.b, v.out, v.lo, v.hi)};
  });
}

std::vector<KernelSpec> pair_specs() {
  const auto formula = [](PairForm form, const Views& v) {
    const auto extremum = [&](bool largest) { return extremum_formula(largest, v.a, v.a, v.a, v.lo, v.hi); };
    const auto prelu = [&](Profile p) {
      QuantView out = v.out;
      out.scale = std::max(out.scale, v.a.scale / 4096);
      return prelu_formula(p, v.a, v.b, out, v.lo, v.hi);
    };
    switch (form) {
      case PairForm::maximum: return extremum(true);
      case PairForm::minimum: return extremum(false);
      case PairForm::prelu_fixed: return prelu(Profile::tfl_ref);
      case PairForm::prelu_product: return prelu(Profile::fbgemm);
      default: return prelu(Profile::ort);
    }
  };
  std::vector<KernelSpec> specs;
  for (PairForm form :
       {PairForm::maximum, PairForm::minimum, PairForm::prelu_quotient, PairForm::prelu_product, PairForm::prelu_fixed})
    for (const KernelSpec& s : for_each_case_of({false, true}, [&](bool broadcast, const Extent&e, const Views&v) {
           return PairSpec{.n = 2,
                           .pixels = e.pixels,
                           .channels = e.channels,
                           .broadcast = broadcast,
                           .a_pitch = pitch_of(e),
                           .b_pitch = pitch_of(e) + e.extra,
                           .dst_pitch = pitch_of(e),
                           .pair = formula(form, v)};
         }))
      specs.push_back(s);
  return specs;
}

namespace {

struct PoolShape {
  int n, ih, iw;
  Window w;
};

// One pool of `channels` at all sorts of windows, or over whole images: `mean` gives the formula for an image of so
// many pixels.
template <class Mean>
void add_pools(std::vector<KernelSpec>& specs, PoolKind kind, int channels, int extra, Mean mean) {
  const Window none;
  const std::vector<PoolShape> windows = {
      {1,
       9,
       11,
       {.kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1}},
      {2, 6, 6, {.kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2}},
      {1, 5, 7, {.kh = 3, .kw = 2, .pad_top = 0, .pad_left = 1, .pad_bottom = 2, .pad_right = 1}},
      {1, 8, 8, {.kh = 3, .kw = 3, .dilation_h = 2, .dilation_w = 2, .pad_top = 2, .pad_left = 1, .pad_right = 3}},
      {1, 2, 2, {.kh = 5, .kw = 5, .pad_top = 4, .pad_left = 4, .pad_bottom = 4, .pad_right = 4}}};
  const std::vector<PoolShape> images = {{1, 7, 7, none}, {3, 1, 5, none},  {1, 4, 4, none},  {2, 5, 3, none},
                                         {1, 1, 1, none}, {1, 13, 9, none}, {1, 17, 31, none}};
  const bool whole = kind == PoolKind::whole;
  for (const PoolShape& s : whole ? images : windows)
    for (bool include : {false, true}) {
      if (include && kind != PoolKind::average) continue;
      const Window& w = s.w;
      PoolSpec p{.kind = kind,
                 .n = s.n,
                 .ih = s.ih,
                 .iw = s.iw,
                 .channels = channels,
                 .window = w,
                 .count_include_pad = include,
                 .src_pitch = round_up(channels, 4) + extra,
                 .dst_pitch = round_up(channels, 4) + 2 * extra,
                 .mean = mean(s.ih * s.iw)};
      if (!whole) {
        p.oh = (s.ih + w.pad_top + w.pad_bottom - (w.kh - 1) * w.dilation_h - 1) / w.stride_h + 1;
        p.ow = (s.iw + w.pad_left + w.pad_right - (w.kw - 1) * w.dilation_w - 1) / w.stride_w + 1;
      }
      specs.push_back(p);
    }
}

// The same for all views at 20 channels, and at awkward numbers of channels with one of them each.
template <class Mean>
std::vector<KernelSpec> pools(PoolKind kind, Mean mean) {
  std::vector<KernelSpec> specs;
  const auto add = [&](int channels, int extra, const Views& v) {
    add_pools(specs, kind, channels, extra, [&](int pixels) { return mean(v, pixels); });
  };
  for (const Views& v : views()) add(20, 0, v);
  for (const auto& [channels, extra] :
       std::vector<std::pair<int, int>>{{1, 0}, {3, 4}, {17, 0}, {67, 8}, {128, 0}, {236, 0}})
    add(channels, extra, views()[static_cast<size_t>(channels) % views().size()]);
  return specs;
}

}  // namespace

std::vector<KernelSpec> max_pool_specs() {
  return pools(PoolKind::max,
               [](const Views& v, int) { return MeanFormula{.src = v.a, .dst = v.a, .lo = v.lo, .hi = v.hi}; });
}

std::vector<KernelSpec> average_pool_specs(Profile profile) {
  return pools(PoolKind::average, [profile](const Views& v, int) {
    return average_formula(profile, v.a, profile == Profile::ort ? v.out : v.a, v.lo, v.hi);
  });
}

std::vector<KernelSpec> mean_specs(Profile profile) {
  const bool torch = is_torch(profile);
  return pools(PoolKind::whole, [=](const Views& v, int pixels) {
    return global_average_formula(profile, v.a, torch ? v.a : v.out, pixels, v.lo, v.hi);
  });
}

std::vector<KernelSpec> images_mean_specs() {
  return pools(PoolKind::whole,
               [](const Views& v, int pixels) { return images_mean_formula(true, v.a, v.out, pixels, v.lo, v.hi); });
}

std::vector<KernelSpec> sum_specs(Profile profile) {
  return pools(PoolKind::whole,
               [=](const Views& v, int pixels) { return sum_formula(profile, v.a, v.out, pixels, v.lo, v.hi); });
}

std::vector<KernelSpec> reduce_mean_specs() {
  return pools(PoolKind::whole, [](const Views& v, int pixels) {
    return reduce_mean_formula(Profile::ort, v.a, v.out, pixels, v.lo, v.hi);
  });
}

std::vector<KernelSpec> pool_specs() {
  std::vector<KernelSpec> all = max_pool_specs();
  const auto add = [&all](const std::vector<KernelSpec>& specs) { all.insert(all.end(), specs.begin(), specs.end()); };
  add(reduce_mean_specs());
  add(images_mean_specs());
  add(sum_specs(Profile::tfl_ruy));
  // By form: sequential, integer, reciprocal; scaled, scaled with its zero point inside, fixed, reciprocal.
  for (Profile p : {Profile::ort, Profile::xnn, Profile::fbgemm}) add(average_pool_specs(p));
  for (Profile p : {Profile::ort, Profile::xnn, Profile::tflm, Profile::fbgemm}) add(mean_specs(p));
  return all;
}

std::vector<KernelSpec> affine_specs() {
  return for_each_case([](const Extent& e, const Views& v) {
    return AffineSpec{.pixels = e.pixels,
                      .channels = e.channels,
                      .src_pitch = pitch_of(e),
                      .dst_pitch = pitch_of(e) + e.extra,
                      .src = v.a,
                      .dst = v.out,
                      .lo = v.lo,
                      .hi = v.hi};
  });
}

std::vector<KernelSpec> interleave_specs() {
  std::vector<KernelSpec> specs;
  for (const Extent& e : extents())
    specs.push_back(InterleaveSpec{.pixels = e.pixels,
                                   .channels = 2 * e.channels,
                                   .a_pitch = pitch_of(e),
                                   .b_pitch = pitch_of(e) + e.extra,
                                   .dst_pitch = 2 * pitch_of(e)});
  return specs;
}

namespace {

struct Sides {
  int ih, iw, oh, ow;
};
const std::vector<Sides> kSides = {{5, 6, 10, 12}, {7, 5, 11, 13}, {12, 9, 5, 4},
                                   {1, 1, 4, 5},   {4, 3, 1, 1},   {3, 3, 3, 3}};
const Resize::Coordinates kCoordinates[] = {Resize::Coordinates::half_pixel, Resize::Coordinates::asymmetric,
                                            Resize::Coordinates::align_corners};

// Where the pixels of a case come from; the spec alone does not say: all coordinates take turns.
std::vector<ResizeNeighbours> neighbours(const ResizeSpec& s) {
  const Resize::Coordinates c = kCoordinates[static_cast<size_t>(s.channels + s.oh) % std::size(kCoordinates)];
  std::vector<ResizeNeighbours> all = resize_neighbours(s.form, c, s.ih, s.oh);
  for (const ResizeNeighbours& x : resize_neighbours(s.form, c, s.iw, s.ow)) all.push_back(x);
  return all;
}

}  // namespace

std::vector<KernelSpec> resize_specs() {
  std::vector<KernelSpec> specs;
  for (BlendForm form : {BlendForm::fixed11, BlendForm::fixed10, BlendForm::terms, BlendForm::weights})
    for (const Sides& sides : kSides)
      for (int channels : {1, 3, 16, 17, 67})
        specs.push_back(ResizeSpec{.n = 1 + channels % 2,
                                   .ih = sides.ih,
                                   .iw = sides.iw,
                                   .oh = sides.oh,
                                   .ow = sides.ow,
                                   .channels = channels,
                                   .src_pitch = round_up(channels, 4) + 8 * (channels % 3),
                                   .dst_pitch = round_up(channels, 4) + 4 * (channels % 2),
                                   .form = form,
                                   .offset = form == BlendForm::fixed10 ? 128 : 0});
  return specs;
}

namespace {

MatMulSpec matmul_spec(int m, int k, int n, const std::vector<int64_t>& batch, bool one_a, bool one_b) {
  MatMulSpec s{.m = m,
               .k = k,
               .n = n,
               .a_pitch = round_up(k, 4) + 4 * (m % 2),
               .b_pitch = round_up(n, 4) + 4 * (k % 3),
               .dst_pitch = round_up(n, 4) + 4 * (n % 2),
               .batch = batch};
  // Along the last dimension of the batch one operand may be the same for all.
  const auto strides = [&](int64_t bytes, bool one) {
    std::vector<int64_t> out(batch.size());
    for (size_t d = batch.size(); d-- > 0;) {
      const bool fixed = one && d + 1 == batch.size();
      out[d] = fixed ? 0 : bytes;
      if (!fixed) bytes *= batch[d];
    }
    return out;
  };
  s.a_strides = strides(int64_t{m} * s.a_pitch, one_a);
  s.b_strides = strides(int64_t{k} * s.b_pitch, one_b);
  s.dst_strides = strides(int64_t{m} * s.dst_pitch, false);
  return s;
}

}  // namespace

std::vector<KernelSpec> matmul_specs() {
  struct Numbers {
    int a_zero, b_zero;
    double factor;  // a power of two makes ties, a large one saturates
    int zero, lo, hi;
  };
  const Numbers numbers[] = {{113, 121, 0.0007, 13, 0, 255}, {0, 255, 0x1p-12, 255, 0, 255},
                             {255, 0, 0x1p-9, 200, 20, 240}, {255, 255, 0x1p-13, 0, 0, 255},
                             {0, 0, 0.00002, 0, 0, 255},     {128, 128, 0.5, 128, 128, 255},
                             {128, 127, 3.7, 128, 2, 250},   {128, 128, 1e-12, 7, 0, 255}};
  std::vector<KernelSpec> specs;
  const auto add = [&](MatMulSpec s) {
    for (const Numbers& x : numbers) {
      s.a_zero = x.a_zero, s.b_zero = x.b_zero, s.factor = fixed_point(x.factor);
      s.zero = x.zero, s.lo = x.lo, s.hi = x.hi;
      specs.push_back(s);
    }
  };
  for (const auto& [m, k, n] : std::vector<std::array<int, 3>>{
           {1, 1, 1}, {3, 5, 7}, {5, 33, 9}, {4, 16, 17}, {1, 130, 67}, {2, 3, 64}, {7, 64, 133}, {6, 4, 128}})
    add(matmul_spec(m, k, n, {}, false, false));
  for (const auto& [one_a, one_b] : {std::pair{false, false}, std::pair{true, false}, std::pair{false, true}}) {
    add(matmul_spec(3, 9, 5, {4}, one_a, one_b));
    add(matmul_spec(2, 6, 21, {2, 1, 2, 3}, one_a, one_b));
  }
  return specs;
}

std::vector<KernelSpec> lut_specs() {
  std::vector<KernelSpec> specs;
  for (bool copy : {false, true})
    for (const Extent& e : extents())
      specs.push_back(LutSpec{.pixels = e.pixels,
                              .channels = e.channels,
                              .src_pitch = pitch_of(e),
                              .dst_pitch = pitch_of(e) + e.extra,
                              .copy = copy});
  return specs;
}

namespace {

template <class Spec>
std::vector<KernelSpec> edge_specs() {
  std::vector<KernelSpec> specs = for_each_case_of({true, false}, [](bool first, const Extent& e, const Views& v) {
    Spec s;
    s.n = 2, s.pixels = e.pixels, s.channels = e.channels, s.channels_first = first;
    s.pitch = pitch_of(e), s.quant = v.a;
    return s;
  });
  for (const QuantView& q : {kU8, kS8, kU8Low, kS8High, kU8High})
    for (const auto& [pixels, channels] :
         std::vector<std::pair<int, int>>{{71 * 3, 3}, {4, 1}, {7, 2}, {64, 4}, {17, 3}, {224, 3}}) {
      Spec image;
      image.n = 1 + pixels % 2, image.pixels = pixels, image.channels = channels, image.quant = q;
      specs.push_back(image);
    }
  return specs;
}

}  // namespace

std::vector<KernelSpec> quantize_specs() {
  return edge_specs<QuantizeSpec>();
}
std::vector<KernelSpec> dequantize_specs() {
  return edge_specs<DequantizeSpec>();
}

std::vector<KernelSpec> edge_byte_specs() {
  std::vector<KernelSpec> specs;
  for (const bool to_storage : {true, false})
    for (const QuantView& q : {kU8, kS8})
      for (const auto& [pixels, channels] : std::vector<std::pair<int, int>>{
               {1, 16}, {1, 15}, {1, 133}, {17, 3}, {64, 1}, {1, 640}, {211, 3}, {43, 4}, {9, 7}})
        for (const bool first : {false, true}) {
          EdgeSpec s;
          s.n = 1 + pixels % 2, s.pixels = pixels, s.channels = channels, s.channels_first = first;
          s.pitch = channels, s.quant = q, s.to_storage = to_storage;
          specs.push_back(s);
          if (s.pixels > 1 || channels % 4 == 0) continue;
          s.n = 1, s.pitch = round_up(channels, 4);  // one row: nothing lies behind its gap
          specs.push_back(s);
        }
  return specs;
}

std::vector<KernelSpec> kernel_specs() {
  std::vector<KernelSpec> all;
  const auto add = [&all](const std::vector<KernelSpec>& specs) { all.insert(all.end(), specs.begin(), specs.end()); };
  for (Profile profile : formula_profiles()) {
    for (bool minus : {false, true}) add(add_specs(profile, minus));
    add(mul_specs(profile));
  }
  for (const auto& specs : {pair_specs(), pool_specs(), affine_specs(), lut_specs(), interleave_specs(), resize_specs(),
                            matmul_specs(), quantize_specs(), dequantize_specs(), edge_byte_specs()})
    add(specs);
  return all;
}

namespace {

// Bytes with many extremes, and slack behind.
std::vector<uint8_t> bytes(int64_t count, Random& random) {
  std::vector<uint8_t> v(static_cast<size_t>(count) + OCTET_SLACK_BYTES);
  for (uint8_t& b : v) {
    const uint32_t r = random();
    b = static_cast<uint8_t>(r % 8 == 0 ? 0 : r % 8 == 1 ? 255 : r >> 8);
  }
  return v;
}

std::vector<uint8_t> floats(int64_t count, const std::function<float(uint32_t)>& value, Random& random) {
  std::vector<uint8_t> v(static_cast<size_t>(count) * 4 + OCTET_SLACK_BYTES);
  for (size_t i = 0; i + 4 <= v.size(); i += 4) {
    const float f = value(random());
    std::memcpy(v.data() + i, &f, 4);
  }
  return v;
}

// What a quantizer may meet: ties, both signs of zero, infinities, NaN, values beyond the range.
float input_value(uint32_t r, float scale) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float step = static_cast<float>(static_cast<int>(r >> 8) % 700 - 350);
  switch (r % 16) {
    case 0: return (step + 0.5f) * scale;
    case 1: return r & 256 ? kInf : -kInf;
    case 2: return r & 256 ? std::numeric_limits<float>::quiet_NaN() : -0.0f;
    case 3: return r & 256 ? 3e38f : -3e38f;
    default: return (step + static_cast<float>(r % 1000) / 1000.0f) * scale;
  }
}

}  // namespace

KernelCase::KernelCase(const KernelSpec& spec, uint32_t seed) : spec_(spec) {
  Random random(seed);
  const auto output = [this](int64_t rows, int64_t channels, int64_t pitch) {
    rows_ = rows, channels_ = channels, pitch_ = pitch;
  };
  if (const auto* s = std::get_if<AddSpec>(&spec)) {
    const int64_t pixels = int64_t{s->n} * s->pixels;
    src_ = bytes((s->broadcast == Broadcast::a ? s->n : pixels) * s->a_pitch, random);
    src2_ = bytes((s->broadcast == Broadcast::b ? s->n : pixels) * s->b_pitch, random);
    output(pixels, s->channels, s->dst_pitch);
  } else if (const auto* s = std::get_if<MulSpec>(&spec)) {
    const int64_t pixels = int64_t{s->n} * s->pixels;
    src_ = bytes(pixels * s->a_pitch, random), src2_ = bytes((s->broadcast ? s->n : pixels) * s->b_pitch, random);
    output(pixels, s->channels, s->dst_pitch);
  } else if (const auto* s = std::get_if<PairSpec>(&spec)) {
    const int64_t pixels = int64_t{s->n} * s->pixels;
    src_ = bytes(pixels * s->a_pitch, random), src2_ = bytes((s->broadcast ? s->n : pixels) * s->b_pitch, random);
    output(pixels, s->channels, s->dst_pitch);
  } else if (const auto* s = std::get_if<PoolSpec>(&spec)) {
    src_ = bytes(int64_t{s->n} * s->ih * s->iw * s->src_pitch, random);
    output(int64_t{s->n} * s->oh * s->ow, s->channels, s->dst_pitch);
  } else if (const auto* s = std::get_if<ResizeSpec>(&spec)) {
    src_ = bytes(int64_t{s->n} * s->ih * s->iw * s->src_pitch, random);
    const std::vector<ResizeNeighbours> all = neighbours(*s);
    weights_.resize(all.size() * sizeof all[0]);
    std::memcpy(weights_.data(), all.data(), weights_.size());
    output(int64_t{s->n} * s->oh * s->ow, s->channels, s->dst_pitch);
  } else if (const auto* s = std::get_if<MatMulSpec>(&spec)) {
    const auto bytes_of = [s](int64_t matrix, const std::vector<int64_t>& strides) {
      for (size_t d = 0; d < strides.size(); ++d) matrix += (s->batch[d] - 1) * strides[d];
      return matrix;
    };
    src_ = bytes(bytes_of(int64_t{s->m} * s->a_pitch, s->a_strides), random);
    src2_ = bytes(bytes_of(int64_t{s->k} * s->b_pitch, s->b_strides), random);
    output(element_count(s->batch) * s->m, s->n, s->dst_pitch);
  } else if (const auto* s = std::get_if<LutSpec>(&spec)) {
    src_ = bytes(int64_t{s->pixels} * s->src_pitch, random), weights_ = bytes(256, random);
    output(s->pixels, s->channels, s->dst_pitch);
  } else if (const auto* s = std::get_if<InterleaveSpec>(&spec)) {
    src_ = bytes(int64_t{s->pixels} * s->a_pitch, random), src2_ = bytes(int64_t{s->pixels} * s->b_pitch, random);
    output(s->pixels, s->channels, s->dst_pitch);
  } else if (const auto* s = std::get_if<AffineSpec>(&spec)) {
    src_ = bytes(int64_t{s->pixels} * s->src_pitch, random);
    const auto halves = [](uint32_t r) { return static_cast<float>(static_cast<int>(r % 33) - 16) * 0.125f; };
    scale_ = floats(s->channels, halves, random), bias_ = floats(s->channels, halves, random);
    output(s->pixels, s->channels, s->dst_pitch);
  } else if (const auto* s = std::get_if<QuantizeSpec>(&spec)) {
    const int64_t pixels = int64_t{s->n} * s->pixels;
    src_ = floats(
        pixels * s->channels, [s](uint32_t r) { return input_value(r, s->quant.scale); }, random);
    output(pixels, s->channels, s->pitch);
  } else if (const auto* s = std::get_if<DequantizeSpec>(&spec)) {
    const int64_t pixels = int64_t{s->n} * s->pixels;
    src_ = bytes(pixels * s->pitch, random);
    output(1, 4 * pixels * s->channels, 4 * pixels * s->channels);
  } else if (const auto* s = std::get_if<EdgeSpec>(&spec)) {
    const int64_t pixels = int64_t{s->n} * s->pixels, file = pixels * s->channels, stored = pixels * s->pitch;
    src_ = bytes(s->to_storage ? file : stored, random);
    output(1, s->to_storage ? stored : file, s->to_storage ? stored : file);
  }
}

std::vector<uint8_t> KernelCase::fresh_output() const {
  return std::vector<uint8_t>(static_cast<size_t>(rows_ * pitch_) + 2 * kGuard, kUntouched);
}

OctetArgs KernelCase::args(std::vector<uint8_t>& output, const void* constants) const {
  OctetArgs args{};
  args.p[OCTET_SRC] = src_.data();
  args.p[OCTET_SRC2] = src2_.data();
  args.p[OCTET_WEIGHTS] = weights_.data();
  args.p[OCTET_SCALE] = scale_.data();
  args.p[OCTET_BIAS] = bias_.data();
  args.p[OCTET_DST] = output.data() + kGuard;
  args.p[OCTET_CONSTANTS] = constants;
  return args;
}

Memory KernelCase::operands() const {
  return {memory_of(src_), memory_of(src2_), memory_of(weights_), memory_of(scale_), memory_of(bias_)};
}

std::vector<uint8_t> KernelCase::run(const Kernel& kernel, const void* constants) const {
  std::vector<uint8_t> output = fresh_output();
  kernel(args(output, constants));
  return output;
}

std::string KernelCase::fault(const std::vector<uint8_t>& expected, const std::vector<uint8_t>& got) const {
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i] == expected[i]) continue;
    if (i < kGuard || i >= got.size() - kGuard)
      return fmt::format("guard byte {} overwritten", static_cast<int64_t>(i) - static_cast<int64_t>(kGuard));
    const int64_t row = static_cast<int64_t>(i - kGuard) / pitch_, channel = static_cast<int64_t>(i - kGuard) % pitch_;
    if (channel >= channels_ && channel < (channels_ + 3) / 4 * 4) continue;
    return fmt::format("row {} byte {}: {} instead of {}", row, channel, got[i], expected[i]);
  }
  return {};
}

}  // namespace octet
