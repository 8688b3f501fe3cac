// How the run function of a network writes a step: call(kernel, src(p), weights(q), dst(r), ...).
#ifndef OCTET_CALL_H
#define OCTET_CALL_H

#include "abi.h"

namespace octet_call {

struct Argument {
  OctetArg which;
  const void* pointer;
};

static inline Argument src(const void* p) noexcept { return {OCTET_SRC, p}; }
static inline Argument weights(const void* p) noexcept { return {OCTET_WEIGHTS, p}; }
static inline Argument dst(void* p) noexcept { return {OCTET_DST, p}; }
static inline Argument bias(const void* p) noexcept { return {OCTET_BIAS, p}; }
static inline Argument scale(const void* p) noexcept { return {OCTET_SCALE, p}; }
static inline Argument src2(const void* p) noexcept { return {OCTET_SRC2, p}; }
static inline Argument constants(const void* p) noexcept { return {OCTET_CONSTANTS, p}; }
static inline Argument scratch(void* p) noexcept { return {OCTET_SCRATCH, p}; }

template <class... Arguments>
static inline void call(void (*kernel)(const OctetArgs*) noexcept, Arguments... arguments) noexcept {
  OctetArgs args{};
  ((args.p[arguments.which] = arguments.pointer), ...);
  kernel(&args);
}

// Some bytes into a caller's tensor.
static inline const void* at(const void* p, unsigned long long bytes) noexcept {
  return static_cast<const unsigned char*>(p) + bytes;
}
static inline void* at(void* p, unsigned long long bytes) noexcept { return static_cast<unsigned char*>(p) + bytes; }

}  // namespace octet_call

#endif
