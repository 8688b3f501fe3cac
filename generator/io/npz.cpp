#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "generator/io/npy.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kDirectoryEntry = 0x02014b50, kDirectoryEnd = 0x06054b50;
constexpr size_t kLocalBytes = 30, kEntryBytes = 46, kEndBytes = 22;
constexpr uint16_t kEncrypted = 1, kUtf8 = 1 << 11;
constexpr uint32_t kStored = 0, kDeflated = 8;
constexpr size_t kMaxMember = size_t{1} << 31;
constexpr size_t kMaxRatio = 1032;  // deflate cannot do better

uint32_t get(const uint8_t* p, int bytes) {
  uint32_t v = 0;
  for (int i = 0; i < bytes; ++i) v |= static_cast<uint32_t>(p[i]) << (8 * i);
  return v;
}

void put(std::vector<uint8_t>& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

uint32_t checksum(Bytes bytes) {
  return static_cast<uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
}

// Unpacks in pieces, so that a lying size costs no memory.
std::vector<uint8_t> inflate_member(Bytes packed, size_t size, const std::string& name) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) internal_error("zlib does not start");
  std::vector<uint8_t> out;
  stream.next_in = const_cast<uint8_t*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  int status = Z_OK;
  while (status == Z_OK && out.size() <= size) {
    const size_t old = out.size();
    out.resize(old + std::min<size_t>(size_t{1} << 20, size + 1 - old));
    stream.next_out = out.data() + old;
    stream.avail_out = static_cast<uInt>(out.size() - old);
    status = inflate(&stream, Z_NO_FLUSH);
    out.erase(out.end() - static_cast<std::ptrdiff_t>(stream.avail_out), out.end());
    if (out.size() == old && status == Z_OK && stream.avail_in == 0) break;
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || out.size() != size) user_error(name + ": corrupt compressed data");
  return out;
}

}  // namespace

NpzReader::NpzReader(const std::string& path) : NpzReader(read_file(path), path) {}

NpzReader::NpzReader(std::vector<uint8_t> bytes, std::string path) : path_(std::move(path)), bytes_(std::move(bytes)) {
  read_directory();
}

void NpzReader::read_directory() {
  const auto fail = [this](const std::string& why) { user_error(path_ + ": not a readable .npz file: " + why); };
  const size_t n = bytes_.size();
  if (n < kEndBytes) fail("too short for a zip archive");
  // The directory's end is the last record, before a comment of at most 65535 bytes.
  size_t end = n - kEndBytes;
  const size_t first = end > 65535 ? end - 65535 : 0;
  while (end > first && get(&bytes_[end], 4) != kDirectoryEnd) --end;
  if (get(&bytes_[end], 4) != kDirectoryEnd) fail("the zip directory is missing (truncated?)");
  const uint32_t count = get(&bytes_[end + 10], 2);
  const size_t size = get(&bytes_[end + 12], 4), start = get(&bytes_[end + 16], 4);
  if (count == 0xffff || start == 0xffffffff) fail("zip64 archives are not supported (4 GB or 65535 members)");
  if (start > end || size > end - start) fail("the zip directory lies outside of the file");
  size_t at = start;
  for (uint32_t i = 0; i < count; ++i) {
    if (end - at < kEntryBytes || get(&bytes_[at], 4) != kDirectoryEntry) fail("the zip directory is corrupt");
    const uint8_t* e = &bytes_[at];
    const size_t name_bytes = get(e + 28, 2), extra = get(e + 30, 2), comment = get(e + 32, 2);
    if (end - at - kEntryBytes < name_bytes + extra + comment) fail("the zip directory is corrupt");
    std::string name(reinterpret_cast<const char*>(e) + kEntryBytes, name_bytes);
    at += kEntryBytes + name_bytes + extra + comment;
    if (!has_extension(name, ".npy")) continue;
    name.resize(name.size() - 4);
    const Member m{get(e + 10, 2), get(e + 16, 4), get(e + 20, 4), get(e + 24, 4), get(e + 42, 4)};
    const std::string label = "member '" + name + "'";
    if (get(e + 8, 2) & kEncrypted) fail(label + " is encrypted");
    if (m.method != kStored && m.method != kDeflated)
      fail(label + " is packed with method " + std::to_string(m.method) + " (stored and deflate are supported)");
    if (m.packed == 0xffffffff || m.size == 0xffffffff || m.header == 0xffffffff || m.size > kMaxMember)
      fail(label + " is larger than 2 GiB");
    if (!members_.emplace(name, m).second) fail(label + " is there twice");
    names_.push_back(std::move(name));
  }
  if (names_.empty()) fail("it holds no .npy member");
}

