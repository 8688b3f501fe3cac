// The vocabulary for the target avx512_vbmi. Include it first in a file, and end the file with OCTET_TARGET_END: what
// lies between is compiled for these instructions whatever the compiler's flags say. C++17 and -ffp-contract=off,
// because g++ joins even _mm512_mul_ps and _mm512_add_ps into one rounding otherwise.
#ifndef OCTET_VEC_AVX512_VBMI_H
#define OCTET_VEC_AVX512_VBMI_H

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the operands that its own intrinsics leave undefined for mistakes of their callers (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi"))), apply_to = function)
#define OCTET_TARGET_END _Pragma("clang attribute pop")
#else
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi")
#define OCTET_TARGET_END
#endif

#define OCTET_VEC_NAMESPACE octet_avx512_vbmi
#define OCTET_512(...) __VA_ARGS__
#include "vec_avx512.h"

namespace octet_avx512_vbmi {

OCTET_VEC __m512i permute128(__m512i index, __m512i a, __m512i b) { return _mm512_permutex2var_epi8(a, index, b); }

}  // namespace octet_avx512_vbmi

#endif
