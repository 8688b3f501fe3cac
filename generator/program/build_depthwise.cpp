// Depthwise convolution: rows interleaved by four, vertical taps in one dot product (see schedule/depthwise.h).
#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "generator/program/build.h"
#include "generator/program/dot.h"
#include "generator/program/epilogue.h"
#include "generator/schedule/depthwise.h"

namespace octet {
namespace {

using Interleaved = std::array<Reg, 4>;  // vector v: lanes of four rows, channels 16 (l / 4) + 4 v + l % 4

class DepthwiseBuilder {
 public:
  DepthwiseBuilder(const ConvSpec& spec, const DepthwiseSchedule& schedule, const Target& target, std::string name)
      : s_(spec),
        d_(schedule),
        target_(target),
        b_(std::move(name)),
        src_(b_.ptr()),
        weights_(b_.ptr()),
        row_pitch_(spec.iw * spec.src_pitch) {}

  Program run() {
    b_.heading(to_string(KernelSpec(s_)));
    b_.heading(to_string(d_));
    for (const OcBlock& block : d_.blocks) channel_block(block);
    return b_.finish();
  }

 private:
  const Window& w() const { return s_.window; }

  void channel_block(const OcBlock& block) {
    group_ = block.groups[0];
    b_.note(fmt_channels(block));
    const int bytes = group_.vectors * group_.bytes;
    const int64_t images = static_cast<int64_t>(s_.oh) * s_.ow;
    // Arguments advance from block to block; a block walks its own output from there and returns.
    b_.loop(block.count,
            {{OCTET_WEIGHTS, d_.weight_bytes(s_, group_)},
             {OCTET_BIAS, d_.bias_bytes(group_)},
             {OCTET_SCALE, bytes},
             {OCTET_SRC, block.channels},
             {OCTET_DST, block.channels},
             {OCTET_SRC2, block.channels}},
            [&] {
              const int64_t in_image = static_cast<int64_t>(s_.ih) * row_pitch_;
              b_.loop(s_.n, {{OCTET_SRC, static_cast<int32_t>(in_image)}}, [&] { image(); });
              b_.ptr_add(OCTET_SRC, -in_image * s_.n);
              b_.ptr_add(OCTET_DST, -images * s_.n * s_.dst_pitch);
              if (s_.residual) b_.ptr_add(OCTET_SRC2, -images * s_.n * s_.src2_pitch);
            });
  }

  std::string fmt_channels(const OcBlock& block) const {
    return "channels " + std::to_string(block.oc) + " to " + std::to_string(block.oc + block.channels * block.count) +
           ", " + std::to_string(block.channels) + " at a time";
  }

  void image() {
    for (const RowRun& run : d_.runs) {
      const RowClass& c = d_.row_classes[static_cast<size_t>(run.row_class)];
      b_.note("output rows " + std::to_string(run.y) + " to " + std::to_string(run.y + run.rows * run.tiles) +
              (c.rows.empty() ? ", all padding" : ""));
      b_.ptr_set(src_, {OCTET_SRC, (run.y * w().stride_h - w().pad_top) * row_pitch_ - w().pad_left * s_.src_pitch});
      b_.ptr_set(weights_, {OCTET_WEIGHTS, d_.weight_offset(s_, group_, run.row_class, 0, 0, 0)});
      const int walked = s_.ow * w().stride_w * s_.src_pitch;  // by the tiles of one row
      const int more_rows = run.rows - 1;                      // output rows below the first
      b_.loop(run.tiles,
              {{src_, run.rows * w().stride_h * row_pitch_ - walked},
               {OCTET_DST, more_rows * s_.ow * s_.dst_pitch},
               {OCTET_SRC2, s_.residual ? more_rows * s_.ow * s_.src2_pitch : 0}},
              [&] { row(run); });
    }
  }

  std::vector<int> classes(int x, int columns) const {
    std::vector<int> c;
    for (int p = 0; p < columns; ++p) c.push_back(d_.columns_at.of[static_cast<size_t>(x + p)]);
    return c;
  }

