// The committed digit network, made into a library by octet_add_model within this build and run by a program without
// Octet, against the stored outputs of ONNX Runtime and against machine code made at load time: the same bytes.
#include <gtest/gtest.h>

#include "generator/emit_cpp/build.h"
#include "generator/io/file.h"
#include "generator/io/npy.h"
#include "jit/load.h"
#include "tests/support/shell.h"
#include "tests/support/slurp.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

const NpzReader& held_out() {
  static const NpzReader npz(OCTET_SOURCE_DIR "/demo/digits_heldout.npz");
  return npz;
}

std::string bytes_of(const Array& array) {
  return {array.data.begin(), array.data.end()};
}

// What the program writes for all held-out images; the target that run() takes goes to `best`.
std::string run_program(const std::string& target, std::string* best = nullptr) {
  const TemporaryFolder folder;
  write_file(folder.path() / "in", bytes_of(held_out().read("images")));
  const ShellResult r = shell(std::string(OCTET_EMITTED_DIGITS) + " " + target + " " + (folder.path() / "in").string() +
                              " " + (folder.path() / "out").string());
  EXPECT_EQ(r.code, 0) << r.output;
  if (best) *best = r.output;
  return slurp(folder.path() / "out");
}

class EmittedDigits : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!host_runs(*find_target(GetParam())))
      GTEST_SKIP() << "this machine (or OCTET_MAX_TARGET) has no " << GetParam();
  }
};

TEST_P(EmittedDigits, AheadOfTimeGivesTheStoredBytes) {
  EXPECT_TRUE(run_program(GetParam()) == bytes_of(held_out().read("expected"))) << GetParam();
}

TEST_P(EmittedDigits, AheadOfTimeAndAtLoadTimeAgree) {
  const LoadedModel model = load(OCTET_SOURCE_DIR "/demo/digits.int8.onnx", {.target = find_target(GetParam())});
  const Array images = held_out().read("images");
  const size_t in_bytes = model.executor->plan().inputs[0].bytes(),
               out_bytes = model.executor->plan().outputs[0].bytes();
  std::string result;
  ExecutionContext context(model.executor);
  for (size_t at = 0; at + in_bytes <= images.data.size(); at += in_bytes) {
    std::vector<char> out(out_bytes);
    const void* inputs[] = {images.data.data() + at};
    void* outputs[] = {out.data()};
    context.run(inputs, outputs);
    result.append(out.begin(), out.end());
  }
  EXPECT_TRUE(result == run_program(GetParam())) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Targets, EmittedDigits, testing::Values("scalar", "avx2", "avx512_vnni", "avx512_vbmi"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(EmittedDigits, RunTakesTheBestTargetWhateverOctetIsTold) {
  std::string best, capped;
  const std::string bytes = run_program("best", &best);
  EXPECT_TRUE(bytes == bytes_of(held_out().read("expected")));
  const char* before = std::getenv("OCTET_MAX_TARGET");
  const std::string old = before ? before : "";
  setenv("OCTET_MAX_TARGET", "scalar", 1);
  run_program("best", &capped);
  if (before)
    setenv("OCTET_MAX_TARGET", old.c_str(), 1);
  else
    unsetenv("OCTET_MAX_TARGET");
  EXPECT_EQ(best, capped) << "an emitted network knows nothing of Octet's variables";
}

}  // namespace
}  // namespace octet
