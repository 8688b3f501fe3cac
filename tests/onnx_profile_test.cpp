// Whose arithmetic an ONNX file means: ONNX Runtime's, unless PyTorch wrote it.
#include <gtest/gtest.h>

#include "tests/support/onnx_builder.h"

namespace octet::test {
namespace {

struct Layer {
  bool per_channel, integer_bias;
};

// x -> quantize -> dequantize -> conv -> quantize
OnnxBuilder file(const Layer& layer, const char* producer) {
  OnnxBuilder b(17);
  b.model.set_producer_name(producer);
  b.input("x", {1, 1, 2, 2});
  b.quantize<uint8_t>("x", 0.5F, 3, "xq"), b.dequantize<uint8_t>("xq", 0.5F, 3, "xr");
  b.constant<int8_t>("w", {2, 1, 1, 1}, {1, 2});
  if (layer.per_channel)
    b.dequantize<int8_t>("w", {0.25F, 0.5F}, 0, "wr");
  else
    b.dequantize<int8_t>("w", 0.25F, 0, "wr");
  if (layer.integer_bias)
    b.dequantize<int32_t>(b.constant<int32_t>("b", {2}, {5, 6}), {0.125F, 0.25F}, 0, "br");
  else
    b.constant<float>("br", {2}, {1, 2});
  b.node("Conv", {"xr", "wr", "br"}, "y");
  b.output(b.quantize<uint8_t>("y", 1, 0, "yq"));
  return b;
}

TEST(OnnxProfile, FollowsTheProducerAndItsBiases) {
  const auto profile = [](const Layer& layer, const char* producer) {
    return profile_name(file(layer, producer).import().profile);
  };
  EXPECT_STREQ(profile({true, true}, "pytorch"), "torch-x86");
  EXPECT_STREQ(profile({true, false}, "pytorch"), "torch-x86");
  EXPECT_STREQ(profile({false, false}, "pytorch"), "torch-x86");  // PT2E, one scale per tensor
  EXPECT_STREQ(profile({false, true}, "pytorch"), "qnnpack");
  EXPECT_STREQ(profile({false, true}, "onnx.quantize"), "ort");
  EXPECT_STREQ(profile({true, false}, ""), "ort");
}

TEST(OnnxProfile, FloatFilesOfPyTorchsAreOrdinary) {
  OnnxBuilder b(17);
  b.model.set_producer_name("pytorch");
  b.input("x", {1, 3});
  b.output(b.node("Relu", {"x"}, "y"));
  EXPECT_EQ(b.import().profile, Profile::ort);
}

TEST(OnnxProfile, MetadataDecides) {
  OnnxBuilder b = file({true, true}, "pytorch");
  auto* entry = b.model.add_metadata_props();
  entry->set_key("octet.profile"), entry->set_value("fbgemm");
  const Graph g = b.import();
  EXPECT_EQ(g.profile, Profile::fbgemm);
  EXPECT_NE(g.profile_reason.find("octet.profile"), std::string::npos);
  entry->set_value("best");
  EXPECT_NE(refusal(b).find("metadata octet.profile names no profile; supported: ort"), std::string::npos)
      << refusal(b);
}

}  // namespace
}  // namespace octet::test
