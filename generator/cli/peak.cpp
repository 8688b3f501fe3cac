#include "generator/cli/peak.h"

#include <algorithm>
#include <array>
#include <barrier>
#include <chrono>
#include <thread>
#include <vector>

#include "generator/program/program.h"
#include "jit/backend.h"

namespace octet::cli {
namespace {

constexpr int kTrips = 2048, kSums = 6,
              kTimes = 4;  // 6 sums hide the latency and fit 16 registers with their temporaries

// Dots on registers and nothing else, as the target does them where it is fastest.
Program dots(const Target& target) {
  Builder b("peak");
  const int w = target.vector_bytes;
  const Reg act = b.load(w, Role::act, {OCTET_SRC, 0}), weight = b.load(w, Role::weight, {OCTET_SRC, 0});
  const Reg ones = b.load(w, Role::temp, b.constant16(1));
  std::vector<Reg> sum, temp;
  for (int i = 0; i < kSums; ++i) {
    sum.push_back(b.load(w, Role::acc, {OCTET_SRC, 0}));
    temp.push_back(b.reg(Role::temp));
  }
  b.loop(kTrips, {}, [&] {
    for (int t = 0; t < kTimes; ++t)
      for (size_t i = 0; i < sum.size(); ++i) {
        if (target.best_dot == DotForm::fused) {
          b.dot4(w, sum[i], act, weight, -1);
          continue;
        }
        b.op(Op::maddubs, w, temp[i], act, weight);
        b.op(Op::madd16, w, temp[i], temp[i], ones);
        b.op(Op::add32, w, sum[i], sum[i], temp[i]);
      }
  });
  for (const Reg r : sum) b.store(w, {OCTET_DST, 0}, r);
  return b.finish();
}

// The best of several rounds, in seconds per call.
double best_seconds(OctetKernel kernel, const OctetArgs& args) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int round = 0; round < 40; ++round) {
    const auto start = Clock::now();
    kernel(&args);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

}  // namespace

double measured_peak(const Target& target, int threads) {
  if (!target.has_jit || !host_runs(target)) return 0;
  const Program program = dots(target);
  CodeMemory memory;
  const CompiledKernel code = compile(program, target, memory);
  memory.seal();
  const double macs = static_cast<double>(kTrips) * kTimes * kSums * target.vector_bytes;
  std::vector<double> rates(static_cast<size_t>(threads));
  std::barrier together(threads);
  const auto work = [&](double& rate) {
    alignas(64) std::array<uint8_t, 64> src{}, dst{};
    OctetArgs args{};
    args.p[OCTET_SRC] = src.data();
    args.p[OCTET_DST] = dst.data();
    args.p[OCTET_CONSTANTS] = program.constants.data();
    together.arrive_and_wait();
    rate = macs / best_seconds(code.entry, args);
  };
  std::vector<std::thread> others;
  for (size_t t = 1; t < rates.size(); ++t) others.emplace_back(work, std::ref(rates[t]));
  work(rates[0]);
  for (std::thread& t : others) t.join();
  double sum = 0;
  for (const double r : rates) sum += r;
  return sum;
}

}  // namespace octet::cli
