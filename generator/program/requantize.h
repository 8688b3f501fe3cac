// The vector form of requantize() (generator/kernel/requant.h), for one group of accumulator vectors.
#pragma once

#include <vector>

#include "generator/kernel/spec.h"
#include "generator/program/program.h"
#include "generator/schedule/schedule.h"

namespace octet {

// Where the constants of a group's channels lie (generator/schedule/scales.h).
struct ScaleSource {
  VectorGroup group;
  Ptr ptr = OCTET_SCALE;  // words of vector 0 of the group at ptr + words * 4 * group.oc
};

class Requantizer {
 public:
  // `spare` registers are free besides all accumulators; `uses` is how often each vector's constants are wanted. They
  // stay in registers where both say that it pays.
  Requantizer(Builder& b, const Requant& requant, const ScaleSource& source, int spare, int uses);

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
  std::vector<Reg> held_;  // [vector][word], or empty
};

}  // namespace octet
