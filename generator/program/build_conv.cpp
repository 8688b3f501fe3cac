#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "generator/program/build.h"
#include "generator/program/dot.h"
#include "generator/program/epilogue.h"
#include "generator/schedule/edges.h"
#include "generator/schedule/pack.h"
#include "generator/schedule/scales.h"
#include "runtime/status.h"

namespace octet {
namespace {

// Consecutive output rows of one class; sets of equally long runs with equally many taps share one body.
struct RowRun {
  int first = 0, rows = 0;
  Taps taps;
  int row_class = 0;
};
struct RowSet {
  RowRun run;  // the first
  int runs = 1;
  int row_step = 0, tap_step = 0, class_step = 0;  // from run to run
};

std::vector<RowSet> row_sets(const PixelClasses& classes) {
  std::vector<RowRun> runs;
  for (int y = 0; y < classes.rows.count; ++y) {
    const int at = classes.rows.at(y);
    if (!runs.empty() && runs.back().row_class == at)
      ++runs.back().rows;
    else
      runs.push_back({y, 1, classes.rows.classes[static_cast<size_t>(at)], at});
  }
  std::vector<RowSet> sets;
  for (const RowRun& r : runs) {
    const auto joins = [&r](const RowSet& s) {
      const int row = r.first - s.run.first, tap = r.taps.begin - s.run.taps.begin, cls = r.row_class - s.run.row_class;
      return s.run.rows == r.rows && s.run.taps.count() == r.taps.count() &&
             (s.runs == 1 ||
              (row == s.runs * s.row_step && tap == s.runs * s.tap_step && cls == s.runs * s.class_step));
    };
    const auto at = std::find_if(sets.begin(), sets.end(), joins);
    if (at == sets.end()) {
      sets.push_back({.run = r});
      continue;
    }
    if (at->runs == 1) {
      at->row_step = r.first - at->run.first;
      at->tap_step = r.taps.begin - at->run.taps.begin;
      at->class_step = r.row_class - at->run.row_class;
    }
    ++at->runs;
  }
  return sets;
}

// Neighbouring taps of a kernel row that the same pixels [lo, hi) of a tile have.
struct TapRun {
  Taps taps;
  int lo = 0, hi = 0;
};

// Equal tiles in a row.
struct TileRun {
  int x = 0, pixels = 0, count = 1;
};

// How far the kernel's own pointers move; `pixels` and `channels` are those of dst and src2.
struct Move {
  int64_t src = 0, weights = 0, bias = 0, scale = 0, pixels = 0, channels = 0;
  Move operator+(const Move& o) const {
    return {src + o.src, weights + o.weights, bias + o.bias, scale + o.scale, pixels + o.pixels, channels + o.channels};
  }
  Move operator-(const Move& o) const { return *this + o * -1; }
  Move operator*(int64_t n) const { return {src * n, weights * n, bias * n, scale * n, pixels * n, channels * n}; }
};

class ConvBuilder {
 public:
  ConvBuilder(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target, std::string name)
      : spec_(flattened(spec)),
        window_(spec_.window),
        schedule_(schedule),
        target_(target),
        classes_(pixel_classes(spec_, schedule.dot)),
        row_sets_(row_sets(classes_)),
        b_(std::move(name)) {
    ic_ = spec_.ic / spec_.groups;
    oc_ = spec_.oc / spec_.groups;
    steps_ = step_count(ic_, schedule.dot);
    act_ = b_.ptr();
    weight_ = b_.ptr();
    if (schedule_.dot == DotForm::matched) chunk_ = b_.ptr(), staged_ = b_.ptr();
    epilogue_ = {spec_.requant, spec_.residual, spec_.residual_is_first, spec_.add, schedule_.registers, spec_.flips};
    check();
  }

  Program run() {
    b_.loop(spec_.groups, bumps({.src = ic_}), [&] {
      for (const OcBlock& block : schedule_.blocks) build_block(block);
    });
    Program p = b_.finish();
    p.heading = heading();
    return p;
  }

