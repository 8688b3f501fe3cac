// KernelSpec: what to compute, complete and free of how. Layers with equal specs share one kernel; weights, biases and
// multipliers come by pointer.
//
// Storage. Activations are NHWC bytes; `pitch` is the distance of neighbouring pixels, at least the channels rounded up
// to 4 (kernels may read and, where the pitch is their own, write that padding). A u8 tensor's byte is q. An s8
// tensor's byte is q + 128 (q ^ 0x80), so that every kernel sees u8; `offset` = 128 tells where a formula that rounds
// in float needs q itself. Fields named `zero`, `lo`, `hi` are storage bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/kernel/binary.h"
#include "generator/kernel/fixed_point.h"
#include "generator/kernel/float_spec.h"
#include "generator/kernel/pair.h"
#include "generator/kernel/pooling.h"
#include "generator/kernel/quant_view.h"
#include "generator/kernel/resize.h"
#include "generator/kernel/softmax.h"

namespace octet {

inline int round_up(int value, int to) {
  return (value + to - 1) / to * to;
}

// How an accumulator becomes a byte (numerics.md 2.1). Constants of a channel are those of its ChannelScale; RN32 is
// one rounding to binary32, rne the nearest integer with ties to even, haz with ties away from zero.
enum class RequantForm : uint8_t {
  scaled,      // clamp(rne(RN32(f32(acc) * m)) + zero)
  biased,      // clamp(rne(RN32(fma(b, factor, f32(acc)) * m)) + zero)
  affine,      // clamp(rne(RN32(RN32(RN32(RN32(f32(acc) * m) + b) * factor) + zero point)))
  fixed_away,  // clamp(scale_away(acc, fixed) + zero); channels with ties_up as the next
  fixed_up,    // clamp(scale_up(acc, fixed) + zero)
  doubles,     // clamp(haz(f64(acc) * real) + zero)
  shift,       // clamp(floor((acc + 2^(k-1)) / 2^k) + zero), k = -fixed.exponent
};

inline bool is_fixed(RequantForm form) {
  return form == RequantForm::fixed_away || form == RequantForm::fixed_up;
}

struct Requant {
  int zero = 0, lo = 0, hi = 255;  // storage bytes
  bool wide = false;               // what is converted or rounded may leave s32: clamp it first
  RequantForm form = RequantForm::scaled;
  float factor = 1;    // biased: of the bias; affine: 1 / s_y
  int offset = 0;      // affine: zero point = zero - offset
  bool mixed = false;  // fixed: some channel's factor is 1/2 or more, or in fixed_away rounds ties up
  bool operator==(const Requant&) const = default;
};

// What a channel's accumulators are scaled by; each form reads its own.
struct ChannelScale {
  float m = 0;           // scaled, biased, affine
  float b = 0;           // biased, affine
  FixedPoint fixed;      // fixed_away, fixed_up, shift
  double real = 0;       // doubles
  bool ties_up = false;  // fixed_away
  bool operator==(const ChannelScale&) const = default;
};

// Operands whose bytes lie in memory as storage byte ^ 0x80, which is what a dot of signed bytes reads.
struct Flips {
  bool src = false, src2 = false, dst = false;
  bool operator==(const Flips&) const = default;
};

// Dense, grouped and depthwise convolution, and linear layers (a 1x1 convolution over n * h * w pixels).
struct ConvSpec {
  int n = 1, ih = 1, iw = 1, ic = 4, oh = 1, ow = 1, oc = 4;
  Window window;
  int groups = 1;
  int src_pitch = 4, dst_pitch = 4;
  int src_zero = 0;      // what padding holds
  int weight_terms = 1;  // 2: weights minus their zero points need 9 bits and come as a sum of s8 terms; 3: one is 255
  Requant requant;
  bool residual = false;  // then AddFormula with a = this conv's result (or b, see below) and src2 the other addend
  bool residual_is_first = false;  // src2 is the add's first input
  int src2_pitch = 4;
  AddFormula add;  // used when residual; requant then describes the conv's own, inner result
  Flips flips;     // compile() sets them, for targets with such a dot
  bool is_depthwise() const { return groups > 1 && groups == ic && groups == oc; }
  bool is_pointwise() const { return window == Window{} && groups == 1; }
  bool operator==(const ConvSpec&) const = default;
};

// The storage bytes that a tensor can hold, or that a range of q values leaves.
struct ByteRange {
  int lo = 0, hi = 255;
  bool operator==(const ByteRange&) const = default;
};

// Weights of a ConvSpec, unpacked: [term][oc][kh][kw][ic / groups]. bias holds no zero-point correction.
struct ConvData {
  std::vector<int8_t> weights;
  std::vector<int32_t> bias;        // [oc]
  std::vector<ChannelScale> scale;  // [oc]
  ByteRange source;                 // what the source is proved to hold, padding included
};

// Which operand is one pixel per image.
enum class Broadcast : uint8_t { none, a, b };

struct AddSpec {
  int n = 1, pixels = 1, channels = 4;  // pixels per image
  Broadcast broadcast = Broadcast::none;
  int a_pitch = 4, b_pitch = 4, dst_pitch = 4;
  AddFormula add;
  bool operator==(const AddSpec&) const = default;
};

struct MulSpec {
  int n = 1, pixels = 1, channels = 4;  // pixels per image
  bool broadcast = false;               // b is one pixel per image
  int a_pitch = 4, b_pitch = 4, dst_pitch = 4;
  MulFormula mul;
  bool operator==(const MulSpec&) const = default;
};

// Maximum, minimum, PReLU.
struct PairSpec {
  int n = 1, pixels = 1, channels = 4;  // pixels per image
  bool broadcast = false;               // b is one pixel per image
  int a_pitch = 4, b_pitch = 4, dst_pitch = 4;
  PairFormula pair;
  bool operator==(const PairSpec&) const = default;
};

// whole: the mean over all of an image's pixels, which has no window.
enum class PoolKind : uint8_t { max, average, whole };
struct PoolSpec {
  PoolKind kind = PoolKind::max;
  int n = 1, ih = 1, iw = 1, oh = 1, ow = 1, channels = 4;
  Window window;
  bool count_include_pad = false;
  int src_pitch = 4, dst_pitch = 4;
  MeanFormula mean;  // max: its clamp alone
  bool operator==(const PoolSpec&) const = default;
};

// dst byte = table[src byte]; the table comes by OCTET_WEIGHTS, 256 bytes. Copies are luts with `copy` set (no table).
struct LutSpec {
  int pixels = 1, channels = 4;
  int src_pitch = 4, dst_pitch = 4;
  bool copy = false;
  bool operator==(const LutSpec&) const = default;
};

// Per-channel affine on dequantized values, then an optional clamp in real numbers, then quantize (batch norm that
// nothing could fold): v = RN32(RN32(d * scale[c]) + shift[c]), d = RN32(f32(q - z) * s). scale, shift by OCTET_SCALE,
// OCTET_BIAS (f32).
struct AffineSpec {
  int pixels = 1, channels = 4;
  int src_pitch = 4, dst_pitch = 4;
  QuantView src, dst;
  int lo = 0, hi = 255;  // storage bytes
  bool operator==(const AffineSpec&) const = default;
};

// How f32 becomes q = sat(round(.) + zero_point); NaN gives the lowest q.
enum class QuantizeForm : uint8_t {
  quotient_even,  // RN32(x / scale), ties to even: ONNX Runtime
  quotient_away,  // the same, ties away from zero: LiteRT's reference kernels, tflite-micro
  quotient_up,    // the same, ties up: tidl
  product_even,   // RN32(x * RN32(1 / scale)), ties to even: PyTorch, XNNPACK
};
const char* quantize_form_name(QuantizeForm form);

// f32 rows in the file's order -> bytes.
struct QuantizeSpec {
  QuantizeForm form = QuantizeForm::quotient_even;
  int n = 1, pixels = 1, channels = 4;  // pixels per image
  bool channels_first = true;           // the f32 side is n, c, pixels; else n, pixels, c
  int pitch = 4;                        // of the byte side
  QuantView quant;
  bool operator==(const QuantizeSpec&) const = default;
};

// bytes -> f32 in the file's order: RN32(f32(q - zero_point) * scale).
struct DequantizeSpec : QuantizeSpec {
  bool operator==(const DequantizeSpec&) const = default;
};

// Graph inputs and outputs that are integers themselves: bytes <-> bytes, s8 by ^ 0x80, n, c, pixels <-> NHWC.
struct EdgeSpec : QuantizeSpec {
  bool to_storage = true;
  bool operator==(const EdgeSpec&) const = default;
};

// Softmax and log softmax of rows; tables by OCTET_WEIGHTS (softmax.h).
struct SoftmaxSpec {
  SoftmaxForm form = SoftmaxForm::quotient;
  int rows = 1, length = 4;
  // 0: a row is the channels of a pixel. Else a row runs through `length` blocks of so many pixels, and there is one
  // for each of the block's pixels and channels, `rows` times over.
  int pixels = 0, channels = 1;
  int src_pitch = 4, dst_pitch = 4;  // bytes
  QuantView src, dst;
  bool operator==(const SoftmaxSpec&) const = default;
};

// out[i...] = in[perm]: elements of `bytes` bytes; dims and strides (in bytes) outermost first, at most 6. Slices,
// transposes, channel permutations that nothing could fold, padding (fill first).
struct CopySpec {
  std::vector<int64_t> dims, src_strides, dst_strides;
  int bytes = 1;
  int64_t src_offset = 0, dst_offset = 0;
  bool fill = false;  // write `fill_value` to fill_bytes first
  int fill_value = 0;
  int64_t fill_bytes = 0;
  bool operator==(const CopySpec&) const = default;
};

// dst pixel channel i = src pixel channel perm[i] (perm as u16 by OCTET_WEIGHTS).
struct ChannelPermuteSpec {
  int pixels = 1, channels = 4;
  int src_pitch = 4, dst_pitch = 4;
  bool operator==(const ChannelPermuteSpec&) const = default;
};

// dst pixel channels 2i and 2i + 1 = channel i of a and of b: a shuffle of two groups that lie apart.
struct InterleaveSpec {
  int pixels = 1, channels = 4;  // channels of dst
  int a_pitch = 4, b_pitch = 4, dst_pitch = 4;
  bool operator==(const InterleaveSpec&) const = default;
};

// Linear resize of images; neighbours by OCTET_WEIGHTS (ResizeNeighbours), of every row, then of every column.
struct ResizeSpec {
  int n = 1, ih = 1, iw = 1, oh = 1, ow = 1, channels = 4;
  int src_pitch = 4, dst_pitch = 4;
  BlendForm form = BlendForm::fixed11;
  int offset = 0;  // storage byte = q + offset
  bool operator==(const ResizeSpec&) const = default;
};

// Products of two activations, a [.., m, k] times b [.., k, n]: byte = clamp(scale_away(sum, factor) + zero), the sum
// that of (a - a_zero) * (b - b_zero), which must fit s32 at any time, and shifted left by factor.exponent. A stack of
// matrices has `batch` of them in up to 4 dimensions, with strides in bytes; an operand that all share has strides of
// 0.
struct MatMulSpec {
  int m = 1, k = 4, n = 4;
  int a_pitch = 4, b_pitch = 4, dst_pitch = 4;
  std::vector<int64_t> batch, a_strides, b_strides, dst_strides;
  int a_zero = 0, b_zero = 0;  // storage bytes
  FixedPoint factor;
  int zero = 0, lo = 0, hi = 255;  // storage bytes
  bool operator==(const MatMulSpec&) const = default;
};

using KernelSpec = std::variant<ConvSpec, AddSpec, MulSpec, PairSpec, PoolSpec, LutSpec, AffineSpec, QuantizeSpec,
                                DequantizeSpec, EdgeSpec, SoftmaxSpec, CopySpec, ChannelPermuteSpec, InterleaveSpec,
                                ResizeSpec, MatMulSpec, FloatSpec>;

const char* spec_op_name(const KernelSpec& spec);  // "conv", "depthwise", "linear", "add", ...
std::string to_string(const KernelSpec& spec);     // one line, complete: equal text if and only if equal spec
std::string shape_text(const KernelSpec& spec);    // short, for tables: "3x3 s2 112x112x3 -> 56x56x64"
int64_t mac_count(const KernelSpec& spec);         // nominal multiply-accumulates; 0 for elementwise ops

}  // namespace octet
