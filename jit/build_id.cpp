#include "jit/build_id.h"

#include <elf.h>
#include <link.h>

#include <cstring>

#include "jit/hex.h"

namespace octet {
namespace {

struct Search {
  uintptr_t address;  // of something in the object that is meant
  std::string id;
};

bool holds(const dl_phdr_info& object, uintptr_t address) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& p = object.dlpi_phdr[i];
    if (p.p_type == PT_LOAD && address - (object.dlpi_addr + p.p_vaddr) < p.p_memsz) return true;
  }
  return false;
}

// A note is three numbers, then name and content, each padded to four bytes.
std::string id_in(const char* note, size_t bytes) {
  const auto padded = [](size_t n) { return (n + 3) / 4 * 4; };
  ElfW(Nhdr) head;
  while (bytes >= sizeof head) {
    std::memcpy(&head, note, sizeof head);
    const size_t content = sizeof head + padded(head.n_namesz), end = content + padded(head.n_descsz);
    if (end > bytes) return {};
    if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && std::memcmp(note + sizeof head, "GNU", 4) == 0) {
      return hex({reinterpret_cast<const uint8_t*>(note + content), head.n_descsz});
    }
    note += end;
    bytes -= end;
  }
  return {};
}

int look(dl_phdr_info* object, size_t, void* data) {
  auto& search = *static_cast<Search*>(data);
  if (!holds(*object, search.address)) return 0;
  for (int i = 0; i < object->dlpi_phnum && search.id.empty(); ++i) {
    const ElfW(Phdr)& p = object->dlpi_phdr[i];
    if (p.p_type == PT_NOTE) search.id = id_in(reinterpret_cast<const char*>(object->dlpi_addr + p.p_vaddr), p.p_memsz);
  }
  return 1;
}

}  // namespace

std::string build_id() {
  Search search{reinterpret_cast<uintptr_t>(&look), {}};
  dl_iterate_phdr(look, &search);
  return search.id;
}

}  // namespace octet
