#include "generator/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "runtime/status.h"

namespace octet {
namespace {

struct Closer {
  void operator()(FILE* f) const { std::fclose(f); }
};
using File = std::unique_ptr<FILE, Closer>;

[[noreturn]] void cannot(const char* verb, const std::string& path, int error) {
  user_error(std::string("cannot ") + verb + " " + path + ": " + std::strerror(error));
}

}  // namespace

std::vector<uint8_t> read_file(const std::string& path, size_t max_bytes) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) cannot("open", path, errno);
  struct stat info {};
  if (fstat(fileno(file.get()), &info) != 0) cannot("read", path, errno);
  if (S_ISDIR(info.st_mode)) cannot("read", path, EISDIR);
  if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode)) user_error("cannot read " + path + ": not a regular file");
  const std::string too_big = "cannot read " + path + ": larger than " + std::to_string(max_bytes >> 20) + " MiB";
  if (S_ISREG(info.st_mode) && static_cast<uint64_t>(info.st_size) > max_bytes) user_error(too_big);
  std::vector<uint8_t> bytes;
  if (S_ISREG(info.st_mode)) bytes.reserve(static_cast<size_t>(info.st_size) + 1);
  constexpr size_t kChunk = size_t{1} << 16;
  for (size_t got = kChunk; got == kChunk;) {
    const size_t old = bytes.size();
    bytes.resize(old + kChunk);
    got = std::fread(bytes.data() + old, 1, kChunk, file.get());
    bytes.resize(old + got);
    if (bytes.size() > max_bytes) user_error(too_big);
  }
  if (std::ferror(file.get())) cannot("read", path, errno);
  return bytes;
}

void write_file(const std::string& path, std::span<const Bytes> pieces) {
  FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) cannot("write", path, errno);
  bool good = true;
  for (const Bytes& p : pieces) good = good && std::fwrite(p.data(), 1, p.size(), file) == p.size();
  int error = errno;
  if (std::fclose(file) != 0 && good) {
    good = false;
    error = errno;
  }
  if (good) return;
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) std::remove(path.c_str());
  cannot("write", path, error);
}

void write_file(const std::string& path, std::string_view text) {
  const Bytes piece(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  write_file(path, {&piece, 1});
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) user_error("cannot make the folder " + path + ": " + error.message());
}

void check_writable(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) cannot("write", path, EISDIR);
    if (access(path.c_str(), W_OK) != 0) cannot("write", path, errno);
    return;
  }
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (file < 0 && errno == EEXIST) return;  // a link to what is yet to be made
  if (file < 0) cannot("write", path, errno);
  close(file);
  unlink(path.c_str());
}

bool has_extension(std::string_view path, std::string_view extension) {
  if (path.size() < extension.size()) return false;
  return std::equal(extension.begin(), extension.end(), path.end() - static_cast<std::ptrdiff_t>(extension.size()),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

}  // namespace octet
