#include "jit/dump.h"

#include <fmt/format.h>

#include <filesystem>
#include <sstream>
#include <string_view>

#include "generator/io/file.h"

namespace octet {
namespace {

// Sixteen bytes a line, each line with its offset, as a disassembler shows it.
std::string hex(std::string_view code, size_t begin, size_t end) {
  std::string text;
  for (size_t k = begin; k < end; ++k) {
    if ((k - begin) % 16 == 0) text += fmt::format("{}        {:6x}:", k == begin ? "" : "\n", k);
    text += fmt::format(" {:02x}", static_cast<uint8_t>(code[k]));
  }
  return begin == end ? text : text + "\n";
}

std::string listing(const Program& program, const Target& target, std::string_view code, const CodeOffsets& offsets,
                    const std::string& program_text) {
  const char* machine = target.arch == Arch::aarch64 ? "aarch64" : "i386:x86-64";
  std::string text = fmt::format("{} for {}: {} bytes\nTo disassemble: objdump -D -b binary -m {} {}.bin\n\n",
                                 program.name, target.name, code.size(), machine, program.name);
  if (offsets.empty()) return text + program_text + "\ncode, ordered by LLVM\n" + hex(code, 0, code.size());
  std::istringstream lines(program_text);
  std::string line;
  for (size_t k = 0; k <= program.heading.size() && std::getline(lines, line); ++k) text += line + "\n";
  text += "entry\n" + hex(code, 0, offsets.front());
  for (size_t k = 0; k + 1 < offsets.size() && std::getline(lines, line); ++k)
    text += line + "\n" + hex(code, offsets[k], offsets[k + 1]);
  return text + "exit and tables\n" + hex(code, offsets.back(), code.size());
}

}  // namespace

void dump_kernel(const std::string& directory, const Program& program, const Target& target,
                 const CompiledKernel& kernel, const CodeOffsets& offsets) {
  make_folder(directory);
  const std::filesystem::path base = std::filesystem::path(directory) / program.name;
  const std::string_view code(reinterpret_cast<const char*>(kernel.entry), kernel.code_bytes);
  const std::string text = print(program);
  write_file(base.string() + ".program.txt", text);
  write_file(base.string() + ".bin", code);
  write_file(base.string() + ".asm.txt", listing(program, target, code, offsets, text));
}

}  // namespace octet
