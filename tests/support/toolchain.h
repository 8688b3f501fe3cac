// C++ compilers that tests build emitted code with, and what runs the programs: this machine, or an emulator of
// another.
#pragma once

#include <string>
#include <vector>

#include "targets/target.h"

namespace octet {

struct Toolchain {
  std::string name;                     // "gcc", "clang", "aarch64_gcc", "aarch64_clang"
  std::string compiler;                 // the command alone
  std::string flags;                    // that it always needs
  std::string link_flags;               // and more where it links a program
  std::string emulator;                 // starts the programs; empty: nothing needs to
  Arch arch;                            // of the machines that run them
  std::vector<std::string> processors;  // of the emulator, each with more than the one before

  std::string command() const { return compiler + " " + flags; }
  // What stands before a program on the command line: `processor` one of the emulator's, the best if empty.
  std::string runner(const std::string& processor = {}) const;
  // The targets that the programs may hold and the best processor runs; the best last.
  std::vector<const Target*> targets() const;
  // Why nothing can be built or run here, or nothing.
  std::string missing() const;
};

// Those of this machine, and those for AArch64 where this is another.
const std::vector<Toolchain>& toolchains();

// The least of the emulator's processors that has what the target needs: it refuses all other instructions.
const std::string& least_processor(const Toolchain& toolchain, const Target& target);

}  // namespace octet
