// A network that is ready to run, as one file: plan, machine code, and the weights as they lie in memory, so that
// another process maps them. Everything is checked before anything is used.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "generator/io/mapped_file.h"
#include "runtime/plan.h"

namespace octet {

// What a file was made from; a file made from anything else is refused.
using NetworkKey = std::array<uint8_t, 16>;

struct StoredKernel {
  std::string name;               // for perf maps; of a plain op: its function's name
  std::span<const uint8_t> code;  // runs at any address that is a multiple of 64; empty: a plain op
};

struct StoredNetwork {
  std::string name;  // of the graph
  Plan plan;
  std::vector<StoredKernel> kernels;
};

// False where the system refuses; errno says why. `file` is open for writing and empty.
bool write_network(int file, const NetworkKey& key, const std::string& name, const Plan& plan,
                   std::span<const StoredKernel> kernels);

// The plan's blob and the code are views of the file. Throws Error where a byte is not as it was written: a checksum
// covers them all, and offsets and sizes are checked beyond it.
StoredNetwork read_network(const std::shared_ptr<const MappedFile>& file, const NetworkKey& key);

}  // namespace octet
