#include "generator/emit_cpp/machines.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "runtime/status.h"

namespace octet {
namespace {

const char* macro(Arch arch) {
  switch (arch) {
    case Arch::any: return "";
    case Arch::x86_64: return "__x86_64__";
    case Arch::aarch64: return "__aarch64__";
  }
  return "";
}

std::vector<std::string> features(const Target& target) {
  std::istringstream words(target.features);
  return {std::istream_iterator<std::string>(words), {}};
}

// Where Linux shows a feature of AArch64 (its arch/arm64/include/uapi/asm/hwcap.h, where dotprod is called ASIMDDP).
struct Bit {
  const char* word;
  int number;
};

Bit hwcap(const std::string& feature) {
  if (feature == "dotprod") return {"AT_HWCAP", 20};
  if (feature == "i8mm") return {"AT_HWCAP2", 13};
  internal_error("no bit of AT_HWCAP is known for " + feature);
}

}  // namespace

std::string only_on(std::vector<Arch> machines, std::string_view text) {
  std::sort(machines.begin(), machines.end());
  machines.erase(std::unique(machines.begin(), machines.end()), machines.end());
  if (std::find(machines.begin(), machines.end(), Arch::any) != machines.end()) return std::string(text);
  std::vector<std::string> tests;
  for (Arch a : machines) tests.push_back(fmt::format("defined({})", macro(a)));
  const std::string condition = fmt::format("{}", fmt::join(tests, " || "));
  return fmt::format("#if {}\n{}#endif  // {}\n", condition, text, condition);
}

std::string feature_preparation(const std::vector<const Target*>& targets) {
  std::string text;
  std::vector<std::string> asked;
  for (const Target* t : targets)
    for (const std::string& f : features(*t)) {
      if (std::find(asked.begin(), asked.end(), f) != asked.end()) continue;
      asked.push_back(f);
      if (t->arch == Arch::aarch64)
        text += fmt::format("  const bool {} = getauxval({}) >> {} & 1;\n", f, hwcap(f).word, hwcap(f).number);
      else if (text.empty())
        text = "  __builtin_cpu_init();\n";
    }
  return text;
}

std::string feature_condition(const Target& target) {
  std::vector<std::string> tests = features(target);
  if (target.arch == Arch::aarch64) return fmt::format("{}", fmt::join(tests, " && "));
  for (std::string& t : tests) t = fmt::format("__builtin_cpu_supports(\"{}\")", t);
  return fmt::format("{}", fmt::join(tests, " &&\n      "));
}

bool asks_auxiliary_vector(const Target& target) {
  return target.arch == Arch::aarch64 && !features(target).empty();
}

}  // namespace octet
