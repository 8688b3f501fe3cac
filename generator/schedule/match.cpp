#include "generator/schedule/match.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <span>
#include <utility>

namespace octet {
namespace {

// Both are exact wherever the positive weights of a sum, times the largest activation, stay below 2^15, and the
// negative ones too. So a channel is a vector of bytes: half its weight, rounded up, at its sign's place, for every
// output channel; sums of at most four channels fit, and one test of the bytes' upper bits compares them with the
// limit.
constexpr int kHalf = 16;           // channels that a byte permutation can exchange
constexpr size_t kMostWords = 16;   // of 8 bytes: 64 output channels
constexpr int kMostTests = 400;     // of a search for quads, about 2 us
constexpr int kMostMatchings = 60;  // steps of a search for pairs
constexpr uint64_t kEach = 0x0101010101010101u;

using Channel = std::array<uint64_t, kMostWords>;

// Of every weight, by its byte: what it adds to the positive and to the negative sum.
std::array<std::array<uint8_t, 2>, 256> half_weights() {
  std::array<std::array<uint8_t, 2>, 256> halves{};
  for (int w = -128; w < 128; ++w) halves[static_cast<uint8_t>(w)][w < 0] = static_cast<uint8_t>((std::abs(w) + 1) / 2);
  return halves;
}

class Halves {
 public:
  Halves(int words, int hi)
      : words_(static_cast<size_t>(words)),
        slack_(kEach * static_cast<uint64_t>(127 - std::min(127, hi == 0 ? 127 : 32767 / hi / 2))) {}

  // Channels [first, first + count) of the rows, `slots` of them to place; what is missing has no weight.
  void load(std::span<const int8_t* const> rows, int first, int count, int slots) {
    static const std::array<std::array<uint8_t, 2>, 256> halves = half_weights();
    slots_ = slots;
    has_partners_ = false;
    for (int i = 0; i < slots; ++i) std::fill_n(channels_[static_cast<size_t>(i)].begin(), words_, 0);
    for (size_t r = 0; r < rows.size(); ++r)
      for (int i = 0; i < count; ++i)
        std::memcpy(reinterpret_cast<uint8_t*>(channels_[static_cast<size_t>(i)].data()) + 2 * r,
                    halves[static_cast<uint8_t>(rows[r][first + i])].data(), 2);
  }

  // Orders the slots so that k-steps 2i and 2i + 1 may be chained, and an odd last one is safe.
  bool find_quads(uint8_t* order) {
    tests_ = 0;
    return quads(all(), order, 0);
  }

  // Orders the slots so that every k-step is safe by itself, but for the last `bad_steps`.
  bool find_pairs(uint8_t* order, int bad_steps) {
    if (bad_steps == 0 && exchange_partners(order)) return true;
    find_partners();
    tests_ = 0;
    return pairs(all(), order, order + slots_, bad_steps * 2);
  }

 private:
  uint32_t all() const { return (1u << slots_) - 1; }
  const Channel& at(int i) const { return channels_[static_cast<size_t>(i)]; }

  Channel sum(const Channel& a, const Channel& b) const {
    Channel s;
    for (size_t k = 0; k < words_; ++k) s[k] = a[k] + b[k];
    return s;
  }

  bool safe(const Channel& s) {
    ++tests_;
    uint64_t over = 0;
    for (size_t k = 0; k < words_; ++k) over |= s[k] + slack_;
    return (over & (kEach << 7)) == 0;
  }

  // Visits the channels of `free` above `first`.
  template <class Visit>
  static bool any_above(uint32_t free, int first, Visit visit) {
    for (uint32_t left = free & ~((2u << first) - 1); left; left &= left - 1)
      if (visit(std::countr_zero(left))) return true;
    return false;
  }

  // The first free channel goes with any three others; partial sums only grow, so a bad one ends its branch.
  bool quads(uint32_t free, uint8_t* order, int step) {
    const int left = std::popcount(free);
    if (left == 0) return true;
    if (left == 4 && slots_ % 8 != 0) return last_step(free, order + 4 * step);
    if (tests_ > kMostTests) return false;
    const int i = std::countr_zero(free);
    return any_above(free, i, [&](int j) {
      const Channel two = sum(at(i), at(j));
      return safe(two) && any_above(free, j, [&](int k) {
               const Channel three = sum(two, at(k));
               return safe(three) && any_above(free, k, [&](int l) {
                        if (!safe(sum(three, at(l)))) return false;
                        // The words of step and step + 1 that are added: their first ones, then their second ones.
                        const int quad = (slots_ / 8 * 8 - (left - slots_ % 8)) / 4,
                                  word = 4 * (quad / 2 * 2) + 2 * (quad % 2);
                        const uint8_t members[] = {static_cast<uint8_t>(i), static_cast<uint8_t>(j),
                                                   static_cast<uint8_t>(k), static_cast<uint8_t>(l)};
                        for (int m = 0; m < 4; ++m) order[word + m / 2 * 4 + m % 2] = members[m];
                        return quads(free & ~(1u << i | 1u << j | 1u << k | 1u << l), order, step + quad % 2 * 2);
                      });
             });
    });
  }