 private:
  void check() const {
    const auto fail = [](const std::string& why) { internal_error("build_conv: " + why); };
    if (spec_.groups > 1 && (ic_ % 4 || oc_ % 4)) fail("channels of a group are no multiple of 4");
    if (spec_.src_pitch < (spec_.groups > 1 ? round_up(spec_.ic, 4) : spec_.ic)) fail("source pixels overlap");
    if (spec_.flips.src && schedule_.dot != DotForm::flipped) fail("only a flipped dot reads flipped activations");
    for (const OcBlock& block : schedule_.blocks) {
      const int resident = target_.act_groups == 1 ? 1 : block.pixels + 1;  // a matrix has an even tile's activations
      const int need = block.pixels * block.vectors() + resident + DotEmitter::extra_registers(schedule_.dot);
      if (need > schedule_.registers)
        fail(fmt::format("a tile of {} pixels x {} vectors needs {} registers, the budget is {}", block.pixels,
                         block.vectors(), need, schedule_.registers));
    }
  }

  std::vector<std::string> heading() const {
    return {to_string(KernelSpec(spec_)), "schedule: " + to_string(schedule_), schedule_.reason};
  }

  int64_t src_row() const { return static_cast<int64_t>(spec_.iw) * spec_.src_pitch; }
  int64_t tap_bytes() const { return octet::tap_bytes(*block_, schedule_, steps_); }
  int64_t image_pixels() const { return static_cast<int64_t>(spec_.oh) * spec_.ow; }

  static Bump bump(Ptr p, int64_t step) {
    if (step != static_cast<int32_t>(step)) internal_error("build_conv: pointer step beyond 2^31");
    return {p, static_cast<int32_t>(step)};
  }
  std::vector<Bump> bumps(const Move& m) const {
    std::vector<Bump> all;
    const auto put = [&all](Ptr p, int64_t step) {
      if (step) all.push_back(bump(p, step));
    };
    put(OCTET_SRC, m.src);
    put(OCTET_WEIGHTS, m.weights);
    put(OCTET_BIAS, m.bias);
    put(OCTET_SCALE, m.scale);
    put(OCTET_DST, m.pixels * spec_.dst_pitch + m.channels);
    if (spec_.residual) put(OCTET_SRC2, m.pixels * spec_.src2_pitch + m.channels);
    return all;
  }
  void move(const Move& m) {
    for (const Bump& s : bumps(m)) b_.ptr_add(s.ptr, s.step);
  }

  // All output pixels for the block's channels. Leaves the outputs at the next channels, data behind the block's.
  void build_block(const OcBlock& block) {
    block_ = &block;
    step_ = step_bytes(block, schedule_.dot);  // no meaning where the dot is matched
    if (schedule_.blocks.size() > 1 || block.count > 1)
      b_.note(fmt::format("output channels {}..{} of {}, {} a block", block.oc,
                          std::min(oc_, block.oc + block.count * block.channels) - 1, oc_, block.channels));
    const Move image{.src = spec_.ih * src_row(), .pixels = image_pixels()};
    const Move next{.weights = spec_.weight_terms * int64_t{window_.kh} * window_.kw * tap_bytes(),
                    .bias = int64_t{4} * block.channels * classes_.biases,
                    .scale = int64_t{4} * block.channels * scale_words(spec_.requant),
                    .channels = block.channels};
    b_.loop(block.count, bumps(next - image * spec_.n), [&] { b_.loop(spec_.n, {}, [&] { build_image(image); }); });
  }

