// A test per refusal: a model that the importer does not take, and the words that say so in one line.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "tests/support/onnx_builder.h"

namespace octet::test {

struct Refusal {
  const char* name;
  void (*build)(OnnxBuilder& b);
  std::vector<std::string> words;
};

inline void PrintTo(const Refusal& r, std::ostream* out) {
  *out << r.name;
}

class Reject : public testing::TestWithParam<Refusal> {};

inline std::string refusal_name(const testing::TestParamInfo<Refusal>& info) {
  return info.param.name;
}

inline void relu(OnnxBuilder& b) {
  b.input("x", {1, 3, 4, 4});
  b.output(b.node("Relu", {"x"}, "y"));
}

// One node on x (1x3x4x4), its result an output.
inline void one(OnnxBuilder& b, const char* op, std::vector<Attr> attributes = {}, std::vector<std::string> more = {}) {
  b.input("x", {1, 3, 4, 4});
  more.insert(more.begin(), "x");
  b.output(b.node(op, more, "y", attributes));
}

}  // namespace octet::test
