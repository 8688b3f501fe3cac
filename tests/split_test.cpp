// Layers split for threads: in every way the parts together write what the whole writes, and touch no more than their
// footprints say.
#include "generator/schedule/split.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "generator/kernel/plain.h"
#include "generator/kernel/reference.h"
#include "generator/schedule/order.h"
#include "generator/schedule/share.h"
#include "tests/support/conv_case.h"
#include "tests/support/kernel_case.h"

namespace octet {
namespace {

OctetArgs shifted(OctetArgs args, const Part& part) {
  const auto move = [&args](OctetArg which, int64_t by) {
    if (args.p[which]) args.p[which] = static_cast<const uint8_t*>(args.p[which]) + by;
  };
  move(OCTET_SRC, part.src_offset);
  move(OCTET_SRC2, part.src2_offset);
  move(OCTET_DST, part.dst_offset);
  return args;
}

OctetArgs raw_args(const ConvData& data, OctetArgs args) {
  args.p[OCTET_WEIGHTS] = data.weights.data();
  args.p[OCTET_BIAS] = data.bias.data();
  args.p[OCTET_SCALE] = data.scale.data();
  return args;
}

class Split : public testing::TestWithParam<int> {};

// Every byte that parts write lies in one part's footprint and in no other's.
void expect_disjoint(const std::vector<Part>& parts, const std::string& what) {
  std::vector<Region> written;
  for (const Part& p : parts) {
    const auto touched = footprint(p.spec);
    if (!touched) continue;
    written.push_back({OCTET_ARENA, 0, p.dst_offset, touched->dst.rows, touched->dst.bytes, touched->dst.pitch});
    for (size_t i = 0; i + 1 < written.size(); ++i)
      EXPECT_FALSE(overlap(written[i], written.back())) << what << ", parts " << i << " and " << written.size() - 1;
  }
}

TEST_P(Split, ConvolutionPartsWriteTheWhole) {
  size_t in_parts = 0;
  for (const char* line :
       {"40x40x16 -> 32 k3 p1 split:rows", "29x31x8 -> 20 k5 s2 p2 split:odd_rows",
        "17x20x8 -> 24 k3 d2 p0,1,4,2 split:asymmetric", "7x7x64 -> 320 k3 p1 split:channels",
        "1x1x700 -> 1000 split:linear", "7x7x192 -> 192 k3 p1 g192 split:depthwise_channels",
        "28x28x64 -> 64 k3 s2 p1 g64 split:depthwise_rows", "3x3x64 -> 64 k7 p3 split:over_image",
        "16x16x64 -> 64 k3 p1 g2 split:groups", "n2 20x20x32 -> 64 k3 p1 split:batch", "7x7x20 -> 44 split:pixels",
        "n3 5x5x20 -> 44 split:pixels_of_a_batch", "2x10x11 -> 22 s1x2 p0,0,2,0 split:rows_of_padding_below",
        "2x9x16 -> 8 k3 p4 split:rows_of_padding_around", "7x7x22 -> 22 k3 p1 g22 split:odd_channels"})
    for (size_t numbers : {size_t{0}, conv_numbers().size() - 1}) {
      const ConvCase c = make_conv_case(parse_conv_shape(line), conv_numbers()[numbers], 7);
      for (const std::vector<Part>& parts : splits(c.spec, GetParam())) {
        ++in_parts;
        EXPECT_LE(parts.size(), static_cast<size_t>(GetParam()));
        ConvOutput out(c.spec);
        OctetArgs args{};
        args.p[OCTET_SRC] = c.src.data();
        args.p[OCTET_SRC2] = c.src2.data();
        args.p[OCTET_DST] = out.data();
        for (const Part& p : parts) {
          const ConvData data = select_channels(c.spec, c.data, p.oc_begin, p.oc_count);
          reference(p.spec, raw_args(data, shifted(args, p)));
        }
        const std::string what = fmt::format("{}, {}, way {}", line, c.name, in_parts);
        EXPECT_EQ(out.fault(expected_conv(c)), "") << what;
        expect_disjoint(parts, what);
      }
    }
  EXPECT_GE(in_parts, 40u);
}

// Rows whose number times that of the parts is beyond 32 bits.
TEST(SplitHuge, PartsCoverAllRows) {
  constexpr int64_t kRows = 1598026776;
  int64_t rows = 0;
  const auto ways = splits(CopySpec{.dims = {kRows}, .src_strides = {1}, .dst_strides = {1}}, 3);
  ASSERT_EQ(ways.size(), 1u);
  for (const Part& p : ways[0]) rows += std::get<CopySpec>(p.spec).dims[0];
  EXPECT_EQ(rows, kRows);
}

TEST_P(Split, OtherPartsWriteTheWhole) {
  size_t in_parts = 0;
  std::set<std::string> ops;
  std::vector<KernelSpec> specs = kernel_specs();
  for (const KernelSpec& spec : specs)
    for (const std::vector<Part>& parts : splits(spec, GetParam())) {
      ++in_parts;
      ops.insert(spec_op_name(spec));
      const KernelCase c(spec, 3);
      const auto whole = c.run([&](const OctetArgs& args) { reference(spec, args); });
      const auto pieces = c.run([&](const OctetArgs& args) {
        for (const Part& p : parts) reference(p.spec, shifted(args, p));
      });
      EXPECT_EQ(c.fault(whole, pieces), "") << to_string(spec);
      expect_disjoint(parts, to_string(spec));
    }
  EXPECT_GE(in_parts, 40u);
  for (const char* op :
       {"add", "mul", "lut", "affine", "max_pool", "average_pool", "global_average_pool", "batch_matmul"})
    EXPECT_TRUE(ops.count(op)) << op;
}

TEST_P(Split, StridedCopiesWriteTheWhole) {
  const CopySpec whole{.dims = {7, 3, 5}, .src_strides = {1, 7, 21}, .dst_strides = {15, 5, 1}, .dst_offset = 2};
  std::vector<uint8_t> src(105), expected(120), got(120);
  std::iota(src.begin(), src.end(), uint8_t{1});
  const auto run = [&src](const KernelSpec& spec, std::vector<uint8_t>& dst, const Part& at) {
    OctetArgs args{};
    args.p[OCTET_SRC] = src.data();
    args.p[OCTET_DST] = dst.data();
    const auto plain = plain_kernel(spec);
    args = shifted(args, at);
    args.p[OCTET_CONSTANTS] = plain->params.data();
    plain->function(&args);
  };
  run(whole, expected, {});
  const auto ways = splits(whole, GetParam());
  ASSERT_EQ(ways.size(), 1u);
  for (const Part& p : ways[0]) run(p.spec, got, p);
  EXPECT_EQ(got, expected);
}

// ONNX Runtime's sums of a ReduceMean depend on where a channel stands; filled copies write bytes of other parts.
TEST_P(Split, SomeOpsStayWhole) {
  EXPECT_TRUE(
      splits(
          PoolSpec{
              .kind = PoolKind::whole, .n = 2, .ih = 7, .iw = 7, .channels = 512, .mean = {.form = MeanForm::vectors}},
          GetParam())
          .empty());
  EXPECT_TRUE(splits(CopySpec{.dims = {9}, .src_strides = {1}, .dst_strides = {1}, .fill = true}, GetParam()).empty());
}

INSTANTIATE_TEST_SUITE_P(Threads, Split, testing::Values(2, 3, 8),
                         [](const auto& i) { return fmt::format("{}", i.param); });

// Time is what decides: a layer of many cycles is shared, one of few is not, and a network only if all in all it gains.
TEST(Share, PaysOrStaysWhole) {
  const ConvSpec conv{.ih = 28, .iw = 28, .ic = 64, .oh = 28, .ow = 28, .oc = 64, .src_pitch = 64, .dst_pitch = 64};
  const std::vector<Layer> layers = {{conv, {0, 0}, {}, {1, 0}}, {conv, {1, 0}, {}, {2, 0}}};
  const auto shares = [&](double cycles_per_mac) {
    std::vector<size_t> parts;
    for (const auto& s :
         share(layers, 2, [&](const KernelSpec& s) { return cycles_per_mac * static_cast<double>(mac_count(s)); }))
      parts.push_back(s.size());
    return parts;
  };
  EXPECT_EQ(shares(1.0 / 64), (std::vector<size_t>{2, 2}));
  EXPECT_EQ(shares(1.0 / 640), (std::vector<size_t>{1, 1})) << "each layer would gain, the network not";
  EXPECT_EQ(shares(0), (std::vector<size_t>{1, 1})) << "no prediction";
}

// Rows stay with the thread whose cache has them, also where both ways are equally long.
TEST(Share, FollowsTheDataOfTheLayerBefore) {
  const ConvSpec conv{.ih = 28, .iw = 28, .ic = 128, .oh = 28, .ow = 28, .oc = 128, .src_pitch = 128, .dst_pitch = 128};
  const std::vector<Layer> layers(4, {conv, {0, 0}, {}, {0, 0}});
  for (const auto& shares : share(layers, 2, [](const KernelSpec& s) { return double(mac_count(s)); })) {
    ASSERT_EQ(shares.size(), 2u);
    EXPECT_EQ(shares[0].part.oc_count, 128);
    EXPECT_EQ(shares[1].thread, 1u);
    EXPECT_EQ(shares[1].part.dst_offset, 14 * 28 * 128);
  }
}

}  // namespace
}  // namespace octet
