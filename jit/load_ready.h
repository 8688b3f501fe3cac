// Model file -> a network that is ready to run and nothing else, from the cache on disk where there is one.
#pragma once

#include "jit/load.h"
#include "jit/network_cache.h"

namespace octet {

struct CacheOptions {
  std::filesystem::path folder;  // empty: no cache
  uint64_t most_bytes = uint64_t{1} << 30;
};

struct ReadyModel {
  std::string name;  // of the graph
  std::shared_ptr<const Executor> executor;
  // "off"; "hit"; "stored" for the next load; "stored anew: ...", "not used: ..." or "not stored: ..." and why.
  std::string cache;
};

// What load() refuses is refused; a cache that cannot be used never is an error. Only engine jit with machine code is
// cached, and neither dumps nor models with external data.
ReadyModel load_ready(const std::filesystem::path& model, const LoadOptions& options, const CacheOptions& cache);

}  // namespace octet
