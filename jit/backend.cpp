#include "jit/backend.h"

#include <algorithm>
#include <string_view>

#include "jit/llvm/codegen.h"
#include "jit/x64/lower.h"
#include "runtime/status.h"

namespace octet {
namespace {

#if defined(OCTET_XBYAK)
constexpr bool kHasXbyak = true;
#else
constexpr bool kHasXbyak = false;
#endif

CompiledKernel compile_through_llvm(const Program& program, const Target& target, CodeMemory& memory) {
  const std::vector<uint8_t> code = llvm_code(program, target);
  const std::span<uint8_t> room = memory.reserve(code.size());
  std::copy(code.begin(), code.end(), room.begin());
  memory.commit(program.name, code.size());
  return {reinterpret_cast<OctetKernel>(room.data()), code.size()};
}

}  // namespace

bool can_compile(const Target& target) {
  return (target.backend == Backend::xbyak && kHasXbyak) || (target.backend == Backend::llvm && has_llvm());
}

CompiledKernel compile(const Program& program, const Target& target, CodeMemory& memory, CodeOffsets* offsets) {
  if (target.backend == Backend::llvm) {
    if (offsets) offsets->clear();
    return compile_through_llvm(program, target, memory);
  }
  if constexpr (kHasXbyak) {
    const std::string_view name = target.name;
    const auto lower = name == "avx2"          ? lower_avx2
                       : name == "avx512_vnni" ? lower_avx512_vnni
                       : name == "avx512_vbmi" ? lower_avx512_vbmi
                                               : nullptr;
    if (lower) {
      const std::span<uint8_t> room = memory.reserve(most_code_bytes(program));
      const size_t bytes = lower(program, target.vector_registers, room, offsets);
      memory.commit(program.name, bytes);
      return {reinterpret_cast<OctetKernel>(room.data()), bytes};
    }
  }
  internal_error(program.name + ": no machine code for target " + target.name);
}

}  // namespace octet
