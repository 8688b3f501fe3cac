#include "generator/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace octet {

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path, bool whole, std::string& why) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    why = std::strerror(errno);
    return nullptr;
  }
  const std::shared_ptr<MappedFile> f(new MappedFile);
  struct stat info {};
  const bool regular = ::fstat(file, &info) == 0 && S_ISREG(info.st_mode);
  const size_t size = regular ? static_cast<size_t>(info.st_size) : 0;
  void* data = size ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | (whole ? MAP_POPULATE : 0), file, 0) : nullptr;
  why = !regular ? "not a regular file" : data == MAP_FAILED ? std::strerror(errno) : "";
  ::close(file);
  if (!why.empty()) return nullptr;
  f->data_ = data;
  f->size_ = size;
  f->owner_ = info.st_uid;
  return f;
}

MappedFile::~MappedFile() {
  if (size_) ::munmap(data_, size_);
}

}  // namespace octet
