// What the lowering costs, without any builder: a register tile over the 1x1 convolution 14x14 1024->256 written by
// hand, its speed as a share of the peak measured beside it, and the time that generation takes. The tile's epilogue is
// a plain store of the sums; run on an idle core (taskset -c 1), best of many rounds.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/best.h"
#include "bench/peak.h"
#include "generator/program/registers.h"
#include "jit/backend.h"

namespace octet {
namespace {

constexpr int kPixels = 196, kIc = 1024, kOc = 256, kRounds = 100;

struct Tile {
  int pixels, vectors, unroll;
};

// acc += the 4 channels of act and weight, as the target's row says; what its builder will do too.
void dot(Builder& b, const Target& t, Reg acc, Reg act, Builder::Operand weight, Reg ones) {
  const int w = t.vector_bytes;
  if (t.best_dot == DotForm::fused) return b.dot4(w, acc, act, weight, 0);
  const Reg pairs = b.reg(Role::temp), quads = b.reg(Role::temp);
  b.op(Op::maddubs, w, pairs, act, weight);
  b.op(Op::madd16, w, quads, pairs, ones);
  b.op(Op::add32, w, acc, acc, quads);
}

// dst is s32, pixel-major; weights are [oc block][ic / 4][vector][4 channels of each oc].
Program conv_1x1(const Target& t, Tile tile) {
  const int w = t.vector_bytes, block_oc = tile.vectors * w / 4, k_bytes = tile.vectors * w;
  Builder b("conv_1x1");
  const Reg ones = t.best_dot == DotForm::fused ? kNone : b.load(w, Role::weight, b.constant16(1));
  b.loop(
      kOc / block_oc,
      {{OCTET_WEIGHTS, kIc / 4 * k_bytes}, {OCTET_DST, 4 * block_oc - 4 * kOc * kPixels}, {OCTET_SRC, -kIc * kPixels}},
      [&] {
        b.loop(kPixels / tile.pixels, {{OCTET_SRC, kIc * tile.pixels}, {OCTET_DST, 4 * kOc * tile.pixels}}, [&] {
          std::vector<Reg> acc;
          for (int k = 0; k < tile.pixels * tile.vectors; ++k) acc.push_back(b.load(w, Role::acc, {OCTET_BIAS, 0}));
          const Ptr weights = b.ptr(), src = b.ptr();
          b.ptr_set(weights, {OCTET_WEIGHTS, 0});
          b.ptr_set(src, {OCTET_SRC, 0});
          b.loop(kIc / 4 / tile.unroll, {{weights, tile.unroll * k_bytes}, {src, 4 * tile.unroll}}, [&] {
            for (int u = 0; u < tile.unroll; ++u) {
              std::vector<Builder::Operand> weight;
              for (int v = 0; v < tile.vectors; ++v) {
                const Mem m{weights, u * k_bytes + v * w};
                const bool fits = tile.pixels * tile.vectors + 2 + v < t.vector_registers;
                weight.push_back(fits ? Builder::Operand(b.load(w, Role::weight, m)) : m);
              }
              for (int p = 0; p < tile.pixels; ++p) {
                const Reg act = b.load_act(w, {src, p * kIc + 4 * u}, 4);
                for (int v = 0; v < tile.vectors; ++v)
                  dot(b, t, acc[static_cast<size_t>(p * tile.vectors + v)], act, weight[static_cast<size_t>(v)], ones);
              }
            }
          });
          for (int p = 0; p < tile.pixels; ++p)
            for (int v = 0; v < tile.vectors; ++v)
              b.store(w, {OCTET_DST, 4 * kOc * p + v * w}, acc[static_cast<size_t>(p * tile.vectors + v)]);
        });
      });
  return b.finish();
}

// The sums in dst against plain loops; the packing is undone here.
long wrong_sums(const Target& t, Tile tile, const std::vector<uint8_t>& src, const std::vector<int8_t>& weights,
                const std::vector<int32_t>& dst) {
  const int lanes = t.vector_bytes / 4, block_oc = tile.vectors * lanes;
  long wrong = 0;
  for (int p = 0; p < kPixels; ++p)
    for (int oc = 0; oc < kOc; ++oc) {
      int32_t sum = 0;
      for (int ic = 0; ic < kIc; ++ic) {
        const int at = ((oc / block_oc * (kIc / 4) + ic / 4) * block_oc + oc % block_oc) * 4 + ic % 4;
        sum += src[static_cast<size_t>(p * kIc + ic)] * weights[static_cast<size_t>(at)];
      }
      wrong += sum != dst[static_cast<size_t>(p * kOc + oc)];
    }
  return wrong;
}

void measure(const Target& t, Tile tile) {
  std::vector<uint8_t> src(kPixels * kIc + OCTET_SLACK_BYTES);
  std::vector<int8_t> weights(kOc * kIc + 64);
  std::vector<int32_t> dst(kPixels * kOc), bias(16);
  uint32_t random = 1;
  for (auto& x : src) x = static_cast<uint8_t>((random = random * 1664525 + 1013904223) >> 24);
  for (auto& x : weights)
    x = static_cast<int8_t>(static_cast<int>((random = random * 1664525 + 1013904223) >> 24) % 64);

  const Program program = conv_1x1(t, tile);
  const double allocation = best_seconds(kRounds, [&] { allocate(program, t.vector_registers); });
  const double generation = best_seconds(kRounds, [&] {
    CodeMemory memory;
    compile(program, t, memory);
  });
  CodeMemory memory;
  const CompiledKernel kernel = compile(program, t, memory);
  memory.seal();

  int8_t* aligned = weights.data() + (64 - reinterpret_cast<uintptr_t>(weights.data()) % 64) % 64;
  OctetArgs args{{src.data(), aligned, dst.data(), bias.data(), nullptr, nullptr,
                  program.constants.empty() ? nullptr : program.constants[0].data(), nullptr}};
  double peak = peak_gmacs(t);
  const double seconds = best_seconds(kRounds, [&] { kernel.entry(&args); });
  peak = std::max(peak, peak_gmacs(t));
  const double gmacs = 1e-9 * kPixels * kIc * kOc / seconds;
  weights.erase(weights.begin(), weights.begin() + (aligned - weights.data()));
  std::printf(
      "%-12s %2dx%d unroll %d  %6.1f of %6.1f GMAC/s = %5.1f %%  %5zu instructions %6zu bytes, allocated in %4.1f us, "
      "generated in %5.1f us, %ld wrong\n",
      t.name, tile.pixels, tile.vectors, tile.unroll, gmacs, peak, 100 * gmacs / peak, program.code.size(),
      kernel.code_bytes, 1e6 * allocation, 1e6 * generation, wrong_sums(t, tile, src, weights, dst));
}

}  // namespace
}  // namespace octet

int main() {
  using namespace octet;
  for (const Target& t : all_targets()) {
    if (!can_compile(t) || !host_runs(t)) continue;
    if (t.best_dot == DotForm::fused)
      for (const Tile tile :
           {Tile{7, 4, 1}, Tile{7, 4, 2}, Tile{7, 4, 4}, Tile{7, 4, 32}, Tile{7, 2, 4}, Tile{14, 2, 2}})
        measure(t, tile);
    else
      for (const Tile tile : {Tile{4, 2, 1}, Tile{4, 2, 4}, Tile{4, 2, 64}}) measure(t, tile);
  }
}
