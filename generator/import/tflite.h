// TFLite (schema 3, one subgraph) -> Graph, literally.
//
// What passes receive:
//
// Layout and shapes. Channels last, as in the file: Graph::channels_last is set, rank-4 tensors are n, h, w, c, and
// axes, perms, starts and pads count the file's dimensions. Weights are turned into the order that every Graph has:
// conv [oc, ic / group, kh, kw], depthwise [c * m, 1, kh, kw] with group c, conv_transpose [ic, oc, kh, kw]; linear is
// [oc, k] as in the file. Padding is resolved into pads; those of conv_transpose crop its result, and are negative
// where its output is larger than what the windows reach. All dimensions are known and positive, axes and starts never
// negative.
//
// Quantization. There are no quantize or dequantize nodes but the file's own QUANTIZE and DEQUANTIZE, so ops come in
// the folded form at once: a conv whose tensors are s8 with QuantParams is the quantized conv. Every u8 and s8
// activation has parameters, one scale each; where the file gives none, scale 1 and zero point 0. Per-channel weights
// count along dimension 0, those of conv_transpose along 1. Biases are s32 constants without QuantParams, on the grid
// s_x * s_w. Ops that only move values have equal parameters on both sides, but for concat. Float ops are meant to be
// float, also between DEQUANTIZE and QUANTIZE: Node::island says so.
//
// Activations. What is fused into a quantized op is its node's `range`; into a float op, a unary node of its own behind
// it (and the op's result is NAME/linear).
//
// `source` is the operator ("CONV_2D"), `name` the name of the first output. FULLY_CONNECTED on more than two
// dimensions stands behind a reshape. MEAN over h and w that keeps them is global_average_pool, AVERAGE_POOL_2D always
// average_pool, other MEANs reduce. PACK is reshapes and a concat, UNPACK a split and reshapes. FLOAT16 constants are
// f32. Shapes and what is computed from constants and shapes is folded.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/import/model.h"

namespace octet {

// User errors name the file, node, option and value, and what is supported.
Graph import_tflite(const std::filesystem::path& path, const ImportOptions& options = {});

// `name` stands for the file in errors.
Graph import_tflite(std::span<const std::byte> bytes, const ImportOptions& options = {},
                    const std::string& name = "model");

// "ADD", "CONV_2D", sorted.
std::vector<std::string> supported_tflite_ops();

FileSummary summarize_tflite(const std::filesystem::path& path);

}  // namespace octet
