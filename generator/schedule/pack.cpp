#include "generator/schedule/pack.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "generator/schedule/edges.h"
#include "generator/schedule/scales.h"
#include "generator/schedule/winograd.h"
#include "runtime/status.h"

namespace octet {
namespace {

// The packed order's atom: four consecutive channels, which are four neighbouring lanes of one vector.
struct Quad {
  int channel;  // relative to the block
  int offset;   // bytes into a k-step with one byte per weight; equally 4 * the lane index for bias and scale
  int bytes;    // of the vector that holds it
  int lane;     // first lane
};

std::vector<Quad> quads_of(const OcBlock& block) {
  std::vector<Quad> quads;
  int offset = 0;
  for (const VectorGroup& g : block.groups)
    for (int j = 0; j < g.vectors; ++j, offset += g.bytes)
      for (int lane = 0; lane < g.bytes / 4; lane += 4)
        quads.push_back({g.channel(j, lane), offset + 4 * lane, g.bytes, lane});
  return quads;
}

// Bytes 0 and 2 of four s8 weights as two s16: 0x80 * 0x1fe is the sign's upper byte.
uint32_t widened(uint32_t weights) {
  const uint32_t low = weights & 0x00ff00ffu;
  return low | (low & 0x00800080u) * 0x1feu;
}

// One quad of channels in one tap. A missing channel's row is null.
struct QuadRows {
  std::array<const int8_t*, 4> row{};
  int ic = 0;

  // Four weights of each channel; `put` takes them to their place. Whole rows, the common case, load without asking.
  template <class Put>
  void each_step(int first, int last, Put put) const {
    const bool whole = row[0] && row[1] && row[2] && row[3] && 4 * last <= ic;
    for (int k = first; k < last; ++k) {
      std::array<uint32_t, 4> w{};
      for (size_t c = 0; c < 4; ++c) {
        if (whole)
          std::memcpy(&w[c], row[c] + 4 * k, 4);
        else if (row[c])
          std::memcpy(&w[c], row[c] + 4 * k, static_cast<size_t>(std::clamp(ic - 4 * k, 0, 4)));
      }
      put(w);
    }
  }
};

void pack_bytes(const QuadRows& rows, int first, int last, int8_t* out, size_t step_bytes) {
  rows.each_step(first, last, [&](const std::array<uint32_t, 4>& w) {
    std::memcpy(out, w.data(), 16);
    out += step_bytes;
  });
}

void pack_words(const QuadRows& rows, int first, int last, int8_t* out, size_t step_bytes, int vector_bytes) {
  rows.each_step(first, last, [&](const std::array<uint32_t, 4>& w) {
    std::array<uint32_t, 4> even, odd;
    for (size_t c = 0; c < 4; ++c) even[c] = widened(w[c]), odd[c] = widened(w[c] >> 8);
    std::memcpy(out, even.data(), 16);
    std::memcpy(out + vector_bytes, odd.data(), 16);
    out += step_bytes;
  });
}

// Two k-steps side by side; `first` is even.
void pack_pairs(const QuadRows& rows, int first, int last, int8_t* out, size_t step_bytes) {
  size_t half = 0;
  rows.each_step(first, last, [&](const std::array<uint32_t, 4>& w) {
    for (size_t c = 0; c < 4; ++c) std::memcpy(out + 8 * c + 4 * half, &w[c], 4);
    if (half) out += 2 * step_bytes;
    half ^= 1;
  });
}

// The input channel at byte i of a chunk's k-steps.
int channel_at(const ChunkOrder& chunk, int i) {
  return chunk.channel + i / 16 * 16 + chunk.order[static_cast<size_t>(i)];
}

int32_t sum_of(const int8_t* w, int count) {
  int32_t sum = 0;
  for (int i = 0; i < count; ++i) sum += w[i];
  return sum;
}

class Packer {
 public:
  Packer(const ConvSpec& spec, const ConvSchedule& schedule, const ConvData& data)
      : spec_(spec), schedule_(schedule), data_(data), classes_(pixel_classes(flattened(spec), schedule.dot)) {
    taps_ = spec.window.kh * spec.window.kw;
    ic_ = spec.ic / spec.groups;
    steps_ = step_count(ic_, schedule.dot);
    oc_ = spec.oc / spec.groups;
  }

