#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "generator/kernel/requant.h"
#include "generator/program/build.h"
#include "generator/program/elementwise.h"
#include "generator/program/fixed_code.h"

namespace octet {
namespace {

constexpr int kMostTaps = 25;  // windows are spelled out tap by tap; larger ones are left to the plain loop

// Consecutive outputs along one axis whose windows have the same taps inside the image.
struct Run {
  int first, count;  // outputs
  int begin, end;    // taps
};

std::vector<Run> runs(int outputs, int in, int kernel, int stride, int dilation, int pad) {
  const auto taps_before = [dilation](int start, int limit) {
    return start >= limit ? 0 : (limit - start + dilation - 1) / dilation;
  };
  std::vector<Run> out;
  for (int o = 0; o < outputs; ++o) {
    const int start = o * stride - pad;
    const int end = std::min(kernel, taps_before(start, in)), begin = std::min(taps_before(start, 0), end);
    if (!out.empty() && out.back().begin == begin && out.back().end == end)
      ++out.back().count;
    else
      out.push_back({o, 1, begin, end});
  }
  return out;
}

// The taps of an output that lie inside the image, from the first of them on.
struct WindowTaps {
  int rows = 0, columns = 0;
  int32_t row_step = 0, column_step = 0;  // bytes
  int divisor = 1;
};

// The same channels by one piece at a time: a fourth of the code, for the few outputs at the image's border.
std::vector<Tile> by_pieces(std::vector<Tile> row) {
  for (Tile& t : row) t.count *= std::exchange(t.pieces, 1);
  return row;
}

// From an integer sum to the rounded mean.
class MeanEnd {
 public:
  // count: what the sum is divided by; added: how many bytes it holds.
  MeanEnd(Builder& b, const MeanFormula& f, int count, int added) : b_(b), f_(f), count_(count) {
    m_ = f.form == MeanForm::reciprocal ? 1.0f / static_cast<float>(count) : f.m;
    const double most = 255.0 * added * double(m_) + std::abs(double(f.z));
    wide_ = is_real() && !(most * (1 + 0x1p-22) < 2147483520.0);
  }

  BytePack pack() const {
    if (!packs_offset()) return {0, f_.lo, f_.hi};
    return wide_ ? BytePack{f_.offset_out, 0, 255} : BytePack{f_.offset_out, f_.lo, f_.hi};
  }

  Reg round(int w, Reg x) const {
    if (f_.form == MeanForm::integer) return divided(w, x);
    if (!is_real()) return fixed(w, x);
    b_.unary(Op::cvt_f32, w, x, x);
    b_.op(Op::mul_f32, w, x, x, b_.constant_f32(m_));
    if (f_.z != 0) b_.op(Op::add_f32, w, x, x, b_.constant_f32(f_.z));
    if (wide_) clamp_f32(b_, w, x, f_.lo - f_.offset_out, f_.hi - f_.offset_out);
    b_.unary(Op::cvt_i32, w, x, x);
    return x;
  }

 private:
  bool is_real() const { return f_.form == MeanForm::reciprocal || f_.form == MeanForm::scaled; }

  // Whether the offset fits the words that bytes are packed from.
  bool packs_offset() const { return f_.offset_out >= 0 && f_.offset_out <= 255; }

  Reg fixed(int w, Reg x) const {
    x = f_.form == MeanForm::fixed_up ? emit_scale_up(b_, w, x, f_.fixed) : emit_scale_away(b_, w, x, f_.fixed);
    if (!packs_offset()) b_.op(Op::add32, w, x, x, b_.constant32(f_.offset_out));
    return x;
  }

  // x / count, ties away from zero, as rne((4 x + sign(x)) / (4 count)): a quarter moves ties off the middle, and
  // nothing else over it, for all else lies at least 1 / (2 count) from one. The quotient is below 2^8, so binary32
  // tells such distances as long as count is at most 2^14 (kMostDivisor).
  Reg divided(int w, Reg x) const {
    const Reg sign = b_.reg(Role::temp);
    b_.op(Op::min_i32, w, sign, x, b_.constant32(1));
    b_.op(Op::max_i32, w, sign, sign, b_.constant32(-1));
    b_.unary(Op::sll32, w, x, x, 2);
    b_.op(Op::add32, w, x, x, sign);
    b_.unary(Op::cvt_f32, w, x, x);
    b_.op(Op::div_f32, w, x, x, b_.constant_f32(4.0f * static_cast<float>(count_)));
    b_.unary(Op::cvt_i32, w, x, x);
    return x;
  }

