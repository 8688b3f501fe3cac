// The reference ops behind reference.h, one function per spec.
#pragma once

#include "generator/kernel/spec.h"
#include "runtime/abi.h"

namespace octet::ref {

template <class T>
const T* in(const OctetArgs& args, OctetArg which) {
  return static_cast<const T*>(args.p[which]);
}
template <class T = uint8_t>
T* out(const OctetArgs& args) {
  return static_cast<T*>(const_cast<void*>(args.p[OCTET_DST]));
}

void run(const ConvSpec& spec, const OctetArgs& args);
void run(const AddSpec& spec, const OctetArgs& args);
void run(const MulSpec& spec, const OctetArgs& args);
void run(const PairSpec& spec, const OctetArgs& args);
void run(const PoolSpec& spec, const OctetArgs& args);
void run(const LutSpec& spec, const OctetArgs& args);
void run(const InterleaveSpec& spec, const OctetArgs& args);
void run(const ResizeSpec& spec, const OctetArgs& args);
void run(const MatMulSpec& spec, const OctetArgs& args);
void run(const AffineSpec& spec, const OctetArgs& args);
void run(const QuantizeSpec& spec, const OctetArgs& args);
void run(const DequantizeSpec& spec, const OctetArgs& args);

}  // namespace octet::ref
