// Random networks on every engine, target and profile: the same bytes. A failure prints one line that this test
// (OCTET_NETWORK=LINE), `random_model LINE` and `kernel_bench` (OCTET_NETWORK=LINE) all take.
//
// OCTET_FUZZ=N tries N networks, from the seed OCTET_SEED on.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "runtime/status.h"
#include "tests/support/random_model.h"
#include "tests/support/ways.h"

namespace octet {
namespace {

// What is wrong, after the way that shows it; empty where all agree. `refused` holds why the profile does not have the
// network.
std::string fault(const RandomModel& m, const std::vector<Way>& all, std::string& refused) {
  const Graph graph = graph_of(m);
  std::optional<LoadedModel> plain;
  try {
    plain = load(graph, kPlain);
  } catch (const Error& e) {
    refused = e.what();
    if (e.kind() == ErrorKind::internal) return fmt::format("{}: internal error: {}", to_string(kPlain), e.what());
    return {};
  }
  const Plan& plan = plain->executor->plan();
  const ByteArrays inputs = random_inputs(plan, m.seed), expected = run(*plain, inputs);
  for (const Way& way : all) {
    std::string what;
    try {
      what = difference(plan, expected, run(load(graph, way), inputs));
    } catch (const Error& e) {
      what = e.what();
    }
    if (!what.empty())
      return fmt::format("{}: {}; first inside: {}", to_string(way), what, first_different_tensor(graph, way, inputs));
  }
  return {};
}

// The failure as one line, of the shortest beginning of the network that still fails.
void report(RandomModel m, const std::vector<Way>& all, std::string what) {
  std::string refused;
  for (int layers = 1; layers < 12; ++layers) {
    RandomModel shorter = m;
    shorter.layers = layers;
    const std::string fails = fault(shorter, all, refused);
    if (fails.empty()) continue;
    m = shorter;
    what = fails;
    break;
  }
  ADD_FAILURE() << "OCTET_NETWORK=" << to_string(m) << " " << what;
}

uint32_t number(const char* variable, uint32_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? static_cast<uint32_t>(std::strtoul(text, nullptr, 10)) : otherwise;
}

TEST(GraphFuzz, EveryWayGivesTheSameBytes) {
  const std::vector<Way> all = ways();
  std::vector<RandomModel> models;
  if (const char* line = std::getenv("OCTET_NETWORK")) {
    models.push_back(random_model_named(line));
  } else {
    const uint32_t first = number("OCTET_SEED", 1), count = number("OCTET_FUZZ", 150);
    for (uint32_t k = 0; k < count; ++k)
      for (const Profile p : all_profiles())
        if (p == Profile::ort || k % 4 == 0) models.push_back({.seed = first + k, .profile = p});
  }
  std::map<Profile, int> ran;
  std::map<Profile, std::string> why;
  int failures = 0;
  for (const RandomModel& m : models) {
    std::string refused;
    if (const std::string what = fault(m, all, refused); !what.empty()) {
      report(m, all, what);
      if (++failures == 5) break;
    } else if (refused.empty()) {
      ++ran[m.profile];
    } else {
      why[m.profile] = refused;
      // Nothing that the generator makes is beyond ONNX Runtime's own profile.
      EXPECT_NE(m.profile, Profile::ort) << to_string(m) << ": " << refused;
    }
  }
  for (const Profile p : all_profiles())
    fmt::print("{:<10} {} networks{}\n", profile_name(p), ran[p], why.count(p) ? "; refused: " + why[p] : "");
}

TEST(GraphFuzz, EmittedCppGivesTheSameBytes) {
  std::string refused;
  const RandomModel m{.seed = number("OCTET_SEED", 1)};
  const std::vector<Way> all = cpp_ways();
  if (const std::string what = fault(m, all, refused); !what.empty())
    ADD_FAILURE() << "OCTET_NETWORK=" << to_string(m) << " " << what;
  EXPECT_EQ(refused, "");
}

TEST(GraphFuzz, LinesAreReadAsTheyAreWritten) {
  EXPECT_EQ(to_string(random_model_named("seed=17,layers=4,profile=tfl-ref")), "seed=17,layers=4,profile=tfl-ref");
  for (const char* line : {"seed", "seed=", "seed=x", "layers=4000", "profile=none", "size=3"})
    EXPECT_THROW(random_model_named(line), Error) << line;
  EXPECT_EQ(onnx_of({.seed = 5}), onnx_of({.seed = 5}));
  EXPECT_NE(onnx_of({.seed = 5}), onnx_of({.seed = 6}));
}

}  // namespace
}  // namespace octet
