// Whole networks for AArch64: emitted, built by octet_add_model in a cross-compiled project, run under the emulator.
// They give the bytes of machine code on this machine.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <sstream>

#include "generator/emit_cpp/build.h"
#include "generator/io/file.h"
#include "generator/io/npy.h"
#include "generator/io/photo.h"
#include "jit/llvm/codegen.h"
#include "jit/load.h"
#include "tests/support/shell.h"
#include "tests/support/slurp.h"
#include "tests/support/toolchain.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDigits = OCTET_SOURCE_DIR "/demo/digits.int8.onnx";
constexpr const char* kProcessors[] = {"cortex-a53", "cortex-a76", "max"};
constexpr const char* kBest[] = {"neon", "neon_dot", "neon_i8mm"};

// The project tests/consumer/cross, built once for each network, list of targets and form of the kernels.
class Project {
 public:
  Project(const std::string& network, const std::string& targets, const std::string& emit) {
    const ShellResult r = shell(
        fmt::format("cmake -G Ninja -S '{0}/tests/consumer/cross' -B '{1}' '-DNETWORK={2}' '-DNETWORK_TARGETS={3}' "
                    "-DNETWORK_EMIT={5} "
                    "-DCMAKE_TOOLCHAIN_FILE='{0}/tests/consumer/cross/aarch64.cmake' -DOCTET_EXECUTABLE='{4}' "
                    "-DOCTET_MODEL_CMAKE='{0}/cmake/OctetModel.cmake' && cmake --build '{1}'",
                    OCTET_SOURCE_DIR, folder_.path().string(), network, targets, OCTET_BINARY, emit));
    if (r.code != 0) error_ = r.output;
  }

  const std::string& error() const { return error_; }

  // The program on the emulator's processor: its status and what it prints; `output` gets what it writes.
  ShellResult run(const std::string& processor, const std::string& target, const std::string& input,
                  std::string& output) const {
    const fs::path in = folder_.path() / "in", out = folder_.path() / "out";
    write_file(in, input);
    const ShellResult r = shell(fmt::format("qemu-aarch64-static -cpu {} '{}' {} '{}' '{}'", processor,
                                            (folder_.path() / "program").string(), target, in.string(), out.string()));
    output = slurp(out);
    return r;
  }

 private:
  TemporaryFolder folder_;
  std::string error_;
};

const Project& project(const std::string& network, const std::string& targets, const std::string& emit = "cpp") {
  static std::map<std::string, std::unique_ptr<Project>> all;
  auto& p = all[network + targets + emit];
  if (!p) p = std::make_unique<Project>(network, targets, emit);
  return *p;
}

std::string bytes_of(std::span<const uint8_t> data) {
  return {data.begin(), data.end()};
}

// What this machine's best target gives for each sample.
std::string run_here(const LoadedModel& model, const std::string& input) {
  const size_t in_bytes = model.executor->plan().inputs[0].bytes(),
               out_bytes = model.executor->plan().outputs[0].bytes();
  ExecutionContext context(model.executor);
  std::string result;
  for (size_t at = 0; at + in_bytes <= input.size(); at += in_bytes) {
    std::string out(out_bytes, '\0');
    const void* inputs[] = {input.data() + at};
    void* outputs[] = {out.data()};
    context.run(inputs, outputs);
    result += out;
  }
  return result;
}

class AArch64 : public testing::Test {
 protected:
  void SetUp() override {
    const auto cross =
        std::find_if(toolchains().begin(), toolchains().end(), [](const Toolchain& t) { return !t.emulator.empty(); });
    if (cross == toolchains().end()) GTEST_SKIP() << "this machine needs no emulator: emitted_digits_test runs it all";
    if (const std::string missing = cross->missing(); !missing.empty()) GTEST_SKIP() << missing;
  }

  const std::string digits_ = bytes_of(NpzReader(OCTET_SOURCE_DIR "/demo/digits_heldout.npz").read("images").data);
};

// As C++, and as objects that LLVM makes on this machine.
class AArch64Emitted : public AArch64, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (objects() && !has_llvm()) GTEST_SKIP() << "Octet was built without LLVM";
    AArch64::SetUp();
  }

  bool objects() const { return std::strcmp(GetParam(), "obj") == 0; }
};

