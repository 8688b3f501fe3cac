// A file mapped for reading.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace octet {

class MappedFile {
 public:
  // nullptr, with the system's reason in `why`, where that is no regular file that can be read. `whole`: all of it will
  // be read now, so its pages are mapped at once.
  static std::shared_ptr<const MappedFile> open(const std::string& path, bool whole, std::string& why);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }
  unsigned owner() const { return owner_; }  // the user's id

 private:
  MappedFile() = default;

  void* data_ = nullptr;
  size_t size_ = 0;
  unsigned owner_ = 0;
};

}  // namespace octet
