// What the vocabularies in intrinsics share, whatever the machine. Included by vec_x86.h and vec_neon_base.h after
// OCTET_VEC_NAMESPACE is defined.
#ifndef OCTET_VEC_INLINE_H
#define OCTET_VEC_INLINE_H

#include <stdint.h>
#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
// Kernels mark their loops with it: unrolling was the schedule's business.
#define OCTET_LOOP _Pragma("clang loop unroll(disable)")
#else
#define OCTET_LOOP _Pragma("GCC unroll 1")
#endif
// Ops vanish into the kernel, also without optimisation, and are internal to the translation unit.
#define OCTET_INLINE inline __attribute__((always_inline))
// nothrow: kernels are noexcept, and what might throw in one is guarded by tables that need the C++ library.
#define OCTET_VEC static OCTET_INLINE __attribute__((unused, nothrow))

namespace OCTET_VEC_NAMESPACE {

// One step of a table that moves a pointer.
OCTET_VEC int64_t step_at(const uint8_t* p) {
  int64_t step;
  __builtin_memcpy(&step, p, sizeof step);
  return step;
}

OCTET_VEC int32_t dword_at(const uint8_t* p) {
  int32_t x;
  memcpy(&x, p, 4);
  return x;
}

OCTET_VEC int64_t qword_at(const uint8_t* p) {
  int64_t x;
  memcpy(&x, p, 8);
  return x;
}

OCTET_VEC void put_dword(uint8_t* p, int32_t x) { memcpy(p, &x, 4); }

}  // namespace OCTET_VEC_NAMESPACE

#endif
