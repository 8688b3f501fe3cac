// The contract between generated code and whoever runs it. Plain data only: this file is embedded verbatim in emitted
// C++, so it includes nothing of Octet and needs no library.
#pragma once

#include <stddef.h>
#include <stdint.h>

// What a kernel's pointers mean. A kernel reads only those that its op needs.
enum OctetArg {
  OCTET_SRC = 0,        // first activation input, NHWC bytes
  OCTET_WEIGHTS = 1,    // packed weights, or the parameter struct of a plain op
  OCTET_DST = 2,        // output, NHWC bytes
  OCTET_BIAS = 3,       // packed s32 bias, zero-point corrections included
  OCTET_SCALE = 4,      // packed f32 multipliers
  OCTET_SRC2 = 5,       // second activation input: the residual, the other addend or factor
  OCTET_CONSTANTS = 6,  // splatted 64-byte constants of the Program
  OCTET_SCRATCH = 7,    // scratch in the arena, for kernels that ask for it
  OCTET_ARG_COUNT = 8
};

struct OctetArgs {
  const void* p[OCTET_ARG_COUNT];  // destinations and scratch are written through a cast
};

typedef void (*OctetKernel)(const struct OctetArgs* args);

// Every buffer that a kernel reads has this many readable bytes behind its end (whole-vector loads at the tail).
enum { OCTET_SLACK_BYTES = 128, OCTET_ALIGNMENT = 64 };

// Where a pointer of a step points.
enum OctetSpace { OCTET_NONE = 0, OCTET_ARENA = 1, OCTET_BLOB = 2, OCTET_INPUT = 3, OCTET_OUTPUT = 4 };

struct OctetRef {
  uint32_t space;   // OctetSpace
  uint32_t index;   // which input or output; 0 otherwise
  uint64_t offset;  // bytes
};

// One kernel call. Steps run in order; the parts of a step (same `group`) are independent and may run in parallel.
struct OctetStep {
  uint32_t kernel;  // index into the kernel table
  uint32_t group;   // consecutive steps with the same group may run at the same time
  struct OctetRef args[OCTET_ARG_COUNT];
};
