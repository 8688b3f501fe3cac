#include "targets/target.h"

namespace octet {

const std::vector<Target>& all_targets() {
  // name, vector bytes, registers, compiler registers, dot, act groups, table, architecture, backend, features
  static const std::vector<Target> rows = {
      {"scalar", 16, 32, 32, DotForm::fused, 1, TableForm::shuffle, Arch::any, Backend::none, ""},
      {"avx2", 32, 16, 14, DotForm::maddubs, 1, TableForm::shuffle, Arch::x86_64, Backend::xbyak, "avx2 fma"},
      {"avx512_vnni", 64, 32, 32, DotForm::fused, 1, TableForm::shuffle, Arch::x86_64, Backend::xbyak,
       "avx512f avx512bw avx512dq avx512vl avx512vnni"},
      {"avx512_vbmi", 64, 32, 32, DotForm::fused, 1, TableForm::permute, Arch::x86_64, Backend::xbyak,
       "avx512f avx512bw avx512dq avx512vl avx512vnni avx512vbmi"},
      // Of 32 registers: a memory operand needs one that the allocator does not see; a dot of baseline NEON some ten,
      // for the activations' splats and for its products, of which compilers keep fewer.
      {"neon", 16, 21, 24, DotForm::flipped, 4, TableForm::shuffle, Arch::aarch64, Backend::llvm, ""},
      {"neon_dot", 16, 31, 28, DotForm::flipped, 4, TableForm::shuffle, Arch::aarch64, Backend::llvm, "dotprod"},
      {"neon_i8mm", 16, 31, 28, DotForm::matrix, 4, TableForm::shuffle, Arch::aarch64, Backend::llvm, "dotprod i8mm"},
  };
  return rows;
}

const Target* find_target(std::string_view name) {
  for (const Target& t : all_targets())
    if (name == t.name) return &t;
  return nullptr;
}

}  // namespace octet
