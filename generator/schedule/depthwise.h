// How a depthwise convolution is computed, and how its weights are packed for it.
//
// Four input rows of one column are interleaved bytewise, so that a 32-bit lane holds four vertical taps of one channel
// and one dot product does them all. A tile is `rows` x `columns` output pixels of one channel block; the rows of an
// interleave serve every output row of the tile (weights are zero where a row is no tap of it).
//
// All row tiles share one body: where a tile meets the top or bottom border, its missing rows are replaced by any row
// that exists, with zero weights. Rows, weights and outputs of each tile come from a table of steps. Channel blocks
// have one width, or the last one half of it; where that does not divide, blocks overlap and some channels are computed
// twice. A single block may be wider than there are channels.
#pragma once

#include <string>
#include <vector>

#include "generator/kernel/spec.h"
#include "generator/schedule/edges.h"
#include "generator/schedule/pack.h"
#include "generator/schedule/schedule.h"
#include "targets/target.h"

namespace octet {

// Row tiles that meet the top or bottom border in the same way share packed weights and biases.
struct RowClass {
  std::vector<Taps> taps;  // per output row of the tile
  std::vector<int> rows;   // input rows that are some row's tap, relative to the first tap of the tile's first row
  bool operator==(const RowClass&) const = default;
};

struct RowTile {
  int y = 0;  // first output row
  int row_class = 0;
};

// Channel blocks of one width, which share a body.
struct DepthwiseBlocks {
  VectorGroup group;        // of one block: 4, 2 or 1 vectors
  std::vector<int> starts;  // first channel of every block
  int channels = 4;         // of a block that are stored
};

struct DepthwiseSchedule {
  int rows = 1, columns = 1;  // of a tile; the last tiles overlap their neighbours where they do not divide
  bool carry = false;         // 3 wide, stride 1: two columns stay in registers between tiles
  DotForm dot = DotForm::fused;
  int registers = 16;  // vector registers that the kernel may keep alive
  std::vector<DepthwiseBlocks> blocks;
  std::vector<RowClass> row_classes;
  std::vector<RowTile> tiles;
  int row_quads = 1;       // interleaves of four rows that any tile needs
  AxisClasses columns_at;  // horizontal taps of every output column; the class indexes packed biases

  int dot_bytes() const { return dot == DotForm::widened ? 2 : 1; }
  int quads(const ConvSpec& spec) const { return spec.weight_terms * row_quads; }  // weight terms one after the other
  // The input row that slot e < 4 of a quad holds in a tile: one of the tile's own, or any that exists.
  int input_row(const ConvSpec& spec, const RowTile& tile, int quad, int e) const;
  // The kernel row that the slot is for output row y of a tile of that class; -1: none, weight zero.
  int tap(const ConvSpec& spec, int row_class, int y, int quad, int e) const;
  // Whether any class has a tap of output row y in the quad, so that a dot is needed.
  bool is_tap(const ConvSpec& spec, int y, int quad) const;
  // Whether the slot is a tap of any output row of any class, so that its bytes matter.
  bool is_read(const ConvSpec& spec, int quad, int e) const;

  // Packed bytes of one block: row class, kx, quad, output row, vector; biases by row class, output row, column class.
  int weight_offset(const ConvSpec& spec, const VectorGroup& group, int row_class, int kx, int quad, int y) const;
  int bias_offset(const VectorGroup& group, int row_class, int y, int column_class) const;
  int weight_bytes(const ConvSpec& spec, const VectorGroup& group) const {
    return weight_offset(spec, group, static_cast<int>(row_classes.size()), 0, 0, 0);
  }
  int bias_bytes(const VectorGroup& group) const {
    return bias_offset(group, static_cast<int>(row_classes.size()), 0, 0);
  }
};

std::string to_string(const DepthwiseSchedule& schedule);

// `data` decides whether vpmaddubsw is safe in this pairing.
DepthwiseSchedule choose_depthwise(const ConvSpec& spec, const ConvData& data, const Target& target, Emitter emitter);

// The same where the dot form is known already.
DepthwiseSchedule depthwise_schedule(const ConvSpec& spec, DotForm dot, const Target& target, Emitter emitter);

PackedConv pack_depthwise(const ConvSpec& spec, const DepthwiseSchedule& schedule, const ConvData& data);

}  // namespace octet
