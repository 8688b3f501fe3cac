// A program of somebody who has an emitted network and no Octet: plain C++17, the network's header, the standard
// library. Compiled with -DMODEL=digits -DMODEL_HEADER='"digits.h"' -DTARGETS='X(scalar) X(avx2)'.
//
//   emitted_main TARGET INPUT OUTPUT
//
// INPUT holds any number of samples, OUTPUT gets as many results. TARGET is one of those in the network, or "best" for
// what run() takes. Fails if a run writes outside of the arena or of its output, or reads what it was not given (seen
// by AddressSanitizer: every buffer is exactly as big as the header says).
#include MODEL_HEADER

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

typedef void (*Run)(const void* const*, void* const*, void*);

constexpr std::size_t kGuard = 256;
constexpr unsigned char kGuardByte = 0xA5;

static_assert(MODEL::arena_alignment == 64, "a constant expression");
static_assert(sizeof(MODEL::input) / sizeof(MODEL::input[0]) == 1, "one input");
static_assert(sizeof(MODEL::output) / sizeof(MODEL::output[0]) == 1, "one output");

Run version(const char* name) {
  if (std::strcmp(name, "best") == 0) return MODEL::supported() ? MODEL::run : nullptr;
#define X(target) \
  if (std::strcmp(name, #target) == 0) return MODEL::run_##target;
  TARGETS
#undef X
  return nullptr;
}

// Bytes between two guards, aligned as asked.
class Guarded {
 public:
  Guarded(std::size_t bytes, std::size_t alignment)
      : bytes_(bytes),
        all_(static_cast<unsigned char*>(
            std::aligned_alloc(alignment, (bytes + 2 * kGuard + alignment - 1) / alignment * alignment))) {
    std::memset(all_, kGuardByte, bytes + 2 * kGuard);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { std::free(all_); }

  unsigned char* data() { return all_ + kGuard; }
  bool intact() const {
    for (std::size_t i = 0; i < kGuard; ++i)
      if (all_[i] != kGuardByte || all_[kGuard + bytes_ + i] != kGuardByte) return false;
    return true;
  }

 private:
  std::size_t bytes_;
  unsigned char* all_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const Run run = version(argv[1]);
  std::FILE* in = std::fopen(argv[2], "rb");
  std::FILE* out = std::fopen(argv[3], "wb");
  if (run == nullptr || in == nullptr || out == nullptr) {
    std::fprintf(stderr, "no target %s, or no file\n", argv[1]);
    return 2;
  }
  Guarded arena(MODEL::arena_bytes, MODEL::arena_alignment), result(MODEL::output[0].bytes, 64);
  for (;;) {
    // Exactly as big as promised, so that a sanitizer sees a read behind the end.
    std::vector<unsigned char> sample(MODEL::input[0].bytes);
    if (std::fread(sample.data(), 1, sample.size(), in) != sample.size()) break;
    const void* inputs[] = {sample.data()};
    void* outputs[] = {result.data()};
    run(inputs, outputs, arena.data());
    std::fwrite(result.data(), 1, MODEL::output[0].bytes, out);
  }
  std::fclose(in);
  if (std::fclose(out) != 0) return 2;
  if (!arena.intact() || !result.intact()) {
    std::fprintf(stderr, "%s wrote outside of its buffers\n", argv[1]);
    return 1;
  }
  std::printf("%s\n", MODEL::target());
  return 0;
}
