#include "generator/emit_cpp/kernel_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "generator/emit_cpp/embedded.h"
#include "generator/emit_cpp/kernel.h"
#include "generator/emit_cpp/machines.h"
#include "generator/emit_cpp/writer.h"
#include "runtime/status.h"

namespace octet {
namespace {

// Instructions that one source holds where their number is ours to choose: about one second of g++, five for the target
// scalar.
constexpr size_t kSourceSize = 3000;
constexpr size_t kPlainSize = 4;  // of a plain kernel: a call, beside ops that a source holds once
constexpr size_t kMostSources = 16;

size_t size_of(const KernelUnit& u) {
  return u.program ? u.program->code.size() : kPlainSize;
}

// Runs of kernels of about equal size: the first kernel of each source, then the number of kernels.
std::vector<size_t> spread(const std::vector<KernelUnit>& kernels, int count) {
  size_t total = 0;
  for (const KernelUnit& u : kernels) total += size_of(u);
  const size_t sources =
      count > 0 ? static_cast<size_t>(count) : std::clamp<size_t>(total / kSourceSize, 1, kMostSources);
  std::vector<size_t> begins = {0};
  size_t done = 0;
  for (size_t k = 0; k < kernels.size(); ++k) {
    // A kernel goes where its middle falls.
    const size_t middle = done + size_of(kernels[k]) / 2;
    while (begins.size() < sources && middle * sources >= total * begins.size()) begins.push_back(k);
    done += size_of(kernels[k]);
  }
  begins.resize(sources, kernels.size());
  begins.push_back(kernels.size());
  return begins;
}

std::string plain_kernel_text(const KernelUnit& u) {
  Writer out;
  out.open(fmt::format("void {}(const OctetArgs* args) noexcept {{", u.name));
  out.line(fmt::format("{}(args);", u.plain->name));
  out.close();
  return out.take();
}

std::string source(const CompiledModel& model, const KernelFileOptions& options, size_t number, size_t of,
                   std::span<const KernelUnit> kernels) {
  const auto calls = [&](std::string_view prefix) {
    return std::any_of(kernels.begin(), kernels.end(), [&](const KernelUnit& u) {
      return u.plain && std::string_view(u.plain->name).starts_with(prefix);
    });
  };
  std::string text = fmt::format("#include \"octet/vec_{}.h\"\n", model.target->name);
  if (calls("octet_")) text += "#include \"octet/abi.h\"\n";
  if (calls("octet_plain_")) text += "#include \"octet/plain_ops.h\"\n";
  if (calls("octet_float_")) text += "#include \"octet/float_move.h\"\n";
  text += fmt::format("#include \"{}.h\"\n\nnamespace {} {{\n\nusing namespace {};\n", options.prefix,
                      options.name_space, kernel_namespace(*model.target));
  for (const KernelUnit& u : kernels) {
    if (u.program && options.make_object) continue;
    Writer comment;
    if (!u.program || u.program->heading.empty()) {  // a Program brings its own heading
      comment.comment(to_string(u.spec));
      comment.comment("schedule: " + u.schedule);
    }
    text += '\n' + comment.take() + (u.program ? emit_kernel(*u.program, *model.target) : plain_kernel_text(u));
  }
  text += fmt::format("\n}}  // namespace {}\n\nOCTET_TARGET_END\n", options.name_space);
  return fmt::format("// {}: kernels, file {} of {}.\n{}", options.title, number, of, options.origin) +
         only_on({model.target->arch}, text);
}

std::string header(const CompiledModel& model, const KernelFileOptions& options) {
  std::string text =
      fmt::format("// {}: its kernels. Steps of equal shape and schedule share one.\n{}{}#pragma once\n\n",
                  options.title, options.make_object ? "// Machine code, but for plain loops.\n" : "", options.origin);
  text += "#include \"octet/abi.h\"\n\n#pragma GCC visibility push(hidden)\n";
  text += fmt::format("namespace {} {{\n\n", options.name_space);
  for (const KernelUnit& u : model.kernels)
    text += fmt::format("void {}(const OctetArgs* args) noexcept;  // {}\n", u.name, shape_text(u.spec));
  return text + fmt::format("\n}}  // namespace {}\n#pragma GCC visibility pop\n", options.name_space);
}

// What a C++ compiler calls the function (the Itanium C++ ABI, 5.1): the object holds what the header declares.
std::string mangled(std::string_view name_space, std::string_view function) {
  std::string text = "_ZN";
  const auto add = [&text](std::string_view name) { text += fmt::format("{}{}", name.size(), name); };
  for (size_t end; (end = name_space.find("::")) != name_space.npos; name_space.remove_prefix(end + 2))
    add(name_space.substr(0, end));
  add(name_space);
  add(function);
  return text + "EPK9OctetArgs";
}

TextFile object(const CompiledModel& model, const KernelFileOptions& options) {
  std::vector<Program> programs;
  for (const KernelUnit& u : model.kernels) {
    if (!u.program) continue;
    programs.push_back(*u.program);
    programs.back().name = mangled(options.name_space, u.name);
  }
  std::vector<const Program*> pointers;
  for (const Program& p : programs) pointers.push_back(&p);
  const std::vector<uint8_t> bytes = options.make_object(pointers, *model.target);
  return {options.prefix + ".o", std::string(bytes.begin(), bytes.end())};
}

}  // namespace

std::vector<TextFile> emit_kernel_files(const CompiledModel& model, const KernelFileOptions& options) {
  for (const KernelUnit& u : model.kernels)
    if (!u.program && !u.plain) internal_error("kernel " + u.name + " has nothing that can be emitted");
  std::vector<TextFile> files = {{options.prefix + ".h", header(model, options)}};
  if (options.make_object) files.push_back(object(model, options));
  const std::vector<size_t> begins = spread(model.kernels, options.make_object ? 1 : options.count);
  for (size_t i = 0; i + 1 < begins.size(); ++i) {
    const auto kernels = std::span(model.kernels).subspan(begins[i], begins[i + 1] - begins[i]);
    files.push_back(
        {fmt::format("{}_{}.cpp", options.prefix, i + 1), source(model, options, i + 1, begins.size() - 1, kernels)});
  }
  return files;
}

std::vector<TextFile> vocabulary_files(const std::vector<const Target*>& targets) {
  std::vector<std::string> names = {"call.h",         "exact_math.h", "float_linear.h", "float_math.h",
                                    "float_move.h",   "float_ops.h",  "float_params.h", "float_reduce.h",
                                    "plain_matmul.h", "plain_ops.h",  "plain_resize.h", "plain_softmax.h"};
  for (const Target* t : targets)
    for (const std::string& name : kernel_headers(*t))
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  std::vector<TextFile> files;
  for (const std::string& name : names) files.push_back({"octet/" + name, std::string(embedded(name))});
  return files;
}

std::string in_comment(std::string_view text) {
  std::string out;
  for (char c : text) out += c < ' ' || c > '~' ? '?' : c == '\\' ? '/' : c;
  return out;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c < ' ' || c > '~' || c == '?')
      out += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + '"';
}

}  // namespace octet
