#include "generator/schedule/cost_table.h"

#include <utility>

namespace octet {
namespace {

// Fitted to the best times of `octet bench --layers --json` for the eight benchmark networks, after bench/README.md.
constexpr const char* kZen4 = "EPYC, Zen 4, one core";

std::vector<CostTable> measured() {
  return {
      {.target = "avx2",
       .machine = kZen4,
       .clock = 3.69e9,
       .macs_per_cycle = 32,
       .vector_bytes = 32,
       .dot = {0, 1, 1.225, 0.83},
       .activation_split = {0, 0, 0.3, 0},
       .permutation = 1.4,
       .narrow = 0.93,
       .dot_latency = 4,
       .weight_load = 0.5,
       .weight_stream = 0.55,
       .activation_load = 0.26,
       .share_lost = 0.01,
       .epilogue = {1.76, 1.35, 1.39},
       .residual = 3.57,
       .tile = 3.35,
       .kernel_row = 1.15,
       .pair_dot = 0.75,
       .tile_inputs = 110,
       .tile_sums = 110,
       .interleave = 1.7,
       .interleave_unaligned = 0,
       .dot_depthwise = {0, 0.65, 0.89},
       .epilogue_depthwise = 1.9,
       .kernel = 100,
       .exposed = {0, 0.001, 0.002, 0.05},
       .bytes_per_cycle = {64, 32, 27, 9.5},
       .ops = {{"add", 6, 0},
               {"affine", 5, 0},
               {"average_pool", 1.5, 6},
               {"batch_matmul", 20, 3},
               {"channel_permute", 16, 0},
               {"copy", 0.5, 0},
               {"dequantize", 8.5, 0},
               {"edge", 6, 0},
               {"global_average_pool", 10, 1.35},
               {"interleave", 1.2, 0},
               {"lut", 8, 0},
               {"max_pool", 2.4, 0.05},
               {"mul", 5, 0},
               {"quantize", 6.75, 0},
               {"reduce_mean", 1.2, 7.5},
               {"resize", 20, 3},
               {"softmax", 60, 0},
               {"strided_copy", 3.6, 0}}},
      {.target = "avx512_vnni",
       .machine = kZen4,
       .clock = 3.69e9,
       .macs_per_cycle = 64,
       .vector_bytes = 64,
       .dot = {1, 0, 0, 0},
       .activation_split = {0, 0, 0, 0},
       .permutation = 0,
       .narrow = 0.6,
       .dot_latency = 4,
       .weight_load = 1,
       .weight_stream = 0.95,
       .activation_load = 0.28,
       .share_lost = 0.01,
       .epilogue = {1.23, 1.42, 1.07},
       .residual = 5.58,
       .tile = 3.7,
       .kernel_row = 0.28,
       .pair_dot = 1,
       .tile_inputs = 220,
       .tile_sums = 150,
       .interleave = 1.3,
       .interleave_unaligned = 0.4,
       .dot_depthwise = {0.5, 0, 0},
       .epilogue_depthwise = 2.6,
       .kernel = 90,
       .exposed = {0, 0.001, 0.002, 0.024},
       .bytes_per_cycle = {64, 32, 23.5, 9.5},
       .ops = {{"add", 6, 0},
               {"affine", 3.3, 0},
               {"average_pool", 1.2, 4.75},
               {"batch_matmul", 20, 3},
               {"channel_permute", 16, 0},
               {"copy", 0.5, 0},
               {"dequantize", 6, 0},
               {"edge", 6, 0},
               {"global_average_pool", 2.1, 1.3},
               {"interleave", 1.2, 0},
               {"lut", 8, 0},
               {"max_pool", 2.4, 0.05},
               {"mul", 4.5, 0},
               {"quantize", 6.5, 0},
               {"reduce_mean", 1.2, 4},
               {"resize", 20, 3},
               {"softmax", 60, 0},
               {"strided_copy", 3.6, 0}}},
  };
}

const std::vector<CostTable>& tables() {
  static const std::vector<CostTable> rows = [] {
    std::vector<CostTable> all = measured();
    CostTable vbmi = all.back();  // which differs in how it looks bytes up
    vbmi.target = "avx512_vbmi";
    for (OpCost& cost : vbmi.ops)
      if (cost.op == "lut") cost.outputs = 1.6;
    all.push_back(std::move(vbmi));
    return all;
  }();
  return rows;
}

}  // namespace

const CostTable* cost_table(const Target& target) {
  for (const CostTable& t : tables())
    if (std::string_view(t.target) == target.name) return &t;
  return nullptr;
}

}  // namespace octet
