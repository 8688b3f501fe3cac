#include "jit/split.h"

namespace octet {

int pieces_together(const Split& split, int q, int piece_bytes) {
  for (int run = 4; run > 1; run /= 2) {
    if (q % run != 0 || q + run > split.exist) continue;
    bool adjacent = true;
    for (int r = q + 1; r < q + run; ++r)
      adjacent &= int64_t{split.offset[static_cast<size_t>(r)]} ==
                  int64_t{split.offset[static_cast<size_t>(r - 1)]} + piece_bytes;
    if (adjacent) return run;
  }
  return 1;
}

}  // namespace octet
