// stb_image as this project uses it: three formats, from memory, sizes bounded.
#pragma once

#include <cstdint>

#define STBI_ONLY_BMP
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS (1 << 15)
#define STBI_FAILURE_USERMSG
#include <stb/stb_image.h>

namespace octet {
inline constexpr int64_t kMaxPhotoPixels = 64'000'000;
}
