// protobuf copies every byte of a message. Weights are nearly all of a model, so they are taken out of the message
// first, and copied once, from the mapped file into their tensors.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <unordered_map>

namespace octet::onnx_file {

struct Payloads {
  std::string message;                                              // the ModelProto without them
  std::unordered_map<size_t, std::span<const std::byte>> raw_data;  // by position among the initializers; into the file
};

// False where the bytes are no well-formed message; then only protobuf should judge them.
bool take_payloads(std::span<const std::byte> file, Payloads& result);

}  // namespace octet::onnx_file
