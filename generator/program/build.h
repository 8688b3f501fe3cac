// One builder per op: spec + schedule + facts of the target -> Program. Builders make loops and addresses; they decide
// nothing that a schedule decides and never ask for an ISA.
#pragma once

#include <optional>
#include <string>

#include "generator/kernel/spec.h"
#include "generator/program/program.h"
#include "generator/schedule/depthwise.h"
#include "generator/schedule/schedule.h"
#include "targets/target.h"

namespace octet {

// Dense, grouped (groups as merge_groups leaves them) and linear convolution with packed data of pack_conv.
Program build_conv(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target, std::string name);

// The same where the schedule's dot form is winograd; OCTET_SCRATCH as WinogradLayout has it.
Program build_winograd(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target, std::string name);

// Elementwise and pooling ops need no schedule: vectors of the target's width, narrower ones at the tail. They write
// round_up(channels, 4) channels of a pixel and no more. Nothing where the plain op (generator/kernel/plain.h) has to
// do: pooling windows of more than 25 taps, ReduceMean, quantize to other than pixels of one dword.
Program build_add(const AddSpec& spec, const Target& target, std::string name);
Program build_mul(const MulSpec& spec, const Target& target, std::string name);
Program build_pair(const PairSpec& spec, const Target& target, std::string name);
Program build_lut(const LutSpec& spec, const Target& target, std::string name);
Program build_interleave(const InterleaveSpec& spec, const Target& target, std::string name);
Program build_affine(const AffineSpec& spec, const Target& target, std::string name);
// The same with OCTET_SCALE and OCTET_BIAS as fuse_affine (generator/schedule/affine.h) makes them.
Program build_fused_affine(const AffineSpec& spec, const Target& target, std::string name);
std::optional<Program> build_pool(const PoolSpec& spec, const Target& target, std::string name);
std::optional<Program> build_quantize(const QuantizeSpec& spec, const Target& target, std::string name);
// Only where both sides have the same order and no gaps.
std::optional<Program> build_edge(const EdgeSpec& spec, const Target& target, std::string name);

// Whichever of these the spec asks for; nothing for all others, convolution among them.
std::optional<Program> build_program(const KernelSpec& spec, const Target& target, std::string name);
// Depthwise convolution with packed data of pack_depthwise.
Program build_depthwise(const ConvSpec& spec, const DepthwiseSchedule& schedule, const Target& target,
                        std::string name);

}  // namespace octet