  Builder& b_;
  const MeanFormula& f_;
  int count_;
  float m_ = 1;
  bool wide_ = false;
};

// Whether MeanEnd can round sums of that many bytes.
bool has_mean_end(const MeanFormula& f, int64_t added) {
  constexpr int64_t kMostDivisor = 1 << 14;
  switch (f.form) {
    case MeanForm::fixed_away:
    case MeanForm::fixed_up: return fits_scale(255 * added, f.fixed);
    case MeanForm::integer: return added <= kMostDivisor;
    case MeanForm::reciprocal:
    case MeanForm::scaled: return true;
    default: return false;
  }
}

class PoolBuilder {
 public:
  PoolBuilder(const PoolSpec& spec, const Target& target, std::string name)
      : s_(spec), f_(spec.mean), target_(target), b_(std::move(name)) {}

  Program run() {
    if (s_.kind != PoolKind::whole)
      windows();
    else if (f_.form == MeanForm::vectors)
      mean();
    else
      integer_mean();
    return finished(b_, s_, target_);
  }

 private:
  int row_bytes() const { return s_.iw * s_.src_pitch; }

  void windows() {
    const Window& w = s_.window;
    const auto rows = runs(s_.oh, s_.ih, w.kh, w.stride_h, w.dilation_h, w.pad_top);
    const auto columns = runs(s_.ow, s_.iw, w.kw, w.stride_w, w.dilation_w, w.pad_left);
    src_ = b_.ptr(), dst_ = b_.ptr(), src_row_ = b_.ptr(), dst_row_ = b_.ptr(), tap_row_ = b_.ptr(), tap_ = b_.ptr(),
    at_ = b_.ptr();
    const int image = s_.ih * row_bytes(), out_image = s_.oh * s_.ow * s_.dst_pitch;
    b_.loop(s_.n, {{OCTET_SRC, image}, {OCTET_DST, out_image}}, [&] {
      for (const Run& r : rows) {
        const int top = r.first * w.stride_h - w.pad_top + r.begin * w.dilation_h;
        b_.ptr_set(src_row_, {OCTET_SRC, r.begin < r.end ? top * row_bytes() : 0});
        b_.ptr_set(dst_row_, {OCTET_DST, r.first * s_.ow * s_.dst_pitch});
        b_.loop(r.count, {{src_row_, w.stride_h * row_bytes()}, {dst_row_, s_.ow * s_.dst_pitch}}, [&] {
          for (const Run& c : columns) columns_of(r, c);
        });
      }
    });
  }

  void columns_of(const Run& r, const Run& c) {
    const Window& w = s_.window;
    const int left = c.first * w.stride_w - w.pad_left + c.begin * w.dilation_w;
    b_.ptr_set(src_, {src_row_, c.begin < c.end ? left * s_.src_pitch : 0});
    b_.ptr_set(dst_, {dst_row_, c.first * s_.dst_pitch});
    WindowTaps taps = {r.end - r.begin, c.end - c.begin, w.dilation_h * row_bytes(), w.dilation_w * s_.src_pitch};
    const int inside = taps.rows * taps.columns, all = w.kh * w.kw;
    taps.divisor = s_.count_include_pad ? all : std::max(1, inside);
    const std::vector<Walk> walks = {{src_, w.stride_w * s_.src_pitch}, {dst_, s_.dst_pitch}};
    const bool max = s_.kind == PoolKind::max;
    std::vector<Tile> row =
        max ? byte_tiles(s_.channels, target_.vector_bytes) : tiles(s_.channels, target_.vector_bytes);
    if (!max && inside < all) row = by_pieces(row);
    for_each_tile(b_, c.count, row, walks, [&](const Tile& t, const std::vector<Ptr>& p) {
      if (max)
        max_tile(t, taps, p[0], p[1]);
      else if (f_.form == MeanForm::sequential)
        average_tile(t, taps, p[0], p[1]);
      else
        integer_tile(t, taps, p[0], p[1]);
    });
  }

  void max_tile(const Tile& t, const WindowTaps& taps, Ptr src, Ptr dst) {
    const int w = t.bytes;
    Reg best = kNone;
    for (int tap = 0; tap < taps.rows * taps.columns; ++tap) {
      const Mem at = {src, t.at + tap / taps.columns * taps.row_step + tap % taps.columns * taps.column_step};
      if (best == kNone)
        best = b_.load(w, Role::acc, at);
      else
        b_.op(Op::max_u8, w, best, best, at);
    }
    if (best == kNone)
      best = b_.load(w, Role::acc, b_.constant8(f_.lo));
    else if (f_.lo > 0)
      b_.op(Op::max_u8, w, best, best, b_.constant8(f_.lo));
    if (f_.hi < 255) b_.op(Op::min_u8, w, best, best, b_.constant8(f_.hi));
    store_bytes(b_, t, dst, best);
  }

