#include "tests/support/conv_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "generator/kernel/reference.h"
#include "tests/support/random.h"

namespace octet {
namespace {

uint8_t activation(ConvFill fill, Random& random) {
  const uint32_t r = random();
  return static_cast<uint8_t>(fill == ConvFill::extremes ? (r & 256 ? 255 : 0) : r);
}

int8_t weight(const ConvNumbers& n, Random& random) {
  const int limit = n.weight_limit;
  if (n.bell) {
    const uint32_t r = random();
    if (r % 64 == 0) return static_cast<int8_t>(r & 1024 ? 127 : -128);
    return static_cast<int8_t>(static_cast<int>(r % 101 + r / 128 % 101) - 100);
  }
  if (n.fill == ConvFill::sums) return 0;
  if (n.fill == ConvFill::extremes) return static_cast<int8_t>(random() % 2 ? limit - 1 : -limit);
  return static_cast<int8_t>(static_cast<int>(random() % static_cast<uint32_t>(2 * limit)) - limit);
}

// Spreads the accumulators over some 600 steps, so that both ends saturate; powers of two make exact ties.
float multiplier(const ConvNumbers& n, int products, Random& random) {
  if (n.requant.wide && random() % 2) return 3.0e5f;  // the other channels give what lies between the clamps
  const double deviation =
      (n.fill == ConvFill::extremes ? 23000.0 : 8200.0) * n.weight_limit / 128 * std::sqrt(products);
  const double m = 150.0 / deviation;
  if (n.fill == ConvFill::ties) return static_cast<float>(std::exp2(std::round(std::log2(m))));
  return static_cast<float>(m * (0.5 + (random() % 1000) / 1000.0));
}

// A factor in fixed point near m, or one from the ends of what can be: shifts of 0 and 31, the largest and the smallest
// multiplier, none at all; with mixed also shifts to the left, as far as sums of `products` products allow.
FixedPoint fixed_scale(const ConvNumbers& n, int products, float m, Random& random) {
  const bool mixed = n.requant.mixed && random() % 2;
  if (mixed) {
    const int most = n.fill == ConvFill::sums ? 6 : products * n.weight_terms < 1000 ? 2 : 0;
    return {(1 << 30) + static_cast<int32_t>(random() % (1 << 30)), static_cast<int>(random() % (most + 1))};
  }
  FixedPoint f = fixed_point(static_cast<double>(m));
  switch (random() % 16) {
    case 0: return {};
    case 1: return {f.multiplier, n.fill == ConvFill::sums ? -31 : f.exponent};
    case 2: return {f.multiplier, n.fill == ConvFill::sums ? -30 : f.exponent};
    case 3: return {1 << 30, f.exponent};
    case 4: return {INT32_MAX, f.exponent};
    case 5: return {f.multiplier, std::min(-1, f.exponent + 3)};
    default: return f;
  }
}

ChannelScale channel_scale(const ConvNumbers& n, int products, Random& random) {
  const Requant& r = n.requant;
  ChannelScale c{.m = multiplier(n, products, random)};
  c.real = static_cast<double>(c.m) * (1 + 1e-9 * (random() % 100));
  if (n.fill == ConvFill::ties) c.real = static_cast<double>(c.m);
  if (is_fixed(r.form)) c.fixed = fixed_scale(n, products, c.m, random);
  if (r.form == RequantForm::shift) c.fixed = {1, -std::clamp(static_cast<int>(std::lround(-std::log2(c.m))), 0, 30)};
  const float part = static_cast<float>(random() % 20001) / 10000.0f - 1;
  if (r.form == RequantForm::biased) c.b = part * 100.0f / c.m / r.factor;
  if (r.form == RequantForm::affine) {
    c.m /= r.factor;
    c.b = n.fill == ConvFill::ties ? std::round(part * 100.0f) / r.factor : part * 100.0f / r.factor;
  }
  return c;
}

// A bias; where weights are 0, the whole sum.
int32_t bias(const ConvNumbers& n, const ChannelScale& c, Random& random) {
  if (n.fill != ConvFill::sums) return static_cast<int32_t>(random() % 20001) - 10000;
  const int64_t most = is_fixed(n.requant.form)               ? INT32_MAX >> (2 + std::max(0, c.fixed.exponent))
                       : n.requant.form == RequantForm::shift ? INT32_MAX - (1 << 30)
                                                              : INT32_MAX;
  const int64_t tie = std::llround(0.5 / c.real), wanted[] = {most, most - 1, 0, 1, tie, tie - 1, 3 * tie, tie + 1};
  const int64_t sum = random() % 4 ? wanted[random() % 8] : static_cast<int64_t>(random()) * 2 % (most + 1);
  return static_cast<int32_t>(random() % 2 ? sum : -sum);
}

}  // namespace

const std::vector<ConvNumbers>& conv_numbers() {
  using enum ConvFill;
  const AddFormula u8_add{.ra = 0.37f, .rb = 1.21f, .kb = -23.4f};
  // Powers of two: exact ties. u8 + s8 -> s8, so that a mixed-up operand shows.
  const AddFormula s8_add{
      .ra = 0.5f, .rb = 0.25f, .kb = 0.5f, .offset_b = 128, .offset_out = 128, .lo = 130, .hi = 250};
  // The conv's own result, another addend, and their sum.
  const QuantView a{.scale = 0.021f, .zero_point = 113}, b{.scale = 0.37f, .zero_point = -7, .is_signed = true},
      y{.scale = 0.4f, .zero_point = -30, .is_signed = true};
  static const std::vector<ConvNumbers> all = {
      {.name = "random", .src_zero = 113, .requant = {7, 0, 255}},
      {.name = "extremes", .fill = extremes, .src_zero = 255, .requant = {255, 0, 255}},
      {.name = "extremes_zero0", .fill = extremes, .requant = {0, 0, 255}},
      {.name = "ties", .fill = ties, .src_zero = 128, .requant = {128, 128, 255}},
      {.name = "clamped", .src_zero = 1, .requant = {100, 90, 180}, .extra_pitch = 36},
      {.name = "gapless", .src_zero = 128, .requant = {7, 0, 255}, .gapless = true},
      {.name = "wide", .fill = extremes, .src_zero = 128, .requant = {3, 2, 200, true}},
      {.name = "residual", .src_zero = 9, .requant = {113, 20, 240}, .residual = true, .add = u8_add},
      {.name = "residual_first_s8",
       .fill = ties,
       .src_zero = 128,
       .requant = {130, 0, 255},
       .residual = true,
       .residual_is_first = true,
       .add = s8_add,
       .extra_pitch = 4},
      {.name = "residual_wide",
       .requant = {0, 0, 255, true},
       .residual = true,
       .add = {.ra = 1e8f, .rb = 3.0f, .offset_b = 128, .offset_out = 5, .lo = 4, .hi = 254}},
      {.name = "residual_shifted_up",
       .src_zero = 9,
       .requant = {113, 0, 255},
       .residual = true,
       .add = add_formula(Profile::xnn, a, b, y, 0, 250)},
      {.name = "residual_shifted_away",
       .requant = {113, 0, 255},
       .residual = true,
       .residual_is_first = true,
       .add = add_formula(Profile::qnnpack, b, a, y, 3, 255)},
      {.name = "residual_doubling",
       .src_zero = 200,
       .requant = {113, 0, 255},
       .residual = true,
       .residual_is_first = true,
       .add = add_formula(Profile::tfl_ref, b, a, y, 0, 255)},
      {.name = "residual_product",
       .src_zero = 3,
       .requant = {113, 5, 255},
       .residual = true,
       .add = add_formula(Profile::fbgemm, a, b, y, 0, 255)},
      {.name = "two_terms", .fill = extremes, .src_zero = 77, .requant = {128, 0, 255}, .weight_terms = 2},
      {.name = "bell", .fill = extremes, .src_zero = 255, .requant = {128, 0, 255}, .bell = true},
      {.name = "bell_two_terms", .src_zero = 7, .requant = {128, 0, 255}, .weight_terms = 2, .bell = true},
      {.name = "safe", .fill = extremes, .src_zero = 200, .requant = {128, 0, 255}, .weight_limit = 64},
      {.name = "safe_two_terms", .src_zero = 0, .requant = {128, 0, 255}, .weight_terms = 2, .weight_limit = 64},
      // u8 weights of 255 with zero point 0 are 127 + 127 + 1.
      {.name = "three_terms", .fill = extremes, .src_zero = 100, .requant = {128, 0, 255}, .weight_terms = 3},
      {.name = "three_terms_residual",
       .src_zero = 255,
       .requant = {3, 0, 255},
       .residual = true,
       .add = u8_add,
       .weight_terms = 3,
       .extra_pitch = 4},
      {.name = "safe_residual",
       .src_zero = 3,
       .requant = {0, 0, 255},
       .residual = true,
       .residual_is_first = true,
       .add = u8_add,
       .weight_limit = 60},
      // The other forms of requantization.
      {.name = "biased", .src_zero = 1, .requant = {128, 0, 255, false, RequantForm::biased}},
      {.name = "biased_by_factor", .fill = ties, .requant = {0, 0, 255, false, RequantForm::biased, 317.3f}},
      {.name = "biased_sums", .fill = sums, .requant = {9, 5, 250, true, RequantForm::biased, 41.7f}},
      {.name = "affine", .src_zero = 128, .requant = {131, 3, 255, false, RequantForm::affine, 23.7f, 128}},
      {.name = "affine_ties", .fill = ties, .requant = {15, 0, 250, false, RequantForm::affine, 4.0f}},
      {.name = "affine_sums", .fill = sums, .requant = {128, 0, 255, true, RequantForm::affine, 0.3f, 128}},
      {.name = "fixed_up", .src_zero = 128, .requant = {7, 0, 255, false, RequantForm::fixed_up}},
      {.name = "fixed_up_ties", .fill = ties, .requant = {128, 0, 255, false, RequantForm::fixed_up}},
      {.name = "fixed_up_sums", .fill = sums, .requant = {100, 0, 255, false, RequantForm::fixed_up, 1, 0, true}},
      {.name = "fixed_away", .fill = extremes, .src_zero = 3, .requant = {128, 1, 255, false, RequantForm::fixed_away}},
      {.name = "fixed_away_ties", .fill = ties, .requant = {128, 0, 255, false, RequantForm::fixed_away}},
      {.name = "fixed_away_mixed",
       .src_zero = 128,
       .requant = {200, 0, 255, false, RequantForm::fixed_away, 1, 0, true},
       .extra_pitch = 4},
      {.name = "fixed_away_sums", .fill = sums, .requant = {100, 0, 255, false, RequantForm::fixed_away}},
      {.name = "fixed_away_sums_mixed",
       .fill = sums,
       .requant = {128, 0, 255, false, RequantForm::fixed_away, 1, 0, true}},
      {.name = "fixed_away_residual",
       .src_zero = 128,
       .requant = {130, 2, 255, false, RequantForm::fixed_away},
       .residual = true,
       .add = s8_add},
      {.name = "affine_residual",
       .requant = {5, 0, 255, false, RequantForm::affine, 3.0f},
       .residual = true,
       .residual_is_first = true,
       .add = u8_add},
      {.name = "doubles", .src_zero = 77, .requant = {128, 0, 255, false, RequantForm::doubles}},
      {.name = "doubles_ties", .fill = ties, .requant = {100, 0, 200, false, RequantForm::doubles}},
      {.name = "doubles_sums", .fill = sums, .requant = {3, 0, 255, true, RequantForm::doubles}},
      {.name = "shift", .fill = ties, .src_zero = 128, .requant = {128, 0, 255, false, RequantForm::shift}},
      {.name = "shift_sums", .fill = sums, .requant = {0, 0, 255, false, RequantForm::shift}},
  };
  return all;
}

ConvCase make_conv_case(const ConvShape& shape, const ConvNumbers& n, uint32_t seed) {
  Random random(seed);
  ConvCase c{.name = shape.name + " " + n.name + fmt::format(" seed {}", seed), .spec = shape.spec};
  ConvSpec& s = c.spec;
  s.src_zero = n.src_zero;
  s.requant = n.requant;
  s.residual = n.residual;
  s.residual_is_first = n.residual_is_first;
  s.add = n.add;
  s.weight_terms = n.weight_terms;
  s.src_pitch = n.gapless && s.groups == 1 ? s.ic : s.src_pitch + n.extra_pitch;
  s.dst_pitch += n.extra_pitch;
  s.src2_pitch += 2 * n.extra_pitch;
  const int products = s.ic / s.groups * s.window.kh * s.window.kw;
  const auto fill = [&](std::vector<uint8_t>& v, int64_t bytes) {
    v.resize(static_cast<size_t>(bytes) + OCTET_SLACK_BYTES);
    for (uint8_t& b : v) b = activation(n.fill, random);
  };
  fill(c.src, int64_t{s.n} * s.ih * s.iw * s.src_pitch);
  if (s.residual) fill(c.src2, int64_t{s.n} * s.oh * s.ow * s.src2_pitch);
  c.data.weights.resize(static_cast<size_t>(s.weight_terms * s.oc) * static_cast<size_t>(products));
  for (int8_t& w : c.data.weights) w = weight(n, random);
  for (int o = 0; o < s.oc; ++o) {
    c.data.scale.push_back(channel_scale(n, products, random));
    c.data.bias.push_back(bias(n, c.data.scale.back(), random));
  }
  return c;
}

std::vector<uint8_t> expected_conv(const ConvCase& c) {
  ConvSpec dense = c.spec;
  dense.dst_pitch = dense.oc;
  std::vector<uint8_t> out(static_cast<size_t>(int64_t{dense.n} * dense.oh * dense.ow * dense.oc));
  OctetArgs args{};
  args.p[OCTET_SRC] = c.src.data();
  args.p[OCTET_WEIGHTS] = c.data.weights.data();
  args.p[OCTET_DST] = out.data();
  args.p[OCTET_BIAS] = c.data.bias.data();
  args.p[OCTET_SCALE] = c.data.scale.data();
  args.p[OCTET_SRC2] = c.src2.data();
  reference(dense, args);
  return out;
}

ConvOutput::ConvOutput(const ConvSpec& spec, int scratch_bytes)
    : spec_(spec),
      bytes_(static_cast<size_t>(int64_t{spec.n} * spec.oh * spec.ow * spec.dst_pitch) + 2 * kGuard, kUntouched),
      scratch_(static_cast<size_t>(scratch_bytes) + 2 * kGuard, kUntouched) {}

std::string ConvOutput::fault(const std::vector<uint8_t>& expected) const {
  const auto pitch = static_cast<size_t>(spec_.dst_pitch), oc = static_cast<size_t>(spec_.oc);
  for (size_t i = 0; i < bytes_.size(); ++i) {
    const bool guard = i < kGuard || i >= bytes_.size() - kGuard;
    const size_t pixel = guard ? 0 : (i - kGuard) / pitch, channel = guard ? pitch : (i - kGuard) % pitch;
    if (!guard && channel >= oc && channel < static_cast<size_t>(round_up(spec_.oc, 4))) continue;
    const uint8_t want = !guard && channel < oc ? expected[pixel * oc + channel] : kUntouched;
    if (bytes_[i] == want) continue;
    if (guard) return fmt::format("guard byte {} overwritten", i);
    const int w = spec_.ow, p = static_cast<int>(pixel);
    return fmt::format("image {} row {} column {} channel {}: {} instead of {}", p / w / spec_.oh, p / w % spec_.oh,
                       p % w, channel, bytes_[i], want);
  }
  for (size_t i = 0; i < kGuard; ++i)
    if (scratch_[i] != kUntouched || scratch_[scratch_.size() - 1 - i] != kUntouched)
      return "bytes around the scratch overwritten";
  return {};
}

OctetArgs conv_args(const ConvCase& c, const PackedConv& packed, const Program& program, ConvOutput& out) {
  OctetArgs args{};
  args.p[OCTET_SRC] = c.src.data();
  args.p[OCTET_WEIGHTS] = packed.weights.data();
  args.p[OCTET_DST] = out.data();
  args.p[OCTET_BIAS] = packed.bias.data();
  args.p[OCTET_SCALE] = packed.scale.data();
  args.p[OCTET_SRC2] = c.src2.data();
  args.p[OCTET_CONSTANTS] = program.constants.data();
  args.p[OCTET_SCRATCH] = out.scratch();
  return args;
}

Memory conv_memory(const ConvCase& c, const PackedConv& packed, const Program& program, const ConvOutput& out) {
  Memory memory = out.memory();
  for (const auto& buffer : {memory_of(c.src), memory_of(c.src2), memory_of(packed.weights), memory_of(packed.bias),
                             memory_of(packed.scale), memory_of(program.constants)})
    memory.push_back(buffer);
  return memory;
}

}  // namespace octet
