// Depthwise convolution: rows interleaved by four, vertical taps in one dot product (see schedule/depthwise.h).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "generator/program/build.h"
#include "generator/program/dot.h"
#include "generator/program/epilogue.h"
#include "generator/schedule/scales.h"
#include "runtime/status.h"

namespace octet {
namespace {

using Interleaved = std::array<Reg, 4>;  // vector v: lanes of four rows, channels 16 (l / 4) + 4 v + l % 4
constexpr Interleaved kNotYet = {kNone, kNone, kNone, kNone};
using Columns = std::map<int, Interleaved>;  // by column, relative to the tile's first tap

class DepthwiseBuilder {
 public:
  DepthwiseBuilder(const ConvSpec& spec, const DepthwiseSchedule& schedule, const Target& target, std::string name)
      : s_(spec), d_(schedule), target_(target), b_(std::move(name)) {
    b_.heading(to_string(KernelSpec(s_)));
    b_.heading("schedule: " + to_string(d_));
    if (s_.flips.src && d_.dot != DotForm::flipped)
      internal_error("build_depthwise: only a flipped dot reads flipped activations");
    for (Ptr* p : {&start_, &src_, &dst_, &src2_, &weights_, &bias_, &table_}) *p = b_.ptr();
    for (int r = 0; r < 4 * d_.row_quads; ++r)
      rows_.push_back(r == 0 || d_.is_read(s_, r / 4, r % 4) ? b_.ptr() : kNone);
  }

  Program run() {
    for (const DepthwiseBlocks& blocks : d_.blocks) run_blocks(blocks);
    return b_.finish();
  }

 private:
  void run_blocks(const DepthwiseBlocks& blocks) {
    group_ = blocks.group;
    stored_ = blocks.channels;
    make_table();
    const Mem starts = b_.table({blocks.starts.begin(), blocks.starts.end()});
    const int scales = group_.vectors * group_.bytes * scale_words(s_.requant);
    b_.note(fmt::format("{} channels at a time", stored_));
    b_.ptr_set(start_, starts);
    // Packed data advances from block to block; src and dst start where the table says.
    b_.loop(static_cast<int64_t>(blocks.starts.size()),
            {{start_, 8},
             {OCTET_WEIGHTS, d_.weight_bytes(s_, group_)},
             {OCTET_BIAS, d_.bias_bytes(group_)},
             {OCTET_SCALE, scales}},
            [&] { block(); });
  }

  const Window& w() const { return s_.window; }
  int row_pitch() const { return s_.iw * s_.src_pitch; }
  Taps column_taps(int x) const { return d_.columns_at.classes[static_cast<size_t>(column_class(x))]; }
  int column_class(int x) const { return d_.columns_at.at(x); }

  // Per row tile: its input rows, its weights and biases, its outputs, all relative to the image or the block.
  void make_table() {
    std::vector<int64_t> steps;
    for (const RowTile& t : d_.tiles) {
      for (size_t r = 0; r < rows_.size(); ++r)
        if (rows_[r] != kNone)
          steps.push_back(int64_t{d_.input_row(s_, t, static_cast<int>(r) / 4, static_cast<int>(r) % 4)} * row_pitch());
      steps.push_back(d_.weight_offset(s_, group_, t.row_class, 0, 0, 0));
      steps.push_back(d_.bias_offset(group_, t.row_class, 0, 0));
      steps.push_back(int64_t{t.y} * s_.ow * s_.dst_pitch);
      if (s_.residual) steps.push_back(int64_t{t.y} * s_.ow * s_.src2_pitch);
    }
    entry_ = static_cast<int>(8 * steps.size() / d_.tiles.size());
    tiles_ = b_.table(steps);
  }

