#include "generator/emit_cpp/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "generator/emit_cpp/build.h"
#include "generator/emit_cpp/embedded.h"
#include "generator/emit_cpp/kernel_files.h"
#include "generator/emit_cpp/machines.h"
#include "generator/emit_cpp/writer.h"
#include "generator/io/file.h"
#include "generator/program/names.h"
#include "runtime/status.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

constexpr const char* kTypes[] = {"f32", "u8", "s8", "s32", "s64", "boolean"};

std::string float_literal(float x) {
  std::string text = fmt::format("{}", x);  // the shortest that reads back as x
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

class ModelEmitter {
 public:
  ModelEmitter(const std::vector<CompiledModel>& models, const EmitOptions& options) : options_(options) {
    for (const CompiledModel& m : models) models_.push_back(&m);
    const auto rank = [](const CompiledModel* m) { return m->target - all_targets().data(); };
    std::sort(models_.begin(), models_.end(), [&](auto* a, auto* b) { return rank(a) > rank(b); });
    check();
    origin_ = origin();
  }

  std::vector<TextFile> run() {
    std::vector<TextFile> files;
    std::vector<const Target*> targets;
    files.push_back({name() + ".h", public_header()});
    files.push_back({name() + ".cpp", dispatch()});
    for (size_t m = 0; m < models_.size(); ++m) {
      const CompiledModel& model = *models_[m];
      targets.push_back(model.target);
      files.push_back({fmt::format("{}.cpp", prefix(model)), network(m)});
      for (TextFile& f :
           emit_kernel_files(model, {.name_space = kernel_namespace(model),
                                    .prefix = prefix(model) + "_kernels",
                                    .title = title(model),
                                    .origin = origin_,
                                    .count = options_.kernel_files,
                                    .make_object = as_object(*model.target) ? options_.make_object : MakeObject()}))
        files.push_back(std::move(f));
      add_weights(m, files);
    }
    for (TextFile& f : vocabulary_files(targets)) files.push_back(std::move(f));
    return files;
  }

 private:
  void check() const {
    if (!is_model_name(name()))
      user_error(
          fmt::format("\"{}\" cannot name a network: it becomes a C++ namespace, so letters, digits and "
                      "underscores, a letter first, no keyword",
                      name()));
    if (models_.empty()) user_error(name() + ": no target to compile for");
    for (size_t m = 1; m < models_.size(); ++m)
      if (models_[m]->target == models_[m - 1]->target)
        user_error(fmt::format("{}: target {} is given twice", name(), models_[m]->target->name));
    const Target* with_object = nullptr;  // a linker takes objects of one architecture
    for (const CompiledModel* m : models_) {
      if (!as_object(*m->target)) continue;
      if (with_object && with_object->arch != m->target->arch)
        user_error(fmt::format("{}: objects for {} and {}; supported: targets of one architecture", name(),
                               with_object->name, m->target->name));
      with_object = m->target;
    }
  }

  // Whether the target's kernels come as machine code.
  bool as_object(const Target& target) const { return options_.make_object && target.arch != Arch::any; }

  const std::string& name() const { return options_.name; }
  std::string prefix(const CompiledModel& m) const { return fmt::format("{}_{}", name(), m.target->name); }
  std::string title(const CompiledModel& m) const { return fmt::format("{} for {}", name(), m.target->name); }
  std::string kernel_namespace(const CompiledModel& m) const { return fmt::format("{}::{}", name(), m.target->name); }

  std::string origin() const {
    Writer out;
    out.comment(in_comment(fmt::format("Made by Octet{}{}; changes would be lost.", options_.version.empty() ? "" : " ",
                                       options_.version)));
    if (!options_.model_file.empty())
      out.comment(in_comment(fmt::format("Network: {}{}{}", options_.model_file,
                                         options_.producer.empty() ? "" : ", written by ", options_.producer)));
    if (!options_.command_line.empty()) out.comment(in_comment("Command: " + options_.command_line));
    return out.take();
  }

  // ---- NAME.h ----

  std::string tensor_row(const TensorInfo& t) const {
    std::vector<std::string> shape;
    for (int64_t d : t.shape) shape.push_back(std::to_string(d));
    return fmt::format("    {{{}, Type::{}, {}, {{{}}}, {}, {}, Type::{}, {}, {}}},\n", in_quotes(t.name),
                       kTypes[static_cast<size_t>(t.dtype)], t.shape.size(), fmt::join(shape, ", "), t.elements(),
                       t.bytes(), kTypes[static_cast<size_t>(t.quantized)], t.scale == 0 ? "0" : float_literal(t.scale),
                       t.zero_point);
  }

  std::string tensor_rows(const std::vector<TensorInfo>& tensors) const {
    std::string rows;
    for (const TensorInfo& t : tensors) rows += tensor_row(t);
    return rows;
  }

  std::string pointers(const std::vector<TensorInfo>& tensors, const char* fallback) const {
    std::vector<std::string> names;
    for (size_t i = 0; i < tensors.size(); ++i)
      names.push_back(is_model_name(tensors[i].name) ? tensors[i].name : fmt::format("{}_{}", fallback, i));
    return fmt::format("{}", fmt::join(names, ", "));
  }

  // The target that needs nothing special is the last.
  bool runs_everywhere() const { return models_.back()->target->arch == Arch::any; }

  // Kinds of machines and their targets, the best first.
  std::vector<Arch> kinds() const {
    std::vector<Arch> all;
    for (const CompiledModel* m : models_)
      if (std::find(all.begin(), all.end(), m->target->arch) == all.end()) all.push_back(m->target->arch);
    return all;
  }
  std::vector<const Target*> targets_of(Arch kind) const {
    std::vector<const Target*> all;
    for (const CompiledModel* m : models_)
      if (m->target->arch == kind) all.push_back(m->target);
    return all;
  }
  // A line for each target, made of its name, where machines of its kind see it.
  std::string each_target(const char* line) const {
    std::string text;
    for (Arch kind : kinds()) {
      std::string lines;
      for (const Target* t : targets_of(kind)) lines += fmt::format(fmt::runtime(line), t->name);
      text += only_on({kind}, lines);
    }
    return text;
  }

  std::string target_list() const {
    std::vector<std::string> names;
    for (const CompiledModel* m : models_) names.emplace_back(m->target->name);
    std::string list = fmt::format("{}", fmt::join(names, ", "));
    return runs_everywhere() ? list : list + ", or none";
  }

  std::string public_header() const {
    const Plan& plan = models_[0]->plan;
    size_t rank = 1;
    for (const auto* tensors : {&plan.inputs, &plan.outputs})
      for (const TensorInfo& t : *tensors) rank = std::max(rank, t.shape.size());
    int64_t arena = 1;
    for (const CompiledModel* m : models_) arena = std::max(arena, m->plan.arena_bytes);
    const char* supported =
        runs_everywhere()
            ? "// Whether this machine can run the network: always, because one target needs nothing special."
            : "// Whether this machine can run the network. Where it cannot, run() returns at once and writes nothing, "
              "and\n"
              "// target() is \"none\". A version for the target scalar would run everywhere.";
    return fill(
        embedded("model.h.in"),
        {{"HEAD", fmt::format("// {}: a quantized network as plain functions.\n{}", name(), origin_)},
         {"NAME", name()},
         {"INPUT_POINTERS", pointers(plan.inputs, "input")},
         {"OUTPUT_POINTERS", pointers(plan.outputs, "output")},
         {"ARENA_BYTES", std::to_string(arena)},
         {"ARENA_ALIGNMENT", std::to_string(int{OCTET_ALIGNMENT})},
         {"MAX_RANK", std::to_string(rank)},
         {"INPUTS", tensor_rows(plan.inputs)},
         {"OUTPUTS", tensor_rows(plan.outputs)},
         {"TARGETS", target_list()},
         {"SUPPORTED", supported},
         {"VERSIONS",
          each_target("void run_{}(const void* const* inputs, void* const* outputs, void* arena) noexcept;\n")}});
  }

  // ---- NAME.cpp ----

  std::string choice() const {
    std::string text;
    for (Arch kind : kinds()) {
      const std::vector<const Target*> targets = targets_of(kind);
      std::string lines = feature_preparation(targets);
      for (const Target* t : targets) {
        const std::string condition = feature_condition(*t);
        if (!condition.empty()) lines += fmt::format("  if ({})\n  ", condition);
        lines += fmt::format("  return &version_{};\n", t->name);
      }
      text += only_on({kind}, lines);
    }
    return runs_everywhere() ? text : text + "  return &none;\n";
  }

  std::string dispatch() const {
    std::string versions = each_target("const Version version_{0} = {{\"{0}\", run_{0}}};\n"), includes;
    if (!runs_everywhere())
      versions += "const Version none = {\"none\", [](const void* const*, void* const*, void*) noexcept {}};\n";
    if (std::any_of(models_.begin(), models_.end(), [](auto* m) { return asks_auxiliary_vector(*m->target); }))
      includes = only_on({Arch::aarch64}, "#include <sys/auxv.h>\n") + "\n";
    return fill(embedded("model.cpp.in"),
                {{"HEAD", fmt::format("// {}: which version this machine runs.\n{}", name(), origin_)},
                 {"NAME", name()},
                 {"INCLUDES", includes},
                 {"VERSIONS", versions},
                 {"CHOICE", choice()},
                 {"IS_SUPPORTED", runs_everywhere() ? "true" : "&version() != &none"}});
  }

  // ---- NAME_<target>.cpp ----

  std::string pointer(const OctetRef& r) const {
    const auto plus = [&r](const char* base) { return r.offset ? fmt::format("{} + {}", base, r.offset) : base; };
    const auto callers = [&r](const char* base) {
      const std::string tensor = fmt::format("{}[{}]", base, r.index);
      return r.offset ? fmt::format("at({}, {})", tensor, r.offset) : tensor;
    };
    switch (r.space) {
      case OCTET_ARENA: return plus("memory");
      case OCTET_BLOB: return plus("blob");
      case OCTET_INPUT: return callers("inputs");
      case OCTET_OUTPUT: return callers("outputs");
      default: internal_error("a step's argument points nowhere");
    }
  }

  // "call(conv_0, ...);", continued below where it is wider than the page.
  std::string call(const CompiledModel& model, const OctetStep& step) const {
    constexpr size_t kColumns = 120, kIndent = 7;
    std::string text, line = fmt::format("  call({}::{}", model.target->name, model.kernels[step.kernel].name);
    const auto add = [&](const std::string& word) {
      if (line.size() + word.size() + 4 > kColumns) {
        text += line + ",\n";
        line = std::string(kIndent, ' ') + word;
      } else {
        line += ", " + word;
      }
    };
    for (const int a :
         {OCTET_SRC, OCTET_SRC2, OCTET_DST, OCTET_WEIGHTS, OCTET_BIAS, OCTET_SCALE, OCTET_CONSTANTS, OCTET_SCRATCH})
      if (step.args[a].space != OCTET_NONE)
        add(fmt::format("{}({})", argument_name(static_cast<OctetArg>(a)), pointer(step.args[a])));
    return text + line + ");\n";
  }

  bool reads(const CompiledModel& model, OctetSpace space) const {
    for (const OctetStep& s : model.plan.steps)
      for (const OctetRef& r : s.args)
        if (r.space == space) return true;
    return false;
  }

  std::string network(size_t m) const {
    const CompiledModel& model = *models_[m];
    std::string text = fmt::format("#include \"{}.h\"\n#include \"{}_kernels.h\"\n#include \"octet/call.h\"\n\n",
                                   name(), prefix(model));
    const std::string symbol = weights_symbol(m);
    if (reads(model, OCTET_BLOB))
      text += fmt::format(
          "// In {}.cpp.\nextern \"C\" __attribute__((visibility(\"hidden\"))) const unsigned char {}[];\n\n", symbol,
          symbol);
    text += fmt::format("namespace {} {{\n\nusing namespace octet_call;\n\n", name());
    text += fmt::format("void run_{}(const void* const* inputs, void* const* outputs, void* arena) noexcept {{\n",
                        model.target->name);
    if (reads(model, OCTET_ARENA))
      text += "  unsigned char* const memory = static_cast<unsigned char*>(arena);\n";
    else
      text += "  static_cast<void>(arena);\n";
    if (!reads(model, OCTET_INPUT)) text += "  static_cast<void>(inputs);\n";
    if (!reads(model, OCTET_OUTPUT)) text += "  static_cast<void>(outputs);\n";
    if (reads(model, OCTET_BLOB)) text += fmt::format("  const unsigned char* const blob = {};\n", symbol);
    for (size_t s = 0; s < model.plan.steps.size(); ++s) {
      const OctetStep& step = model.plan.steps[s];
      Writer comment;
      comment.comment(in_comment(fmt::format("{}: {} ({}), {}", s, model.steps[s].node, model.steps[s].source,
                                             shape_text(model.kernels[step.kernel].spec))));
      std::string indented = comment.take();
      text += '\n';
      for (size_t at = 0; at < indented.size();) {
        const size_t end = indented.find('\n', at) + 1;
        text += "  " + indented.substr(at, end - at);
        at = end;
      }
      text += call(model, step);
    }
    text += fmt::format("}}\n\n}}  // namespace {}\n", name());
    return fmt::format("// {}: the network, step by step.\n{}", title(model), origin_) +
           only_on({model.target->arch}, text);
  }

  // ---- weights ----

  // The first of the models with the same weights.
  size_t owner(size_t m) const {
    for (size_t o = 0; o < m; ++o)
      if (std::ranges::equal(models_[o]->plan.blob.bytes(), models_[m]->plan.blob.bytes())) return o;
    return m;
  }

  std::string weights_symbol(size_t m) const { return prefix(*models_[owner(m)]) + "_weights"; }

  void add_weights(size_t m, std::vector<TextFile>& files) const {
    const CompiledModel& model = *models_[m];
    const std::string file = prefix(model) + "_weights.cpp";
    const std::span<const uint8_t> blob = model.plan.blob.bytes();
    std::string head =
        fmt::format("// {}: packed weights and constants, {} bytes.\n{}", title(model), blob.size(), origin_);
    if (owner(m) != m) {
      head += fmt::format("//\n// They equal those for {}, which serve here too.\n", models_[owner(m)]->target->name);
      files.push_back({file, head});
      return;
    }
    std::vector<Arch> machines;  // of all that read them
    for (size_t other = m; other < models_.size(); ++other)
      if (owner(other) == m) machines.push_back(models_[other]->target->arch);
    files.push_back({file, head + only_on(machines, fill(embedded("weights.cpp.in"),
                                                         {{"FILE", file},
                                                          {"SYMBOL", weights_symbol(m)},
                                                          {"ALIGNMENT", std::to_string(int{OCTET_ALIGNMENT})},
                                                          {"SLACK", std::to_string(int{OCTET_SLACK_BYTES})}}))});
    files.push_back({file + ".bin", std::string(blob.begin(), blob.end())});
  }

  const EmitOptions& options_;
  std::vector<const CompiledModel*> models_;  // the best target first
  std::string origin_;
};

// Whether this is how a file is called that holds the network for one target.
bool is_target_file(std::string_view file, const std::string& network) {
  for (const Target& t : all_targets()) {
    const std::string prefix = fmt::format("{}_{}", network, t.name);
    if (!file.starts_with(prefix)) continue;
    std::string_view rest = file.substr(prefix.size());
    for (const char* one : {".cpp", "_weights.cpp", "_weights.cpp.bin", "_kernels.h", "_kernels.o"})
      if (rest == one) return true;
    constexpr std::string_view kBegin = "_kernels_", kEnd = ".cpp";
    if (!rest.starts_with(kBegin) || !rest.ends_with(kEnd)) continue;
    rest.remove_prefix(kBegin.size());
    rest.remove_suffix(kEnd.size());
    if (!rest.empty() && rest.find_first_not_of("0123456789") == rest.npos) return true;
  }
  return false;
}

// A folder is compiled as *.cpp, so what an earlier call has left there must not stay.
void remove_stale(const EmitOptions& options, const std::set<std::string>& written) {
  std::vector<fs::path> stale;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(options.out_dir, error)) {
    const std::string file = entry.path().filename().string();
    if (is_target_file(file, options.name) && !written.contains(file)) stale.push_back(entry.path());
  }
  for (const fs::path& file : stale)
    if (!fs::remove(file, error)) user_error("cannot remove " + file.string() + " of an earlier run");
}

}  // namespace

