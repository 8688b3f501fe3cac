// Whole small networks through all passes and lowering: the kernels' references must give exactly what the graph says.
// Scales are powers of two, so that every int8 formula is exact and every rounding tie is a real one.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>

#include "generator/passes/lower.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"
#include "tests/support/quantized_net.h"

namespace octet {
namespace {

struct Case {
  const char* name;
  void (*build)(QuantizedNet&);
};
std::ostream& operator<<(std::ostream& os, const Case& c) {
  return os << c.name;
}

const std::vector<Case> kCases = {
    {"conv_relu_residual",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 5, 6, 7});
       const TensorId a = n.out_q(n.unary("relu1", n.conv3("conv1", x, 5), Unary::relu), "a");
       const TensorId b = n.out_q(n.conv1("conv2", a, 5), "b");
       n.output(n.out_q(n.unary("relu2", n.add("add", b, x), Unary::relu), "y"));
     }},
    {"residual_of_two_convs_and_relu6",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 4, 5, 5});
       const TensorId a = n.out_q(n.unary("clip1", n.conv3("conv1", x, 6), Unary::clip, 0, 6), "a");
       const TensorId b = n.out_q(n.conv1("conv2", x, 6), "b");
       n.output(n.q(n.unary("clip2", n.add("add", a, b), Unary::clip, -1.5f, 3), "y", 0x1p-3f, 7));
     }},
    {"depthwise_grouped_strided",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 6, 7, 9});
       const TensorId a = n.out_q(n.conv3("dw", x, 6, 2, 6), "a");
       const TensorId b = n.out_q(n.conv3("grouped", a, 4, 1, 2), "b");
       n.output(n.out_q(n.conv3("multiplier", b, 8, 1, 4), "y"));
     }},
    {"asymmetric_pads_and_dilation",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 6, 6});
       const Window w{.kh = 2,
                      .kw = 3,
                      .stride_h = 2,
                      .dilation_w = 2,
                      .pad_top = 0,
                      .pad_left = 3,
                      .pad_bottom = 1,
                      .pad_right = 0};
       n.output(n.out_q(n.conv("conv", x, n.some_weights("w", {5, 3, 2, 3}), kNoTensor, w, {1, 5, 3, 5}), "y"));
     }},
    {"concat_of_odd_channels_and_scales",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 4, 5});
       const TensorId a = n.out_q(n.conv1("conv1", x, 5), "a");
       const TensorId b = n.q(n.conv1("conv2", x, 4), "b", 0x1p-3f, 9);
       const TensorId c = n.out_q(n.conv1("conv3", x, 2), "c");
       const TensorId y = n.out_q(n.concat("cat", {a, b, x, c}, 1), "y");
       n.output(n.out_q(n.conv1("conv4", y, 3), "z"));
       n.output(y);
     }},
    {"concat_with_constants",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 4, 5}), k = n.some_constant("k", {1, 5, 4, 5});
       n.output(n.out_q(n.concat("first", {k, x}, 1), "y"));
       n.output(n.out_q(n.concat("height", {x, n.some_constant("rows", {1, 3, 2, 5}), x}, 2), "z"));
     }},
    {"concat_in_place",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 4, 4, 5});
       const TensorId a = n.out_q(n.conv1("conv1", x, 8), "a"), b = n.out_q(n.conv3("conv2", x, 4), "b");
       const TensorId c = n.out_q(n.concat("cat1", {a, b}, 1), "c");
       const TensorId d = n.out_q(n.conv1("conv3", c, 6), "d");
       n.output(n.out_q(n.conv1("conv4", n.out_q(n.concat("cat2", {c, d, a}, 1), "e"), 3), "y"));
     }},
    {"concat_along_height_and_batch",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 4, 5});
       const TensorId a = n.out_q(n.conv1("conv1", x, 3), "a");
       const TensorId y = n.out_q(n.concat("cat", {a, x}, 2), "y");
       n.output(n.out_q(n.concat("cat2", {y, y}, 0), "z"));
     }},
    {"channel_shuffle",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 6, 3, 4});
       const auto shuffle = [&](const std::string& name, TensorId t, int64_t g) {
         const TensorId a = n.q(n.reshape(name + "_a", t, {1, g, 6 / g, 3, 4}), name + "_aq", kIn, n.flavour().zero_in);
         const TensorId b = n.q(n.transpose(name + "_b", a, {0, 2, 1, 3, 4}), name + "_bq", kIn, n.flavour().zero_in);
         return n.q(n.reshape(name + "_c", b, {1, 6, 3, 4}), name + "_cq", kIn, n.flavour().zero_in);
       };
       const TensorId y = shuffle("t", shuffle("s", x, 2), 3);
       n.output(n.slice("first", y, {0, 0, 0, 0}, {1, 1, 1, 1}, {1, 3, 3, 4}));
       n.output(n.out_q(n.conv1("conv", n.slice("second", y, {0, 3, 0, 0}, {1, 1, 1, 1}, {1, 3, 3, 4}), 4), "z"));
     }},
    {"shuffle_of_a_concat",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 5, 3, 4});
       const auto same = [&](TensorId t, const std::string& name) { return n.q(t, name, kIn, n.flavour().zero_in); };
       const auto shuffle = [&](const std::string& name, TensorId t, int64_t channels) {
         const TensorId a = same(n.reshape(name + "_a", t, {1, 2, channels / 2, 3, 4}), name + "_aq");
         const TensorId b = same(n.transpose(name + "_b", a, {0, 2, 1, 3, 4}), name + "_bq");
         return same(n.reshape(name + "_c", b, {1, channels, 3, 4}), name + "_cq");
       };
       const TensorId a = n.out_q(n.conv1("conv1", x, 5), "a");
       const TensorId s = shuffle("s", same(n.concat("cat1", {x, a}, 1), "c1"), 10);
       const TensorId b =
           n.out_q(n.conv1("conv2", n.slice("second", s, {0, 5, 0, 0}, {1, 1, 1, 1}, {1, 5, 3, 4}), 5), "b");
       const TensorId first = n.slice("first", s, {0, 0, 0, 0}, {1, 1, 1, 1}, {1, 5, 3, 4});
       n.output(shuffle("t", same(n.concat("cat2", {first, b}, 1), "c2"), 10));
       const TensorId whole = same(n.concat("cat3", {b, a}, 1), "c3");  // read twice: stays
       n.output(shuffle("u", whole, 10));
       n.output(n.out_q(n.conv1("conv3", whole, 4), "z"));
     }},
    {"split_and_strided_slice",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 7, 6, 5});
       n.graph.nodes.push_back({.op = OpKind::split, .name = "split", .source = "Split", .inputs = {x}, .axis = 1});
       std::vector<TensorId> parts;
       for (int64_t c : {4, 2, 1})
         parts.push_back(n.graph.add({.name = "part" + std::to_string(c), .shape = {1, c, 6, 5}}));
       n.graph.nodes.back().outputs = parts;
       for (TensorId p : parts)
         n.output(n.out_q(n.conv1("conv" + n.graph.tensor(p).name, p, 3), n.graph.tensor(p).name + "_q"));
       n.output(n.out_q(n.slice("strided", x, {0, 1, 1, 0}, {1, 3, 2, 2}, {1, 2, 3, 3}), "strided_q"));
     }},
    {"flatten_linear",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 5, 3, 2});
       const TensorId y = n.out_q(n.linear("fc", n.reshape("flatten", x, {2, 30}), 7), "y");
       n.output(n.out_q(n.linear("fc2", y, 3), "z"));
     }},
    {"more_channels_than_are_proved",
     [](QuantizedNet& n) {
       const TensorId x = n.out_q(n.conv1("conv", n.start({1, 3, 130, 130}), 4), "x4");
       const TensorId flat = n.q(n.reshape("flatten", x, {1, 4 * 130 * 130}), "flat", kOut, n.flavour().zero_out);
       const TensorId sum = n.out_q(n.unary("relu", n.add("add", flat, flat), Unary::relu), "sum");
       const TensorId few = n.slice("few", sum, {0, 5}, {1, 1}, {1, 20});
       n.output(n.out_q(n.linear("fc", sum, 1), "y"));
       n.output(n.out_q(n.linear("fc2", n.concat("cat", {few, few}, 1), 3), "z"));
     }},
    {"flatten_read_by_others",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 5, 3, 2});
       const TensorId flat = n.reshape("flatten", x, {2, 30});
       n.output(n.out_q(n.linear("fc", flat, 7), "y"));
       n.output(n.q(flat, "z", kIn, n.flavour().zero_in));
     }},
    {"matmul_with_bias",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 3, 5});
       QuantParams quant = per_channel(6, n.flavour().weights);
       quant.axis = 1;
       const TensorId w =
           n.weights("w", n.flavour().weights, {5, 6}, random_weights(30, n.flavour().weights, 3), quant);
       // What evaluate() knows is linear, so the meaning is given by linear with the transposed weights.
       n.output(n.out_q(
           n.add("bias", n.node({.op = OpKind::linear, .name = "fc"}, {x, n.transpose("turned", w, {1, 0})}, {2, 3, 6}),
                 n.some_bias("b", 6)),
           "y"));
     }},
    {"matmul_with_stacks_of_constants",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 1, 3, 5}), stack = n.some_constant("stack", {4, 5, 6});
       n.output(n.out_q(n.node({.op = OpKind::matmul, .name = "each"}, {x, stack}, {2, 4, 3, 6}), "y"));
       const TensorId one = n.some_constant("one", {1, 1, 1, 5, 2});
       n.output(n.out_q(n.node({.op = OpKind::matmul, .name = "shared"}, {x, one}, {1, 2, 1, 3, 2}), "z"));
     }},
    {"global_pool_and_excite",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 6, 4, 4});
       const TensorId s = n.out_q(n.global_pool("gap", x), "s");
       const TensorId e = n.q(n.unary("sigmoid", n.out_q(n.conv1("conv", s, 6), "e"), Unary::sigmoid), "g", 0x1p-8f, 0);
       const TensorId y = n.out_q(n.mul("scale", e, x), "y");
       n.output(n.out_q(n.reshape("flat", n.out_q(n.global_pool("gap2", y), "z"), {2, 6}), "out"));
     }},
    {"pads",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 4, 4});
       const TensorId a = n.q(n.pad("pad0", x, {0, 0, 1, 2, 0, 0, 0, 1}, 0), "a", kIn, n.flavour().zero_in);
       const TensorId b = n.out_q(
           n.conv("conv", a, n.some_weights("w", {4, 3, 2, 2}), kNoTensor, {.kh = 2, .kw = 2}, {1, 4, 4, 6}), "b");
       const TensorId c = n.out_q(n.pad("pad1", b, {0, 1, 0, 0, 0, 2, 1, 0}, 1.25f), "c");
       n.output(n.out_q(n.pad("crop", c, {0, -1, 1, -2, 0, -2, -1, 0}, -0.5f), "y"));
     }},
    {"reflected_and_repeated_edges",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 5, 3, 4});
       const std::vector<int64_t> all = {1, 3, 2, 0, 0, 4, 1, 3};
       for (const PadMode mode : {PadMode::reflect, PadMode::edge}) {
         const std::string name = mode == PadMode::edge ? "edge" : "reflect";
         n.output(n.q(n.pad(name, x, all, 0, mode), name + "_q", kIn, n.flavour().zero_in));
         const TensorId padded = n.pad(name + "2", x, {0, 0, 1, 1, 0, 0, 1, 1}, 0, mode);
         n.output(n.out_q(n.conv("conv_" + name, padded, n.some_weights("w_" + name, {4, 5, 3, 3}), kNoTensor,
                                 {.kh = 3, .kw = 3}, {2, 4, 3, 4}),
                          name + "_y"));
       }
       n.output(n.out_q(n.pad("long_edge", x, {0, 0, 9, 0, 0, 0, 0, 11}, 0, PadMode::edge), "l"));
     }},
    {"conv1d",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 3, 9});
       const Window w{.kw = 3, .stride_w = 2, .pad_left = 1, .pad_right = 1};
       const TensorId a =
           n.out_q(n.conv("conv", x, n.some_weights("w", {5, 3, 3}), n.some_bias("b", 5), w, {2, 5, 5}), "a");
       const TensorId b = n.out_q(n.unary("relu", n.add("add", a, a), Unary::relu), "b");
       const TensorId p = n.out_q(n.max_pool("pool", b, {.kw = 2, .stride_w = 2}, {2, 5, 2}), "p");
       n.output(n.out_q(n.linear("over_length", p, 3), "y"));
       n.output(n.out_q(n.linear("fc", n.reshape("flatten", p, {2, 10}), 4), "z"));
     }},
    {"max_pool_with_other_scale_and_relu",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 5, 6, 6});
       const Window w{.kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_left = 1};
       n.output(n.out_q(n.unary("relu", n.max_pool("pool", x, w, {1, 5, 3, 3}), Unary::relu), "y"));
     }},
    {"quantize_rises_through_moves",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 4, 4, 4});
       const TensorId a = n.unary("relu", n.conv3("conv", x, 6), Unary::relu);
       const TensorId b = n.max_pool("pool", a, {.kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2}, {1, 6, 2, 2});
       const TensorId c =
           n.conv1("conv2", n.max_pool("pool2", x, {.kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2}, {1, 4, 2, 2}), 2);
       n.output(n.out_q(n.reshape("flat", n.concat("cat", {b, c}, 1), {1, 32}), "y"));
     }},
    {"input_turned_before_quantize",
     [](QuantizedNet& n) {
       const TensorId x = n.transpose("turn", n.input("x", {1, 4, 5, 3}), {0, 3, 1, 2});
       n.output(n.out_q(n.conv3("conv", n.q(x, "x_q", kIn, n.flavour().zero_in), 4), "y"));
     }},
    {"turns_and_reshapes",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 4, 5});
       const TensorId a = n.transpose("to_nhwc", x, {0, 2, 3, 1});
       const TensorId b = n.reshape("odd_rows", a, {6, 10});
       const TensorId c = n.transpose("turn", n.reshape("cube", b, {2, 6, 5}), {2, 0, 1});
       n.output(n.out_q(n.linear("fc", c, 3), "y"));
       n.output(
           n.out_q(n.conv1("conv", n.transpose("back", n.reshape("image", b, {1, 5, 3, 4}), {0, 3, 1, 2}), 2), "z"));
     }},
    {"unary_chains",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 3, 3});
       const TensorId half = n.constant("half", {}, {0.5f});
       const TensorId a = n.mul("mul", n.unary("abs", x, Unary::abs), half);
       const TensorId b = n.node({.op = OpKind::sub, .name = "sub"}, {a, n.constant("one", {1}, {1.0f})}, n.shape(a));
       const TensorId c = n.out_q(n.mul("square_ish", b, x), "c");  // two paths from one tensor
       n.output(n.q(n.unary("neg", c, Unary::neg), "y", 0x1p-3f, 4));
       n.output(n.out_q(n.unary("clip", n.out_q(n.unary("relu", c, Unary::relu), "d"), Unary::clip, 0.25f, 2), "z"));
     }},
    {"scalar_operands",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 3, 3});
       const TensorId three = n.weights("three", DType::u8, {}, {201}, {{0x1p-5f}, {105}, -1});
       n.output(n.out_q(n.add("add", x, three), "y"));
       n.output(n.out_q(n.mul("mul", three, x), "z"));
     }},
    {"broadcast_activations",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 5, 3, 4});
       for (const Shape& s : std::vector<Shape>{{2, 5, 1, 1},
                                                {1, 5, 1, 1},
                                                {5, 1, 1},
                                                {5, 3, 1},
                                                {2, 1, 3, 4},
                                                {4},
                                                {3, 4},
                                                {2, 1, 1, 1},
                                                {1, 1, 3, 1},
                                                {1},
                                                {}})
         for (const OpKind op : {OpKind::add, OpKind::mul})
           for (const bool first : {false, true}) {
             const std::string name = fmt::format("{}_{}_{}", op_name(op), to_string(s), first);
             const TensorId b = n.q(n.input(name + "_x", s), name + "_q", kIn, n.flavour().zero_out);
             n.output(n.out_q(n.binary(op, name, first ? b : x, first ? x : b), name + "_y"));
           }
     }},
    {"broadcast_constants",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 5, 3, 4});
       for (const Shape& s : std::vector<Shape>{{2, 5, 3, 4}, {2, 5, 1, 1}, {1, 5, 1, 1}, {5, 1, 1}, {4}, {2, 1, 3, 1}})
         for (const OpKind op : {OpKind::add, OpKind::mul})
           for (const bool first : {false, true}) {
             const std::string name = fmt::format("{}_{}_{}", op_name(op), to_string(s), first);
             const TensorId b = n.some_constant(name + "_c", s);
             n.output(n.out_q(n.binary(op, name, first ? b : x, first ? x : b), name + "_y"));
           }
     }},
    {"broadcast_rows_and_both_ways",
     [](QuantizedNet& n) {
       const TensorId x = n.start({3, 6}), row = n.some_constant("row", {6}),
                      column = n.some_constant("column", {3, 1});
       n.output(n.out_q(n.add("bias", n.out_q(n.linear("fc", x, 6), "l"), row), "y"));
       n.output(n.out_q(n.mul("columns", column, x), "z"));
       const TensorId a = n.q(n.input("a", {2, 3, 1, 7}), "a_q", kIn, n.flavour().zero_in);
       const TensorId b = n.q(n.input("b", {5, 1}), "b_q", kIn, n.flavour().zero_out);
       n.output(n.out_q(n.add("outer", a, b), "o"));
       n.output(n.out_q(
           n.add("inner", n.q(n.input("c", {1, 1, 4}), "c_q", kIn, 7), n.q(n.input("d", {2, 3, 1}), "d_q", kIn, 9)),
           "i"));
     }},
    {"residual_from_a_constant",
     [](QuantizedNet& n) {
       const TensorId y = n.out_q(n.conv3("conv", n.start({2, 3, 4, 5}), 6), "c");
       n.output(n.out_q(n.unary("relu", n.add("add", n.some_constant("k", {2, 6, 4, 5}), y), Unary::relu), "y"));
     }},
    {"broadcast_beside_conv1d",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 3, 9});
       const TensorId a = n.out_q(n.conv("conv", x, n.some_weights("w", {5, 3, 1}), kNoTensor, {}, {2, 5, 9}), "a");
       const TensorId g = n.q(n.input("gate", {2, 5, 1}), "g", kIn, n.flavour().zero_in);
       n.output(n.out_q(n.mul("mul", n.out_q(n.add("add", a, n.some_constant("k", {5, 1})), "b"), g), "y"));
     }},
    {"transposed_convs",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 8, 3, 4});
       const auto add = [&](const char* name, int64_t oc, const Window& w, int64_t group = 1, int extra = 0) {
         n.output(n.out_q(n.conv_transpose(name, x, oc, w, group, extra), std::string(name) + "_y"));
       };
       add("k2s2", 8, {.kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2});
       add("k3s2p1_extra", 5, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, 1, 1);
       add("k4s2p1", 4, {4, 4, 2, 2, 1, 1, 1, 1, 1, 1});
       add("k3s1", 3, {.kh = 3, .kw = 3});
       add("k1s3_gaps", 4, {.stride_h = 3, .stride_w = 3});
       add("uneven", 6, {3, 5, 1, 3, 1, 1, 0, 2, 1, 0});
       add("dilated", 4, {3, 2, 2, 2, 2, 3, 1, 0, 0, 2});
       add("grouped", 6, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, 2);
       add("depthwise", 8, {4, 4, 2, 2, 1, 1, 1, 1, 1, 1}, 8);
       add("crops_much", 4, {3, 3, 2, 2, 1, 1, 3, 4, 2, 1});
       add("stride_beyond_the_result", 4, {5, 3, 9, 2, 1, 1, 8, 0, 10, 0});
     }},
    {"requantize_to_the_other_type",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 3, 3});
       const DType other = n.flavour().activations == DType::u8 ? DType::s8 : DType::u8;
       const int32_t shifted = n.flavour().zero_in + (other == DType::s8 ? -128 : 128);
       const TensorId a = n.qdq(x, "a", kIn, shifted, other);
       n.output(n.out_q(n.conv1("conv", n.qdq(a, "b", kOut, 3, other), 4), "y"));
     }},
    {"requantized_views",
     [](QuantizedNet& n) {
       const DType other = n.flavour().activations == DType::u8 ? DType::s8 : DType::u8;
       const auto turned = [&](TensorId t, const std::string& name, float scale, int32_t zero) {
         return n.qdq(t, name, scale, zero + (other == DType::s8 ? -128 : 128), other);
       };
       const TensorId x = n.start({1, 3, 3, 4});
       const TensorId a = n.out_q(n.conv1("conv1", x, 8), "a");
       const TensorId b = turned(a, "b", kOut, n.flavour().zero_out);
       const TensorId c = n.slice("c", b, {0, 4, 0, 0}, {1, 1, 1, 1}, {1, 4, 3, 4});
       const TensorId d = n.out_q(c, "d");  // back again
       n.output(n.out_q(n.concat("cat", {d, a, n.out_q(b, "again")}, 1), "y"));
       n.output(n.out_q(n.conv1("conv2", b, 4), "z"));
       n.output(turned(n.reshape("flat", d, {1, 48}), "w", kOut, n.flavour().zero_out));
     }},
    {"quantized_edges",
     [](QuantizedNet& n) {
       const DType t = n.flavour().activations;
       const TensorId x = n.graph.add(
           {.name = "x", .dtype = t, .shape = {2, 3, 2, 4}, .quant = QuantParams{{kIn}, {n.flavour().zero_in}, -1}});
       n.graph.inputs.push_back(x);
       const TensorId y = n.quantize(n.conv3("conv", n.dequantize(x), 5), "y", kOut, n.flavour().zero_out, t);
       n.output(y);
       n.output(n.quantize(n.reshape("flat", n.dequantize(y), {2, 40}), "z", kOut, n.flavour().zero_out, t));
       n.output(n.quantize(n.dequantize(x), "same", kIn, n.flavour().zero_in, t));
     }},
};

