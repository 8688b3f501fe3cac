#include "generator/io/photo.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "generator/io/jpeg_check.h"
#include "generator/io/stb.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr std::array<float, 3> kImageNetMean = {0.485f, 0.456f, 0.406f}, kImageNetStd = {0.229f, 0.224f, 0.225f};

// Where the picture lies in an input's shape.
struct Layout {
  int channels, height, width;
  bool channels_first;
};

Layout picture_layout(const TensorInfo& input) {
  const auto& s = input.shape;
  const auto plausible = [](int64_t c, int64_t h, int64_t w) {
    return (c == 1 || c == 3) && h >= 1 && w >= 1 && h <= 1 << 14 && w <= 1 << 14;
  };
  const auto layout = [](int64_t c, int64_t h, int64_t w, bool first) {
    return Layout{static_cast<int>(c), static_cast<int>(h), static_cast<int>(w), first};
  };
  if (s.size() == 4 && plausible(s[1], s[2], s[3])) return layout(s[1], s[2], s[3], true);
  if (s.size() == 4 && plausible(s[3], s[1], s[2])) return layout(s[3], s[1], s[2], false);
  user_error("input '" + input.name + "' of shape " + dims_text(s) +
             " takes no photograph (supported: n,c,h,w or n,h,w,c with 1 or 3 channels)");
}

// One axis of Pillow's resampling: for every destination pixel the first source pixel and fixed-point weights.
struct Filter {
  static constexpr int kBits = 32 - 8 - 2;
  struct Tap {
    int first = 0;
    std::vector<int32_t> weights;
  };
  std::vector<Tap> taps;

  Filter(int from, int to) {
    const double scale = static_cast<double>(from) / to, stretch = std::max(scale, 1.0);
    taps.resize(static_cast<size_t>(to));
    for (int i = 0; i < to; ++i) {
      const double centre = (i + 0.5) * scale;
      const int lo = std::max(0, static_cast<int>(centre - stretch + 0.5));
      const int hi = std::min(from, static_cast<int>(centre + stretch + 0.5));
      std::vector<double> w;
      double sum = 0;
      for (int x = lo; x < hi; ++x) {
        w.push_back(std::max(0.0, 1.0 - std::abs((x - centre + 0.5) / stretch)));
        sum += w.back();
      }
      Tap& tap = taps[static_cast<size_t>(i)];
      tap.first = lo;
      for (const double v : w) tap.weights.push_back(static_cast<int32_t>(0.5 + v / sum * (1 << kBits)));
    }
  }
};

// lines x from x inner bytes -> lines x to x inner: `inner` is 3 for rows, 3 * width for columns.
std::vector<uint8_t> resample(const std::vector<uint8_t>& src, size_t lines, int from, int to, size_t inner) {
  const Filter filter(from, to);
  std::vector<uint8_t> dst(lines * static_cast<size_t>(to) * inner);
  std::vector<int32_t> sums(inner);
  uint8_t* out = dst.data();
  for (size_t line = 0; line < lines; ++line) {
    const uint8_t* row = src.data() + line * static_cast<size_t>(from) * inner;
    for (const Filter::Tap& tap : filter.taps) {
      std::fill(sums.begin(), sums.end(), 1 << (Filter::kBits - 1));
      const uint8_t* p = row + static_cast<size_t>(tap.first) * inner;
      for (const int32_t w : tap.weights)
        for (size_t k = 0; k < inner; ++k) sums[k] += w * *p++;
      for (const int32_t s : sums) *out++ = static_cast<uint8_t>(std::clamp(s >> Filter::kBits, 0, 255));
    }
  }
  return dst;
}

Photo crop_centre(const Photo& p, int width, int height) {
  Photo out{width, height, {}};
  const size_t left = static_cast<size_t>((p.width - width) / 2), top = static_cast<size_t>((p.height - height) / 2);
  for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
    const uint8_t* row = p.rgb.data() + ((top + y) * static_cast<size_t>(p.width) + left) * 3;
    out.rgb.insert(out.rgb.end(), row, row + 3 * static_cast<size_t>(width));
  }
  return out;
}

// Pillow's and ITU-R 601's luminance.
uint8_t grey(const uint8_t* rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

}  // namespace

bool is_photo(const std::string& path) {
  return has_extension(path, ".bmp") || has_extension(path, ".jpg") || has_extension(path, ".jpeg") ||
         has_extension(path, ".png");
}

Photo decode_photo(Bytes file, const std::string& name) {
  if (file.size() > size_t{1} << 28) user_error(name + ": photographs of more than 256 MiB are not supported");
  int width = 0, height = 0, channels = 0;
  const auto size = static_cast<int>(file.size());
  const auto fail = [&] {
    const char* why = stbi_failure_reason();
    user_error(name + ": cannot decode the photograph: " + (why ? why : "unknown format") +
               " (BMP, JPEG and PNG are supported)");
  };
  if (!jpeg_tables_fit(file)) user_error(name + ": cannot decode the photograph: corrupt Huffman table");
  if (!stbi_info_from_memory(file.data(), size, &width, &height, &channels)) fail();
  if (width < 1 || height < 1 || static_cast<int64_t>(width) * height > kMaxPhotoPixels)
    user_error(name + ": photograph of " + std::to_string(width) + "x" + std::to_string(height) +
               " pixels (at most 64 million are supported)");
  const std::unique_ptr<uint8_t, void (*)(void*)> pixels(
      stbi_load_from_memory(file.data(), size, &width, &height, &channels, 3), stbi_image_free);
  if (!pixels) fail();
  return {width, height, {pixels.get(), pixels.get() + static_cast<size_t>(width) * static_cast<size_t>(height) * 3}};
}

