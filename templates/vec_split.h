// store_split, in terms of store, store_half, store_quarter and gather_pieces. Included at the end of vec_x86.h and
// vec_neon_base.h, which define them.
#ifndef OCTET_VEC_SPLIT_H
#define OCTET_VEC_SPLIT_H

namespace OCTET_VEC_NAMESPACE {

// The offsets are constants in every call, so the tests cost nothing: pieces that meet in memory become one store.
template <int N, int EXIST, class V>
OCTET_VEC void store_split(uint8_t* p, V a, int32_t o0, int32_t o1 = 0, int32_t o2 = 0, int32_t o3 = 0) {
  const int32_t piece = static_cast<int32_t>(sizeof(V)) / N;
  const bool meet1 = EXIST > 1 && o1 == o0 + piece, meet3 = EXIST > 3 && o3 == o2 + piece;
  const V x = gather_pieces<N>(a);
  if constexpr (N == 1) store(p + o0, x);
  if constexpr (N == 2) {
    if (meet1) {
      store(p + o0, x);
    } else {
      store_half<0>(p + o0, x);
      if constexpr (EXIST > 1) store_half<1>(p + o1, x);
    }
  }
  if constexpr (N == 4) {
    if (meet1 && meet3 && o2 == o1 + piece) {
      store(p + o0, x);
      return;
    }
    if (meet1) {
      store_half<0>(p + o0, x);
    } else {
      store_quarter<0>(p + o0, x);
      if constexpr (EXIST > 1) store_quarter<1>(p + o1, x);
    }
    if (meet3) {
      store_half<1>(p + o2, x);
    } else {
      if constexpr (EXIST > 2) store_quarter<2>(p + o2, x);
      if constexpr (EXIST > 3) store_quarter<3>(p + o3, x);
    }
  }
}

}  // namespace OCTET_VEC_NAMESPACE

#endif
