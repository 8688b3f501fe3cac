// What every fuzz target does with a file: import -> passes -> compile -> run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "generator/graph/graph.h"

namespace octet::fuzz {

// Imports, compiles in two ways that the bytes choose, and where the network is small runs both. User errors of one
// line are fine; anything else ends the process, which libFuzzer reports: internal errors, foreign exceptions, bytes
// that differ between the ways.
void try_file(std::span<const uint8_t> file, const std::function<Graph()>& import);

}  // namespace octet::fuzz
