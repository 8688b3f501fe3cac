#include "runtime/blob.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "runtime/status.h"

namespace octet {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t round_up(size_t bytes, size_t to) {
  return (bytes + to - 1) / to * to;
}

// Zeros at a multiple of a huge page, whatever the kernel would have chosen.
uint8_t* map(size_t bytes) {
  void* p =
      mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) user_error("out of memory: " + std::to_string(bytes) + " bytes of weights");
  auto* begin = static_cast<uint8_t*>(p);
  const size_t front = round_up(reinterpret_cast<size_t>(begin), kHugePage) - reinterpret_cast<size_t>(begin);
  if (front) munmap(begin, front);
  if (front < kHugePage) munmap(begin + front + bytes, kHugePage - front);
  // Only a wish: systems without huge pages go on without.
  if (bytes > kHugePage) madvise(begin + front, bytes, MADV_HUGEPAGE);
  return begin + front;
}

}  // namespace

Blob::~Blob() {
  if (mapped_) munmap(data_, mapped_);
}

Blob::Blob(const Blob& other) {
  if (other.owner_) {
    data_ = other.data_;
    size_ = other.size_;
    owner_ = other.owner_;
  } else if (other.size_) {
    append(other.size_);
    std::memcpy(data_, other.data_, size_);
  }
}

void Blob::swap(Blob& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  std::swap(owner_, other.owner_);
}

Blob Blob::view(std::span<const uint8_t> bytes, std::shared_ptr<const void> owner) {
  Blob blob;
  blob.data_ = const_cast<uint8_t*>(bytes.data());
  blob.size_ = bytes.size();
  blob.owner_ = std::move(owner);
  return blob;
}

void Blob::reserve(size_t bytes) {
  if (owner_) internal_error("a blob that views other memory cannot grow");
  const size_t wanted = round_up(bytes + OCTET_SLACK_BYTES, kHugePage);
  if (wanted <= mapped_) return;
  uint8_t* larger = map(wanted);
  if (size_) std::memcpy(larger, data_, size_);
  if (mapped_) munmap(data_, mapped_);
  data_ = larger;
  mapped_ = wanted;
}

size_t Blob::append(size_t bytes) {
  const size_t offset = round_up(size_, OCTET_ALIGNMENT);
  if (offset + bytes + OCTET_SLACK_BYTES > mapped_ || owner_) reserve(std::max(offset + bytes, 2 * mapped_));
  size_ = offset + bytes;
  return offset;
}

}  // namespace octet
