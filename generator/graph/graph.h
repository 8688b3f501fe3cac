// The network as a list of nodes over tensors, in execution order. Importers fill it literally; passes rewrite it.
//
// Quantization lives on tensors: a conv whose input tensor is u8 with a scale *is* the quantized conv, and the same
// OpKind with f32 tensors is the float op. `fold_qdq` turns the second form, framed by quantize and dequantize nodes,
// into the first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "generator/graph/profile.h"
#include "runtime/dtype.h"

namespace octet {

using Shape = std::vector<int64_t>;
int64_t element_count(const Shape& shape);
std::string to_string(const Shape& shape);  // "1x3x224x224"

// real = scale * (q - zero_point); one pair, or one per index along `axis`.
struct QuantParams {
  std::vector<float> scale;
  std::vector<int32_t> zero_point;  // same length as scale, in the tensor's dtype range
  int axis = -1;                    // -1: per tensor
  bool per_tensor() const { return scale.size() == 1; }
  bool operator==(const QuantParams&) const = default;
};

// A range of int8 values in the tensor's own dtype (s8: -128..127), both ends included: what a fused activation leaves,
// or what is proved to occur.
struct QRange {
  int32_t lo = std::numeric_limits<int32_t>::min(), hi = std::numeric_limits<int32_t>::max();
  bool operator==(const QRange&) const = default;
};

// The bytes of a constant: owned, or a view of memory (a mapped file) that `owner` keeps alive.
class ConstantBytes {
 public:
  explicit ConstantBytes(std::vector<std::byte> bytes) : owned_(std::move(bytes)), bytes_(owned_) {}
  ConstantBytes(std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
      : owner_(std::move(owner)), bytes_(bytes) {}
  ConstantBytes(const ConstantBytes&) = delete;
  ConstantBytes& operator=(const ConstantBytes&) = delete;

  const std::byte* data() const { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  auto begin() const { return bytes_.begin(); }
  auto end() const { return bytes_.end(); }
  std::byte operator[](size_t i) const { return bytes_[i]; }

 private:
  std::vector<std::byte> owned_;
  std::shared_ptr<const void> owner_;
  std::span<const std::byte> bytes_;
};

using TensorId = int32_t;
inline constexpr TensorId kNoTensor = -1;  // an absent optional input

struct Tensor {
  std::string name;  // as in the file; dumps and errors use it
  DType dtype = DType::f32;
  Shape shape;
  std::optional<QuantParams> quant;           // u8, s8 and s32 tensors
  std::shared_ptr<const ConstantBytes> data;  // constants only; row-major, little endian
  std::vector<QRange> proved;  // activations: what each channel (last dimension) can hold; empty: anything of the type
  Shape file_shape;            // shape in the file's own order where layout has changed `shape` (else empty)

  bool is_constant() const { return data != nullptr; }
  bool is_quantized() const { return quant.has_value() && (dtype == DType::u8 || dtype == DType::s8); }
  template <class T>
  std::span<const T> values() const {
    return {reinterpret_cast<const T*>(data->data()), data->size() / sizeof(T)};
  }
};

enum class OpKind : uint8_t {
  conv,    // inputs: x, weights, [bias], [residual: fused add]; window, group
  linear,  // inputs: x [.., k], weights [oc, k], [bias], [residual]
  matmul,  // x [.., m, k] * y [.., k, n] as in the file; import only: a pass makes it linear or refuses it
  add,     // inputs: a, b; dimensions of one element broadcast, as in mul
  sub,
  mul,  // inputs: a, b
  div,
  concat,               // axis
  max_pool,             // window
  average_pool,         // window, count_include_pad
  global_average_pool,  // mean over h, w; keeps rank
  batch_norm,           // inputs: x, scale, bias, mean, variance; epsilon in alpha
  unary,                // function, alpha, beta
  softmax,              // axis; quantized: of x times alpha, where that is not 0
  reshape,              // to the output's shape: Reshape, Flatten, Squeeze, Unsqueeze
  transpose,            // perm
  slice,                // starts, steps over every axis (ends follow from the output's shape)
  split,                // axis; one output per piece, sizes from the outputs' shapes
  pad,                  // pads: begin and end per axis; pad_mode; constant value in alpha (real)
  quantize,             // f32 -> u8/s8, parameters on the output tensor
  dequantize,           // parameters on the input tensor
  requantize,           // u8/s8 -> u8/s8 with other parameters
  expand,               // repeats dimensions of one element up to the output's shape
  channel_permute,      // perm over channels: output channel i is channel perm[i] of the inputs one behind the other
  conv_transpose,       // inputs: x, weights [ic, oc / group, kh, kw], [bias]; window (its pads crop the result), group
  maximum,              // inputs: a, b, as in add
  minimum,
  pow,
  floor_div,
  floor_mod,           // the sign of b
  squared_difference,  // (a - b)^2
  compare,             // relation; inputs as in add -> boolean
  logic,               // connective; inputs as in add, booleans
  where,               // inputs: boolean condition, a, b
  reduce,              // reduction, axes; reduced dimensions are 1 or gone, as the output's shape says
  arg,                 // index of the largest (reduction max) or smallest along axis -> s32 or s64; select_last on ties
  resize,              // resize
  depth_to_space,      // block; column_row_depth
  space_to_depth,      // block
  prelu,               // inputs: x, slope (as in add)
  log_softmax,         // axis
  cast,                // to the output's dtype, toward zero
  gather,              // axis; inputs: x, indices (s32, s64; negative ones count from the end)
  gather_nd,           // inputs: x, indices [.., k]
  tile,                // repeats, by the shapes
  layer_norm,          // inputs: x, [gamma], [beta]; over axis and all behind it, epsilon in alpha
  instance_norm,       // inputs: x, gamma, beta; epsilon in alpha
  group_norm,          // inputs: x, gamma, beta (per channel); group, epsilon in alpha
  dynamic_quantize,    // f32 x -> u8 or s8 q, its f32 scale, its zero point, found from x at run time
  integer_matmul,      // inputs: x, y (u8, s8), [zero point of x], [of y] -> s32
  integer_conv,        // the same with weights [oc, ic / group, kh, kw]; window, group
  identity,
};
const char* op_name(OpKind op);

enum class Unary : uint8_t {
  relu,
  clip /* alpha = lo, beta = hi */,
  sigmoid,
  tanh,
  hard_sigmoid /* alpha, beta */,
  hard_swish,
  leaky_relu /* alpha */,
  elu /* alpha */,
  exp,
  sqrt,
  neg,
  abs,
  erf,
  silu,
  gelu,  // alpha 1: approximated by tanh
  softplus,
  reciprocal,
  log,
  square,
  rsqrt,
  floor,
  ceil,
  round,  // ties to even
  sin,
  cos,
  sign,
  logical_not,
};
const char* unary_name(Unary function);

// Geometry of conv and pooling, in pixels; 1-D ops have h = 1.
struct Window {
  int kh = 1, kw = 1;
  int stride_h = 1, stride_w = 1;
  int dilation_h = 1, dilation_w = 1;
  int pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  bool operator==(const Window&) const = default;
};

// conv or linear followed by a residual add, fused without dropping a rounding: the conv's own result is quantized to
// `quant` and clamped first, then added as the add's own formula says.
struct FusedAdd {
  DType dtype = DType::u8;    // of the conv's own result
  QuantParams quant;          // of the conv's own result
  QRange range;               // clamp fused into the conv before the add
  bool conv_is_first = true;  // whether the conv's result was the add's first input (rounding depends on it)
  std::string tensor;         // name of the tensor that vanished
};

// What an accumulator, its bias included, can hold.
struct SumRange {
  int64_t lo = 0, hi = 0;
  bool operator==(const SumRange&) const = default;
};

enum class PadMode : uint8_t { constant, reflect /* without the edge itself */, symmetric /* with it */, edge };

enum class Reduction : uint8_t { sum, mean, max, min, prod };
enum class Relation : uint8_t { equal, not_equal, less, less_equal, greater, greater_equal };
enum class Connective : uint8_t { all /* and */, any /* or */, odd /* exclusive or */ };

// Where an output pixel lies in the input, along one axis, and what is taken there.
struct Resize {
  enum class Mode : uint8_t { nearest, linear, cubic };
  // x_in of x_out, with scale = out / in: half_pixel (x + 0.5) / scale - 0.5; asymmetric x / scale; align_corners
  // x * (in - 1) / (out - 1); pytorch_half_pixel: half_pixel, but 0 where out is 1; tf_half_pixel_nearest (x + 0.5) /
  // scale; half_pixel_symmetric: half_pixel around the middle, where in * scale is no whole number.
  enum class Coordinates : uint8_t {
    half_pixel,
    asymmetric,
    align_corners,
    pytorch_half_pixel,
    tf_half_pixel_nearest,
    half_pixel_symmetric
  };
  enum class Nearest : uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil };
  Mode mode = Mode::nearest;
  Coordinates coordinates = Coordinates::half_pixel;
  Nearest nearest = Nearest::round_prefer_floor;
  float cubic_a = -0.75f;        // cubic: the free coefficient
  bool exclude_outside = false;  // cubic, antialias: pixels outside have no weight, else they are the nearest inside
  bool antialias = false;        // linear, cubic: where it shrinks, the kernel is as much wider
  std::vector<float> scales;     // out / in per axis where the file gives them; empty: from the shapes
};

struct Node {
  OpKind op = OpKind::identity;
  std::string name;    // as in the file, or its first output's name
  std::string source;  // operator type in the file, such as "QLinearConv"
  std::vector<TensorId> inputs, outputs;
  Window window;
  int64_t group = 1;
  int64_t residues = 1;  // conv: a transposed one whose channels this many neighbouring outputs have (split_transposed)
  bool undelegated = false;  // conv in profile xnn: XNNPACK does not take it, so it rounds as in tfl-ruy
  Unary function = Unary::relu;
  float alpha = 0, beta = 0;
  int axis = 0;
  std::vector<int64_t> perm;           // transpose, channel_permute
  std::vector<int64_t> starts, steps;  // slice
  std::vector<int64_t> axes;           // reduce: ascending, never negative
  Reduction reduction = Reduction::sum;
  Relation relation = Relation::equal;
  Connective connective = Connective::all;
  Resize resize;
  int64_t block = 1;              // depth_to_space, space_to_depth
  bool column_row_depth = false;  // depth_to_space: the depth is split as c, block, block rather than block, block, c
  bool select_last = false;       // arg
  std::vector<int64_t> pads;      // pad: begins then ends, one per axis
  PadMode pad_mode = PadMode::constant;
  bool count_include_pad = false;
  bool channels_last = false;         // of ops that know images, after layout: whether its tensors are n, h, w, c
  std::string island;                 // why it works outside of int8; empty: it does not
  QRange range;                       // fused clamp on the output, in its quantized values
  std::optional<FusedAdd> fused_add;  // then inputs[3] is the other addend
  std::vector<SumRange> sums;         // conv, linear after prove_ranges: one per output channel
};

struct Graph {
  std::string name;
  std::string producer;        // as the file says
  std::string format;          // "ONNX opset 17, QDQ"
  bool external_data = false;  // constants came from other files too
  std::vector<Tensor> tensors;
  std::vector<Node> nodes;  // topological order
  std::vector<TensorId> inputs, outputs;
  Profile profile = Profile::ort;
  std::string profile_reason;  // why this one
  bool channels_last = false;  // false: rank-4 tensors are n, c, h, w as in ONNX; layout makes it true: n, h, w, c

