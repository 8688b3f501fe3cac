// A network as emitted C++: built by both compilers with every warning an error, run as a program without Octet.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "generator/emit_cpp/build.h"
#include "generator/emit_cpp/library.h"
#include "generator/emit_cpp/model.h"
#include "runtime/executor.h"
#include "runtime/status.h"
#include "tests/support/shell.h"
#include "tests/support/slurp.h"
#include "tests/support/small_model.h"
#include "tests/support/toolchain.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

const char* const kStrict =
    "-std=c++17 -O3 -ffp-contract=off -Wall -Wextra -Wconversion -Wshadow -Werror -fno-exceptions -fno-rtti";
const char* const kProgram = OCTET_SOURCE_DIR "/tests/support/emitted_main.cpp";

// Targets of all kinds of machines, whichever will compile the files.
std::vector<CompiledModel> for_all_targets(uint32_t seed) {
  std::vector<CompiledModel> models;
  for (const Target& t : all_targets()) models.push_back(small_model(t, seed));
  return models;
}

EmitOptions options_for(const std::string& name, const fs::path& folder) {
  return {.name = name,
          .out_dir = folder,
          .model_file = "a \"small\" model\\",
          .producer = "hand\n#error",
          .command_line = "none \\",
          .version = "0"};
}

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void expect_success(const std::string& command) {
  const ShellResult r = shell(command);
  ASSERT_EQ(r.code, 0) << command << "\n" << r.output;
}

void write_floats(const fs::path& file, const std::vector<float>& values) {
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
}

std::string as_bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string kind_of_error(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return (e.kind() == ErrorKind::user ? "user: " : "internal: ") + std::string(e.what());
  }
  return "no error";
}

// What the preprocessor needs to know to compile emitted_main.cpp for a network.
std::string defines(const std::string& name, const std::vector<std::string>& targets) {
  std::string list;
  for (const std::string& t : targets) list += fmt::format("X({}) ", t);
  return fmt::format("-DMODEL={} -DMODEL_HEADER='\"{}.h\"' -DTARGETS='{}'", name, name, list);
}

class EmittedModel : public testing::TestWithParam<Toolchain> {
 protected:
  void SetUp() override {
    if (const std::string missing = tools().missing(); !missing.empty()) GTEST_SKIP() << missing;
  }

  static const Toolchain& tools() { return GetParam(); }

  // What this kind of machine may call.
  static std::vector<std::string> target_names() {
    std::vector<std::string> names;
    for (const Target& t : all_targets())
      if (t.arch == Arch::any || t.arch == tools().arch) names.emplace_back(t.name);
    return names;
  }

  // The best that runs here, and one that needs more than every machine of its kind has.
  static const Target& best() { return *tools().targets().back(); }
  static const Target& demanding() { return *find_target(tools().arch == Arch::aarch64 ? "neon_dot" : "avx512_vnni"); }

  fs::path path(const std::string& name) const { return folder_.path() / name; }

  // Objects of everything in `folder`, in `folder`/../NAME_objects, by a relative path that is not the current folder.
  void compile(const std::string& name, const std::string& flags = "") {
    const fs::path objects = path(name + "_objects");
    fs::create_directory(objects);
    expect_success(
        fmt::format("cd '{}' && for f in ../{}/*.cpp; do {} {} {} -c $f -o $(basename $f).o & all=\"$all $!\"; done; "
                    "for p in $all; do wait $p || exit 1; done",
                    objects.string(), name, tools().command(), kStrict, flags));
  }

  void link_program(const std::string& name, const std::vector<std::string>& targets) {
    expect_success(fmt::format(
        "{0} -std=c++17 -Wall -Wextra -Wconversion -Werror -O1 {1} -I '{2}' {3} '{2}_objects'/*.o {4} -o '{2}_main'",
        tools().command(), defines(name, targets), path(name).string(), kProgram, tools().link_flags));
  }

