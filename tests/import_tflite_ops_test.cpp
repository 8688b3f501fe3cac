// The graph form of TFLite's ops that move values: what becomes of their options, inputs and shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/tflite_case.h"

namespace octet::test {
namespace {

using fb::BuiltinOperator;
using testing::ElementsAre;

TEST_P(ImportTfliteOp, HasItsForm) {
  const TfliteCase& c = GetParam();
  TfliteBuilder b;
  const int x = b.input(b.tensor("x", c.x, kGrid)), y = b.output(b.tensor("y", {}, kGrid));
  c.build(b, x, y);
  const Graph g = b.import();
  std::string nodes;
  for (const Node& n : g.nodes) nodes += (nodes.empty() ? "" : " ") + std::string(op_name(n.op));
  EXPECT_EQ(nodes, c.nodes) << print(g);
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, Shape(c.y.begin(), c.y.end()));
  EXPECT_EQ(g.tensor(g.outputs[0]).quant, (QuantParams{{0.5F}, {3}}));
  EXPECT_EQ(g.nodes.back().outputs[0], g.outputs[0]);
  if (c.check) c.check(g);
}

Build paddings(BuiltinOperator op, std::vector<int32_t> rows) {
  return [=](TfliteBuilder& b, int x, int y) {
    b.op(op, {x, b.constant<int32_t>("p", {static_cast<int32_t>(rows.size() / 2), 2}, rows)}, {y});
  };
}

fb::ReshapeOptionsT new_shape(std::vector<int32_t> shape) {
  fb::ReshapeOptionsT o;
  o.new_shape = std::move(shape);
  return o;
}

fb::SqueezeOptionsT squeeze_dims(std::vector<int32_t> dims) {
  fb::SqueezeOptionsT o;
  o.squeeze_dims = std::move(dims);
  return o;
}

INSTANTIATE_TEST_SUITE_P(
    Movement, ImportTfliteOp,
    testing::Values(
        TfliteCase{"ReshapeByInput", {2, 6}, with_ints(BuiltinOperator::RESHAPE, {3, -1}), "reshape", {3, 4}},
        TfliteCase{"ReshapeByOption", {2, 6}, with_options(BuiltinOperator::RESHAPE, new_shape({12})), "reshape", {12}},
        TfliteCase{
            "SqueezeNamed", {1, 3, 1}, with_options(BuiltinOperator::SQUEEZE, squeeze_dims({-1})), "reshape", {1, 3}},
        TfliteCase{"SqueezeAll", {1, 3, 1}, with_options(BuiltinOperator::SQUEEZE, squeeze_dims({})), "reshape", {3}},
        TfliteCase{"ExpandDims", {2, 3}, with_ints(BuiltinOperator::EXPAND_DIMS, {-1}), "reshape", {2, 3, 1}},
        TfliteCase{"Transpose",
                   {2, 3, 4},
                   with_ints(BuiltinOperator::TRANSPOSE, {2, 0, 1}),
                   "transpose",
                   {4, 2, 3},
                   [](const Graph& g) { EXPECT_THAT(g.nodes[0].perm, ElementsAre(2, 0, 1)); }},
        TfliteCase{"Pad",
                   {2, 3},
                   paddings(BuiltinOperator::PAD, {1, 2, 0, 4}),
                   "pad",
                   {5, 7},
                   [](const Graph& g) {
                     EXPECT_THAT(g.nodes[0].pads, ElementsAre(1, 0, 2, 4));
                     EXPECT_EQ(g.nodes[0].alpha, 0);
                   }},
        TfliteCase{"PadWithANumber",
                   {2},
                   [](TfliteBuilder& b, int x, int y) {
                     b.op(BuiltinOperator::PADV2,
                          {x, b.constant<int32_t>("p", {1, 2}, {1, 0}), b.constant<int8_t>("v", {}, {-5}, kGrid)}, {y});
                   },
                   "pad",
                   {3},
                   [](const Graph& g) { EXPECT_EQ(g.nodes[0].alpha, -4); }},
        TfliteCase{"MirrorPad",
                   {3},
                   [](TfliteBuilder& b, int x, int y) {
                     fb::MirrorPadOptionsT o;
                     o.mode = fb::MirrorPadMode::SYMMETRIC;
                     b.op(BuiltinOperator::MIRROR_PAD, {x, b.constant<int32_t>("p", {1, 2}, {3, 1})}, {y}, o);
                   },
                   "pad",
                   {7},
                   [](const Graph& g) { EXPECT_EQ(g.nodes[0].pad_mode, PadMode::symmetric); }},
        TfliteCase{"BroadcastTo", {3, 1}, with_ints(BuiltinOperator::BROADCAST_TO, {2, 3, 4}), "expand", {2, 3, 4}},
        TfliteCase{"Tile", {3, 1}, with_ints(BuiltinOperator::TILE, {2, 5}), "tile", {6, 5}},
        TfliteCase{"Gather",
                   {2, 3, 4},
                   [](TfliteBuilder& b, int x, int y) {
                     fb::GatherOptionsT o;
                     o.axis = -2;
                     b.op(BuiltinOperator::GATHER, {x, b.constant<int32_t>("i", {5, 1}, {0, 1, 2, 1, 0})}, {y}, o);
                   },
                   "gather",
                   {2, 5, 1, 4},
                   [](const Graph& g) { EXPECT_EQ(g.nodes[0].axis, 1); }},
        TfliteCase{
            "GatherNd",
            {2, 3, 4},
            [](TfliteBuilder& b, int x, int y) {
              b.op(BuiltinOperator::GATHER_ND, {x, b.constant<int32_t>("i", {5, 2}, std::vector<int32_t>(10, 1))}, {y});
            },
            "gather_nd",
            {5, 4}}),
    tflite_case_name);

struct Masks {
  int begin = 0, end = 0, ellipsis = 0, new_axis = 0, shrink = 0;
};

Build strided(std::vector<int32_t> begin, std::vector<int32_t> end, std::vector<int32_t> steps, Masks m = {}) {
  return [=](TfliteBuilder& b, int x, int y) {
    fb::StridedSliceOptionsT o;
    o.begin_mask = m.begin;
    o.end_mask = m.end;
    o.ellipsis_mask = m.ellipsis;
    o.new_axis_mask = m.new_axis;
    o.shrink_axis_mask = m.shrink;
    b.op(BuiltinOperator::STRIDED_SLICE, {x, b.ints("b", begin), b.ints("e", end), b.ints("s", steps)}, {y}, o);
  };
}

std::function<void(const Graph&)> cut(Shape starts, Shape steps) {
  return [=](const Graph& g) {
    EXPECT_EQ(g.nodes[0].starts, starts);
    EXPECT_EQ(g.nodes[0].steps, steps);
  };
}

INSTANTIATE_TEST_SUITE_P(
    Slices, ImportTfliteOp,
    testing::Values(
        TfliteCase{"Slice",
                   {4, 5},
                   [](TfliteBuilder& b, int x, int y) {
                     b.op(BuiltinOperator::SLICE, {x, b.ints("b", {1, 2}), b.ints("s", {2, -1})}, {y});
                   },
                   "slice",
                   {2, 3},
                   cut({1, 2}, {1, 1})},
        TfliteCase{"Strided", {4, 9}, strided({1, -8}, {3, 100}, {1, 3}), "slice", {2, 3}, cut({1, 1}, {1, 3})},
        TfliteCase{"Backwards", {4, 9}, strided({-1, 8}, {-5, 0}, {-1, -3}), "slice", {4, 3}, cut({3, 8}, {-1, -3})},
        TfliteCase{"OpenEnds",
                   {4, 9},
                   strided({2, 1}, {3, 0}, {1, -4}, {.begin = 2, .end = 3}),
                   "slice",
                   {2, 3},
                   cut({2, 8}, {1, -4})},
        TfliteCase{"FewerEntriesThanDimensions",
                   {4, 9, 2},
                   strided({1}, {2}, {1}),
                   "slice",
                   {1, 9, 2},
                   cut({1, 0, 0}, {1, 1, 1})},
        TfliteCase{"Shrink",
                   {4, 9},
                   strided({-1, 2}, {0, 5}, {1, 1}, {.shrink = 1}),
                   "slice reshape",
                   {3},
                   cut({3, 2}, {1, 1})},
        TfliteCase{"NewAxisAndEllipsis",
                   {4, 9, 2},
                   strided({0, 0, 1}, {0, 0, 2}, {1, 1, 1}, {.ellipsis = 2, .new_axis = 1, .shrink = 4}),
                   "slice reshape",
                   {1, 4, 9},
                   cut({0, 0, 1}, {1, 1, 1})}),
    tflite_case_name);

TEST(ImportTfliteSlices, OffsetCountsEndsFromBegins) {
  TfliteBuilder b;
  b.input(b.tensor("x", {9}, kGrid));
  b.output(b.tensor("y", {}, kGrid));
  fb::StridedSliceOptionsT o;
  o.offset = true;
  b.op(BuiltinOperator::STRIDED_SLICE, {0, b.ints("b", {2}), b.ints("e", {3}), b.ints("s", {1})}, {1}, o);
  const Graph g = b.import();
  EXPECT_THAT(g.tensor(g.outputs[0]).shape, ElementsAre(3));
}

// --- several outputs, several inputs

TEST(ImportTfliteParts, Split) {
  TfliteBuilder b;
  const int axis = b.constant<int32_t>("axis", {}, {-1});
  b.input(b.tensor("x", {2, 6}, kGrid));
  for (const char* name : {"a", "b", "c"}) b.output(b.tensor(name, {}, kGrid));
  fb::SplitOptionsT o;
  o.num_splits = 3;
  b.op(BuiltinOperator::SPLIT, {axis, 1}, {2, 3, 4}, o);
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 1U);
  EXPECT_EQ(g.nodes[0].axis, 1);
  for (TensorId t : g.outputs) EXPECT_THAT(g.tensor(t).shape, ElementsAre(2, 2));
}

