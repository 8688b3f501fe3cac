// The smallest network with weights, and how tests of refusals read an error.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "generator/passes/passes.h"
#include "runtime/status.h"
#include "tests/support/net.h"

namespace octet {

inline std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::user) << e.what();
    return e.what();
  }
  return "no error";
}

inline std::string refusal(Net& net) {
  return error_of([&] { run_passes(net.graph, {.strict_int8 = true}); });
}

// x (f32) -> u8 -> conv 1x1 -> float.
struct ConvNet : Net {
  TensorId x, w, y;
  explicit ConvNet(float x_scale = 0.5f, std::vector<float> bias = {}, QuantParams weight_quant = {{0.25f}, {0}, -1}) {
    x = qdq(input("x", {1, 2, 3, 3}), "x_q", x_scale, 7);
    w = weights("w", DType::s8, {2, 2, 1, 1}, {1, -128, 127, 3}, std::move(weight_quant));
    const TensorId b = bias.empty() ? kNoTensor : constant("b", {static_cast<int64_t>(bias.size())}, bias);
    y = conv("conv", x, w, b, {}, {1, 2, 3, 3});
  }
};

}  // namespace octet
