#include <algorithm>

#include "generator/kernel/ref_ops.h"

namespace octet::ref {
namespace {

void product(const MatMulSpec& s, const uint8_t* a, const uint8_t* b, uint8_t* dst) {
  for (int row = 0; row < s.m; ++row)
    for (int column = 0; column < s.n; ++column) {
      int32_t sum = 0;
      for (int k = 0; k < s.k; ++k)
        sum += (a[int64_t{row} * s.a_pitch + k] - s.a_zero) * (b[int64_t{k} * s.b_pitch + column] - s.b_zero);
      const int64_t q = int64_t{scale_away(sum, s.factor)} + s.zero;
      dst[int64_t{row} * s.dst_pitch + column] = static_cast<uint8_t>(std::clamp<int64_t>(q, s.lo, s.hi));
    }
}

}  // namespace

void run(const MatMulSpec& s, const OctetArgs& args) {
  for (int64_t matrix = 0; matrix < element_count(s.batch); ++matrix) {
    int64_t a = 0, b = 0, dst = 0, rest = matrix;
    for (size_t d = s.batch.size(); d-- > 0; rest /= s.batch[d]) {
      const int64_t at = rest % s.batch[d];
      a += at * s.a_strides[d], b += at * s.b_strides[d], dst += at * s.dst_strides[d];
    }
    product(s, in<uint8_t>(args, OCTET_SRC) + a, in<uint8_t>(args, OCTET_SRC2) + b, out(args) + dst);
  }
}

}  // namespace octet::ref
