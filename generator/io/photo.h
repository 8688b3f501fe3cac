// Photographs as network inputs: decode (BMP, JPEG, PNG), resize as Pillow does, scale to what the network expects.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "generator/io/npy.h"
#include "runtime/plan.h"

namespace octet {

struct Photo {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // rows of r, g, b
};

bool is_photo(const std::string& path);  // by extension: .bmp, .jpg, .jpeg, .png
Photo decode_photo(Bytes file, const std::string& name);
Photo load_photo(const std::string& path);

// Bilinear, widened when shrinking so that every source pixel counts; the bytes of Pillow's Image.resize(BILINEAR).
Photo resize_bilinear(const Photo& photo, int width, int height);
// Shortest side to `size` * 256 / 224 for squares as ImageNet evaluation does it, then the centre.
Photo resize_and_crop(const Photo& photo, int width, int height);

enum class PhotoScale : uint8_t {
  raw,               // 0..255
  zero_to_one,       // x / 255
  minus_one_to_one,  // x / 127.5 - 1
  imagenet,          // (x / 255 - mean) / std with ImageNet's mean and std
  custom,            // (x / 255 - mean) / std
};

struct PhotoOptions {
  bool crop = false;                          // else the whole picture is squeezed into the input
  std::optional<PhotoScale> scale;            // nothing: guessed from the input's quantization
  std::array<float, 3> mean{}, std{1, 1, 1};  // custom; in units of 0..1
};

PhotoScale parse_photo_scale(const std::string& text);  // "imagenet", "-1..1", "0..1", "0..255"
const char* photo_scale_name(PhotoScale scale);

// The scaling whose range is nearest to the input's quantized range, and why, in words for the user.
struct ScaleGuess {
  PhotoScale scale;
  std::string reason;
};
ScaleGuess guess_photo_scale(const TensorInfo& input);

// The photograph as the input tensor, float32, in its layout: n, c, h, w or n, h, w, c, with 1 or 3 channels. n must be
// 1 in the result's shape; a graph input that is no picture is a user error.
Array photo_to_array(const Photo& photo, const TensorInfo& input, PhotoScale scale, const PhotoOptions& options);

}  // namespace octet
