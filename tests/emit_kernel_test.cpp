// The text of emitted kernels, and what is said when it cannot be built. What the text computes is op_test's business.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "generator/emit_cpp/build.h"
#include "generator/emit_cpp/kernel.h"
#include "generator/emit_cpp/library.h"
#include "generator/emit_cpp/writer.h"
#include "generator/io/file.h"
#include "runtime/status.h"

namespace octet {
namespace {

Program sum_of_pairs() {
  Builder b("sum_of_pairs");
  b.loop(7, {{OCTET_SRC, 32}, {OCTET_SRC2, 8}, {OCTET_DST, 16}}, [&] {
    const Reg acc = b.load(16, Role::acc, {OCTET_SRC, 0});
    b.note("the second of the pair");
    b.op(Op::add32, 16, acc, acc, Mem{OCTET_SRC, 16});
    b.op(Op::add32, 16, acc, acc, b.constant32(-9));
    b.store(16, {OCTET_DST, 0}, acc);
  });
  Program p = b.finish();
  p.heading = {"adds every two vectors"};
  return p;
}

const Target& scalar() {
  return *find_target("scalar");
}

TEST(EmitKernel, ReadsAsWrittenByHand) {
  EXPECT_EQ(emit_kernel(sum_of_pairs(), scalar()),
            R"(// adds every two vectors
// Constants: +0: 0xfffffff7 = -9
void sum_of_pairs(const OctetArgs* args) noexcept {
  const uint8_t* src = static_cast<const uint8_t*>(args->p[OCTET_SRC]);
  uint8_t* dst = static_cast<uint8_t*>(const_cast<void*>(args->p[OCTET_DST]));
  const uint8_t* const constants = static_cast<const uint8_t*>(args->p[OCTET_CONSTANTS]);
  OCTET_LOOP
  for (int i0 = 0; i0 < 7; ++i0) {
    Vec<16> acc_0 = load_acc<16>(src);
    // the second of the pair
    acc_0 = add32(acc_0, load<16>(src + 16));
    acc_0 = add32(acc_0, load<16>(constants));
    store(dst, acc_0);
    src += 32;
    dst += 16;
  }
}
)");
}

TEST(EmitKernel, RefusesVectorsThatTheTargetHasNot) {
  Builder b("wide");
  b.store(64, {OCTET_DST, 0}, b.load(64, Role::temp, {OCTET_SRC, 0}));
  EXPECT_THROW(emit_kernel(b.finish(), *find_target("avx2")), Error);
}

TEST(Writer, WrapsCommentsAtTheColumnLimit) {
  Writer w;
  w.open("{");
  std::string words;
  for (int k = 0; k < 60; ++k) words += "word ";
  w.comment(words + std::string(200, 'x'));
  w.close();
  std::istringstream lines(w.take());
  size_t longest = 0, seen = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("xxx") != std::string::npos) {
      EXPECT_EQ(line, "  // " + std::string(200, 'x'));  // one word stays whole
    } else {
      longest = std::max(longest, line.size());
    }
    for (size_t at = line.find("word"); at != std::string::npos; at = line.find("word", at + 1)) ++seen;
  }
  EXPECT_EQ(seen, 60u);
  EXPECT_LE(longest, 120u);
  EXPECT_GT(longest, 115u);
}

TEST(Writer, FillsFramesCompletelyOrNotAtAll) {
  EXPECT_EQ(fill("a@b @NAME@s, @NAME@ @ @X", {{"NAME", "net"}}), "a@b nets, net @ @X");
  EXPECT_THROW(fill("@MISSING@", {}), Error);
  EXPECT_THROW(fill("text", {{"UNUSED", ""}}), Error);
}

TEST(Build, NamesTheMissingCompiler) {
  try {
    build_program_library({sum_of_pairs()}, scalar(), "no-such-compiler++");
    FAIL() << "built without a compiler";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::user);
    EXPECT_NE(std::string(e.what()).find("no-such-compiler++"), std::string::npos) << e.what();
  }
}

TEST(Build, PassesOnWhatTheCompilerSays) {
  if (!has_compiler("g++")) GTEST_SKIP() << "there is no g++ on this machine";
  const TemporaryFolder folder;
  write_file(folder.path() / "bad.cpp", "int f() { return undeclared; }\n");
  write_file(folder.path() / "good.cpp", "int g() { return 1; }\n");
  try {
    build_shared(folder.path(), "g++");
    FAIL() << "compiled nonsense";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::internal);
    EXPECT_NE(std::string(e.what()).find("undeclared"), std::string::npos) << e.what();
  }
}

// Immediates are template arguments and ops always inlined, so that a debug build of a user's project works too.
TEST(Build, EmittedKernelsCompileWithoutOptimisationAndOnBaselineFlags) {
  if (!has_compiler("g++")) GTEST_SKIP() << "there is no g++ on this machine";
  Builder b("narrow");
  const Reg x = b.load(32, Role::temp, {OCTET_SRC, 0});
  b.unary(Op::srl16, 32, x, x, 3);
  b.store_split(32, {OCTET_DST, 0}, x, 4, {.exist = 3, .offset = {0, 8, 40}});
  const Program p = b.finish();
  for (const Target& target : all_targets()) {
    if (target.vector_bytes < 32) continue;
    for (const char* flags : {"-O0 -Wall -Wextra -Wconversion -Werror", "-O0 -march=x86-64"})
      EXPECT_NO_THROW(build_program_library({p}, target, "g++", flags)) << target.name;
  }
}

}  // namespace
}  // namespace octet
