#include "generator/schedule/share.h"

#include <algorithm>
#include <map>

#include "generator/schedule/order.h"

namespace octet {
namespace {

constexpr int kLine = 64;

class Sharer {
 public:
  Sharer(int threads, const Cycles& cycles, const SharingCosts& costs)
      : threads_(threads), cycles_(cycles), costs_(costs), gain_(-costs.wake) {}

  std::vector<Share> next(const Layer& layer) {
    std::vector<Share> best;
    double least = 0;
    const auto consider = [&](std::vector<Share> shares) {
      const double t = time(layer, shares);
      if (!best.empty() && t >= least) return;
      least = t;
      best = std::move(shares);
    };
    const double alone = cycles_(layer.spec);
    for (uint32_t t = 0; t < static_cast<uint32_t>(threads_); ++t) consider({{unsplit(layer.spec), t}});
    if (alone > costs_.step)
      for (std::vector<Part>& parts : splits(layer.spec, threads_)) {
        std::vector<Share> shares;
        for (Part& p : parts) shares.push_back({std::move(p), static_cast<uint32_t>(shares.size())});
        consider(std::move(shares));
      }
    for (const Share& s : best) note(layer, s);
    gain_ += alone - least;
    return best;
  }

  double gain() const { return gain_; }

 private:
  struct Written {
    Region region;
    uint32_t thread;
  };

  static Region region(const Operand& operand, int64_t offset, const Rows& rows) {
    return {0, static_cast<uint32_t>(operand.buffer), operand.offset + offset, rows.rows, rows.bytes, rows.pitch};
  }

  double time(const Layer& layer, const std::vector<Share>& shares) const {
    double longest = 0;
    for (const Share& s : shares) {
      double cycles = cycles_(s.part.spec);
      if (const auto touched = footprint(s.part.spec))
        cycles += costs_.remote_byte * (remote(layer.src, s.part.src_offset, touched->src, s.thread) +
                                        remote(layer.src2, s.part.src2_offset, touched->src2, s.thread)) +
                  (shares.size() > 1 ? shared_lines(layer, s.part, touched->dst) : 0);
      longest = std::max(longest, cycles);
    }
    return longest + (shares.size() > 1 ? costs_.step : 0);
  }

  // Bytes that other threads wrote last.
  double remote(const Operand& operand, int64_t offset, const Rows& rows, uint32_t thread) const {
    const auto at = written_.find(operand.buffer);
    if (operand.buffer < 0 || at == written_.end()) return 0;
    const Region read = region(operand, offset, rows);
    int64_t bytes = 0;
    for (const Written& w : at->second)
      if (w.thread != thread) bytes += common_bytes(w.region, read);
    return static_cast<double>(std::min(bytes, rows.rows * rows.bytes));
  }

  // Parts that begin inside the rows of the others share the lines at their edge, in every row.
  double shared_lines(const Layer& layer, const Part& part, const Rows& dst) const {
    const auto* conv = std::get_if<ConvSpec>(&layer.spec);
    if (!conv || part.oc_count == conv->oc || dst.rows == 1) return 0;
    const bool last = part.oc_begin + part.oc_count == conv->oc;
    const bool aligned =
        dst.pitch % kLine == 0 && (layer.dst.offset + part.oc_begin) % kLine == 0 && (last || dst.bytes % kLine == 0);
    return aligned ? 0 : costs_.shared_row * static_cast<double>(dst.rows);
  }

  void note(const Layer& layer, const Share& s) {
    if (layer.dst.buffer < 0) return;
    if (const auto touched = footprint(s.part.spec))
      written_[layer.dst.buffer].push_back({region(layer.dst, s.part.dst_offset, touched->dst), s.thread});
  }

  int threads_;
  const Cycles& cycles_;
  const SharingCosts& costs_;
  double gain_;  // cycles that sharing saves so far
  std::map<int64_t, std::vector<Written>> written_;
};

}  // namespace

std::vector<std::vector<Share>> share(const std::vector<Layer>& layers, int threads, const Cycles& cycles,
                                      const SharingCosts& costs) {
  std::vector<std::vector<Share>> shares;
  Sharer sharer(threads, cycles, costs);
  if (threads > 1)
    for (const Layer& layer : layers) shares.push_back(sharer.next(layer));
  if (threads > 1 && sharer.gain() > 0) return shares;
  shares.clear();
  for (const Layer& layer : layers) shares.push_back({{unsplit(layer.spec), 0}});
  return shares;
}

}  // namespace octet
