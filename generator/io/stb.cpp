// stb_image's implementation; compiled without warnings, which are its author's business.
#include <cstddef>
#include <cstdlib>

namespace {

// A picture of 64 million pixels needs less at a time; a small file that unpacks to more is an attack.
constexpr size_t kMostBytes = size_t{600} << 20;

void* bounded_malloc(size_t bytes) {
  return bytes <= kMostBytes ? std::malloc(bytes) : nullptr;
}
void* bounded_realloc(void* p, size_t bytes) {
  return bytes <= kMostBytes ? std::realloc(p, bytes) : nullptr;
}

}  // namespace

#define STBI_MALLOC(bytes) bounded_malloc(bytes)
#define STBI_REALLOC(p, bytes) bounded_realloc(p, bytes)
#define STBI_FREE(p) std::free(p)
#define STB_IMAGE_IMPLEMENTATION
#include "generator/io/stb.h"
