#include "generator/schedule/depthwise.h"

#include <fmt/format.h>

#include <algorithm>

#include "generator/schedule/exactness.h"
#include "runtime/status.h"

namespace octet {
namespace {

Taps row_taps(const ConvSpec& s, int y) {
  return taps_at(y, s.ih, s.window.kh, s.window.stride_h, s.window.dilation_h, s.window.pad_top);
}

RowClass class_of(const ConvSpec& s, int y, int rows) {
  RowClass c;
  for (int r = 0; r < rows; ++r) {
    c.taps.push_back(row_taps(s, y + r));
    for (int k = c.taps.back().begin; k < c.taps.back().end; ++k)
      c.rows.push_back(r * s.window.stride_h + k * s.window.dilation_h);
  }
  std::sort(c.rows.begin(), c.rows.end());
  c.rows.erase(std::unique(c.rows.begin(), c.rows.end()), c.rows.end());
  return c;
}

// The rows' tiles, equal neighbours counted together.
void add_runs(const ConvSpec& s, DepthwiseSchedule& d) {
  for (int y = 0; y < s.oh;) {
    const int rows = std::min(d.rows, s.oh - y);
    const RowClass c = class_of(s, y, rows);
    auto at = std::find(d.row_classes.begin(), d.row_classes.end(), c);
    const int id = static_cast<int>(at - d.row_classes.begin());
    if (at == d.row_classes.end()) d.row_classes.push_back(c);
    if (!d.runs.empty() && d.runs.back().row_class == id && d.runs.back().rows == rows)
      ++d.runs.back().tiles;
    else
      d.runs.push_back({y, rows, 1, id});
    y += rows;
  }
}

std::vector<OcBlock> channel_blocks(int channels, int vector_bytes) {
  std::vector<OcBlock> blocks;
  const int end = round_up(channels, 4);
  for (int c = 0; c < end;) {
    VectorGroup g{.vectors = 4, .bytes = vector_bytes, .oc = 0};
    while (g.bytes > 16 && g.bytes > end - c) g.bytes /= 2;
    if (end - c < 16) g.vectors = end - c >= 8 ? 2 : 1;  // 16-byte reads, 8 or 4 channels kept
    OcBlock block{.groups = {g}, .oc = c, .channels = g.channels()};
    block.count = g.vectors == 4 ? (end - c) / block.channels : 1;
    blocks.push_back(block);
    c += block.channels * block.count;
  }
  return blocks;
}

int weight_at(const ConvSpec& s, const ConvData& data, int term, int channel, int ky, int kx) {
  return data.weights[((static_cast<size_t>(term) * s.oc + channel) * s.window.kh + ky) * s.window.kw + kx];
}

// Every interleaved pair of every row class must be safe: pairs are rows (0, 1) and (2, 3) of a quad.
bool pairs_are_safe(const ConvSpec& s, const DepthwiseSchedule& d, const ConvData& data) {
  for (const RowClass& c : d.row_classes)
    for (size_t y = 0; y < c.taps.size(); ++y)
      for (int pair = 0; pair < 2 * c.quads(s); ++pair) {
        const int quad = pair / 2, e = pair % 2 * 2;
        const int k0 = c.tap(s, static_cast<int>(y), quad, e), k1 = c.tap(s, static_cast<int>(y), quad, e + 1);
        if (k0 < 0 || k1 < 0) continue;  // a single product fits
        for (int ch = 0; ch < s.oc; ++ch)
          for (int kx = 0; kx < s.window.kw; ++kx)
            if (pair_saturates(weight_at(s, data, quad / c.row_quads(), ch, k0, kx),
                               weight_at(s, data, quad / c.row_quads(), ch, k1, kx)))
              return false;
      }
  return true;
}

}  // namespace

int RowClass::tap(const ConvSpec& spec, int y, int quad, int e) const {
  const int slot = 4 * (quad % row_quads()) + e;
  if (slot >= static_cast<int>(rows.size())) return -1;
  const int distance = rows[static_cast<size_t>(slot)] - y * spec.window.stride_h;
  if (distance < 0 || distance % spec.window.dilation_h) return -1;
  const int k = distance / spec.window.dilation_h;
  const Taps& t = taps[static_cast<size_t>(y)];
  return k >= t.begin && k < t.end ? k : -1;
}

int DepthwiseSchedule::weight_offset(const ConvSpec& s, const VectorGroup& g, int row_class, int kx, int quad,
                                     int y) const {
  const int step = g.vectors * g.bytes * dot_bytes();
  int at = 0;
  for (int c = 0; c < row_class; ++c)
    at += s.window.kw * row_classes[static_cast<size_t>(c)].quads(s) *
          static_cast<int>(row_classes[static_cast<size_t>(c)].taps.size());
  const RowClass& mine = row_classes[static_cast<size_t>(row_class)];
  return step * (at + (kx * mine.quads(s) + quad) * static_cast<int>(mine.taps.size()) + y);
}

int DepthwiseSchedule::weight_bytes(const ConvSpec& s, const VectorGroup& g) const {
  const int last = static_cast<int>(row_classes.size()) - 1;
  const RowClass& c = row_classes.back();
  return weight_offset(s, g, last, 0, 0, 0) +
         s.window.kw * c.quads(s) * static_cast<int>(c.taps.size()) * g.vectors * g.bytes * dot_bytes();
}

int DepthwiseSchedule::bias_offset(const VectorGroup& g, int row_class, int y, int column_class) const {
  return g.vectors * g.bytes * ((row_class * rows + y) * static_cast<int>(columns_at.classes.size()) + column_class);
}

int DepthwiseSchedule::bias_bytes(const VectorGroup& g) const {
  return bias_offset(g, static_cast<int>(row_classes.size()), 0, 0);
}

std::string to_string(const DepthwiseSchedule& d) {
  std::string text = fmt::format("{}x{} pixels a tile, rows interleaved by 4, {}", d.rows, d.columns,
                                 d.dot == DotForm::fused     ? "vpdpbusd"
                                 : d.dot == DotForm::maddubs ? "vpmaddubsw (proved safe)"
                                                             : "vpmaddwd on widened taps");
  if (d.carry) text += ", two columns carried";
  text += "; channels";
  for (const OcBlock& b : d.blocks) text += fmt::format(" {}x{}", b.count, b.channels);
  return text;
}

DepthwiseSchedule choose_depthwise(const ConvSpec& s, const ConvData& data, const Target& target, Emitter emitter) {
  if (!s.is_depthwise()) internal_error("choose_depthwise: not a depthwise convolution");
  DepthwiseSchedule d;
  const bool roomy = target.vector_registers >= 32 && target.vector_bytes > 16;
  // Compilers hold this tile where they have 32 registers: the budget for convolutions is about their long inner loops.
  d.registers = emitter == Emitter::jit || roomy ? target.vector_registers : target.compiler_registers;
  const bool one_quad_for_two = s.window.stride_h == 1 && s.window.dilation_h == 1 && s.window.kh <= 3;
  d.rows = target.vector_bytes > 16 && one_quad_for_two && s.oh > 1 ? 2 : 1;
  d.columns = roomy && s.ow > 1 ? 2 : 1;
  if (d.registers < 16) d.rows = 1;
  d.blocks = channel_blocks(s.oc, target.vector_bytes);
  add_runs(s, d);
  d.columns_at = pixel_classes(s).columns;
  d.carry = d.columns == 2 && s.window.kw == 3 && s.window.stride_w == 1 && s.window.dilation_w == 1;
  d.dot = target.best_dot;
  if (d.dot == DotForm::maddubs && !pairs_are_safe(s, d, data)) d.dot = DotForm::widened;
  return d;
}

namespace {

class Packer {
 public:
  Packer(const ConvSpec& spec, const DepthwiseSchedule& d, const ConvData& data) : s_(spec), d_(d), data_(data) {}