  void block() {
    const auto from_start = [&](Ptr p, Ptr argument) {
      b_.ptr_set(p, {argument, 0});
      b_.ptr_index(p, {start_, 0});
    };
    from_start(src_, OCTET_SRC);
    from_start(dst_, OCTET_DST);
    if (s_.residual) from_start(src2_, OCTET_SRC2);
    const int64_t out = int64_t{s_.oh} * s_.ow;
    std::vector<Bump> images = {{src_, s_.ih * row_pitch()}, {dst_, static_cast<int32_t>(out * s_.dst_pitch)}};
    if (s_.residual) images.push_back({src2_, static_cast<int32_t>(out * s_.src2_pitch)});
    b_.loop(s_.n, images, [&] {
      b_.note(fmt::format("{} output rows at a time", d_.rows));
      b_.ptr_set(table_, tiles_);
      b_.loop(static_cast<int64_t>(d_.tiles.size()), {{table_, entry_}}, [&] { row_tile(); });
    });
  }

  void row_tile() {
    int at = 0;
    const auto from_table = [&](Ptr p, Mem base) {
      b_.ptr_set(p, base);
      b_.ptr_index(p, {table_, at});
      at += 8;
    };
    for (Ptr row : rows_)
      if (row != kNone) from_table(row, {src_, -w().pad_left * s_.src_pitch});
    from_table(weights_, {OCTET_WEIGHTS, 0});
    from_table(bias_, {OCTET_BIAS, 0});
    from_table(out_, {dst_, 0});
    if (s_.residual) from_table(addend_, {src2_, 0});
    int x = 0;
    while (x < s_.ow) x = run_of_tiles(x);
  }

  std::vector<Bump> steps(int columns) const {
    std::vector<Bump> bumps;
    for (Ptr row : rows_)
      if (row != kNone) bumps.push_back({row, columns * w().stride_w * s_.src_pitch});
    bumps.push_back({out_, columns * s_.dst_pitch});
    if (s_.residual) bumps.push_back({addend_, columns * s_.src2_pitch});
    return bumps;
  }

  // The tiles from column x on that meet the left or right border alike, as a loop; returns the next column.
  int run_of_tiles(int x) {
    const int columns = std::min(d_.columns, s_.ow);
    if (x + columns > s_.ow) {  // the last tile computes columns again
      const int back = x + columns - s_.ow;
      for (const Bump& b : steps(-back)) b_.ptr_add(b.ptr, b.step);
      x -= back;
    }
    const auto classes = [&](int from) {
      std::vector<int> c;
      for (int p = 0; p < columns; ++p) c.push_back(column_class(from + p));
      return c;
    };
    const std::vector<int> key = classes(x);
    int same = 1;
    while (x + (same + 1) * columns <= s_.ow && classes(x + same * columns) == key) ++same;
    const bool inner = column_taps(x).count() == w().kw && column_taps(x + columns - 1).count() == w().kw;
    const bool carry = d_.carry && inner && columns == 2 && same > 1;
    b_.note(same > 1 ? fmt::format("output columns {} to {}, {} at a time", x, x + same * columns - 1, columns)
                     : fmt::format("output columns from {}", x));
    flip_ =
        d_.dot == DotForm::flipped && !s_.flips.src ? b_.load(group_.bytes, Role::weight, b_.constant8(0x80)) : kNone;
    Columns carried;
    if (carry)
      for (int column = 0; column < 2; ++column) interleave(column, 0, carried.emplace(column, kNotYet).first->second);
    b_.loop(same, steps(columns), [&] { tile(key, carry ? &carried : nullptr); });
    return x + same * columns;
  }

  // Where the row of a slot lies; kNone where no output row of any tile has a tap there, so that any bytes will do.
  Ptr row(int quad, int slot) const { return rows_[static_cast<size_t>(4 * (quad % d_.row_quads) + slot)]; }