  bool last_step(uint32_t free, uint8_t* order) {
    const int i = std::countr_zero(free);
    return any_above(free, i, [&](int j) {
      const uint32_t rest = free & ~(1u << i | 1u << j);
      const int k = std::countr_zero(rest), l = std::bit_width(rest) - 1;
      if (!safe(sum(at(i), at(j))) || !safe(sum(at(k), at(l)))) return false;
      for (const int c : {i, j, k, l}) *order++ = static_cast<uint8_t>(c);
      return true;
    });
  }

  // From the memory's order: an unsafe pair exchanges a channel with another pair, so that both are safe. Mostly
  // enough.
  bool exchange_partners(uint8_t* order) {
    std::iota(order, order + slots_, uint8_t{0});
    const auto fits = [&](int p, int q) { return safe(sum(at(order[p]), at(order[q]))); };
    for (int p = 0; p < slots_; p += 2) {
      if (fits(p, p + 1)) continue;
      int q = 0;  // goes to p's side, its partner to p + 1's
      while (q < slots_ && (q / 2 == p / 2 || !fits(p, q) || !fits(p + 1, q ^ 1))) ++q;
      if (q == slots_) return false;
      std::swap(order[p + 1], order[q]);
    }
    return true;
  }

  void find_partners() {
    if (std::exchange(has_partners_, true)) return;
    partners_ = {};
    for (int i = 0; i < slots_; ++i)
      for (int j = 0; j < i; ++j)
        if (safe(sum(at(i), at(j)))) {
          partners_[static_cast<size_t>(i)] |= 1u << j;
          partners_[static_cast<size_t>(j)] |= 1u << i;
        }
  }

  // A matching that leaves at most `bad` pairs unsafe, which go to the end; the channel with the fewest possible
  // partners goes first.
  bool pairs(uint32_t free, uint8_t* begin, uint8_t* end, int bad) {
    if (free == 0) return true;
    if (++tests_ > kMostMatchings) return false;
    int i = 0, fewest = kHalf;
    for (uint32_t left = free; left; left &= left - 1) {
      const int c = std::countr_zero(left), n = std::popcount(partners_[static_cast<size_t>(c)] & free);
      if (n < fewest) i = c, fewest = n;
    }
    const auto with = [&](int j, uint8_t* place) {
      place[0] = static_cast<uint8_t>(i);
      place[1] = static_cast<uint8_t>(j);
      return free & ~(1u << i | 1u << j);
    };
    const uint32_t partners = partners_[static_cast<size_t>(i)] & free;
    for (uint32_t left = partners; left; left &= left - 1)
      if (pairs(with(std::countr_zero(left), begin), begin + 2, end, bad)) return true;
    if (bad == 0) return false;
    for (uint32_t left = free & ~partners & ~(1u << i); left; left &= left - 1)
      if (pairs(with(std::countr_zero(left), end - 2), begin, end - 2, bad - 1)) return true;
    return false;
  }

  size_t words_;
  uint64_t slack_;  // takes a byte above the limit to 128 or more
  int slots_ = kHalf, tests_ = 0;
  bool has_partners_ = false;
  std::array<Channel, kHalf> channels_{};
  std::array<uint32_t, kHalf> partners_{};
};

// How a chunk can be computed, from best to worst, and what a product then costs where plain maddubs costs 1, the
// permutation included.
struct Kind {
  DotForm form;
  int wide_steps;
  double cost;
};
constexpr std::array kKinds = {Kind{DotForm::chained, 0, 0.98}, Kind{DotForm::maddubs, 0, 1.12},
                               Kind{DotForm::maddubs, 1, 1.21}, Kind{DotForm::maddubs, 2, 1.30},
                               Kind{DotForm::widened, 0, 1.48}};
constexpr size_t kPaired = 1, kWidened = kKinds.size() - 1;

class Matcher {
 public:
  Matcher(const ConvSpec& spec, const ConvData& data, const std::vector<OcBlock>& blocks)
      : spec_(spec), data_(data), blocks_(blocks) {
    ic_ = spec.ic / spec.groups;
    oc_ = spec.oc / spec.groups;
    taps_ = spec.window.kh * spec.window.kw;
    chunks_ = (ic_ + kChunkChannels - 1) / kChunkChannels;
  }

  ChannelMatch run() {
    for (int g = 0; g < spec_.groups; ++g)
      for (const OcBlock& b : blocks_)
        for (int i = 0; i < b.count; ++i)
          for (int term = 0; term < spec_.weight_terms; ++term)
            for (int tap = 0; tap < taps_; ++tap)
              if (!match_tap(b, g * oc_, b.oc + i * b.channels, term, tap)) return {};
    decide_runs();
    sort_chunks();
    return std::move(match_);
  }

