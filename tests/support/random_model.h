// Random small quantized networks, as ONNX files: what tests, tools and benchmarks can all make again from one line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "generator/graph/graph.h"

namespace octet {

// "seed=17", "seed=17,layers=4,profile=xnn". The same line gives the same network on every machine; with fewer layers
// it is the beginning of the longer one.
struct RandomModel {
  uint32_t seed = 1;
  int layers = 0;  // at most; 0: as many as the seed says
  Profile profile = Profile::ort;
};
std::string to_string(const RandomModel& model);
RandomModel random_model_named(const std::string& line);  // user error

// QDQ: convolutions of every kind, residual adds, products, concats and splits, pools, tables, pads, slices, linear
// tails. Activations and weights of either sign, zero points at both ends, odd channel counts, scales per tensor and
// per channel, shared tensors, several outputs.
std::string onnx_of(const RandomModel& model);
Graph graph_of(const RandomModel& model);  // the same, imported, with the profile

}  // namespace octet
