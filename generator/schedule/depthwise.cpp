#include "generator/schedule/depthwise.h"

#include <fmt/format.h>

#include <algorithm>

#include "generator/schedule/exactness.h"
#include "generator/schedule/scales.h"
#include "runtime/status.h"

namespace octet {
namespace {

RowClass class_of(const ConvSpec& s, int y, int rows) {
  const Window& w = s.window;
  RowClass c;
  for (int r = 0; r < rows; ++r) {
    c.taps.push_back(taps_at(y + r, s.ih, w.kh, w.stride_h, w.dilation_h, w.pad_top));
    for (int k = c.taps.back().begin; k < c.taps.back().end; ++k) c.rows.push_back(r * w.stride_h + k * w.dilation_h);
  }
  std::sort(c.rows.begin(), c.rows.end());
  c.rows.erase(std::unique(c.rows.begin(), c.rows.end()), c.rows.end());
  return c;
}

void add_tiles(const ConvSpec& s, DepthwiseSchedule& d) {
  size_t most = 1;
  for (int y = 0; y < s.oh; y += d.rows) {
    const int first = std::min(y, s.oh - d.rows);  // the last tile may compute rows again
    const RowClass c = class_of(s, first, d.rows);
    const auto at = std::find(d.row_classes.begin(), d.row_classes.end(), c);
    d.tiles.push_back({first, static_cast<int>(at - d.row_classes.begin())});
    if (at == d.row_classes.end()) d.row_classes.push_back(c);
    most = std::max(most, c.rows.size());
  }
  d.row_quads = static_cast<int>(most + 3) / 4;
}

// As few vectors as there can be; a vector of 16 bytes takes as long as one of 32. Each pass over the image fetches the
// same cache lines again, so blocks are as wide as possible.
void choose_blocks(int channels, int vector_bytes, DepthwiseSchedule& d) {
  const int end = round_up(channels, 4);
  const auto add = [&d](int vectors, int bytes, std::vector<int> starts, int stored) {
    d.blocks.push_back({{.vectors = vectors, .bytes = bytes}, std::move(starts), stored});
  };
  if (end < 16) {  // 16-byte reads
    const int vectors = end >= 8 ? 2 : 1;
    const int width = 4 * vectors;
    return add(vectors, 16, end > width ? std::vector<int>{0, end - width} : std::vector<int>{0}, width);
  }
  int width = 16;
  while (width < std::min(end, vector_bytes)) width *= 2;
  if (end <= width) return add(4, width, {0}, end);
  std::vector<int> starts;
  for (int c = 0; c + width <= end; c += width) starts.push_back(c);
  const int rest = end % width, half = width / 2;
  const bool halved = rest > 0 && rest <= half && half >= 32;
  if (rest > 0 && !halved) starts.push_back(end - width);
  add(4, width, std::move(starts), width);
  if (halved) add(4, half, {end - half}, half);
}

int weight_at(const ConvSpec& s, const ConvData& data, int term, int channel, int ky, int kx) {
  return data.weights[((static_cast<size_t>(term) * s.oc + channel) * s.window.kh + ky) * s.window.kw + kx];
}

// Every interleaved pair of every row class must be safe: pairs are slots (0, 1) and (2, 3) of a quad.
bool pairs_are_safe(const ConvSpec& s, const DepthwiseSchedule& d, const ConvData& data) {
  for (int c = 0; c < static_cast<int>(d.row_classes.size()); ++c)
    for (int y = 0; y < d.rows; ++y)
      for (int pair = 0; pair < 2 * d.quads(s); ++pair) {
        const int quad = pair / 2, e = pair % 2 * 2, term = quad / d.row_quads;
        const int k0 = d.tap(s, c, y, quad, e), k1 = d.tap(s, c, y, quad, e + 1);
        if (k0 < 0 || k1 < 0) continue;  // a single product fits
        for (int channel = 0; channel < s.oc; ++channel)
          for (int kx = 0; kx < s.window.kw; ++kx)
            if (pair_saturates(weight_at(s, data, term, channel, k0, kx), weight_at(s, data, term, channel, k1, kx)))
              return false;
      }
  return true;
}

}  // namespace

int DepthwiseSchedule::input_row(const ConvSpec& s, const RowTile& tile, int quad, int e) const {
  const auto& own = row_classes[static_cast<size_t>(tile.row_class)].rows;
  const auto slot = static_cast<size_t>(4 * (quad % row_quads) + e);
  if (own.empty()) return 0;
  return tile.y * s.window.stride_h - s.window.pad_top + own[std::min(slot, own.size() - 1)];
}

int DepthwiseSchedule::tap(const ConvSpec& s, int row_class, int y, int quad, int e) const {
  const RowClass& c = row_classes[static_cast<size_t>(row_class)];
  const auto slot = static_cast<size_t>(4 * (quad % row_quads) + e);
  if (slot >= c.rows.size()) return -1;
  const int distance = c.rows[slot] - y * s.window.stride_h;
  if (distance < 0 || distance % s.window.dilation_h) return -1;
  const int k = distance / s.window.dilation_h;
  const Taps& t = c.taps[static_cast<size_t>(y)];
  return k >= t.begin && k < t.end ? k : -1;
}

bool DepthwiseSchedule::is_tap(const ConvSpec& s, int y, int quad) const {
  for (int c = 0; c < static_cast<int>(row_classes.size()); ++c)
    for (int e = 0; e < 4; ++e)
      if (tap(s, c, y, quad, e) >= 0) return true;
  return false;
}

bool DepthwiseSchedule::is_read(const ConvSpec& s, int quad, int e) const {
  for (int c = 0; c < static_cast<int>(row_classes.size()); ++c)
    for (int y = 0; y < rows; ++y)
      if (tap(s, c, y, quad, e) >= 0) return true;
  return false;
}

int DepthwiseSchedule::weight_offset(const ConvSpec& s, const VectorGroup& group, int row_class, int kx, int quad,
                                     int y) const {
  return group.vectors * group.bytes * dot_bytes() * (((row_class * s.window.kw + kx) * quads(s) + quad) * rows + y);
}

int DepthwiseSchedule::bias_offset(const VectorGroup& group, int row_class, int y, int column_class) const {
  return group.vectors * group.bytes *
         ((row_class * rows + y) * static_cast<int>(columns_at.classes.size()) + column_class);
}

std::string to_string(const DepthwiseSchedule& d) {
  std::string text = fmt::format("{}x{} pixels a tile, rows interleaved by 4, {} dot{}, {} registers, channels", d.rows,
                                 d.columns, dot_name(d.dot), d.carry ? ", two columns carried" : "", d.registers);
  for (const DepthwiseBlocks& b : d.blocks)
    text += fmt::format(" {}x({}x{}B)", b.starts.size(), b.group.vectors, b.group.bytes);
  return text;
}

DepthwiseSchedule choose_depthwise(const ConvSpec& s, const ConvData& data, const Target& target, Emitter emitter) {
  // A matrix would need channels that see each other's sources.
  const DotForm dot = target.best_dot == DotForm::matrix ? DotForm::fused : target.best_dot;
  DepthwiseSchedule d = depthwise_schedule(s, dot, target, emitter);
  if (d.dot == DotForm::maddubs && !pairs_are_safe(s, d, data)) d.dot = DotForm::widened;
  return d;
}

DepthwiseSchedule depthwise_schedule(const ConvSpec& s, DotForm dot, const Target& target, Emitter emitter) {
  if (!s.is_depthwise()) internal_error("depthwise_schedule: not a depthwise convolution");
  DepthwiseSchedule d;
  const Window& w = s.window;
  const bool vectors = target.arch != Arch::any;
  const bool roomy = target.vector_registers >= 32 && vectors;
  // Compilers hold this tile where they have 32 registers: the budget for convolutions is about their long inner loops.
  d.registers = emitter == Emitter::jit || roomy ? target.vector_registers : target.compiler_registers;
  // Two output rows share one interleave of four rows.
  const bool share_rows = w.stride_h == 1 && w.dilation_h == 1 && w.kh <= 3;
  d.rows = vectors && share_rows && s.oh > 1 && d.registers >= 16 ? 2 : 1;
  d.columns = roomy && s.ow > 1 ? 2 : 1;
  choose_blocks(s.oc, target.vector_bytes, d);
  add_tiles(s, d);
  d.columns_at = pixel_classes(s, dot).columns;
  d.carry = d.columns == 2 && w.kw == 3 && w.stride_w == 1 && w.dilation_w == 1 && d.quads(s) == 1;
  d.dot = dot;
  return d;
}

namespace {

class DepthwisePacker {
 public:
  DepthwisePacker(const ConvSpec& spec, const DepthwiseSchedule& d, const ConvData& data)
      : s_(spec), d_(d), data_(data) {}

