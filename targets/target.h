// A target is a row of facts. Builders and schedules ask the row; nobody tests for an ISA by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

// How a target forms `acc.s32 += sum of four u8 * s8` without ever saturating (design/numerics.md 3).
enum class DotForm : uint8_t {
  fused,     // one instruction, exact for every operand (vpdpbusd)
  maddubs,   // vpmaddubsw + vpmaddwd + vpaddd: exact only where the weights prove that no pair saturates
  widened,   // both operands widened to 16 bits, two vpmaddwd: always exact, half the rate
  chained,   // two vpmaddubsw added in 16 bits before the vpmaddwd: exact where the weights of both stay small together
  matched,   // input channels re-ordered per block of output channels, so that most are exact chained or as maddubs
  matrix,    // two pixels by two output channels, eight input channels at a time (usmmla); alone, a pixel is `fused`
  flipped,   // activations turned from u8 to s8 (xor 0x80, 128 * sum of weights in the bias), then one instruction
             // (sdot)
  winograd,  // 3x3 windows: 36 products of 16-bit words for 16 outputs instead of 144 of bytes (schedule/winograd.h)
};

// How a target looks bytes up in a table of 256 entries.
enum class TableForm : uint8_t {
  shuffle,  // in 16 rows of 16 entries, of which the upper bits choose one (vpshufb)
  permute,  // in 2 halves of 128 entries, of which the top bit chooses one (vpermi2b)
};

// Whose machine code it is; any: plain C++.
enum class Arch : uint8_t { any, x86_64, aarch64 };

// Who in jit/ makes machine code for it; none: `--engine jit` interprets the Program.
enum class Backend : uint8_t { none, xbyak, llvm };

struct Target {
  const char* name;
  int vector_bytes;        // widest vector register
  int vector_registers;    // architectural; the budget of a JIT lowering
  int compiler_registers;  // live vectors that g++ and clang++ keep without spilling (design/program.md 6.1)
  DotForm best_dot;        // what the schedule tries first; `maddubs` falls back to `widened`
  int act_groups;          // groups of 4 channels that one activation register serves: 1 = broadcast, 4 = by element
  TableForm table;
  Arch arch;
  Backend backend;
  const char* features;  // what a machine must have beyond arch's baseline, as its compilers name it; empty: nothing
};

// All targets, best last within an architecture. The order is what OCTET_MAX_TARGET and `host` mean.
const std::vector<Target>& all_targets();

// The row of that name, or nullptr.
const Target* find_target(std::string_view name);

// The best target that this machine runs, capped by OCTET_MAX_TARGET: a target name, which caps its own architecture,
// or `scalar`, which caps all; unknown names are ignored with a warning on stderr by the command line, not here.
const Target& host_target();

// The processor's own name, such as "AMD EPYC 9B14" or "AArch64 implementer 0x41 part 0xd0b"; "unknown" where it tells
// none.
const std::string& host_cpu();

// Whether `target` is of this machine's architecture, or of any.
bool is_native(const Target& target);

// Whether this machine can run code made for `target` (the cap applies too).
bool host_runs(const Target& target);

}  // namespace octet
