#include "jit/backend.h"

#include <string_view>

#include "jit/x64/lower.h"
#include "runtime/status.h"

namespace octet {
namespace {

#if defined(OCTET_XBYAK)
constexpr bool kHasXbyak = true;
#else
constexpr bool kHasXbyak = false;
#endif

}  // namespace

bool can_compile(const Target& target) {
  return kHasXbyak && target.backend == Backend::xbyak;
}

CompiledKernel compile(const Program& program, const Target& target, CodeMemory& memory, CodeOffsets* offsets) {
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