  // One row of tiles: equal neighbours become a loop.
  void row(const RowRun& run) {
    for (int x = 0; x < s_.ow;) {
      const int columns = std::min(d_.columns, s_.ow - x);
      const std::vector<int> key = classes(x, columns);
      int same = 1;
      while (x + (same + 1) * columns <= s_.ow && classes(x + same * columns, columns) == key) ++same;
      const bool inner = std::all_of(key.begin(), key.end(), [&](int c) {
        return d_.columns_at.classes[static_cast<size_t>(c)] == Taps{0, w().kw};
      });
      const bool one_quad = d_.row_classes[static_cast<size_t>(run.row_class)].quads(s_) == 1;
      const bool carry = d_.carry && inner && one_quad && columns == 2 && same > 1;
      std::map<int, Interleaved> carried;
      if (carry)
        for (int column = 0; column < 2; ++column)
          interleave(run, column, 0, carried.emplace(column, none()).first->second);
      b_.loop(same,
              {{src_, columns * w().stride_w * s_.src_pitch},
               {OCTET_DST, columns * s_.dst_pitch},
               {OCTET_SRC2, s_.residual ? columns * s_.src2_pitch : 0}},
              [&] { tile(run, key, carry ? &carried : nullptr); });
      x += same * columns;
    }
  }

  // Loads four rows of one column and interleaves them into `q` (fresh registers where they are kNone).
  void interleave(const RowRun& run, int column, int quad, Interleaved& q) {
    for (int half = 0; half < 2 && 2 * half < group_.vectors; ++half) interleave_half(run, column, quad, half, q);
  }

  void interleave_half(const RowRun& run, int column, int quad, int half, Interleaved& q) {
    const RowClass& c = d_.row_classes[static_cast<size_t>(run.row_class)];
    const int bytes = group_.bytes;
    const auto row_at = [&](int slot) {
      const auto k =
          static_cast<size_t>(std::min(4 * (quad % c.row_quads()) + slot, static_cast<int>(c.rows.size()) - 1));
      return Mem{src_, c.rows[k] * row_pitch_ + column * s_.src_pitch};
    };
    Reg pair[2];
    for (int p = 0; p < 2; ++p) {
      const Reg first = b_.load(bytes, Role::temp, row_at(2 * p));
      pair[p] = b_.reg(Role::temp);
      b_.op(half ? Op::zip_hi8 : Op::zip_lo8, bytes, pair[p], first, row_at(2 * p + 1));
    }
    for (int v = 2 * half; v < std::min(group_.vectors, 2 * half + 2); ++v) {
      Reg& d = q[static_cast<size_t>(v)];
      if (d == kNone) d = b_.reg(Role::act);
      b_.op(v % 2 ? Op::zip_hi16 : Op::zip_lo16, bytes, d, pair[0], pair[1]);
    }
  }

  static Interleaved none() { return {kNone, kNone, kNone, kNone}; }

  void tile(const RowRun& run, const std::vector<int>& key, std::map<int, Interleaved>* carried) {
    const RowClass& c = d_.row_classes[static_cast<size_t>(run.row_class)];
    const int columns = static_cast<int>(key.size());
    OutputTile out{.group = group_};
    out.group.oc = 0;
    for (int y = 0; y < run.rows; ++y)
      for (int p = 0; p < columns; ++p) {
        std::vector<Reg> acc;
        for (int v = 0; v < group_.vectors; ++v)
          acc.push_back(b_.load(
              group_.bytes, Role::acc,
              {OCTET_BIAS, d_.bias_offset(group_, run.row_class, y, key[static_cast<size_t>(p)]) + v * group_.bytes}));
        out.acc.push_back(acc);
        out.dst_offset.push_back((y * s_.ow + p) * s_.dst_pitch);
        out.src2_offset.push_back((y * s_.ow + p) * s_.src2_pitch);
      }
    dot_ = std::make_unique<DotEmitter>(b_, d_.dot, group_.bytes);
    dot_->begin();
    for (int quad = 0; quad < c.quads(s_); ++quad) {
      std::map<int, Interleaved> at;  // interleaved columns that are still needed
      if (carried) at = *carried;
      for (int kx = 0; kx < w().kw; ++kx) tap_column(run, key, quad, kx, at, out, carried);
    }
    dot_.reset();
    emit_epilogue(b_, {s_.requant, s_.residual, s_.residual_is_first, s_.add, d_.registers}, out);
  }

