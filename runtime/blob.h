// The constants of a network: packed weights, biases, tables. Steps read them by OCTET_BLOB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "runtime/abi.h"

namespace octet {

// Grows at its end without copying what is there, and large ones lie on huge pages: writing 25 MB to fresh memory costs
// more than packing them, and the smaller page table makes reading them faster too. OCTET_ALIGNMENT-aligned, with
// OCTET_SLACK_BYTES readable behind the end.
class Blob {
 public:
  Blob() = default;
  ~Blob();
  Blob(const Blob& other);  // a copy of the bytes, or another view of the same memory
  Blob(Blob&& other) noexcept { swap(other); }
  Blob& operator=(Blob other) noexcept {
    swap(other);
    return *this;
  }

  // Bytes that `owner` keeps alive, with alignment and slack as above; nothing can be appended.
  static Blob view(std::span<const uint8_t> bytes, std::shared_ptr<const void> owner);

  // Address space for that many bytes; what is never written costs nothing. Growing past it moves the blob.
  void reserve(size_t bytes);

  // The offset of that many zeros behind what is there, a multiple of OCTET_ALIGNMENT. Earlier pointers are void.
  size_t append(size_t bytes);

  uint8_t* data() { return data_; }  // of a view: not to be written
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }

 private:
  void swap(Blob& other) noexcept;

  uint8_t* data_ = nullptr;
  size_t size_ = 0, mapped_ = 0;
  std::shared_ptr<const void> owner_;  // of a view
};

}  // namespace octet
