// octet run --node and octet compare: the tensors inside a network, found and compared.
#include <cmath>
#include <nlohmann/json.hpp>

#include "targets/target.h"
#include "tests/support/cli.h"

namespace octet {
namespace {

const std::string kConv = "/body/body.1/body.1.0/Conv";  // goes into the residual add when ops are fused
const std::string kConvOut = kConv + "_output_0_QuantizeLinear_Output";

class Inside : public Cli {
 protected:
  Array node(const std::string& name, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"run", kModel, "--input", "three.npy", "--node", name, "--output", "node.npy"});
    const Outcome o = run(more);
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(o.err, "");
    return read_npy(path("node.npy"));
  }
  void dump(const std::string& name) const {
    const Outcome o =
        run({"run", kModel, "--input", "three.npy", "--dump-all", "--no-fuse", "--no-prove", "--output", name});
    ASSERT_EQ(o.status, 0) << o.err;
  }
  // The dump with one value of one tensor moved by `by`.
  void write_damaged(const std::string& name, const std::string& tensor, size_t at, int by) const {
    dump("whole.npz");
    const NpzReader whole(path("whole.npz"));
    std::vector<std::pair<std::string, Array>> all;
    for (const std::string& n : whole.names()) {
      all.emplace_back(n, whole.read(n));
      if (n == tensor) all.back().second.data[at] = static_cast<uint8_t>(all.back().second.data[at] + by);
    }
    write_npz(path(name), all);
  }
  nlohmann::json json(std::vector<std::string> args, int status) const {
    args.insert(args.begin(), "compare");
    args.insert(args.end(), {"--json", "c.json"});
    const Outcome o = run(args);
    EXPECT_EQ(o.status, status) << o.out << o.err;
    EXPECT_EQ(o.err, "");
    return nlohmann::json::parse(slurp(path("c.json")));
  }
};

TEST_F(Inside, ATensorThatFusionTakesIsThereOnEveryEngineAndTarget) {
  const Array expected = node(kConvOut, {"--engine", "reference"});
  EXPECT_EQ(expected.dtype, DType::u8);
  EXPECT_EQ(expected.shape, (std::vector<int64_t>{3, 16, 8, 8}));
  dump("all.npz");
  EXPECT_EQ(NpzReader(path("all.npz")).read(kConvOut).data, expected.data);
  for (const Target& t : all_targets())
    if (host_runs(t)) {
      EXPECT_EQ(node(kConvOut, {"--target", t.name}).data, expected.data) << t.name;
    }
  EXPECT_EQ(node(kConvOut, {"--engine", "cpp", "--threads", "2"}).data, expected.data);
}

TEST_F(Inside, ANodeGivesWhatItIsQuantizedToAndADequantizeItsReals) {
  const Array q = node(kConvOut);
  EXPECT_EQ(node(kConv).data, q.data);
  EXPECT_EQ(node("node:" + kConv).data, q.data);
  EXPECT_EQ(node("tensor:" + kConvOut).data, q.data);
  const Array real = node(kConv + "_output_0_DequantizeLinear_Output");
  ASSERT_EQ(real.dtype, DType::f32);
  ASSERT_EQ(real.elements(), q.elements());
  // Its scale and zero point, as the summary of the integers says them.
  const std::string says = run({"run", kModel, "--input", "three.npy", "--node", kConv}).out;
  const float scale = std::stof(says.substr(says.find("scale ") + 6));
  const int zero = std::stoi(says.substr(says.find("zero point ") + 11));
  for (size_t i = 0; i < q.data.size(); ++i)
    ASSERT_NEAR(real.values<float>()[i], scale * static_cast<float>(q.data[i] - zero), 1e-4) << i;
}

