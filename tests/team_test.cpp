// Threads side by side: all of them work, in every job, however many there are and however long they slept.
#include "runtime/team.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <time.h>

#include <chrono>
#include <numeric>

namespace octet {
namespace {

class Teams : public testing::TestWithParam<size_t> {};

TEST_P(Teams, EveryThreadDoesEveryJob) {
  Team team(GetParam());
  std::vector<int> done(GetParam());
  for (int job = 1; job <= 2000; ++job) {
    auto work = [&](size_t thread) { done[thread] += job; };
    team.run(work);
    ASSERT_EQ(std::accumulate(done.begin(), done.end(), 0), job * (job + 1) / 2 * static_cast<int>(GetParam()));
  }
}

// A relay: whoever is waited for runs, even where there are fewer processors than threads.
TEST_P(Teams, ThreadsWaitForEachOther) {
  Team team(GetParam());
  std::vector<Counter> passed(GetParam());
  std::vector<uint32_t> order;
  auto work = [&](size_t thread) {
    constexpr uint32_t kRounds = 100;
    for (uint32_t r = 1; r <= kRounds; ++r) {
      if (thread > 0) passed[thread - 1].wait(r, team.spins());
      if (thread == 0 && r > 1) passed.back().wait(r - 1, team.spins());
      order.push_back(static_cast<uint32_t>(thread));
      passed[thread].set(r);
    }
  };
  team.run(work);
  ASSERT_EQ(order.size(), 100 * GetParam());
  for (size_t i = 0; i < order.size(); ++i) ASSERT_EQ(order[i], i % GetParam());
}

INSTANTIATE_TEST_SUITE_P(Sizes, Teams, testing::Values(1, 2, 3, 16),
                         [](const auto& i) { return fmt::format("{}", i.param); });

TEST(Team, CountsOnPastTheLargestNumber) {
  Counter c;
  c.set(UINT32_MAX - 1);
  c.wait(UINT32_MAX - 1, true);
  c.set(1);  // three further
  c.wait(UINT32_MAX, true);
  c.wait(1, false);
}

TEST(Team, SleepsWhereThereIsNothingToDo) {
  Team team(2);
  auto nothing = [](size_t) {};
  team.run(nothing);
  const auto used = [] {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double before = used();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(used() - before, 0.05);
  team.run(nothing);
}

}  // namespace
}  // namespace octet