  PackedConv run() {
    for (const OcBlock& block : d_.blocks)
      for (int c = 0; c < block.count; ++c) pack_block(block.groups[0], block.oc + c * block.channels);
    return std::move(out_);
  }

 private:
  int weight(int term, int channel, int ky, int kx) const {
    return channel >= s_.oc || ky < 0 ? 0 : weight_at(s_, data_, term, channel, ky, kx);
  }

  void pack_block(const VectorGroup& g, int channel0) {
    const int lanes = g.bytes / 4;
    for (const RowClass& c : d_.row_classes)
      for (int kx = 0; kx < s_.window.kw; ++kx)
        for (int quad = 0; quad < c.quads(s_); ++quad)
          for (int y = 0; y < static_cast<int>(c.taps.size()); ++y)
            for (int v = 0; v < g.vectors; ++v) pack_vector(g, v, channel0, c, kx, quad, y);
    for (size_t rc = 0; rc < d_.row_classes.size(); ++rc)
      for (int y = 0; y < d_.rows; ++y)
        for (const Taps& columns : d_.columns_at.classes)
          for (int v = 0; v < g.vectors; ++v)
            for (int l = 0; l < lanes; ++l)
              out_.bias.push_back(bias(channel0 + channel(g, v, l), d_.row_classes[rc], y, columns));
    for (int v = 0; v < g.vectors; ++v)
      for (int l = 0; l < lanes; ++l) {
        const int ch = channel0 + channel(g, v, l);
        out_.scale.push_back(ch < s_.oc ? data_.multiplier[static_cast<size_t>(ch)] : 0.0f);
      }
  }

