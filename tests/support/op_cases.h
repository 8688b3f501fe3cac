// One small Program per op of the vocabulary, with what it must compute written down independently of vec_scalar.h.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "generator/program/program.h"
#include "targets/target.h"

namespace octet {

// What the bytes of an operand are, which decides the values that a test fills in.
enum class Elem { u8, s8, s16, s32, f32, f32_any, f32_int };  // _any: NaN and infinities too; _int: rounds into s32

// One vector reads w bytes each at src, weights and src2 and writes within kDstStride * w bytes at dst, not all of
// them: the rest must stay untouched.
inline constexpr int kDstStride = 2;

struct OpCase {
  std::string name;
  std::array<Elem, 3> inputs;
  std::function<void(Builder&, int w)> body;
  std::function<void(const uint8_t* a, const uint8_t* b, const uint8_t* c, uint8_t* d, int w)> expect;
  int min_width = 16;
  int max_width = 64;
  int act_groups = 1;  // what the target must have
};

const std::vector<OpCase>& op_cases();

// The case in a loop over `vectors` vectors.
Program program_of(const OpCase& op, int w, int vectors);

// Whether the target has what the case needs at that width.
bool suits(const OpCase& op, int w, const Target& target);

}  // namespace octet
