#include "generator/schedule/split.h"

#include <algorithm>

namespace octet {
namespace {

// Layers smaller than this finish before a second thread has woken up.
constexpr int64_t kSmallestSplit = 200'000;  // multiply-accumulates, or bytes times 16
constexpr int kRowsWorthSplitting = 14;      // below, halves differ too much: 7 rows give 4 + 3 (performance.md 3)
constexpr int kChannelStep = 64;             // parts end where packed vectors end on every target

struct Range {
  int begin, count;
};

// [0, total) in `parts` nearly equal ranges that start at multiples of `step`.
std::vector<Range> ranges(int total, int step, int parts) {
  const int units = (total + step - 1) / step;
  parts = std::min(parts, units);
  std::vector<Range> out;
  for (int p = 0; p < parts; ++p) {
    const int begin = units * p / parts * step, end = std::min(total, units * (p + 1) / parts * step);
    out.push_back({begin, end - begin});
  }
  return out;
}

Part conv_rows(const ConvSpec& whole, Range r) {
  const Window& w = whole.window;
  const int reach = (w.kh - 1) * w.dilation_h + 1;
  const int top = r.begin * w.stride_h - w.pad_top;  // first input row that the part touches, may lie in the padding
  const int bottom = (r.begin + r.count - 1) * w.stride_h - w.pad_top + reach;
  const int first = std::clamp(top, 0, whole.ih), last = std::clamp(bottom, first, whole.ih);
  ConvSpec s = whole;
  s.ih = std::max(1, last - first);
  s.oh = r.count;
  s.window.pad_top = first - top;
  s.window.pad_bottom = bottom - top - s.window.pad_top - s.ih;
  const int64_t dst_pixels = static_cast<int64_t>(r.begin) * whole.ow;
  return {s,
          static_cast<int64_t>(first) * whole.iw * whole.src_pitch,
          dst_pixels * whole.src2_pitch,
          dst_pixels * whole.dst_pitch,
          0,
          whole.oc};
}

Part conv_channels(const ConvSpec& whole, Range r) {
  ConvSpec s = whole;
  s.oc = r.count;
  int64_t src_offset = 0;
  if (whole.is_depthwise()) {
    s.ic = s.groups = r.count;
    src_offset = r.begin;
  }
  return {s, src_offset, r.begin, r.begin, r.begin, r.count};
}

std::vector<Part> split_conv(const ConvSpec& s, int threads) {
  const bool rows_fit = s.n == 1 && s.oh >= threads;
  const bool channels_fit = (s.groups == 1 || s.is_depthwise()) && s.oc >= 2 * kChannelStep;
  std::vector<Part> parts;
  if (rows_fit && (s.oh >= kRowsWorthSplitting || !channels_fit)) {
    for (Range r : ranges(s.oh, 1, threads)) parts.push_back(conv_rows(s, r));
  } else if (channels_fit) {
    for (Range r : ranges(s.oc, kChannelStep, threads)) parts.push_back(conv_channels(s, r));
  }
  return parts;
}

// Elementwise ops: any split of the pixels will do.
template <class Spec>
Part pixels(Spec s, Range r, int64_t a_pitch, int64_t b_pitch, int64_t dst_pitch) {
  s.pixels = r.count;
  return {s, r.begin * a_pitch, r.begin * b_pitch, r.begin * dst_pitch, 0, 0};
}

std::vector<Part> split_pixels(const KernelSpec& spec, int threads) {
  std::vector<Part> parts;
  const auto each = [&](int total, auto make) {
    for (Range r : ranges(total, 1, threads)) parts.push_back(make(r));
  };
  if (const auto* s = std::get_if<AddSpec>(&spec); s && s->n == 1)
    each(s->pixels, [&](Range r) {
      return pixels(*s, r, s->broadcast == Broadcast::a ? 0 : s->a_pitch, s->broadcast == Broadcast::b ? 0 : s->b_pitch,
                    s->dst_pitch);
    });
  else if (const auto* s = std::get_if<LutSpec>(&spec))
    each(s->pixels, [&](Range r) { return pixels(*s, r, s->src_pitch, 0, s->dst_pitch); });
  else if (const auto* s = std::get_if<InterleaveSpec>(&spec))
    each(s->pixels, [&](Range r) { return pixels(*s, r, s->a_pitch, s->b_pitch, s->dst_pitch); });
  else if (const auto* s = std::get_if<AffineSpec>(&spec))
    each(s->pixels, [&](Range r) { return pixels(*s, r, s->src_pitch, 0, s->dst_pitch); });
  else if (const auto* s = std::get_if<MulSpec>(&spec); s && s->n == 1)
    each(s->pixels, [&](Range r) { return pixels(*s, r, s->a_pitch, s->broadcast ? 0 : s->b_pitch, s->dst_pitch); });
  return parts;
}

int64_t work(const KernelSpec& spec) {
  if (std::holds_alternative<ConvSpec>(spec)) return mac_count(spec);
  if (const auto* s = std::get_if<AddSpec>(&spec)) return int64_t{16} * s->n * s->pixels * s->channels;
  if (const auto* s = std::get_if<LutSpec>(&spec)) return int64_t{16} * s->pixels * s->channels;
  if (const auto* s = std::get_if<InterleaveSpec>(&spec)) return int64_t{16} * s->pixels * s->channels;
  if (const auto* s = std::get_if<AffineSpec>(&spec)) return int64_t{16} * s->pixels * s->channels;
  if (const auto* s = std::get_if<MulSpec>(&spec)) return int64_t{16} * s->pixels * s->channels;
  return 0;
}

}  // namespace

std::vector<Part> split(const KernelSpec& spec, int threads) {
  std::vector<Part> parts;
  if (threads > 1 && work(spec) >= kSmallestSplit) {
    if (const auto* conv = std::get_if<ConvSpec>(&spec))
      parts = split_conv(*conv, threads);
    else
      parts = split_pixels(spec, threads);
  }
  if (parts.empty()) {
    const auto* conv = std::get_if<ConvSpec>(&spec);
    parts.push_back({spec, 0, 0, 0, 0, conv ? conv->oc : 0});
  }
  return parts;
}

ConvData select_channels(const ConvSpec& spec, const ConvData& data, int begin, int count) {
  if (begin == 0 && count == spec.oc) return data;
  const auto row = static_cast<int64_t>(spec.window.kh) * spec.window.kw * (spec.ic / spec.groups);
  ConvData out;
  out.source = data.source;
  for (int term = 0; term < spec.weight_terms; ++term) {
    const auto from = data.weights.begin() + (static_cast<int64_t>(term) * spec.oc + begin) * row;
    out.weights.insert(out.weights.end(), from, from + count * row);
  }
  out.bias.assign(data.bias.begin() + begin, data.bias.begin() + begin + count);
  out.multiplier.assign(data.multiplier.begin() + begin, data.multiplier.begin() + begin + count);
  return out;
}

}  // namespace octet
