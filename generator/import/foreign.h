// Files that people hand in and that are no models here: what they are, and what to do instead.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace octet {

// "a TorchScript archive (torch.jit.save); supported: ..." or empty where the bytes are nothing known.
std::string foreign_format(std::span<const std::byte> file);

}  // namespace octet
