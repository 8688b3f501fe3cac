#include "generator/program/plan_conv.h"

#include "generator/program/build.h"
#include "generator/schedule/depthwise.h"
#include "generator/schedule/tiling.h"

namespace octet {

PlannedConv plan_conv(const ConvSpec& given, ConvData data, const Target& target, Emitter emitter,
                      const TilingChoice& choice) {
  PlannedConv p{.spec = given};
  const CostTable* costs = cost_table(target);
  if (given.is_depthwise()) {
    const DepthwiseSchedule schedule = choose_depthwise(p.spec, data, target, emitter);
    p.schedule = to_string(schedule);
    p.registers = schedule.registers;
    if (costs) p.cost = cost_of(p.spec, schedule, *costs);
    p.packed = pack_depthwise(p.spec, schedule, data);
    p.build = [spec = p.spec, schedule, &target](std::string name) {
      return build_depthwise(spec, schedule, target, std::move(name));
    };
    return p;
  }
  merge_groups(p.spec, data);
  ConvSchedule schedule = choose_conv(p.spec, data, target, emitter, choice);
  p.reason = schedule.reason;
  p.layer = tuned_layer(p.spec, schedule);
  p.tiling = schedule.tiling;
  p.schedule = to_string(schedule);
  p.registers = schedule.registers;
  p.scratch_bytes = scratch_bytes(p.spec, schedule);
  if (costs) p.cost = cost_of(p.spec, schedule, *costs);
  p.packed = pack_conv(p.spec, schedule, data);
  schedule.orders.clear();  // they are in the weights now
  p.build = [spec = p.spec, schedule = std::move(schedule), &target](std::string name) {
    const auto build = schedule.dot == DotForm::winograd ? build_winograd : build_conv;
    return build(spec, schedule, target, std::move(name));
  };
  return p;
}

}  // namespace octet
