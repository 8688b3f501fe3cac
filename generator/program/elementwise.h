// What the builders of elementwise and pooling kernels share: how a row of channels is cut into vectors, and the loops
// over rows and vectors.
//
// A tile is up to four pieces of bytes / 4 channels; each piece is one vector of s32 or f32 lanes in the channels' own
// order (widen8_32 loads it), and the pieces are packed together into bytes. So per-channel factors need no packing.
#pragma once

#include <functional>
#include <vector>

#include "generator/program/epilogue.h"
#include "generator/program/program.h"
#include "targets/target.h"

namespace octet {

struct Tile {
  int bytes = 16;  // of a vector
  int pieces = 4;
  int at = 0;     // first channel, relative to the pointers
  int count = 1;  // equal tiles that follow each other
  int channels() const { return pieces * bytes / 4; }
  int piece_at(int piece) const { return at + piece * bytes / 4; }
};

// Covers round_up(channels, 4) channels and no more: narrower vectors take the tail.
std::vector<Tile> tiles(int channels, int vector_bytes);

// The same where bytes need no lanes: a tile is one vector, stored whole where it has four pieces, else its low part.
std::vector<Tile> byte_tiles(int channels, int vector_bytes);
void store_bytes(Builder& b, const Tile& tile, Ptr dst, Reg bytes);

struct Rows {
  int64_t rows;
  std::vector<Tile> row;
};

// Pixels as rows of tiles. Those without gaps between them are one long row: only its end needs narrower vectors.
using TilesOf = std::vector<Tile>(int channels, int vector_bytes);
Rows rows_of(int64_t pixels, int channels, bool dense, int vector_bytes, TilesOf* tiling = tiles);

// A pointer that moves with rows and, inside a row, with channels.
struct Walk {
  Ptr ptr = kNone;
  int64_t pitch = 0;          // bytes between rows
  int bytes_per_channel = 1;  // 4 for f32 data; 0: does not move
};

// body(tile, pointers in the order of `walks`) for every tile of every row. The pointers may be copies.
using TileBody = std::function<void(const Tile&, const std::vector<Ptr>&)>;
void for_each_tile(Builder& b, int64_t rows, const std::vector<Tile>& row, const std::vector<Walk>& walks,
                   const TileBody& body);

// The bytes at `m` of one piece as s32 lanes minus `zero`, or as f32.
Reg load_lanes(Builder& b, int bytes, Mem m, int zero);
Reg load_floats(Builder& b, int bytes, Mem m, int zero);

void clamp_f32(Builder& b, int bytes, Reg x, int lo, int hi);

// value(piece) gives the s32 lanes of a piece; stores clamp(value + add, lo, hi).
void store_tile(Builder& b, const Tile& tile, const BytePack& pack, Ptr dst, const std::function<Reg(int)>& value);

// The Program, headed by spec and schedule.
Program finished(Builder& b, const KernelSpec& spec, const Target& target);

}  // namespace octet
