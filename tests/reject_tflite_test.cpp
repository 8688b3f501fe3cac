// TFLite files that the importer does not take: a refusal is one line that names the node, and damage never does harm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <random>

#include "tests/support/tflite_builder.h"

namespace octet::test {
namespace {

using fb::BuiltinOperator;
using testing::HasSubstr;

const Grid kGrid{{0.5F}, {3}};

struct Refused {
  const char* name;
  std::function<void(TfliteBuilder& b, int x, int y)> build;  // from x, 1x4x4x2 s8, to y
  std::vector<std::string> words;
};

void PrintTo(const Refused& r, std::ostream* out) {
  *out << r.name;
}

class RejectTflite : public testing::TestWithParam<Refused> {};

TEST_P(RejectTflite, InOneLine) {
  TfliteBuilder b;
  const int x = b.input(b.tensor("x", {1, 4, 4, 2}, kGrid)), y = b.output(b.tensor("y", {}, kGrid));
  GetParam().build(b, x, y);
  const std::string text = tflite_refusal(b);
  EXPECT_THAT(text, testing::StartsWith("model: "));
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  for (const std::string& word : GetParam().words) EXPECT_THAT(text, HasSubstr(word));
}

std::string refused_name(const testing::TestParamInfo<Refused>& info) {
  return info.param.name;
}

fb::Conv2DOptionsT strides(int h, int w) {
  fb::Conv2DOptionsT o;
  o.stride_h = h;
  o.stride_w = w;
  return o;
}

void conv(TfliteBuilder& b, int x, int y, const Dims& weights, const Grid& grid, fb::Conv2DOptionsT o) {
  int count = 1;
  for (int d : weights) count *= d;
  const int w = b.constant<int8_t>("w", weights, std::vector<int8_t>(static_cast<size_t>(count), 1), grid);
  b.op(BuiltinOperator::CONV_2D, {x, w}, {y}, o);
}

void tanh(TfliteBuilder& b, int x, int y) {
  b.op(BuiltinOperator::TANH, {x}, {y});
}

INSTANTIATE_TEST_SUITE_P(
    Nodes, RejectTflite,
    testing::Values(
        Refused{"UnknownOperator",
                [](TfliteBuilder& b, int x, int y) { b.op(BuiltinOperator::LSTM, {x}, {y}); },
                {"node 0 'y' (LSTM): operator is not supported; supported: ABS, ADD"}},
        Refused{"CustomOperator",
                [](TfliteBuilder& b, int x, int y) {
                  b.op(BuiltinOperator::CUSTOM, {x}, {y});
                  b.model.operator_codes[0]->custom_code = "Mine";
                },
                {"(Mine (custom)): operator is not supported"}},
        Refused{"Stride",
                [](TfliteBuilder& b, int x, int y) {
                  conv(b, x, y, {1, 1, 1, 2}, kGrid, strides(0, 1));
                },
                {"node 0 'y' (CONV_2D): attribute stride_h is 0; supported: 1 to 32768"}},
        Refused{"Channels",
                [](TfliteBuilder& b, int x, int y) {
                  conv(b, x, y, {1, 1, 1, 3}, kGrid, strides(1, 1));
                },
                {"weights 1x1x1x3 (oc, kh, kw, ic) for an input of 2 channels"}},
        Refused{"ScalesAlongTheInput",
                [](TfliteBuilder& b, int x, int y) {
                  conv(b, x, y, {1, 1, 1, 2}, {{1, 2}, {0, 0}, 3}, strides(1, 1));
                },
                {"weights 'w' have scales along dimension 3"}},
        Refused{"NoWeightScale",
                [](TfliteBuilder& b, int x, int y) {
                  conv(b, x, y, {1, 1, 1, 2}, {}, strides(1, 1));
                },
                {"weights 'w' have no scale"}},
        Refused{"WeightsOfNoPixels",
                [](TfliteBuilder& b, int x, int y) {
                  conv(b, x, y, {1, 0, 1, 2}, kGrid, strides(1, 1));
                },
                {"a tensor of shape 1x0x1x2"}},
        Refused{"WindowBeyondTheImage",
                [](TfliteBuilder& b, int x, int y) {
                  auto o = strides(1, 1);
                  o.padding = fb::Padding::VALID;
                  conv(b, x, y, {1, 5, 1, 2}, kGrid, o);
                },
                {"a window of 5 on 4 pixels"}},
        Refused{"PaddingOfNoName",
                [](TfliteBuilder& b, int x, int y) {
                  auto o = strides(1, 1);
                  o.padding = static_cast<fb::Padding>(7);
                  conv(b, x, y, {1, 1, 1, 2}, kGrid, o);
                },
                {"attribute padding is number 7; supported: SAME, VALID"}},
        Refused{"TanhFused",
                [](TfliteBuilder& b, int x, int y) {
                  auto o = strides(1, 1);
                  o.fused_activation_function = fb::ActivationFunctionType::TANH;
                  conv(b, x, y, {1, 1, 1, 2}, kGrid, o);
                },
                {"attribute fused_activation_function is TANH; supported: NONE, RELU, RELU_N1_TO_1, RELU6"}},
        Refused{"Bias",
                [](TfliteBuilder& b, int x, int y) {
                  const int w = b.constant<int8_t>("w", {1, 1, 1, 2}, {1, 2}, kGrid);
                  b.op(BuiltinOperator::CONV_2D, {x, w, b.ints("b", {1, 2})}, {y}, strides(1, 1));
                },
                {"bias 'b' is constant, of shape 2; supported: a constant with one value per output channel, 1"}},
        Refused{"ShuffledWeights",
                [](TfliteBuilder& b, int x, int y) {
                  fb::FullyConnectedOptionsT o;
                  o.weights_format = fb::WeightsFormat::SHUFFLED4x16INT8;
                  b.op(BuiltinOperator::FULLY_CONNECTED, {x, b.constant<int8_t>("w", {1, 2}, {1, 2}, kGrid)}, {y}, o);
                },
                {"attribute weights_format is SHUFFLED4x16INT8; supported: DEFAULT"}},
        Refused{"OptionThatNobodyAskedFor",
                [](TfliteBuilder& b, int x, int y) {
                  fb::GatherOptionsT o;
                  o.batch_dims = 1;
                  b.op(BuiltinOperator::TANH, {x}, {y}, o);
                },
                {"option 'batch_dims' is not supported"}},
        Refused{"SoftmaxBeta",
                [](TfliteBuilder& b, int x, int y) {
                  fb::SoftmaxOptionsT o;
                  o.beta = 0;
                  b.op(BuiltinOperator::SOFTMAX, {x}, {y}, o);
                },
                {"attribute beta is 0; supported: positive numbers"}},
        Refused{"MovedValuesOfAnotherScale",
                [](TfliteBuilder& b, int x, int y) {
                  b.at(y).quantization->scale = {0.25F};
                  b.op(BuiltinOperator::RESHAPE, {x, b.ints("s", {-1})}, {y});
                },
                {"'x' has scale 0.5 and zero point 3, 'y' has 0.25 and 3; supported: the same for both"}},
        Refused{"ReshapeOfOtherSize",
                [](TfliteBuilder& b, int x, int y) {
                  b.op(BuiltinOperator::RESHAPE, {x, b.ints("s", {5, 7})}, {y});
                },
                {"from 1x4x4x2 to 5x7: the numbers of elements differ"}},
        Refused{"Permutation",
                [](TfliteBuilder& b, int x, int y) {
                  b.op(BuiltinOperator::TRANSPOSE, {x, b.ints("p", {0, 1, 1, 2})}, {y});
                },
                {"perm [0, 1, 1, 2]"}},
        Refused{"NegativePadding",
                [](TfliteBuilder& b, int x, int y) {
                  b.op(BuiltinOperator::PAD, {x, b.constant<int32_t>("p", {4, 2}, {0, 0, -1, 0, 0, 0, 0, 0})}, {y});
                },
                {"padding -1 of dimension 1"}},
        Refused{"EmptySlice",
                [](TfliteBuilder& b, int x, int y) {
                  b.op(BuiltinOperator::STRIDED_SLICE, {x, b.ints("b", {1}), b.ints("e", {0}), b.ints("s", {1})}, {y});
                },
                {"a tensor of shape 0x4x4x2; supported: positive dimensions"}},
        Refused{"StrideOfZero",
                [](TfliteBuilder& b, int x, int y) {
                  b.op(BuiltinOperator::STRIDED_SLICE, {x, b.ints("b", {1}), b.ints("e", {0}), b.ints("s", {0})}, {y});
                },
                {"stride 0"}},
        Refused{"Axis",
                [](TfliteBuilder& b, int x, int y) {
                  b.op(BuiltinOperator::SUM, {x, b.ints("a", {4})}, {y});
                },
                {"axis 4 of a tensor of rank 4"}},
        Refused{"ResizeBothWays",
                [](TfliteBuilder& b, int x, int y) {
                  fb::ResizeBilinearOptionsT o;
                  o.align_corners = o.half_pixel_centers = true;
                  b.op(BuiltinOperator::RESIZE_BILINEAR, {x, b.ints("s", {2, 2})}, {y}, o);
                },
                {"align_corners and half_pixel_centers"}},
        Refused{"HugeResult",
                [](TfliteBuilder& b, int x, int y) {
                  b.op(BuiltinOperator::TILE, {x, b.ints("m", {1 << 30, 1 << 30, 1, 1})}, {y});
                },
                {"supported: tensors up to 2 GiB"}},
        Refused{"BroadcastOfNothing",
                [](TfliteBuilder& b, int x, int y) {
                  b.op(BuiltinOperator::ADD, {x, b.constant<int8_t>("c", {3}, {1, 2, 3}, kGrid)}, {y});
                },
                {"shapes 1x4x4x2 and 3 do not broadcast"}},
        Refused{"NoScale",
                [](TfliteBuilder& b, int x, int y) {
                  b.at(x).quantization.reset();
                  tanh(b, x, y);
                },
                {"'x' is s8 with no scale"}},
        Refused{"TypesDiffer",
                [](TfliteBuilder& b, int x, int y) {
                  b.at(y).type = fb::TensorType::UINT8;
                  tanh(b, x, y);
                },
                {"output 'y' is u8; supported: s8 for these inputs"}}),
    refused_name);

INSTANTIATE_TEST_SUITE_P(
    Files, RejectTflite,
    testing::Values(Refused{"Version",
                            [](TfliteBuilder& b, int x, int y) {
                              tanh(b, x, y);
                              b.model.version = 2;
                            },
                            {"schema version 2; supported: 3"}},
                    Refused{"Subgraphs",
                            [](TfliteBuilder& b, int x, int y) {
                              tanh(b, x, y);
                              b.model.subgraphs.push_back(std::make_unique<fb::SubGraphT>());
                            },
                            {"2 subgraphs; supported: 1"}},
                    Refused{"NoOperators", [](TfliteBuilder&, int, int) {}, {"it has no operators"}},
                    Refused{"OperatorCode",
                            [](TfliteBuilder& b, int x, int y) {
                              tanh(b, x, y);
                              b.last_op().opcode_index = 7;
                            },
                            {"node 0: operator code 7 of 1"}},
                    Refused{"TensorNumber",
                            [](TfliteBuilder& b, int x, int) { b.op(BuiltinOperator::TANH, {x}, {9}); },
                            {"node 0: tensor 9 of 2"}},
                    Refused{"NegativeTensorNumber",
                            [](TfliteBuilder& b, int x, int y) {
                              b.op(BuiltinOperator::TANH, {-2}, {y});
                              (void)x;
                            },
                            {"node 0: tensor -2 of 2"}},
                    Refused{"MissingInput",
                            [](TfliteBuilder& b, int, int y) { b.op(BuiltinOperator::TANH, {-1}, {y}); },
                            {"input (input 0) is missing"}},
                    Refused{"Cycle",
                            [](TfliteBuilder& b, int, int y) { tanh(b, y, y); },
                            {"input 'y' is no graph input, constant or output of an earlier node"}},
                    Refused{"WrittenTwice",
                            [](TfliteBuilder& b, int x, int y) {
                              tanh(b, x, y);
                              tanh(b, x, y);
                            },
                            {"node 1 'y' (TANH): output 'y' is constant, or written twice"}},
                    Refused{"BufferNumber",
                            [](TfliteBuilder& b, int x, int y) {
                              b.at(x).buffer = 9;
                              tanh(b, x, y);
                            },
                            {"graph input 'x': buffer 9 of 1"}},
                    Refused{"BufferSize",
                            [](TfliteBuilder& b, int x, int y) {
                              const int c = b.constant<int8_t>("c", {2}, {1, 2, 3}, kGrid);
                              b.op(BuiltinOperator::ADD, {x, c}, {y});
                            },
                            {"'c'", "3 bytes for INT8 2, which takes 2"}},
                    Refused{"Dtype",
                            [](TfliteBuilder& b, int x, int y) {
                              b.at(x).type = fb::TensorType::INT16;
                              tanh(b, x, y);
                            },
                            {"graph input 'x': dtype INT16; supported: FLOAT32"}},
                    Refused{"HalfActivation",
                            [](TfliteBuilder& b, int x, int y) {
                              b.at(x).type = fb::TensorType::FLOAT16;
                              tanh(b, x, y);
                            },
                            {"dtype FLOAT16 of an activation"}},
                    Refused{"ScaleOfNothing",
                            [](TfliteBuilder& b, int x, int y) {
                              b.at(x).quantization->scale = {0};
                              tanh(b, x, y);
                            },
                            {"scale 0; supported: positive normal numbers"}},
                    Refused{"ScalesOfNoDimension",
                            [](TfliteBuilder& b, int x, int y) {
                              b.at(x).quantization->scale = {1, 2, 3};
                              tanh(b, x, y);
                            },
                            {"3 scales along dimension 0 of shape 1x4x4x2"}},
                    Refused{"ZeroPoint",
                            [](TfliteBuilder& b, int x, int y) {
                              b.at(x).quantization->zero_point = {int64_t{1} << 40};
                              tanh(b, x, y);
                            },
                            {"zero point 1099511627776 of a s8 tensor; supported: -128 to 127"}},
                    Refused{"Variable",
                            [](TfliteBuilder& b, int x, int y) {
                              b.at(x).is_variable = true;
                              tanh(b, x, y);
                            },
                            {"a variable; supported: networks without state"}},
                    Refused{"Sparse",
                            [](TfliteBuilder& b, int x, int y) {
                              b.at(x).sparsity = std::make_unique<fb::SparsityParametersT>();
                              tanh(b, x, y);
                            },
                            {"sparse; supported: dense tensors"}},
                    Refused{"EmptyInput",
                            [](TfliteBuilder& b, int x, int y) {
                              b.at(x).shape = {1, -1};
                              tanh(b, x, y);
                            },
                            {"graph input 'x': shape 1x-1"}},
                    Refused{"OutputThatNobodyComputes",
                            [](TfliteBuilder& b, int x, int y) {
                              tanh(b, x, y);
                              b.output(b.tensor("z", {1}, kGrid));
                            },
                            {"graph output 'z': no node computes it"}},
                    Refused{"InputAsOutput",
                            [](TfliteBuilder& b, int x, int y) {
                              tanh(b, x, y);
                              b.output(x);
                            },
                            {"graph output 'x' is constant or an input"}},
                    Refused{"LongName",
                            [](TfliteBuilder& b, int x, int y) {
                              b.at(x).name = std::string(2000, 'x');
                              tanh(b, x, y);
                            },
                            {"a name of 2000 characters"}}),
    refused_name);

TEST(RejectTfliteBatch, WhereTheFileFixesIt) {
  TfliteBuilder b;
  tanh(b, b.input(b.tensor("x", {1, 4}, kGrid)), b.output(b.tensor("y", {}, kGrid)));
  EXPECT_THAT(tflite_refusal(b, {.batch = 2}), HasSubstr("batch 2: no graph input leaves its first dimension open"));
  EXPECT_THAT(tflite_refusal(b, {.batch = 0}), HasSubstr("batch 0; supported: 1 to 65536"));
}

// --- damage

// A bit of everything, small enough to damage every bit of it.
std::string model() {
  TfliteBuilder b;
  const int x = b.input(b.tensor("x", {1, 4, 4, 2}, kGrid)), c = b.tensor("c", {}, kGrid);
  b.at(x).shape_signature = {-1, 4, 4, 2};
  const int w = b.constant<int8_t>("w", {2, 2, 1, 2}, {1, 2, 3, 4, 5, 6, 7, 8}, {{1, 2}, {0, 0}, 0});
  auto o = strides(2, 1);
  o.fused_activation_function = fb::ActivationFunctionType::RELU6;
  b.op(BuiltinOperator::CONV_2D, {x, w, b.ints("b", {1, 2})}, {c}, o);
  const int shape = b.tensor("shape", {4}, {}, fb::TensorType::INT32),
            n = b.tensor("n", {1}, {}, fb::TensorType::INT32);
  b.op(BuiltinOperator::SHAPE, {c}, {shape});
  b.op(BuiltinOperator::STRIDED_SLICE, {shape, b.ints("from", {0}), b.ints("to", {1}), b.ints("by", {1})}, {n},
       fb::StridedSliceOptionsT());
  const int target = b.tensor("target", {2}, {}, fb::TensorType::INT32), r = b.tensor("r", {}, kGrid);
  b.op(BuiltinOperator::CONCATENATION, {n, b.ints("rest", {-1})}, {target}, fb::ConcatenationOptionsT());
  b.op(BuiltinOperator::RESHAPE, {c, target}, {r});
  const int y = b.output(b.tensor("y", {}, {{0.25F}, {-3}}));
  b.op(BuiltinOperator::ADD, {r, b.constant<int8_t>("k", {1}, {5}, kGrid)}, {y}, fb::AddOptionsT());
  return b.bytes();
}

// True where the bytes import; anything but a graph or one line of a user error fails the test.
bool survives(const std::string& bytes, const std::string& what) {
  const std::string text = tflite_refusal(bytes);
  if (text == "accepted") return true;
  EXPECT_TRUE(text.starts_with("model: ")) << what << ": " << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << what << ": " << text;
  return false;
}

TEST(DamagedTflite, TheModelItselfImports) {
  EXPECT_EQ(tflite_refusal(model()), "accepted");
}

TEST(DamagedTflite, CutAtEveryLength) {
  const std::string whole = model();
  for (size_t n = 0; n < whole.size(); ++n) survives(whole.substr(0, n), "length " + std::to_string(n));
  for (size_t n = 0; n < 32; ++n) EXPECT_FALSE(survives(whole.substr(0, n), "length " + std::to_string(n)));
}

TEST(DamagedTflite, EveryBitFlipped) {
  const std::string whole = model();
  int accepted = 0;
  for (size_t i = 0; i < whole.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      accepted += survives(bytes, "bit " + std::to_string(bit) + " of byte " + std::to_string(i));
    }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, static_cast<int>(whole.size()) * 8);
}

TEST(DamagedTflite, SeveralBytesChanged) {
  const std::string whole = model();
  for (uint32_t seed = 0; seed < 20000; ++seed) {
    std::mt19937 random(seed);
    std::string bytes = whole;
    for (uint32_t k = 0; k < 1 + seed % 6; ++k) {
      // Small numbers and the ends of the range make offsets and sizes that nearly fit.
      constexpr char kWords[] = {0, 1, 2, 4, 8, 0x7f, static_cast<char>(0x80), static_cast<char>(0xff)};
      const size_t at = random() % bytes.size();
      bytes[at] = seed % 2 ? static_cast<char>(random()) : kWords[random() % sizeof(kWords)];
    }
    survives(bytes, "seed " + std::to_string(seed));
  }
}

TEST(DamagedTflite, Noise) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    std::string bytes(random() % 300, 0);
    for (char& c : bytes) c = static_cast<char>(random());
    if (bytes.size() > 8) bytes.replace(4, 4, "TFL3");
    EXPECT_FALSE(survives(bytes, "seed " + std::to_string(seed)));
  }
}

