#include "generator/kernel/plain.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "generator/kernel/lut.h"
#include "generator/kernel/requant.h"
#include "runtime/status.h"
#include "templates/plain_ops.h"

namespace octet {
namespace {

template <class Params>
PlainKernel make(const char* name, OctetKernel function, const Params& params) {
  PlainKernel kernel{name, function, std::vector<std::byte>(sizeof(Params))};
  std::memcpy(kernel.params.data(), &params, sizeof(Params));
  return kernel;
}

#define OCTET_MAKE(function, params) make(#function, function, params)

std::optional<PlainKernel> plain(const ConvSpec&) {
  return std::nullopt;
}
std::optional<PlainKernel> plain(const LutSpec&) {
  return std::nullopt;
}
std::optional<PlainKernel> plain(const InterleaveSpec&) {
  return std::nullopt;
}

std::optional<PlainKernel> plain(const AddSpec&) {
  return std::nullopt;
}
std::optional<PlainKernel> plain(const MulSpec&) {
  return std::nullopt;
}
std::optional<PlainKernel> plain(const PairSpec&) {
  return std::nullopt;
}

static_assert(octet_plain::kInteger == static_cast<int>(MeanForm::integer),
              "templates/plain_ops.h lists the forms too");

std::optional<PlainKernel> plain(const PoolSpec& s) {
  const MeanFormula& m = s.mean;
  const bool in_float = m.form == MeanForm::sequential || m.form == MeanForm::vectors;
  const Window w = s.kind == PoolKind::whole ? Window{.kh = s.ih, .kw = s.iw} : s.window;
  const octet_plain::Pool p = {.images = s.n,
                               .ih = s.ih,
                               .iw = s.iw,
                               .oh = s.oh,
                               .ow = s.ow,
                               .channels = s.channels,
                               .src_pitch = s.src_pitch,
                               .dst_pitch = s.dst_pitch,
                               .kh = w.kh,
                               .kw = w.kw,
                               .stride_h = w.stride_h,
                               .stride_w = w.stride_w,
                               .dilation_h = w.dilation_h,
                               .dilation_w = w.dilation_w,
                               .pad_top = w.pad_top,
                               .pad_left = w.pad_left,
                               .count_include_pad = s.count_include_pad,
                               .form = static_cast<int32_t>(m.form),
                               .src_zero = in_float ? m.src.zero() : m.sum_zero,
                               .offset = m.offset_out,
                               .lo = m.lo,
                               .hi = m.hi,
                               .src_scale = m.src.scale,
                               .dst_scale = m.dst.scale,
                               .m = m.m,
                               .z = in_float ? static_cast<float>(m.dst.zero_point) : m.z,
                               .multiplier = m.fixed.multiplier,
                               .exponent = m.fixed.exponent};
  if (s.kind == PoolKind::max) return OCTET_MAKE(octet_plain_max_pool, p);
  switch (m.form) {
    case MeanForm::sequential: return OCTET_MAKE(octet_plain_average_pool, p);
    case MeanForm::vectors: return OCTET_MAKE(octet_plain_reduce_mean, p);
    default: return OCTET_MAKE(octet_plain_integer_average_pool, p);
  }
}

std::optional<PlainKernel> plain(const AffineSpec& s) {
  return OCTET_MAKE(octet_plain_affine,
                    (octet_plain::Affine{s.pixels, s.channels, s.src_pitch, s.dst_pitch, s.src.zero(), s.dst.zero(),
                                         s.lo, s.hi, s.src.scale, s.dst.scale}));
}

octet_plain::Edge edge_params(const QuantizeSpec& s) {
  return {.images = s.n,
          .pixels = s.pixels,
          .channels = s.channels,
          .channels_first = s.channels_first,
          .pitch = s.pitch,
          .zero = s.quant.zero(),
          .flip = s.quant.is_signed ? 0x80 : 0,
          .form = static_cast<int32_t>(s.form),
          .scale = s.quant.scale};
}

std::optional<PlainKernel> plain(const QuantizeSpec& s) {
  return OCTET_MAKE(octet_plain_quantize, edge_params(s));
}
std::optional<PlainKernel> plain(const DequantizeSpec& s) {
  return OCTET_MAKE(octet_plain_dequantize, edge_params(s));
}

std::optional<PlainKernel> plain(const EdgeSpec& s) {
  octet_plain::Edge p = edge_params(s);
  p.to_storage = s.to_storage;
  return OCTET_MAKE(octet_plain_edge, p);
}

static_assert(octet_plain::kProductEven == static_cast<int>(QuantizeForm::product_even),
              "templates/plain_ops.h lists the forms too");

std::optional<PlainKernel> plain(const SoftmaxSpec& s) {
  octet_plain::Softmax p = {.blocks = s.rows, .length = s.length, .pixels = 1, .channels = 1};
  p.src_pitch = p.src_block = s.src_pitch;
  p.dst_pitch = p.dst_block = s.dst_pitch;
  p.src_step = p.dst_step = 1;
  if (s.pixels > 0) {
    p.pixels = s.pixels;
    p.channels = s.channels;
    p.src_step = int64_t{s.pixels} * s.src_pitch;
    p.dst_step = int64_t{s.pixels} * s.dst_pitch;
    p.src_block = s.length * p.src_step;
    p.dst_block = s.length * p.dst_step;
  }
  p.zero = s.dst.zero();
  p.offset = s.src.offset();
  p.rounds_up = !s.dst.is_signed;
  p.inverse = softmax_inverse(s.dst.scale);
  p.src_scale = s.src.scale;
  p.dst_scale = s.dst.scale;
  switch (s.form) {
    case SoftmaxForm::reciprocal: return OCTET_MAKE(octet_plain_softmax_reciprocal, p);
    case SoftmaxForm::fixed: return OCTET_MAKE(octet_plain_softmax_fixed, p);
    case SoftmaxForm::exact: return OCTET_MAKE(octet_plain_softmax_exact, p);
    case SoftmaxForm::log_real: return OCTET_MAKE(octet_plain_log_softmax, p);
    case SoftmaxForm::log_fixed: {
      const LogSoftmaxLimits limits = log_softmax_limits(s.src);
      p.least = limits.least;
      p.multiplier = limits.multiplier;
      p.exponent = limits.exponent;
      return OCTET_MAKE(octet_plain_log_softmax_fixed, p);
    }
    default: return OCTET_MAKE(octet_plain_softmax, p);
  }
}

std::optional<PlainKernel> plain(const CopySpec& s) {
  constexpr size_t kRank = octet_plain::kCopyRank;
  const size_t rank = s.dims.size();
  if (rank > kRank || s.src_strides.size() != rank || s.dst_strides.size() != rank)
    internal_error("strided copy of wrong rank: " + to_string(s));
  octet_plain::Copy p = {.src_offset = s.src_offset,
                         .dst_offset = s.dst_offset,
                         .fill_bytes = s.fill ? s.fill_bytes : 0,
                         .bytes = s.bytes,
                         .fill_value = s.fill_value};
  std::fill(std::begin(p.dims), std::end(p.dims), 1);
  std::copy(s.dims.begin(), s.dims.end(), std::end(p.dims) - rank);
  std::copy(s.src_strides.begin(), s.src_strides.end(), std::end(p.src_strides) - rank);
  std::copy(s.dst_strides.begin(), s.dst_strides.end(), std::end(p.dst_strides) - rank);
  return OCTET_MAKE(octet_plain_strided_copy, p);
}

std::optional<PlainKernel> plain(const ChannelPermuteSpec& s) {
  return OCTET_MAKE(octet_plain_channel_permute, (octet_plain::Rows{s.pixels, s.channels, s.src_pitch, s.dst_pitch}));
}

std::optional<PlainKernel> plain(const FloatSpec& s) {
  return PlainKernel{float_kernel_name(s), float_function(s), float_params(s)};
}

static_assert(octet_plain::kWeights == static_cast<int>(BlendForm::weights) &&
                  sizeof(octet_plain::Neighbours) == sizeof(ResizeNeighbours),
              "templates/plain_resize.h has the forms and the neighbours too");

std::optional<PlainKernel> plain(const ResizeSpec& s) {
  return OCTET_MAKE(octet_plain_resize, (octet_plain::Resize{s.n, s.ih, s.iw, s.oh, s.ow, s.channels, s.src_pitch,
                                                             s.dst_pitch, static_cast<int32_t>(s.form), s.offset}));
}

std::optional<PlainKernel> plain(const MatMulSpec& s) {
  constexpr size_t kDims = octet_plain::kBatchDims;
  const size_t rank = s.batch.size();
  if (rank > kDims || s.a_strides.size() != rank || s.b_strides.size() != rank || s.dst_strides.size() != rank)
    internal_error("matrix product of wrong rank: " + to_string(s));
  octet_plain::MatMul p = {.m = s.m,
                           .k = s.k,
                           .n = s.n,
                           .a_pitch = s.a_pitch,
                           .b_pitch = s.b_pitch,
                           .dst_pitch = s.dst_pitch,
                           .a_zero = s.a_zero,
                           .b_zero = s.b_zero,
                           .multiplier = s.factor.multiplier,
                           .exponent = s.factor.exponent,
                           .zero = s.zero,
                           .lo = s.lo,
                           .hi = s.hi};
  std::fill(std::begin(p.batch), std::end(p.batch), 1);
  std::copy(s.batch.begin(), s.batch.end(), std::end(p.batch) - rank);
  std::copy(s.a_strides.begin(), s.a_strides.end(), std::end(p.a_strides) - rank);
  std::copy(s.b_strides.begin(), s.b_strides.end(), std::end(p.b_strides) - rank);
  std::copy(s.dst_strides.begin(), s.dst_strides.end(), std::end(p.dst_strides) - rank);
  return OCTET_MAKE(octet_plain_matmul, p);
}

}  // namespace

OctetKernel plain_function(std::string_view name) {
#define OCTET_FUNCTION(function) \
  { #function, function }
  static constexpr std::pair<std::string_view, OctetKernel> kFunctions[] = {
      OCTET_FUNCTION(octet_plain_max_pool),
      OCTET_FUNCTION(octet_plain_average_pool),
      OCTET_FUNCTION(octet_plain_integer_average_pool),
      OCTET_FUNCTION(octet_plain_reduce_mean),
      OCTET_FUNCTION(octet_plain_affine),
      OCTET_FUNCTION(octet_plain_quantize),
      OCTET_FUNCTION(octet_plain_dequantize),
      OCTET_FUNCTION(octet_plain_edge),
      OCTET_FUNCTION(octet_plain_softmax),
      OCTET_FUNCTION(octet_plain_softmax_reciprocal),
      OCTET_FUNCTION(octet_plain_softmax_fixed),
      OCTET_FUNCTION(octet_plain_softmax_exact),
      OCTET_FUNCTION(octet_plain_log_softmax),
      OCTET_FUNCTION(octet_plain_log_softmax_fixed),
      OCTET_FUNCTION(octet_plain_strided_copy),
      OCTET_FUNCTION(octet_plain_channel_permute),
      OCTET_FUNCTION(octet_plain_resize),
      OCTET_FUNCTION(octet_plain_matmul),
  };
#undef OCTET_FUNCTION
  for (const auto& [known, function] : kFunctions)
    if (known == name) return function;
  return float_function(name);
}

std::optional<PlainKernel> plain_kernel(const KernelSpec& spec) {
  return std::visit([](const auto& s) { return plain(s); }, spec);
}

}  // namespace octet