  // What the program prints, having written the right bytes; on a processor of the emulator's.
  std::string run_program(const std::string& name, const std::string& target, const CompiledModel& model, uint32_t seed,
                          const std::string& processor = {}) {
    std::vector<float> inputs, expected;
    for (uint32_t sample = 0; sample < 3; ++sample) {
      const std::vector<float> in = small_model_input(model, seed + sample), out = run_here(model, in);
      inputs.insert(inputs.end(), in.begin(), in.end());
      expected.insert(expected.end(), out.begin(), out.end());
    }
    write_floats(path("in"), inputs);
    const ShellResult r = shell(fmt::format("{}'{}_main' {} '{}' '{}'", tools().runner(processor), path(name).string(),
                                            target, path("in").string(), path("out").string()));
    EXPECT_EQ(r.code, 0) << target << ": " << r.output;
    EXPECT_EQ(slurp(path("out")), as_bytes(expected)) << target;
    return r.output;
  }

  TemporaryFolder folder_;
};

TEST_P(EmittedModel, GivesTheBytesOfTheInterpreterOnEveryTarget) {
  const std::vector<CompiledModel> models = for_all_targets(1);
  emit_model(models, options_for("small", path("small")));
  compile("small");
  link_program("small", target_names());
  std::string skipped, last;
  for (const CompiledModel& m : models) {
    const auto runs = tools().targets();
    if (std::find(runs.begin(), runs.end(), m.target) != runs.end())
      last = run_program("small", m.target->name, m, 5);
    else if (m.target->arch == tools().arch)
      skipped += std::string(" ") + m.target->name;
  }
  run_program("small", "best", models[0], 9);
  // What run() takes is a matter of the machine alone.
  const bool capped = tools().emulator.empty() && std::getenv("OCTET_MAX_TARGET") != nullptr;
  EXPECT_TRUE(capped || last == std::string(best().name) + "\n") << last;
  if (!skipped.empty()) GTEST_SKIP() << "this machine (or OCTET_MAX_TARGET) has no" << skipped;
}

TEST_P(EmittedModel, NeedsNothingButMemoryFunctions) {
  emit_model(for_all_targets(2), options_for("small", path("small")));
  compile("small", "-fexceptions -frtti");
  const std::string all = path("all.o").string();
  expect_success(
      fmt::format("{} -r -nostdlib -o '{}' '{}'/*.o", tools().command(), all, path("small_objects").string()));
  std::istringstream undefined(shell("nm -u --format=posix '" + all + "' | cut -d' ' -f1").output);
  const std::set<std::string> allowed = {"memcpy",
                                         "memset",
                                         "memmove",
                                         "memcmp",
                                         "_GLOBAL_OFFSET_TABLE_",
                                         "__cpu_model",
                                         "__cpu_features2",
                                         "__cpu_indicator_init",  // these three are libgcc's
                                         "getauxval"};
  size_t count = 0;
  for (std::string symbol; undefined >> symbol; ++count) {
    // clang++ names symbols that nothing refers to; those need no definition.
    const bool used = shell(fmt::format("readelf -rW '{}' | grep -wF '{}'", all, symbol)).code == 0;
    EXPECT_TRUE(allowed.contains(symbol) || !used) << symbol;
  }
  EXPECT_GT(count, 0u) << "nm has told nothing";
  const std::string sections = shell("readelf -SW '" + all + "'").output;
  EXPECT_EQ(shell("readelf -SW '" + all + "' | grep -E 'note.GNU-stack +PROGBITS.* X '").output, "") << sections;
  EXPECT_NE(shell("readelf -SW '" + all + "' | grep -E '[.]rodata[.]small_.*_weights +PROGBITS.* A .* 64$'").output, "")
      << sections;
}

// A linker keeps any one of the equal inline functions that it meets, and with it instructions that a lesser machine
// may lack. So no object may have such a function, also where the compiler inlines nothing.
TEST_P(EmittedModel, SharesNoCodeBetweenTargets) {
  emit_model(for_all_targets(2), options_for("small", path("small")));
  compile("small", "-O0");
  EXPECT_EQ(shell(fmt::format("nm -C '{}'/small_*.o | grep -E ' [WVu] '", path("small_objects").string())).output, "");
}

