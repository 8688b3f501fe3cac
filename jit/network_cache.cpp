#include "jit/network_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "jit/hex.h"
#include "runtime/status.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExtension = ".octet";
constexpr const char* kTemporary = ".tmp-";  // how names of files that are being written begin
constexpr auto kAbandoned = std::chrono::hours(1);

class Descriptor {
 public:
  explicit Descriptor(int file) : file_(file) {}
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return file_; }

 private:
  int file_;
};

NetworkKey key_of(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  NetworkKey key;
  static_assert(sizeof bytes.digest == sizeof key);
  std::memcpy(key.data(), bytes.digest, sizeof bytes.digest);
  return key;
}

ModelFile records_of(const struct stat& info) {
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .bytes = static_cast<uint64_t>(info.st_size),
          .seconds = info.st_mtim.tv_sec,
          .nanoseconds = info.st_mtim.tv_nsec};
}

struct Entry {
  fs::path path;
  uint64_t bytes = 0;
  fs::file_time_type used;
};

// Every file of the cache; files that others remove meanwhile are not there.
std::vector<Entry> entries_in(const fs::path& folder) {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    Entry e{at->path(), at->file_size(gone), {}};
    if (!gone) e.used = at->last_write_time(gone);
    if (!gone) entries.push_back(std::move(e));
  }
  return entries;
}

bool is_temporary(const Entry& e) {
  return e.path.filename().string().starts_with(kTemporary);
}

}  // namespace

// Through a small buffer: as fast as mapping, hashing and unmapping, and it leaves no trace in this process's memory.
std::optional<ModelFile> model_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  if (!state) return std::nullopt;
  XXH3_128bits_reset(state.get());
  std::vector<char> buffer(size_t{1} << 18);
  ssize_t got = 0;
  while ((got = ::read(file.get(), buffer.data(), buffer.size())) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    XXH3_128bits_update(state.get(), buffer.data(), static_cast<size_t>(got));
  }
  ModelFile model = records_of(info);
  model.hash = key_of(XXH3_128bits_digest(state.get()));
  return model;
}

bool is_current(const fs::path& path, const ModelFile& file) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return false;
  ModelFile now = records_of(info);
  now.hash = file.hash;
  return now == file;
}

NetworkKey network_key(const ModelFile& model, const std::string& made_how) {
  std::string all(reinterpret_cast<const char*>(model.hash.data()), model.hash.size());
  all += made_how;
  return key_of(XXH3_128bits(all.data(), all.size()));
}

fs::path NetworkCache::path_of(const NetworkKey& key) const {
  return folder_ / (hex(key) + kExtension);
}

std::optional<StoredNetwork> NetworkCache::find(const NetworkKey& key, std::string& why) const {
  const fs::path path = path_of(key);
  std::string reason;
  const auto file = MappedFile::open(path, true, reason);
  if (!file) {
    std::error_code error;
    if (fs::exists(path, error)) why = path.string() + ": " + reason;
    return std::nullopt;
  }
  if (file->owner() != ::geteuid() && file->owner() != 0) {
    why = path.string() + " belongs to another user";
    return std::nullopt;
  }
  try {
    StoredNetwork network = read_network(file, key);
    ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // used now; where that is not allowed, it only goes sooner
    return network;
  } catch (const Error& e) {
    why = path.string() + ": " + e.what();
    return std::nullopt;
  }
}

bool NetworkCache::store(const NetworkKey& key, const std::string& name, const Plan& plan,
                         std::span<const StoredKernel> kernels, std::string& why) const {
  std::error_code error;
  fs::create_directories(folder_, error);
  std::string temporary = (folder_ / kTemporary).string() + "XXXXXX";
  const auto fail = [&](int number) {
    why = "cannot write in " + folder_.string() + ": " + std::strerror(number);
    return false;
  };
  if (error) return fail(error.value());
  {
    const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (file.get() < 0) return fail(errno);
    struct stat info {};
    errno = EIO;
    bool good = write_network(file.get(), key, name, plan, kernels) && ::fstat(file.get(), &info) == 0;
    int number = errno;
    if (good && static_cast<uint64_t>(info.st_size) > most_bytes_) {
      ::unlink(temporary.c_str());
      why =
          "it takes " + std::to_string(info.st_size) + " bytes, and the cache may hold " + std::to_string(most_bytes_);
      return false;
    }
    if (good && ::rename(temporary.c_str(), path_of(key).c_str()) != 0) {
      good = false;
      number = errno;
    }
    if (!good) {
      ::unlink(temporary.c_str());
      return fail(number);
    }
  }
  evict();
  return true;
}

void NetworkCache::evict() const {
  std::vector<Entry> entries = entries_in(folder_);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  uint64_t bytes = 0;
  for (const Entry& e : entries)
    if (e.path.extension() == kExtension) bytes += e.bytes;
  std::error_code ignored;
  for (const Entry& e : entries) {
    if (is_temporary(e)) {
      if (fs::file_time_type::clock::now() - e.used > kAbandoned) fs::remove(e.path, ignored);
    } else if (e.path.extension() == kExtension && bytes > most_bytes_) {
      fs::remove(e.path, ignored);
      bytes -= e.bytes;
    }
  }
}

}  // namespace octet