  PackedConv run() {
    for (const DepthwiseBlocks& blocks : d_.blocks) {
      group_ = blocks.group;
      for (int start : blocks.starts) pack_block(start);
    }
    return std::move(out_);
  }

 private:
  int classes() const { return static_cast<int>(d_.row_classes.size()); }

  template <class Each>
  void each_lane(Each each) {
    for (int v = 0; v < group_.vectors; ++v)
      for (int l = 0; l < group_.bytes / 4; ++l) each(group_.channel(v, l));
  }

  void pack_block(int start) {
    for (int c = 0; c < classes(); ++c)
      for (int kx = 0; kx < s_.window.kw; ++kx)
        for (int quad = 0; quad < d_.quads(s_); ++quad)
          for (int y = 0; y < d_.rows; ++y)
            for (int v = 0; v < group_.vectors; ++v) pack_vector(start, v, c, kx, quad, y);
    for (int c = 0; c < classes(); ++c)
      for (int y = 0; y < d_.rows; ++y)
        for (const Taps& columns : d_.columns_at.classes)
          each_lane([&](int channel) { out_.bias.push_back(bias(start + channel, c, y, columns)); });
    const int lanes = group_.bytes / 4;
    for (int v = 0; v < group_.vectors; ++v) {
      const size_t vector = out_.scale.size();
      out_.scale.resize(vector + static_cast<size_t>(lanes * scale_words(s_.requant)));
      for (int l = 0; l < lanes; ++l) {
        const int channel = start + group_.channel(v, l);
        if (channel < s_.oc)
          put_scale(data_.scale[static_cast<size_t>(channel)], s_.requant, &out_.scale[vector], lanes, l);
      }
    }
  }