TEST_P(EmittedModel, TwoNetworksLiveInOneProgram) {
  const Target& target = best();
  const CompiledModel a = small_model(target, 3), b = small_model(target, 4);
  emit_model({a}, options_for("first", path("first")));
  emit_model({b}, options_for("second", path("second")));
  compile("first");
  compile("second");
  const auto object = [&](const std::string& name) {
    return fmt::format("{} -std=c++17 {} -Dmain=main_{} -I '{}' -c {} -o '{}.o'", tools().command(),
                       defines(name, {target.name}), name, path(name).string(), kProgram, path(name).string());
  };
  std::ofstream(path("both.cpp")) << R"(#include <cstdlib>
int main_first(int, char**);
int main_second(int, char**);
int main(int count, char** words) {
  if (count != 7) return EXIT_FAILURE;
  char* first[] = {words[0], words[1], words[2], words[3]};
  char* second[] = {words[0], words[4], words[5], words[6]};
  return main_first(4, first) || main_second(4, second);
})";
  expect_success(
      fmt::format("{} && {} && cd '{}' && {} both.cpp first.o second.o first_objects/*.o second_objects/*.o {} -o both",
                  object("first"), object("second"), folder_.path().string(), tools().command(), tools().link_flags));
  const std::vector<float> in = small_model_input(a, 6);
  write_floats(path("in"), in);
  expect_success(fmt::format("cd '{}' && {}./both best in out1 {} in out2", folder_.path().string(), tools().runner(),
                             target.name));
  EXPECT_EQ(slurp(path("out1")), as_bytes(run_here(a, in)));
  EXPECT_EQ(slurp(path("out2")), as_bytes(run_here(b, in)));
  EXPECT_NE(slurp(path("out1")), slurp(path("out2")));
}

TEST_P(EmittedModel, WithoutItsTargetsAMachineFallsBackOrRefuses) {
  const Target& scalar = all_targets()[0];
  emit_model({small_model(demanding(), 1), small_model(scalar, 1)}, options_for("fallback", path("fallback")));
  emit_model({small_model(demanding(), 1)}, options_for("refusal", path("refusal")));
  // A lesser machine: a lie about this one, or the least that the emulator has.
  const std::string lie = tools().emulator.empty() ? "'-D__builtin_cpu_supports(feature)=0'" : "";
  const std::string least = tools().emulator.empty() ? "" : tools().processors.front();
  compile("fallback", lie);
  link_program("fallback", {"scalar"});
  EXPECT_EQ(run_program("fallback", "best", small_model(scalar, 1), 1, least), "scalar\n");
  compile("refusal", lie);
  std::ofstream(path("main.cpp")) << R"(#include "refusal.h"
#include <cstring>
int main() {
  static unsigned char result[refusal::output[0].bytes];
  void* outputs[] = {result};
  refusal::run(nullptr, outputs, nullptr);
  return refusal::supported() || std::strcmp(refusal::target(), "none") != 0 || result[0] != 0;
})";
  expect_success(fmt::format("cd '{}' && {} -std=c++17 -I refusal main.cpp refusal_objects/*.o {} -o main && {}./main",
                             folder_.path().string(), tools().command(), tools().link_flags, tools().runner(least)));
}

// One set of files for all machines: each kind takes what is its own, and one of which there is nothing refuses.
TEST_P(EmittedModel, AKindOfMachineWithoutATargetRefuses) {
  const Target& foreign = *find_target(tools().arch == Arch::aarch64 ? "avx2" : "neon");
  emit_model({small_model(foreign, 1)}, options_for("foreign", path("foreign")));
  compile("foreign");
  std::ofstream(path("main.cpp")) << R"(#include "foreign.h"
#include <cstring>
int main() { return foreign::supported() || std::strcmp(foreign::target(), "none") != 0; })";
  expect_success(fmt::format("cd '{}' && {} -std=c++17 -I foreign main.cpp foreign_objects/*.o {} -o main && {}./main",
                             folder_.path().string(), tools().command(), tools().link_flags, tools().runner()));
}

class KernelLibraryTest : public EmittedModel {};

TEST_P(KernelLibraryTest, RunsInThisProcess) {
  const CompiledModel model = small_model(host_target(), 8);
  const std::vector<float> in = small_model_input(model, 8);
  const KernelLibrary library = build_kernel_library(model, tools().compiler);
  ASSERT_EQ(library.kernels.size(), model.kernels.size());
  std::vector<BoundKernel> kernels;
  for (OctetKernel k : library.kernels) kernels.push_back({k, {}});
  Plan plan = model.plan;
  ExecutionContext context(std::make_shared<const Executor>(std::move(plan), std::move(kernels), library.handle));
  std::vector<float> out(static_cast<size_t>(model.plan.outputs[0].elements()));
  const void* inputs[] = {in.data()};
  void* outputs[] = {out.data()};
  context.run(inputs, outputs);
  EXPECT_EQ(as_bytes(out), as_bytes(run_here(model, in)));
}

