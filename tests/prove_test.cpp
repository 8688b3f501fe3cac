// What the weights prove: ranges are right at both ends, channels that nobody needs go, and no byte changes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "generator/kernel/requant.h"
#include "generator/passes/passes.h"
#include "generator/passes/place.h"
#include "generator/passes/sums.h"
#include "tests/support/quantized_net.h"

namespace octet {
namespace {

// ---- windows and sums

TEST(TapsInside, FewestAndMostOfAllPositions) {
  EXPECT_EQ(taps_inside(5, 5, 3, 1, 1, 1), (TapsInside{2, 3}));
  EXPECT_EQ(taps_inside(6, 3, 3, 2, 1, 0), (TapsInside{2, 3})) << "the last window sticks out";
  EXPECT_EQ(taps_inside(7, 3, 3, 2, 1, 0), (TapsInside{3, 3}));
  EXPECT_EQ(taps_inside(7, 3, 3, 2, 1, 1), (TapsInside{2, 3}));
  EXPECT_EQ(taps_inside(1, 1, 3, 1, 1, 1), (TapsInside{1, 1}));
  EXPECT_EQ(taps_inside(3, 3, 2, 1, 4, 2), (TapsInside{0, 1})) << "taps two pixels left and right";
  EXPECT_EQ(taps_inside(2, 4, 1, 1, 1, 1), (TapsInside{0, 1}));
  EXPECT_EQ(taps_inside(1 << 30, 1 << 30, 32767, 1, 1, 16383), (TapsInside{16384, 32767})) << "at once";
  for (int in = 1; in < 9; ++in)
    for (int taps = 1; taps < 5; ++taps)
      for (int stride = 1; stride < 4; ++stride)
        for (int dilation = 1; dilation < 4; ++dilation)
          for (int pad = 0; pad < 4; ++pad) {
            const int out = (in + 2 * pad) / stride + 1;
            TapsInside expected{taps, 0};
            for (int o = 0; o < out; ++o) {
              int count = 0;
              for (int k = 0; k < taps; ++k) {
                const int i = o * stride - pad + k * dilation;
                count += i >= 0 && i < in;
              }
              expected = {std::min(expected.fewest, count), std::max(expected.most, count)};
            }
            ASSERT_EQ(taps_inside(in, out, taps, stride, dilation, pad), expected)
                << in << " " << taps << " " << stride << " " << dilation << " " << pad;
          }
}

const Node& node_called(const Graph& graph, const std::string& name) {
  for (const Node& n : graph.nodes)
    if (n.name == name) return n;
  throw std::runtime_error("no node " + name);
}
const Tensor& result_of(const Graph& graph, const std::string& node) {
  return graph.tensor(node_called(graph, node).outputs[0]);
}

Graph passed(const QuantizedNet& net, bool prove = true) {
  Graph graph = net.graph;
  run_passes(graph, {.prove = prove});
  return graph;
}

// Sizes that only the machine's memory and patience would bound.
TEST(ProveRanges, HugePoolsAreNotTried) {
  QuantizedNet net(kFlavours[0]);
  const TensorId x = net.start({1, 2, 2900, 2900});
  net.output(net.out_q(net.global_pool("whole", x), "y"));
  const Window window{.kh = 3001, .kw = 3001, .pad_top = 1500, .pad_left = 1500};
  net.output(net.out_q(
      net.node({.op = OpKind::average_pool, .name = "windows", .window = window}, {x}, {1, 2, 2500, 2500}), "z"));
  const Graph graph = passed(net);
  for (const char* name : {"whole", "windows"})
    for (const QRange& r : result_of(graph, name).proved) EXPECT_EQ(r, (QRange{0, 255})) << name;
}

// Every input byte at both ends, and what the sums and the result's bytes reach.
TEST(ProveRanges, AreReachedAtBothEnds) {
  for (const Flavour& flavour : kFlavours) {
    QuantizedNet net(flavour);
    const TensorId x = net.qdq(net.input("x", {1, 4}), "x_q", kIn, flavour.zero_in, flavour.activations);
    net.output(net.out_q(net.linear("fc", x, 3), "y"));
    const Graph graph = passed(net);
    const Node& fc = node_called(graph, "fc");
    const Tensor& y = graph.tensor(fc.outputs[0]);
    ASSERT_EQ(y.proved.size(), 3u);
    std::vector<double> least(3, 1e9), most(3, -1e9);
    for (int corner = 0; corner < 16; ++corner) {
      std::vector<double> values(4);
      for (int k = 0; k < 4; ++k) values[static_cast<size_t>(k)] = corner >> k & 1 ? 1e6 : -1e6;
      const Arrays got = run_lowered(graph, {values}, true);
      for (size_t c = 0; c < 3; ++c) {
        const double q = got[0][c] / static_cast<double>(kOut) + flavour.zero_out;
        least[c] = std::min(least[c], q);
        most[c] = std::max(most[c], q);
      }
    }
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_EQ(y.proved[c].lo, least[c]) << c;
      EXPECT_EQ(y.proved[c].hi, most[c]) << c;
    }
  }
}

TEST(ProveRanges, SumsJoinThePadding) {
  for (const bool padded : {false, true}) {
    Net net;
    const TensorId w = net.weights("w", DType::s8, {1, 1, 2, 1}, {3, -5}, {{1.0f}, {0}, -1});
    const TensorId x =
        net.qdq(net.unary("relu", net.qdq(net.input("x", {1, 1, 4, 1}), "x_q", 1.0f, 10), Unary::clip, 5, 25), "r_q",
                1.0f, 10);  // 15 to 35, so 5 to 25 above the zero point
    const Window window{.kh = 2, .pad_bottom = padded};
    net.output(net.qdq(net.conv("conv", x, w, kNoTensor, window, {1, 1, padded ? 4 : 3, 1}), "y", 1.0f, 3));
    run_passes(net.graph);
    const SumRange expected = padded ? SumRange{-5 * 25, 3 * 25} : SumRange{3 * 5 - 5 * 25, 3 * 25 - 5 * 5};
    EXPECT_EQ(node_called(net.graph, "conv").sums, std::vector{expected});
  }
}

TEST(ProveRanges, WithoutProvingChannelsHoldAnyByteAndSumsStay) {
  QuantizedNet net(kFlavours[0]);
  net.output(net.out_q(net.conv3("conv", net.start({1, 3, 4, 4}), 4), "y"));
  const Graph proved = passed(net), plain = passed(net, false);
  EXPECT_TRUE(result_of(plain, "conv").proved.empty());
  EXPECT_EQ(node_called(plain, "conv").sums, node_called(proved, "conv").sums);
}

// ---- channels

// A third of the channels stuck at one value, beyond what any input can change.
constexpr float kFar = 4096;
void stick_every_third(QuantizedNet& net, float bias) {
  net.stuck = [bias](int64_t c) { return c % 3 == 1 ? bias : 0; };
}

int64_t channels_after(const Graph& graph, const std::string& node) {
  return result_of(graph, node).shape.back();
}

TEST(DropChannels, GoFromALayerTheDepthwiseBehindItAndTheReader) {
  for (const Flavour& flavour : {kFlavours[0], kFlavours[3]}) {
    QuantizedNet net(flavour);
    const TensorId x = net.start({1, 3, 6, 5});
    stick_every_third(net, -kFar);
    const TensorId a = net.out_q(net.unary("relu1", net.conv3("conv1", x, 24), Unary::relu), "a");
    net.stuck = [](int64_t) { return 0.0f; };
    const TensorId b = net.out_q(net.unary("relu2", net.conv3("dw", a, 24, 1, 24), Unary::relu), "b");
    net.output(net.out_q(net.conv1("conv2", b, 8), "y"));
    const Graph graph = passed(net), whole = passed(net, false);
    EXPECT_EQ(channels_after(graph, "conv1"), 16);
    EXPECT_EQ(node_called(graph, "dw").group, 16);
    EXPECT_EQ(graph.tensor(node_called(graph, "conv2").inputs[1]).shape, (Shape{8, 16, 1, 1}));
    EXPECT_EQ(channels_after(graph, "conv2"), 8);
    EXPECT_EQ(channels_after(whole, "conv1"), 24);
  }
}

// Saturated channels are not the zero point, so only a reader without padding can take them in.
TEST(DropChannels, AValueThatIsNotTheZeroPointStaysWherePaddingMeetsIt) {
  for (const bool padded : {false, true}) {
    QuantizedNet net(kFlavours[0]);
    stick_every_third(net, kFar);
    const TensorId a = net.out_q(net.conv3("conv1", net.start({1, 3, 6, 5}), 12), "a");
    net.stuck = [](int64_t) { return 0.0f; };
    net.output(net.out_q(padded ? net.conv3("conv2", a, 4) : net.conv1("conv2", a, 4), "y"));
    EXPECT_EQ(channels_after(passed(net), "conv1"), padded ? 12 : 8);
  }
}

TEST(DropChannels, NotFromOutputsNorUnevenly) {
  QuantizedNet net(kFlavours[0]);
  stick_every_third(net, -kFar);
  const TensorId a = net.out_q(net.unary("relu", net.conv3("conv1", net.start({1, 3, 4, 4}), 12), Unary::relu), "a");
  net.output(a);
  const TensorId b = net.out_q(net.unary("relu3", net.conv3("conv3", a, 10), Unary::relu), "b");
  net.stuck = [](int64_t) { return 0.0f; };
  net.output(net.out_q(net.conv1("conv2", b, 4), "y"));
  EXPECT_EQ(channels_after(passed(net), "conv1"), 12);
  EXPECT_EQ(channels_after(passed(net), "conv3"), 8) << "3 of 10 could go; 7 is no multiple of 4";
}

TEST(DropChannels, ThatMeetOnlyZeroWeights) {
  QuantizedNet net(kFlavours[2]);
  const TensorId a = net.out_q(net.conv3("conv1", net.start({1, 3, 4, 4}), 8), "a");
  std::vector<int32_t> w(5 * 8, 7);
  for (size_t i = 0; i < w.size(); ++i)
    if (i % 8 >= 4) w[i] = 0;
  const TensorId weights = net.weights("w", DType::s8, {5, 8, 1, 1}, w, {{0x1p-4f}, {0}, -1});
  net.output(net.out_q(net.conv("conv2", a, weights, kNoTensor, {}, {1, 5, 4, 4}), "y"));
  EXPECT_EQ(channels_after(passed(net), "conv1"), 4);
}

TEST(DropChannels, ALayerThatIsConstantAsAWholeKeepsFour) {
  QuantizedNet net(kFlavours[0]);
  net.stuck = [](int64_t) { return -kFar; };
  const TensorId a = net.out_q(net.unary("relu", net.conv3("conv1", net.start({1, 3, 4, 4}), 16), Unary::relu), "a");
  net.stuck = [](int64_t) { return 0.0f; };
  net.output(net.out_q(net.conv3("conv2", a, 4), "y"));
  EXPECT_EQ(channels_after(passed(net), "conv1"), 4);
}

// ---- clamps

TEST(DropClamps, OnlySidesThatNothingReaches) {
  QuantizedNet net(kFlavours[0]);
  stick_every_third(net, 0);
  net.stuck = [](int64_t) { return 20.0f; };  // small sums around 20
  const TensorId x = net.start({1, 3, 4, 4});
  net.output(net.out_q(net.unary("relu", net.conv1("above", x, 4), Unary::clip, 0, 60), "a"));
  net.output(net.out_q(net.unary("clip", net.conv3("between", x, 4), Unary::clip, 20, 1000), "b"));
  const Graph graph = passed(net), plain = passed(net, false);
  const QRange whole;
  EXPECT_NE(node_called(plain, "between").range.lo, whole.lo);
  EXPECT_NE(node_called(graph, "between").range.lo, whole.lo) << "the sums lie on both sides of 20";
  EXPECT_EQ(node_called(graph, "above").range.hi, whole.hi);
}

// ---- random networks: the same bytes as the graph's meaning, proved or not

class RandomNet : public QuantizedNet {
 public:
  RandomNet(const Flavour& flavour, uint32_t seed) : QuantizedNet(flavour), random_(seed) {
    stuck = [this](int64_t c) { return mask_ >> (c % 16) & 1 ? (c % 4 == 3 ? kFar : -kFar) : 0.0f; };
    TensorId x = start({1 + pick(2), 3, 4 + pick(4), 5});
    for (int i = 0; i < 5; ++i) x = block(x);
    mask_ = 0;
    output(out_q(conv1("last", x, 3), "last_q"));
  }

