// Networks that are ready to run, kept in a folder between processes. Files appear whole, by renaming, and are never
// written again, so any number of processes may use one folder at once, and a file that goes while it is mapped does
// no harm. Whoever may write there chooses what code runs: files of other users are ignored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "jit/network_file.h"

namespace octet {

// A model file's content, and what tells it from a later one under the same name.
struct ModelFile {
  NetworkKey hash{};
  uint64_t device = 0, inode = 0, bytes = 0;
  int64_t seconds = 0, nanoseconds = 0;  // last change
  bool operator==(const ModelFile&) const = default;
};

// Reads the whole file; nothing where it cannot be read.
std::optional<ModelFile> model_file(const std::filesystem::path& path);
// Whether the file under that name is still that one, by the system's records.
bool is_current(const std::filesystem::path& path, const ModelFile& file);

// `made_how`: in words, everything else that the result depends on.
NetworkKey network_key(const ModelFile& model, const std::string& made_how);

class NetworkCache {
 public:
  // Keeps at most `most_bytes`; beyond that the files that were not used for longest go.
  NetworkCache(std::filesystem::path folder, uint64_t most_bytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}

  // Nothing where there is none; `why` says so where there is one that cannot be used. Counts as a use.
  std::optional<StoredNetwork> find(const NetworkKey& key, std::string& why) const;

  // Never fails: `why` says what stood in the way, and the folder is as before.
  bool store(const NetworkKey& key, const std::string& name, const Plan& plan, std::span<const StoredKernel> kernels,
             std::string& why) const;

 private:
  std::filesystem::path path_of(const NetworkKey& key) const;
  void evict() const;

  std::filesystem::path folder_;
  uint64_t most_bytes_;
};

}  // namespace octet