std::string name_of(const testing::TestParamInfo<Toolchain>& tested) {
  return tested.param.name;
}

std::vector<Toolchain> of_this_machine() {
  std::vector<Toolchain> all = toolchains();
  std::erase_if(all, [](const Toolchain& t) { return !t.emulator.empty(); });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Compilers, EmittedModel, testing::ValuesIn(toolchains()), name_of);
INSTANTIATE_TEST_SUITE_P(Compilers, KernelLibraryTest, testing::ValuesIn(of_this_machine()), name_of);

TEST(EmitModel, SharesEqualWeights) {
  const TemporaryFolder folder;
  CompiledModel a = small_model(all_targets()[0], 1), b = a;
  b.target = &all_targets()[1];
  emit_model({a, b}, options_for("small", folder.path()));
  EXPECT_TRUE(fs::exists(folder.path() / "small_avx2_weights.cpp.bin"));
  EXPECT_FALSE(fs::exists(folder.path() / "small_scalar_weights.cpp.bin"));
  EXPECT_TRUE(fs::exists(folder.path() / "small_scalar_weights.cpp")) << "CMake wants the same files always";
  EXPECT_NE(slurp(folder.path() / "small_scalar.cpp").find("small_avx2_weights[]"), std::string::npos);
}

TEST(EmitModel, TheNumberOfKernelFilesIsAsAsked) {
  const TemporaryFolder folder;
  EmitOptions options = options_for("small", folder.path());
  for (const int count : {1, 3, 7}) {  // 7: more than there are kernels; and fewer must go again
    options.kernel_files = count;
    emit_model({small_model(all_targets()[0], 1)}, options);
  }
  options.kernel_files = 2;
  emit_model({small_model(all_targets()[0], 1)}, options);
  std::ofstream(folder.path() / "small_scalar_other.cpp") << "// not ours\n";
  options.kernel_files = 1;
  emit_model({small_model(all_targets()[0], 1)}, options);
  const std::vector<std::string> expected = {"octet",
                                             "small.cpp",
                                             "small.h",
                                             "small_scalar.cpp",
                                             "small_scalar_kernels.h",
                                             "small_scalar_kernels_1.cpp",
                                             "small_scalar_other.cpp",
                                             "small_scalar_weights.cpp",
                                             "small_scalar_weights.cpp.bin"};
  EXPECT_EQ(files_in(folder.path()), expected);
}

TEST(EmitModel, Refuses) {
  const TemporaryFolder folder;
  const CompiledModel model = small_model(all_targets()[0], 1);
  const auto error = [&](const std::vector<CompiledModel>& models, const std::string& name, const fs::path& out) {
    return kind_of_error([&] { emit_model(models, options_for(name, out)); });
  };
  EXPECT_EQ(error({}, "small", folder.path()), "user: small: no target to compile for");
  EXPECT_EQ(error({model, model}, "small", folder.path()), "user: small: target scalar is given twice");
  EXPECT_EQ(error({model}, "9 lives", folder.path()).find("user: \"9 lives\" cannot name a network"), 0u);
  std::ofstream(folder.path() / "file") << "x";
  EXPECT_EQ(error({model}, "small", folder.path() / "file").find("user: cannot make the folder"), 0u);
  EXPECT_EQ(files_in(folder.path()), std::vector<std::string>{"file"});
  EXPECT_EQ(
      kind_of_error([&] { build_kernel_library(model, "no-such-compiler"); }).find("user: there is no C++ compiler"),
      0u);
}

TEST(EmitModel, Names) {
  for (const char* good : {"a", "resnet50", "mobilenet_v2", "A1", "stdx"}) EXPECT_TRUE(is_model_name(good)) << good;
  for (const char* bad :
       {"", "_a", "1a", "a-b", "a__b", "int", "std", "namespace", "main", "octet_x", "\xc3\xa4", "a b", "a\n"})
    EXPECT_FALSE(is_model_name(bad)) << bad;
}

}  // namespace
}  // namespace octet
