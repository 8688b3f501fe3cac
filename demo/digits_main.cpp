// Runs the digit network that `octet compile` turned into C++: what a program of yours would do with it.
//
//   digits_main IMAGES LABELS LOGITS
//
// IMAGES holds float32 pixels, 256 an image; LABELS one byte an image; LOGITS is written, ten float32 an image.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <vector>

#include "digits.h"

namespace {

constexpr std::size_t kPixels = 16 * 16;
constexpr std::size_t kClasses = 10;

template <class T>
std::vector<T> read_file(const char* path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<T> values(file ? static_cast<std::size_t>(file.tellg()) / sizeof(T) : 0);
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: digits_main IMAGES LABELS LOGITS\n");
    return 1;
  }
  const auto images = read_file<float>(argv[1]);
  const auto labels = read_file<unsigned char>(argv[2]);
  const std::size_t count = labels.size();
  if (count == 0 || images.size() != count * kPixels) {
    std::fprintf(stderr, "digits_main: %s and %s do not fit together\n", argv[1], argv[2]);
    return 1;
  }
  std::vector<float> logits(count * kClasses);

  // All the memory the network needs; its size is a constant, so it may as well be static.
  alignas(64) static unsigned char arena[digits::arena_bytes];

  const auto run_all = [&] {
    for (std::size_t i = 0; i < count; ++i) {
      const void* inputs[] = {&images[i * kPixels]};
      void* outputs[] = {&logits[i * kClasses]};
      digits::run(inputs, outputs, arena);
    }
  };
  run_all();  // warms caches

  // The best of several rounds: the machine may be busy with something else.
  double best = 1e30;
  for (int round = 0; round < 20; ++round) {
    const auto start = std::chrono::steady_clock::now();
    run_all();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count() / static_cast<double>(count));
  }

  std::size_t right = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float* row = &logits[i * kClasses];
    right += std::max_element(row, row + kClasses) - row == labels[i];
  }
  std::ofstream(argv[3], std::ios::binary)
      .write(reinterpret_cast<const char*>(logits.data()), static_cast<std::streamsize>(logits.size() * sizeof(float)));

  std::printf("%zu of %zu digits right, %.2f us per image, arena %zu bytes\n", right, count, best,
              static_cast<std::size_t>(digits::arena_bytes));
}
