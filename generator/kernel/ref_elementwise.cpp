#include "generator/kernel/ref_ops.h"
#include "generator/kernel/requant.h"

namespace octet::ref {

void run(const AddSpec& s, const OctetArgs& args) {
  const auto *a = in<uint8_t>(args, OCTET_SRC), *b = in<uint8_t>(args, OCTET_SRC2);
  for (int64_t p = 0; p < int64_t{s.n} * s.pixels; ++p) {
    const int64_t a_pixel = s.broadcast == Broadcast::a ? p / s.pixels : p;
    const int64_t b_pixel = s.broadcast == Broadcast::b ? p / s.pixels : p;
    for (int c = 0; c < s.channels; ++c)
      out(args)[p * s.dst_pitch + c] = add_bytes(a[a_pixel * s.a_pitch + c], b[b_pixel * s.b_pitch + c], s.add);
  }
}

void run(const MulSpec& s, const OctetArgs& args) {
  const auto *a = in<uint8_t>(args, OCTET_SRC), *b = in<uint8_t>(args, OCTET_SRC2);
  for (int64_t p = 0; p < int64_t{s.n} * s.pixels; ++p) {
    const int64_t b_pixel = s.broadcast ? p / s.pixels : p;
    for (int c = 0; c < s.channels; ++c)
      out(args)[p * s.dst_pitch + c] = mul_bytes(a[p * s.a_pitch + c], b[b_pixel * s.b_pitch + c], s.mul);
  }
}

void run(const PairSpec& s, const OctetArgs& args) {
  const auto *a = in<uint8_t>(args, OCTET_SRC), *b = in<uint8_t>(args, OCTET_SRC2);
  for (int64_t p = 0; p < int64_t{s.n} * s.pixels; ++p) {
    const int64_t b_pixel = s.broadcast ? p / s.pixels : p;
    for (int c = 0; c < s.channels; ++c)
      out(args)[p * s.dst_pitch + c] = pair_bytes(a[p * s.a_pitch + c], b[b_pixel * s.b_pitch + c], s.pair);
  }
}

void run(const LutSpec& s, const OctetArgs& args) {
  const auto *src = in<uint8_t>(args, OCTET_SRC), *table = in<uint8_t>(args, OCTET_WEIGHTS);
  for (int64_t p = 0; p < s.pixels; ++p)
    for (int c = 0; c < s.channels; ++c) {
      const uint8_t byte = src[p * s.src_pitch + c];
      out(args)[p * s.dst_pitch + c] = s.copy ? byte : table[byte];
    }
}

void run(const InterleaveSpec& s, const OctetArgs& args) {
  const auto *a = in<uint8_t>(args, OCTET_SRC), *b = in<uint8_t>(args, OCTET_SRC2);
  for (int64_t p = 0; p < s.pixels; ++p)
    for (int c = 0; c < s.channels; ++c)
      out(args)[p * s.dst_pitch + c] = c % 2 ? b[p * s.b_pitch + c / 2] : a[p * s.a_pitch + c / 2];
}

void run(const AffineSpec& s, const OctetArgs& args) {
  const auto* src = in<uint8_t>(args, OCTET_SRC);
  const auto *scale = in<float>(args, OCTET_SCALE), *shift = in<float>(args, OCTET_BIAS);
  for (int64_t p = 0; p < s.pixels; ++p)
    for (int c = 0; c < s.channels; ++c)
      out(args)[p * s.dst_pitch + c] = affine_byte(src[p * s.src_pitch + c], scale[c], shift[c], s);
}

namespace {

// Where the float of (image, pixel, channel) lies in the file's order.
int64_t file_index(const QuantizeSpec& s, int64_t n, int64_t p, int64_t c) {
  return s.channels_first ? (n * s.channels + c) * s.pixels + p : (n * s.pixels + p) * s.channels + c;
}

template <class Each>
void for_each_element(const QuantizeSpec& s, Each each) {
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t p = 0; p < s.pixels; ++p)
      for (int64_t c = 0; c < s.channels; ++c) each((n * s.pixels + p) * s.pitch + c, file_index(s, n, p, c));
}

}  // namespace

void run(const QuantizeSpec& s, const OctetArgs& args) {
  const auto* src = in<float>(args, OCTET_SRC);
  for_each_element(s, [&](int64_t byte, int64_t file) { out(args)[byte] = quantize_as(s.form, src[file], s.quant); });
}

void run(const DequantizeSpec& s, const OctetArgs& args) {
  const auto* src = in<uint8_t>(args, OCTET_SRC);
  for_each_element(s, [&](int64_t byte, int64_t file) { out<float>(args)[file] = dequantize(src[byte], s.quant); });
}

}  // namespace octet::ref
