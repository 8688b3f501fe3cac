// The reference: every kernel from its spec alone, one scalar formula per output byte and no fast path. It can run
// whole networks, and whatever else computes a spec must give the same bytes.
#pragma once

#include "generator/kernel/spec.h"
#include "runtime/abi.h"

namespace octet {

// Data comes unpacked by pointer: conv has OCTET_WEIGHTS = ConvData.weights, OCTET_BIAS = s32[oc], OCTET_SCALE =
// f32[oc]; the rest as spec.h says. Bytes beyond `channels` of a pixel are neither read nor written.
void reference(const KernelSpec& spec, const OctetArgs& args);

}  // namespace octet
