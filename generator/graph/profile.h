// Whose arithmetic the bytes follow. One model file can mean several: TensorFlow Lite's own kernel sets differ from
// each other, and PyTorch's engines do (design/numerics.md 2.1). A graph has one profile; every formula takes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

enum class Profile : uint8_t {
  ort,        // ONNX Runtime, CPU; the default for ONNX files
  xnn,        // LiteRT's default, its XNNPACK kernels; the default for TFLite files
  tfl_ref,    // LiteRT's reference kernels
  tflm,       // TensorFlow Lite Micro's portable kernels
  tfl_ruy,    // LiteRT's builtin kernels on x86, without a delegate
  torch_x86,  // PyTorch's x86 engine: onednn's convolutions where it takes them, fbgemm otherwise; the default for
              // ONNX files that PyTorch wrote
  fbgemm,
  onednn,
  qnnpack,
  tidl,  // TI's power-of-two scales: requantization is a rounding shift
};

const std::vector<Profile>& all_profiles();
const char* profile_name(Profile profile);         // "tfl-ref"
const char* profile_description(Profile profile);  // "LiteRT's reference kernels"
std::optional<Profile> find_profile(std::string_view name);
Profile profile_named(std::string_view name);  // user error listing what is supported
std::string profile_names();                   // "ort, xnn, ..."

inline bool is_tflite(Profile p) {
  return p == Profile::xnn || p == Profile::tfl_ref || p == Profile::tflm || p == Profile::tfl_ruy;
}
inline bool is_torch(Profile p) {
  return p == Profile::torch_x86 || p == Profile::fbgemm || p == Profile::onednn || p == Profile::qnnpack;
}

}  // namespace octet
