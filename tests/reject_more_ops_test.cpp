// What the importer refuses of ops that move, reduce, resize and normalize.
#include <cmath>

#include "tests/support/reject_case.h"

namespace octet::test {
namespace {

INSTANTIATE_TEST_SUITE_P(
    MoreOps, Reject,
    testing::Values(
        Refusal{"ResizeBeyond",
                [](OnnxBuilder& b) {
                  one(b, "Resize", {}, {"", "", b.ints("z", {1, 3, 4, (1 << 24) + 1})});
                },
                {"axis 3 of 1x3x4x4 becomes 16777217; supported: 1 to 16777216 elements"}},
        Refusal{"ResizeCubic",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {4}, {1, 1, 2, 2}), one(b, "Resize", {attr("mode", "bicubic")}, {"", "s"});
                },
                {"attribute mode is 'bicubic'; supported: nearest, linear, cubic"}},
        Refusal{"ResizeAntialias",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {4}, {1, 1, 2, 2}), one(b, "Resize", {attr("antialias", 1)}, {"", "s"});
                },
                {"attribute antialias is 1 in mode nearest; supported: modes linear and cubic"}},
        Refusal{"ResizeOutside",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {4}, {1, 1, 2, 2}),
                      one(b, "Resize", {attr("mode", "linear"), attr("exclude_outside", 1)}, {"", "s"});
                },
                {"attribute exclude_outside is 1 in mode linear"}},
        Refusal{"ResizeCoefficient",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {4}, {1, 1, 2, 2}),
                      one(b, "Resize", {attr("mode", "cubic"), attr("cubic_coeff_a", NAN)}, {"", "s"});
                },
                {"attribute cubic_coeff_a is nan"}},
        Refusal{"ResizePolicy",
                [](OnnxBuilder& b) {
                  one(b, "Resize", {attr("keep_aspect_ratio_policy", "fit")}, {"", "", b.ints("z", {1, 3, 4, 4})});
                },
                {"attribute keep_aspect_ratio_policy is 'fit'; supported: stretch, not_larger, not_smaller"}},
        Refusal{"ElementsRank",
                [](OnnxBuilder& b) { one(b, "GatherElements", {}, {b.ints("i", {0})}); },
                {"indices of shape 1 into 1x3x4x4"}},
        Refusal{"ElementsBeyond",
                [](OnnxBuilder& b) {
                  b.constant<int64_t>("i", {1, 1, 1, 1}, {-4}), one(b, "GatherElements", {attr("axis", 1)}, {"i"});
                },
                {"index -4 of 3 rows"}},
        Refusal{"ShiftOfFloats",
                [](OnnxBuilder& b) { one(b, "BitShift", {attr("direction", "LEFT")}, {"x"}); },
                {"input 'x' has dtype f32; supported: u8"}},
        Refusal{"ShiftNowhere",
                [](OnnxBuilder& b) {
                  b.input("x", {4}, Type::UINT8), b.output(b.node("BitShift", {"x", "x"}, "y"));
                },
                {"attribute direction is ''; supported: LEFT, RIGHT"}},
        Refusal{"ComputedWeights",
                [](OnnxBuilder& b) {
                  b.input("w", {2, 2, 1, 1}), one(b, "Conv", {}, {"w"});
                },
                {"weights 2x2x1x1 and input 1x3x4x4"}},
        Refusal{"ResizeCrop",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {4}, {1, 1, 2, 2}),
                      one(b, "Resize", {attr("coordinate_transformation_mode", "tf_crop_and_resize")}, {"", "s"});
                },
                {"attribute coordinate_transformation_mode is 'tf_crop_and_resize'"}},
        Refusal{"ResizeNothing", [](OnnxBuilder& b) { one(b, "Resize"); }, {"scales and sizes; supported: one"}},
        Refusal{"ResizeScaleCount",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {2}, {2, 2}), one(b, "Resize", {}, {"", "s"});
                },
                {"2 scales for 4 axes"}},
        Refusal{"ResizeToNothing",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {4}, {1, 1, 0.1F, 1}), one(b, "Resize", {}, {"", "s"});
                },
                {"scale 0.1 of axis 2"}},
        Refusal{"ResizeNan",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {4}, {1, 1, NAN, 1}), one(b, "Resize", {}, {"", "s"});
                },
                {"scale nan of axis 2"}},
        Refusal{"Blocks",
                [](OnnxBuilder& b) { one(b, "DepthToSpace", {attr("blocksize", 2)}); },
                {"attribute blocksize is 2 for 1x3x4x4"}},
        Refusal{"BlocksOfNothing", [](OnnxBuilder& b) { one(b, "SpaceToDepth"); }, {"attribute blocksize is 0"}},
        Refusal{"AxisTwice",
                [](OnnxBuilder& b) {
                  one(b, "ReduceMax", {attr("axes", Ints{1, -3})});
                },
                {"an axis appears twice"}},
        Refusal{"ReduceNothing",
                [](OnnxBuilder& b) {
                  b.constant<float>("none", {0}, {});
                  b.output(b.node("ReduceSum", {"none"}, "y", {attr("keepdims", 0)}));
                },
                {"tensor 'none' has shape 0; supported: tensors with elements"}},
        Refusal{"ReduceBooleans",
                [](OnnxBuilder& b) {
                  b.input("x", {2}), b.scalar("k", 0), b.node("Less", {"x", "k"}, "l");
                  b.output(b.node("ReduceMax", {"l"}, "y"));
                },
                {"has dtype bool"}},
        Refusal{"ModOfReals", [](OnnxBuilder& b) { one(b, "Mod", {attr("fmod", 1)}, {"x"}); }, {"has dtype f32"}},
        Refusal{"PReluSlopes",
                [](OnnxBuilder& b) {
                  b.constant<float>("k", {2, 3, 4, 4}, Floats(96, 1)), one(b, "PRelu", {}, {"k"});
                },
                {"slopes of shape 2x3x4x4"}},
        Refusal{"LayerNormShape",
                [](OnnxBuilder& b) {
                  b.constant<float>("k", {3}, {1, 2, 3}), one(b, "LayerNormalization", {}, {"k"});
                },
                {"has shape 3; supported: 4"}},
        Refusal{
            "Groups",
            [](OnnxBuilder& b) {
              b.constant<float>("k", {2}, {1, 2}), one(b, "GroupNormalization", {attr("num_groups", 2)}, {"k", "k"});
            },
            {"attribute num_groups is 2 for 1x3x4x4"}},
        Refusal{"TransposedGroups",
                [](OnnxBuilder& b) {
                  b.constant<float>("k", {3, 1, 1, 1}, {1, 2, 3}), one(b, "ConvTranspose", {attr("group", 2)}, {"k"});
                },
                {"attribute group is 2"}},
        Refusal{"TransposedTooLarge",
                [](OnnxBuilder& b) {
                  b.constant<float>("k", {3, 1, 1, 1}, {1, 2, 3}),
                      one(b, "ConvTranspose", {attr("output_shape", Ints{5, 4})}, {"k"});
                },
                {"attribute output_shape is 5; supported: at most 4"}},
        Refusal{"TransposedPadding",
                [](OnnxBuilder& b) {
                  b.constant<float>("k", {3, 1, 1, 1}, {1, 2, 3}),
                      one(b, "ConvTranspose", {attr("output_padding", Ints{1, 0})}, {"k"});
                },
                {"attribute output_padding is [1, 0]; supported: less than stride"}},
        Refusal{"TransposedToNothing",
                [](OnnxBuilder& b) {
                  b.constant<float>("k", {3, 1, 1, 1}, {1, 2, 3}),
                      one(b, "ConvTranspose", {attr("pads", Ints{4, 0, 4, 0})}, {"k"});
                },
                {"shape 1x1x-4x4 with a negative dimension"}},
        Refusal{"GatherBeyond",
                [](OnnxBuilder& b) { b.ints("i", {1}), one(b, "Gather", {}, {"i"}); },
                {"index 1 of 1 rows"}},
        Refusal{"GatherNDDepth",
                [](OnnxBuilder& b) {
                  b.constant<int64_t>("i", {1, 5}, {0, 0, 0, 0, 0}), one(b, "GatherND", {}, {"i"});
                },
                {"indices of shape 1x5 into 1x3x4x4"}},
        Refusal{"TileCount",
                [](OnnxBuilder& b) { b.ints("r", {2}), one(b, "Tile", {}, {"r"}); },
                {"1 repeats for 1x3x4x4"}},
        Refusal{"TileHuge",
                [](OnnxBuilder& b) {
                  b.ints("r", {INT64_MAX, INT64_MAX, 1, 1}), one(b, "Tile", {}, {"r"});
                },
                {"node 'y' (Tile)"}},
        Refusal{"WhereCondition",
                [](OnnxBuilder& b) {
                  one(b, "Where", {}, {"x", "x"});
                },
                {"has dtype f32; supported: bool"}},
        Refusal{"BatchDims",
                [](OnnxBuilder& b) {
                  b.constant<int64_t>("i", {1, 1}, {0}), one(b, "GatherND", {attr("batch_dims", 1)}, {"i"});
                },
                {"attribute batch_dims is 1"}},
        Refusal{"Conv3dWeights",
                [](OnnxBuilder& b) {
                  b.input("x", {1, 1, 2, 2, 2}), b.constant<float>("w", {1, 1, 1, 1}, {1});
                  b.output(b.node("Conv", {"x", "w"}, "y"));
                },
                {"weights of shape 1x1x1x1 for an input of shape 1x1x2x2x2"}}),
    refusal_name);

}  // namespace
}  // namespace octet::test
