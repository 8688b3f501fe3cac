// What waits for what: on small cases by hand, and on random ones against the definition.
#include "generator/schedule/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "runtime/abi.h"

namespace octet {
namespace {

Region bytes(int64_t begin, int64_t count) {
  return {OCTET_ARENA, 0, begin, 1, count, 0};
}
Region rows(int64_t begin, int64_t count, int64_t width, int64_t pitch) {
  return {OCTET_ARENA, 0, begin, count, width, pitch};
}

TEST(Order, RegionsOverlapWhereTheyShareAByte) {
  EXPECT_TRUE(overlap(bytes(0, 10), bytes(9, 1)));
  EXPECT_FALSE(overlap(bytes(0, 10), bytes(10, 5)));
  EXPECT_FALSE(overlap(bytes(0, 10), bytes(3, 0)));
  EXPECT_FALSE(overlap(rows(0, 4, 8, 32), rows(8, 4, 24, 32))) << "columns side by side";
  EXPECT_TRUE(overlap(rows(0, 4, 9, 32), rows(8, 4, 24, 32)));
  EXPECT_FALSE(overlap(rows(8, 4, 24, 32), rows(32, 4, 8, 32))) << "the left column, one row on";
  EXPECT_TRUE(overlap(rows(8, 4, 25, 32), rows(32, 4, 8, 32))) << "a row that runs into the next";
  EXPECT_FALSE(overlap(rows(0, 4, 8, 32), rows(128, 4, 8, 32))) << "rows one after the other";
  Region elsewhere = bytes(0, 10);
  elsewhere.space = OCTET_OUTPUT;
  EXPECT_FALSE(overlap(bytes(0, 10), elsewhere));
}

TEST(Order, CommonBytes) {
  EXPECT_EQ(common_bytes(bytes(0, 10), bytes(6, 10)), 4);
  EXPECT_EQ(common_bytes(rows(0, 4, 16, 32), rows(32 + 8, 8, 16, 32)), 3 * 8);
  EXPECT_EQ(common_bytes(rows(0, 4, 8, 32), rows(8, 4, 24, 32)), 0);
}

// A chain of two layers in halves: with no halo each half follows its own, with a halo both wait.
TEST(Order, ChainsWaitOnlyForWhatTheyRead) {
  std::vector<StepAccess> steps = {{0, 0, {}, {bytes(0, 50)}},
                                   {1, 0, {}, {bytes(50, 50)}},
                                   {0, 1, {bytes(0, 50)}, {bytes(100, 50)}},
                                   {1, 1, {bytes(50, 50)}, {bytes(150, 50)}}};
  EXPECT_TRUE(order(steps).empty());
  steps[2].reads = {bytes(0, 60)};
  steps[3].reads = {bytes(40, 60)};
  EXPECT_EQ(order(steps), (std::vector<StepWait>{{2, 1}, {3, 0}}));
}

TEST(Order, WhatIsKnownAlreadyIsNotWaitedForAgain) {
  // 2 waits for 1; 3 follows 2 on the same thread; 4 hears of 1 and 2 from 3.
  const std::vector<StepAccess> steps = {{0, 0, {}, {bytes(0, 1)}},
                                         {1, 1, {}, {bytes(1, 1)}},
                                         {0, 2, {bytes(1, 1)}, {bytes(2, 1)}},
                                         {0, 3, {bytes(1, 1)}, {bytes(3, 1)}},
                                         {2, 4, {bytes(1, 3)}, {bytes(4, 1)}}};
  EXPECT_EQ(order(steps), (std::vector<StepWait>{{2, 1}, {4, 3}}));
}

TEST(Order, ReusedMemoryWaitsForItsReaders) {
  const std::vector<StepAccess> steps = {
      {0, 0, {}, {bytes(0, 10)}}, {1, 1, {bytes(0, 10)}, {bytes(20, 10)}}, {0, 2, {}, {bytes(5, 10)}}};
  EXPECT_EQ(order(steps), (std::vector<StepWait>{{1, 0}, {2, 1}}));
}

// before[a][b]: a has finished when b starts, by the waits and each thread's own order.
std::vector<std::vector<bool>> closure(const std::vector<StepAccess>& steps, const std::vector<StepWait>& waits) {
  const size_t n = steps.size();
  std::vector<std::vector<bool>> before(n, std::vector<bool>(n, false));
  for (size_t s = 0; s < n; ++s) {
    const auto follows = [&](size_t r) {
      before[r][s] = true;
      for (size_t q = 0; q < r; ++q)
        if (before[q][r]) before[q][s] = true;
    };
    for (size_t r = 0; r < s; ++r)
      if (steps[r].thread == steps[s].thread) follows(r);
    for (const StepWait& w : waits)
      if (w.step == s) follows(w.on);
  }
  return before;
}

TEST(Order, EveryConflictIsOrdered) {
  std::mt19937 random(5);
  const auto some = [&] {
    return rows(static_cast<int64_t>(random() % 200), 1 + static_cast<int64_t>(random() % 4),
                1 + static_cast<int64_t>(random() % 24), 24);
  };
  const auto clash = [](const std::vector<Region>& a, const std::vector<Region>& b) {
    return std::any_of(a.begin(), a.end(), [&](const Region& x) {
      return std::any_of(b.begin(), b.end(), [&](const Region& y) { return overlap(x, y); });
    });
  };
  for (int round = 0; round < 50; ++round) {
    std::vector<StepAccess> steps;
    for (uint32_t s = 0; s < 40; ++s)
      steps.push_back({static_cast<uint32_t>(random() % 4), s / 2, {some(), some()}, {some()}});
    const auto waits = order(steps);
    const auto before = closure(steps, waits);
    for (size_t a = 0; a < steps.size(); ++a)
      for (size_t b = a + 1; b < steps.size(); ++b) {
        if (steps[a].group == steps[b].group) continue;
        const bool conflict = clash(steps[a].writes, steps[b].reads) || clash(steps[a].reads, steps[b].writes) ||
                              clash(steps[a].writes, steps[b].writes);
        EXPECT_TRUE(before[a][b] || !conflict) << "round " << round << ", steps " << a << " and " << b;
      }
  }
}

}  // namespace
}  // namespace octet
