#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <sstream>
#include <string_view>
#include <utility>

#include "targets/target.h"

namespace octet {
namespace {

// Of the words in the rows of all_targets().
bool has_feature([[maybe_unused]] std::string_view feature) {
#if defined(__x86_64__)
  const std::pair<std::string_view, int> known[] = {
      {"avx2", __builtin_cpu_supports("avx2")},
      {"fma", __builtin_cpu_supports("fma")},
      {"avx512f", __builtin_cpu_supports("avx512f")},
      {"avx512bw", __builtin_cpu_supports("avx512bw")},
      {"avx512dq", __builtin_cpu_supports("avx512dq")},
      {"avx512vl", __builtin_cpu_supports("avx512vl")},
      {"avx512vnni", __builtin_cpu_supports("avx512vnni")},
      {"avx512vbmi", __builtin_cpu_supports("avx512vbmi")},
  };
  for (const auto& [name, has] : known)
    if (feature == name) return has != 0;
#elif defined(__aarch64__)
  if (feature == "dotprod") return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
  if (feature == "i8mm") return getauxval(AT_HWCAP2) & HWCAP2_I8MM;
#endif
  return false;
}

bool cpu_has(const Target& t) {
  if (!is_native(t)) return false;
  std::istringstream words(t.features);
  return std::all_of(std::istream_iterator<std::string>(words), {}, has_feature);
}

std::string cpu_name() {
  std::string name;
#if defined(__x86_64__)
  constexpr unsigned kFirst = 0x80000002, kLast = 0x80000004;  // 16 characters of the brand string each
  if (static_cast<unsigned>(__get_cpuid_max(0x80000000, nullptr)) >= kLast)
    for (unsigned leaf = kFirst; leaf <= kLast; ++leaf) {
      std::array<unsigned, 4> r{};
      __get_cpuid(leaf, &r[0], &r[1], &r[2], &r[3]);
      name.append(reinterpret_cast<const char*>(r.data()), sizeof r);
    }
#elif defined(__aarch64__)
  // Its name is two numbers of a register that Linux lets programs read.
  if (getauxval(AT_HWCAP) & HWCAP_CPUID) {
    uint64_t midr = 0;
    asm("mrs %0, MIDR_EL1" : "=r"(midr));
    char text[64];
    std::snprintf(text, sizeof text, "AArch64 implementer 0x%02x part 0x%03x", static_cast<unsigned>(midr >> 24 & 0xff),
                  static_cast<unsigned>(midr >> 4 & 0xfff));
    name = text;
  }
#endif
  name.resize(std::strlen(name.c_str()));
  for (char& c : name)
    if (c == '|' || static_cast<unsigned char>(c) < 0x20) c = ' ';
  name.erase(name.find_last_not_of(' ') + 1);
  name.erase(0, name.find_first_not_of(' '));
  return name.empty() ? "unknown" : name;
}

// Whether OCTET_MAX_TARGET lets it be used: a cap says nothing of other architectures.
bool allowed(const Target& t) {
  const char* name = std::getenv("OCTET_MAX_TARGET");
  const Target* best = name ? find_target(name) : nullptr;
  if (!best || (best->arch != Arch::any && best->arch != t.arch)) return true;
  return find_target(t.name) <= best;  // rows of one vector, in their order
}

}  // namespace

bool is_native(const Target& target) {
#if defined(__x86_64__)
  constexpr Arch kOwn = Arch::x86_64;
#elif defined(__aarch64__)
  constexpr Arch kOwn = Arch::aarch64;
#else
  constexpr Arch kOwn = Arch::any;
#endif
  return target.arch == Arch::any || target.arch == kOwn;
}

bool host_runs(const Target& target) {
  return allowed(target) && cpu_has(target);
}

const std::string& host_cpu() {
  static const std::string name = cpu_name();
  return name;
}

const Target& host_target() {
  const auto& rows = all_targets();
  return *std::find_if(rows.rbegin(), rows.rend(), host_runs);
}

}  // namespace octet
