// A network at load time: every engine, thread count and context gives the stored bytes, and run allocates nothing.
#include "jit/load.h"
#include "jit/backend.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#include "generator/io/npy.h"
#include "runtime/status.h"

namespace {
std::atomic<long> allocations{0};
}

// Counts what C++ allocates in this program.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes ? bytes : 1);
}
void* operator new(std::size_t bytes) {
  if (void* p = operator new(bytes, std::nothrow)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}

namespace octet {
namespace {

const std::filesystem::path kDigits = OCTET_SOURCE_DIR "/demo/digits.int8.onnx";

struct HeldOut {
  Array images, expected;
  size_t count = 0;
  static const HeldOut& get() {
    static const HeldOut h = [] {
      const NpzReader npz(OCTET_SOURCE_DIR "/demo/digits_heldout.npz");
      HeldOut r{npz.read("images"), npz.read("expected")};
      r.count = static_cast<size_t>(r.images.shape[0]);
      return r;
    }();
    return h;
  }
};

// How many of the first `count` images give other bytes than the stored ones.
size_t wrong(ExecutionContext& context, const Plan& plan, size_t count) {
  const HeldOut& h = HeldOut::get();
  const size_t in = plan.inputs[0].bytes(), out = plan.outputs[0].bytes();
  std::vector<uint8_t> result(out);
  size_t bad = 0;
  for (size_t i = 0; i < count; ++i) {
    const void* inputs[] = {h.images.data.data() + i * in};
    void* outputs[] = {result.data()};
    context.run(inputs, outputs);
    bad += std::memcmp(result.data(), h.expected.data.data() + i * out, out) != 0;
  }
  return bad;
}

constexpr SharingCosts kFree = {0, 0, 0, 0};

struct Way {
  const char* target;
  Engine engine;
  int threads;
  bool fuse, views, prove = true;
};

class Load : public testing::TestWithParam<Way> {};

TEST_P(Load, GivesTheStoredBytes) {
  const Way w = GetParam();
  const Target& target = *find_target(w.target);
  if (!host_runs(target)) GTEST_SKIP() << "this machine (or OCTET_MAX_TARGET) has no " << w.target;
  // The network is too small to be worth more than a thread: here that costs nothing.
  const LoadedModel m = load(kDigits, {.target = &target,
                                       .engine = w.engine,
                                       .threads = w.threads,
                                       .sharing = kFree,
                                       .fuse = w.fuse,
                                       .views = w.views,
                                       .prove = w.prove});
  EXPECT_EQ(m.executor->plan().threads, w.threads);
  ExecutionContext context(m.executor);
  EXPECT_EQ(wrong(context, m.executor->plan(), 40), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, Load,
    testing::Values(Way{"scalar", Engine::reference, 1, true, true}, Way{"scalar", Engine::jit, 1, true, true},
                    Way{"avx2", Engine::jit, 1, true, true}, Way{"avx2", Engine::jit, 2, true, true},
                    Way{"avx512_vnni", Engine::jit, 1, true, true}, Way{"avx512_vnni", Engine::jit, 3, true, true},
                    Way{"avx2", Engine::jit, 1, false, true}, Way{"avx512_vnni", Engine::jit, 1, true, false},
                    Way{"avx512_vnni", Engine::jit, 1, false, false},
                    Way{"avx512_vnni", Engine::jit, 1, true, true, false},
                    Way{"avx2", Engine::jit, 1, true, true, false}, Way{"avx512_vbmi", Engine::jit, 1, true, true}),
    [](const auto& i) {
      return std::string(i.param.target) + (i.param.engine == Engine::reference ? "_reference" : "_jit") + "_threads" +
             std::to_string(i.param.threads) + (i.param.fuse ? "" : "_unfused") + (i.param.views ? "" : "_copies") +
             (i.param.prove ? "" : "_unproved");
    });

class Threads : public testing::TestWithParam<int> {};

TEST_P(Threads, RunAllocatesNothing) {
  if (!can_compile(host_target()))
    GTEST_SKIP() << "target " << host_target().name << " is interpreted, and that allocates";
  const LoadedModel m = load(kDigits, {.threads = GetParam(), .sharing = kFree});
  ExecutionContext context(m.executor);
  wrong(context, m.executor->plan(), 1);
  const HeldOut& h = HeldOut::get();
  std::vector<uint8_t> result(m.executor->plan().outputs[0].bytes());
  const void* inputs[] = {h.images.data.data()};
  void* outputs[] = {result.data()};
  const long before = allocations;
  for (int i = 0; i < 10; ++i) context.run(inputs, outputs);
  EXPECT_EQ(allocations - before, 0);
}

TEST_P(Threads, ContextsRunSideBySide) {
  const LoadedModel m = load(kDigits, {.threads = GetParam(), .sharing = kFree});
  std::atomic<size_t> bad{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      ExecutionContext context(m.executor);
      bad += wrong(context, m.executor->plan(), HeldOut::get().count);
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(bad, 0u);
}

// A step at a time, with everybody meeting after each, gives the same bytes; so does a context that has moved.
TEST_P(Threads, TimedRunsAndMovedContexts) {
  const LoadedModel m = load(kDigits, {.threads = GetParam(), .sharing = kFree});
  const HeldOut& h = HeldOut::get();
  ExecutionContext first(m.executor), context(std::move(first));
  std::vector<uint8_t> result(m.executor->plan().outputs[0].bytes());
  std::vector<double> seconds(m.executor->plan().steps.size());
  const void* inputs[] = {h.images.data.data()};
  void* outputs[] = {result.data()};
  context.run_timed(inputs, outputs, seconds);
  EXPECT_EQ(std::memcmp(result.data(), h.expected.data.data(), result.size()), 0);
  EXPECT_GT(seconds[0], 0);
  EXPECT_EQ(wrong(context, m.executor->plan(), 10), 0u);
}

INSTANTIATE_TEST_SUITE_P(Counts, Threads, testing::Values(1, 2, 5),
                         [](const auto& i) { return std::to_string(i.param); });

TEST(LoadedModel, AThreadThatCostsMoreThanItGainsIsNotStarted) {
  EXPECT_EQ(load(kDigits, {.threads = 2, .sharing = {.wake = 1e12}}).executor->plan().threads, 1);
}

TEST(LoadedModel, RefusesTheWrongNumberOfBuffers) {
  const LoadedModel m = load(kDigits, {});
  ExecutionContext context(m.executor);
  EXPECT_THROW(context.run({}, {}), Error);
}

}  // namespace
}  // namespace octet
