// Octet's C++ API: load a quantized network, run it.
//
//   const octet::Model model = octet::Model::load("mobilenet.onnx");
//   octet::Context context(model);                       // one per thread
//   std::vector<float> image(3 * 224 * 224), scores(1000);
//   const void* inputs[] = {image.data()};
//   void* outputs[] = {scores.data()};
//   context.run(inputs, outputs);                        // allocates nothing
//
// Errors are octet::Error. kind() == user: the file, the options or the arguments; what() is one line that names what
// is wrong and what is supported. kind() == internal: a bug of Octet; please report it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dtype.h"  // these three lie beside this file, here and where it is installed
#include "status.h"
#include "tensor_info.h"

#define OCTET_API __attribute__((visibility("default")))

namespace octet {

struct Options {
  // scalar, avx2, avx512_vnni, avx512_vbmi, neon, neon_dot, neon_i8mm; host: the best of this machine (OCTET_MAX_TARGET
  // caps it).
  std::string target = "host";
  // jit: machine code now; cpp: C++ through the system's compiler; interpreter: slow, any target on any machine;
  // reference: slow, obvious.
  std::string engine = "jit";
  int threads = 1;           // that one run uses; the bytes do not depend on it
  int64_t batch = 1;         // where the file leaves the first dimension open
  std::string profile;       // whose rounding the bytes follow: ort, xnn, tfl-ref, ...; empty: what the file asks for
  bool keep_all = false;     // every quantized tensor keeps its memory, for Context::read; costs memory
  bool fuse = true;          // false: residual adds stay kernels of their own, so that every tensor exists
  bool strict_int8 = false;  // true: a network of which anything would run in f32 is refused
  bool prove = true;  // false: channels that the weights prove needless are computed, so that every tensor exists
  // false: no 3x3 convolution takes Winograd's form, which is faster but makes its weights eight times as large.
  bool winograd = true;
  std::string tuned;     // a file that `octet tune` wrote: measured choices of register tiles; empty: none
  std::string dump_dir;  // graph, programs and code as text are written here; empty: nowhere
  // Folder that keeps loaded networks for the next load, which then maps them: no parsing, no packing, no code
  // generation. Not given: OCTET_CACHE_DIR, if that is set; empty: no cache. It holds code that will run, so nobody
  // else should be able to write there.
  std::optional<std::string> cache_dir;
  uint64_t cache_bytes = uint64_t{1} << 30;  // that the folder may hold; what was not used for longest goes first
};

// A loaded network: immutable, cheap to copy, safe to share between threads.
class OCTET_API Model {
 public:
  static Model load(const std::string& path, const Options& options = {});

  const std::string& name() const;    // of the graph, as the file says
  const std::string& target() const;  // what `host` became
  const std::vector<TensorInfo>& inputs() const;
  const std::vector<TensorInfo>& outputs() const;
  // The tensors inside that survived fusion and lost no channels, in the file's order; readable after a run
  // with keep_all.
  const std::vector<TensorInfo>& tensors() const;
  size_t arena_bytes() const;   // memory of one Context
  size_t weight_bytes() const;  // packed weights and constants, shared by all Contexts
  // What the cache did: "off", "hit", "stored" (for the next load), or "not stored", "not used", "stored anew" (in
  // place of a damaged file), each with ": why". A cache that cannot be used is never an error.
  const std::string& cache_status() const;

 private:
  friend class Context;
  struct Impl;
  explicit Model(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

// Where a network runs: its activations and, with threads > 1, its threads. Belongs to one thread at a time; several
// contexts of one model may run at once. Keeps its model alive.
class OCTET_API Context {
 public:
  explicit Context(const Model& model);
  ~Context();
  Context(Context&&) noexcept;
  Context& operator=(Context&&) noexcept;

  // One pointer per input and output, in the model's order, each to TensorInfo::bytes() bytes: dense, row-major, of the
  // tensor's dtype, aligned to that. No input may overlap an output.
  void run(std::span<const void* const> inputs, std::span<void* const> outputs);

  // A tensor of Model::tensors() as the last run left it: dense, in the file's order of dimensions, in its
  // own type.
  std::vector<uint8_t> read(const std::string& tensor) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

OCTET_API const char* version();  // "0.1.0"

}  // namespace octet
