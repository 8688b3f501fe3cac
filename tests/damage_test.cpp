// Damaged files: cut at every length, bytes changed, nested without end. The importer either takes them or says no.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <random>
#include <sstream>

#include "tests/support/onnx_builder.h"

namespace octet::test {
namespace {

// A bit of everything, small enough to damage every bit of it.
std::string model() {
  OnnxBuilder b(13);
  b.input("x", {-1, 2, 4, 4});
  const auto x = b.dequantize<uint8_t>(b.quantize<uint8_t>("x", 0.5F, 3, "q"), 0.5F, 3, "d");
  const auto w = b.dequantize<int8_t>(b.constant<int8_t>("w", {2, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), {1, 2}, 0, "dw");
  b.node("Conv", {x, w}, "c", {attr("group", 2), attr("pads", Ints{0, 0, 1, 1}), attr("strides", Ints{2, 2})});
  b.node("MaxPool", {"c"}, "p", {attr("kernel_shape", Ints{2, 2}), attr("auto_pad", "SAME_UPPER")});
  b.node("Clip", {"p", b.scalar("lo", 0), b.scalar("hi", 6)}, "r");
  b.node("Gather", {b.node("Shape", {"r"}, "s"), b.constant<int64_t>("i", {1}, {0})}, "n");
  b.node("Reshape", {"r", b.node("Concat", {"n", b.ints("m", {-1})}, "t", {attr("axis", 0)})}, "f");
  b.node("Split", {"f", b.ints("pieces", {3, 5})}, "v", {attr("axis", 1)}, 2);
  b.constant<float>("g", {5, 2}, Floats(10, 0.5F));
  b.node("Gemm", {"v:1", "g"}, "h");
  b.constant<float>("large", {300}, Floats(300, 1));  // goes around protobuf
  b.node("Slice", {"large", b.ints("from", {0}), b.ints("to", {2})}, "l");
  b.output(b.node("Add", {"h", "l"}, "y"));
  return b.bytes();
}

// True where the bytes import; anything but a graph or one line of a user error fails the test.
bool survives(const std::string& bytes, const std::string& what) {
  const std::string text = refusal(bytes);
  if (text == "accepted") return true;
  EXPECT_TRUE(text.starts_with("model: ")) << what << ": " << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << what << ": " << text;
  return false;
}

TEST(Damage, TheModelItselfImports) {
  EXPECT_EQ(refusal(model()), "accepted");
}

TEST(Damage, CutAtEveryLength) {
  const std::string whole = model();
  for (size_t n = 0; n < whole.size(); ++n) {
    // A cut between fields of the model is a model without what follows; the graph comes before its opset.
    EXPECT_FALSE(survives(whole.substr(0, n), "length " + std::to_string(n))) << n;
  }
}

TEST(Damage, EveryBitFlipped) {
  const std::string whole = model();
  int accepted = 0;
  for (size_t i = 0; i < whole.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      accepted += survives(bytes, "bit " + std::to_string(bit) + " of byte " + std::to_string(i));
    }
  // Values of weights may change unnoticed; most of the rest may not.
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, static_cast<int>(whole.size()) * 8);
}

TEST(Damage, SeveralBytesChanged) {
  const std::string whole = model();
  for (uint32_t seed = 0; seed < 4000; ++seed) {
    std::mt19937 random(seed);
    std::string bytes = whole;
    for (uint32_t k = 0; k < 2 + seed % 6; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (seed % 5 == 0) bytes.insert(random() % bytes.size(), bytes.substr(random() % bytes.size(), random() % 64));
    if (seed % 7 == 0) bytes.erase(random() % bytes.size(), random() % 64);
    survives(bytes, "seed " + std::to_string(seed));
  }
}

TEST(Damage, DemoNetworkCutAndChanged) {
  std::ifstream in(OCTET_SOURCE_DIR "/demo/digits.int8.onnx", std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  const std::string whole = text.str();
  ASSERT_GT(whole.size(), 10000U);
  for (size_t n = 0; n < whole.size(); n += 199) survives(whole.substr(0, n), "length " + std::to_string(n));
  for (uint32_t seed = 0; seed < 1500; ++seed) {
    std::mt19937 random(seed);
    std::string bytes = whole;
    bytes[random() % bytes.size()] = static_cast<char>(random());
    survives(bytes, "seed " + std::to_string(seed));
  }
}

TEST(Damage, Noise) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    std::string bytes(random() % 300, 0);
    for (char& c : bytes) c = static_cast<char>(random());
    EXPECT_FALSE(survives(bytes, "seed " + std::to_string(seed)));
  }
}

// A message within a message, 100000 deep: graphs in attributes of nodes.
TEST(Damage, DeepNesting) {
  const auto field = [](char key, const std::string& content) {
    std::string out(1, key);
    size_t n = content.size();
    for (; n >= 0x80; n >>= 7) out.push_back(static_cast<char>(n | 0x80));
    out.push_back(static_cast<char>(n));
    return out + content;
  };
  std::string graph;
  for (int depth = 0; depth < 2000; ++depth) graph = field('\x0a', field('\x2a', field('\x32', graph)));
  EXPECT_FALSE(survives(field('\x3a', graph), "nested graphs"));
}

// Chains that a careless importer would walk again for every node.
TEST(Damage, LongChainsTakeLinearTime) {
  const auto begin = std::chrono::steady_clock::now();
  OnnxBuilder b;
  std::string last = b.input("x", {4, 4});
  std::string w = b.dequantize<int8_t>(b.constant<int8_t>("q", {4, 4}, std::vector<int8_t>(16, 1)), 1, 0, "w");
  for (int k = 0; k < 5000; ++k) {
    w = b.node("Transpose", {w}, "t" + std::to_string(k));
    last = b.node("MatMul", {last, w}, "m" + std::to_string(k));
  }
  b.output(last);
  EXPECT_EQ(refusal(b), "accepted");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

// Few bytes in the file, many in memory: one vector of scales that every node reads.
TEST(Damage, SharedScalesDoNotMultiplyWithoutEnd) {
  OnnxBuilder b;
  constexpr int64_t kChannels = 1 << 16;
  b.input("x", {1, kChannels});
  b.constant<float>("s", {kChannels}, Floats(kChannels, 1));
  for (int k = 0; k < 2000; ++k) b.output(b.node("QuantizeLinear", {"x", "s"}, "q" + std::to_string(k)));
  EXPECT_NE(refusal(b).find("pass 256 MiB"), std::string::npos) << refusal(b);
}

}  // namespace
}  // namespace octet::test
