// The command line as its users meet it: exit status, one clear line, files as promised.
#include <nlohmann/json.hpp>

#include "generator/schedule/cost_table.h"
#include "jit/backend.h"
#include "targets/target.h"
#include "tests/support/cli.h"

namespace octet {
namespace {

struct UserError {
  std::vector<std::string> args;  // MODEL stands for the digits network
  const char* says;
};

void PrintTo(const UserError& e, std::ostream* out) {
  for (const std::string& a : e.args) *out << a << ' ';
}

class CliError : public Cli, public testing::WithParamInterface<UserError> {};

TEST_P(CliError, IsOneClearLineAndStatusOne) {
  std::vector<std::string> args = GetParam().args;
  if (!args.empty() && args[0] == "tune" && !can_compile(host_target()))
    GTEST_SKIP() << "no machine code to tune on this machine";
  std::replace(args.begin(), args.end(), std::string("MODEL"), kModel);
  const Outcome o = run(args);
  EXPECT_EQ(o.status, 1) << o.err;
  EXPECT_EQ(o.err.rfind("octet: ", 0), 0u) << o.err;
  EXPECT_NE(o.err.find(GetParam().says), std::string::npos) << o.err << "  expected: " << GetParam().says;
  EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << o.err;
  EXPECT_EQ(o.out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Words, CliError,
    testing::Values(
        UserError{{}, "see octet --help"}, UserError{{"fly"}, "unknown command 'fly' (run, compile, bench"},
        UserError{{"--fly"}, "unknown option '--fly'"}, UserError{{"run"}, "MODEL is required"},
        UserError{{"run", "MODEL"}, "--input is required"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--fly"}, "--fly"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--threads", "many"}, "--threads = many"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--threads", "0"}, "--threads must be 1 to 1024"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--batch", "0"}, "--batch must be at least 1"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--target", "z80"},
                  "unknown target 'z80' (supported: scalar, avx2, avx512_vnni, avx512_vbmi, neon, "
                  "neon_dot, neon_i8mm, host)"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--engine", "steam"},
                  "unknown engine 'steam' (supported: jit, cpp, interpreter, reference)"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--profile", "tfl"},
                  "unknown profile 'tfl' (supported: ort, xnn, tfl-ref, tflm, tfl-ruy, torch-x86, fbgemm, "
                  "onednn, qnnpack, tidl)"},
        UserError{{"bench", "MODEL", "--target", "z80"}, "unknown target 'z80'"},
        UserError{{"bench", "MODEL", "--rounds", "-1"}, "--rounds must be positive"},
        UserError{{"explain", "MODEL", "--target", "z80"}, "unknown target 'z80'"},
        UserError{{"compare", "MODEL"}, "--input is required where A or B is a model"},
        UserError{{"compare", "other.npz"}, "other.npz: a dump is compared with something: give B"},
        UserError{{"compare", "other.npz", "other.npz", "--a", "target=avx2"}, "which has no settings"},
        UserError{{"compare", "MODEL", "--input", "one.npy", "--b", "target=z80"}, "unknown target 'z80'"},
        UserError{{"compare", "MODEL", "--input", "one.npy", "--a", "speed=9"},
                  "--a: unknown setting 'speed=9' (target=T, engine=E"},
        UserError{{"compare", "MODEL", "--input", "one.npy", "--a", "threads=many"},
                  "threads=many: threads is a whole number"},
        UserError{{"compare", "MODEL", "--input", "one.npy", "--a", "fuse=maybe"}, "'fuse=maybe'"},
        UserError{{"compare", "MODEL", "other.npz", "--input", "one.npy"}, "no tensor of the same name"},
        UserError{{"compare", "MODEL", "none.npz", "--input", "one.npy"}, "cannot open none.npz"},
        UserError{{"compare", "MODEL", "--input", "one.npy", "--json", "no/c.json"}, "cannot write no/c"},
        UserError{{"tune", "MODEL", "-o", "t.txt", "--seconds", "0"}, "--seconds must be above 0"},
        UserError{{"tune", "MODEL", "-o", "t.txt", "--target", "scalar"}, "no machine code to tune"},
        UserError{{"tune", "MODEL", "-o", "labels.txt"}, "labels.txt: the first line"},
        UserError{{"bench", "MODEL", "--tuned", "labels.txt"}, "labels.txt: the first line"},
        UserError{{"explain", "MODEL", "--tuned", "none.txt"}, "none.txt"},
        UserError{{"compile", "MODEL", "-o", "out", "--target", "z80"}, "unknown target 'z80'"},
        UserError{{"compile", "MODEL"}, "-o"}, UserError{{"compile", "MODEL", "-o", ""}, "--output: the name is empty"},
        UserError{{"compile", "MODEL", "-o", "out", "--kernel-files", "1001"}, "--kernel-files must be 0 to 1000"},
        UserError{{"inspect", "MODEL", "--batch", "0"}, "--batch must be at least 1"},
        UserError{{"compile", "MODEL", "-o", "out", "--name", "9 lives"}, "--name"},
        UserError{{"compile", "MODEL", "-o", "out", "--emit", "wasm"}, "(supported: cpp, obj)"},
        UserError{{"compile", "MODEL", "-o", "out", "--emit", "obj", "--target", "avx2", "--target", "neon"},
                  "objects for neon and avx2; supported: targets of one architecture"}));

INSTANTIATE_TEST_SUITE_P(Models, CliError,
                         testing::Values(UserError{{"run", "none.onnx", "--input", "one.npy"}, "none.onnx"},
                                         UserError{{"run", "", "--input", "one.npy"}, "MODEL: the name is empty"},
                                         UserError{{"run", ".", "--input", "one.npy"}, "octet: "},
                                         UserError{{"run", "text.onnx", "--input", "one.npy"}, "text.onnx"},
                                         UserError{{"run", "empty.onnx", "--input", "one.npy"}, "empty.onnx"},
                                         UserError{{"run", "half.onnx", "--input", "one.npy"}, "half.onnx"},
                                         UserError{{"bench", "none.onnx"}, "none.onnx"},
                                         UserError{{"inspect", "text.onnx"}, "text.onnx"},
                                         UserError{{"inspect", "none.onnx"}, "none.onnx"},
                                         UserError{{"explain", "half.onnx"}, "half.onnx"},
                                         UserError{{"compile", "empty.onnx", "-o", "out"}, "empty.onnx"}));

INSTANTIATE_TEST_SUITE_P(
    Inputs, CliError,
    testing::Values(
        UserError{{"run", "MODEL", "--input", "none.npy"}, "cannot open none.npy: No such file"},
        UserError{{"run", "MODEL", "--input", "none.npz"}, "cannot open none.npz: No such file"},
        UserError{{"run", "MODEL", "--input", "none.png"}, "cannot open none.png: No such file"},
        UserError{{"run", "MODEL", "--input", "labels.txt"}, "inputs are .npy, .npz or photographs"},
        UserError{{"run", "MODEL", "--input", "bad.npy"}, "bad.npy: "},
        UserError{{"run", "MODEL", "--input", "bad.npz"}, "bad.npz: not a readable .npz file"},
        UserError{{"run", "MODEL", "--input", "bad.png"}, "bad.png: cannot decode the photograph"},
        UserError{{"run", "MODEL", "--input", "other.npz"},
                  "no member named like the input 'images' (it has: pictures)"},
        UserError{{"run", "MODEL", "--input", "shape.npy"}, "shape 1x1x8x32, but input 'images' takes 1x1x16x16"},
        UserError{{"run", "MODEL", "--input", "s32.npy"}, "s32 values, but input 'images' takes f32 or"},
        UserError{{"run", "MODEL", "--input", ""}, "--input: the name is empty"},
        UserError{{"run", "MODEL", "--input", "images="}, "the name of the file is missing"},
        UserError{{"run", "MODEL", "--input", "folder.npz"}, "folder.npz: Is a directory"},
        UserError{{"run", "MODEL", "--input", "labels=one.npy"}, "labels=one.npy"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--scale", "loud"}, "unknown --scale 'loud'"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--resize", "fold"}, "unknown --resize 'fold'"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--mean", "1,2"}, "--mean takes one number or three"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--std", "0"}, "--std must not be 0"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--scale", "0..1", "--mean", "0"}, "exclude each other"}));

INSTANTIATE_TEST_SUITE_P(
    Outputs, CliError,
    testing::Values(
        UserError{{"run", "MODEL", "--input", "one.npy", "--output", "no/such/y.npz"}, "cannot write no/such/y.npz"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--output", ""}, "--output: the name is empty"},
        // Known before anything is read or run.
        UserError{{"run", "MODEL", "--input", "none.npy", "--output", "no/y.npz"}, "cannot write no/y.npz"},
        UserError{{"run", "MODEL", "--input", "none.npy", "--output", "folder.npz"}, "folder.npz: Is a directory"},
        UserError{{"run", "MODEL", "--input", "none.npy", "--top", "3", "--labels", "two_labels.txt"},
                  "2 lines, but the model has 10 classes"},
        UserError{{"bench", "MODEL", "--json", "no/b.json"}, "cannot write no/b.json"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--output", "y.txt"}, "written as .npz or .npy"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--dump-all"}, "--dump-all needs --output"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--node", ""}, "--node: the name is empty"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--node", "/Add", "--top", "3"}, "exclude each other"},
        UserError{
            {"run", "MODEL", "--input", "one.npy", "--node", "/Add", "--node", "/pool/MaxPool", "--output", "y.npy"},
            "use .npz"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--node", "/add0"}, "spelled like it: '/Add'"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--node", "images"}, "an input of the network"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--node", "classes.bias_quantized"}, "a constant of the file"},
        // Between Conv and Add: what lies before and behind it is named.
        UserError{{"run", "MODEL", "--input", "one.npy", "--node", "/body/body.1/body.1.0/Conv_output_0"},
                  "never exists; nearest before it: '/body/body.0/body.0.2/Relu_output_0_QuantizeLinear_Output'; "
                  "nearest behind it: '/body/body.1/body.1.0/Conv_output_0_QuantizeLinear_Output'"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--dump-all", "--output", "y.npy"}, "use .npz"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--labels", "labels.txt"}, "--labels needs --top"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--top", "3", "--labels", "none"}, "cannot open none"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--top", "3", "--labels", "two_labels.txt"},
                  "2 lines, but the model has 10 classes"},
        UserError{{"run", "MODEL", "--input", "one.npy", "--top", "-1"}, "--top must be positive"},
        UserError{{"compile", "MODEL", "-o", "labels.txt/out"}, "labels.txt/out"}));

