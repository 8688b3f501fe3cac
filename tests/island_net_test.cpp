// Small quantized networks with islands in them: the lowered kernels must give exactly what the graph says. Scales are
// powers of two and the islands' ops exact on them, so that every rounding is the quantizers' own.
#include <gtest/gtest.h>

#include <ostream>

#include "generator/passes/passes.h"
#include "tests/support/conv_net.h"
#include "tests/support/quantized_net.h"

namespace octet {
namespace {

struct Case {
  const char* name;
  void (*build)(QuantizedNet&);
  int islands;  // that are left when the passes are done
};
std::ostream& operator<<(std::ostream& os, const Case& c) {
  return os << c.name;
}

// With the parameters of the network's input, as ops that move values hand them on.
TensorId same(QuantizedNet& n, TensorId x, const std::string& name) {
  return n.q(x, name, kIn, n.flavour().zero_in);
}

TensorId indices(QuantizedNet& n, const std::string& name, Shape shape, const std::vector<int64_t>& values) {
  return n.graph.add_constant<int64_t>(name, DType::s64, std::move(shape), values);
}

const std::vector<Case> kCases = {
    {"product_of_activations",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 3, 4, 5});
       const TensorId y = n.q(n.input("other", {2, 3, 5, 2}), "other_q", 0x1p-5f, 3);
       n.output(n.out_q(n.node({.op = OpKind::matmul, .name = "matmul"}, {x, y}, {2, 3, 4, 2}), "y"));
     },
     6},
    {"integers_read_plainly",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 5, 3, 4});
       const TensorId at = n.graph.add({.name = "at", .dtype = DType::s64, .shape = {2, 1, 3, 4}});
       n.graph.nodes.push_back({.op = OpKind::arg,
                                .name = "arg",
                                .inputs = {n.graph.nodes.back().inputs[0]},
                                .outputs = {at},
                                .axis = 1,
                                .reduction = Reduction::max});
       n.output(at);
       n.output(n.out_q(n.conv1("conv", x, 3), "y"));
     },
     1},
    {"float_ops_between_convolutions",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 4, 4, 4});
       const TensorId a = n.out_q(n.conv3("conv", x, 6), "a");
       const TensorId b = n.binary(OpKind::maximum, "max", a, n.constant("floor", {6, 1, 1}, {0, 1, -1, 2, -2, 0.5f}));
       const TensorId c =
           n.node({.op = OpKind::reduce, .name = "mean", .axes = {1}, .reduction = Reduction::max}, {b}, {1, 1, 4, 4});
       n.output(n.out_q(n.conv1("conv2", n.out_q(c, "c"), 3), "y"));
       n.output(c);
     },
     2},
    {"weights_only",
     [](QuantizedNet& n) {
       const TensorId x = n.input("x", {2, 3, 5});
       const TensorId y = n.node({.op = OpKind::linear, .name = "fc"}, {x, n.some_weights("w", {7, 5})}, {2, 3, 7});
       n.output(n.out_q(y, "y"));
     },
     1},
    {"squeeze_and_select",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 3, 2, 5});
       const TensorId y = same(n, n.input("other", {2, 3, 2, 5}), "other_q");
       const TensorId less = n.graph.add({.name = "less", .dtype = DType::boolean, .shape = {2, 3, 2, 5}});
       n.graph.nodes.push_back(
           {.op = OpKind::compare, .name = "compare", .inputs = {x, y}, .outputs = {less}, .relation = Relation::less});
       const TensorId z = n.node({.op = OpKind::where, .name = "where"}, {less, x, y}, {2, 3, 2, 5});
       n.output(same(n, z, "z"));
       n.output(less);
     },
     2},
    {"gathers",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 5, 3, 4});
       const auto gather = [&](const std::string& name, TensorId from, int axis, const Shape& shape,
                               const std::vector<int64_t>& list) {
         Shape to(n.shape(from).begin(), n.shape(from).begin() + axis);
         to.insert(to.end(), shape.begin(), shape.end());
         to.insert(to.end(), n.shape(from).begin() + axis + 1, n.shape(from).end());
         return same(n,
                     n.node({.op = OpKind::gather, .name = name, .axis = axis},
                            {from, indices(n, name + "_i", shape, list)}, to),
                     name + "_q");
       };
       n.output(gather("channels", x, 1, {3}, {4, -5, 2}));
       n.output(gather("rows", x, 2, {2, 2}, {0, 2, -1, 1}));
       n.output(gather("one", x, 3, {}, {2}));
       n.output(n.out_q(n.conv1("conv", gather("pixels", x, 3, {7}, {0, 1, 2, 3, 0, -1, -4}), 3), "c"));
       const TensorId nd = n.node({.op = OpKind::gather_nd, .name = "nd"},
                                  {x, indices(n, "nd_i", {3, 2}, {0, 4, 1, -1, 1, 0})}, {3, 3, 4});
       n.output(same(n, nd, "nd_q"));
     },
     0},
    {"moves_of_every_kind",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 8, 3, 5});
       n.output(same(n, n.node({.op = OpKind::tile, .name = "tile"}, {x}, {2, 24, 3, 10}), "tile_q"));
       n.output(
           same(n, n.node({.op = OpKind::depth_to_space, .name = "d2s", .block = 2}, {x}, {2, 2, 6, 10}), "d2s_q"));
       n.output(same(n,
                     n.node({.op = OpKind::depth_to_space, .name = "crd", .block = 2, .column_row_depth = true}, {x},
                            {2, 2, 6, 10}),
                     "crd_q"));
       n.output(same(n, n.pad("mirror", x, {0, 2, 1, 5, 0, 3, 3, 0}, 0, PadMode::symmetric), "mirror_q"));
       n.output(same(n, n.slice("backwards", x, {1, 7, 2, 4}, {-1, -3, -1, -2}, {2, 3, 3, 3}), "backwards_q"));
       const TensorId six = n.reshape("six", x, {2, 2, 4, 3, 5, 1});
       n.output(same(n, n.transpose("turn", same(n, six, "six_q"), {4, 2, 5, 0, 3, 1}), "turn_q"));
       n.output(same(n,
                     n.node({.op = OpKind::expand, .name = "expand"},
                            {n.slice("first", x, {0, 0, 0, 0}, {1, 1, 1, 1}, {2, 8, 1, 5})}, {2, 8, 4, 5}),
                     "expand_q"));
     },
     0},
    {"space_to_depth_and_back",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 4, 6});
       const TensorId y =
           same(n, n.node({.op = OpKind::space_to_depth, .name = "s2d", .block = 2}, {x}, {1, 12, 2, 3}), "s");
       const TensorId z = n.out_q(n.conv1("conv", y, 8), "z");
       n.output(n.out_q(n.node({.op = OpKind::depth_to_space, .name = "d2s", .block = 2}, {z}, {1, 2, 4, 6}), "y"));
     },
     0},
    {"resizes",
     [](QuantizedNet& n) {
       const TensorId x = n.start({1, 3, 4, 6});
       const Resize nearest{.coordinates = Resize::Coordinates::asymmetric, .nearest = Resize::Nearest::floor};
       const TensorId big =
           same(n, n.node({.op = OpKind::resize, .name = "nearest", .resize = nearest}, {x}, {1, 3, 8, 18}), "big");
       n.output(n.out_q(n.conv3("conv", big, 4, 2), "y"));
       const Resize linear{.mode = Resize::Mode::linear};
       n.output(n.out_q(n.node({.op = OpKind::resize, .name = "linear", .resize = linear}, {x}, {1, 3, 8, 3}), "z"));
     },
     2},
    {"constants_and_inputs_as_outputs",
     [](QuantizedNet& n) {
       const TensorId x = n.input("x", {2, 3}), k = n.constant("k", {3}, {1, 2, 3});
       n.output(x);
       n.output(k);
       n.output(x);
       const TensorId y = n.binary(OpKind::sub, "sub", x, k);
       n.output(y);
       n.output(y);
     },
     1},
    {"ranks_of_five_and_more",
     [](QuantizedNet& n) {
       const TensorId x = n.start({2, 1, 3, 2, 3, 2});
       const TensorId y = n.node({.op = OpKind::reduce, .name = "sum", .axes = {0, 4}}, {x}, {1, 3, 2, 2});
       n.output(n.out_q(y, "y"));
     },
     1},
    {"scalars",
     [](QuantizedNet& n) {
       const TensorId x = n.start({4});
       const TensorId y = n.node({.op = OpKind::reduce, .name = "sum", .axes = {0}}, {x}, {});
       n.output(y);
       n.output(n.out_q(n.binary(OpKind::div, "div", y, n.constant("four", {}, {4})), "z"));
     },
     2},
};

using Setting = std::tuple<Case, int, bool, bool>;  // flavour, fuse, views

class IslandNetworks : public testing::TestWithParam<Setting> {};

TEST_P(IslandNetworks, KernelsGiveWhatTheGraphSays) {
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
      EXPECT_EQ(expected[i], got[i]) << "output " << i << "\n" << print(graph);
    EXPECT_EQ(std::count_if(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) { return !n.island.empty(); }),
              c.islands)
        << print(graph);
  }
  if (c.islands > 0) {
    EXPECT_NE(refusal(net), "no error");
  }
}

INSTANTIATE_TEST_SUITE_P(All, IslandNetworks,
                         testing::Combine(testing::ValuesIn(kCases),
                                          testing::Range(0, static_cast<int>(kFlavours.size())), testing::Bool(),
                                          testing::Bool()),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  std::to_string(std::get<1>(info.param)) + (std::get<2>(info.param) ? "_fused" : "") +
                                  (std::get<3>(info.param) ? "_views" : "");
                         });

}  // namespace
}  // namespace octet
