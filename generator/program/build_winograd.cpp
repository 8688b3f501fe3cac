#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "generator/program/build.h"
#include "generator/program/epilogue.h"
#include "generator/schedule/scales.h"
#include "generator/schedule/winograd.h"
#include "runtime/status.h"

namespace octet {
namespace {

using Line = std::array<Reg, kWinogradInputs>;
using SumLine = std::array<Builder::Operand, kWinogradInputs>;

// Per image: the image with its padding to the scratch. Per region of tiles: inputs transformed along columns and along
// rows; then per block of output channels one product of matrices for each of the 36 points, and the sums transformed
// back, requantized and stored. Everything between lies in the scratch (WinogradLayout).
class WinogradBuilder {
 public:
  WinogradBuilder(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target, std::string name)
      : spec_(spec), schedule_(schedule), target_(target), at_(spec, schedule), b_(std::move(name)) {
    if (!has_winograd(spec)) internal_error("build_winograd: a shape that does not have this form");
    if (spec.flips.src) internal_error("build_winograd: flipped activations");
    epilogue_ = {spec_.requant, spec_.residual, spec_.residual_is_first, spec_.add, schedule_.registers, spec_.flips};
    outputs_ = {{OCTET_DST, spec.dst_pitch}};
    if (spec.residual) outputs_.push_back({OCTET_SRC2, spec.src2_pitch});
    tile_ = 2 * at_.pixel;
    image_ = b_.ptr();
    inputs_ = b_.ptr();
    sums_ = b_.ptr();
  }

  Program run() {
    std::vector<Bump> next = scaled(outputs_, int64_t{spec_.oh} * spec_.ow);
    next.push_back(bump(OCTET_SRC, int64_t{spec_.ih} * spec_.iw * spec_.src_pitch));
    b_.loop(spec_.n, next, [&] { build_image(); });
    Program p = b_.finish();
    p.heading = {to_string(KernelSpec(spec_)), "schedule: " + to_string(schedule_), schedule_.reason};
    return p;
  }

 private:
  // ---- pointers ----

  static Bump bump(Ptr p, int64_t step) {
    if (step != static_cast<int32_t>(step)) internal_error("build_winograd: pointer step beyond 2^31");
    return {p, static_cast<int32_t>(step)};
  }
  static std::vector<Bump> scaled(const std::vector<Bump>& by, int64_t n) {
    std::vector<Bump> all;
    for (const Bump& b : by) all.push_back(bump(b.ptr, n * b.step));
    return all;
  }
  void move(const std::vector<Bump>& by, int64_t n) {
    for (const Bump& b : by) b_.ptr_add(b.ptr, n * b.step);
  }
  static Mem behind(Ptr p, int64_t offset) { return {p, bump(p, offset).step}; }
  static Mem scratch(int64_t offset) { return behind(OCTET_SCRATCH, offset); }

  // body() at pixels 0, step, 2 * step and so on, the last at `last`. `by` says what a pixel means to the pointers that
  // follow; afterwards they are back at the first.
  void walk(int count, int step, int last, const std::vector<Bump>& by, const std::function<void()>& body) {
    if (last == step * (count - 1)) {
      b_.loop(count, scaled(by, step), body);
      move(by, -int64_t{step} * count);
      return;
    }
    std::vector<int64_t> steps;
    for (int i = 0; i < count; ++i) {
      const int here = std::min(step * i, last), next = i + 1 < count ? std::min(step * (i + 1), last) : 0;
      for (const Bump& b : by) steps.push_back(int64_t{next - here} * b.step);
    }
    const Ptr table = b_.ptr();
    b_.ptr_set(table, b_.table(steps));
    b_.loop(count, {bump(table, 8 * static_cast<int64_t>(by.size()))}, [&] {
      body();
      for (size_t k = 0; k < by.size(); ++k) b_.ptr_index(by[k].ptr, behind(table, static_cast<int64_t>(8 * k)));
    });
  }

  // ---- stages ----