bool is_model_name(std::string_view name) {
  static const std::set<std::string_view> taken = {
      "alignas",   "alignof",       "and",         "and_eq",       "asm",
      "atomic",    "auto",          "bitand",      "bitor",        "bool",
      "break",     "case",          "catch",       "char",         "char16_t",
      "char32_t",  "char8_t",       "class",       "co_await",     "co_return",
      "co_yield",  "compl",         "concept",     "const",        "const_cast",
      "consteval", "constexpr",     "constinit",   "continue",     "decltype",
      "default",   "delete",        "do",          "double",       "dynamic_cast",
      "else",      "enum",          "explicit",    "export",       "extern",
      "false",     "float",         "for",         "friend",       "goto",
      "if",        "inline",        "int",         "long",         "main",
      "mutable",   "namespace",     "new",         "noexcept",     "not",
      "not_eq",    "nullptr",       "operator",    "or",           "or_eq",
      "private",   "protected",     "public",      "register",     "reinterpret_cast",
      "requires",  "return",        "short",       "signed",       "sizeof",
      "static",    "static_assert", "static_cast", "std",          "struct",
      "switch",    "template",      "this",        "thread_local", "throw",
      "true",      "try",           "typedef",     "typeid",       "typename",
      "union",     "unsigned",      "using",       "virtual",      "void",
      "volatile",  "wchar_t",       "while",       "xor",          "xor_eq"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto follows = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && letter(name[0]) && std::all_of(name.begin(), name.end(), follows) &&
         name.find("__") == std::string_view::npos && !taken.contains(name) && !name.starts_with("octet_");
}

void emit_model(const std::vector<CompiledModel>& per_target, const EmitOptions& options) {
  const std::vector<TextFile> files = ModelEmitter(per_target, options).run();
  make_folder(options.out_dir / "octet");
  std::set<std::string> written;
  for (const TextFile& f : files) written.insert(f.name);
  remove_stale(options, written);
  for (const TextFile& f : files) write_file(options.out_dir / f.name, f.text);
}

}  // namespace octet
