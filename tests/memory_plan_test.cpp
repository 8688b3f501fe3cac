// The memory planner on plain numbers.
#include "generator/schedule/memory_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace octet {
namespace {

// What lives at once is what any plan needs at least.
int64_t lower_bound(std::span<const Buffer> buffers) {
  int64_t most = 0;
  for (const Buffer& at : buffers) {
    int64_t live = 0;
    for (const Buffer& b : buffers)
      if (b.first <= at.first && at.first <= b.last) live += b.bytes;
    most = std::max(most, live);
  }
  return most;
}

bool overlap(std::span<const Buffer> buffers, const MemoryPlan& plan) {
  for (size_t i = 0; i < buffers.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const bool together = buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last;
      if (together && plan.offset[i] < plan.offset[j] + buffers[j].bytes &&
          plan.offset[j] < plan.offset[i] + buffers[i].bytes)
        return true;
    }
  return false;
}

TEST(MemoryPlan, AChainReusesTwoPlaces) {
  std::vector<Buffer> chain;
  for (int i = 0; i < 10; ++i) chain.push_back({640, i, i + 1});
  EXPECT_EQ(plan_memory(chain, PlanMode::reuse, 128).arena_bytes, 2 * 640 + 128);
  EXPECT_EQ(plan_memory(chain, PlanMode::separate, 128).arena_bytes, 10 * 640 + 128);
}

TEST(MemoryPlan, RandomLifetimesNeverOverlapAndStayNearTheBound) {
  std::mt19937 rng(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Buffer> buffers;
    for (int i = 0; i < 60; ++i) {
      const int first = static_cast<int>(rng() % 50);
      buffers.push_back({static_cast<int64_t>(rng() % 5000), first, first + static_cast<int>(rng() % 6)});
    }
    for (PlanMode mode : {PlanMode::reuse, PlanMode::separate}) {
      const MemoryPlan plan = plan_memory(buffers, mode, 128);
      EXPECT_FALSE(overlap(buffers, plan)) << "round " << round;
      for (size_t i = 0; i < buffers.size(); ++i) {
        EXPECT_EQ(plan.offset[i] % 64, 0);
        EXPECT_LE(plan.offset[i] + buffers[i].bytes + 128, plan.arena_bytes);
      }
    }
    EXPECT_LE(plan_memory(buffers, PlanMode::reuse, 0).arena_bytes, lower_bound(buffers) * 3 / 2 + 60 * 64);
  }
}

TEST(MemoryPlan, PictureShowsEveryLargeBuffer) {
  const std::vector<Buffer> buffers{{6400, 0, 3}, {6400, 2, 5}};
  const std::string text = picture(buffers, plan_memory(buffers, PlanMode::reuse, 0));
  EXPECT_NE(text.find('a'), std::string::npos) << text;
  EXPECT_NE(text.find('b'), std::string::npos) << text;
}

TEST(MemoryPlan, NothingNeedsNothingButSlack) {
  EXPECT_EQ(plan_memory({}, PlanMode::reuse, 128).arena_bytes, 128);
}

}  // namespace
}  // namespace octet
