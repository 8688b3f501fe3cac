// vec_neon_base.h and the dot product of signed bytes, for the targets that have it. Included by vec_neon_dot.h and
// vec_neon_i8mm.h as vec_neon_base.h says.
#ifndef OCTET_VEC_NEON_DOTS_H
#define OCTET_VEC_NEON_DOTS_H

#include "vec_neon_base.h"

namespace OCTET_VEC_NAMESPACE {

template <int G>
OCTET_VEC void dot4s(Bytes& d, Bytes a, Bytes b) {
  if constexpr (G >= 0) OCTET_DOT("sdot %0.4s, %2.16b, %1.4b[%c3]" : "+w"(d) : "w"(a), "w"(b), "i"(G));
  if constexpr (G < 0) OCTET_DOT("sdot %0.4s, %2.16b, %1.16b" : "+w"(d) : "w"(a), "w"(b));
}

}  // namespace OCTET_VEC_NAMESPACE

#endif
