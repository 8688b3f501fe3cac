// libFuzzer: any bytes as an ONNX file.
#include <google/protobuf/stubs/logging.h>

#include "generator/import/onnx.h"
#include "tests/fuzz/fuzz_network.h"
#include "tests/fuzz/onnx_mutator.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> file(data, size);
  octet::fuzz::try_file(file, [&] { return octet::import_onnx(std::as_bytes(file)); });
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  return octet::fuzz::mutate_onnx(data, size, most, seed);
}