  // body(tap's pointer) for every tap, row by row.
  template <class Body>
  void for_each_tap(const WindowTaps& taps, Ptr src, Body body) {
    b_.ptr_set(tap_row_, {src, 0});
    b_.loop(taps.columns > 0 ? taps.rows : 0, {{tap_row_, taps.row_step}}, [&] {
      b_.ptr_set(tap_, {tap_row_, 0});
      b_.loop(taps.columns, {{tap_, taps.column_step}}, [&] { body(tap_); });
    });
  }

  // The sum of dequantized values from left to right, then mean, scale, zero point, all in float.
  void average_tile(const Tile& t, const WindowTaps& taps, Ptr src, Ptr dst) {
    const int w = t.bytes, offset = f_.offset_out;
    std::vector<Reg> sums;
    for (int piece = 0; piece < t.pieces; ++piece) sums.push_back(b_.load(w, Role::acc, b_.constant_f32(0)));
    for_each_tap(taps, src, [&](Ptr tap) {
      for (int piece = 0; piece < t.pieces; ++piece) {
        const Reg d = load_floats(b_, w, {tap, t.piece_at(piece)}, f_.src.zero());
        b_.op(Op::mul_f32, w, d, d, b_.constant_f32(f_.src.scale));
        const Reg sum = sums[static_cast<size_t>(piece)];
        b_.op(Op::add_f32, w, sum, sum, d);
      }
    });
    store_tile(b_, t, {offset, 0, 255}, dst, [&](int piece) {
      const Reg sum = sums[static_cast<size_t>(piece)];
      b_.op(Op::div_f32, w, sum, sum, b_.constant_f32(static_cast<float>(taps.divisor)));
      b_.op(Op::div_f32, w, sum, sum, b_.constant_f32(f_.dst.scale));
      b_.op(Op::add_f32, w, sum, sum, b_.constant_f32(static_cast<float>(f_.dst.zero_point)));
      clamp_f32(b_, w, sum, f_.lo - offset, f_.hi - offset);
      b_.unary(Op::cvt_i32, w, sum, sum);
      return sum;
    });
  }

  void integer_tile(const Tile& t, const WindowTaps& taps, Ptr src, Ptr dst) {
    const int inside = taps.rows * taps.columns;
    const std::vector<Reg> sums = zero_sums(t, inside);
    for_each_tap(taps, src, [&](Ptr tap) {
      b_.ptr_set(at_, {tap, t.at});
      add_pixel(t.bytes, sums, at_);
    });
    const MeanEnd end(b_, f_, taps.divisor, inside);
    store_tile(b_, t, end.pack(), dst, [&](int piece) { return end.round(t.bytes, sums[static_cast<size_t>(piece)]); });
  }

  // Sums of `pixels` bytes start with what their zeros take away.
  std::vector<Reg> zero_sums(const Tile& t, int pixels) {
    std::vector<Reg> sums;
    for (int piece = 0; piece < t.pieces; ++piece)
      sums.push_back(b_.load(t.bytes, Role::acc, b_.constant32(-pixels * f_.sum_zero)));
    return sums;
  }

  // Integer sums while the pixels pass.
  void integer_mean() {
    const int pixels = s_.ih * s_.iw;
    const std::vector<Walk> walks = {{OCTET_SRC, int64_t{pixels} * s_.src_pitch}, {OCTET_DST, s_.dst_pitch}};
    const Ptr at = b_.ptr();
    const MeanEnd end(b_, f_, pixels, pixels);
    for_each_tile(
        b_, s_.n, tiles(s_.channels, target_.vector_bytes), walks, [&](const Tile& t, const std::vector<Ptr>& p) {
          const int w = t.bytes;
          const std::vector<Reg> sums = zero_sums(t, pixels);
          b_.ptr_set(at, {p[0], t.at});
          const auto finish = [&](int piece) { return end.round(w, sums[static_cast<size_t>(piece)]); };
          if (t.pieces < 4) {
            b_.loop(pixels, {{at, s_.src_pitch}}, [&] { add_pixel(w, sums, at); });
            return store_tile(b_, t, end.pack(), p[1], finish);
          }
          add_pairs(w, sums, at, pixels);
          const OutputTile out{.group = {.vectors = 4, .bytes = w}, .acc = {sums}, .dst = p[1], .dst_offset = {t.at}};
          emit_bytes(b_, end.pack(), out, [&](int, int vector, Reg) { return finish(vector); });
        });
  }