TEST(ImportTfliteParts, SplitOfSizes) {
  TfliteBuilder b;
  b.input(b.tensor("x", {6, 2}, kGrid));
  for (const char* name : {"a", "b"}) b.output(b.tensor(name, {}, kGrid));
  b.op(BuiltinOperator::SPLIT_V, {0, b.ints("sizes", {-1, 5}), b.constant<int32_t>("axis", {}, {0})}, {1, 2});
  const Graph g = b.import();
  EXPECT_THAT(g.tensor(g.outputs[0]).shape, ElementsAre(1, 2));
  EXPECT_THAT(g.tensor(g.outputs[1]).shape, ElementsAre(5, 2));
}

TEST(ImportTfliteParts, PackAndUnpack) {
  TfliteBuilder b;
  b.input(b.tensor("x", {2, 3}, kGrid));
  b.input(b.tensor("y", {2, 3}, kGrid));
  b.tensor("packed", {}, kGrid);
  b.output(b.tensor("u", {}, kGrid));
  b.output(b.tensor("v", {}, kGrid));
  fb::PackOptionsT pack;
  pack.axis = 1;
  pack.values_count = 2;
  b.op(BuiltinOperator::PACK, {0, 1}, {2}, pack);
  fb::UnpackOptionsT unpack;
  unpack.axis = -2;
  unpack.num = 2;
  b.op(BuiltinOperator::UNPACK, {2}, {3, 4}, unpack);
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 6U) << print(g);
  EXPECT_EQ(g.nodes[2].op, OpKind::concat);
  EXPECT_EQ(g.nodes[2].axis, 1);
  EXPECT_THAT(g.tensor(g.nodes[2].outputs[0]).shape, ElementsAre(2, 2, 3));
  EXPECT_EQ(g.nodes[3].op, OpKind::split);
  EXPECT_THAT(g.tensor(g.nodes[3].outputs[1]).shape, ElementsAre(2, 1, 3));
  EXPECT_THAT(g.tensor(g.outputs[1]).shape, ElementsAre(2, 3));
}

