// One per-tensor quantized tensor as formulas need it.
#pragma once

namespace octet {

// real = scale * (q - zero_point). A u8 tensor's storage byte is q, an s8 tensor's is q + 128 (spec.h).
struct QuantView {
  float scale = 1;
  int zero_point = 0;  // q value
  bool is_signed = false;
  int offset() const { return is_signed ? 128 : 0; }
  int zero() const { return zero_point + offset(); }  // storage byte
  bool operator==(const QuantView&) const = default;
};

}  // namespace octet