 private:
  int64_t pick(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint32_t>(n)); }
  std::string name(const char* op) { return fmt::format("{}{}", op, ++names_); }

  // Few, half or all channels of the next layer are stuck, mostly below.
  void new_mask() {
    mask_ = random_() & random_();
    if (pick(3) == 0) mask_ |= random_();
    if (pick(8) == 0) mask_ = 0xFFFF;
  }

  TensorId activated(TensorId x) {
    const std::string n = name("act");
    switch (pick(4)) {
      case 0: return out_q(x, n);
      case 1: return out_q(unary(n, x, Unary::clip, 0, 6), n + "_q");
      default: return out_q(unary(n, x, Unary::relu), n + "_q");
    }
  }
  TensorId dense(TensorId x, int64_t oc) {
    new_mask();
    const bool wide = pick(2) == 0;
    return activated(wide ? conv3(name("conv"), x, oc) : conv1(name("conv"), x, oc));
  }
  TensorId depthwise(TensorId x) {
    new_mask();
    const int stride = shape(x)[2] > 4 ? 1 + static_cast<int>(pick(2)) : 1;
    return activated(conv3(name("dw"), x, shape(x)[1], stride, shape(x)[1]));
  }

  TensorId block(TensorId x) {
    const int64_t c = shape(x)[1];
    switch (pick(9)) {
      case 0: return depthwise(dense(x, 8 + pick(20)));
      case 1: return depthwise(x);
      case 2: return activated(add(name("add"), dense(x, c), x));
      case 3: return out_q(concat(name("cat"), {dense(x, 4 + 4 * pick(3)), dense(x, 1 + pick(9))}, 1), name("cat_q"));
      case 4: {
        const TensorId a = dense(x, 12);
        const Shape half = {shape(a)[0], 8, shape(a)[2], shape(a)[3]};
        return out_q(slice(name("slice"), a, {0, 4, 0, 0}, {1, 1, 1, 1}, half), name("slice_q"));
      }
      case 5: {  // squeeze and scale
        const TensorId a = dense(x, 16);
        const TensorId g = activated(max_pool(name("pool"), a, {.kh = static_cast<int>(shape(a)[2]), .kw = 1},
                                              {shape(a)[0], 16, 1, shape(a)[3]}));
        return out_q(mul(name("mul"), a, dense(g, 16)), name("mul_q"));
      }
      case 6: {
        const TensorId a = dense(x, 12);
        const Shape s = shape(a);
        const TensorId apart = reshape(name("apart"), a, {s[0], 3, 4, s[2], s[3]});
        return out_q(reshape(name("join"), transpose(name("turn"), apart, {0, 2, 1, 3, 4}), s), name("shuffle_q"));
      }
      case 7: return out_q(add(name("add"), dense(x, 8), some_constant(name("constant"), {1, 8, 1, 1})), name("sum"));
      default: return dense(x, 4 + pick(24));
    }
  }

