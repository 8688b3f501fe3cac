#include "generator/kernel/conv_scale.h"

#include <cmath>
#include <limits>

namespace octet {
namespace {

// Whose kernel runs: profiles that stand for a choice among others are taken apart.
Profile engine(const ConvTraits& t) {
  const bool product = t.kind == ConvKind::product;
  const bool linear = t.kind == ConvKind::fully_connected || t.kind == ConvKind::matmul || product;
  if (t.profile == Profile::torch_x86)
    return !linear && t.groups <= 100 && t.centred ? Profile::onednn : Profile::fbgemm;
  if (t.profile == Profile::xnn && product) return Profile::tfl_ruy;
  return t.profile;
}

// How many channels of tfl-ruy round ties up; the rest round them away from zero.
int64_t rounds_up(const ConvTraits& t) {
  switch (t.kind) {
    case ConvKind::fully_connected: return t.channels;
    case ConvKind::matmul:
    case ConvKind::product: return 0;
    case ConvKind::conv: return t.groups == 1 ? t.channels : 0;
    case ConvKind::depthwise: return t.is_signed ? t.channels / 8 * 8 : 0;
    case ConvKind::transposed: return t.is_signed ? t.channels / 8 * 8 : t.channels;
  }
  return 0;
}

double real_factor(const ConvTraits& t, float weight_scale) {
  const float product = t.src_scale * weight_scale;
  const Profile by = engine(t);
  const bool ruy = by == Profile::tfl_ruy, in_float = (ruy || by == Profile::tfl_ref) && !t.is_signed;
  if (in_float || (ruy && t.kind == ConvKind::fully_connected && t.per_tensor))
    return static_cast<double>(product) / static_cast<double>(t.dst_scale);
  return static_cast<double>(t.src_scale) * static_cast<double>(weight_scale) / static_cast<double>(t.dst_scale);
}

}  // namespace

bool keeps_float_bias(Profile profile) {
  return is_torch(profile) && profile != Profile::qnnpack;
}

std::optional<int32_t> quantize_bias(Profile profile, float bias, float src_scale, float weight_scale) {
  double q;
  if (profile == Profile::qnnpack) {
    const float inverse = 1.0f / (src_scale * weight_scale);
    q = std::nearbyint(static_cast<double>(bias * inverse));
  } else {
    q = std::nearbyint(static_cast<double>(bias) / (static_cast<double>(src_scale) * weight_scale));
  }
  if (!(q >= std::numeric_limits<int32_t>::min() && q <= std::numeric_limits<int32_t>::max())) return std::nullopt;
  return static_cast<int32_t>(q);
}

void set_form(const ConvTraits& t, bool float_bias, Requant& r) {
  r.factor = 1;
  switch (engine(t)) {
    case Profile::ort:
    case Profile::xnn:
    case Profile::qnnpack:
    case Profile::torch_x86: r.form = RequantForm::scaled; break;
    case Profile::tfl_ref:
      r.form = t.kind == ConvKind::fully_connected ? RequantForm::doubles : RequantForm::fixed_away;
      break;
    case Profile::tflm: r.form = RequantForm::fixed_away; break;
    case Profile::tfl_ruy: r.form = rounds_up(t) == t.channels ? RequantForm::fixed_up : RequantForm::fixed_away; break;
    case Profile::fbgemm:
      r.form = float_bias ? RequantForm::biased : RequantForm::scaled;
      if (float_bias && t.per_tensor) r.factor = 1.0f / (t.src_scale * t.weight_scale);
      break;
    case Profile::onednn:
      r.form = RequantForm::affine;
      r.factor = 1.0f / t.dst_scale;
      break;
    case Profile::tidl: r.form = RequantForm::shift; break;
  }
}

ChannelScale channel_scale(const ConvTraits& t, int64_t channel, float weight_scale, float bias) {
  const float product = t.src_scale * weight_scale;
  ChannelScale c{.m = product / t.dst_scale};
  switch (engine(t)) {
    case Profile::fbgemm: c.b = t.per_tensor ? bias : bias / product; break;
    case Profile::onednn: {
      const float inverse = 1.0f / t.src_scale;
      c.m = 1.0f / inverse * weight_scale;
      c.b = bias;
      break;
    }
    case Profile::qnnpack: {
      const float inverse = 1.0f / t.dst_scale;
      c.m = product * inverse;
      break;
    }
    default: break;
  }
  c.real = real_factor(t, weight_scale);
  if (is_tflite(t.profile) && c.real < 256) c.fixed = fixed_point(c.real);
  if (t.profile == Profile::tidl) c.fixed = {1, -power_of_two(c.real).value_or(0)};
  c.ties_up = engine(t) == Profile::tfl_ruy && channel < rounds_up(t);
  return c;
}

std::optional<int> power_of_two(double real) {
  int exponent = 0;
  if (std::frexp(real, &exponent) != 0.5 || exponent > 1 || exponent < -29) return std::nullopt;
  return 1 - exponent;
}

}  // namespace octet
