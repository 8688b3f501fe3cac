// ONNX (default domain opset 10 to 23, com.microsoft's quantized ops) -> Graph, literally.
//
// What passes receive:
//
// Layout and shapes. n, c, h, w as in the file, all dimensions known and positive, any dtype. A 1-D conv or pool keeps
// its rank-3 tensors (weights [oc, ic / group, kw]) and has window.kh = 1. auto_pad is resolved into pads; ceil_mode
// shows in the output's shape only, so a window may reach beyond pad_bottom and pad_right. Axes and starts are never
// negative.
//
// Quantization parameters are on tensors, never inputs: quantize has one input and QuantParams on its output;
// dequantize has one input with QuantParams. A constant read with two sets of parameters comes as two tensors sharing
// their data. One scale or one-element vectors give axis -1. Integer tensors between (a max_pool on u8, a u8 graph
// input that is reshaped and then dequantized) have the parameters of their neighbours; a u8 tensor that nothing ever
// (de)quantizes has none. A Cast that changes no type, Identity, Dropout and duplicate names for one value are gone;
// QuantizeLinear of a constant is a constant. Duplicate dequantize nodes are as in the file.
//
// QDQ models: float ops between quantize and dequantize nodes, as in the file. Weights are dequantize(constant).
//   conv     x, weights, [bias]: weights f32 constant or dequantize(constant u8/s8, axis 0 or per tensor); bias f32
//            constant or dequantize(constant s32), shape [oc].
//   linear   from Gemm, and from MatMul whose right side is constant and of rank 2 (through Transpose too). Weights are
//            always [oc, k] row-major with axis 0 or -1, either an f32 constant or dequantize(constant): other layouts
//            in the file are transposed here, in new tensors named NAME^T. Bias as for conv, shape [oc]; Gemm's C that
//            is not such a bias stays an add node behind. alpha and beta are 1 (or folded into f32 constants).
//   matmul   every other MatMul, and QLinearMatMul without constant weights.
//   batch_norm, instance_norm, group_norm   parameters are f32 constants [c] (dequantized here if the file quantizes
//            them; repeated where there is one per group).
//   conv_transpose   as conv, with weights [ic, oc / group, kh, kw]; its pads crop, output_padding shows in the shape.
// A 3-D conv comes as a 2-D one over images of planes, a 1-D conv_transpose as one over a row, between moves; Gelu by
// tanh, Sum and Max of more than two, Mod with fmod 1, ReduceL1, ReduceL2, ReduceSumSquare, Gemm of two activations,
// DynamicQuantizeMatMul and MatMulIntegerToFloat as several nodes, named after theirs with a suffix. Arithmetic on u8,
// s8 and boolean integers stands between casts to s32. QOperator models: the folded form at once, tensors u8 or s8 with
// QuantParams on every one of them.
//   conv, linear   from QLinearConv, QLinearMatMul (constant right side), QGemm: weights constant u8/s8, [oc, k] for
//   linear,
//            axis 0 or per tensor; bias an s32 constant without QuantParams, on the grid s_x * s_w.
//   add, mul, concat, average_pool, global_average_pool, unary, softmax   likewise, from QLinear*.
//
// `source` is the operator type in the file ("QLinearAdd", "ReduceMean"). global_average_pool comes from
// GlobalAveragePool, QLinearGlobalAveragePool and from ReduceMean over all spatial axes; with keepdims = 0 a reshape
// follows, named after the node with "/reshape" appended, and between the two stands a float tensor NAME/kept. Softmax
// below opset 13 is over all axes from `axis` on: if that is more than one that matters, it stands between reshapes.
// Clip has alpha and beta, -inf and +inf where absent. Relu and Clip between integer tensors are an
// identity node with `range`, which is more than an identity. Binary ops broadcast as in the file (operands may have
// lower rank). Names of constants and nodes are the file's; nodes without a name have their first output's.
//
// Constants. Subgraphs on constants and shapes are folded (Shape, Gather, Concat, Slice, Cast, arithmetic, comparisons,
// Where, reductions ...), and so are layout changes of constants (Transpose, Reshape, Squeeze, Unsqueeze). Other float
// ops on constants stay nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/import/model.h"

namespace octet {

// User errors name the file, node, attribute and value, and what is supported. External data is read from files beside
// the model.
Graph import_onnx(const std::filesystem::path& path, const ImportOptions& options = {});

// `name` stands for the file in errors; external data is refused.
Graph import_onnx(std::span<const std::byte> bytes, const ImportOptions& options = {},
                  const std::string& name = "model");

// "Add", "com.microsoft.QLinearAdd", sorted.
std::vector<std::string> supported_onnx_ops();

FileSummary summarize_onnx(const std::filesystem::path& path);

}  // namespace octet
