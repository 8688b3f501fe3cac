// What emitted sources say to the compiler and to the processor about machines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "targets/target.h"

namespace octet {

// Lines of a source that only machines of these kinds compile: inside of an #if, unless any machine may. So one set of
// sources with targets of several kinds builds on all of them, and each takes what it can run. The text ends in a line
// end.
std::string only_on(std::vector<Arch> machines, std::string_view text);

// How a program asks its processor for the features of targets of one kind: lines that must come first, and a target's
// condition; both empty where there is nothing to ask.
std::string feature_preparation(const std::vector<const Target*>& targets);
std::string feature_condition(const Target& target);

// Whether those need <sys/auxv.h>.
bool asks_auxiliary_vector(const Target& target);

}  // namespace octet