  void build_image() {
    b_.note("the image with its padding");
    pad_image();
    b_.ptr_set(image_, scratch(0));
    std::vector<Bump> row = scaled(outputs_, spec_.ow);
    row.push_back(bump(image_, at_.row));
    const int step = at_.rows * kWinogradTile;
    walk(at_.regions, step, at_.regions > 1 ? spec_.oh - step : 0, row, [&] {
      transform_inputs();
      int channels = 0;
      int64_t weights = 0;
      for (const OcBlock& block : schedule_.blocks) {
        if (schedule_.blocks.size() > 1 || block.count > 1)
          b_.note(fmt::format("output channels {}..{} of {}, {} a block", block.oc,
                              std::min(spec_.oc, block.oc + block.count * block.channels) - 1, spec_.oc,
                              block.channels));
        b_.loop(block.count, of_channels(block.channels), [&] {
          multiply(block);
          transform_sums(block);
        });
        channels += block.count * block.channels;
        weights += block.count * kWinogradPoints * point_bytes(block);
      }
      move(of_channels(channels), -1);
      b_.ptr_add(OCTET_WEIGHTS, -weights);
    });
  }

  // What so many output channels are to the pointers of the last stage.
  std::vector<Bump> of_channels(int64_t n) const {
    std::vector<Bump> by = {bump(OCTET_BIAS, 4 * n), bump(OCTET_SCALE, 4 * n * scale_words(spec_.requant))};
    for (const Bump& out : outputs_) by.push_back(bump(out.ptr, n));
    return by;
  }

  // To the beginning of the scratch. Whole vectors: what one writes too much, the next one replaces.
  void pad_image() {
    const Window& pad = spec_.window;
    const Ptr from = b_.ptr(), to = b_.ptr();
    b_.ptr_set(from, {OCTET_SRC, 0});
    b_.ptr_set(to, scratch(0));
    const int w = target_.vector_bytes;
    const Reg zero = b_.load(w, Role::temp, b_.constant8(spec_.src_zero));
    const auto fill = [&](int64_t bytes) {
      const int64_t count = (bytes + w - 1) / w;
      b_.loop(count, {bump(to, w)}, [&] { b_.store(w, {to, 0}, zero); });
      if (count > 0) b_.ptr_add(to, bytes - count * w);
    };
    const auto copy = [&](int64_t bytes) {
      int narrow = w;
      while (narrow > 16 && narrow / 2 >= bytes) narrow /= 2;
      const int64_t count = (bytes + narrow - 1) / narrow, more = bytes - count * narrow;
      b_.loop(count, {bump(from, narrow), bump(to, narrow)}, [&] {
        b_.store(narrow, {to, 0}, b_.load(narrow, Role::act, {from, 0}));
      });
      move({bump(from, more), bump(to, more)}, 1);
    };
    fill(pad.pad_top * at_.row + int64_t{pad.pad_left} * at_.pixel);
    b_.loop(spec_.ih, {}, [&] {
      if (spec_.src_pitch == at_.pixel)
        copy(int64_t{spec_.iw} * at_.pixel);
      else
        b_.loop(spec_.iw, {bump(from, spec_.src_pitch - at_.pixel)}, [&] { copy(at_.pixel); });
      fill(int64_t{pad.pad_right + pad.pad_left} * at_.pixel);
    });
    fill(pad.pad_bottom * at_.row - int64_t{pad.pad_left} * at_.pixel);
  }

  void transform_inputs() {
    b_.note(fmt::format("inputs of {} tiles, transformed along columns and then along rows", at_.tiles()));
    const Ptr image = b_.ptr();
    b_.ptr_set(image, {image_, 0});
    b_.ptr_set(inputs_, scratch(at_.inputs));
    each_row({bump(image, at_.row)}, [&] {
      transform_columns(image);
      transform_rows();
      b_.ptr_add(inputs_, int64_t{at_.columns} * tile_);
    });
  }

  // body() for every row of tiles of a region; `by` are the pointers that move, per row of pixels.
  void each_row(const std::vector<Bump>& by, const std::function<void()>& body) {
    const int last = at_.regions > 1 ? (at_.rows - 1) * kWinogradTile : spec_.oh - kWinogradTile;
    walk(at_.rows, kWinogradTile, last, by, body);
  }

