// What A64 machine code of a Program does, told from its bytes: its loops, how often each instruction runs, and whether
// it is what the schedule meant.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "generator/program/program.h"

namespace octet {

// Bits of an A64 instruction (Arm ARM, C4.1 and the pages of the instructions).
struct A64Encoding {
  uint32_t mask, bits;
};
using A64Encodings = std::initializer_list<A64Encoding>;
inline constexpr A64Encodings kDotsByElement = {
    {0xffc0f400, 0x4f80e000},  // SDOT Vd.4S, Vn.16B, Vm.4B[i]
    {0xffc0f400, 0x4f00f000},  // SUDOT
};
inline constexpr A64Encodings kDotsOfVectors = {
    {0xffe0fc00, 0x4e809400},  // SDOT Vd.4S, Vn.16B, Vm.16B
    {0xffe0fc00, 0x4e809c00},  // USDOT
};
inline constexpr A64Encodings kMatrices = {{0xffe0fc00, 0x4e80ac00}};  // USMMLA Vd.4S, Vn.16B, Vm.16B
inline constexpr A64Encodings kSplats = {{0xffe7fc00, 0x4e040400}};    // DUP Vd.4S, Vn.S[i]
inline constexpr A64Encodings kMoves = {{0xffe0fc00, 0x4ea01c00}};     // ORR Vd.16B, Vn.16B, Vm.16B
inline constexpr A64Encodings kSpills = {
    // Q registers at [sp]
    {0xffc003e0, 0x3d8003e0},  // STR, unsigned offset
    {0xffc003e0, 0x3dc003e0},  // LDR
    {0xffe00fe0, 0x3c8003e0},  // STUR
    {0xffe00fe0, 0x3cc003e0},  // LDUR
    {0xffc003e0, 0xad0003e0},  // STP
    {0xffc003e0, 0xad4003e0},  // LDP
};
int count(std::span<const uint32_t> code, A64Encodings any_of);

// Instructions [first, end), the last being the branch back; the whole function is one of a single trip.
struct A64Loop {
  size_t first = 0, end = 0;
  int64_t trips = 1;
  // Of the Program, in a trip, without inner loops: dots of an activation's element and of whole vectors, products of
  // matrices, stores.
  int64_t by_element = 0, in_place = 0, matrices = 0, stores = 0;
  std::vector<A64Loop> inner;

  // Of 16 multiply-accumulates each, so a product of matrices is two.
  int64_t dots() const { return by_element + in_place + 2 * matrices; }
};

struct A64Code {
  std::vector<uint32_t> words;
  A64Loop whole;

  std::span<const uint32_t> of(const A64Loop& loop) const {
    return std::span(words).subspan(loop.first, loop.end - loop.first);
  }
};

// Internal error where the code does not have the Program's loops, or branches otherwise.
A64Code read_a64(const std::vector<uint8_t>& code, const Program& program);

// In one call of the kernel.
int64_t instructions_run(const A64Loop& loop);
int64_t dots_run(const A64Loop& loop);

bool multiplies_matrices(const A64Loop& loop);

// The innermost loop in which most dots run; null where there are none in loops.
const A64Loop* hot_loop(const A64Code& code);

// What no good schedule asks for, a line each: dots that are not the one instruction that they should be, spills in
// innermost loops, splats and moves in those that do nothing but dots by element. Only for targets with dot products.
std::string faults(const A64Code& code);

}  // namespace octet