  // Leaves src and the outputs behind the image.
  void build_image(const Move& image) {
    Move here;
    for (const RowSet& set : row_sets_) {
      const Move first = start_of(set, 0), step = start_of(set, 1) - first;
      const Move run{.src = set.run.rows * window_.stride_h * src_row(), .pixels = int64_t{set.run.rows} * spec_.ow};
      taps_ = set.run.taps.count();
      if (row_sets_.size() > 1) b_.note(row_note(set));
      move(first - here);
      b_.loop(set.runs, bumps(step - run), [&] {
        const int64_t row_end = int64_t{spec_.ow} * window_.stride_w * spec_.src_pitch;
        b_.loop(set.run.rows, bumps({.src = window_.stride_h * src_row() - row_end}), [&] { build_row(); });
      });
      here = first + step * set.runs;
    }
    move(image - here);
  }

  std::string row_note(const RowSet& set) const {
    std::string rows;
    for (int i = 0; i < std::min(set.runs, 4); ++i) {
      const int y = set.run.first + i * set.row_step;
      rows += fmt::format("{}{}", i ? ", " : "", y);
      if (set.run.rows > 1) rows += fmt::format("..{}", y + set.run.rows - 1);
    }
    return fmt::format("rows {}{}: {} of {} kernel rows", rows, set.runs > 4 ? ", ..." : "", taps_, window_.kh);
  }

  // Where run i of a set starts, relative to the image: its first existing tap of its first row.
  Move start_of(const RowSet& set, int64_t i) const {
    const int64_t y = set.run.first + i * set.row_step, tap = set.run.taps.begin + i * set.tap_step;
    return {.src = (y * window_.stride_h - window_.pad_top + tap * window_.dilation_h) * src_row(),
            .weights = tap * window_.kw * tap_bytes(),
            .bias = (set.run.row_class + i * set.class_step) * classes_.row_step() * 4 * block_->channels,
            .pixels = y * spec_.ow};
  }

  void build_row() {
    const std::vector<TileRun> runs = tile_runs();
    for (const TileRun& run : runs) {
      const Move tile{.src = int64_t{run.pixels} * window_.stride_w * spec_.src_pitch, .pixels = run.pixels};
      if (runs.size() > 1)
        b_.note(fmt::format("pixels {}..{} of {}{}", run.x, run.x + run.pixels * run.count - 1, spec_.ow,
                            run.count > 1 ? fmt::format(", {} at a time", run.pixels) : ""));
      b_.loop(run.count, bumps(tile), [&] { build_tile(run); });
    }
  }

  // Tiles of nearly equal width; neighbours of equal classes become one loop.
  std::vector<TileRun> tile_runs() const {
    const int tiles = (spec_.ow + block_->pixels - 1) / block_->pixels;
    const int step = pixel_step(schedule_.dot), row = (spec_.ow + step - 1) / step;
    const AxisClasses& columns = classes_.columns;
    const auto alike = [&columns](int a, int b, int n) {
      const auto first = columns.of.begin();
      return columns.of.empty() || std::equal(first + a, first + a + n, first + b);
    };
    std::vector<TileRun> runs;
    for (int k = 0, x = 0; k < tiles; ++k) {
      const int n = std::min(step * (row / tiles + (k < row % tiles)), spec_.ow - x);
      if (!runs.empty() && runs.back().pixels == n && alike(x, runs.back().x, n))
        ++runs.back().count;
      else
        runs.push_back({x, n, 1});
      x += n;
    }
    return runs;
  }

  Taps column_taps(int x) const { return classes_.columns.classes[static_cast<size_t>(classes_.columns.at(x))]; }

  std::vector<TapRun> tap_runs(const TileRun& tile) const {
    std::vector<TapRun> runs;
    for (int kw = 0; kw < window_.kw; ++kw) {
      const auto has = [&](int i) {
        const Taps t = column_taps(tile.x + i);
        return kw >= t.begin && kw < t.end;
      };
      int lo = 0, hi = tile.pixels;
      while (lo < hi && !has(lo)) ++lo;
      while (hi > lo && !has(hi - 1)) --hi;
      if (lo == hi) continue;
      const bool joins = !runs.empty() && runs.back().taps.end == kw && runs.back().lo == lo && runs.back().hi == hi;
      if (joins)
        ++runs.back().taps.end;
      else
        runs.push_back({{kw, kw + 1}, lo, hi});
    }
    return runs;
  }