TEST_F(Inside, OutputsAreNodesToo) {
  const NpzReader held(kHeldOut);
  const Array logits = node("logits"), expected = held.read("expected");
  EXPECT_EQ(logits.data, std::vector<uint8_t>(expected.data.begin(), expected.data.begin() + 3 * 10 * 4));
  const Outcome o = run({"run", kModel, "--input", "three.npy", "--node", "logits", "--node", kConv, "--node", kConvOut,
                         "--output", "y.npz"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(NpzReader(path("y.npz")).names(), (std::vector<std::string>{"logits", kConvOut}));
}

TEST_F(Inside, RunsOfOneFileMayBeMembers) {
  const Array three = read_npy(path("three.npy"));
  std::vector<std::pair<std::string, Array>> members;
  for (size_t i = 0; i < 3; ++i) {
    const size_t bytes = three.data.size() / 3;
    const auto begin = three.data.begin() + static_cast<std::ptrdiff_t>(i * bytes);
    members.emplace_back("in" + std::to_string(i),
                         Array{three.dtype, {1, 1, 16, 16}, {begin, begin + static_cast<std::ptrdiff_t>(bytes)}});
  }
  members.emplace_back("ref0", members[0].second);  // of no interest
  write_npz(path("members.npz"), members);
  for (const char* input : {"three.npy", "members.npz"})
    ASSERT_EQ(run({"run", kModel, "--input", input, "--output", std::string(input) + ".out.npy"}).status, 0);
  EXPECT_EQ(slurp(path("three.npy.out.npy")), slurp(path("members.npz.out.npy")));
}

TEST_F(Inside, CompareFindsEqualSidesEqual) {
  for (const std::vector<std::string>& sides :
       {std::vector<std::string>{},
        {"--a", "target=scalar,fuse=no", "--b", "engine=reference,prove=no,threads=1"},
        {"--a", "views=no"},
        {kModel}}) {
    std::vector<std::string> args = {kModel, "--input", "three.npy"};
    args.insert(args.end(), sides.begin(), sides.end());
    const auto j = json(args, 0);
    EXPECT_TRUE(j["equal"]);
    EXPECT_TRUE(j["first_different"].is_null());
    EXPECT_EQ(j["runs"], 3);
    EXPECT_GE(j["tensors"].size(), 14u);
    for (const auto& t : j["tensors"]) {
      EXPECT_EQ(t["differing"], 0);
      EXPECT_NEAR(t["cosine"].get<double>(), 1, 1e-9);
      EXPECT_TRUE(t["sqnr_db"].is_null());  // infinite
    }
  }
}

// One value is 3 quanta off: every figure follows from that.
TEST_F(Inside, CompareSaysWhereAndByHowMuchADumpDiffers) {
  constexpr size_t kAt = 16 * 64 + 5 * 64 + 3 * 8 + 2;  // of the second image
  write_damaged("damaged.npz", kConvOut, kAt, 3);
  const std::string no = "fuse=no,prove=no";
  const Outcome o = run({"compare", kModel, "damaged.npz", "--input", "three.npy", "--a", no});
  EXPECT_EQ(o.status, 3) << o.err;
  EXPECT_NE(o.out.find("different: 1 of "), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("first in '" + kConvOut + "' (Conv) run 1 [0,5,3,2]: "), std::string::npos) << o.out;
  const auto j = json({"damaged.npz", kModel, "--input", "three.npy", "--b", no}, 3);
  EXPECT_FALSE(j["equal"]);
  EXPECT_EQ(j["first_different"], kConvOut);
  const Array q = NpzReader(path("whole.npz")).read(kConvOut);
  const std::string says = run({"run", kModel, "--input", "three.npy", "--node", kConv}).out;
  const int zero = std::stoi(says.substr(says.find("zero point ") + 11));
  for (const auto& t : j["tensors"]) {
    if (t["name"] != kConvOut) {
      EXPECT_EQ(t["differing"], 0) << t;
      continue;
    }
    double signal = 0, cross = 0, other = 0, ends = 0;
    for (size_t i = 0; i < q.data.size(); ++i) {
      const double b = q.data[i] - zero, a = b + (i == kAt ? 3 : 0);
      signal += a * a, cross += a * b, other += b * b;
      ends += q.data[i] == 0 || q.data[i] == 255;
    }
    EXPECT_EQ(t["values"], q.elements());
    EXPECT_EQ(t["differing"], 1);
    EXPECT_EQ(t["most_quanta"], 3);
    EXPECT_NEAR(t["sqnr_db"].get<double>(), 10 * std::log10(signal / 9), 1e-6);
    EXPECT_NEAR(t["cosine"].get<double>(), cross / std::sqrt(signal * other), 1e-9);
    EXPECT_NEAR(t["saturated_b"].get<double>(), ends / static_cast<double>(q.elements()), 1e-9);
  }
}

TEST_F(Inside, CompareTakesTwoDumpsWithoutModelOrInput) {
  write_damaged("damaged.npz", "logits_QuantizeLinear_Output", 7, -1);
  EXPECT_EQ(run({"compare", "whole.npz", "whole.npz"}).status, 0);
  const auto j = json({"whole.npz", "damaged.npz"}, 3);
  EXPECT_EQ(j["first_different"], "logits_QuantizeLinear_Output");
  for (const auto& t : j["tensors"]) EXPECT_EQ(t["differing"], t["name"] == j["first_different"] ? 1 : 0);
}

// Floats of another program: a quantized tensor meets the one that it was quantized from.
TEST_F(Inside, CompareWithFloatsCountsWhatIsMoreThanHalfAQuantumOff) {
  const Array q = node(kConvOut), real = node(kConv + "_output_0_DequantizeLinear_Output");
  const std::string says = run({"run", kModel, "--input", "three.npy", "--node", kConv}).out;
  const float scale = std::stof(says.substr(says.find("scale ") + 6));
  Array floats = real;
  const auto x = floats.values<float>();
  x[0] += 0.4f * scale;
  x[1] += 0.6f * scale;
  x[2] += 300 * scale;  // no u8 holds that
  write_npz(path("floats.npz"), std::vector<std::pair<std::string, Array>>{{kConv + "_output_0", floats}});
  const auto j = json({kModel, "floats.npz", "--input", "three.npy", "--a", "fuse=no,prove=no"}, 3);
  ASSERT_EQ(j["tensors"].size(), 1u);
  const auto& t = j["tensors"][0];
  EXPECT_EQ(t["name"], kConvOut);
  EXPECT_EQ(t["name_b"], kConv + "_output_0");
  EXPECT_EQ(t["differing"], 2);
  EXPECT_NEAR(t["most_quanta"].get<double>(), 300, 0.01);
  EXPECT_NEAR(t["saturated_a"].get<double>(), 1.0 / static_cast<double>(q.elements()), 1e-9);
}

// The float network that the digits were quantized from: every int8 tensor beside its float one, the outputs by both
// names.
TEST_F(Inside, CompareTakesTheFloatModel) {
  const auto j = json({kModel, std::string(OCTET_SOURCE_DIR) + "/demo/digits.f32.onnx", "--input", "three.npy"}, 3);
  std::vector<std::string> names;
  for (const auto& t : j["tensors"]) {
    names.push_back(t["name"]);
    EXPECT_GT(t["cosine"].get<double>(), 0.999) << t;
    EXPECT_GT(t["sqnr_db"].get<double>(), 25) << t;
  }
  EXPECT_GE(names.size(), 13u);
  for (const char* name : {"logits", "logits_QuantizeLinear_Output", "/Concat_output_0_QuantizeLinear_Output"})
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
}

TEST_F(Inside, CompareSaysWhatCannotBeCompared) {
  Array other = node(kConvOut);
  other.shape = {3, 8, 8, 16};
  write_npz(path("turned.npz"), std::vector<std::pair<std::string, Array>>{{kConvOut, other}});
  const Outcome o = run({"compare", kModel, "turned.npz", "--input", "three.npy", "--a", "fuse=no"});
  EXPECT_EQ(o.status, 3) << o.err;
  EXPECT_NE(o.out.find("shape 1x16x8x8 against 1x8x8x16"), std::string::npos) << o.out;
}

}  // namespace
}  // namespace octet
