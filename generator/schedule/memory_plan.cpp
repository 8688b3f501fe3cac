#include "generator/schedule/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "runtime/abi.h"
#include "runtime/status.h"

namespace octet {
namespace {

int64_t aligned(int64_t bytes) {
  return (bytes + OCTET_ALIGNMENT - 1) / OCTET_ALIGNMENT * OCTET_ALIGNMENT;
}

bool live_together(const Buffer& a, const Buffer& b) {
  return a.first <= b.last && b.first <= a.last;
}

void check_no_overlap(std::span<const Buffer> buffers, const MemoryPlan& plan) {
  for (size_t i = 0; i < buffers.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (live_together(buffers[i], buffers[j]) && plan.offset[i] < plan.offset[j] + buffers[j].bytes &&
          plan.offset[j] < plan.offset[i] + buffers[i].bytes)
        internal_error("memory plan: buffers " + std::to_string(j) + " and " + std::to_string(i) + " overlap");
}

}  // namespace

MemoryPlan plan_memory(std::span<const Buffer> buffers, PlanMode mode, int64_t slack) {
  MemoryPlan plan;
  plan.offset.resize(buffers.size());
  int64_t top = 0;
  if (mode == PlanMode::separate) {
    for (size_t i = 0; i < buffers.size(); ++i) {
      plan.offset[i] = top;
      top += aligned(buffers[i].bytes);
    }
  } else {
    // Largest first, each at the lowest offset that is free for its whole life: within a few percent of the lower
    // bound on networks, where a few large tensors dominate.
    std::vector<size_t> order(buffers.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });
    std::vector<size_t> placed;  // by offset
    for (size_t i : order) {
      int64_t at = 0;
      for (size_t j : placed) {
        if (!live_together(buffers[i], buffers[j])) continue;
        if (at + buffers[i].bytes <= plan.offset[j]) break;
        at = std::max(at, aligned(plan.offset[j] + buffers[j].bytes));
      }
      plan.offset[i] = at;
      top = std::max(top, at + aligned(buffers[i].bytes));
      placed.insert(std::upper_bound(placed.begin(), placed.end(), i,
                                     [&](size_t a, size_t b) { return plan.offset[a] < plan.offset[b]; }),
                    i);
    }
  }
  plan.arena_bytes = aligned(top + slack);
  check_no_overlap(buffers, plan);
  return plan;
}

std::string picture(std::span<const Buffer> buffers, const MemoryPlan& plan, int columns, int rows) {
  int steps = 1;
  for (const Buffer& b : buffers) steps = std::max(steps, b.last + 1);
  columns = std::min(columns, steps);
  std::vector<std::string> canvas(static_cast<size_t>(rows), std::string(static_cast<size_t>(columns), '.'));
  const auto row_of = [&](int64_t offset) {
    return static_cast<int>(std::min<int64_t>(rows - 1, offset * rows / std::max<int64_t>(1, plan.arena_bytes)));
  };
  for (size_t i = 0; i < buffers.size(); ++i) {
    const char letter = static_cast<char>((i % 52) < 26 ? 'a' + i % 26 : 'A' + i % 26);
    for (int r = row_of(plan.offset[i]); r <= row_of(plan.offset[i] + std::max<int64_t>(0, buffers[i].bytes - 1)); ++r)
      for (int c = buffers[i].first * columns / steps; c <= buffers[i].last * columns / steps; ++c)
        canvas[static_cast<size_t>(r)][static_cast<size_t>(c)] = letter;
  }
  std::string text;
  for (const std::string& line : canvas) text += "  " + line + "\n";
  return text;
}

}  // namespace octet