  void build_tile(const TileRun& tile) {
    DotEmitter dot(b_, schedule_.dot, block_->widest(), spec_.flips.src);
    start_accumulators(tile);
    const std::vector<TapRun> runs = tap_runs(tile);
    if (taps_ > 0 && !runs.empty()) {
      dot.begin();
      dot_ = &dot;
      if (schedule_.dot == DotForm::matrix) cross_pixels();
      b_.ptr_set(weight_, {OCTET_WEIGHTS, static_cast<int32_t>(runs.front().taps.begin * tap_bytes())});
      // A second term lies behind all kernel rows of the first, of which `taps_` were read.
      b_.loop(spec_.weight_terms, {bump(weight_, (window_.kh - taps_) * window_.kw * tap_bytes())},
              [&] { build_taps(runs); });
      if (schedule_.dot == DotForm::matrix) cross_pixels();
    }
    store(tile);
  }

  // Biases: pixels of one class share the load.
  void start_accumulators(const TileRun& tile) {
    acc_.assign(static_cast<size_t>(tile.pixels), {});
    for (size_t i = 0; i < acc_.size(); ++i) {
      const auto class_of = [&](size_t p) {
        return classes_.columns.at(tile.x + static_cast<int>(p)) * classes_.column_step();
      };
      size_t same = 0;
      while (class_of(same) != class_of(i)) ++same;
      int32_t at = class_of(i) * 4 * block_->channels;
      for (const VectorGroup& g : block_->groups)
        for (int j = 0; j < g.vectors; ++j, at += g.bytes) {
          const Reg acc = b_.reg(Role::acc);
          if (same < i)
            b_.copy(g.bytes, acc, acc_[same][acc_[i].size()]);
          else
            b_.load_into(g.bytes, acc, {OCTET_BIAS, at});
          acc_[i].push_back(acc);
        }
    }
  }

  // Turns the vectors of two pixels, four channels each, into matrices of two pixels by two channels, and back. The
  // last pixel of an odd tile stands beside itself.
  void cross_pixels() {
    if (acc_.size() % 2) {
      acc_.push_back(acc_.back());
      for (Reg& r : acc_.back()) {
        const Reg same = r;
        b_.copy(16, r = b_.reg(Role::acc), same);
      }
    }
    for (size_t i = 0; i < acc_.size(); i += 2)
      for (size_t v = 0; v < acc_[i].size(); ++v) {
        Reg &x = acc_[i][v], &y = acc_[i + 1][v];
        const Reg low = b_.reg(Role::acc);
        b_.op(Op::zip_lo64, 16, low, x, y);
        b_.op(Op::zip_hi64, 16, y, x, y);
        x = low;
      }
  }

  // All taps of one weight term.
  void build_taps(const std::vector<TapRun>& runs) {
    const int64_t tap_src = int64_t{window_.dilation_w} * spec_.src_pitch;
    const int first = runs.front().taps.begin, span = runs.back().taps.end - first;
    b_.ptr_set(act_, {OCTET_SRC, static_cast<int32_t>(first * tap_src - int64_t{window_.pad_left} * spec_.src_pitch)});
    const std::vector<Bump> next_row{bump(act_, window_.dilation_h * src_row() - span * tap_src),
                                     bump(weight_, (window_.kw - span) * tap_bytes())};
    b_.loop(taps_, next_row, [&] {
      int kw = first;
      for (const TapRun& run : runs) {
        b_.ptr_add(act_, (run.taps.begin - kw) * tap_src);
        b_.ptr_add(weight_, (run.taps.begin - kw) * tap_bytes());
        kw = run.taps.end;
        if (schedule_.dot == DotForm::matched)
          b_.loop(run.taps.count(), {bump(act_, tap_src)}, [&] { build_matched_tap(run); });
        else if (tap_src == 4 * steps_)
          build_steps(run, run.taps.count() * steps_);  // the taps' channels are one row
        else
          b_.loop(run.taps.count(), {bump(act_, tap_src - 4 * steps_)}, [&] { build_steps(run, steps_); });
      }
    });
  }