TEST_F(Cli, HelpTeachesEveryVerbByExample) {
  for (const char* verb : {"run", "compile", "bench", "inspect", "explain", "compare"}) {
    const Outcome o = run({verb, "--help"});
    EXPECT_EQ(o.status, 0) << verb;
    EXPECT_NE(o.out.find(std::string("  octet ") + verb + " "), std::string::npos) << o.out;
    EXPECT_EQ(o.err, "");
    EXPECT_NE(run({"--help"}).out.find(std::string("  ") + verb + " "), std::string::npos);
  }
  EXPECT_EQ(run({"--version"}).out.rfind("octet ", 0), 0u);
}

TEST_F(Cli, ATargetThatTheHostCannotRunIsAUserError) {
  const Outcome o =
      run({"run", kModel, "--input", "one.npy", "--target", "avx512_vnni"}, {{"OCTET_MAX_TARGET", "scalar"}});
  EXPECT_EQ(o.status, 1);
  EXPECT_NE(o.err.find("avx512_vnni"), std::string::npos) << o.err;
  EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << o.err;
}

TEST_F(Cli, AnUnknownCapIsAWarning) {
  const Outcome o = run({"run", kModel, "--input", "one.npy"}, {{"OCTET_MAX_TARGET", "z80"}});
  EXPECT_EQ(o.status, 0);
  EXPECT_NE(o.err.find("OCTET_MAX_TARGET=z80"), std::string::npos) << o.err;
}

