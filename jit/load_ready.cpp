#include "jit/load_ready.h"

#include <fmt/format.h>

#include <cstring>

#include "generator/kernel/plain.h"
#include "jit/backend.h"
#include "jit/build_id.h"
#include "jit/code_memory.h"
#include "jit/llvm/codegen.h"
#include "runtime/status.h"

namespace octet {
namespace {

// Everything but the model's bytes that the result depends on. The binding names every option, so that a new one does
// not compile until it has its place here.
std::string made_how(const std::filesystem::path& path, const LoadOptions& options, const Target& target) {
  const auto& [given_target, engine, threads, sharing, batch, profile, keep_all, fuse, views, strict_int8, prove, tuned,
               tiling_candidate, winograd, compiler, dump_dir] = options;
  static_cast<void>(given_target);                           // nullptr for the host's; `target` is what it became
  static_cast<void>(engine);                                 // only jit is cached
  static_cast<void>(compiler), static_cast<void>(dump_dir);  // of other engines; not cached
  return fmt::format(
      "{} {} threads {} sharing {} {} {} {} batch {} profile {} keep {} fuse {} views {} strict {} prove {} tilings {} "
      "{} winograd {} name {}",
      build_id() + (target.backend == Backend::llvm ? " llvm " + llvm_build() : ""), target.name, threads, sharing.wake,
      sharing.step, sharing.remote_byte, sharing.shared_row, batch, profile ? profile_name(*profile) : "", keep_all,
      fuse, views, strict_int8, prove, tiling_candidate, tuned ? tuned->text() : "", static_cast<int>(winograd),
      path.stem().string());  // the name of graphs that have none
}

// Why this load has nothing to do with a cache, or nothing.
std::string not_cached(const LoadOptions& options, const Target& target) {
  if (options.engine != Engine::jit) return "only engine jit is cached";
  if (!can_compile(target)) return fmt::format("target {} has no machine code", target.name);
  if (!options.dump_dir.empty()) return "dumps are wanted";
  if (build_id().empty()) return "this program was linked without --build-id, so builds cannot be told apart";
  return {};
}

// Throws where a plain op is unknown.
std::shared_ptr<const Executor> bind(StoredNetwork network) {
  auto memory = std::make_shared<CodeMemory>();
  std::vector<BoundKernel> kernels;
  for (const StoredKernel& k : network.kernels) {
    OctetKernel entry = plain_function(k.name);
    if (!k.code.empty()) {
      const std::span<uint8_t> room = memory->reserve(k.code.size());
      std::memcpy(room.data(), k.code.data(), k.code.size());
      memory->commit(k.name, k.code.size());
      entry = reinterpret_cast<OctetKernel>(room.data());
    }
    if (!entry) user_error("it calls " + k.name + ", which this build does not have");
    kernels.push_back({entry, {}});
  }
  memory->seal();
  return std::make_shared<const Executor>(std::move(network.plan), std::move(kernels), std::move(memory));
}

}  // namespace

ReadyModel load_ready(const std::filesystem::path& path, const LoadOptions& options, const CacheOptions& cache) {
  const Target& target = options.target ? *options.target : host_target();
  check_target(target, options.engine);
  LoadedModel loaded;
  const auto uncached = [&](std::string status) {
    loaded = load(path, options);
    return ReadyModel{loaded.graph.name, loaded.executor, std::move(status)};
  };
  if (cache.folder.empty()) return uncached("off");
  if (const std::string why = not_cached(options, target); !why.empty()) return uncached("not used: " + why);
  const std::optional<ModelFile> model = model_file(path);
  if (!model) return uncached("off");  // which says what is wrong with the file

  const NetworkCache store(cache.folder, cache.most_bytes);
  const NetworkKey key = network_key(*model, made_how(path, options, target));
  std::string unusable;
  if (std::optional<StoredNetwork> network = store.find(key, unusable)) try {
      std::string name = network->name;
      return {std::move(name), bind(std::move(*network)), "hit"};
    } catch (const Error& e) {
      unusable = e.what();
    }
  ReadyModel ready = uncached("stored");
  std::string why;
  if (loaded.graph.external_data)
    why = "the model has external data";
  else if (!is_current(path, *model))
    why = "the model's file changed while it was loaded";
  else
    store.store(key, ready.name, ready.executor->plan(), loaded.stored_kernels, why);
  if (!why.empty())
    ready.cache = "not stored: " + why;
  else if (!unusable.empty())
    ready.cache = "stored anew: " + unusable;
  return ready;
}

}  // namespace octet
