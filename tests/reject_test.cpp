// What the importer refuses of files, constants and nodes in general, and how it says so.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "runtime/status.h"
#include "tests/support/reject_case.h"

namespace octet::test {

TEST_P(Reject, SaysSoInOneLine) {
  OnnxBuilder b;
  GetParam().build(b);
  const std::string text = refusal(b);
  EXPECT_TRUE(text.starts_with("model: ")) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  EXPECT_LT(text.size(), 2000U) << text;
  for (const std::string& word : GetParam().words)
    EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << text;
}

namespace {

void conv(OnnxBuilder& b, std::vector<Attr> attributes) {
  b.constant<float>("w", {2, 3, 3, 3}, Floats(54, 1));
  one(b, "Conv", std::move(attributes), {"w"});
}

INSTANTIATE_TEST_SUITE_P(
    Files, Reject,
    testing::Values(
        Refusal{"NoGraph", [](OnnxBuilder& b) { b.model.clear_graph(); }, {"not an ONNX model"}},
        Refusal{"NoNodes",
                [](OnnxBuilder& b) {
                  b.input("x", {1});
                  b.output("x");
                },
                {"no graph with nodes"}},
        Refusal{"OldOpset",
                [](OnnxBuilder& b) { relu(b), b.model.mutable_opset_import(0)->set_version(9); },
                {"opset 9", "10 to 23"}},
        Refusal{"NewOpset",
                [](OnnxBuilder& b) { relu(b), b.model.mutable_opset_import(0)->set_version(24); },
                {"opset 24", "10 to 23"}},
        Refusal{"NoOpset", [](OnnxBuilder& b) { relu(b), b.model.clear_opset_import(); }, {"opset missing"}},
        Refusal{"NoOutputs", [](OnnxBuilder& b) { relu(b), b.graph().clear_output(); }, {"no outputs"}},
        Refusal{"UnknownOutput",
                [](OnnxBuilder& b) { relu(b), b.output("z"); },
                {"graph output 'z'", "no node computes it"}},
        Refusal{"OutputTwice", [](OnnxBuilder& b) { relu(b), b.output("y"); }, {"graph output 'y' appears twice"}},
        Refusal{"OutputIsInput",
                [](OnnxBuilder& b) { relu(b), b.output("x"); },
                {"graph output 'x' is constant or an input"}},
        Refusal{"OutputIsConstant",
                [](OnnxBuilder& b) { relu(b), b.output(b.scalar("k", 1)); },
                {"graph output 'k' is constant"}},
        Refusal{"InputTwice", [](OnnxBuilder& b) { relu(b), b.input("x", {1}); }, {"graph input 'x' appears twice"}},
        Refusal{"InputWithoutName", [](OnnxBuilder& b) { relu(b), b.input("", {1}); }, {"has no name"}},
        Refusal{"InitializerTwice",
                [](OnnxBuilder& b) { relu(b), b.scalar("k", 1), b.scalar("k", 2); },
                {"initializer 'k' appears twice"}},
        Refusal{"SparseInitializer",
                [](OnnxBuilder& b) { relu(b), b.graph().add_sparse_initializer()->mutable_values()->set_name("k"); },
                {"sparse initializer 'k'"}},
        Refusal{"InputType",
                [](OnnxBuilder& b) { relu(b), b.input("z", {1}, Type::FLOAT16); },
                {"graph input 'z'", "dtype float16", "float, uint8, int8"}},
        Refusal{"InputTypeUnknown", [](OnnxBuilder& b) { relu(b), b.input("z", {1}, 1234); }, {"dtype number 1234"}},
        Refusal{"InputSequence",
                [](OnnxBuilder& b) { relu(b), b.graph().mutable_input(0)->mutable_type()->mutable_sequence_type(); },
                {"graph input 'x'", "dtype undefined"}},
        Refusal{"InputWithoutShape",
                [](OnnxBuilder& b) {
                  relu(b), b.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
                },
                {"graph input 'x'", "no shape"}},
        Refusal{"OpenWidth",
                [](OnnxBuilder& b) {
                  b.input("z", {1, 3, 4, -1}), relu(b);
                },
                {"graph input 'z'", "dimension 3 is 'N'", "only the first may be open"}},
        Refusal{"NegativeDimension",
                [](OnnxBuilder& b) {
                  relu(b), b.graph()
                               .mutable_input(0)
                               ->mutable_type()
                               ->mutable_tensor_type()
                               ->mutable_shape()
                               ->mutable_dim(2)
                               ->set_dim_value(-7);
                },
                {"dimension 2 is '-7'"}},
        Refusal{"HugeInput",
                [](OnnxBuilder& b) {
                  b.input("z", {1, 1 << 20, 1 << 20}), relu(b);
                },
                {"graph input 'z'", "up to 2 GiB"}},
        Refusal{"OverflowingInput",
                [](OnnxBuilder& b) {
                  b.input("z", {INT64_MAX, INT64_MAX, 4}), relu(b);
                },
                {"graph input 'z'", "up to 2 GiB"}},
        Refusal{"ManyDimensions",
                [](OnnxBuilder& b) { b.input("z", Ints(9, 1)), relu(b); },
                {"9 dimensions", "at most 8"}}),
    refusal_name);

onnx::TensorProto& bad_constant(OnnxBuilder& b) {  // read by the graph
  b.input("x", {2});
  auto& t = *b.graph().add_initializer();
  t.set_name("k");
  t.set_data_type(Type::FLOAT);
  t.add_dims(2);
  b.output(b.node("Add", {"x", "k"}, "y"));
  return t;
}

void external(OnnxBuilder& b, const char* location) {
  auto& t = bad_constant(b);
  t.set_data_location(Type::EXTERNAL);
  auto& e = *t.add_external_data();
  e.set_key("location");
  e.set_value(location);
}

INSTANTIATE_TEST_SUITE_P(
    Constants, Reject,
    testing::Values(
        Refusal{"Type",
                [](OnnxBuilder& b) { bad_constant(b).set_data_type(Type::BFLOAT16); },
                {"initializer 'k'", "dtype bfloat16"}},
        Refusal{"Double",
                [](OnnxBuilder& b) { bad_constant(b).set_data_type(Type::DOUBLE); },
                {"initializer 'k'", "dtype double"}},
        Refusal{"Empty", [](OnnxBuilder& b) { bad_constant(b); }, {"initializer 'k'", "0 values for f32 2"}},
        Refusal{"ShortRaw",
                [](OnnxBuilder& b) { bad_constant(b).set_raw_data("1234567"); },
                {"7 bytes of raw_data for f32 2, which takes 8"}},
        Refusal{"LongRaw",
                [](OnnxBuilder& b) { bad_constant(b).set_raw_data(std::string(5000, 'x')); },
                {"5000 bytes of raw_data for f32 2, which takes 8"}},
        Refusal{"TypedCount", [](OnnxBuilder& b) { bad_constant(b).add_float_data(1); }, {"1 values for f32 2"}},
        Refusal{"TypedRange",
                [](OnnxBuilder& b) {
                  auto& t = bad_constant(b);
                  t.set_data_type(Type::UINT8);
                  t.add_int32_data(0);
                  t.add_int32_data(256);
                },
                {"value 256 does not fit u8"}},
        Refusal{"NegativeDims",
                [](OnnxBuilder& b) { bad_constant(b).set_dims(0, -2); },
                {"shape -2 with a negative dimension"}},
        Refusal{"HugeDims",
                [](OnnxBuilder& b) {
                  auto& t = bad_constant(b);
                  t.set_dims(0, INT64_MAX);
                  t.add_dims(INT64_MAX);
                  t.set_raw_data("12345678");
                },
                {"up to 2 GiB"}},
        Refusal{"ZeroTimesHuge",
                [](OnnxBuilder& b) {
                  auto& t = bad_constant(b);
                  t.set_dims(0, 0);
                  t.add_dims(INT64_MAX);
                  t.add_dims(INT64_MAX);
                },
                {"up to 2 GiB"}},
        Refusal{"Segment", [](OnnxBuilder& b) { bad_constant(b).mutable_segment(); }, {"initializer 'k': segments"}},
        Refusal{"External",
                [](OnnxBuilder& b) { external(b, "w.bin"); },
                {"initializer 'k': external data in 'w.bin'", "from a file only"}}),
    refusal_name);

INSTANTIATE_TEST_SUITE_P(
    Nodes, Reject,
    testing::Values(
        Refusal{"UnknownOp",
                [](OnnxBuilder& b) { one(b, "NonMaxSuppression"); },
                {"node 'y' (NonMaxSuppression)", "not supported", "supported: Abs, Add"}},
        Refusal{"UnknownDomain",
                [](OnnxBuilder& b) { one(b, "my.domain.Relu"); },
                {"node 'y' (my.domain.Relu)", "not supported"}},
        Refusal{"ControlFlow", [](OnnxBuilder& b) { one(b, "Loop"); }, {"node 'y' (Loop)", "not supported"}},
        Refusal{"UnknownAttribute",
                [](OnnxBuilder& b) { one(b, "Relu", {attr("slope", 1)}); },
                {"node 'y' (Relu)", "attribute 'slope'", "supported: none"}},
        Refusal{"AttributeType",
                [](OnnxBuilder& b) { conv(b, {attr("group", 1.0F)}); },
                {"attribute group is of type float; supported: int"}},
        Refusal{"AttributeNan",
                [](OnnxBuilder& b) { one(b, "LeakyRelu", {attr("alpha", NAN)}); },
                {"attribute alpha is nan", "finite"}},
        Refusal{"UnknownInput",
                [](OnnxBuilder& b) { relu(b), b.node("Relu", {"nobody"}, "z"); },
                {"node 'z' (Relu)", "input 'nobody' is no graph input"}},
        Refusal{"Cycle",
                [](OnnxBuilder& b) {
                  b.input("x", {2}), b.node("Add", {"x", "b"}, "a"), b.output(b.node("Relu", {"a"}, "b"));
                },
                {"node 'a' (Add)", "input 'b'", "without cycles"}},
        Refusal{
            "SelfCycle", [](OnnxBuilder& b) { b.output(b.node("Relu", {"a"}, "a")); }, {"input 'a'", "without cycles"}},
        Refusal{"WrittenTwice",
                [](OnnxBuilder& b) { relu(b), b.node("Relu", {"x"}, "y"); },
                {"output 'y' is written twice"}},
        Refusal{"WritesAnInput",
                [](OnnxBuilder& b) { relu(b), b.node("Relu", {"y"}, "x"); },
                {"output 'x' is written twice"}},
        Refusal{"WritesAConstant", [](OnnxBuilder& b) { b.scalar("y", 1), relu(b); }, {"output 'y' is written twice"}},
        Refusal{
            "MissingInput", [](OnnxBuilder& b) { relu(b), b.node("Relu", {""}, "z"); }, {"input (input 0) is missing"}},
        Refusal{"NoInputs",
                [](OnnxBuilder& b) { relu(b), b.node("Add", {}, "z"); },
                {"node 'z' (Add)", "0 inputs; supported: 2"}},
        Refusal{
            "NoOutput", [](OnnxBuilder& b) { relu(b), b.node("Relu", {"x"}, "z", {}, 0); }, {"output 0 is missing"}},
        Refusal{"NoOutputBehindATemporary",
                [](OnnxBuilder& b) {
                  b.input("x", {1, 2, 4, 4});
                  b.node("ReduceMean", {"x"}, "z", {attr("axes", Ints{2, 3}), attr("keepdims", 0)}, 0);
                  b.output(b.node("Relu", {"x"}, "y"));
                },
                {"node 'z' (ReduceMean)", "output 0 is missing"}},
        Refusal{"SecondOutput",
                [](OnnxBuilder& b) {
                  b.input("x", {1, 1, 4, 4}), b.node("MaxPool", {"x"}, "p", {attr("kernel_shape", Ints{2, 2})}, 2),
                      b.output("p:0"), b.output("p:1");
                },
                {"output 1 ('p:1') is not supported"}},
        Refusal{"DropoutMask",
                [](OnnxBuilder& b) {
                  b.input("x", {4}), b.node("Dropout", {"x"}, "p", {}, 2), b.output(b.node("Relu", {"p:1"}, "y"));
                },
                {"(Dropout): output 1"}},
        Refusal{"FloatOnIntegers",
                [](OnnxBuilder& b) { b.input("x", {4}, Type::UINT8), b.output(b.node("Sigmoid", {"x"}, "y")); },
                {"input 'x' has dtype u8; supported: f32"}},
        Refusal{"ResultOfInt64",
                [](OnnxBuilder& b) { relu(b), b.output(b.node("Shape", {"x"}, "s")); },
                {"graph output 's' is constant"}},
        Refusal{"CastType",
                [](OnnxBuilder& b) { one(b, "Cast", {attr("to", int{Type::FLOAT16})}); },
                {"attribute to is float16"}},
        Refusal{"Broadcast",
                [](OnnxBuilder& b) {
                  b.constant<float>("k", {2}, {1, 2}), one(b, "Add", {}, {"k"});
                },
                {"shapes 1x3x4x4 and 2 do not broadcast"}},
        Refusal{"HugeBroadcast",
                [](OnnxBuilder& b) {
                  b.input("x", {1 << 15, 1}), b.input("z", {1, 1 << 15}), b.output(b.node("Add", {"x", "z"}, "y"));
                },
                {"result: shape 32768x32768", "up to 2 GiB"}},
        Refusal{"LongNames",
                [](OnnxBuilder& b) { relu(b), b.node("Relu", {std::string(100000, 'n')}, std::string(100000, 'm')); },
                {"a name of 100000 characters, 'mmm", "up to 1024"}},
        Refusal{"NewlineInName", [](OnnxBuilder& b) { relu(b), b.node("Relu", {"two\nlines"}, "z"); }, {"two?lines"}}),
    refusal_name);
TEST(RejectOptions, Batch) {
  OnnxBuilder open;
  open.input("x", {-1, 3});
  open.output(open.node("Relu", {"x"}, "y"));
  EXPECT_NE(refusal(open, {.batch = 0}).find("batch 0; supported: 1 to"), std::string::npos);
  EXPECT_NE(refusal(open, {.batch = INT64_MAX}).find("supported: 1 to"), std::string::npos);
  OnnxBuilder fixed;
  relu(fixed);
  EXPECT_NE(refusal(fixed, {.batch = 2}).find("batch 2: no graph input leaves its first dimension open"),
            std::string::npos);
}

std::string file_refusal(const std::filesystem::path& path) {
  try {
    import_onnx(path);
  } catch (const Error& e) {
    return e.kind() == ErrorKind::user ? e.what() : "internal";
  }
  return "accepted";
}

TEST(RejectFiles, Unreadable) {
  const std::filesystem::path folder = testing::TempDir();
  EXPECT_EQ(file_refusal("/nowhere/m.onnx"), "/nowhere/m.onnx: cannot read the model: No such file or directory");
  EXPECT_NE(file_refusal(folder).find("not a regular file"), std::string::npos);
  EXPECT_NE(file_refusal("/dev/zero").find("not a regular file"), std::string::npos);
  std::ofstream(folder / "empty.onnx");
  EXPECT_NE(file_refusal(folder / "empty.onnx").find("not an ONNX model"), std::string::npos);
}

// External data stays in the model's folder, whatever links and dots say.
TEST(RejectFiles, ExternalDataElsewhere) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "octet_outside";
  std::filesystem::create_directories(folder / "model");
  std::ofstream(folder / "secret.bin") << "12345678";
  std::error_code error;
  std::filesystem::create_symlink(folder / "secret.bin", folder / "model" / "link.bin", error);
  for (const std::string& location :
       {std::string("../secret.bin"), (folder / "secret.bin").string(), std::string("link.bin"),
        std::string("sub/../../secret.bin"), std::string(""), std::string("absent.bin")}) {
    OnnxBuilder b;
    external(b, location.c_str());
    std::ofstream(folder / "model" / "m.onnx", std::ios::binary) << b.bytes();
    EXPECT_NE(file_refusal(folder / "model" / "m.onnx").find("beside the model"), std::string::npos) << location;
  }
  std::ofstream(folder / "model" / "short.bin") << "1234";
  OnnxBuilder b;
  external(b, "short.bin");
  std::ofstream(folder / "model" / "m.onnx", std::ios::binary) << b.bytes();
  EXPECT_NE(file_refusal(folder / "model" / "m.onnx").find("8 bytes at 0 wanted, the file has 4"), std::string::npos);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace octet::test