  // Loads four rows of one column, each once, and interleaves them into `q` (fresh registers where they are kNone).
  void interleave(int column, int quad, Interleaved& q) {
    const int bytes = group_.bytes, at = column * s_.src_pitch;
    std::array<std::array<Reg, 2>, 2> halves;  // [half][pair of rows]
    for (size_t p = 0; p < 2; ++p) {
      const Ptr even = row(quad, static_cast<int>(2 * p)), odd = row(quad, static_cast<int>(2 * p + 1));
      const Reg a = even == kNone ? kNone : b_.load(bytes, Role::temp, {even, at});
      const Reg b = odd == kNone ? a : b_.load(bytes, Role::temp, {odd, at});
      for (size_t half = 0; half < 2 && 2 * half < static_cast<size_t>(group_.vectors); ++half)
        if (a == kNone)
          halves[half][p] = halves[half][0];
        else
          b_.op(half ? Op::zip_hi8 : Op::zip_lo8, bytes, halves[half][p] = b_.reg(Role::temp), a, b);
    }
    for (int v = 0; v < group_.vectors; ++v) interleave_pairs(v, halves[static_cast<size_t>(v / 2)], q);
  }

  // The same for vectors 2 half and 2 half + 1 alone, where registers are few.
  void interleave_half(int column, int quad, int half, Interleaved& q) {
    const int bytes = group_.bytes, at = column * s_.src_pitch;
    std::array<Reg, 2> pair;
    for (size_t p = 0; p < 2; ++p) {
      const Ptr even = row(quad, static_cast<int>(2 * p)), odd = row(quad, static_cast<int>(2 * p + 1));
      if (even == kNone) {
        pair[p] = pair[0];
        continue;
      }
      const Reg first = b_.load(bytes, Role::temp, {even, at});
      const Builder::Operand second = odd == kNone ? Builder::Operand(first) : Builder::Operand(Mem{odd, at});
      b_.op(half ? Op::zip_hi8 : Op::zip_lo8, bytes, pair[p] = b_.reg(Role::temp), first, second);
    }
    for (int v = 2 * half; v < std::min(group_.vectors, 2 * half + 2); ++v) interleave_pairs(v, pair, q);
  }

  // Vector v of four interleaved rows, from two pairs of them.
  void interleave_pairs(int v, const std::array<Reg, 2>& pairs, Interleaved& q) {
    Reg& to = q[static_cast<size_t>(v)];
    if (to == kNone) to = b_.reg(Role::act);
    b_.op(v % 2 ? Op::zip_hi16 : Op::zip_lo16, group_.bytes, to, pairs[0], pairs[1]);
    if (flip_ != kNone) b_.op(Op::xor_, group_.bytes, to, to, flip_);
  }

  void tile(const std::vector<int>& key, const Columns* carried) {
    const int columns = static_cast<int>(key.size());
    OutputTile out{.group = group_};
    out.dst = out_;
    out.channels = stored_;
    out.src2 = addend_;
    for (int y = 0; y < d_.rows; ++y)
      for (int p = 0; p < columns; ++p) {
        std::vector<Reg> acc;
        for (int v = 0; v < group_.vectors; ++v) {
          const int at = d_.bias_offset(group_, 0, y, key[static_cast<size_t>(p)]) + v * group_.bytes;
          acc.push_back(b_.load(group_.bytes, Role::acc, {bias_, at}));
        }
        out.acc.push_back(acc);
        out.dst_offset.push_back((y * s_.ow + p) * s_.dst_pitch);
        out.src2_offset.push_back((y * s_.ow + p) * s_.src2_pitch);
      }
    dot_ = std::make_unique<DotEmitter>(b_, d_.dot, group_.bytes, true);  // interleave_pairs() has flipped them
    dot_->begin();
    for (int quad = 0; quad < d_.quads(s_); ++quad) {
      Columns at;  // interleaved columns that are still needed
      if (carried) at = *carried;
      for (int kx = 0; kx < w().kw; ++kx) tap_column(key, quad, kx, at, out, carried != nullptr);
    }
    out.live = (d_.carry ? 2 * group_.vectors : 0) + (flip_ != kNone);  // two columns, sign bits
    emit_epilogue(b_, {s_.requant, s_.residual, s_.residual_is_first, s_.add, d_.registers, s_.flips}, out);
  }

  int column_of(int p, int kx) const { return p * w().stride_w + kx * w().dilation_w; }

