#include "bench/peak.h"

#include <vector>

#include "bench/best.h"
#include "jit/backend.h"

namespace octet {
namespace {

constexpr int kTrips = 4000, kUnroll = 4, kRounds = 30;

int accumulators_of(const Target& target) {
  return target.vector_registers - 4;
}

}  // namespace

// Every accumulator takes its turn, so that none waits for itself; operands and temporaries stay in registers too.
Program peak_program(const Target& target) {
  const int w = target.vector_bytes, accumulators = accumulators_of(target);
  Builder b("peak");
  std::vector<Reg> acc;
  for (int k = 0; k < accumulators; ++k) acc.push_back(b.load(w, Role::acc, {OCTET_SRC, 0}));
  const Reg act = b.load(w, Role::act, {OCTET_SRC, 0}), weight = b.load(w, Role::weight, {OCTET_SRC, 0});
  const Reg ones = target.best_dot == DotForm::fused ? kNone : b.load(w, Role::weight, {OCTET_SRC, 0});
  b.loop(kTrips, {}, [&] {
    for (int k = 0; k < kUnroll * accumulators; ++k) {
      const Reg d = acc[static_cast<size_t>(k % accumulators)];
      if (target.best_dot == DotForm::fused) {
        b.dot4(w, d, act, weight, 0);
        continue;
      }
      const Reg pairs = b.reg(Role::temp), quads = b.reg(Role::temp);
      b.op(Op::maddubs, w, pairs, act, weight);
      b.op(Op::madd16, w, quads, pairs, ones);
      b.op(Op::add32, w, d, d, quads);
    }
  });
  for (const Reg r : acc) b.store(w, {OCTET_DST, 0}, r);
  return b.finish();
}

double peak_gmacs(const Target& target) {
  if (!can_compile(target) || !host_runs(target)) return 0;
  CodeMemory memory;
  const OctetKernel run = compile(peak_program(target), target, memory).entry;
  memory.seal();
  alignas(64) uint8_t src[64] = {}, dst[64];
  OctetArgs args{};
  args.p[OCTET_SRC] = src;
  args.p[OCTET_DST] = dst;
  return 1e-9 * kTrips * kUnroll * accumulators_of(target) * target.vector_bytes /
         best_seconds(kRounds, [&] { run(&args); });
}

}  // namespace octet