  Random random_;
  uint32_t mask_ = 0;
  int names_ = 0;
};

class RandomNetworks : public testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(RandomNetworks, GiveTheSameBytesWithFewerChannels) {
  const auto& [flavour, thread] = GetParam();
  int64_t before = 0, after = 0;
  for (uint32_t seed = 0; seed < 25; ++seed) {
    const RandomNet net(kFlavours[static_cast<size_t>(flavour)], 1000 * static_cast<uint32_t>(thread) + seed);
    const Arrays inputs = some_inputs(net.graph, seed), expected = evaluate(net.graph, inputs);
    for (const bool prove : {true, false}) {
      const Graph graph = passed(net, prove);
      for (const Node& n : graph.nodes)
        if (n.op == OpKind::conv) (prove ? after : before) += graph.tensor(n.outputs[0]).shape.back();
      for (const bool views : {true, false})
        ASSERT_EQ(expected, run_lowered(graph, inputs, views)) << "seed " << seed << ", prove " << prove << "\n"
                                                               << print(graph);
    }
  }
  EXPECT_LT(after, before * 9 / 10);
}

INSTANTIATE_TEST_SUITE_P(All, RandomNetworks,
                         testing::Combine(testing::Range(0, static_cast<int>(kFlavours.size())), testing::Range(0, 4)));

}  // namespace
}  // namespace octet
