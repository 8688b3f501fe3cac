#include "generator/schedule/pack.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "generator/schedule/edges.h"
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
          std::memcpy(&w[c], row[c] + 4 * k, static_cast<size_t>(std::min(4, ic - 4 * k)));
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

int32_t sum_of(const int8_t* w, int count) {
  int32_t sum = 0;
  for (int i = 0; i < count; ++i) sum += w[i];
  return sum;
}

class Packer {
 public:
  Packer(const ConvSpec& spec, const ConvSchedule& schedule, const ConvData& data)
      : spec_(spec), schedule_(schedule), data_(data), classes_(pixel_classes(flattened(spec))) {
    taps_ = spec.window.kh * spec.window.kw;
    ic_ = spec.ic / spec.groups;
    steps_ = (ic_ + 3) / 4;
    oc_ = spec.oc / spec.groups;
  }

  PackedConv run() {
    size_t bytes = 0, lanes = 0;
    for (const OcBlock& b : schedule_.blocks) {
      bytes += static_cast<size_t>(b.count) * static_cast<size_t>(spec_.weight_terms * taps_ * steps_) *
               static_cast<size_t>(step_bytes(b, schedule_.dot));
      lanes += static_cast<size_t>(b.count * b.channels);
    }
    const auto groups = static_cast<size_t>(spec_.groups);
    packed_.weights.resize(groups * bytes);
    packed_.bias.resize(groups * lanes * static_cast<size_t>(classes_.biases));
    packed_.scale.resize(groups * lanes);
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
    const int bytes = step_bytes(block, schedule_.dot);
    for (int term = 0; term < spec_.weight_terms; ++term)
      for (int tap = 0; tap < taps_; ++tap) {
        pack_tap(quads, term, tap, base, first, static_cast<size_t>(bytes));
        weights_ += static_cast<ptrdiff_t>(steps_) * bytes;
      }
    for (const Quad& q : quads)
      for (int c = 0; c < 4; ++c)
        if (first + q.channel + c < oc_) pack_channel(block, q.offset / 4 + c, base + first + q.channel + c);
    bias_ += static_cast<ptrdiff_t>(classes_.biases) * block.channels;
    scale_ += block.channels;
  }

  void pack_tap(const std::vector<Quad>& quads, int term, int tap, int base, int first, size_t bytes) {
    constexpr int kStepsAtOnce = 16;  // one cache line of every channel's row
    for (int k = 0; k < steps_; k += kStepsAtOnce) {
      const int last = std::min(steps_, k + kStepsAtOnce);
      for (const Quad& q : quads) {
        QuadRows rows{.ic = ic_};
        for (int c = 0; c < 4; ++c)
          if (first + q.channel + c < oc_)
            rows.row[static_cast<size_t>(c)] = row(term, base + first + q.channel + c, tap);
        int8_t* out = weights_ + static_cast<size_t>(k) * bytes;
        if (schedule_.dot == DotForm::widened) {
          const int vector = q.offset - 4 * q.lane;  // where the vector's bytes would start, unwidened
          pack_words(rows, k, last, out + 2 * vector + 4 * q.lane, bytes, q.bytes);
        } else {
          pack_bytes(rows, k, last, out + q.offset, bytes);
        }
      }
    }
  }

  // Bias of every pixel class and scale of one channel.
  void pack_channel(const OcBlock& block, int lane, int oc) {
    scale_[lane] = data_.multiplier[static_cast<size_t>(oc)];
    const int32_t bias = data_.bias[static_cast<size_t>(oc)];
    if (spec_.src_zero == 0) {
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
                                    static_cast<uint32_t>(spec_.src_zero) * static_cast<uint32_t>(sum));
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
  float* scale_ = nullptr;
  int taps_ = 1, ic_ = 4, steps_ = 1, oc_ = 4;
  std::vector<int32_t> sums_;
};

}  // namespace

int step_bytes(const OcBlock& block, DotForm dot) {
  return block.channels * 4 * (dot == DotForm::widened ? 2 : 1);
}

PackedConv pack_conv(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target, const ConvData& data) {
  if (target.signed_storage) internal_error("pack_conv: no target stores activations signed yet");
  return Packer(spec, schedule, data).run();
}

std::vector<int8_t> unpack_weights(const ConvSpec& spec, const ConvSchedule& schedule, const PackedConv& packed) {
  const int taps = spec.window.kh * spec.window.kw, ic = spec.ic / spec.groups, oc = spec.oc / spec.groups;
  std::vector<int8_t> weights(static_cast<size_t>(spec.weight_terms) * static_cast<size_t>(spec.oc * taps * ic));
  const int8_t* in = packed.weights.data();
  const auto put = [&](int term, int channel, int tap, int i, int8_t value) {
    if (i < ic)
      weights[((static_cast<size_t>(term * spec.oc + channel) * taps + tap) * static_cast<size_t>(ic)) + i] = value;
  };
  const bool wide = schedule.dot == DotForm::widened;
  for (int g = 0; g < spec.groups; ++g)
    for (const OcBlock& b : schedule.blocks)
      for (int n = 0; n < b.count; ++n)
        for (int term = 0; term < spec.weight_terms; ++term)
          for (int tap = 0; tap < taps; ++tap)
            for (int i = 0; i < ic; i += 4)
              for (const VectorGroup& v : b.groups)
                for (int j = 0; j < v.vectors; ++j, in += v.bytes * (wide ? 2 : 1))
                  for (int lane = 0; lane < v.bytes / 4; ++lane) {
                    const int channel = b.oc + n * b.channels + v.channel(j, lane);
                    for (int e = 0; e < 4 && channel < oc; ++e)
                      put(term, g * oc + channel, tap, i + e,
                          wide ? in[v.bytes * (e % 2) + 4 * lane + e / 2 * 2] : in[4 * lane + e]);
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
