#include "generator/schedule/order.h"

#include <algorithm>

namespace octet {
namespace {

int64_t end(const Region& r) {
  return r.begin + (r.rows - 1) * r.pitch + r.bytes;
}

bool any_overlap(const std::vector<Region>& a, const std::vector<Region>& b) {
  return std::any_of(a.begin(), a.end(), [&b](const Region& x) {
    return std::any_of(b.begin(), b.end(), [&x](const Region& y) { return overlap(x, y); });
  });
}

bool conflict(const StepAccess& a, const StepAccess& b) {
  return a.group != b.group &&
         (any_overlap(a.writes, b.writes) || any_overlap(a.writes, b.reads) || any_overlap(a.reads, b.writes));
}

}  // namespace

bool overlap(const Region& a, const Region& b) {
  if (a.space != b.space || a.index != b.index || a.rows * a.bytes <= 0 || b.rows * b.bytes <= 0) return false;
  if (end(a) <= b.begin || end(b) <= a.begin) return false;
  if (a.pitch != b.pitch || a.pitch <= 0 || (a.rows == 1 && b.rows == 1)) return true;
  // The same columns of interleaved rows? b's columns begin at `shift` of a's row.
  const int64_t shift = ((b.begin - a.begin) % a.pitch + a.pitch) % a.pitch;
  return shift < a.bytes || shift + b.bytes > a.pitch;
}

int64_t common_bytes(const Region& a, const Region& b) {
  if (!overlap(a, b)) return 0;
  const auto common = [](int64_t a0, int64_t a1, int64_t b0, int64_t b1) {
    return std::max<int64_t>(0, std::min(a1, b1) - std::max(a0, b0));
  };
  if (a.pitch != b.pitch || a.pitch <= 0) {
    const int64_t hull = common(a.begin, end(a), b.begin, end(b));
    return hull * std::min(a.rows * a.bytes, b.rows * b.bytes) /
           std::max<int64_t>(1, std::max(end(a) - a.begin, end(b) - b.begin));
  }
  const auto row = [](const Region& r) { return r.begin / r.pitch; };
  const auto column = [](const Region& r) { return r.begin % r.pitch; };
  return common(row(a), row(a) + a.rows, row(b), row(b) + b.rows) *
         common(column(a), column(a) + a.bytes, column(b), column(b) + b.bytes);
}

std::vector<StepWait> order(std::span<const StepAccess> steps) {
  uint32_t threads = 0;
  for (const StepAccess& s : steps) threads = std::max(threads, s.thread + 1);
  // known[s][u]: steps below this number that thread u runs are done when step s is. now[t]: the same before t's next.
  std::vector<std::vector<uint32_t>> known(steps.size()), now(threads, std::vector<uint32_t>(threads, 0));
  std::vector<StepWait> waits;
  for (uint32_t s = 0; s < steps.size(); ++s) {
    std::vector<uint32_t>& mine = now[steps[s].thread];
    for (uint32_t r = s; r-- > 0;) {
      const uint32_t other = steps[r].thread;
      if (other == steps[s].thread || r < mine[other] || !conflict(steps[r], steps[s])) continue;
      waits.push_back({s, r});
      for (uint32_t u = 0; u < threads; ++u) mine[u] = std::max(mine[u], known[r][u]);
    }
    known[s] = mine;
    known[s][steps[s].thread] = s + 1;
    mine[steps[s].thread] = s + 1;
  }
  return waits;
}

}  // namespace octet