  PackedConv run() {
    size_t bytes = 0, lanes = 0;
    for (const OcBlock& b : schedule_.blocks) {
      bytes += static_cast<size_t>(b.count) * static_cast<size_t>(spec_.weight_terms * taps_) *
               static_cast<size_t>(tap_bytes(b, schedule_, steps_));
      lanes += static_cast<size_t>(b.count * b.channels);
    }
    const auto groups = static_cast<size_t>(spec_.groups);
    packed_.weights.resize(groups * bytes);
    packed_.bias.resize(groups * lanes * static_cast<size_t>(classes_.biases));
    packed_.scale.resize(groups * lanes * static_cast<size_t>(scale_words(spec_.requant)));
    weights_ = packed_.weights.data();
    bias_ = packed_.bias.data();
    scale_ = packed_.scale.data();
    for (int g = 0; g < spec_.groups; ++g)
      for (const OcBlock& b : schedule_.blocks) {
        const std::vector<Quad> quads = quads_of(b);
        for (int i = 0; i < b.count; ++i) pack_block(b, quads, g * oc_, b.oc + i * b.channels);
      }
    return std::move(packed_);
  }

 private:
  // Weights of channel `oc` (of the whole layer) in tap t, ic_ of them.
  const int8_t* row(int term, int oc, int tap) const {
    return data_.weights.data() +
           (static_cast<int64_t>(term * spec_.oc + oc) * taps_ + tap) * static_cast<int64_t>(ic_);
  }

  // Channels [first, first + block.channels) of the group that starts at channel `base`.
  void pack_block(const OcBlock& block, const std::vector<Quad>& quads, int base, int first) {
    for (int term = 0; term < spec_.weight_terms; ++term)
      for (int tap = 0; tap < taps_; ++tap) {
        if (schedule_.dot == DotForm::matched)
          pack_matched_tap(block, quads, term, tap, base, first);
        else
          pack_tap(block, quads, term, tap, base, first);
        weights_ += tap_bytes(block, schedule_, steps_);
      }
    for (const Quad& q : quads)
      for (int c = 0; c < 4; ++c)
        if (first + q.channel + c < oc_) pack_channel(block, q, c, base + first + q.channel + c);
    bias_ += static_cast<ptrdiff_t>(classes_.biases) * block.channels;
    scale_ += block.channels * scale_words(spec_.requant);
  }

  QuadRows rows_of(const Quad& q, int term, int tap, int base, int first) const {
    QuadRows rows{.ic = ic_};
    for (int c = 0; c < 4; ++c)
      if (first + q.channel + c < oc_) rows.row[static_cast<size_t>(c)] = row(term, base + first + q.channel + c, tap);
    return rows;
  }

  void pack_tap(const OcBlock& block, const std::vector<Quad>& quads, int term, int tap, int base, int first) {
    const auto bytes = static_cast<size_t>(step_bytes(block, schedule_.dot));
    constexpr int kStepsAtOnce = 16;  // one cache line of every channel's row
    for (int k = 0; k < steps_; k += kStepsAtOnce) {
      const int last = std::min(steps_, k + kStepsAtOnce);
      for (const Quad& q : quads)
        pack_steps(q, rows_of(q, term, tap, base, first), k, last, schedule_.dot,
                   weights_ + static_cast<size_t>(k) * bytes, bytes);
    }
  }

  // K-steps [k, last) of a quad to `out`, the first of these steps.
  static void pack_steps(const Quad& q, const QuadRows& rows, int k, int last, DotForm form, int8_t* out,
                         size_t bytes) {
    if (form == DotForm::widened) {
      const int vector = q.offset - 4 * q.lane;  // where the vector's bytes would start, unwidened
      pack_words(rows, k, last, out + 2 * vector + 4 * q.lane, bytes, q.bytes);
    } else if (form == DotForm::matrix) {
      pack_pairs(rows, k, last, out + 2 * q.offset, bytes);
    } else {
      pack_bytes(rows, k, last, out + q.offset, bytes);
    }
  }

  void pack_matched_tap(const OcBlock& block, const std::vector<Quad>& quads, int term, int tap, int base, int first) {
    int8_t *header = weights_, *out = weights_ + schedule_.chunks() * static_cast<ptrdiff_t>(sizeof(ChunkHeader));
    for (const ChunkRun& run : schedule_.runs)
      for (int i = 0; i < run.count; ++i, ++next_order_, out += chunk_bytes(block, run)) {
        const ChunkOrder& chunk = schedule_.orders[next_order_];
        const ChunkHeader here{.order = chunk.order, .channel = chunk.channel, .padding = {}};
        std::memcpy(header, &here, sizeof here);
        header += sizeof here;
        for (const Quad& q : quads) pack_chunk(block, q, rows_of(q, term, tap, base, first), chunk, run, out);
      }
  }