  // All dots of kernel column kx. Each weight vector serves every output column of the tile.
  void tap_column(const RowRun& run, const std::vector<int>& key, int quad, int kx, std::map<int, Interleaved>& at,
                  OutputTile& out, std::map<int, Interleaved>* carried) {
    const int columns = static_cast<int>(key.size());
    std::vector<int> live;  // output columns that have this tap
    for (int p = 0; p < columns; ++p) {
      const Taps& t = d_.columns_at.classes[static_cast<size_t>(key[static_cast<size_t>(p)])];
      if (kx >= t.begin && kx < t.end) live.push_back(p);
    }
    if (live.empty()) return;
    const auto column_of = [&](int p) { return p * w().stride_w + kx * w().dilation_w; };
    const bool halves = target_.vector_registers < 32;  // two vectors of a column at a time
    for (int half = 0; half < (halves ? 2 : 1); ++half) {
      for (int p : live) {
        const int column = column_of(p);
        if (halves) {
          Interleaved q = none();
          if (2 * half < group_.vectors) interleave_half(run, column, quad, half, q);
          at[column] = q;
        } else if (!at.count(column)) {
          // A carried column takes over the registers of the one that left the window.
          Interleaved q = carried ? at[column - 2] : none();
          interleave(run, column, quad, q);
          at[column] = q;
        }
      }
      const int first = halves ? 2 * half : 0, last = halves ? std::min(group_.vectors, first + 2) : group_.vectors;
      for (int v = first; v < last; ++v) dots(run, quad, kx, v, live, at, out, columns);
    }
  }

  // The dots of one vector with kernel column kx, for every output row and every output column in `live`.
  void dots(const RowRun& run, int quad, int kx, int v, const std::vector<int>& live,
            const std::map<int, Interleaved>& at, OutputTile& out, int columns) {
    const RowClass& c = d_.row_classes[static_cast<size_t>(run.row_class)];
    std::vector<std::pair<int, Mem>> weights;  // output rows that have a tap in this quad
    for (int y = 0; y < run.rows; ++y) {
      bool any = false;
      for (int e = 0; e < 4; ++e) any = any || c.tap(s_, y, quad, e) >= 0;
      const int offset = d_.weight_offset(s_, group_, run.row_class, kx, quad, y) -
                         d_.weight_offset(s_, group_, run.row_class, 0, 0, 0);
      if (any) weights.push_back({y, {weights_, offset + v * group_.bytes * d_.dot_bytes()}});
    }
    const auto dot = [&](int y, int p, Reg weight, Mem memory) {
      dot_->dot(group_.bytes, out.acc[static_cast<size_t>(y * columns + p)][static_cast<size_t>(v)],
                at.at(p * w().stride_w + kx * w().dilation_w)[static_cast<size_t>(v)], weight, memory, -1);
    };
    if (d_.dot == DotForm::fused) {
      for (const auto& [y, memory] : weights) {
        const Reg shared = live.size() > 1 ? b_.load(group_.bytes, Role::weight, memory) : kNone;
        for (int p : live) dot(y, p, shared, memory);
      }
      return;
    }
    for (int p : live) {
      dot_->activation(at.at(p * w().stride_w + kx * w().dilation_w)[static_cast<size_t>(v)]);
      for (const auto& [y, memory] : weights) dot(y, p, kNone, memory);
    }
  }

  const ConvSpec& s_;
  const DepthwiseSchedule& d_;
  const Target& target_;
  Builder b_;
  Ptr src_, weights_;
  int row_pitch_;
  VectorGroup group_;
  std::unique_ptr<DotEmitter> dot_;
};

}  // namespace

Program build_depthwise(const ConvSpec& spec, const DepthwiseSchedule& schedule, const Target& target,
                        std::string name) {
  return DepthwiseBuilder(spec, schedule, target, std::move(name)).run();
}

}  // namespace octet
