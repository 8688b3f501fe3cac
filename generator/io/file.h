// Whole files in and out; every failure is a user error that names the file and the system's reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

using Bytes = std::span<const uint8_t>;

// Regular files and pipes, up to max_bytes.
std::vector<uint8_t> read_file(const std::string& path, size_t max_bytes = size_t{4} << 30);

// The pieces one behind the other. A write that fails (no room, no permission) leaves no half file behind.
void write_file(const std::string& path, std::span<const Bytes> pieces);
void write_file(const std::string& path, std::string_view text);

void make_folder(const std::string& path);  // and those above it, where they are not there

// The user error that writing there would end in, as far as one can tell before; what is there stays as it is.
void check_writable(const std::string& path);

bool has_extension(std::string_view path, std::string_view extension);  // ".npy", in any case

}  // namespace octet
