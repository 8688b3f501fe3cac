// Which build of Octet this is.
#pragma once

#include <string>

namespace octet {

// The linker's build id (--build-id) of the program or library that holds Octet, in hexadecimal; empty where it was
// linked without one.
std::string build_id();

}  // namespace octet
