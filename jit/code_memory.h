// Memory for machine code: written first, executed after, never both at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace octet {

// Code of many kernels, appended to a few large blocks that live as long as their owner. Used by one thread at a time;
// several of them are independent. Where the environment names OCTET_PERF_MAP, every kernel gets a line in
// /tmp/perf-PID.map, which is what perf reads to show its name.
class CodeMemory {
 public:
  CodeMemory() = default;
  ~CodeMemory();
  CodeMemory(CodeMemory&& other) noexcept : blocks_(std::move(other.blocks_)) { other.blocks_.clear(); }
  CodeMemory& operator=(CodeMemory&& other) noexcept {
    std::swap(blocks_, other.blocks_);
    return *this;
  }

  // Writable room for one kernel, aligned to a cache line. Only the last room given may be written and committed.
  std::span<uint8_t> reserve(size_t bytes);

  // Keeps the first `bytes` of the last room as the code of that kernel.
  void commit(const std::string& name, size_t bytes);

  // Makes everything committed executable and no longer writable. What is reserved later starts a new block.
  void seal();

 private:
  struct Block {
    uint8_t* begin;
    size_t bytes;  // mapped
    size_t used;   // committed
    bool sealed;
  };
  std::vector<Block> blocks_;
};

}  // namespace octet