  // One tap in the matched form, from act_: its activations to the scratch, permuted, then its k-steps from there.
  // Leaves the weights behind.
  void build_matched_tap(const TapRun& tap) {
    b_.ptr_set(staged_, {OCTET_SCRATCH, 0});
    b_.loop(schedule_.chunks(), {bump(weight_, sizeof(ChunkHeader)), bump(staged_, kChunkChannels)},
            [&] { permute_activations(tap); });
    b_.ptr_set(staged_, {OCTET_SCRATCH, 0});
    for (const ChunkRun& run : schedule_.runs) {
      DotEmitter dot(b_, run.form, block_->widest()), wide(b_, DotForm::widened, block_->widest());
      dot.begin();
      if (run.wide_steps > 0) wide.begin();
      // The smallest body that repeats: a chunk, or where all its k-steps are alike, one or two of them.
      const int steps = run.steps() * run.count, alike = run.form == DotForm::chained ? 2 : 1;
      const int body = run.wide_steps > 0 ? run.steps() : alike;
      const int body_bytes = run.wide_steps > 0 ? chunk_bytes(*block_, run) : body * step_bytes(*block_, run.form);
      b_.loop(steps / body, {bump(staged_, 4 * body), bump(weight_, body_bytes)},
              [&] { build_staged_steps(tap, run, body, dot, wide); });
      build_staged_steps(tap, run, steps % body, dot, wide);
      b_.ptr_add(staged_, 4 * (steps % body));
      b_.ptr_add(weight_, steps % body * step_bytes(*block_, run.form));
    }
  }

  // One chunk of every pixel to the scratch, in its header's order.
  void permute_activations(const TapRun& tap) {
    b_.ptr_set(chunk_, {act_, 0});
    b_.ptr_index(chunk_, {weight_, offsetof(ChunkHeader, channel)});
    const Reg order = b_.load(kChunkChannels, Role::temp, {weight_, offsetof(ChunkHeader, order)});
    for (int i = tap.lo; i < tap.hi; ++i) {
      const Reg x = b_.load(kChunkChannels, Role::act, source(chunk_, i, 0));
      b_.op(Op::shuffle8, kChunkChannels, x, x, order);
      b_.store(kChunkChannels, {staged_, i * schedule_.scratch_pitch()}, x);
    }
  }

  // `count` k-steps whose activations are in the scratch, from where the pointers are.
  void build_staged_steps(const TapRun& tap, const ChunkRun& run, int count, DotEmitter& dot, DotEmitter& wide) {
    const auto activation = [&](int pixel, int step) {
      return b_.load_act(block_->widest(), {staged_, pixel * schedule_.scratch_pitch() + 4 * step}, 4);
    };
    int32_t at_step = 0;
    for (int step = 0; step < count;) {
      const DotForm form = run.form_of(step);
      const int bytes = step_bytes(*block_, form);
      const bool two = form == DotForm::chained && step + 1 < count;
      dot_ = form == run.form ? &dot : &wide;
      for (int i = tap.lo; i < tap.hi; ++i) {
        const Reg act = activation(i, step), next = two ? activation(i, step + 1) : kNone;
        dot_->activation(act);
        each_vector(at_step, form, [&](int w, size_t v, Mem at) {
          const Reg acc = acc_[static_cast<size_t>(i)][v];
          if (two)
            dot_->dot_two(w, acc, act, next, at, {at.ptr, at.offset + bytes});
          else
            dot_->dot(w, acc, act, kNone, at, 0);
        });
      }
      step += two ? 2 : 1;
      at_step += two ? 2 * bytes : bytes;
    }
  }