  // Whole rows at once: which pixel a byte belongs to does not matter.
  void transform_columns(Ptr image) {
    const int w = target_.vector_bytes;
    const Ptr from = b_.ptr(), to = b_.ptr();
    b_.ptr_set(from, {image, 0});
    b_.ptr_set(to, scratch(at_.lines));
    b_.loop((2 * at_.row + w - 1) / w, {bump(from, w / 2), bump(to, w)}, [&] {
      Line d{};
      for (size_t j = 0; j < d.size(); ++j) d[j] = b_.widen8_16(w, behind(from, static_cast<int64_t>(j) * at_.row));
      store_line(w, to, at_.line, input_line(w, d));
    });
  }

  void transform_rows() {
    const Ptr line = b_.ptr(), points = b_.ptr(), from = b_.ptr(), to = b_.ptr();
    b_.ptr_set(line, scratch(at_.lines));
    b_.ptr_set(points, {inputs_, 0});
    b_.loop(kWinogradInputs, {bump(line, at_.line), bump(points, kWinogradInputs * at_.input)}, [&] {
      b_.ptr_set(from, {line, 0});
      b_.ptr_set(to, {points, 0});
      walk(at_.columns, kWinogradTile, spec_.ow - kWinogradTile, {{from, tile_}}, [&] {
        for (int left = tile_, w = target_.vector_bytes; left > 0; left %= w) {
          while (w > left) w /= 2;
          b_.loop(left / w, {{from, w}, {to, w}}, [&] {
            Line d{};
            for (size_t j = 0; j < d.size(); ++j)
              d[j] = b_.load(w, Role::act, behind(from, static_cast<int64_t>(j) * tile_));
            store_line(w, to, at_.input, input_line(w, d));
          });
        }
        b_.ptr_add(from, -tile_);
      });
    });
  }

  void store_line(int w, Ptr to, int64_t step, const Line& values) {
    for (size_t j = 0; j < values.size(); ++j) b_.store(w, behind(to, static_cast<int64_t>(j) * step), values[j]);
  }

  int64_t point_bytes(const OcBlock& block) const { return int64_t{4} * block.channels * winograd_pairs(spec_); }

  // For each point [tile][ic] times [ic][oc of the block].
  void multiply(const OcBlock& block) {
    b_.note(fmt::format("{} products of {} tiles x {} input channels and these x {} output channels", kWinogradPoints,
                        at_.tiles(), spec_.ic, block.channels));
    b_.ptr_set(inputs_, scratch(at_.inputs));
    b_.ptr_set(sums_, scratch(at_.sums));
    const int groups = (at_.tiles() + block.pixels - 1) / block.pixels, wider = at_.tiles() % groups;
    const std::vector<Bump> next = {bump(inputs_, at_.input - int64_t{at_.tiles()} * tile_),
                                    bump(sums_, at_.sum - int64_t{4} * at_.tiles() * block.channels),
                                    bump(OCTET_WEIGHTS, point_bytes(block))};
    b_.loop(kWinogradPoints, next, [&] {
      multiply_tiles(block, at_.tiles() / groups + 1, wider);
      multiply_tiles(block, at_.tiles() / groups, groups - wider);
    });
  }