  void pack_vector(int start, int v, int row_class, int kx, int quad, int y) {
    const int lanes = group_.bytes / 4;
    std::array<int, 4> ky;
    for (int e = 0; e < 4; ++e) ky[static_cast<size_t>(e)] = d_.tap(s_, row_class, y, quad, e);
    const auto weight = [&](int l, int e) {
      const int channel = start + group_.channel(v, l), k = ky[static_cast<size_t>(e)];
      return channel >= s_.oc || k < 0 ? 0 : weight_at(s_, data_, quad / d_.row_quads, channel, k, kx);
    };
    if (d_.dot != DotForm::widened) {
      for (int l = 0; l < lanes; ++l)
        for (int e = 0; e < 4; ++e) out_.weights.push_back(static_cast<int8_t>(weight(l, e)));
      return;
    }
    for (int odd = 0; odd < 2; ++odd)  // words of the even taps, then of the odd ones
      for (int l = 0; l < lanes; ++l)
        for (int e = odd; e < 4; e += 2) {
          out_.weights.push_back(static_cast<int8_t>(weight(l, e)));
          out_.weights.push_back(static_cast<int8_t>(weight(l, e) < 0 ? -1 : 0));
        }
  }

  int32_t bias(int channel, int row_class, int y, const Taps& columns) const {
    if (channel >= s_.oc) return 0;
    uint32_t sum = static_cast<uint32_t>(data_.bias[static_cast<size_t>(channel)]);
    const Taps& rows = d_.row_classes[static_cast<size_t>(row_class)].taps[static_cast<size_t>(y)];
    for (int term = 0; term < s_.weight_terms; ++term)
      for (int ky = rows.begin; ky < rows.end; ++ky)
        for (int kx = columns.begin; kx < columns.end; ++kx)
          sum -= static_cast<uint32_t>(zero_of(s_, d_.dot) * weight_at(s_, data_, term, channel, ky, kx));
    return static_cast<int32_t>(sum);
  }

  const ConvSpec& s_;
  const DepthwiseSchedule& d_;
  const ConvData& data_;
  VectorGroup group_;  // of the block at hand
  PackedConv out_;
};

}  // namespace

PackedConv pack_depthwise(const ConvSpec& spec, const DepthwiseSchedule& schedule, const ConvData& data) {
  return DepthwisePacker(spec, schedule, data).run();
}

}  // namespace octet
