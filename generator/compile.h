// The whole flow: a graph that has been through the passes becomes kernels, packed weights and a Plan.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/kernel/plain.h"
#include "generator/kernel/spec.h"
#include "generator/program/program.h"
#include "generator/schedule/cost.h"
#include "generator/schedule/memory_plan.h"
#include "generator/schedule/schedule.h"
#include "generator/schedule/share.h"
#include "runtime/plan.h"
#include "targets/target.h"

namespace octet {

struct CompileOptions {
  const Target* target = nullptr;  // nullptr: host_target()
  Emitter emitter = Emitter::jit;  // whose register budget the schedules keep
  bool reference = false;          // no schedules, no packing: kernels are the references
  int threads = 1;                 // at most so many share the layers
  SharingCosts sharing = {};       // what that costs; all zero: every layer that can be split is, as tests want it
  bool keep_all = false;           // every tensor keeps its memory, so that it can be read after a run
  TilingChoice tilings;            // of convolutions: measured, or as candidates for a measurement
  bool views = true;               // concats and slices without copies
};

// One kernel, shared by all steps whose spec and schedule are equal.
struct KernelUnit {
  std::string name;  // identifier, unique in the model
  KernelSpec spec;
  std::string schedule;            // in words; "plain" or "reference" where there is none
  Cost cost;                       // predicted
  int scratch_bytes = 0;           // of each step that runs it
  std::optional<Program> program;  // else a plain op, else the reference
  std::optional<PlainKernel> plain;
};

struct StepInfo {
  std::string node;    // name in the file
  std::string source;  // operator in the file
  int64_t macs = 0;    // nominal multiply-accumulates
  std::string reason;  // why the schedule is as it is, where there is one
  std::string layer;   // a convolution's name in tuned.h; empty elsewhere
  Tiling tiling;       // of a convolution
};

struct CompiledModel {
  std::string name;
  const Target* target = nullptr;
  std::vector<KernelUnit> kernels;
  Plan plan;
  std::vector<StepInfo> steps;  // one per plan step
  std::vector<Buffer> buffers;  // what the memory plan placed, for pictures
  std::vector<std::string> buffer_names;
  MemoryPlan memory;
};

// Errors: user errors of lower(); internal errors of schedules and builders.
CompiledModel compile(const Graph& graph, const CompileOptions& options);

}  // namespace octet
