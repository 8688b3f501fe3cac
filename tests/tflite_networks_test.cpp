// Trained TFLite networks against the outputs that LiteRT gave for them: its reference kernels under tfl-ref, its
// default ones under xnn. They lie in ../shared/reference/tflite (or OCTET_TFLITE_REFERENCE); absent files are skipped,
// visibly.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "generator/io/npy.h"
#include "jit/load.h"
#include "targets/target.h"

namespace octet {
namespace {

struct Network {
  const char* name;
  float tolerance;    // 0: every byte
  int slow_examples;  // of the engines that take their time
};

struct Way {
  Engine engine;
  const char* target;
};

std::filesystem::path reference_folder() {
  const char* folder = std::getenv("OCTET_TFLITE_REFERENCE");
  return folder ? folder : OCTET_SOURCE_DIR "/../shared/reference/tflite";
}

using Case = std::tuple<Network, Profile, Way>;

class TfliteNetworks : public testing::TestWithParam<Case> {};

// How many values differ, and by how much at most.
struct Difference {
  size_t count = 0;
  double most = 0;
};

template <class T>
Difference difference(const Array& a, const std::vector<uint8_t>& b, float tolerance) {
  Difference d;
  const auto expected = a.values<T>();
  const auto* got = reinterpret_cast<const T*>(b.data());
  for (size_t i = 0; i < expected.size(); ++i) {
    const double apart = std::fabs(static_cast<double>(expected[i]) - static_cast<double>(got[i]));
    d.count += !(apart <= tolerance);
    d.most = std::max(d.most, apart);
  }
  return d;
}

TEST_P(TfliteNetworks, GiveTheStoredOutputs) {
  const auto& [network, profile, way] = GetParam();
  const std::filesystem::path file = reference_folder() / (std::string(network.name) + ".tflite");
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no " << file;
  const Target& target = *find_target(way.target);
  if (!host_runs(target)) GTEST_SKIP() << "this machine (or OCTET_MAX_TARGET) has no " << way.target;
  const LoadedModel m = load(file, {.target = &target, .engine = way.engine, .profile = profile});
  const Plan& plan = m.executor->plan();
  ASSERT_EQ(plan.inputs.size(), 1U);
  ASSERT_EQ(plan.outputs.size(), 1U);
  ExecutionContext context(m.executor);
  const NpzReader npz(std::filesystem::path(file).replace_extension(".npz"));
  const std::string kind = profile == Profile::tfl_ref ? "ref" : "xnn";
  const bool slow = way.engine == Engine::reference || std::strcmp(way.target, "scalar") == 0;
  int examples = 0;
  for (const std::string& name : npz.names()) {
    if (!name.starts_with("in") || (slow && examples == network.slow_examples)) continue;
    const Array in = npz.read(name), expected = npz.read(kind + name.substr(2));
    ASSERT_EQ(in.data.size(), plan.inputs[0].bytes());
    ASSERT_EQ(expected.data.size(), plan.outputs[0].bytes());
    std::vector<uint8_t> out(expected.data.size());
    const void* inputs[] = {in.data.data()};
    void* outputs[] = {out.data()};
    context.run(inputs, outputs);
    const Difference d = expected.dtype == DType::f32  ? difference<float>(expected, out, network.tolerance)
                         : expected.dtype == DType::s8 ? difference<int8_t>(expected, out, network.tolerance)
                                                       : difference<uint8_t>(expected, out, network.tolerance);
    EXPECT_EQ(d.count, 0U) << name << ": of " << expected.elements() << " values, by up to " << d.most;
    ++examples;
  }
  EXPECT_GT(examples, 0);
}

constexpr Network kInt8[] = {{"ad01_int8", 0, 9},
                             {"kws_int8", 0, 9},
                             {"resnet8_cifar10_int8", 0, 9},
                             {"vww_96_int8", 0, 9},
                             {"mobilenet_v1_0.25_128_quant", 0, 2},
                             {"mobilenet_v2_1.0_224_quant", 0, 1},
                             {"tf2_mobilenet_v2_1.0_224_ptq", 0, 1}};

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const auto& [network, profile, way] = info.param;
  std::string name = std::string(network.name) + "_" + profile_name(profile) + "_" + way.target;
  if (way.engine == Engine::reference) name += "_reference";
  if (way.engine == Engine::cpp) name += "_cpp";
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

// XNNPACK sums in another order. It quantizes the input of kws_float's integer weights at run time; here they are real.
constexpr Network kFloat[] = {{"resnet8_cifar10_float", 1e-6F, 2}, {"vww_96_float", 1e-6F, 1}, {"kws_float", 1e-2F, 2}};

const auto kProfiles = testing::Values(Profile::tfl_ref, Profile::xnn);

INSTANTIATE_TEST_SUITE_P(Int8, TfliteNetworks,
                         testing::Combine(testing::ValuesIn(kInt8), kProfiles,
                                          testing::Values(Way{Engine::reference, "scalar"}, Way{Engine::jit, "scalar"},
                                                          Way{Engine::jit, "avx2"}, Way{Engine::jit, "avx512_vnni"},
                                                          Way{Engine::jit, "avx512_vbmi"})),
                         case_name);

INSTANTIATE_TEST_SUITE_P(Float, TfliteNetworks,
                         testing::Combine(testing::ValuesIn(kFloat), testing::Values(Profile::xnn),
                                          testing::Values(Way{Engine::reference, "scalar"}, Way{Engine::jit, "avx2"},
                                                          Way{Engine::jit, "avx512_vnni"})),
                         case_name);

// A compiler takes its time: the networks that a minute suffices for.
INSTANTIATE_TEST_SUITE_P(Emitted, TfliteNetworks,
                         testing::Combine(testing::Values(kInt8[1], kInt8[2]), kProfiles,
                                          testing::Values(Way{Engine::cpp, "scalar"}, Way{Engine::cpp, "avx2"},
                                                          Way{Engine::cpp, "avx512_vnni"})),
                         case_name);

}  // namespace
}  // namespace octet