 private:
  // False where it is not worth going on.
  bool match_tap(const OcBlock& block, int base, int first, int term, int tap) {
    rows_.clear();
    for (int c = first; c < std::min(oc_, first + block.channels); ++c)
      rows_.push_back(data_.weights.data() +
                      (static_cast<int64_t>(term * spec_.oc + base + c) * taps_ + tap) * static_cast<int64_t>(ic_));
    if (rows_.size() > 4 * kMostWords) return false;
    Halves halves((static_cast<int>(rows_.size()) + 3) / 4, data_.source.hi);
    for (int chunk = 0; chunk < chunks_; ++chunk) match_chunk(halves, kChunkChannels * chunk);
    constexpr size_t kEnoughToTell = 24;
    return kinds_.size() < kEnoughToTell || static_cast<size_t>(match_.widened) * 2 < kinds_.size();
  }

  void match_chunk(Halves& halves, int first) {
    ChunkOrder chunk{.channel = first};
    std::iota(chunk.order.begin(), chunk.order.begin() + kHalf, uint8_t{0});
    std::iota(chunk.order.begin() + kHalf, chunk.order.end(), uint8_t{0});
    const ChunkOrder unmoved = chunk;
    size_t kind = 0;
    for (int half = first; half < std::min(ic_, first + kChunkChannels) && kind < kWidened; half += kHalf) {
      const int count = std::min(kHalf, ic_ - half);
      halves.load(rows_, half, count, round_up(count, 4));
      uint8_t* const order = chunk.order.data() + (half - first);
      if (kind == 0 && chaining_pays() && halves.find_quads(order)) continue;
      kind = std::max(kind, kPaired);
      while (kind < kWidened && !halves.find_pairs(order, kKinds[kind].wide_steps)) ++kind;
    }
    if (kind == kWidened) chunk = unmoved;
    if (!(chunk == unmoved)) ++match_.moved;
    ++(kind == 0          ? match_.chained
       : kind == kPaired  ? match_.paired
       : kind == kWidened ? match_.widened
                          : match_.partly);
    match_.orders.push_back(chunk);
    kinds_.push_back(static_cast<uint8_t>(kind));
  }

  // Every tap chains as many chunks as the worst tap can, so a few are worth nothing; and searching in vain takes
  // longest.
  bool chaining_pays() const {
    return kinds_.size() < 16 || static_cast<size_t>(match_.chained) * 3 > kinds_.size() * 2;
  }

  // Every tap has the runs that the worst tap needs.
  void decide_runs() {
    const int whole = ic_ / kChunkChannels, tail = ic_ % kChunkChannels;
    std::array<int, kKinds.size() + 1> at_least{};  // chunks of that kind or worse
    size_t tail_kind = 0;
    for (size_t t = 0; t < kinds_.size(); t += static_cast<size_t>(chunks_)) {
      std::array<int, kKinds.size()> here{};
      for (int c = 0; c < chunks_; ++c) {
        const size_t kind = kinds_[t + static_cast<size_t>(c)];
        if (c == whole) tail_kind = std::max(tail_kind, kind);
        for (size_t k = 0; c < whole && k <= kind; ++k) ++here[k];
      }
      for (size_t k = 0; k < here.size(); ++k) at_least[k] = std::max(at_least[k], here[k]);
    }
    int steps = 0;
    const auto add = [&](const Kind& kind, int channels, int count) {
      if (count == 0) return;
      const ChunkRun run{kind.form, kind.wide_steps, channels, count};
      match_.runs.push_back(run);
      match_.cost += kind.cost * run.steps() * count;
      steps += run.steps() * count;
    };
    for (size_t k = 0; k < kKinds.size(); ++k) add(kKinds[k], kChunkChannels, at_least[k] - at_least[k + 1]);
    add(kKinds[tail_kind], tail, tail ? 1 : 0);
    match_.cost /= steps;
  }

  // Within a tap the worse kinds go last; the tail stays where it is.
  void sort_chunks() {
    const auto whole = static_cast<size_t>(ic_ / kChunkChannels);
    std::vector<ChunkOrder> sorted;
    sorted.reserve(match_.orders.size());
    for (size_t t = 0; t < kinds_.size(); t += static_cast<size_t>(chunks_)) {
      for (size_t k = 0; k < kKinds.size(); ++k)
        for (size_t c = t; c < t + whole; ++c)
          if (kinds_[c] == k) sorted.push_back(match_.orders[c]);
      if (whole < static_cast<size_t>(chunks_)) sorted.push_back(match_.orders[t + whole]);
    }
    match_.orders = std::move(sorted);
  }

  const ConvSpec& spec_;
  const ConvData& data_;
  const std::vector<OcBlock>& blocks_;
  int ic_ = 4, oc_ = 4, taps_ = 1, chunks_ = 1;
  ChannelMatch match_;
  std::vector<uint8_t> kinds_;  // of every chunk, in the order of the channels
  std::vector<const int8_t*> rows_;
};

}  // namespace

ChannelMatch match_channels(const ConvSpec& spec, const ConvData& data, const std::vector<OcBlock>& blocks) {
  return Matcher(spec, data, blocks).run();
}

}  // namespace octet