  // All dots of kernel column kx. Each weight vector serves every output column of the tile.
  void tap_column(const std::vector<int>& key, int quad, int kx, Columns& at, OutputTile& out, bool carry) {
    std::vector<int> live;  // output columns that have this tap
    for (int p = 0; p < static_cast<int>(key.size()); ++p) {
      const Taps& t = d_.columns_at.classes[static_cast<size_t>(key[static_cast<size_t>(p)])];
      if (kx >= t.begin && kx < t.end) live.push_back(p);
    }
    if (live.empty()) return;
    if (target_.vector_registers < 32) {  // two vectors of a column at a time
      for (int half = 0; half < 2 && 2 * half < group_.vectors; ++half) {
        for (int p : live) interleave_half(column_of(p, kx), quad, half, at[column_of(p, kx)] = kNotYet);
        for (int v = 2 * half; v < std::min(group_.vectors, 2 * half + 2); ++v) dots(quad, kx, v, live, at, out);
      }
      return;
    }
    for (int p : live) {
      const int column = column_of(p, kx);
      if (at.count(column)) continue;
      // A carried column takes over the registers of the one that left the window.
      Interleaved q = carry ? at[column - 2] : kNotYet;
      interleave(column, quad, q);
      at[column] = q;
    }
    for (int v = 0; v < group_.vectors; ++v) dots(quad, kx, v, live, at, out);
  }

  // The dots of one vector with kernel column kx, for every output row and every output column in `live`.
  void dots(int quad, int kx, int v, const std::vector<int>& live, const Columns& at, OutputTile& out) {
    const size_t columns = out.acc.size() / static_cast<size_t>(d_.rows);
    std::vector<std::pair<int, Mem>> weights;  // output rows that have a tap in this quad
    for (int y = 0; y < d_.rows; ++y)
      if (d_.is_tap(s_, y, quad))
        weights.push_back(
            {y, {weights_, d_.weight_offset(s_, group_, 0, kx, quad, y) + v * group_.bytes * d_.dot_bytes()}});
    const auto act = [&](int p) { return at.at(column_of(p, kx))[static_cast<size_t>(v)]; };
    const auto dot = [&](int y, int p, Reg weight, Mem memory) {
      const Reg acc = out.acc[static_cast<size_t>(y) * columns + static_cast<size_t>(p)][static_cast<size_t>(v)];
      dot_->dot(group_.bytes, acc, act(p), weight, memory, -1);
    };
    if (d_.dot == DotForm::fused || d_.dot == DotForm::flipped) {
      for (const auto& [y, memory] : weights) {
        const Reg shared = live.size() > 1 ? b_.load(group_.bytes, Role::weight, memory) : kNone;
        for (int p : live) dot(y, p, shared, memory);
      }
      return;
    }
    for (int p : live) {
      dot_->activation(act(p));
      for (const auto& [y, memory] : weights) dot(y, p, kNone, memory);
    }
  }

  const ConvSpec& s_;
  const DepthwiseSchedule& d_;
  const Target& target_;
  Builder b_;
  VectorGroup group_;           // of the blocks at hand
  int stored_ = 0;              // their channels
  Ptr start_;                   // walks through the blocks' first channels
  Ptr src_, dst_, src2_;        // the block's channels of the current image
  Ptr weights_, bias_, table_;  // of the current row tile
  std::vector<Ptr> rows_;       // of the current row tile, at the current column
  Ptr out_ = b_.ptr(), addend_ = b_.ptr();
  Mem tiles_;
  int entry_ = 0;  // bytes of a row tile's steps
  std::unique_ptr<DotEmitter> dot_;
  Reg flip_ = kNone;  // the sign bits of activations that are flipped as they are interleaved
};

}  // namespace

Program build_depthwise(const ConvSpec& spec, const DepthwiseSchedule& schedule, const Target& target,
                        std::string name) {
  return DepthwiseBuilder(spec, schedule, target, std::move(name)).run();
}

}  // namespace octet