  // The interleave's own order: lane l of vector v is channel 16 (l / 4) + 4 v + l % 4 whatever the vector count, the
  // same as the epilogue's for 4 vectors, and for 1 or 2 vectors of 16 bytes.
  static int channel(const VectorGroup& g, int v, int l) { return g.channel(v, l); }

  void pack_vector(const VectorGroup& g, int v, int channel0, const RowClass& c, int kx, int quad, int y) {
    const int lanes = g.bytes / 4;
    const auto tap = [&](int l, int e) {
      return weight(quad / c.row_quads(), channel0 + channel(g, v, l), c.tap(s_, y, quad, e), kx);
    };
    if (d_.dot != DotForm::widened) {
      for (int l = 0; l < lanes; ++l)
        for (int e = 0; e < 4; ++e) out_.weights.push_back(static_cast<int8_t>(tap(l, e)));
      return;
    }
    for (int odd = 0; odd < 2; ++odd)  // words of the even taps, then of the odd ones
      for (int l = 0; l < lanes; ++l)
        for (int e = odd; e < 4; e += 2) {
          out_.weights.push_back(static_cast<int8_t>(tap(l, e)));
          out_.weights.push_back(static_cast<int8_t>(tap(l, e) < 0 ? -1 : 0));
        }
  }

  int32_t bias(int channel, const RowClass& c, int y, const Taps& columns) const {
    if (channel >= s_.oc) return 0;
    uint32_t sum = static_cast<uint32_t>(data_.bias[static_cast<size_t>(channel)]);
    if (y < static_cast<int>(c.taps.size()))
      for (int ky = c.taps[static_cast<size_t>(y)].begin; ky < c.taps[static_cast<size_t>(y)].end; ++ky)
        for (int kx = columns.begin; kx < columns.end; ++kx)
          for (int term = 0; term < s_.weight_terms; ++term)
            sum -= static_cast<uint32_t>(s_.src_zero * weight(term, channel, ky, kx));
    return static_cast<int32_t>(sum);
  }

  const ConvSpec& s_;
  const DepthwiseSchedule& d_;
  const ConvData& data_;
  PackedConv out_;
};

}  // namespace

PackedConv pack_depthwise(const ConvSpec& spec, const DepthwiseSchedule& schedule, const ConvData& data) {
  return Packer(spec, schedule, data).run();
}

}  // namespace octet
