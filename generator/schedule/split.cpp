#include "generator/schedule/split.h"

#include <algorithm>

namespace octet {
namespace {

struct Range {
  int begin, count;
};

// [0, total) in at most `parts` nearly equal ranges that start at multiples of `step`.
std::vector<Range> ranges(int total, int step, int parts) {
  const int64_t units = (int64_t{total} + step - 1) / step;
  parts = static_cast<int>(std::min<int64_t>(parts, units));
  std::vector<Range> out;
  for (int p = 0; p < parts; ++p) {
    const int64_t begin = units * p / parts * step, end = std::min<int64_t>(total, units * (p + 1) / parts * step);
    out.push_back({static_cast<int>(begin), static_cast<int>(end - begin)});
  }
  return out;
}

// Rows of a windowed op: the part's input is what its rows reach, and the padding that is left to them.
template <class Spec>
Part window_rows(const Spec& whole, Range r) {
  const Window& w = whole.window;
  const int reach = (w.kh - 1) * w.dilation_h + 1;
  const int top = r.begin * w.stride_h - w.pad_top;  // first input row that the part touches, may lie in the padding
  const int bottom = (r.begin + r.count - 1) * w.stride_h - w.pad_top + reach;
  int first = std::clamp(top, 0, whole.ih);
  const int last = std::clamp(bottom, first, whole.ih);
  Spec s = whole;
  s.ih = last - first;
  s.oh = r.count;
  s.window.pad_top = first - top;
  if (s.ih == 0) {  // padding only: some row of the image, behind everything that the part touches
    s.ih = 1;
    s.window.pad_top = bottom - top;
    first = std::min(first, whole.ih - 1);
  }
  s.window.pad_bottom = bottom - top - s.window.pad_top - s.ih;
  const int64_t dst_pixels = static_cast<int64_t>(r.begin) * whole.ow;
  Part p{s, static_cast<int64_t>(first) * whole.iw * whole.src_pitch, 0, dst_pixels * whole.dst_pitch};
  if constexpr (requires { s.src2_pitch; }) p.src2_offset = dst_pixels * whole.src2_pitch;
  return p;
}

template <class Spec>
Part window_images(const Spec& whole, Range r) {
  Spec s = whole;
  s.n = r.count;
  const int64_t dst_pixels = static_cast<int64_t>(r.begin) * whole.oh * whole.ow;
  Part p{s, int64_t{r.begin} * whole.ih * whole.iw * whole.src_pitch, 0, dst_pixels * whole.dst_pitch};
  if constexpr (requires { s.src2_pitch; }) p.src2_offset = dst_pixels * whole.src2_pitch;
  return p;
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

// A pointwise convolution sees pixels in one row.
Part conv_pixels(const ConvSpec& whole, Range r) {
  ConvSpec s = whole;
  s.n = s.ih = s.oh = 1;
  s.iw = s.ow = r.count;
  const int64_t begin = r.begin;
  return {s, begin * whole.src_pitch, begin * whole.src2_pitch, begin * whole.dst_pitch};
}

Part pool_channels(const PoolSpec& whole, Range r) {
  PoolSpec s = whole;
  s.channels = r.count;
  return {s, r.begin, 0, r.begin};
}

template <class Spec>
Part pixels(Spec s, Range r, int64_t a_pitch, int64_t b_pitch, int64_t dst_pitch) {
  s.pixels = r.count;
  return {s, r.begin * a_pitch, r.begin * b_pitch, r.begin * dst_pitch};
}

// Finds the ways; equally long ones are better earlier.
class Ways {
 public:
  Ways(int threads, std::vector<std::vector<Part>>& ways) : threads_(threads), ways_(ways) {}

  void operator()(const ConvSpec& s) {
    const auto add_parts = [&](int total, int step, auto make) {
      add(total, step, [&](Range r) {
        Part p = make(s, r);
        if (p.oc_count == 0) p.oc_count = s.oc;
        return p;
      });
    };
    if (s.n > 1) add_parts(s.n, 1, window_images<ConvSpec>);
    if (s.is_pointwise())
      add_parts(s.n * s.oh * s.ow, 1, conv_pixels);
    else if (s.n == 1)
      add_parts(s.oh, 1, window_rows<ConvSpec>);
    // Parts that end where packed vectors end: a register tile's four, or one vector of the widest target.
    if (s.groups == 1 || s.is_depthwise())
      for (int step : {64, 16}) add_parts(s.oc, step, conv_channels);
  }
  void operator()(const PoolSpec& s) {
    if (s.mean.form == MeanForm::vectors) return;  // where a channel stands decides how ONNX Runtime adds it up
    if (s.n > 1) add(s.n, 1, [&s](Range r) { return window_images(s, r); });
    if (s.kind == PoolKind::whole)
      add(s.channels, 64, [&s](Range r) { return pool_channels(s, r); });
    else if (s.n == 1)
      add(s.oh, 1, [&s](Range r) { return window_rows(s, r); });
  }
  void operator()(const AddSpec& s) {
    add_images_or_pixels(s, s.broadcast == Broadcast::a, s.broadcast == Broadcast::b);
  }
  void operator()(const MulSpec& s) { add_images_or_pixels(s, false, s.broadcast); }
  void operator()(const PairSpec& s) { add_images_or_pixels(s, false, s.broadcast); }
  void operator()(const LutSpec& s) { add_pixels(s); }
  void operator()(const AffineSpec& s) { add_pixels(s); }
  void operator()(const ChannelPermuteSpec& s) { add_pixels(s); }
  void operator()(const CopySpec& s) {
    if (s.fill || s.dims.empty()) return;
    add(static_cast<int>(s.dims[0]), 1, [&s](Range r) {
      CopySpec part = s;
      part.dims[0] = r.count;
      return Part{part, r.begin * s.src_strides[0], 0, r.begin * s.dst_strides[0]};
    });
  }
  void operator()(const InterleaveSpec& s) {
    add(s.pixels, 1, [&s](Range r) { return pixels(s, r, s.a_pitch, s.b_pitch, s.dst_pitch); });
  }
  void operator()(const MatMulSpec& s) {
    if (s.batch.empty())
      add(s.m, 1, [&s](Range r) {
        MatMulSpec part = s;
        part.m = r.count;
        return Part{part, int64_t{r.begin} * s.a_pitch, 0, int64_t{r.begin} * s.dst_pitch};
      });
    else
      add(static_cast<int>(s.batch[0]), 1, [&s](Range r) {
        MatMulSpec part = s;
        part.batch[0] = r.count;
        return Part{part, r.begin * s.a_strides[0], r.begin * s.b_strides[0], r.begin * s.dst_strides[0]};
      });
  }
  template <class Spec>
  void operator()(const Spec&) {}  // quantize, dequantize, edge, softmax, resize: whole

 private:
  template <class Spec>
  void add_pixels(const Spec& s) {
    add(s.pixels, 1, [&s](Range r) { return pixels(s, r, s.src_pitch, 0, s.dst_pitch); });
  }

  // Of an operand that is one pixel per image, parts of an image read the same pixel.
  template <class Spec>
  void add_images_or_pixels(const Spec& s, bool one_a, bool one_b) {
    const int64_t all = s.pixels;
    if (s.n > 1)
      add(s.n, 1, [&](Range r) {
        Spec part = s;
        part.n = r.count;
        return Part{part, r.begin * (one_a ? 1 : all) * s.a_pitch, r.begin * (one_b ? 1 : all) * s.b_pitch,
                    r.begin * all * s.dst_pitch};
      });
    else
      add(s.pixels, 1,
          [&](Range r) { return pixels(s, r, one_a ? 0 : s.a_pitch, one_b ? 0 : s.b_pitch, s.dst_pitch); });
  }

  template <class Make>
  void add(int total, int step, Make make) {
    std::vector<Part> parts;
    for (Range r : ranges(total, step, threads_)) parts.push_back(make(r));
    if (parts.size() > 1) ways_.push_back(std::move(parts));
  }

  int threads_;
  std::vector<std::vector<Part>>& ways_;
};

}  // namespace

Part unsplit(const KernelSpec& spec) {
  const auto* conv = std::get_if<ConvSpec>(&spec);
  return {spec, 0, 0, 0, 0, conv ? conv->oc : 0};
}

std::vector<std::vector<Part>> splits(const KernelSpec& spec, int threads) {
  std::vector<std::vector<Part>> ways;
  if (threads > 1) std::visit(Ways(threads, ways), spec);
  return ways;
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
  out.scale.assign(data.scale.begin() + begin, data.scale.begin() + begin + count);
  return out;
}

namespace {

Rows rows_of(int64_t rows, int channels, int pitch) {
  return {rows, std::min(pitch, round_up(channels, 4)), pitch};
}

std::optional<Footprint> touched(const ConvSpec& s) {
  const int64_t out = int64_t{s.n} * s.oh * s.ow;
  return Footprint{rows_of(int64_t{s.n} * s.ih * s.iw, s.ic, s.src_pitch),
                   s.residual ? rows_of(out, s.oc, s.src2_pitch) : Rows{}, rows_of(out, s.oc, s.dst_pitch)};
}
std::optional<Footprint> touched(const PoolSpec& s) {
  return Footprint{rows_of(int64_t{s.n} * s.ih * s.iw, s.channels, s.src_pitch),
                   {},
                   rows_of(int64_t{s.n} * s.oh * s.ow, s.channels, s.dst_pitch)};
}
std::optional<Footprint> touched(const AddSpec& s) {
  const int64_t all = int64_t{s.n} * s.pixels;
  return Footprint{rows_of(s.broadcast == Broadcast::a ? s.n : all, s.channels, s.a_pitch),
                   rows_of(s.broadcast == Broadcast::b ? s.n : all, s.channels, s.b_pitch),
                   rows_of(all, s.channels, s.dst_pitch)};
}
template <class Spec>
Footprint touched_pair(const Spec& s) {
  const int64_t all = int64_t{s.n} * s.pixels;
  return Footprint{rows_of(all, s.channels, s.a_pitch), rows_of(s.broadcast ? s.n : all, s.channels, s.b_pitch),
                   rows_of(all, s.channels, s.dst_pitch)};
}
std::optional<Footprint> touched(const MulSpec& s) {
  return touched_pair(s);
}
std::optional<Footprint> touched(const PairSpec& s) {
  return touched_pair(s);
}
std::optional<Footprint> touched(const InterleaveSpec& s) {
  return Footprint{rows_of(s.pixels, s.channels / 2, s.a_pitch), rows_of(s.pixels, s.channels / 2, s.b_pitch),
                   rows_of(s.pixels, s.channels, s.dst_pitch)};
}
std::optional<Footprint> touched(const SoftmaxSpec&) {
  return std::nullopt;
}
template <class Spec>
std::optional<Footprint> touched(const Spec& s) {
  if constexpr (requires { s.pixels, s.src_pitch, s.dst_pitch; })
    return Footprint{rows_of(s.pixels, s.channels, s.src_pitch), {}, rows_of(s.pixels, s.channels, s.dst_pitch)};
  return std::nullopt;
}

}  // namespace

std::optional<Footprint> footprint(const KernelSpec& spec) {
  return std::visit([](const auto& s) { return touched(s); }, spec);
}

}  // namespace octet