  // `count` times so many tiles.
  void multiply_tiles(const OcBlock& block, int tiles, int count) {
    const Ptr act = b_.ptr(), weights = b_.ptr();
    b_.loop(count, {bump(inputs_, int64_t{tiles} * tile_), bump(sums_, int64_t{4} * tiles * block.channels)}, [&] {
      b_.ptr_set(act, {inputs_, 0});
      b_.ptr_set(weights, {OCTET_WEIGHTS, 0});
      std::vector<std::vector<Reg>> acc(static_cast<size_t>(tiles));
      for (size_t i = 0; i < acc.size(); ++i)
        for (const VectorGroup& g : block.groups) {
          const Reg zero = b_.reg(Role::acc);
          if (i == 0)
            b_.load_into(g.bytes, zero, b_.constant32(0));
          else
            b_.copy(g.bytes, zero, acc[0][acc[i].size()]);
          acc[i].push_back(zero);
        }
      const int steps = winograd_pairs(spec_), unroll = schedule_.unroll, bytes = 4 * block.channels;
      const auto some = [&](int n) {
        for (int k = 0; k < n; ++k) add_products(block, acc, {act, 4 * k}, {weights, k * bytes});
      };
      b_.loop(steps / unroll, {{act, 4 * unroll}, {weights, unroll * bytes}}, [&] { some(unroll); });
      some(steps % unroll);
      for (size_t i = 0; i < acc.size(); ++i)
        for (size_t v = 0; v < block.groups.size(); ++v) {
          const int64_t at = int64_t{4} * (static_cast<int64_t>(i) * block.channels + block.groups[v].oc);
          b_.store(block.groups[v].bytes, behind(sums_, at), acc[i][v]);
        }
    });
  }

  // Two input channels of every tile. Weights stay in registers as far as they fit.
  void add_products(const OcBlock& block, const std::vector<std::vector<Reg>>& acc, Mem inputs, Mem weights) {
    const bool fused = target_.best_dot == DotForm::fused;
    int room = fused && acc.size() > 1 ? schedule_.registers - static_cast<int>(acc.size()) * block.vectors() - 1 : 0;
    std::vector<Builder::Operand> operands;
    for (const VectorGroup& g : block.groups) {
      const Mem at{weights.ptr, weights.offset + 4 * g.oc};
      operands.push_back(room-- > 0 ? Builder::Operand(b_.load(g.bytes, Role::weight, at)) : Builder::Operand(at));
    }
    for (const std::vector<Reg>& tile : acc) {
      const Reg x = b_.load_act(block.widest(), inputs, 4);
      inputs.offset += tile_;
      for (size_t v = 0; v < tile.size(); ++v) {
        const int w = block.groups[v].bytes;
        if (fused) {
          b_.dot2(w, tile[v], x, operands[v]);
          continue;
        }
        const Reg products = b_.reg(Role::temp);
        b_.op(Op::madd16, w, products, x, operands[v]);
        b_.op(Op::add32, w, tile[v], tile[v], products);
      }
    }
  }

  void transform_sums(const OcBlock& block) {
    b_.note("sums back to 4x4 pixels of a tile, and these to bytes");
    b_.ptr_set(sums_, scratch(at_.sums));
    each_row(scaled(outputs_, spec_.ow), [&] {
      walk(at_.columns, kWinogradTile, spec_.ow - kWinogradTile, outputs_, [&] {
        for (size_t v = 0; v < block.groups.size();) {
          const int w = block.groups[v].bytes;
          size_t n = 1;
          while (v + n < block.groups.size() && block.groups[v + n].bytes == w) ++n;
          std::vector<Bump> next = of_channels(w / 4);
          next.push_back({sums_, w});
          b_.loop(static_cast<int64_t>(n), next, [&] { build_outputs(w); });
          v += n;
        }
        move(of_channels(block.channels), -1);
      });
    });
  }

  // One vector of channels of a tile. Two rows share what they add up, where there are registers for both.
  void build_outputs(int w) {
    using Rows = std::vector<int>;
    for (const Rows& rows :
         schedule_.registers >= 24 ? std::vector<Rows>{{0, 2}, {1, 3}} : std::vector<Rows>{{0}, {1}, {2}, {3}}) {
      std::array<std::vector<Reg>, kWinogradInputs> columns;  // [column][row]
      for (size_t x = 0; x < columns.size(); ++x)
        columns[x] = sum_line(w, rows, [&](size_t y) {
          return Builder::Operand(behind(sums_, static_cast<int64_t>(kWinogradInputs * y + x) * at_.sum));
        });
      OutputTile out{.group = {1, w, 0}};
      for (size_t r = 0; r < rows.size(); ++r) {
        std::array<Reg, kWinogradTile> pixels{};
        for (const Rows& two : {Rows{0, 2}, Rows{1, 3}}) {
          const std::vector<Reg> line = sum_line(w, two, [&](size_t x) { return Builder::Operand(columns[x][r]); });
          for (size_t k = 0; k < two.size(); ++k) pixels[static_cast<size_t>(two[k])] = line[k];
        }
        for (int x = 0; x < kWinogradTile; ++x) {
          const Reg acc = pixels[static_cast<size_t>(x)];
          b_.op(Op::mul32, w, acc, acc, b_.constant32(static_cast<int32_t>(kInverseOf9)));
          b_.unary(Op::sra32, w, acc, acc, kWinogradShift[rows[r]] + kWinogradShift[x]);
          b_.op(Op::add32, w, acc, acc, Mem{OCTET_BIAS, 0});
          const int64_t pixel = int64_t{rows[r]} * spec_.ow + x;
          out.acc.push_back({acc});
          out.dst_offset.push_back(bump(OCTET_DST, pixel * spec_.dst_pitch).step);
          out.src2_offset.push_back(bump(OCTET_SRC2, pixel * spec_.src2_pitch).step);
        }
      }
      emit_epilogue(b_, epilogue_, out);
    }
  }

