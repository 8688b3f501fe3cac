// classify MODEL INPUT OUTPUT CACHE: a program of Octet's users. Runs a network over the rows of a raw file, writes the
// rows of its outputs, and prints the target that was chosen and what the cache did.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "runtime/octet.h"

int main(int argc, char** argv) try {
  if (argc != 5) return 2;
  const octet::Model model = octet::Model::load(argv[1], {.threads = 2, .cache_dir = argv[4]});
  octet::Context context(model);
  std::ifstream in(argv[2], std::ios::binary);
  const std::vector<char> rows(std::istreambuf_iterator<char>(in), {});
  std::ofstream out(argv[3], std::ios::binary);
  std::vector<char> row(model.outputs()[0].bytes());
  for (size_t at = 0, bytes = model.inputs()[0].bytes(); at + bytes <= rows.size(); at += bytes) {
    const void* inputs[] = {rows.data() + at};
    void* outputs[] = {row.data()};
    context.run(inputs, outputs);
    out.write(row.data(), static_cast<std::streamsize>(row.size()));
  }
  std::printf("%s %s\n", model.target().c_str(), model.cache_status().c_str());
} catch (const octet::Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
