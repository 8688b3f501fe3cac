#include "targets/target.h"

namespace octet {

const std::vector<Target>& all_targets() {
  // name, vector bytes, registers, compiler registers, dot, act groups, signed storage, table, jit, features
  static const std::vector<Target> rows = {
      {"scalar", 16, 32, 32, DotForm::fused, 1, false, TableForm::shuffle, false, ""},
      {"avx2", 32, 16, 14, DotForm::maddubs, 1, false, TableForm::shuffle, true, "avx2 fma"},
      {"avx512_vnni", 64, 32, 32, DotForm::fused, 1, false, TableForm::shuffle, true,
       "avx512f avx512bw avx512dq avx512vl avx512vnni"},
      {"avx512_vbmi", 64, 32, 32, DotForm::fused, 1, false, TableForm::permute, true,
       "avx512f avx512bw avx512dq avx512vl avx512vnni avx512vbmi"},
  };
  return rows;
}

const Target* find_target(std::string_view name) {
  for (const Target& t : all_targets())
    if (name == t.name) return &t;
  return nullptr;
}

}  // namespace octet
