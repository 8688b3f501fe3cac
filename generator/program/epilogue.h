// From s32 accumulators to stored bytes: the tail that convolution, depthwise, linear and pooling kernels share.
#pragma once

#include <functional>
#include <vector>

#include "generator/kernel/spec.h"
#include "generator/program/program.h"
#include "generator/schedule/schedule.h"

namespace octet {

// The output of one register tile, or of one group of it. Every address is pointer + offset of the pixel + group.oc.
struct OutputTile {
  VectorGroup group;
  std::vector<std::vector<Reg>> acc;  // [pixel][vector of the group]: s32; destroyed
  Ptr dst = OCTET_DST;
  std::vector<int32_t> dst_offset;  // per pixel, bytes
  int channels = 0;                 // of the group that are stored; 0: all. Fewer only where it has 4 vectors
  Ptr src2 = OCTET_SRC2;
  std::vector<int32_t> src2_offset;  // per pixel; residual only
  Ptr scale = OCTET_SCALE;           // of the group's first channel (ScaleSource)
  int live = 0;                      // registers that others hold across this epilogue (accumulators still to come)
};

// What to do with an accumulator. The bias is already in it.
struct Epilogue {
  Requant requant;                 // of the result, or of the inner result where a residual follows
  bool residual = false;           // then the exact two-step add: clamp and round first, then AddFormula
  bool residual_is_first = false;  // src2 is the formula's a
  AddFormula add;
  int registers = 16;  // budget: scales stay in registers only where it leaves room
  Flips flips;         // of src2 and dst
};

// acc -> requantize -> (residual) -> zero point, clamp -> bytes in memory.
void emit_epilogue(Builder& b, const Epilogue& e, OutputTile tile);

// The second half alone, for ops with a formula of their own (average pool): finish(pixel, vector, acc) emits the
// formula and returns a register with s32 values q; bytes clamp(q + add, lo, hi) are stored.
struct BytePack {
  int add = 0, lo = 0, hi = 255;
  bool flipped = false;  // stored ^ 0x80
};
using Finish = std::function<Reg(int pixel, int vector, Reg acc)>;
void emit_bytes(Builder& b, const BytePack& pack, const OutputTile& tile, const Finish& finish);

// q values of src2 for (pixel, vector) as s32 lanes, in the lane order of the group; `offset` is subtracted. Vectors
// of a pixel must be asked for in order; the loaded bytes are kept between them. `flipped`: they lie ^ 0x80.
class ByteLanes {
 public:
  ByteLanes(Builder& b, const VectorGroup& group, Ptr src, int offset, bool flipped = false)
      : b_(b), group_(group), src_(src), offset_(offset), flipped_(flipped) {}
  Reg lanes(int32_t at, int vector);

 private:
  Builder& b_;
  VectorGroup group_;
  Ptr src_;
  int offset_;
  bool flipped_;
  Reg bytes_ = kNone, words_ = kNone;
};

}  // namespace octet