Photo load_photo(const std::string& path) {
  return decode_photo(read_file(path), path);
}

Photo resize_bilinear(const Photo& photo, int width, int height) {
  Photo p = photo;
  if (width != p.width) p.rgb = resample(p.rgb, static_cast<size_t>(p.height), p.width, width, 3);
  p.width = width;
  if (height != p.height) p.rgb = resample(p.rgb, 1, p.height, height, 3 * static_cast<size_t>(width));
  p.height = height;
  return p;
}

Photo resize_and_crop(const Photo& photo, int width, int height) {
  // ImageNet evaluation keeps 224 of 256 pixels of the shortest side.
  const double scale =
      std::max(static_cast<double>(width) / photo.width, static_cast<double>(height) / photo.height) * 256 / 224;
  const auto scaled = [scale](int from, int at_least) {
    return std::max(at_least, static_cast<int>(std::lround(from * scale)));
  };
  // A very long picture is cut before it is enlarged, so that its size stays bounded.
  const int keep_w = std::min(photo.width, static_cast<int>(std::ceil(8 * width / scale)));
  const int keep_h = std::min(photo.height, static_cast<int>(std::ceil(8 * height / scale)));
  const Photo kept = crop_centre(photo, keep_w, keep_h);
  return crop_centre(resize_bilinear(kept, scaled(keep_w, width), scaled(keep_h, height)), width, height);
}

PhotoScale parse_photo_scale(const std::string& text) {
  for (const PhotoScale s :
       {PhotoScale::raw, PhotoScale::zero_to_one, PhotoScale::minus_one_to_one, PhotoScale::imagenet})
    if (text == photo_scale_name(s)) return s;
  user_error("unknown --scale '" + text + "' (imagenet, -1..1, 0..1, 0..255)");
}

const char* photo_scale_name(PhotoScale scale) {
  static const char* const names[] = {"0..255", "0..1", "-1..1", "imagenet", "mean and std"};
  return names[static_cast<size_t>(scale)];
}

ScaleGuess guess_photo_scale(const TensorInfo& input) {
  if (input.dtype == DType::u8) return {PhotoScale::raw, "the input is u8"};
  if (input.dtype == DType::s8 && input.scale <= 0) return {PhotoScale::raw, "the input is s8; 128 is taken off"};
  if (input.scale <= 0) return {PhotoScale::imagenet, "the input's range is not known; --scale says otherwise"};
  const int lowest = input.quantized == DType::s8 ? -128 : 0;
  const float lo = input.scale * static_cast<float>(lowest - input.zero_point);
  const float hi = input.scale * static_cast<float>(lowest + 255 - input.zero_point);
  struct Candidate {
    PhotoScale scale;
    float lo, hi;
  };
  // Black and white under each scaling; a calibrated range is rarely wider and often a little narrower.
  const Candidate candidates[] = {{PhotoScale::minus_one_to_one, -1, 1},
                                  {PhotoScale::zero_to_one, 0, 1},
                                  {PhotoScale::imagenet, -2.118f, 2.64f},
                                  {PhotoScale::raw, 0, 255}};
  char range[64];
  std::snprintf(range, sizeof range, "the input is quantized over %.3g..%.3g", static_cast<double>(lo),
                static_cast<double>(hi));
  for (const Candidate& c : candidates)
    if (std::abs(lo - c.lo) + std::abs(hi - c.hi) <= 0.25f * (c.hi - c.lo)) return {c.scale, range};
  return {PhotoScale::imagenet, std::string(range) + ", which no scaling fits; --scale says otherwise"};
}

Array photo_to_array(const Photo& photo, const TensorInfo& input, PhotoScale scale, const PhotoOptions& options) {
  const Layout layout = picture_layout(input);
  const Photo sized = options.crop ? resize_and_crop(photo, layout.width, layout.height)
                                   : resize_bilinear(photo, layout.width, layout.height);
  Array array{DType::f32, input.shape, {}};
  array.shape[0] = 1;
  const size_t pixels = sized.rgb.size() / 3, channels = static_cast<size_t>(layout.channels);
  array.data.resize(pixels * channels * 4);
  const auto out = array.values<float>();
  const auto& mean = scale == PhotoScale::imagenet ? kImageNetMean : options.mean;
  const auto& std = scale == PhotoScale::imagenet ? kImageNetStd : options.std;
  for (size_t c = 0; c < channels; ++c)
    for (size_t i = 0; i < pixels; ++i) {
      const float x = channels == 1 ? grey(&sized.rgb[3 * i]) : sized.rgb[3 * i + c];
      float& y = out[layout.channels_first ? c * pixels + i : i * channels + c];
      switch (scale) {
        case PhotoScale::raw: y = x; break;
        case PhotoScale::zero_to_one: y = x / 255; break;
        case PhotoScale::minus_one_to_one: y = x / 127.5f - 1; break;
        default: y = (x / 255 - mean[c]) / std[c];
      }
    }
  return array;
}

}  // namespace octet
