// How a depthwise convolution is computed, and how its weights are packed for it.
//
// Four input rows of one column are interleaved bytewise, so that a 32-bit lane holds four vertical taps of one channel
// and one dot product does them all. A tile is `rows` x `columns` output pixels of one channel block; the rows of an
// interleave serve every output row of the tile (weights zero where a row is no tap of it).
#pragma once

#include <string>
#include <vector>

#include "generator/kernel/spec.h"
#include "generator/schedule/edges.h"
#include "generator/schedule/pack.h"
#include "generator/schedule/schedule.h"
#include "targets/target.h"

namespace octet {

// Output rows y .. y + count - 1 whose taps meet the top or bottom border in the same way share code and weights.
struct RowClass {
  std::vector<Taps> taps;  // per output row of the tile
  std::vector<int> rows;   // input rows to interleave, relative to the tile's first row's first tap; all exist
  int row_quads() const { return static_cast<int>(rows.size() + 3) / 4; }
  int quads(const ConvSpec& spec) const { return spec.weight_terms * row_quads(); }  // terms one after the other
  // The kernel row that slot e < 4 of a quad is for output row y of the tile; -1: none, weight zero.
  int tap(const ConvSpec& spec, int y, int quad, int e) const;
  bool operator==(const RowClass&) const = default;
};

struct RowRun {  // `tiles` tiles in a row of the same class, the first at output row y
  int y = 0, rows = 1, tiles = 1;
  int row_class = 0;
};

struct DepthwiseSchedule {
  int rows = 1, columns = 1;
  bool carry = false;  // 3 wide, stride 1: two columns stay in registers between tiles
  DotForm dot = DotForm::fused;
  int registers = 16;           // vector registers that the kernel may keep alive
  std::vector<OcBlock> blocks;  // one group each: 4, 2 or 1 vectors
  std::vector<RowClass> row_classes;
  std::vector<RowRun> runs;
  AxisClasses columns_at;  // horizontal taps of every output column; the class indexes packed biases
  int dot_bytes() const { return dot == DotForm::widened ? 2 : 1; }

  // Packed layout of one block of `count`: for each row class, kx, quad, output row, vector.
  int weight_bytes(const ConvSpec& spec, const VectorGroup& g) const;  // of a whole block
  int weight_offset(const ConvSpec& spec, const VectorGroup& g, int row_class, int kx, int quad, int y) const;
  int bias_bytes(const VectorGroup& g) const;  // of a whole block
  int bias_offset(const VectorGroup& g, int row_class, int y, int column_class) const;
};

std::string to_string(const DepthwiseSchedule& schedule);

// `data` decides whether vpmaddubsw is safe in this pairing.
DepthwiseSchedule choose_depthwise(const ConvSpec& spec, const ConvData& data, const Target& target, Emitter emitter);

PackedConv pack_depthwise(const ConvSpec& spec, const DepthwiseSchedule& schedule, const ConvData& data);

}  // namespace octet
