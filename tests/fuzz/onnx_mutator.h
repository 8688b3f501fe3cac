// Changes ONNX files field by field, so that most of them still parse: libFuzzer's own mutations of bytes seldom do.
#pragma once

#include <cstddef>
#include <cstdint>

namespace octet::fuzz {

// As LLVMFuzzerCustomMutator: in place, at most `most` bytes; gives the new size.
size_t mutate_onnx(uint8_t* data, size_t size, size_t most, unsigned seed);

}  // namespace octet::fuzz
