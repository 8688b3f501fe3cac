// The kernels of a compiled network as C++ files: a header that lists them, and sources that compile side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "generator/compile.h"

namespace octet {

struct TextFile {
  std::string name;  // relative to the folder of the network
  std::string text;
};

// Makes a relocatable object with a function per Program, of its name and with C linkage (jit/llvm/codegen.h).
using MakeObject = std::function<std::vector<uint8_t>(std::span<const Program* const> programs, const Target& target)>;

struct KernelFileOptions {
  std::string name_space;  // of the kernels, such as "digits::avx2"
  std::string prefix;      // of the files' names: PREFIX.h, PREFIX_1.cpp ...
  std::string title;       // "digits for avx2"
  std::string origin;      // comment lines that say where the files come from
  int count = 0;           // sources; 0: as many as the kernels' sizes ask for
  MakeObject make_object;  // if given, Programs go to PREFIX.o, and the one source has what is no Program
};

// Every kernel becomes `void NAME(const OctetArgs* args) noexcept`, hidden outside of its shared object.
std::vector<TextFile> emit_kernel_files(const CompiledModel& model, const KernelFileOptions& options);

// The folder octet/ that those files include from, for all of these models.
std::vector<TextFile> vocabulary_files(const std::vector<const Target*>& targets);

// Text from a model's file inside a line of emitted C++: as a comment (one line, nothing that ends or continues it),
// and as a string literal with its quotes.
std::string in_comment(std::string_view text);
std::string in_quotes(std::string_view text);

}  // namespace octet
