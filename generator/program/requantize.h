// The vector form of requantize() (generator/kernel/requant.h), for one group of accumulator vectors.
#pragma once

#include <vector>

#include "generator/kernel/spec.h"
#include "generator/program/program.h"
#include "generator/schedule/scales.h"
#include "generator/schedule/schedule.h"

namespace octet {

// Where the constants of a group's channels lie (generator/schedule/scales.h).
struct ScaleSource {
  VectorGroup group;
  Ptr ptr = OCTET_SCALE;  // words of vector 0 of the group at ptr + words * 4 * group.oc
};

class Requantizer {
 public:
  Requantizer(Builder& b, const Requant& requant, const ScaleSource& source)
      : b_(b), r_(requant), from_(source), w_(source.group.bytes), words_(scale_words(requant)) {}

  // How many constants a lane has: more than fit beside all accumulators are best used vector by vector.
  int words() const { return words_; }
  // Registers that a call needs beside the accumulators and what is held.
  int temporaries() const;
  // Loads the constants of vectors [first, last) into registers, in place of those held before; as many as `spare`.
  void hold(int first, int last, int spare);

  // s32 lanes from accumulators of vector `vector`, which are destroyed: the storage byte is clamp(lanes + add()).
  Reg operator()(int vector, Reg acc);
  int add() const;
  bool clamped() const;  // whether lanes + add() lies in [lo, hi] already

 private:
  Builder::Operand word(int vector, int k) const;
  Mem word_at(int vector, int k) const;
  Reg rounded(Reg x);  // f32 lanes, clamped if wide, to s32
  Reg biased(int vector, Reg acc);
  Reg affine(int vector, Reg acc);
  Reg fixed(int vector, Reg acc);
  Reg doubles(int vector, Reg acc);

  Builder& b_;
  const Requant& r_;
  ScaleSource from_;
  int w_, words_;
  int first_held_ = 0;
  std::vector<Reg> held_;  // [vector][word], from the first
};

}  // namespace octet