  // The weights of a quad in the chunk's order.
  void pack_chunk(const OcBlock& block, const Quad& q, const QuadRows& rows, const ChunkOrder& chunk,
                  const ChunkRun& run, int8_t* out) const {
    std::array<std::array<int8_t, kChunkChannels>, 4> ordered{};
    QuadRows in_order{.ic = kChunkChannels};
    for (size_t c = 0; c < 4; ++c) {
      if (!rows.row[c]) continue;
      for (int i = 0; i < 4 * run.steps(); ++i) {
        const int channel = channel_at(chunk, i);
        if (channel < ic_) ordered[c][static_cast<size_t>(i)] = rows.row[c][channel];
      }
      in_order.row[c] = ordered[c].data();
    }
    for (int k = 0, last; k < run.steps(); k = last) {
      const DotForm form = run.form_of(k);
      last = k + 1;
      while (last < run.steps() && run.form_of(last) == form) ++last;
      const int bytes = step_bytes(block, form);
      pack_steps(q, in_order, k, last, form, out, static_cast<size_t>(bytes));
      out += (last - k) * bytes;
    }
  }

  // Bias of every pixel class and scale of one channel, the c-th of its quad.
  void pack_channel(const OcBlock& block, const Quad& q, int c, int oc) {
    const int lane = q.offset / 4 + c, vector = q.offset / 4 - q.lane;
    put_scale(data_.scale[static_cast<size_t>(oc)], spec_.requant, scale_ + vector * scale_words(spec_.requant),
              q.bytes / 4, q.lane + c);
    const int32_t bias = data_.bias[static_cast<size_t>(oc)];
    const int zero = zero_of(spec_, schedule_.dot);
    if (zero == 0) {
      bias_[lane] = bias;
      return;
    }
    tap_sums(oc);
    int32_t* out = bias_ + lane;
    for (const Taps& r : classes_.rows.classes)
      for (const Taps& c : classes_.columns.classes) {
        int32_t sum = 0;
        for (int y = r.begin; y < r.end; ++y)
          for (int x = c.begin; x < c.end; ++x) sum += sums_[static_cast<size_t>(y * spec_.window.kw + x)];
        *out = static_cast<int32_t>(static_cast<uint32_t>(bias) -
                                    static_cast<uint32_t>(zero) * static_cast<uint32_t>(sum));
        out += block.channels;
      }
  }

  void tap_sums(int oc) {
    sums_.assign(static_cast<size_t>(taps_), 0);
    for (int term = 0; term < spec_.weight_terms; ++term)
      for (int t = 0; t < taps_; ++t) sums_[static_cast<size_t>(t)] += sum_of(row(term, oc, t), ic_);
  }

