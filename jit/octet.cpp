// The C++ API over load() and the executor.
#include "runtime/octet.h"

#include <algorithm>
#include <cstdlib>

#include "jit/load_ready.h"
#include "targets/target.h"

namespace octet {
namespace {

// Internals know nothing of memory limits; running out of it is the user's business.
template <class F>
auto guarded(const F& f) {
  try {
    return f();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    user_error("out of memory");
  } catch (const std::exception& e) {
    internal_error(e.what());
  }
}

void check_pointers(const char* what, size_t given, const auto& pointers, const std::vector<TensorInfo>& tensors) {
  if (given != tensors.size())
    user_error("run takes " + std::to_string(tensors.size()) + " " + what + "s, got " + std::to_string(given));
  for (size_t i = 0; i < given; ++i)
    if (!pointers[i] && tensors[i].bytes())
      user_error(std::string(what) + " '" + tensors[i].name + "' is a null pointer");
}

std::string cache_folder(const Options& options) {
  if (options.cache_dir) return *options.cache_dir;
  const char* folder = std::getenv("OCTET_CACHE_DIR");
  return folder ? folder : "";
}

}  // namespace

struct Model::Impl {
  ReadyModel ready;
  std::string target;
  std::vector<TensorInfo> tensors;
  bool keep_all = false;
};

Model::Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Model Model::load(const std::string& path, const Options& options) {
  if (options.threads < 1 || options.threads > 1024)
    user_error("threads must be 1 to 1024, not " + std::to_string(options.threads));
  if (options.batch < 1) user_error("batch must be at least 1, not " + std::to_string(options.batch));
  const LoadOptions inner{
      .target = &target_named(options.target),
      .engine = engine_named(options.engine),
      .threads = options.threads,
      .batch = options.batch,
      .profile = options.profile.empty() ? std::nullopt : std::optional(profile_named(options.profile)),
      .keep_all = options.keep_all,
      .fuse = options.fuse,
      .strict_int8 = options.strict_int8,
      .prove = options.prove,
      .tuned = options.tuned.empty() ? nullptr : std::make_shared<const TunedTilings>(read_tuned(options.tuned)),
      .winograd = options.winograd ? WinogradUse::where_it_pays : WinogradUse::never,
      .dump_dir = options.dump_dir};
  return guarded([&] {
    auto impl = std::make_shared<Impl>();
    impl->ready = load_ready(path, inner, {.folder = cache_folder(options), .most_bytes = options.cache_bytes});
    impl->target = inner.target->name;
    impl->keep_all = options.keep_all;
    for (const TensorPlace& t : impl->ready.executor->plan().tensors)
      impl->tensors.push_back({.name = t.name, .dtype = t.dtype, .shape = t.file_shape, .quantized = t.dtype});
    return Model(std::move(impl));
  });
}

const std::string& Model::name() const {
  return impl_->ready.name;
}
const std::string& Model::target() const {
  return impl_->target;
}
const std::vector<TensorInfo>& Model::inputs() const {
  return impl_->ready.executor->plan().inputs;
}
const std::vector<TensorInfo>& Model::outputs() const {
  return impl_->ready.executor->plan().outputs;
}
const std::vector<TensorInfo>& Model::tensors() const {
  return impl_->tensors;
}
size_t Model::arena_bytes() const {
  return static_cast<size_t>(impl_->ready.executor->plan().arena_bytes);
}
size_t Model::weight_bytes() const {
  return impl_->ready.executor->blob_bytes();
}
const std::string& Model::cache_status() const {
  return impl_->ready.cache;
}

struct Context::Impl {
  std::shared_ptr<const Model::Impl> model;
  ExecutionContext inner;
};

Context::Context(const Model& model)
    : impl_(guarded([&] {
        return std::make_unique<Impl>(Impl{model.impl_, ExecutionContext(model.impl_->ready.executor)});
      })) {}
Context::~Context() = default;
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;

void Context::run(std::span<const void* const> inputs, std::span<void* const> outputs) {
  const Plan& plan = impl_->model->ready.executor->plan();
  check_pointers("input", inputs.size(), inputs, plan.inputs);
  check_pointers("output", outputs.size(), outputs, plan.outputs);
  impl_->inner.run(inputs, outputs);
}

std::vector<uint8_t> Context::read(const std::string& tensor) const {
  if (!impl_->model->keep_all) user_error("reading tensor '" + tensor + "' needs a model loaded with keep_all");
  const auto& places = impl_->model->ready.executor->plan().tensors;
  const auto at = std::find_if(places.begin(), places.end(), [&](const TensorPlace& p) { return p.name == tensor; });
  if (at == places.end())
    user_error("no tensor '" + tensor + "' (it may be fused away; fuse = false keeps more)");
  return impl_->inner.read(*at);
}

const char* version() {
  return OCTET_VERSION;
}

}  // namespace octet