TEST_F(Cli, RunsEveryEngineOnManyImagesWithTheStoredAnswer) {
  const NpzReader held(kHeldOut);
  const Array expected = held.read("expected");
  for (const char* engine : {"jit", "reference"}) {
    const Outcome o = run({"run", kModel, "--input", kHeldOut, "--output", "y.npz", "--engine", engine});
    ASSERT_EQ(o.status, 0) << o.err;
    const NpzReader y(path("y.npz"));
    ASSERT_EQ(y.names(), std::vector<std::string>{"logits"});
    EXPECT_EQ(y.read("logits").shape, expected.shape);
    EXPECT_EQ(y.read("logits").data, expected.data) << engine;
  }
}

TEST_F(Cli, TheCacheGivesTheSameBytesAndIsNeverInTheWay) {
  const auto cached = [&](std::vector<std::string> more, std::vector<std::pair<const char*, const char*>> env = {}) {
    more.insert(more.begin(), {"run", kModel, "--input", "three.npy", "--output", "y.npy"});
    const Outcome o = run(more, env);
    EXPECT_EQ(o.status, 0) << o.err;
    return o.err + slurp(path("y.npy"));
  };
  const auto files = [&] {
    return fs::exists(path("kept")) ? std::distance(fs::directory_iterator(path("kept")), fs::directory_iterator()) : 0;
  };
  const std::string plain = cached({});
  EXPECT_EQ(cached({"--no-cache"}, {{"OCTET_CACHE_DIR", "kept"}}), plain);
  EXPECT_EQ(files(), 0);
  const std::string note =
      can_compile(host_target()) ? "" : "octet: cache: not used: target scalar has no machine code\n";
  for (int round = 0; round < 2; ++round)
    EXPECT_EQ(cached({"--cache", "kept"}), note + plain) << "nothing else on stderr";
  EXPECT_EQ(cached({}, {{"OCTET_CACHE_DIR", "kept"}}), note + plain);
  if (can_compile(host_target())) {
    EXPECT_EQ(files(), 1);
    EXPECT_EQ(cached({"--cache", "text.onnx"}).find("octet: cache: not stored: cannot write in text.onnx: "), 0u);
  }
  EXPECT_EQ(run({"run", kModel, "--input", "one.npy", "--cache", ""}).status, 1);
}

