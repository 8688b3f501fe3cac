// A program around emitted kernels, for machines that cannot load them: serves calls from its standard input until that
// ends. Compiled together with the sources of write_programs(), with -DTABLES="X(octet_kernels_0, 12) X(...)".
#include "tests/support/kernel_server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define X(table, count) extern "C" const OctetKernel table[count];
TABLES
#undef X

namespace {

OctetKernel find(uint32_t number) {
#define X(table, count)                        \
  if (number < count##u) return table[number]; \
  number -= count##u;
  TABLES
#undef X
  abort();
}

// False at the end of the input.
bool receive(void* to, size_t bytes) {
  for (char* p = static_cast<char*>(to); bytes > 0;) {
    const ssize_t n = read(STDIN_FILENO, p, bytes);
    if (n <= 0) return false;
    p += n, bytes -= static_cast<size_t>(n);
  }
  return true;
}

void send(const void* from, size_t bytes) {
  for (const char* p = static_cast<const char*>(from); bytes > 0;) {
    const ssize_t n = write(STDOUT_FILENO, p, bytes);
    if (n <= 0) abort();
    p += n, bytes -= static_cast<size_t>(n);
  }
}

constexpr uint32_t kMostBuffers = 16;

}  // namespace

int main() {
  octet::KernelCall call;
  while (receive(&call, sizeof call)) {
    uint64_t sizes[kMostBuffers];
    unsigned char* buffers[kMostBuffers];
    if (call.buffers > kMostBuffers || !receive(sizes, call.buffers * sizeof sizes[0])) abort();
    for (uint32_t b = 0; b < call.buffers; ++b) {
      buffers[b] = static_cast<unsigned char*>(aligned_alloc(64, (sizes[b] + 64) / 64 * 64));
      if (buffers[b] == nullptr || !receive(buffers[b], sizes[b])) abort();
    }
    OctetArgs args;
    for (int a = 0; a < OCTET_ARG_COUNT; ++a) {
      const octet::KernelPointer p = call.arguments[a];
      args.p[a] = p.buffer < 0 ? nullptr : buffers[p.buffer] + p.offset;
    }
    find(call.kernel)(&args);
    send(&call.kernel, sizeof call.kernel);
    for (uint32_t b = 0; b < call.buffers; ++b) {
      send(buffers[b], sizes[b]);
      free(buffers[b]);
    }
  }
}
