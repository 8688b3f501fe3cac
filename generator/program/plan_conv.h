// Any convolution, dense, grouped, linear or depthwise: schedule, packed data and the builder in one step.
#pragma once

#include <functional>
#include <string>

#include "generator/kernel/spec.h"
#include "generator/program/program.h"
#include "generator/schedule/cost.h"
#include "generator/schedule/pack.h"
#include "generator/schedule/schedule.h"
#include "targets/target.h"

namespace octet {

struct PlannedConv {
  ConvSpec spec;         // groups merged where the builder needs it
  std::string schedule;  // in words; equal words and equal specs mean equal Programs
  std::string reason;    // why this dot form is exact for these weights, and this tile
  int registers = 0;     // vector registers that the schedule may keep alive
  int scratch_bytes = 0;
  Cost cost;          // predicted
  std::string layer;  // tuned_layer(); empty where there is nothing to tune
  Tiling tiling;
  PackedConv packed;
  std::function<Program(std::string name)> build;
};

PlannedConv plan_conv(const ConvSpec& spec, ConvData data, const Target& target, Emitter emitter,
                      const TilingChoice& choice = {});

}  // namespace octet
