// The vocabulary of vec_scalar.h in NEON intrinsics; the meaning of an op stands there. Included by vec_neon.h,
// vec_neon_dot.h and vec_neon_i8mm.h after they have switched their instructions on and defined OCTET_VEC_NAMESPACE;
// what they add is their dot, dot4s or dot4. Vectors have 16 bytes.
#ifndef OCTET_VEC_NEON_BASE_H
#define OCTET_VEC_NEON_BASE_H

#include "vec_inline.h"

#if defined(__AARCH64EB__)
#error "Octet's vectors are little-endian"
#endif

// Dots are no intrinsics. clang++ before version 16 has them only where its flags, not a function's attribute, name the
// instructions; and g++ copies registers around what it may move, so that to it they are volatile, too. Neither may it
// move loads of weights up over as many dots as it can before it gives out registers, further than there are any.
#if defined(__clang__)
#define OCTET_DOT asm
#else
#define OCTET_DOT asm volatile
#pragma GCC optimize("no-schedule-insns")
#endif

namespace OCTET_VEC_NAMESPACE {

// A register is bytes; each op looks at them as its intrinsic does.
template <int W>
struct Width {
  static_assert(W == 16, "NEON registers have 16 bytes");
  typedef uint8x16_t vec;
};

template <int W>
using Vec = typename Width<W>::vec;

typedef uint8x16_t Bytes;

OCTET_VEC int8x16_t as_s8(Bytes a) { return vreinterpretq_s8_u8(a); }
OCTET_VEC int16x8_t as_s16(Bytes a) { return vreinterpretq_s16_u8(a); }
OCTET_VEC uint16x8_t as_u16(Bytes a) { return vreinterpretq_u16_u8(a); }
OCTET_VEC int32x4_t as_s32(Bytes a) { return vreinterpretq_s32_u8(a); }
OCTET_VEC uint32x4_t as_u32(Bytes a) { return vreinterpretq_u32_u8(a); }
OCTET_VEC uint64x2_t as_u64(Bytes a) { return vreinterpretq_u64_u8(a); }
OCTET_VEC float32x4_t as_f32(Bytes a) { return vreinterpretq_f32_u8(a); }

OCTET_VEC Bytes bytes(Bytes a) { return a; }
OCTET_VEC Bytes bytes(int8x16_t a) { return vreinterpretq_u8_s8(a); }
OCTET_VEC Bytes bytes(int16x8_t a) { return vreinterpretq_u8_s16(a); }
OCTET_VEC Bytes bytes(uint16x8_t a) { return vreinterpretq_u8_u16(a); }
OCTET_VEC Bytes bytes(int32x4_t a) { return vreinterpretq_u8_s32(a); }
OCTET_VEC Bytes bytes(uint32x4_t a) { return vreinterpretq_u8_u32(a); }
OCTET_VEC Bytes bytes(int64x2_t a) { return vreinterpretq_u8_s64(a); }
OCTET_VEC Bytes bytes(uint64x2_t a) { return vreinterpretq_u8_u64(a); }
OCTET_VEC Bytes bytes(float32x4_t a) { return vreinterpretq_u8_f32(a); }

// ---- memory ----

template <int W>
OCTET_VEC Vec<W> load(const uint8_t* p) {
  return vld1q_u8(p);
}

// As its own instruction every time: compilers merge equal loads into a register that must then stay alive, one more
// than there is.
template <int W>
OCTET_VEC Vec<W> load_acc(const uint8_t* p) {
  Vec<W> d;
  asm volatile("ldr %q0, %1" : "=w"(d) : "m"(*reinterpret_cast<const uint8_t(*)[W]>(p)));
  return d;
}

template <int W, int N>
OCTET_VEC Vec<W> load_act(const uint8_t* p) {
  static_assert(N == 4 || N == 8 || N == 16, "activation bytes");
  if constexpr (N == 4) return bytes(vdupq_n_s32(dword_at(p)));
  if constexpr (N == 8) return bytes(vdupq_n_s64(qword_at(p)));
  if constexpr (N == 16) return vld1q_u8(p);
}

template <int W>
OCTET_VEC Vec<W> broadcast32(const uint8_t* p) {
  return bytes(vdupq_n_s32(dword_at(p)));
}

template <int W>
OCTET_VEC Vec<W> widen8_16(const uint8_t* p) {
  return bytes(vmovl_u8(vld1_u8(p)));
}

template <int W>
OCTET_VEC Vec<W> widen8_32(const uint8_t* p) {
  const uint8x8_t four = vreinterpret_u8_s32(vdup_n_s32(dword_at(p)));
  return bytes(vmovl_u16(vget_low_u16(vmovl_u8(four))));
}

OCTET_VEC void store(uint8_t* p, Bytes a) { vst1q_u8(p, a); }

// The halves and quarters of a vector.
template <int H>
OCTET_VEC void store_half(uint8_t* p, Bytes a) {
  vst1_u8(p, H == 0 ? vget_low_u8(a) : vget_high_u8(a));
}

template <int Q>
OCTET_VEC void store_quarter(uint8_t* p, Bytes a) {
  put_dword(p, vgetq_lane_s32(as_s32(a), Q));
}

template <int N>
OCTET_VEC void store_low(uint8_t* p, Bytes a) {
  static_assert(N == 4 || N == 8 || N == 12, "whole dwords");
  if constexpr (N == 4) store_quarter<0>(p, a);
  if constexpr (N >= 8) store_half<0>(p, a);
  if constexpr (N == 12) store_quarter<2>(p + 8, a);
}

// A block is the whole vector: its pieces lie side by side.
template <int N>
OCTET_VEC Bytes gather_pieces(Bytes a) {
  return a;
}

// ---- integer ----

// One op, named after its intrinsic and the type that this has.
#define OCTET_OP(name, intrinsic, type) \
  OCTET_VEC Bytes name(Bytes a, Bytes b) { return bytes(intrinsic##_##type(as_##type(a), as_##type(b))); }

OCTET_OP(add16, vaddq, u16)
OCTET_OP(sub16, vsubq, u16)
OCTET_OP(sub32, vsubq, u32)
OCTET_OP(max_i32, vmaxq, s32)
OCTET_OP(min_i32, vminq, s32)
OCTET_OP(adds16, vqaddq, s16)
OCTET_OP(zip_lo16, vzip1q, u16)
OCTET_OP(zip_hi16, vzip2q, u16)
OCTET_OP(zip_lo64, vzip1q, u64)
OCTET_OP(zip_hi64, vzip2q, u64)
OCTET_OP(mul32, vmulq, u32)
OCTET_OP(sllv32, vshlq, s32)

OCTET_VEC Bytes and_(Bytes a, Bytes b) { return vandq_u8(a, b); }
OCTET_VEC Bytes or_(Bytes a, Bytes b) { return vorrq_u8(a, b); }
OCTET_VEC Bytes xor_(Bytes a, Bytes b) { return veorq_u8(a, b); }
OCTET_VEC Bytes max_u8(Bytes a, Bytes b) { return vmaxq_u8(a, b); }
OCTET_VEC Bytes min_u8(Bytes a, Bytes b) { return vminq_u8(a, b); }
OCTET_VEC Bytes zip_lo8(Bytes a, Bytes b) { return vzip1q_u8(a, b); }
OCTET_VEC Bytes zip_hi8(Bytes a, Bytes b) { return vzip2q_u8(a, b); }

// Opaque: what compilers know to be a sum of many terms they add up in another order, with all terms alive at once.
OCTET_VEC Bytes add32(Bytes a, Bytes b) {
  Bytes d;
  asm("add %0.4s, %1.4s, %2.4s" : "=w"(d) : "w"(a), "w"(b));
  return d;
}

// Products of the even and of the odd bytes: a u8 times an s8 fits in 16 bits.
OCTET_VEC Bytes maddubs(Bytes a, Bytes b) {
  const int16x8_t a_even = as_s16(vandq_u8(a, bytes(vdupq_n_s16(255)))),
                  b_even = vshrq_n_s16(vshlq_n_s16(as_s16(b), 8), 8);
  const int16x8_t a_odd = as_s16(bytes(vshrq_n_u16(as_u16(a), 8))), b_odd = vshrq_n_s16(as_s16(b), 8);
  return bytes(vqaddq_s16(vmulq_s16(a_even, b_even), vmulq_s16(a_odd, b_odd)));
}

OCTET_VEC Bytes madd16(Bytes a, Bytes b) {
  const int16x8_t x = as_s16(a), y = as_s16(b);
  return bytes(vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
}

OCTET_VEC void dot2(Bytes& d, Bytes a, Bytes b) { d = add32(d, madd16(a, b)); }
OCTET_VEC void dot2(Bytes& d, Bytes a, const uint8_t* b) { dot2(d, a, vld1q_u8(b)); }

// The high halves of the products of the low and of the high dwords.
OCTET_VEC Bytes mulhi32(Bytes a, Bytes b) {
  const int32x4_t x = as_s32(a), y = as_s32(b);
  const int64x2_t low = vmull_s32(vget_low_s32(x), vget_low_s32(y)), high = vmull_high_s32(x, y);
  return bytes(vuzp2q_s32(vreinterpretq_s32_s64(low), vreinterpretq_s32_s64(high)));
}

// A shift to the left by a negative number is one to the right.
OCTET_VEC Bytes srav32(Bytes a, Bytes b) { return bytes(vshlq_s32(as_s32(a), vnegq_s32(as_s32(b)))); }

OCTET_VEC Bytes packs32(Bytes a, Bytes b) { return bytes(vqmovn_high_s32(vqmovn_s32(as_s32(a)), as_s32(b))); }
OCTET_VEC Bytes packus16(Bytes a, Bytes b) { return vqmovun_high_s16(vqmovun_s16(as_s16(a)), as_s16(b)); }

// The instruction gives 0 for every index from 16 on.
OCTET_VEC Bytes shuffle8(Bytes a, Bytes b) { return vqtbl1q_u8(a, vandq_u8(b, vdupq_n_u8(0x8f))); }

OCTET_VEC Bytes blend8(Bytes a, Bytes b, Bytes c) { return vbslq_u8(vcltzq_s8(as_s8(c)), b, a); }

// Immediates to the right count from 1.
#define OCTET_SHIFT(name, intrinsic, type)                                     \
  template <int N>                                                             \
  OCTET_VEC Bytes name(Bytes a) {                                              \
    if constexpr (N == 0) return a;                                            \
    if constexpr (N != 0) return bytes(intrinsic##_n_##type(as_##type(a), N)); \
  }

OCTET_SHIFT(srl16, vshrq, u16)
OCTET_SHIFT(sll16, vshlq, s16)
OCTET_SHIFT(sll32, vshlq, s32)
OCTET_SHIFT(sra32, vshrq, s32)
#undef OCTET_SHIFT

// ---- float ----

OCTET_OP(add_f32, vaddq, f32)
OCTET_OP(sub_f32, vsubq, f32)
OCTET_OP(mul_f32, vmulq, f32)
OCTET_OP(div_f32, vdivq, f32)
#undef OCTET_OP

OCTET_VEC Bytes fma_f32(Bytes a, Bytes b, Bytes c) { return bytes(vfmaq_f32(as_f32(c), as_f32(a), as_f32(b))); }

// fmax and fmin are others: they differ where an operand is NaN, and tell zeros apart.
OCTET_VEC Bytes max_f32(Bytes a, Bytes b) { return vbslq_u8(bytes(vcgtq_f32(as_f32(a), as_f32(b))), a, b); }
OCTET_VEC Bytes min_f32(Bytes a, Bytes b) { return vbslq_u8(bytes(vcltq_f32(as_f32(a), as_f32(b))), a, b); }

OCTET_VEC Bytes cvt_f32(Bytes a) { return bytes(vcvtq_f32_s32(as_s32(a))); }
OCTET_VEC Bytes cvt_i32(Bytes a) { return bytes(vcvtnq_s32_f32(as_f32(a))); }

// Truncated to 64 bits, then saturated to 32.
OCTET_VEC Bytes scale64(Bytes a, const uint8_t* m) {
  const int32x4_t x = as_s32(a);
  const float64x2_t m_low = vreinterpretq_f64_u8(vld1q_u8(m)), m_high = vreinterpretq_f64_u8(vld1q_u8(m + 16));
  const float64x2_t low = vmulq_f64(vcvtq_f64_s64(vmovl_s32(vget_low_s32(x))), m_low);
  const float64x2_t high = vmulq_f64(vcvtq_f64_s64(vmovl_high_s32(x)), m_high);
  return bytes(vqmovn_high_s64(vqmovn_s64(vcvtq_s64_f64(low)), vcvtq_s64_f64(high)));
}

}  // namespace OCTET_VEC_NAMESPACE

#include "vec_split.h"

#endif
