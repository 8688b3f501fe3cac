// What lowerings of store_split share.
#pragma once

#include "generator/program/program.h"

namespace octet {

// How many pieces from q on lie side by side in memory and may be stored at once: 1, 2 or 4, so that each store is of a
// power of two and aligned in the register that holds the pieces in order.
int pieces_together(const Split& split, int q, int piece_bytes);

}  // namespace octet
