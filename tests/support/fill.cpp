#include "tests/support/fill.h"

#include <cmath>
#include <cstring>

#include "tests/support/random.h"

namespace octet {
namespace {

const std::vector<float>& floats(Elem elem, bool ends) {
  static const std::vector<float> any = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1.0f, -1.0f, 0x1.fffffep127f};
  static const std::vector<float> int_ends = {0x1.fffffep30f, -0x1p31f, 0.0f, -0.0f, 1e-45f, -0x1p23f, 0x1p24f};
  static const std::vector<float> int_ties = {0.5f,       -0.5f,       1.5f,        2.5f,
                                              -2.5f,      0.49999997f, 4194303.75f, -4194304.5f,
                                              4194305.5f, -8388607.5f, 8388606.5f,  8388609.0f};
  // Neither zero nor infinite, so that no op makes a NaN.
  static const std::vector<float> finite = {0x1.fffffep127f, -0x1.fffffep127f, 1e-38f,  -1e-45f, 1.0f,
                                            -3.0f,           0x1.fffffep23f,   -0x1p31f};
  // Products of the first two end in exactly half a unit in the last place, which a third may push either way.
  static const std::vector<float> ties = {1.0f + 0x1p-12f, -1.0f - 0x1p-12f, 0x1p-60f, -0x1p-60f, 1.0f,
                                          0x1.8p-130f,     1.0f + 0x1p-23f,  0x1p24f};
  if (elem == Elem::f32_any) return any;
  if (elem == Elem::f32_int) return ends ? int_ends : int_ties;
  return ends ? finite : ties;
}

const std::vector<int32_t>& integers(Elem elem, bool ends) {
  static const std::vector<int32_t> u8 = {255, 0, 128, 127, 1}, s8 = {-128, 127, 0, -1, 1};
  static const std::vector<int32_t> s16 = {-32768, 32767, 0, -1, 255}, s16_ties = {255, 256, -1, -32768, 16384, -256};
  static const std::vector<int32_t> s32 = {INT32_MIN, INT32_MAX, 0, -1, 1};
  static const std::vector<int32_t> s32_ties = {32767,    32768,     -32768,   -32769,
                                                16777217, -16777219, 33554434, INT32_MAX - 63};
  if (elem == Elem::u8) return u8;
  if (elem == Elem::s8) return s8;
  if (elem == Elem::s16) return ends ? s16 : s16_ties;
  return ends ? s32 : s32_ties;
}

template <class T>
T pick(const std::vector<T>& list, size_t i, int which) {
  const size_t n = list.size();
  return list[(which == 0 ? i : which == 1 ? i / n : i + i / (n * n)) % n];
}

float random_float(Elem elem, Random& random) {
  const uint32_t bits = random();
  if (elem == Elem::f32_int)
    return std::ldexp(static_cast<float>(static_cast<int32_t>(bits & ~127u)), -static_cast<int>(random() % 32));
  const uint32_t exponent = elem == Elem::f32_any ? bits >> 23 & 255 : 127 - 12 + random() % 25;
  const uint32_t pattern = (bits & 0x807fffffu) | exponent << 23;
  float x;
  std::memcpy(&x, &pattern, 4);
  return x;
}

}  // namespace

std::vector<uint8_t> filled(size_t size, Elem elem, Filling filling, int which) {
  Random random(1 + static_cast<uint32_t>(which));
  std::vector<uint8_t> bytes(size);
  const bool is_float = elem == Elem::f32 || elem == Elem::f32_any || elem == Elem::f32_int;
  const bool ends = filling == Filling::extremes;
  const size_t width = elem == Elem::u8 || elem == Elem::s8 ? 1 : elem == Elem::s16 ? 2 : 4;
  for (size_t i = 0; i < size / width; ++i) {
    if (is_float) {
      const float x = filling == Filling::random ? random_float(elem, random) : pick(floats(elem, ends), i, which);
      std::memcpy(&bytes[4 * i], &x, 4);
    } else {
      const int32_t x =
          filling == Filling::random ? static_cast<int32_t>(random()) : pick(integers(elem, ends), i, which);
      std::memcpy(&bytes[width * i], &x, width);  // little endian: the low bytes
    }
  }
  return bytes;
}

}  // namespace octet