TEST_P(AArch64Emitted, DigitsGiveTheBytesOfThisMachineOnEveryTargetAndProcessor) {
  // avx2 is for the same sources on x86; objects are of one architecture.
  const Project& digits = project(
      kDigits, objects() ? "scalar;neon;neon_dot;neon_i8mm" : "scalar;avx2;neon;neon_dot;neon_i8mm", GetParam());
  ASSERT_EQ(digits.error(), "");
  const std::string expected = run_here(load(kDigits, {}), digits_);
  std::string got;
  for (size_t p = 0; p < std::size(kProcessors); ++p) {
    const ShellResult best = digits.run(kProcessors[p], "best", digits_, got);
    EXPECT_EQ(best.output, std::string(kBest[p]) + "\n") << kProcessors[p];
    EXPECT_TRUE(got == expected) << "run() on " << kProcessors[p];
    for (size_t t = 0; t <= p; ++t) {
      EXPECT_EQ(digits.run(kProcessors[p], kBest[t], digits_, got).code, 0);
      EXPECT_TRUE(got == expected) << kBest[t] << " on " << kProcessors[p];
    }
  }
  EXPECT_EQ(digits.run("cortex-a53", "scalar", digits_, got).code, 0);
  EXPECT_TRUE(got == expected) << "scalar";
}

TEST_F(AArch64, WhatAProcessorLacksFallsBackOrRefuses) {
  const std::string expected = run_here(load(kDigits, {}), digits_);
  const Project& fallback = project(kDigits, "scalar;neon_dot");
  ASSERT_EQ(fallback.error(), "");
  std::string got;
  EXPECT_EQ(fallback.run("cortex-a53", "best", digits_, got).output, "scalar\n");
  EXPECT_TRUE(got == expected);
  EXPECT_EQ(fallback.run("cortex-a76", "best", digits_, got).output, "neon_dot\n");
  EXPECT_TRUE(got == expected);

  const Project& refusal = project(kDigits, "neon_dot");
  ASSERT_EQ(refusal.error(), "");
  const ShellResult refused = refusal.run("cortex-a53", "best", digits_, got);
  EXPECT_EQ(refused.code, 2) << "supported() says so";
  EXPECT_EQ(refused.output, "no target best, or no file\n");
  EXPECT_NE(refusal.run("cortex-a53", "neon_dot", digits_, got).code, 0) << "the emulator has refused the instruction";
  EXPECT_EQ(refusal.run("cortex-a76", "best", digits_, got).output, "neon_dot\n");
  EXPECT_TRUE(got == expected);
}

TEST_P(AArch64Emitted, MobilenetClassifiesTheCatWithTheBytesOfThisMachine) {
  const char* const reference = std::getenv("OCTET_REFERENCE");
  const fs::path folder = reference ? reference : OCTET_SOURCE_DIR "/../shared/reference";
  const fs::path file = folder / "onnx/mobilenet_v2.int8.onnx";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not there";
  const LoadedModel model = load(file, {});
  const TensorInfo& image = model.executor->plan().inputs[0];
  std::string input;
  for (const char* photo : {"cat.bmp", "grace_hopper.bmp"})
    input += bytes_of(photo_to_array(load_photo((folder / "images" / photo).string()), image,
                                     guess_photo_scale(image).scale, {.crop = true})
                          .data);
  const std::string expected = run_here(model, input);
  const Project& network = project(file.string(), "neon_dot", GetParam());
  ASSERT_EQ(network.error(), "");
  std::string got;
  EXPECT_EQ(network.run("cortex-a76", "best", input, got).output, "neon_dot\n");
  ASSERT_TRUE(got == expected);

  std::vector<float> scores(got.size() / sizeof(float) / 2);
  std::memcpy(scores.data(), got.data(), scores.size() * sizeof(float));
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  std::istringstream labels(slurp(folder / "images/imagenet_labels.txt"));
  std::string label;
  for (long line = 0; line <= best; ++line) std::getline(labels, label);
  EXPECT_NE(label.find("cat"), std::string::npos) << label;
}

INSTANTIATE_TEST_SUITE_P(Forms, AArch64Emitted, testing::Values("cpp", "obj"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace octet
