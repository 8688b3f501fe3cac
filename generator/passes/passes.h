// The passes: Graph in, Graph out, one list. After the last one every node has an integer form or is an island
// (Node::island), quantized activations are channels-last, and lower() can translate node by node.
//
// Two conventions of the result: a `unary` node on quantized tensors carries its table as inputs[1] (256 bytes indexed
// by the source's byte, both as the dtypes read them), so `function` only says what the table came from; and `pad`
// keeps its real value in alpha.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "generator/graph/graph.h"

namespace octet {

// ---- to integers
void fold_constants(Graph& graph);     // constants through quantize, transpose, reshape; identities vanish
void match_linear(Graph& graph);       // matmul with constant right side, and its bias, becomes linear
void fold_batch_norm(Graph& graph);    // conv or linear, factors per channel, batch norm: weights and bias take them
void merge_quantize(Graph& graph);     // equal quantize nodes on one tensor
void move_quantization(Graph& graph);  // dequantize sinks, quantize rises through ops that only move values
void fold_qdq(Graph& graph);           // dequantize -> op -> relu, clip -> quantize becomes the quantized op
void align_operands(Graph& graph);     // operands of add and mul get the result's rank, and ORT's order
void quantize_biases(Graph& graph);    // every bias s32 with scale s_x * s_w, or f32 where the profile adds it in float
void fold_tables(Graph& graph);        // elementwise functions of one quantized tensor become a 256-entry table
void requantize_moves(Graph& graph);   // ops that only move bytes get equal parameters on both sides
void fold_requantize(Graph& graph);    // dequantize -> quantize becomes requantize, or nothing
void split_ties(Graph& graph);         // LiteRT's requantizations that round by an element's place
void pool_reductions(Graph& graph);    // TensorFlow Lite's means and sums over any axes become pools
void split_matmul(Graph& graph);       // quantized products with a constant stack of matrices become linears
void match_functions(Graph& graph);    // layer norm and gelu, spelled out, that are left in float
void check_integer(Graph& graph);      // --strict-int8: user error naming the node where a float op is left
void expand_matmul(Graph& graph);      // quantized products of activations: sums, and their rounding in f32
void make_islands(Graph& graph);       // what has no integer form works between dequantize and quantize
void check_profile(Graph& graph);      // user error naming the node where the graph's profile has no formula

// ---- to fewer nodes; every rounding stays
void fuse_ranges(Graph& graph);    // a table that only clamps joins its producer
void fuse_tables(Graph& graph);    // table after table, and x * T[x]
void fuse_concats(Graph& graph);   // of one piece
void fuse_pads(Graph& graph);      // pad with the zero point joins the conv
void fuse_shuffles(Graph& graph);  // reshape - transpose - reshape becomes channel_permute; permutes compose
void fuse_adds(Graph& graph);      // residual add joins the conv or linear that makes one addend

// ---- to memory
void layout(Graph& graph);            // channels last; edges where integers enter and leave
void split_transposed(Graph& graph);  // transposed convolutions become ordinary ones and moves
void join_interleaves(Graph& graph);  // a shuffle of two joined pieces reads the pieces where they lie
void expand_operands(Graph& graph);   // operands of add and mul become what kernels read

// ---- what the weights prove
void prove_ranges(Graph& graph);   // what every channel and every accumulator can hold
void forget_ranges(Graph& graph);  // --no-prove: channels can hold what their type holds; sums stay, they are checked
void drop_clamps(Graph& graph);    // clamps that nothing reaches
void drop_channels(Graph& graph);  // channels that nobody needs, or that are one value which their readers can fold

struct PassOptions {
  bool fuse = true;          // false: every tensor of the file stays, for bisecting and for dumps
  bool prove = true;         // false: every channel of the file is computed and every clamp is done; the same bytes
  bool strict_int8 = false;  // true: islands are refused by name
  std::string dump_dir;      // when set: the graph before and after each pass, as text
  std::function<void(const char* pass, double milliseconds, const Graph&)> report;  // after each pass
};

struct Pass {
  const char* name;
  void (*run)(Graph&);
  enum When : uint8_t { always, fusing, proving, not_proving, strict } when = always;  // which option decides
};
const std::vector<Pass>& all_passes();

// All passes in order, each followed by verify() and the removal of dead nodes.
void run_passes(Graph& graph, const PassOptions& options = {});

}  // namespace octet