using Setting = std::tuple<Case, int, bool, bool>;  // flavour, fuse, views

class Networks : public testing::TestWithParam<Setting> {};

TEST_P(Networks, KernelsGiveWhatTheGraphSays) {
  const auto& [c, flavour, fuse, views] = GetParam();
  QuantizedNet net(kFlavours[static_cast<size_t>(flavour)]);
  c.build(net);
  const Arrays inputs = some_inputs(net.graph, 17), expected = evaluate(net.graph, inputs);
  for (const bool prove : {true, false}) {
    Graph graph = net.graph;
    run_passes(graph, {.fuse = fuse, .prove = prove});
    const Arrays got = run_lowered(graph, inputs, views);
    ASSERT_EQ(expected.size(), got.size());
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(expected[i], got[i]) << "output " << i << (prove ? ", proved" : "") << "\n" << print(graph);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Networks,
                         testing::Combine(testing::ValuesIn(kCases),
                                          testing::Range(0, static_cast<int>(kFlavours.size())), testing::Bool(),
                                          testing::Bool()),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  std::to_string(std::get<1>(info.param)) + (std::get<2>(info.param) ? "_fused" : "") +
                                  (std::get<3>(info.param) ? "_views" : "");
                         });

// What the passes or the lowering refuse the network for; empty where they take it.
std::string refusal(QuantizedNet& net) {
  try {
    run_passes(net.graph, {});
    lower(net.graph, place_tensors(net.graph));
    return "";
  } catch (const Error& e) {
    return e.kind() == ErrorKind::user ? e.what() : std::string("internal: ") + e.what();
  }
}

