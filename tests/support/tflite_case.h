// A test per op of a TFLite file: what builds it, and the nodes and the shape that it imports as.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/tflite_builder.h"

namespace octet::test {

inline const Grid kGrid{{0.5F}, {3}};

// One op from x to y, which `build` adds.
struct TfliteCase {
  const char* name;
  Dims x;
  std::function<void(TfliteBuilder& b, int x, int y)> build;
  std::string nodes;  // kinds in order
  Dims y;
  std::function<void(const Graph& g)> check = {};
};

inline void PrintTo(const TfliteCase& c, std::ostream* out) {
  *out << c.name;
}

class ImportTfliteOp : public testing::TestWithParam<TfliteCase> {};

inline std::string tflite_case_name(const testing::TestParamInfo<TfliteCase>& info) {
  return info.param.name;
}

using Build = std::function<void(TfliteBuilder&, int, int)>;

// The op without options, its second input that vector of integers.
inline Build with_ints(fb::BuiltinOperator op, std::vector<int32_t> values) {
  return [=](TfliteBuilder& b, int x, int y) { b.op(op, {x, b.ints("i", values)}, {y}); };
}

template <class Options>
Build with_options(fb::BuiltinOperator op, Options options) {
  return [=](TfliteBuilder& b, int x, int y) { b.op(op, {x}, {y}, options); };
}

}  // namespace octet::test
