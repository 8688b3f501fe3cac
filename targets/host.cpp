#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <array>
#include <cstdlib>
#include <cstring>

#include "targets/target.h"

namespace octet {
namespace {

bool cpu_has(const Target& t) {
  if (!is_native(t)) return false;
#if defined(__x86_64__)
  if (std::strcmp(t.name, "avx2") == 0) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool vbmi = std::strcmp(t.name, "avx512_vbmi") == 0;
  if (vbmi || std::strcmp(t.name, "avx512_vnni") == 0)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni") && (!vbmi || __builtin_cpu_supports("avx512vbmi"));
#endif
  return std::strcmp(t.name, "scalar") == 0;
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
#endif
  name.resize(std::strlen(name.c_str()));
  for (char& c : name)
    if (c == '|' || static_cast<unsigned char>(c) < 0x20) c = ' ';
  name.erase(name.find_last_not_of(' ') + 1);
  name.erase(0, name.find_first_not_of(' '));
  return name.empty() ? "unknown" : name;
}

// The rank up to which OCTET_MAX_TARGET lets targets be used.
size_t cap() {
  const auto& rows = all_targets();
  if (const char* name = std::getenv("OCTET_MAX_TARGET"))
    for (size_t i = 0; i < rows.size(); ++i)
      if (std::strcmp(rows[i].name, name) == 0) return i;
  return rows.size() - 1;
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
  const auto& rows = all_targets();
  for (size_t i = 0; i <= cap(); ++i)
    if (std::strcmp(rows[i].name, target.name) == 0) return cpu_has(target);
  return false;
}

const std::string& host_cpu() {
  static const std::string name = cpu_name();
  return name;
}

const Target& host_target() {
  const auto& rows = all_targets();
  for (size_t i = cap(); i > 0; --i)
    if (cpu_has(rows[i])) return rows[i];
  return rows[0];
}

}  // namespace octet