// Tables may share their vectors: few bytes in the file, any number in memory.
TEST(DamagedTflite, SharedVectorsDoNotMultiplyWithoutEnd) {
  flatbuffers::FlatBufferBuilder out;
  constexpr uint32_t kNodes = 20000;
  const auto tensor = fb::CreateTensorDirect(out, nullptr, fb::TensorType::INT8, 0, "x");
  const auto inputs = out.CreateVector(std::vector<int32_t>(kNodes, 0));
  std::vector<flatbuffers::Offset<fb::Operator>> ops;
  for (uint32_t i = 0; i < kNodes; ++i) ops.push_back(fb::CreateOperator(out, 0, inputs));
  const auto op_list = out.CreateVector(ops);
  const auto tensors = out.CreateVector(&tensor, 1);
  const auto graph = fb::CreateSubGraph(out, tensors, 0, 0, op_list);
  const auto code = fb::CreateOperatorCode(out);
  const auto buffer = fb::CreateBuffer(out);
  const auto codes = out.CreateVector(&code, 1);
  const auto graphs = out.CreateVector(&graph, 1);
  const auto buffers = out.CreateVector(&buffer, 1);
  fb::FinishModelBuffer(out, fb::CreateModel(out, 3, codes, graphs, 0, buffers));
  const std::string bytes(reinterpret_cast<const char*>(out.GetBufferPointer()), out.GetSize());
  EXPECT_THAT(tflite_refusal(bytes), HasSubstr("repeat their parts by reference too often"));
}

}  // namespace
}  // namespace octet::test
