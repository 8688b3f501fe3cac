// How a test talks to kernels that run elsewhere, under an emulator: what goes through a socket, both ends
// little-endian.
//
// A test sends a KernelCall, as many sizes of buffers as it says, and the buffers; it gets the kernel's number back, and
// the buffers as the kernel left them.
#pragma once

#include "runtime/abi.h"

namespace octet {

struct KernelPointer {
  int32_t buffer;  // -1: null
  uint32_t offset;
};

struct KernelCall {
  uint32_t kernel, buffers;
  KernelPointer arguments[OCTET_ARG_COUNT];
};

}  // namespace octet