  // ---- the transforms along one axis (winograd.h) ----

  // B d.
  Line input_line(int w, const Line& d) {
    const auto add = [&](Reg x, Reg y) { return combined(Op::add16, w, x, y); };
    const auto sub = [&](Reg x, Reg y) { return combined(Op::sub16, w, x, y); };
    const auto times = [&](int shift, Reg x) { return shifted(Op::sll16, w, x, shift); };
    const Reg a = sub(d[4], times(2, d[2])), b = sub(d[3], times(2, d[1]));
    const Reg c = sub(d[4], d[2]), e = sub(d[3], d[1]);
    const Reg first = add(times(2, sub(d[0], d[2])), c), last = sub(sub(d[5], d[3]), times(2, e));
    const Reg twice = add(e, e);
    return {first, add(a, b), sub(a, b), add(c, twice), sub(c, twice), last};
  }

  // The outputs `which` of A m, all even or all odd; m(i) is a register or in memory.
  template <class Sums>
  std::vector<Reg> sum_line(int w, const std::vector<int>& which, Sums m) {
    const Op op = which[0] % 2 == 0 ? Op::add32 : Op::sub32;
    const auto joined = [&](size_t i) {
      const Builder::Operand x = m(i);
      return combined(op, w, x.reg == kNone ? b_.load(w, Role::temp, x.mem) : x.reg, m(i + 1));
    };
    const Reg near = joined(1), far = joined(3);  // of the points 1 and -1, 2 and -2
    const auto times = [&](int shift, Reg x) { return shifted(Op::sll32, w, x, shift); };
    std::vector<Reg> out;
    for (const int i : which) {
      if (i == 0) out.push_back(combined(Op::sub32, w, combined(Op::add32, w, far, m(0)), times(2, near)));
      if (i == 1) out.push_back(combined(Op::sub32, w, far, times(1, near)));
      if (i == 2) out.push_back(combined(Op::sub32, w, far, near));
      if (i == 3) out.push_back(combined(Op::add32, w, combined(Op::sub32, w, times(1, far), near), m(5)));
    }
    return out;
  }

  Reg combined(Op op, int w, Reg x, Builder::Operand y) {
    const Reg d = b_.reg(Role::temp);
    b_.op(op, w, d, x, y);
    return d;
  }
  Reg shifted(Op op, int w, Reg x, int shift) {
    const Reg d = b_.reg(Role::temp);
    b_.unary(op, w, d, x, shift);
    return d;
  }

  const ConvSpec spec_;
  const ConvSchedule& schedule_;
  const Target& target_;
  const WinogradLayout at_;
  Builder b_;
  Epilogue epilogue_;
  std::vector<Bump> outputs_;  // what is as large as the result: bytes of a pixel
  int tile_ = 0;               // bytes of a tile's inputs at one point
  Ptr image_, inputs_, sums_;  // where the region's rows begin; in its transformed inputs; in its sums
};

}  // namespace

Program build_winograd(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target, std::string name) {
  return WinogradBuilder(spec, schedule, target, std::move(name)).run();
}

}  // namespace octet
