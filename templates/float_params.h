// Parameters of the ops in float_*.h, which work on dense tensors of f32, s32, s64 and bool outside of int8 (islands).
// They are the generator's specs at the same time, so this file holds data only.
//
// Strides count elements, or bytes where they say so; 0 repeats. Unused leading dimensions are 1.
#ifndef OCTET_FLOAT_PARAMS_H
#define OCTET_FLOAT_PARAMS_H

#include <stdint.h>

namespace octet_float {

enum { kRank = 6, kBatchRank = 4 };

// In the order of octet::DType.
enum Type : int32_t { kF32, kU8, kS8, kS32, kS64, kBool };

// In the order of octet::Unary.
enum Function : int32_t {
  kRelu,
  kClip,
  kSigmoid,
  kTanh,
  kHardSigmoid,
  kHardSwish,
  kLeakyRelu,
  kElu,
  kExp,
  kSqrt,
  kNeg,
  kAbs,
  kErf,
  kSilu,
  kGelu,
  kSoftplus,
  kReciprocal,
  kLog,
  kSquare,
  kRsqrt,
  kFloor,
  kCeil,
  kRound,
  kSin,
  kCos,
  kSign,
  kLogicalNot
};

enum Operator : int32_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMaximum,
  kMinimum,
  kPow,
  kFloorDiv,
  kFloorMod,
  kSquaredDifference,
  kPrelu,
  kEqual,  // from here on the result is a bool
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kXor
};

enum Reducer : int32_t { kSum, kMean, kMax, kMin, kProd };  // in the order of octet::Reduction

struct Unary {
  int64_t count;
  int32_t function, type;
  float alpha, beta;
};

struct Cast {
  int64_t count;
  int32_t from, to;
};

// Over dims, row by row; the destination is dense.
struct Binary {
  int64_t dims[kRank], a[kRank], b[kRank];
  int32_t op, type;  // of the operands
};

struct Where {  // elements of `bytes` bytes; OCTET_WEIGHTS has the condition, of one byte each
  int64_t dims[kRank], condition[kRank], a[kRank], b[kRank];
  int64_t bytes;
};

// a [.., m, k] * b [.., k, n], rows of both dense; the batch dimensions of a and b broadcast by their strides.
struct MatMul {
  int64_t batch[kBatchRank], a[kBatchRank], b[kBatchRank];
  int64_t m, k, n;
  // u8 and s8 give s32, minus zero points by OCTET_SCALE (of a, one per row where the step is 1) and OCTET_BIAS (of b,
  // per column), where there are any.
  int32_t a_type, b_type, a_zero_step, b_zero_step;
};

// Sums over `reduced`, in order, for all of `kept` times `inner` neighbouring elements.
struct Reduce {
  int64_t kept[kRank], kept_strides[kRank], reduced[kRank], reduced_strides[kRank];
  int64_t inner;
  int32_t reducer, type;
};

// The middle of three dimensions is worked along.
struct Along {
  int64_t outer, length, inner;
};

struct Arg {
  Along along;
  int32_t type, to;  // `to`: s32 or s64
  int32_t smallest, last;
};

struct Softmax {
  Along along;
  int64_t log;
};

// Rows are normalized; element j of row r has gamma and beta number r % period * per_row + j / inner (OCTET_SCALE and
// OCTET_BIAS, each may be missing: 1 and 0).
struct Norm {
  int64_t rows, length, period, per_row, inner;
  double epsilon;
};

// Images of any order: distances of images, channels, rows and pixels, in elements.
struct Image {
  int64_t image, channel, row, pixel;
};

struct Window {
  int64_t kh, kw, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
};

// Weights: [group][(oc + 15) / 16][kh][kw][ic][16]; where every group has one channel in and out, [group / 16][kh][kw]
// [16] instead. Bias, where there is one: padded likewise. ic and oc count per group.
struct Conv {
  int64_t images, groups, ic, oc, ih, iw, oh, ow;
  Window window;
  Image src, dst;
  int64_t transposed;  // the gradient of a convolution: pads crop
  float lo, hi;        // a clamp of the result
};

// u8 or s8 -> s32 with weights [group][oc][ic][kh][kw]; zero points by OCTET_SCALE (one) and OCTET_BIAS (of the
// weights: one, or per output channel where the step is 1), where there are any.
struct IntegerConv {
  int64_t images, groups, ic, oc, ih, iw, oh, ow;
  Window window;
  Image src, dst;
  int32_t type, weight_type;
  int64_t zero_step;
};

struct Pool {
  int64_t images, channels, ih, iw, oh, ow;
  Window window;
  Image src, dst;
  int64_t pad_bottom, pad_right;       // what counts behind the image
  int32_t largest, count_include_pad;  // largest: max, else the mean
};

// One axis of interpolation. Linear: out[i] = x[lo] + (x[hi] - x[lo]) * w, (lo, hi) by OCTET_WEIGHTS as pairs of s32, w
// by OCTET_SCALE. Else out[i] is the sum of `taps` elements of x times weights, in order, both by rows of so many.
struct Interpolate {
  Along along;  // length: of the source
  int64_t to, taps;
};

// dst[outer][i][row] = src[outer][index i][row]: rows of row_bytes; strides in bytes. Indices by OCTET_SRC2; negative
// ones count from the end, and what lies outside is the nearest that there is.
struct Gather {
  int64_t outer[kRank], src_outer[kRank], dst_outer[kRank];
  int64_t count, axis, rows, row_bytes;
  int64_t src_step, dst_step, src_row, dst_row;  // bytes between indices, and between rows
  int64_t index_type;
};

// dst[i][row] = src[tuple i][row].
struct GatherNd {
  int64_t count, depth, rows, row_bytes;
  int64_t sizes[kRank], strides[kRank];  // of the dimensions that a tuple names, outermost first
  int64_t dst_step, src_row, dst_row;
  int64_t index_type;
};

// numerics.md 2.3, dynamic linear `ort`: what of x's quantization is made.
enum Dynamic : int32_t { kDynamicScale, kDynamicZero, kDynamicValues };
struct DynamicQuantize {
  int64_t count;
  int32_t what, is_signed;
};

}  // namespace octet_float

#endif
