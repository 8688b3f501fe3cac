// libFuzzer: any bytes as a TFLite file. Flatbuffers keep every field at its place, so libFuzzer's own mutations of
// bytes reach all of them.
#include "generator/import/tflite.h"
#include "tests/fuzz/fuzz_network.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> file(data, size);
  octet::fuzz::try_file(file, [&] { return octet::import_tflite(std::as_bytes(file)); });
  return 0;
}
