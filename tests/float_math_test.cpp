// The functions of templates/float_math.h against binary64's libm, over samples of all binary32 numbers and extremes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <ostream>
#include <vector>

#include "generator/kernel/plain.h"
#include "generator/kernel/spec.h"
#include "tests/support/random.h"

namespace octet {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

float float_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

// Every 4099th number of both signs, and what is special.
std::vector<float> samples() {
  std::vector<float> x = {0.0f,           -0.0f,      kInf,       -kInf,      kNan,       1.0f,           -1.0f,
                          0.5f,           2.5f,       -2.5f,      1e-45f,     -1e-45f,    1.1754944e-38f, 3.4028235e38f,
                          -3.4028235e38f, 8388607.5f, 8388608.0f, 1048575.9f, 1048576.0f, 16777216.0f};
  for (uint64_t bits = 1; bits < uint64_t{1} << 32; bits += 4099) x.push_back(float_of(static_cast<uint32_t>(bits)));
  for (int i = -40000; i <= 40000; ++i) x.push_back(static_cast<float>(i) * 0.00125f);  // where most functions bend
  return x;
}

// How many binary32 numbers lie between; NaN only equals NaN.
int64_t distance(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b) ? 0 : INT64_MAX;
  const auto ordered = [](float v) {
    int32_t i;
    std::memcpy(&i, &v, 4);
    return i < 0 ? int64_t{INT32_MIN} - i : int64_t{i};
  };
  return std::abs(ordered(a) - ordered(b));
}

std::vector<float> run(const FloatSpec& spec, const std::vector<float>& a, const std::vector<float>& b = {}) {
  std::vector<float> y(a.size());
  const PlainKernel kernel = *plain_kernel(spec);
  OctetArgs args{};
  args.p[OCTET_SRC] = a.data();
  args.p[OCTET_SRC2] = b.data();
  args.p[OCTET_DST] = y.data();
  args.p[OCTET_CONSTANTS] = kernel.params.data();
  kernel.function(&args);
  return y;
}

struct Case {
  Unary function;
  double (*exact)(double);
  int64_t most = 1;  // units of the last place
  float alpha = 0;
};
std::ostream& operator<<(std::ostream& os, const Case& c) {
  return os << unary_name(c.function) << (c.function == Unary::gelu && c.alpha == 1 ? "_by_tanh" : "");
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double gelu(double x) {
  return x == -std::numeric_limits<double>::infinity() ? -0.0 : 0.5 * x * std::erfc(-x / std::sqrt(2.0));
}
double gelu_by_tanh(double x) {
  const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  return x < -30 ? -0.0 : x / (1 + std::exp(-2 * u));
}
double softplus(double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}
double silu(double x) {
  return x == -std::numeric_limits<double>::infinity() ? -0.0 : x * sigmoid(x);
}

class FloatMath : public testing::TestWithParam<Case> {};

TEST_P(FloatMath, LiesWithinAUnitOfTheLastPlace) {
  const std::vector<float> x = samples();
  const octet_float::Unary p{static_cast<int64_t>(x.size()), static_cast<int32_t>(GetParam().function),
                             octet_float::kF32, GetParam().alpha, 0.0f};
  const std::vector<float> y = run({p}, x);
  int64_t worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const auto want = static_cast<float>(GetParam().exact(static_cast<double>(x[i])));
    const int64_t d = distance(y[i], want);
    ASSERT_LE(d, GetParam().most) << x[i] << " gives " << y[i] << ", not " << want;
    worst = std::max(worst, d);
    ASSERT_EQ(std::isnan(y[i]) ? 0x7FC00000u : 0u, std::isnan(y[i]) ? std::bit_cast<uint32_t>(y[i]) : 0u) << x[i];
  }
  RecordProperty("worst", static_cast<int>(worst));
}

