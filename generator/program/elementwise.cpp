#include "generator/program/elementwise.h"

#include <algorithm>

namespace octet {

std::vector<Tile> tiles(int channels, int vector_bytes) {
  std::vector<Tile> out;
  int left = round_up(channels, 4), at = 0;
  if (left >= vector_bytes) {
    out.push_back({vector_bytes, 4, 0, left / vector_bytes});
    at = left / vector_bytes * vector_bytes;
    left -= at;
  }
  for (int bytes = vector_bytes; bytes >= 16; bytes /= 2) {
    const int pieces = left / (bytes / 4);
    if (pieces == 0) continue;
    out.push_back({bytes, pieces, at, 1});
    at += out.back().channels();
    left -= out.back().channels();
  }
  return out;
}

std::vector<Tile> byte_tiles(int channels, int vector_bytes) {
  std::vector<Tile> out;
  int left = round_up(channels, 4), at = 0;
  for (int bytes = vector_bytes; left > 0; bytes = std::max(16, bytes / 2)) {
    if (left < bytes && bytes > 16) continue;
    const int pieces = std::min(4, left / (bytes / 4)), count = std::max(1, left / bytes);
    out.push_back({bytes, pieces, at, count});
    at += count * out.back().channels();
    left -= count * out.back().channels();
  }
  return out;
}

void store_bytes(Builder& b, const Tile& t, Ptr dst, Reg bytes) {
  if (t.pieces == 4)
    b.store(t.bytes, {dst, t.at}, bytes);
  else
    b.store_low(16, {dst, t.at}, bytes, 4 * t.pieces);
}

Rows rows_of(int64_t pixels, int channels, bool dense, int vector_bytes, TilesOf* tiling) {
  const int64_t bytes = pixels * round_up(channels, 4);
  if (dense && bytes < INT32_MAX) return {1, tiling(static_cast<int>(bytes), vector_bytes)};
  return {pixels, tiling(channels, vector_bytes)};
}

namespace {

// The tiles of one row. Looping moves the pointers, so tiles behind a loop lie at smaller offsets.
void walk_row(Builder& b, const std::vector<Tile>& row, const std::vector<Walk>& walks, const std::vector<Ptr>& ptrs,
              const TileBody& body) {
  int moved = 0;
  for (Tile tile : row) {
    tile.at -= moved;
    if (tile.count == 1) {
      body(tile, ptrs);
      continue;
    }
    std::vector<Bump> bumps;
    for (size_t i = 0; i < ptrs.size(); ++i)
      if (walks[i].bytes_per_channel) bumps.push_back({ptrs[i], tile.channels() * walks[i].bytes_per_channel});
    b.loop(tile.count, bumps, [&] { body(tile, ptrs); });
    moved += tile.count * tile.channels();
  }
}

}  // namespace

void for_each_tile(Builder& b, int64_t rows, const std::vector<Tile>& row, const std::vector<Walk>& walks,
                   const TileBody& body) {
  const bool moves = std::any_of(row.begin(), row.end(), [](const Tile& t) { return t.count > 1; });
  std::vector<Ptr> ptrs;
  std::vector<Bump> bumps;
  for (const Walk& w : walks) {
    ptrs.push_back(moves && rows > 1 ? b.ptr() : w.ptr);
    if (w.pitch) bumps.push_back({w.ptr, static_cast<int32_t>(w.pitch)});
  }
  if (rows == 1) return walk_row(b, row, walks, ptrs, body);
  b.loop(rows, bumps, [&] {
    for (size_t i = 0; i < walks.size(); ++i)
      if (ptrs[i] != walks[i].ptr) b.ptr_set(ptrs[i], {walks[i].ptr, 0});
    walk_row(b, row, walks, ptrs, body);
  });
}

Reg load_lanes(Builder& b, int bytes, Mem m, int zero) {
  const Reg x = b.widen8_32(bytes, m);
  if (zero) b.op(Op::sub32, bytes, x, x, b.constant32(zero));
  return x;
}

Reg load_floats(Builder& b, int bytes, Mem m, int zero) {
  const Reg x = load_lanes(b, bytes, m, zero);
  b.unary(Op::cvt_f32, bytes, x, x);
  return x;
}

void clamp_f32(Builder& b, int bytes, Reg x, int lo, int hi) {
  b.op(Op::max_f32, bytes, x, x, b.constant_f32(static_cast<float>(lo)));
  b.op(Op::min_f32, bytes, x, x, b.constant_f32(static_cast<float>(hi)));
}

void store_tile(Builder& b, const Tile& tile, const BytePack& pack, Ptr dst, const std::function<Reg(int)>& value) {
  OutputTile out{.group = {.vectors = 1, .bytes = tile.bytes, .oc = 0}, .dst = dst};
  for (int piece = 0; piece < tile.pieces; ++piece) {
    out.acc.push_back({kNone});
    out.dst_offset.push_back(tile.piece_at(piece));
  }
  emit_bytes(b, pack, out, [&value](int piece, int, Reg) { return value(piece); });
}

Program finished(Builder& b, const KernelSpec& spec, const Target& target) {
  Program p = b.finish();
  p.heading = {to_string(spec), "schedule: vectors of " + std::to_string(target.vector_bytes) + " bytes"};
  return p;
}

}  // namespace octet
