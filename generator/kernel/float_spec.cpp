#include "generator/kernel/float_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstring>
#include <span>

#include "generator/graph/graph.h"

namespace octet {
namespace {

namespace f = octet_float;

template <size_t N>
std::string list(const int64_t (&values)[N]) {
  return fmt::format("[{}]", fmt::join(values, ","));
}

const char* type(int64_t t) {
  return dtype_name(static_cast<DType>(t));
}

// Dimensions without the leading ones.
template <size_t N>
std::string dims(const int64_t (&values)[N]) {
  size_t first = 0;
  while (first + 1 < N && values[first] == 1) ++first;
  return fmt::format("{}", fmt::join(std::span(values).subspan(first), "x"));
}

template <size_t N>
int64_t product(const int64_t (&values)[N]) {
  int64_t all = 1;
  for (const int64_t v : values) all *= v;
  return all;
}

const char* operator_name(int32_t op) {
  static constexpr std::array<const char*, 20> kNames = {
      "add",     "sub",           "mul",       "div",       "maximum",
      "minimum", "pow",           "floor_div", "floor_mod", "squared_difference",
      "prelu",   "equal",         "not_equal", "less",      "less_equal",
      "greater", "greater_equal", "and",       "or",        "xor"};
  return kNames[static_cast<size_t>(op)];
}

const char* reducer_name(int32_t reducer) {
  static constexpr std::array<const char*, 5> kNames = {"sum", "mean", "max", "min", "prod"};
  return kNames[static_cast<size_t>(reducer)];
}

std::string text(const f::Window& w) {
  return fmt::format("{}x{} s{},{} d{},{} p{},{}", w.kh, w.kw, w.stride_h, w.stride_w, w.dilation_h, w.dilation_w,
                     w.pad_top, w.pad_left);
}
std::string text(const f::Image& i) {
  return fmt::format("[{},{},{},{}]", i.image, i.channel, i.row, i.pixel);
}
std::string text(const f::Along& a) {
  return fmt::format("{}x{}x{}", a.outer, a.length, a.inner);
}

// What a table shows, and what else there is.
struct Text {
  std::string shape, rest;
};

template <class P>
std::string conv_rest(const P& p) {
  return fmt::format("groups {} from {} to {}", p.groups, text(p.src), text(p.dst));
}
template <class P>
std::string conv_shape(const P& p) {
  return fmt::format("{} {}x{}x{}x{} -> {}x{}x{}", text(p.window), p.images, p.ih, p.iw, p.groups * p.ic, p.oh, p.ow,
                     p.groups * p.oc);
}

Text describe(const f::Unary& p) {
  return {fmt::format("{} {}", unary_name(static_cast<Unary>(p.function)), p.count),
          fmt::format("{} {} {}", type(p.type), p.alpha, p.beta)};
}
Text describe(const f::Cast& p) {
  return {fmt::format("{} {} to {}", p.count, type(p.from), type(p.to)), ""};
}
Text describe(const f::Binary& p) {
  return {fmt::format("{} {}", operator_name(p.op), dims(p.dims)),
          fmt::format("{} {} {}", type(p.type), list(p.a), list(p.b))};
}
Text describe(const f::Where& p) {
  return {dims(p.dims), fmt::format("{} bytes {} {} {}", p.bytes, list(p.condition), list(p.a), list(p.b))};
}
Text describe(const f::MatMul& p) {
  return {fmt::format("{} of {}x{} * {}x{}", dims(p.batch), p.m, p.k, p.k, p.n),
          fmt::format("{} {} {} {} zeros {} {}", type(p.a_type), type(p.b_type), list(p.a), list(p.b), p.a_zero_step,
                      p.b_zero_step)};
}
Text describe(const f::Reduce& p) {
  return {fmt::format("{} {} x {} of {}", reducer_name(p.reducer), dims(p.kept), p.inner, dims(p.reduced)),
          fmt::format("{} {} {}", type(p.type), list(p.kept_strides), list(p.reduced_strides))};
}
Text describe(const f::Arg& p) {
  return {fmt::format("{} {}", p.smallest ? "least" : "most", text(p.along)),
          fmt::format("{} to {}{}", type(p.type), type(p.to), p.last ? " last" : "")};
}
Text describe(const f::Softmax& p) {
  return {fmt::format("{}{}", p.log ? "log " : "", text(p.along)), ""};
}
Text describe(const f::Norm& p) {
  return {fmt::format("{}x{}", p.rows, p.length),
          fmt::format("period {} {} {} epsilon {}", p.period, p.per_row, p.inner, p.epsilon)};
}
Text describe(const f::Conv& p) {
  return {conv_shape(p), fmt::format("{} {} clamp {} {}", conv_rest(p), p.transposed ? "transposed" : "", p.lo, p.hi)};
}
Text describe(const f::IntegerConv& p) {
  return {conv_shape(p),
          fmt::format("{} {} {} zeros {}", conv_rest(p), type(p.type), type(p.weight_type), p.zero_step)};
}
Text describe(const f::Pool& p) {
  return {fmt::format("{} {} {}x{}x{}x{} -> {}x{}", p.largest ? "max" : "mean", text(p.window), p.images, p.ih, p.iw,
                      p.channels, p.oh, p.ow),
          fmt::format("from {} to {}{}", text(p.src), text(p.dst),
                      p.count_include_pad ? fmt::format(" pads count, to {} {}", p.pad_bottom, p.pad_right) : "")};
}
Text describe(const f::Interpolate& p) {
  return {fmt::format("{} -> {}", text(p.along), p.to), p.taps ? fmt::format("{} taps", p.taps) : ""};
}
Text describe(const f::Gather& p) {
  return {fmt::format("{} x {} of {} of {}x{} bytes", dims(p.outer), p.count, p.axis, p.rows, p.row_bytes),
          fmt::format("{} from {} {} {} to {} {} {}", type(p.index_type), list(p.src_outer), p.src_step, p.src_row,
                      list(p.dst_outer), p.dst_step, p.dst_row)};
}
Text describe(const f::GatherNd& p) {
  return {fmt::format("{} of {} of {}x{} bytes", p.count, p.depth, p.rows, p.row_bytes),
          fmt::format("{} sizes {} from {} {} to {} {}", type(p.index_type), list(p.sizes), list(p.strides), p.src_row,
                      p.dst_step, p.dst_row)};
}
Text describe(const f::DynamicQuantize& p) {
  static constexpr std::array<const char*, 3> kWhat = {"scale", "zero point", "values"};
  return {fmt::format("{} of {}", kWhat[static_cast<size_t>(p.what)], p.count), p.is_signed ? "s8" : "u8"};
}

Text describe(const FloatSpec& spec) {
  return std::visit([](const auto& p) { return describe(p); }, spec.params);
}

int64_t macs(const f::MatMul& p) {
  return product(p.batch) * p.m * p.k * p.n;
}
int64_t macs(const f::Conv& p) {
  const int64_t pixels = p.transposed ? p.ih * p.iw : p.oh * p.ow;
  return p.images * p.groups * p.ic * p.oc * pixels * p.window.kh * p.window.kw;
}
int64_t macs(const f::IntegerConv& p) {
  return p.images * p.groups * p.ic * p.oc * p.oh * p.ow * p.window.kh * p.window.kw;
}
template <class P>
int64_t macs(const P&) {
  return 0;
}

int64_t width(int64_t t) {
  return static_cast<int64_t>(dtype_bytes(static_cast<DType>(t)));
}

int64_t bytes(const f::Unary& p) {
  return 2 * p.count * width(p.type);
}
int64_t bytes(const f::Cast& p) {
  return p.count * (width(p.from) + width(p.to));
}
int64_t bytes(const f::Binary& p) {
  return 3 * product(p.dims) * width(p.type);
}
int64_t bytes(const f::Where& p) {
  return product(p.dims) * (1 + 3 * p.bytes);
}
int64_t bytes(const f::MatMul& p) {
  return product(p.batch) * (p.m * p.k * width(p.a_type) + p.k * p.n * width(p.b_type) + p.m * p.n * 4);
}
int64_t bytes(const f::Reduce& p) {
  return product(p.kept) * p.inner * (product(p.reduced) + 1) * width(p.type);
}
int64_t bytes(const f::Arg& p) {
  return p.along.outer * p.along.inner * (p.along.length * width(p.type) + width(p.to));
}
int64_t bytes(const f::Softmax& p) {
  return 8 * p.along.outer * p.along.length * p.along.inner;
}
int64_t bytes(const f::Norm& p) {
  return 8 * p.rows * p.length;
}
int64_t bytes(const f::Conv& p) {
  return 4 * p.images * p.groups * (p.ic * p.ih * p.iw + p.oc * p.oh * p.ow);
}
int64_t bytes(const f::IntegerConv& p) {
  return p.images * p.groups * (p.ic * p.ih * p.iw + 4 * p.oc * p.oh * p.ow);
}
int64_t bytes(const f::Pool& p) {
  return 4 * p.images * p.channels * (p.ih * p.iw + p.oh * p.ow);
}
int64_t bytes(const f::Interpolate& p) {
  return 4 * p.along.outer * p.along.inner * (p.along.length + p.to);
}
int64_t bytes(const f::Gather& p) {
  return product(p.outer) * p.count * p.rows * p.row_bytes * 2;
}
int64_t bytes(const f::GatherNd& p) {
  return p.count * p.rows * p.row_bytes * 2;
}
int64_t bytes(const f::DynamicQuantize& p) {
  return 4 * p.count + (p.what == f::kDynamicValues ? p.count : 0);
}

}  // namespace

bool FloatSpec::operator==(const FloatSpec& other) const {
  return params.index() == other.params.index() && float_text(*this) == float_text(other);
}

std::string float_shape_text(const FloatSpec& spec) {
  return describe(spec).shape;
}

std::string float_text(const FloatSpec& spec) {
  const Text t = describe(spec);
  return t.rest.empty() ? t.shape : t.shape + " " + t.rest;
}

int64_t float_macs(const FloatSpec& spec) {
  return std::visit([](const auto& p) { return macs(p); }, spec.params);
}

int64_t float_bytes(const FloatSpec& spec) {
  return std::visit([](const auto& p) { return bytes(p); }, spec.params);
}

std::vector<std::byte> float_params(const FloatSpec& spec) {
  return std::visit(
      [](const auto& p) {
        std::vector<std::byte> out(sizeof p);
        std::memcpy(out.data(), &p, sizeof p);
        return out;
      },
      spec.params);
}

}  // namespace octet