void expect_refusal(QuantizedNet& net, const std::string& words) {
  const std::string said = refusal(net);
  EXPECT_EQ(said.find("internal:"), std::string::npos) << said;
  EXPECT_NE(said.find(words), std::string::npos) << said;
}

TEST(Windows, StepsThatAreNeverTakenCostNothingAndOthersHaveALimit) {
  const auto conv = [](const Window& w, Shape out) {
    QuantizedNet net(kFlavours[0]);
    const TensorId x = net.start({1, 4, 3, 1 << 16});
    net.output(net.out_q(net.conv("conv", x, net.some_weights("w", {4, 4, w.kh, w.kw}), kNoTensor, w, out), "y"));
    return net;
  };
  QuantizedNet taken = conv({.stride_h = 30000}, {1, 4, 1, 1 << 16});
  EXPECT_EQ(refusal(taken), "");
  QuantizedNet refused = conv({.stride_h = 30000, .pad_bottom = 30000}, {1, 4, 2, 1 << 16});
  expect_refusal(refused, "30000 rows between taps, outputs or to the padding's end of 262144 bytes each");
}

TEST(Broadcast, AConstantThatWouldFillMemoryIsRefused) {
  QuantizedNet net(kFlavours[0]);
  const TensorId x = net.start({1, 5, 4096, 4096});  // layout moves the channels last
  net.output(net.out_q(net.add("add", x, net.some_constant("k", {1, 4096})), "y"));
  expect_refusal(net, "bytes; supported are 67108864");
}

TEST(Windows, GapsBetweenPixelsCountAsMemory) {
  QuantizedNet net(kFlavours[0]);
  const TensorId x = net.start({1, 1, 1 << 14, 1 << 15});
  net.output(net.out_q(net.conv1("conv", x, 1), "y"));
  expect_refusal(net, "takes 2147483648 bytes in memory");
}

TEST(Reshapes, RowsThatMeetInTooManyPiecesAreRefused) {
  QuantizedNet net(kFlavours[0]);
  net.output(net.out_q(net.reshape("r", net.start({100003, 6}), {6, 100003}), "y"));
  expect_refusal(net, "meet in 100009 pieces; supported are 65536");
}

TEST(Transposed, MoreWeightsThanMemoryAreRefused) {
  QuantizedNet net(kFlavours[0]);
  const Window far{.kh = 2, .kw = 2, .dilation_h = 20000, .dilation_w = 20000};
  net.output(net.out_q(net.conv_transpose("up", net.start({1, 4, 3, 3}), 4, far, 1, 0), "y"));
  expect_refusal(net, "strides 1x1, dilations 20000x20000");
}

}  // namespace
}  // namespace octet
