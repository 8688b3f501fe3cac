// Layers split for threads: the parts together write what the whole writes.
#include "generator/schedule/split.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "generator/kernel/reference.h"
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
  args.p[OCTET_SCALE] = data.multiplier.data();
  return args;
}

class Split : public testing::TestWithParam<int> {};

TEST_P(Split, ConvolutionPartsWriteTheWhole) {
  size_t in_parts = 0;
  for (const char* line : {"40x40x16 -> 32 k3 p1 split:rows", "29x31x8 -> 20 k5 s2 p2 split:odd_rows",
                           "17x20x8 -> 24 k3 d2 p0,1,4,2 split:asymmetric", "7x7x64 -> 320 k3 p1 split:channels",
                           "1x1x700 -> 1000 split:linear", "7x7x192 -> 192 k3 p1 g192 split:depthwise_channels",
                           "28x28x64 -> 64 k3 s2 p1 g64 split:depthwise_rows", "3x3x64 -> 64 k7 p3 split:over_image",
                           "16x16x64 -> 64 k3 p1 g2 split:groups", "n2 20x20x32 -> 64 k3 p1 split:batch"})
    for (size_t numbers : {size_t{0}, conv_numbers().size() - 1}) {
      const ConvCase c = make_conv_case(parse_conv_shape(line), conv_numbers()[numbers], 7);
      const std::vector<Part> parts = split(c.spec, GetParam());
      in_parts += parts.size() > 1;
      ConvOutput out(c.spec);
      OctetArgs args{};
      args.p[OCTET_SRC] = c.src.data();
      args.p[OCTET_SRC2] = c.src2.data();
      args.p[OCTET_DST] = out.data();
      for (const Part& p : parts) {
        const ConvData data = select_channels(c.spec, c.data, p.oc_begin, p.oc_count);
        reference(p.spec, raw_args(data, shifted(args, p)));
      }
      EXPECT_EQ(out.fault(expected_conv(c)), "") << line << ", " << c.name << ", " << parts.size() << " parts";
    }
  EXPECT_GE(in_parts, 12u) << "most of these layers are worth splitting";
}

TEST_P(Split, ElementwisePartsWriteTheWhole) {
  size_t in_parts = 0;
  for (KernelSpec spec : kernel_specs()) {
    // Large enough to be worth it: the same layer with more pixels.
    std::visit(
        [](auto& s) {
          if constexpr (requires { s.pixels; }) s.pixels *= 200;
        },
        spec);
    const std::vector<Part> parts = split(spec, GetParam());
    if (parts.size() == 1) continue;
    ++in_parts;
    const KernelCase c(spec, 3);
    const auto whole = c.run([&](const OctetArgs& args) { reference(spec, args); });
    const auto pieces = c.run([&](const OctetArgs& args) {
      for (const Part& p : parts) reference(p.spec, shifted(args, p));
    });
    EXPECT_EQ(c.fault(whole, pieces), "") << to_string(spec);
  }
  EXPECT_GE(in_parts, 20u);
}

INSTANTIATE_TEST_SUITE_P(Threads, Split, testing::Values(2, 3, 8),
                         [](const auto& i) { return fmt::format("{}", i.param); });

}  // namespace
}  // namespace octet
