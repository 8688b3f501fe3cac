// Products of two matrices of bytes: part of plain_ops.h, which includes it.
#ifndef OCTET_PLAIN_MATMUL_H
#define OCTET_PLAIN_MATMUL_H

namespace octet_plain {
namespace {

enum { kBatchDims = 4 };

struct MatMul {
  int64_t batch[kBatchDims], a_strides[kBatchDims], b_strides[kBatchDims], dst_strides[kBatchDims];  // bytes
  int32_t m, k, n, a_pitch, b_pitch, dst_pitch;
  int32_t a_zero, b_zero;  // storage bytes, as zero, lo and hi
  int32_t multiplier, exponent;
  int32_t zero, lo, hi;
};

// Rows of b that are read for each time that the sums are: loads and stores of sums cost as much as their products.
enum { kRowsOfB = 4 };

// What `Rows` elements of a row of a add to the sums of `width` columns.
template <int32_t Rows>
inline void add_products(int32_t* __restrict sums, const uint8_t* a, const uint8_t* __restrict b, int64_t width,
                         const MatMul& p) {
  int32_t x[Rows];
  for (int32_t r = 0; r < Rows; ++r) x[r] = a[r] - p.a_zero;
  const int32_t zero = p.b_zero;
  const int64_t pitch = p.b_pitch;
  for (int64_t i = 0; i < width; ++i) {
    int32_t sum = sums[i];
    for (int32_t r = 0; r < Rows; ++r) sum += x[r] * (b[r * pitch + i] - zero);
    sums[i] = sum;
  }
}

// At most kChunk columns of a row of the result.
inline void product_row(uint8_t* __restrict dst, const uint8_t* a, const uint8_t* b, int64_t width, const MatMul& p) {
  int32_t sums[kChunk] = {};
  int32_t k = 0;
  for (; k + kRowsOfB <= p.k; k += kRowsOfB)
    add_products<kRowsOfB>(sums, a + k, b + static_cast<int64_t>(k) * p.b_pitch, width, p);
  for (; k < p.k; ++k) add_products<1>(sums, a + k, b + static_cast<int64_t>(k) * p.b_pitch, width, p);
  const int32_t least = p.lo - p.zero, most = p.hi - p.zero;
  for (int64_t i = 0; i < width; ++i) {
    const int32_t v = octet_math::scale_away(sums[i], p.multiplier, p.exponent);
    const int32_t above = v > least ? v : least;
    dst[i] = static_cast<uint8_t>((above < most ? above : most) + p.zero);
  }
}

inline void product(uint8_t* dst, const uint8_t* a, const uint8_t* b, const MatMul& p) {
  for (int64_t column = 0; column < p.n; column += kChunk) {
    const int64_t width = smaller(kChunk, p.n - column);
    for (int64_t row = 0; row < p.m; ++row)
      if (width == kChunk)  // a count that the compiler knows
        product_row(dst + row * p.dst_pitch + column, a + row * p.a_pitch, b + column, kChunk, p);
      else
        product_row(dst + row * p.dst_pitch + column, a + row * p.a_pitch, b + column, width, p);
  }
}

inline void product_dims(uint8_t* dst, const uint8_t* a, const uint8_t* b, const MatMul& p, int32_t dim) {
  if (dim == kBatchDims) return product(dst, a, b, p);
  for (int64_t i = 0; i < p.batch[dim]; ++i)
    product_dims(dst + i * p.dst_strides[dim], a + i * p.a_strides[dim], b + i * p.b_strides[dim], p, dim + 1);
}

}  // namespace
}  // namespace octet_plain

OCTET_PLAIN void octet_plain_matmul(const OctetArgs* args) {
  using namespace octet_plain;
  const MatMul p = *in<MatMul>(args, OCTET_CONSTANTS);
  product_dims(out<uint8_t>(args), in<uint8_t>(args, OCTET_SRC), in<uint8_t>(args, OCTET_SRC2), p, 0);
}

#endif
