// The C API over the C++ API: no exception leaves, every pointer is checked.
#include "runtime/octet_c.h"

#include <cstring>
#include <string>

#include "runtime/octet.h"

struct octet_model {
  octet::Model model;
};

struct octet_context {
  octet::Context context;
};

namespace {

thread_local std::string last_error = "no error";

int fail(int status, const char* why) noexcept {
  try {
    last_error = why;
  } catch (...) {
    last_error.clear();  // no memory even for the message
  }
  return status;
}

template <class F>
int guarded(const F& f) noexcept {
  try {
    f();
    return OCTET_OK;
  } catch (const octet::Error& e) {
    return fail(static_cast<int>(e.kind()), e.what());
  } catch (const std::bad_alloc&) {
    return fail(OCTET_USER_ERROR, "out of memory");
  } catch (const std::exception& e) {
    return fail(OCTET_INTERNAL_ERROR, e.what());
  } catch (...) {
    return fail(OCTET_INTERNAL_ERROR, "unknown exception");
  }
}

void need(const void* pointer, const char* name) {
  if (!pointer) octet::user_error(std::string(name) + " is NULL");
}

octet::Options options_of(const octet_options& o) {
  if (o.size != sizeof(octet_options))
    octet::user_error("octet_options was not initialised by octet_options_init, or is of another version");
  octet::Options out{.threads = o.threads,
                     .batch = o.batch,
                     .keep_all = o.keep_all != 0,
                     .fuse = o.fuse != 0,
                     .strict_int8 = o.strict_int8 != 0,
                     .prove = o.prove != 0,
                     .winograd = o.winograd != 0};
  if (o.target) out.target = o.target;
  if (o.engine) out.engine = o.engine;
  if (o.profile) out.profile = o.profile;
  if (o.dump_dir) out.dump_dir = o.dump_dir;
  if (o.tuned) out.tuned = o.tuned;
  if (o.cache_dir) out.cache_dir = o.cache_dir;
  out.cache_bytes = o.cache_bytes;
  return out;
}

using Tensors = const std::vector<octet::TensorInfo>& (octet::Model::*)() const;

size_t count(const octet_model* model, Tensors tensors) {
  return model ? (model->model.*tensors)().size() : 0;
}

int describe(const octet_model* model, Tensors tensors, size_t index, octet_tensor_info* info) {
  return guarded([&] {
    need(model, "model");
    need(info, "info");
    const auto& all = (model->model.*tensors)();
    if (index >= all.size())
      octet::user_error("index " + std::to_string(index) + " of " + std::to_string(all.size()) + " tensors");
    const octet::TensorInfo& t = all[index];
    *info = {t.name.c_str(), static_cast<int>(t.dtype),     t.shape.size(), t.shape.data(),
             t.bytes(),      static_cast<int>(t.quantized), t.scale,        t.zero_point};
  });
}

}  // namespace

const char* octet_version(void) {
  return octet::version();
}
const char* octet_last_error(void) {
  return last_error.c_str();
}

void octet_options_init(octet_options* options) {
  if (options)
    *options = {.size = sizeof(octet_options),
                .target = "host",
                .engine = "jit",
                .threads = 1,
                .batch = 1,
                .fuse = 1,
                .winograd = 1,
                .prove = 1,
                .cache_bytes = octet::Options{}.cache_bytes};
}

int octet_model_load(const char* path, const octet_options* options, octet_model** model) {
  if (model) *model = nullptr;
  return guarded([&] {
    need(path, "path");
    need(model, "model");
    *model = new octet_model{octet::Model::load(path, options ? options_of(*options) : octet::Options{})};
  });
}

void octet_model_free(octet_model* model) {
  delete model;
}

const char* octet_model_cache_status(const octet_model* model) {
  return model ? model->model.cache_status().c_str() : "off";
}

size_t octet_model_input_count(const octet_model* model) {
  return count(model, &octet::Model::inputs);
}
size_t octet_model_output_count(const octet_model* model) {
  return count(model, &octet::Model::outputs);
}
size_t octet_model_tensor_count(const octet_model* model) {
  return count(model, &octet::Model::tensors);
}

int octet_model_input(const octet_model* model, size_t index, octet_tensor_info* info) {
  return describe(model, &octet::Model::inputs, index, info);
}
int octet_model_output(const octet_model* model, size_t index, octet_tensor_info* info) {
  return describe(model, &octet::Model::outputs, index, info);
}
int octet_model_tensor(const octet_model* model, size_t index, octet_tensor_info* info) {
  return describe(model, &octet::Model::tensors, index, info);
}

int octet_context_create(const octet_model* model, octet_context** context) {
  if (context) *context = nullptr;
  return guarded([&] {
    need(model, "model");
    need(context, "context");
    *context = new octet_context{octet::Context(model->model)};
  });
}

void octet_context_free(octet_context* context) {
  delete context;
}

int octet_run(octet_context* context, const void* const* inputs, size_t input_count, void* const* outputs,
              size_t output_count) {
  return guarded([&] {
    need(context, "context");
    if (input_count) need(inputs, "inputs");
    if (output_count) need(outputs, "outputs");
    context->context.run({inputs, input_count}, {outputs, output_count});
  });
}

int octet_read(const octet_context* context, const char* tensor, void* destination, size_t bytes) {
  return guarded([&] {
    need(context, "context");
    need(tensor, "tensor");
    if (bytes) need(destination, "destination");
    const std::vector<uint8_t> values = context->context.read(tensor);
    if (values.size() != bytes)
      octet::user_error(std::string("tensor '") + tensor + "' has " + std::to_string(values.size()) + " bytes, not " +
                        std::to_string(bytes));
    if (bytes) std::memcpy(destination, values.data(), bytes);
  });
}
