// What a profile has no formula for is refused by name: never the bytes of another one.
#include <fmt/format.h>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"

namespace octet {
namespace {

// Ops that round as ONNX Runtime does and in no other way. All others move bytes, compare them, or have a formula for
// every profile, whose function refuses what is left (generator/kernel).
bool rounds_as_ort_only(OpKind op) {
  return op == OpKind::batch_norm;
}

}  // namespace

void check_profile(Graph& graph) {
  if (graph.profile == Profile::ort) return;
  for (const Node& n : graph.nodes)
    if (rounds_as_ort_only(n.op) && graph.tensor(n.outputs[0]).is_quantized())
      user_error(fmt::format("{}: {} has no formula in profile {} ({}) yet; supported is profile ort", describe(n),
                             op_name(n.op), profile_name(graph.profile), graph.profile_reason));
}

}  // namespace octet
