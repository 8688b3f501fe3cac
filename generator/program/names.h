// What pointers are called in dumps and in emitted code.
#pragma once

#include <string>

#include "generator/program/program.h"

namespace octet {

const char* argument_name(OctetArg arg);  // "src", "weights" ...
std::string pointer_name(Ptr p);          // an argument's, or "p9" and the like

}  // namespace octet