TEST_F(Cli, QuantizedIntegersGiveTheSameBytesAsFloats) {
  const Outcome json = run({"inspect", kModel, "--json"});
  const auto input = nlohmann::json::parse(json.out)["inputs"][0];
  const auto scale = input["scale"].get<float>();
  const int zero = input["zero_point"].get<int>();
  const bool is_signed = input["quantized"] == "s8";
  Array q{is_signed ? DType::s8 : DType::u8, {1, 1, 16, 16}, std::vector<uint8_t>(256)};
  Array real{DType::f32, q.shape, std::vector<uint8_t>(1024)};
  for (int i = 0; i < 256; ++i) {
    q.data[static_cast<size_t>(i)] = static_cast<uint8_t>(i);
    const int value = is_signed && i > 127 ? i - 256 : i;
    real.values<float>()[static_cast<size_t>(i)] = static_cast<float>(value - zero) * scale;
  }
  write_npy(path("q.npy"), q);
  write_npy(path("real.npy"), real);
  ASSERT_EQ(run({"run", kModel, "--input", "q.npy", "--output", "q_out.npy"}).status, 0);
  ASSERT_EQ(run({"run", kModel, "--input", "real.npy", "--output", "real_out.npy"}).status, 0);
  EXPECT_EQ(slurp(path("q_out.npy")), slurp(path("real_out.npy")));
}

