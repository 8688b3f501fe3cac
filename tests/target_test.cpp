// What this machine is found to run, beside what its system says of it, and what OCTET_MAX_TARGET makes of that.
#include "targets/target.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

#include "tests/support/slurp.h"

namespace octet {
namespace {

// Puts back what was there.
class MaxTarget {
 public:
  explicit MaxTarget(const char* name) {
    if (const char* before = std::getenv(kName)) before_ = before;
    name ? setenv(kName, name, 1) : unsetenv(kName);
  }
  ~MaxTarget() { before_ ? setenv(kName, before_->c_str(), 1) : unsetenv(kName); }

 private:
  static constexpr const char* kName = "OCTET_MAX_TARGET";
  std::optional<std::string> before_;
};

std::vector<std::string> runnable(const char* cap) {
  const MaxTarget set(cap);
  std::vector<std::string> names;
  for (const Target& t : all_targets())
    if (host_runs(t)) names.push_back(t.name);
  EXPECT_EQ(host_target().name, names.back()) << "the best is not the last of those that run";
  return names;
}

TEST(Target, RowsAreFoundByNameAndEveryArchitectureHasOneThatNeedsNothing) {
  for (const Target& t : all_targets()) EXPECT_EQ(find_target(t.name), &t);
  EXPECT_EQ(find_target("z80"), nullptr);
  EXPECT_EQ(find_target(""), nullptr);
  EXPECT_EQ(all_targets()[0].arch, Arch::any);
  EXPECT_STREQ(all_targets()[0].features, "");
  EXPECT_EQ(runnable(nullptr)[0], all_targets()[0].name);
}

#if defined(__x86_64__)
TEST(Target, MachineRunsWhatItsSystemSays) {
  std::istringstream info(slurp("/proc/cpuinfo"));
  std::string line;
  while (std::getline(info, line) && !line.starts_with("flags")) {
  }
  ASSERT_TRUE(info) << "/proc/cpuinfo lists no flags";
  std::istringstream words(line);
  std::set<std::string> flags(std::istream_iterator<std::string>(words), {});
  // Linux spells this one otherwise than compilers do.
  if (flags.contains("avx512_vnni")) flags.insert("avx512vnni");
  const MaxTarget uncapped(nullptr);
  for (const Target& t : all_targets()) {
    std::istringstream needed(t.features);
    const bool has = std::all_of(std::istream_iterator<std::string>(needed), {},
                                 [&](const std::string& feature) { return flags.contains(feature); });
    EXPECT_EQ(host_runs(t), is_native(t) && has) << t.name;
  }
}
#endif

TEST(Target, CapIsTheBestAllowedOfItsArchitectureAndNothingToOthers) {
  const std::vector<std::string> all = runnable(nullptr);
  EXPECT_EQ(runnable("scalar"), std::vector<std::string>{"scalar"});
  EXPECT_EQ(runnable("z80"), all) << "an unknown name caps nothing";
  for (const Target& cap : all_targets()) {
    if (cap.arch == Arch::any) continue;
    std::vector<std::string> expected;
    for (const std::string& name : all)
      if (!is_native(cap) || find_target(name) <= &cap) expected.push_back(name);
    EXPECT_EQ(runnable(cap.name), expected) << cap.name;
  }
}

TEST(Target, CapsHoldOnThisArchitecture) {
  const MaxTarget capped(is_native(*find_target("neon")) ? "neon" : "avx2");
  EXPECT_FALSE(host_runs(*find_target("avx512_vnni")));
  EXPECT_FALSE(host_runs(*find_target("neon_dot")));
  EXPECT_TRUE(host_runs(*find_target("scalar")));
}

TEST(Target, ProcessorHasANameOfOneLine) {
  EXPECT_FALSE(host_cpu().empty());
  EXPECT_EQ(host_cpu().find_first_of("|\n\t"), std::string::npos) << host_cpu();
  EXPECT_EQ(host_cpu().substr(0, 1).find(' '), std::string::npos) << host_cpu();
}

}  // namespace
}  // namespace octet