  Tensor& tensor(TensorId id) { return tensors[static_cast<size_t>(id)]; }
  const Tensor& tensor(TensorId id) const { return tensors[static_cast<size_t>(id)]; }
  TensorId add(Tensor tensor);
  template <class T>
  TensorId add_constant(std::string name, DType dtype, Shape shape, std::span<const T> values);
};

template <class T>
TensorId Graph::add_constant(std::string name, DType dtype, Shape shape, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  auto data = std::make_shared<const ConstantBytes>(std::vector<std::byte>(bytes.begin(), bytes.end()));
  return add({.name = std::move(name), .dtype = dtype, .shape = std::move(shape), .data = std::move(data)});
}

// producer[t]: index of the node that writes tensor t, or -1; consumers[t]: the nodes that read it, in order.
struct GraphIndex {
  explicit GraphIndex(const Graph& graph);
  std::vector<int> producer;
  std::vector<std::vector<int>> consumers;
};

// Throws an internal error naming the node if the graph is malformed: ids out of range, a tensor written twice or read
// before it is written, constants of the wrong size, quantization vectors of the wrong length.
void verify(const Graph& graph);

// Text form, one node a line.
std::string print(const Graph& graph);

// Removes nodes whose outputs nobody reads, and renumbers nothing else.
void remove_dead_nodes(Graph& graph);

}  // namespace octet