  const ConvSpec& spec_;
  const ConvSchedule& schedule_;
  const ConvData& data_;
  PixelClasses classes_;
  PackedConv packed_;
  int8_t* weights_ = nullptr;
  int32_t* bias_ = nullptr;
  uint32_t* scale_ = nullptr;
  int taps_ = 1, ic_ = 4, steps_ = 1, oc_ = 4;
  size_t next_order_ = 0;
  std::vector<int32_t> sums_;
};

}  // namespace

int step_count(int ic, DotForm dot) {
  return dot == DotForm::matrix ? (ic + 7) / 8 * 2 : (ic + 3) / 4;
}

int step_bytes(const OcBlock& block, DotForm dot) {
  return block.channels * 4 * (dot == DotForm::widened ? 2 : 1);
}

PackedConv pack_conv(const ConvSpec& spec, const ConvSchedule& schedule, const ConvData& data) {
  if (schedule.dot == DotForm::winograd) return pack_winograd(spec, schedule, data);
  return Packer(spec, schedule, data).run();
}

int chunk_bytes(const OcBlock& block, const ChunkRun& run) {
  int bytes = 0;
  for (int k = 0; k < run.steps(); ++k) bytes += step_bytes(block, run.form_of(k));
  return bytes;
}

int64_t tap_bytes(const OcBlock& block, const ConvSchedule& schedule, int steps) {
  if (schedule.dot != DotForm::matched) return int64_t{steps} * step_bytes(block, schedule.dot);
  int64_t bytes = schedule.chunks() * static_cast<int64_t>(sizeof(ChunkHeader));
  for (const ChunkRun& run : schedule.runs) bytes += int64_t{run.count} * chunk_bytes(block, run);
  return bytes;
}

namespace {

// visit(channel of the block, byte of the k-step, weight) for every weight of a packed k-step.
template <class Visit>
void each_weight(const OcBlock& block, DotForm form, const int8_t* in, Visit visit) {
  const bool wide = form == DotForm::widened;
  for (const VectorGroup& v : block.groups)
    for (int j = 0; j < v.vectors; ++j, in += v.bytes * (wide ? 2 : 1))
      for (int lane = 0; lane < v.bytes / 4; ++lane)
        for (int e = 0; e < 4; ++e)
          visit(v.channel(j, lane), e, wide ? in[v.bytes * (e % 2) + 4 * lane + e / 2 * 2] : in[4 * lane + e]);
}

// visit(channel of the block, input channel, weight) for every weight of a packed tap.
template <class Visit>
void each_weight_of_tap(const OcBlock& block, const ConvSchedule& schedule, int steps, const int8_t* in, Visit visit) {
  const auto step_of = [&](int k, DotForm form, auto channel_of) {
    each_weight(block, form, in, [&](int oc, int e, int8_t w) { visit(oc, channel_of(4 * k + e), w); });
    in += step_bytes(block, form);
  };
  if (schedule.dot == DotForm::matrix) {
    for (int k = 0; k < steps; k += 2)
      for (const VectorGroup& g : block.groups)
        for (int j = 0; j < g.vectors; ++j)
          for (int i = 0; i < 2 * g.bytes; ++i) visit(g.channel(j, i / 8), 4 * k + i % 8, *in++);
    return;
  }
  if (schedule.dot != DotForm::matched)
    for (int k = 0; k < steps; ++k) step_of(k, schedule.dot, [](int i) { return i; });
  const int8_t* headers = in;
  in += schedule.chunks() * static_cast<ptrdiff_t>(sizeof(ChunkHeader));
  for (const ChunkRun& run : schedule.runs)
    for (int c = 0; c < run.count; ++c, headers += sizeof(ChunkHeader)) {
      ChunkHeader header;
      std::memcpy(&header, headers, sizeof header);
      const ChunkOrder chunk{header.order, static_cast<int32_t>(header.channel)};
      for (int k = 0; k < run.steps(); ++k) step_of(k, run.form_of(k), [&](int i) { return channel_at(chunk, i); });
    }
}

}  // namespace

std::vector<int8_t> unpack_weights(const ConvSpec& spec, const ConvSchedule& schedule, const PackedConv& packed) {
  const int taps = spec.window.kh * spec.window.kw, ic = spec.ic / spec.groups, oc = spec.oc / spec.groups;
  std::vector<int8_t> weights(static_cast<size_t>(spec.weight_terms) * static_cast<size_t>(spec.oc * taps * ic));
  const int8_t* in = packed.weights.data();
  for (int g = 0; g < spec.groups; ++g)
    for (const OcBlock& b : schedule.blocks)
      for (int n = 0; n < b.count; ++n)
        for (int term = 0; term < spec.weight_terms; ++term)
          for (int tap = 0; tap < taps; ++tap) {
            each_weight_of_tap(b, schedule, step_count(ic, schedule.dot), in, [&](int channel, int i, int8_t w) {
              const int of_group = b.oc + n * b.channels + channel;
              if (of_group >= oc || i >= ic) return;
              const int64_t row = (int64_t{term} * spec.oc + g * oc + of_group) * taps + tap;
              weights[static_cast<size_t>(row * ic + i)] = w;
            });
            in += tap_bytes(b, schedule, step_count(ic, schedule.dot));
          }
  return weights;
}

int merged_groups(const ConvSpec& spec) {
  if (spec.groups == 1 || spec.is_depthwise()) return spec.groups;
  const int ic = spec.ic / spec.groups, oc = spec.oc / spec.groups;
  int merged = 1;  // groups that become one
  const auto fits = [&] { return merged * ic % 4 == 0 && merged * oc % 4 == 0; };
  while (merged < spec.groups && (spec.groups % merged != 0 || !fits())) ++merged;
  return spec.groups / merged;
}

void merge_groups(ConvSpec& spec, ConvData& data) {
  const int groups = merged_groups(spec), merged = spec.groups / groups;
  if (merged == 1) return;
  const int ic = spec.ic / spec.groups, oc = spec.oc / spec.groups;
  const int taps = spec.window.kh * spec.window.kw;
  std::vector<int8_t> wide(data.weights.size() * static_cast<size_t>(merged));
  const int64_t rows = static_cast<int64_t>(spec.weight_terms) * spec.oc * taps;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t group = r / taps % spec.oc / oc;
    std::copy_n(data.weights.data() + r * ic, ic, wide.data() + (r * merged + group % merged) * ic);
  }
  data.weights = std::move(wide);
  spec.groups = groups;
}

}  // namespace octet