// The runtimes requantize unequal u8 inputs; those of s8 are equal.
TEST(ImportTfliteParts, Concatenation) {
  TfliteBuilder b;
  const auto u8 = fb::TensorType::UINT8;
  b.input(b.tensor("x", {2, 3}, {{0.5F}, {3}}, u8));
  b.input(b.tensor("y", {2, 4}, {{0.25F}, {9}}, u8));
  b.output(b.tensor("z", {}, {{0.5F}, {0}}, u8));
  fb::ConcatenationOptionsT o;
  o.axis = -1;
  b.op(BuiltinOperator::CONCATENATION, {0, 1}, {2}, o);
  const Graph g = b.import();
  EXPECT_EQ(g.nodes[0].axis, 1);
  EXPECT_THAT(g.tensor(g.outputs[0]).shape, ElementsAre(2, 7));
}

// Keras' way to flatten: the target is computed from the shape.
TEST(ImportTfliteFolding, ShapeComputationsVanish) {
  TfliteBuilder b;
  b.at(b.input(b.tensor("x", {1, 4, 6}, kGrid))).shape_signature = {-1, 4, 6};
  const auto s32 = fb::TensorType::INT32;
  const int shape = b.tensor("shape", {3}, {}, s32), batch = b.tensor("batch", {}, {}, s32);
  const int twice = b.tensor("twice", {}, {}, s32), target = b.tensor("target", {2}, {}, s32);
  const int y = b.output(b.tensor("y", {}, kGrid));
  b.op(BuiltinOperator::SHAPE, {0}, {shape});
  fb::StridedSliceOptionsT o;
  o.shrink_axis_mask = 1;
  b.op(BuiltinOperator::STRIDED_SLICE, {shape, b.ints("b", {0}), b.ints("e", {1}), b.ints("s", {1})}, {batch}, o);
  b.op(BuiltinOperator::MUL, {batch, b.constant<int32_t>("two", {}, {2})}, {twice}, fb::MulOptionsT());
  fb::PackOptionsT pack;
  pack.values_count = 2;
  b.op(BuiltinOperator::PACK, {twice, b.constant<int32_t>("rest", {}, {-1})}, {target}, pack);
  b.op(BuiltinOperator::RESHAPE, {0, target}, {y});
  const Graph g = b.import({.batch = 5});
  ASSERT_EQ(g.nodes.size(), 1U) << print(g);
  EXPECT_THAT(g.tensor(g.outputs[0]).shape, ElementsAre(10, 12));
}

}  // namespace
}  // namespace octet::test
