#include "jit/code_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "jit/align_up.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kBlockBytes = size_t{4} << 20;  // of address space: pages that are never written cost nothing

size_t page_bytes() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

void append_to_perf_map(const std::string& name, const uint8_t* code, size_t bytes) {
  if (!std::getenv("OCTET_PERF_MAP")) return;
  const std::string path = "/tmp/perf-" + std::to_string(getpid()) + ".map";
  if (std::FILE* map = std::fopen(path.c_str(), "a")) {  // a help for looking, so failing to write it is no error
    std::fprintf(map, "%zx %zx %s\n", reinterpret_cast<size_t>(code), bytes, name.c_str());
    std::fclose(map);
  }
}

}  // namespace

CodeMemory::~CodeMemory() {
  for (const Block& b : blocks_) munmap(b.begin, b.bytes);
}

std::span<uint8_t> CodeMemory::reserve(size_t bytes) {
  if (blocks_.empty() || blocks_.back().sealed || blocks_.back().bytes - blocks_.back().used < bytes) {
    const size_t mapped = std::max(kBlockBytes, align_up(bytes, page_bytes()));
    void* begin = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (begin == MAP_FAILED) user_error(std::string("no memory for generated code: ") + std::strerror(errno));
    blocks_.push_back({static_cast<uint8_t*>(begin), mapped, 0, false});
  }
  const Block& b = blocks_.back();
  return {b.begin + b.used, b.bytes - b.used};
}

void CodeMemory::commit(const std::string& name, size_t bytes) {
  Block& b = blocks_.back();
  if (b.sealed || bytes > b.bytes - b.used) internal_error(name + ": code committed outside of the room given");
  append_to_perf_map(name, b.begin + b.used, bytes);
  b.used = std::min(b.bytes, align_up(b.used + bytes, kAlignment));
}

void CodeMemory::seal() {
  for (Block& b : blocks_) {
    if (b.sealed) continue;
    const size_t kept = align_up(std::max(b.used, size_t{1}), page_bytes());
    if (kept < b.bytes) munmap(b.begin + kept, b.bytes - kept);
    b.bytes = kept;
    // Other machines than x86 may hold something older in their instruction caches.
    __builtin___clear_cache(reinterpret_cast<char*>(b.begin), reinterpret_cast<char*>(b.begin + b.used));
    if (mprotect(b.begin, b.bytes, PROT_READ | PROT_EXEC) != 0)
      user_error(std::string("this system does not let generated code run: ") + std::strerror(errno));
    b.sealed = true;
  }
}

}  // namespace octet