  // `count` k-steps from where the pointers are; leaves them behind.
  void build_steps(const TapRun& run, int count) {
    const int chunk = target_.act_groups * schedule_.unroll;
    const auto some = [&](int steps) {
      for (int u = 0; u < steps; u += target_.act_groups) build_step(run, std::min(target_.act_groups, steps - u), u);
    };
    b_.loop(count / chunk, {bump(act_, 4 * chunk), bump(weight_, int64_t{chunk} * step_)}, [&] { some(chunk); });
    const int rest = count % chunk;
    some(rest);
    b_.ptr_add(act_, 4 * rest);
    b_.ptr_add(weight_, int64_t{rest} * step_);
  }

  Mem source(Ptr from, int pixel, int step) const {
    return {from, static_cast<int32_t>(int64_t{pixel} * window_.stride_w * spec_.src_pitch + 4 * step)};
  }

  void build_step(const TapRun& run, int groups, int step) {
    if (schedule_.dot == DotForm::matrix)
      matrices_stay(run, groups, step);
    else if (target_.act_groups == 1)
      weights_stay(run, step);
    else
      activations_stay(run, groups, step);
  }

  // One activation register at a time against all weights of the step, which stay in registers as far as they fit.
  void weights_stay(const TapRun& run, int step) {
    const int live = static_cast<int>(acc_.size()) * block_->vectors() + 1;
    int room = schedule_.dot == DotForm::fused && run.hi - run.lo > 1 ? schedule_.registers - live : 0;
    std::vector<Reg> resident;
    each_vector(step * step_, schedule_.dot,
                [&](int w, size_t, Mem at) { resident.push_back(room-- > 0 ? b_.load(w, Role::weight, at) : kNone); });
    for (int i = run.lo; i < run.hi; ++i) {
      const Reg act = b_.load_act(block_->widest(), source(act_, i, step), 4);
      dot_->activation(act);
      each_vector(step * step_, schedule_.dot, [&](int w, size_t v, Mem at) {
        dot_->dot(w, acc_[static_cast<size_t>(i)][v], act, resident[v], at, 0);
      });
    }
  }

  // Several k-steps of every pixel stay in registers; one weight register at a time goes against all pixels.
  // Activations are loaded in full, where fewer steps are left too: buffers have slack, and a shorter load takes as
  // long. Weights are loaded before the dots in front of theirs where there is room, for cores that keep the order of
  // instructions.
  void activations_stay(const TapRun& run, int groups, int step) {
    std::vector<Reg> act;
    for (int i = run.lo; i < run.hi; ++i) {
      act.push_back(b_.load_act(block_->widest(), source(act_, i, step), 4 * target_.act_groups));
      dot_->activation(act.back());
    }
    struct Weights {
      int bytes, group;
      size_t vector;
      Mem at;
    };
    std::vector<Weights> weights;
    for (int g = 0; g < groups; ++g)
      each_vector((step + g) * step_, schedule_.dot, [&](int w, size_t v, Mem at) {
        weights.push_back({w, g, v, at});
      });
    const int others =
        static_cast<int>(acc_.size()) * (block_->vectors() + 1) + DotEmitter::extra_registers(schedule_.dot);
    const size_t ahead = others + 2 <= schedule_.registers ? 1 : 0;
    std::vector<Reg> loaded;
    for (size_t k = 0; k < weights.size(); ++k) {
      while (loaded.size() < std::min(weights.size(), k + ahead + 1))
        loaded.push_back(b_.load(weights[loaded.size()].bytes, Role::weight, weights[loaded.size()].at));
      const Weights& w = weights[k];
      for (int i = run.lo; i < run.hi; ++i)
        dot_->dot(w.bytes, acc_[static_cast<size_t>(i)][w.vector], act[static_cast<size_t>(i - run.lo)], loaded[k],
                  w.at, w.group);
    }
  }