INSTANTIATE_TEST_SUITE_P(
    All, FloatMath,
    testing::Values(Case{Unary::exp, std::exp}, Case{Unary::log, std::log}, Case{Unary::sqrt, std::sqrt},
                    Case{Unary::rsqrt, [](double x) { return 1 / std::sqrt(x); }}, Case{Unary::sigmoid, sigmoid},
                    Case{Unary::tanh, std::tanh}, Case{Unary::erf, std::erf}, Case{Unary::silu, silu},
                    Case{Unary::gelu, gelu}, Case{Unary::gelu, gelu_by_tanh, 1, 1}, Case{Unary::softplus, softplus},
                    Case{Unary::elu, [](double x) { return x >= 0 || std::isnan(x) ? x : std::expm1(x); }, 1, 1},
                    Case{Unary::sin, std::sin}, Case{Unary::cos, std::cos}, Case{Unary::floor, std::floor, 0},
                    Case{Unary::ceil, std::ceil, 0}, Case{Unary::round, std::nearbyint, 0},
                    Case{Unary::abs, std::fabs, 0}, Case{Unary::neg, [](double x) { return -x; }, 0},
                    Case{Unary::reciprocal, [](double x) { return 1 / x; }, 0}),
    testing::PrintToStringParamName());

octet_float::Binary binary(size_t count, octet_float::Operator op) {
  octet_float::Binary p{};
  for (int64_t& d : p.dims) d = 1;
  p.dims[5] = static_cast<int64_t>(count);
  p.a[5] = p.b[5] = 1;
  p.op = op;
  p.type = octet_float::kF32;
  return p;
}

TEST(FloatPow, IsCsPowWithinAUnitOfTheLastPlace) {
  const std::vector<float> special = {0.0f, -0.0f,       1.0f,        -1.0f,  2.0f,       -2.0f,  3.0f, -3.0f,
                                      0.5f, -0.5f,       0.25f,       1e-45f, 3e38f,      -3e38f, kInf, -kInf,
                                      kNan, 16777216.0f, 16777217.0f, -7.0f,  1.0000001f, 100.5f};
  std::vector<float> x, y;
  for (float a : special)
    for (float b : special) x.push_back(a), y.push_back(b);
  Random random(5);
  for (int i = 0; i < 200000; ++i) {
    x.push_back(float_of(0x30000000u + random() % 0x20000000u) * (random() % 4 == 0 ? -1.0f : 1.0f));
    y.push_back(random() % 2 ? static_cast<float>(static_cast<int>(random() % 41) - 20)
                             : static_cast<float>(static_cast<int>(random() % 20001) - 10000) * 0.002f);
  }
  const std::vector<float> z = run({binary(x.size(), octet_float::kPow)}, x, y);
  for (size_t i = 0; i < x.size(); ++i) {
    const auto want = static_cast<float>(std::pow(static_cast<double>(x[i]), static_cast<double>(y[i])));
    ASSERT_LE(distance(z[i], want), 1) << x[i] << " ^ " << y[i] << " gives " << z[i] << ", not " << want;
  }
}

TEST(FloatMod, IsExactAndHasTheDivisorsSign) {
  std::vector<float> x, y;
  const std::vector<float> special = {0.0f,   -0.0f,  1.0f,  -1.0f, 5.5f,  -5.5f, 3.0f, -3.0f,
                                      1e-45f, 1e-38f, 3e38f, kInf,  -kInf, kNan,  0.1f};
  for (float a : special)
    for (float b : special) x.push_back(a), y.push_back(b);
  Random random(6);
  for (int i = 0; i < 20000; ++i) x.push_back(float_of(random())), y.push_back(float_of(random()));
  const std::vector<float> z = run({binary(x.size(), octet_float::kFloorMod)}, x, y);
  for (size_t i = 0; i < x.size(); ++i) {
    float want = std::fmod(x[i], y[i]);
    if (want != 0 && (want < 0) != (y[i] < 0)) want += y[i];
    ASSERT_TRUE(z[i] == want || (std::isnan(z[i]) && std::isnan(want)))
        << x[i] << " mod " << y[i] << ": " << z[i] << ", not " << want;
  }
}

}  // namespace
}  // namespace octet