  void add_pixel(int w, const std::vector<Reg>& sums, Ptr at) {
    for (size_t piece = 0; piece < sums.size(); ++piece)
      b_.op(Op::add32, w, sums[piece], sums[piece], b_.widen8_32(w, {at, static_cast<int>(piece) * w / 4}));
  }

  // w channels, two pixels at a time: in words as long as nothing can saturate, then into `sums` in the order of a
  // VectorGroup of four.
  void add_pairs(int w, const std::vector<Reg>& sums, Ptr at, int pixels) {
    constexpr int kPairs = 32767 / 510;
    const Mem zero = b_.constant32(0);
    const auto add = [&](Reg low, Reg high, Builder::Operand second) {
      const Reg first = b_.load(w, Role::temp, {at, 0}), upper = b_.reg(Role::temp);
      b_.op(Op::zip_hi8, w, upper, first, second);
      b_.op(Op::zip_lo8, w, first, first, second);
      for (const auto& [sum, pairs] : {std::pair(low, first), std::pair(high, upper)}) {
        b_.op(Op::maddubs, w, pairs, pairs, b_.constant8(1));
        b_.op(Op::adds16, w, sum, sum, pairs);
      }
    };
    const auto chunk = [&](int pairs, bool single) {
      const Reg low = b_.load(w, Role::acc, zero), high = b_.load(w, Role::acc, zero);
      b_.loop(pairs, {{at, 2 * s_.src_pitch}}, [&] { add(low, high, Mem{at, s_.src_pitch}); });
      if (single) add(low, high, zero);
      const Reg lanes = b_.reg(Role::temp);
      for (int vector = 0; vector < 4; ++vector) {
        b_.op(vector % 2 ? Op::zip_hi16 : Op::zip_lo16, w, lanes, vector < 2 ? low : high, zero);
        const Reg sum = sums[static_cast<size_t>(vector)];
        b_.op(Op::add32, w, sum, sum, lanes);
      }
    };
    const int full = pixels / 2 / kPairs, rest = pixels - full * 2 * kPairs;
    b_.loop(full, {}, [&] { chunk(kPairs, false); });
    if (rest > 0) chunk(rest / 2, rest % 2 != 0);
  }

  // mean_bytes of requant.h with a channel in each lane. Where a channel's vectors begin depends on the channel modulo
  // 4, but not which of its pixels are added together: pixel p joins partial sum p modulo 8, or 4 for an odd vector at
  // the end, in all lanes for which it lies in the vectors; those before and behind come after, one by one.
  void mean() {
    const int pixels = s_.ih * s_.iw, zero = f_.dst.zero();
    std::array<Span, 4> spans;
    for (int r = 0; r < 4; ++r) spans[static_cast<size_t>(r)] = Span(pixels, r);
    const std::vector<Walk> walks = {{OCTET_SRC, int64_t{pixels} * s_.src_pitch}, {OCTET_DST, s_.dst_pitch}};
    const Ptr at = b_.ptr();
    for_each_tile(b_, s_.n, by_pieces(tiles(s_.channels, target_.vector_bytes)), walks,
                  [&](const Tile& t, const std::vector<Ptr>& p) {
                    b_.ptr_set(at, {p[0], t.at});
                    const Reg sum = mean_sum(spans, pixels, t.bytes, at);
                    store_tile(b_, t, {zero, 0, 255}, p[1], [&](int) {
                      const int w = t.bytes;
                      b_.op(Op::div_f32, w, sum, sum, b_.constant_f32(static_cast<float>(pixels)));
                      b_.op(Op::div_f32, w, sum, sum, b_.constant_f32(f_.dst.scale));
                      clamp_f32(b_, w, sum, f_.lo - zero, f_.hi - zero);
                      b_.unary(Op::cvt_i32, w, sum, sum);
                      return sum;
                    });
                  });
  }

  // The pixels [begin, paired) of a channel come in pairs of vectors, [paired, end) in one that is left.
  struct Span {
    int begin = 0, paired = 0, end = 0;
    Span() = default;
    Span(int pixels, int channel) {
      const auto start = static_cast<int>(int64_t{channel} * pixels % 4);
      begin = (4 - start) % 4;
      const int vectors = (pixels - begin) / 4;
      paired = begin + vectors / 2 * 8;
      end = begin + vectors * 4;
    }
  };