  // The same for two pixels by eight channels in a register; a pixel that lacks the tap is zero there.
  void matrices_stay(const TapRun& run, int groups, int step) {
    std::vector<std::vector<Reg>> act(static_cast<size_t>(groups) / 2);  // [eight channels][pair of pixels]
    const auto load = [&](int pixel) {
      if (pixel < run.lo || pixel >= run.hi) return b_.load(16, Role::temp, b_.constant32(0));
      return b_.load_act(16, source(act_, pixel, step), 4 * groups);
    };
    const int first = run.lo / 2 * 2;
    for (int i = first; i < run.hi; i += 2) {
      const Reg x = load(i), y = load(i + 1), low = b_.reg(Role::act);
      b_.op(Op::zip_lo64, 16, low, x, y);
      act[0].push_back(low);
      if (groups < 4) continue;
      b_.op(Op::zip_hi64, 16, x, x, y);
      act[1].push_back(x);
    }
    int32_t at = step * step_;
    for (const std::vector<Reg>& pairs : act)
      for (size_t v = 0; v < static_cast<size_t>(block_->vectors()); ++v)
        for (int half = 0; half < 2; ++half, at += 16) {
          const Reg weights = b_.load(16, Role::weight, {weight_, at});
          for (size_t p = 0; p < pairs.size(); ++p) {
            const Reg acc = acc_[static_cast<size_t>(first + half) + 2 * p][v];
            b_.op(Op::mmla, 16, acc, pairs[p], weights);
          }
        }
  }

  // visit(bytes, index, address) for every weight vector of the k-step `at` bytes behind weight_.
  template <class Visit>
  void each_vector(int32_t at, DotForm form, Visit visit) {
    size_t v = 0;
    for (const VectorGroup& g : block_->groups)
      for (int j = 0; j < g.vectors; ++j, ++v) {
        visit(g.bytes, v, Mem{weight_, at});
        at += g.bytes * (form == DotForm::widened ? 2 : 1);
      }
  }

  void store(const TileRun& tile) {
    int left = tile.pixels * block_->vectors();
    size_t v = 0;
    for (const VectorGroup& g : block_->groups) {
      OutputTile out{.group = g};
      left -= tile.pixels * g.vectors;
      out.live = left;
      for (int i = 0; i < tile.pixels; ++i) {
        const auto from = acc_[static_cast<size_t>(i)].begin() + static_cast<ptrdiff_t>(v);
        out.acc.emplace_back(from, from + g.vectors);
        out.dst_offset.push_back(i * spec_.dst_pitch);
        out.src2_offset.push_back(i * spec_.src2_pitch);
      }
      emit_epilogue(b_, epilogue_, out);
      v += static_cast<size_t>(g.vectors);
    }
  }

  const ConvSpec spec_;
  const Window window_;
  const ConvSchedule& schedule_;
  const Target& target_;
  const PixelClasses classes_;
  const std::vector<RowSet> row_sets_;
  Builder b_;
  Epilogue epilogue_;
  int ic_ = 4, oc_ = 4, steps_ = 1;     // channels of a group, k-steps of a tap
  Ptr act_, weight_;                    // walk through a tile's activations and weights
  Ptr chunk_ = kNone, staged_ = kNone;  // matched: a chunk's activations in the source, in the scratch
  // Where the builder is: the block, bytes of a k-step, kernel rows that the rows have, the tile's accumulators.
  const OcBlock* block_ = nullptr;
  int step_ = 0, taps_ = 0;
  std::vector<std::vector<Reg>> acc_;
  DotEmitter* dot_ = nullptr;
};

}  // namespace

Program build_conv(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target, std::string name) {
  return ConvBuilder(spec, schedule, target, std::move(name)).run();
}

}  // namespace octet
