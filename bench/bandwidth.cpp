#include "bench/bandwidth.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "bench/best.h"
#include "jit/backend.h"

namespace octet {
namespace {

constexpr int kRounds = 15;
constexpr int kVectors = 8;            // at a time: enough that neither loads nor the loop's jump wait
constexpr int64_t kAtLeast = 4 << 20;  // bytes of one timing: some tens of microseconds
constexpr size_t kPage = 4096;

int64_t cache_bytes(int name, int64_t otherwise) {
  const long bytes = sysconf(name);
  return bytes > 0 ? bytes : otherwise;
}

struct FreeAligned {
  void operator()(uint8_t* p) const { std::free(p); }
};
using AlignedBytes = std::unique_ptr<uint8_t, FreeAligned>;

AlignedBytes touched(int64_t bytes) {
  AlignedBytes memory(static_cast<uint8_t*>(std::aligned_alloc(kPage, static_cast<size_t>(bytes))));
  if (!memory) throw std::bad_alloc();
  std::memset(memory.get(), 1, static_cast<size_t>(bytes));
  return memory;
}

// Bytes per second of a program that moves `moved` bytes.
double rate(const Program& program, const Target& target, uint8_t* src, uint8_t* dst, int64_t moved) {
  CodeMemory memory;
  const OctetKernel run = compile(program, target, memory).entry;
  memory.seal();
  OctetArgs args{};
  args.p[OCTET_SRC] = src;
  args.p[OCTET_DST] = dst;
  return static_cast<double>(moved) / best_seconds(kRounds, [&] { run(&args); });
}

}  // namespace

// Every vector is or-ed into a register of its own: the load cannot be left out, and no sum waits for another.
Program read_program(const Target& target, int64_t bytes, int passes) {
  const int w = target.vector_bytes, chunk = kVectors * w;
  Builder b("read");
  std::vector<Reg> seen;
  for (int v = 0; v < kVectors; ++v) seen.push_back(b.load(w, Role::acc, {OCTET_SRC, v * w}));
  const Ptr at = b.ptr();
  b.loop(passes, {}, [&] {
    b.ptr_set(at, {OCTET_SRC, 0});
    b.loop(bytes / chunk, {{at, chunk}}, [&] {
      for (int v = 0; v < kVectors; ++v) {
        const Reg r = seen[static_cast<size_t>(v)];
        b.op(Op::or_, w, r, r, Mem{at, v * w});
      }
    });
  });
  for (const Reg r : seen) b.store(w, {OCTET_DST, 0}, r);
  return b.finish();
}

Program copy_program(const Target& target, int64_t bytes, int passes) {
  const int w = target.vector_bytes, chunk = kVectors * w;
  Builder b("copy");
  const Ptr from = b.ptr(), to = b.ptr();
  b.loop(passes, {}, [&] {
    b.ptr_set(from, {OCTET_SRC, 0});
    b.ptr_set(to, {OCTET_DST, 0});
    b.loop(bytes / 2 / chunk, {{from, chunk}, {to, chunk}}, [&] {
      std::vector<Reg> moved;
      for (int v = 0; v < kVectors; ++v) moved.push_back(b.load(w, Role::act, {from, v * w}));
      for (int v = 0; v < kVectors; ++v) b.store(w, {to, v * w}, moved[static_cast<size_t>(v)]);
    });
  });
  return b.finish();
}

std::vector<Bandwidth> measure_bandwidth(const Target& target) {
  if (!can_compile(target) || !host_runs(target)) return {};
  const int64_t l1 = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10), l2 = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 1 << 20);
  // Virtual machines report a third level that is not theirs alone: what one core can count on is some megabytes, and
  // 128 of them are memory on any machine.
  std::vector<Bandwidth> levels = {{"L1", l1 / 2}, {"L2", l2 / 2}, {"L3", 8 * l2}, {"DRAM", 128 * l2}};
  const AlignedBytes memory = touched(levels.back().bytes);
  alignas(64) uint8_t end[64];
  for (Bandwidth& level : levels) {
    const int passes = static_cast<int>(std::max<int64_t>(1, kAtLeast / level.bytes));
    const int64_t moved = level.bytes * passes;
    uint8_t* p = memory.get();
    level.read = rate(read_program(target, level.bytes, passes), target, p, end, moved);
    level.copy = rate(copy_program(target, level.bytes, passes), target, p, p + level.bytes / 2, moved);
  }
  return levels;
}

}  // namespace octet