  Reg mean_sum(const std::array<Span, 4>& spans, int pixels, int w, Ptr at) {
    std::vector<Reg> sums;
    for (int k = 0; k < 8; ++k) sums.push_back(b_.load(w, Role::acc, b_.constant_f32(0)));
    // Adds pixel p, `ahead` pixels from the pointer, in the lanes whose span `has` it.
    const auto add = [&](Reg sum, int p, int ahead, auto has) {
      std::array<int32_t, 4> mask{};
      for (size_t r = 0; r < 4; ++r) mask[r] = has(spans[r], p) ? -1 : 0;
      const auto lanes = std::count(mask.begin(), mask.end(), -1);
      if (lanes == 0) return;
      const Reg x = load_floats(b_, w, {at, ahead * s_.src_pitch}, f_.src.zero());
      b_.op(Op::mul_f32, w, x, x, b_.constant_f32(f_.src.scale));
      if (lanes < 4) b_.op(Op::and_, w, x, x, b_.constant_block(mask));
      b_.op(Op::add_f32, w, sum, sum, x);
    };
    const auto paired = [](const Span& s, int p) { return p >= s.begin && p < s.paired; };
    const auto add_paired = [&](int p, int ahead) { add(sums[static_cast<size_t>(p % 8)], p, ahead, paired); };
    int all = pixels;  // every lane has the pixels [8, all)
    for (const Span& s : spans) all = std::min(all, s.paired / 8 * 8);
    for (int p = 0; p < 8; ++p) add_paired(p, p);
    const int loops = (all - 8) / 8;
    b_.ptr_add(at, 8 * s_.src_pitch);
    b_.loop(loops, {{at, 8 * s_.src_pitch}}, [&] {
      for (int p = 8; p < 16; ++p) add_paired(p, p - 8);
    });
    for (int p = all; p < pixels; ++p) add_paired(p, p - all);
    for (size_t k = 0; k < 4; ++k) b_.op(Op::add_f32, w, sums[k], sums[k], sums[k + 4]);
    for (int p = all; p < pixels; ++p)
      add(sums[static_cast<size_t>(p % 4)], p, p - all,
          [](const Span& s, int q) { return q >= s.paired && q < s.end; });
    b_.op(Op::add_f32, w, sums[0], sums[0], sums[2]);
    b_.op(Op::add_f32, w, sums[1], sums[1], sums[3]);
    b_.op(Op::add_f32, w, sums[0], sums[0], sums[1]);
    for (int p = 0; p < 3; ++p) add(sums[0], p, p - all, [](const Span& s, int q) { return q < s.begin; });
    for (int p = all; p < pixels; ++p) add(sums[0], p, p - all, [](const Span& s, int q) { return q >= s.end; });
    return sums[0];
  }

  const PoolSpec& s_;
  const MeanFormula& f_;
  const Target& target_;
  Builder b_;
  Ptr src_ = kNone, dst_ = kNone, src_row_ = kNone, dst_row_ = kNone, tap_row_ = kNone, tap_ = kNone, at_ = kNone;
};

}  // namespace

std::optional<Program> build_pool(const PoolSpec& s, const Target& target, std::string name) {
  const int64_t pixels = int64_t{s.ih} * s.iw;
  if (s.kind != PoolKind::whole) {
    if (s.window.kh * s.window.kw > kMostTaps) return std::nullopt;
  } else if (s.mean.form == MeanForm::vectors) {
    // Two vectors at least in every channel, and the same order in every image.
    if (pixels < 11 || (s.n > 1 && pixels * s.channels % 4 != 0)) return std::nullopt;
  } else if (!has_mean_end(s.mean, pixels)) {
    return std::nullopt;
  }
  return PoolBuilder(s, target, std::move(name)).run();
}

std::optional<Program> build_program(const KernelSpec& spec, const Target& target, std::string name) {
  if (const auto* s = std::get_if<AddSpec>(&spec)) return build_add(*s, target, std::move(name));
  if (const auto* s = std::get_if<MulSpec>(&spec)) return build_mul(*s, target, std::move(name));
  if (const auto* s = std::get_if<PairSpec>(&spec)) return build_pair(*s, target, std::move(name));
  if (const auto* s = std::get_if<PoolSpec>(&spec)) return build_pool(*s, target, std::move(name));
  if (const auto* s = std::get_if<LutSpec>(&spec)) return build_lut(*s, target, std::move(name));
  if (const auto* s = std::get_if<InterleaveSpec>(&spec)) return build_interleave(*s, target, std::move(name));
  if (const auto* s = std::get_if<AffineSpec>(&spec)) return build_affine(*s, target, std::move(name));
  if (const auto* s = std::get_if<QuantizeSpec>(&spec)) return build_quantize(*s, target, std::move(name));
  if (const auto* s = std::get_if<EdgeSpec>(&spec)) return build_edge(*s, target, std::move(name));
  return std::nullopt;
}

}  // namespace octet