// The bytes behind a member's local header. Its sizes there are not used: NumPy leaves them to the directory.
Bytes NpzReader::packed_bytes(const std::string& name, const Member& m) const {
  const size_t n = bytes_.size();
  if (m.header <= n && n - m.header >= kLocalBytes && get(&bytes_[m.header], 4) == kLocalHeader) {
    const size_t skip = kLocalBytes + get(&bytes_[m.header + 26], 2) + get(&bytes_[m.header + 28], 2);
    if (n - m.header >= skip && n - m.header - skip >= m.packed)
      return Bytes(bytes_).subspan(m.header + skip, m.packed);
  }
  user_error(name + ": corrupt zip archive: its data lie outside of the file");
}

Array NpzReader::read(const std::string& name) const {
  const std::string label = path_ + ":" + name;
  const auto found = members_.find(name);
  if (found == members_.end()) user_error(path_ + ": no member '" + name + "'");
  const Member& m = found->second;
  const Bytes packed = packed_bytes(label, m);
  if (m.method == kStored && m.packed != m.size) user_error(label + ": corrupt zip archive: sizes differ");
  if (m.size / kMaxRatio > m.packed + 1) user_error(label + ": corrupt zip archive: impossible compression");
  std::vector<uint8_t> unpacked;
  if (m.method == kDeflated) unpacked = inflate_member(packed, m.size, label);
  const Bytes plain = m.method == kDeflated ? Bytes(unpacked) : packed;
  if (checksum(plain) != m.crc) user_error(label + ": corrupt data (checksum differs)");
  return parse_npy(plain, label);
}

void write_npz(const std::string& path, std::span<const std::pair<std::string, Array>> arrays) {
  std::set<std::string> seen;
  std::vector<std::vector<uint8_t>> parts;  // per array: local header, contents; then the directory
  std::vector<uint8_t> directory;
  uint64_t offset = 0;
  for (const auto& [name, array] : arrays) {
    if (!seen.insert(name).second) internal_error("two arrays named '" + name + "' for " + path);
    const std::string file = name + ".npy";
    std::vector<uint8_t> contents = format_npy(array), common;
    if (file.size() > 0xffff || offset + contents.size() > 0xffff0000u || seen.size() > 0xfffe)
      user_error("cannot write " + path + ": a .npz holds at most 4 GB, 65534 arrays and names of 65535 bytes");
    // What the local header and the directory entry share: version 2.0, flags, method, the time 1980-01-01 00:00 (the
    // same arrays give the same file), checksum, sizes, name length, extra length.
    put(common, 20, 2);
    put(common, kUtf8, 2);
    put(common, kStored, 2);
    put(common, 0x00210000, 4);
    put(common, checksum(contents), 4);
    put(common, contents.size(), 4);
    put(common, contents.size(), 4);
    put(common, file.size(), 2);
    put(common, 0, 2);
    std::vector<uint8_t> local;
    put(local, kLocalHeader, 4);
    local.insert(local.end(), common.begin(), common.end());
    local.insert(local.end(), file.begin(), file.end());
    put(directory, kDirectoryEntry, 4);
    put(directory, 20, 2);  // made by version 2.0
    directory.insert(directory.end(), common.begin(), common.end());
    put(directory, 0, 6);  // comment, disk, inner attributes
    put(directory, 0, 4);  // attributes
    put(directory, offset, 4);
    directory.insert(directory.end(), file.begin(), file.end());
    offset += local.size() + contents.size();
    parts.push_back(std::move(local));
    parts.push_back(std::move(contents));
  }
  const size_t directory_bytes = directory.size();
  put(directory, kDirectoryEnd, 4);
  put(directory, 0, 4);  // disks
  put(directory, arrays.size(), 2);
  put(directory, arrays.size(), 2);
  put(directory, directory_bytes, 4);
  put(directory, offset, 4);
  put(directory, 0, 2);
  parts.push_back(std::move(directory));
  const std::vector<Bytes> pieces(parts.begin(), parts.end());
  write_file(path, pieces);
}

}  // namespace octet