TEST_F(Cli, NamesAndTopClasses) {
  const Outcome o = run({"run", kModel, "--input", "images=three.npy", "--top", "2", "--labels", "labels.txt"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(std::count(o.out.begin(), o.out.end(), '\n'), 9) << o.out;  // three images, a name and two classes each
  EXPECT_NE(o.out.find("three.npy [2]"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find(" %"), std::string::npos) << o.out;
}

TEST_F(Cli, DumpAllHoldsEveryTensorForEveryImage) {
  ASSERT_EQ(run({"run", kModel, "--input", "three.npy", "--output", "all.npz", "--dump-all"}).status, 0);
  const NpzReader all(path("all.npz"));
  ASSERT_GT(all.names().size(), 5u);  // in the order of execution
  EXPECT_EQ(all.names().front(), "images_QuantizeLinear_Output");
  EXPECT_EQ(all.names().back(), "logits");
  for (const std::string& name : all.names()) EXPECT_EQ(all.read(name).shape[0], 3) << name;
}

TEST_F(Cli, APhotographSaysHowItWasScaled) {
  const std::string photo = std::string(OCTET_SOURCE_DIR) + "/tests/data/io/noise_13x9.png";
  const Outcome guessed = run({"run", kModel, "--input", photo, "--output", "a.npy"});
  EXPECT_EQ(guessed.status, 0) << guessed.err;
  EXPECT_NE(guessed.err.find("scaled as"), std::string::npos) << guessed.err;
  const Outcome told = run({"run", kModel, "--input", photo, "--scale", "-1..1", "--output", "b.npy"});
  EXPECT_EQ(told.status, 0) << told.err;
  EXPECT_EQ(told.err, "");
}

TEST_F(Cli, BenchWritesTheFiguresOfEveryLayer) {
  const Outcome o = run({"bench", kModel, "--rounds", "3", "--layers", "--json", "b.json"});
  ASSERT_EQ(o.status, 0) << o.err;
  const auto j = nlohmann::json::parse(slurp(path("b.json")));
  EXPECT_EQ(j["model"], kModel);
  EXPECT_EQ(j["target"], host_target().name);
  EXPECT_EQ(j["threads"], 1);
  EXPECT_GT(j["median_ms"], 0);
  EXPECT_GE(j["median_ms"], j["min_ms"]);
  EXPECT_GT(j["load_ms"], 0);
  EXPECT_EQ(j["cached_load_ms"], 0);
  EXPECT_GT(j["resident_bytes"], 1 << 20);
  EXPECT_GT(j["layers"].size(), 3u);
  for (const auto& layer : j["layers"]) {
    EXPECT_TRUE(layer["op"].is_string() && layer["shape"].is_string() && layer["schedule"].is_string());
    EXPECT_GE(layer["median_us"], layer["min_us"]);
    if (!can_compile(host_target())) continue;
    EXPECT_GT(layer["predicted_us"], 0) << layer;
    EXPECT_GT(layer["roofline_us"], 0) << layer;
    EXPECT_NE(layer["bound"], "");
  }
  EXPECT_EQ(j["bandwidth"].size(), can_compile(host_target()) ? 4u : 0u);
  EXPECT_EQ(o.out.find("layer"), 0u) << o.out;
  EXPECT_NE(o.out.find("total"), std::string::npos) << o.out;
}

TEST_F(Cli, TuneWritesWhatTheOtherVerbsRead) {
  if (!can_compile(host_target())) GTEST_SKIP() << "no machine code on this machine";
  const Outcome o = run({"tune", kModel, "-o", "tuned.txt", "--seconds", "0.2"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(slurp(path("tuned.txt")).find("octet tuned tilings, version 1\n"), 0u);
  EXPECT_EQ(run({"tune", kModel, "-o", "tuned.txt", "--seconds", "0.1"}).status, 0);  // adds to what is there
  write_file(path("tuned.txt"), slurp(path("tuned.txt")) + "z80 | Zilog | v4 a28 u1 | conv\n");
  const auto output = [&](std::vector<std::string> more) {
    std::vector<std::string> args = {"run", kModel, "--input", "one.npy", "--output", "out.npz"};
    args.insert(args.end(), more.begin(), more.end());
    const Outcome r = run(args);
    EXPECT_EQ(r.status, 0) << r.err;
    return slurp(path("out.npz"));
  };
  EXPECT_EQ(output({"--tuned", "tuned.txt"}), output({}));
  EXPECT_EQ(run({"compile", kModel, "-o", "emitted", "--tuned", "tuned.txt"}).status, 0);
  const Outcome b = run({"bench", kModel, "--rounds", "1", "--tuned", "tuned.txt"});
  EXPECT_EQ(b.status, 0) << b.err;
  EXPECT_NE(b.out.find("tuned.txt"), std::string::npos) << b.out;
}

TEST_F(Cli, ARefusedRunLeavesTheOutputAsItWas) {
  write_file(path("old.npz"), "old");
  for (const char* output : {"old.npz", "new.npz"})
    EXPECT_EQ(run({"run", kModel, "--input", "none.npy", "--output", output}).status, 1);
  EXPECT_EQ(slurp(path("old.npz")), "old");
  EXPECT_FALSE(fs::exists(path("new.npz")));
}

TEST_F(Cli, WhatTheCppEngineLacksIsAUserError) {
  const auto fails = [&](const char* variable, const char* value, const char* says) {
    const Outcome o = run({"run", kModel, "--input", "one.npy", "--engine", "cpp"}, {{variable, value}});
    EXPECT_EQ(o.status, 1) << o.err;
    EXPECT_NE(o.err.find(says), std::string::npos) << o.err;
    EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << o.err;
  };
  fails("PATH", "/no/such/folder", "there is no C++ compiler \"c++\"");
  fails("TMPDIR", "/no/such/folder", "TMPDIR names no folder");
}

TEST_F(Cli, InspectCountsOps) {
  const Outcome text = run({"inspect", kModel});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("It runs"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("  profile   ort: an ONNX file\n"), std::string::npos) << text.out;
  const auto j = nlohmann::json::parse(run({"inspect", kModel, "--json"}).out);
  EXPECT_TRUE(j["runs"].get<bool>());
  EXPECT_EQ(j["profile"], "ort");
  int nodes = 0;
  for (const auto& op : j["ops"]) {
    EXPECT_EQ(op["count"].get<int>(), op["int8"].get<int>() + op["folded"].get<int>() + op["float"].get<int>()) << op;
    nodes += op["count"].get<int>();
  }
  EXPECT_EQ(nodes, j["nodes"].get<int>());
}

TEST_F(Cli, InspectNamesIslandsAndStrictInt8RefusesThem) {
  const std::string model = std::string(OCTET_SOURCE_DIR) + "/demo/digits.f32.onnx";
  const Outcome o = run({"inspect", model});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.out.find("Islands, outside of int8:"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("(conv): its input"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("It runs"), std::string::npos) << o.out;
  const Outcome strict = run({"inspect", model, "--strict-int8"});
  ASSERT_EQ(strict.status, 0) << strict.err;
  EXPECT_NE(strict.out.find("It does not run"), std::string::npos) << strict.out;
  const Outcome refused = run({"explain", model, "--strict-int8"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("is not quantized"), std::string::npos) << refused.err;
}

TEST_F(Cli, ExplainWorksForEveryTarget) {
  for (const Target& t : all_targets()) {
    const Outcome o = run({"explain", kModel, "--target", t.name});
    ASSERT_EQ(o.status, 0) << o.err;
    for (const char* word : {"Passes", "Fusions", "Proved", "Kernels on", "Memory", "Sizes"})
      EXPECT_NE(o.out.find(word), std::string::npos) << t.name << ": " << word;
    EXPECT_EQ(o.out.find("predicted") != std::string::npos, cost_table(t) != nullptr);
    EXPECT_EQ(o.out.find("measured"), std::string::npos);
    const bool of_cores =
        o.out.find("llvm-mca") != std::string::npos || o.out.find("without LLVM") != std::string::npos;
    EXPECT_EQ(of_cores, t.arch == Arch::aarch64) << o.out;
  }
  const Outcome o = run({"explain", kModel, "--measure"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.out.find("measured"), std::string::npos) << o.out;
}

}  // namespace
}  // namespace octet
