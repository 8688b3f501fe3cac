// One builder per op: spec + schedule + facts of the target -> Program. Builders make loops and addresses; they decide
// nothing that a schedule decides and never ask for an ISA.
#pragma once

#include <string>

#include "generator/kernel/spec.h"
#include "generator/program/program.h"
#include "generator/schedule/depthwise.h"
#include "generator/schedule/schedule.h"
#include "targets/target.h"

namespace octet {

// Dense, grouped (groups as merge_groups leaves them) and linear convolution with packed data of pack_conv.
Program build_conv(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target, std::string name);

// Depthwise convolution with packed data of pack_depthwise.
Program build_depthwise(const ConvSpec& spec, const DepthwiseSchedule& schedule, const Target& target,
                        std::string name);

}  // namespace octet
