// What the importers of every format share: limits on hostile files, shapes and copies of constants, and what a handler
// sees of its node's inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/io/mapped_file.h"
#include "runtime/status.h"

namespace octet::importing {

using Ints = std::vector<int64_t>;

inline constexpr int64_t kMostBytes = int64_t{1} << 31;  // of one tensor
inline constexpr size_t kMostRank = 8;
inline constexpr int64_t kMostWindow = 1 << 15;  // pixels of kernels, strides, dilations and pads
inline constexpr int64_t kMostSide = 1 << 24;    // of what is resized
inline constexpr int64_t kMostBatch = 65536;

// "product of dims too large" and the like, or empty. Empty tensors are allowed.
std::string shape_problem(const Shape& shape, DType dtype);

// That what nodes read and write has elements; else a user error that names the node. Importers may fold empty tensors,
// nothing computes them.
void refuse_empty(const Graph& graph);

// For messages: in quotes, never long.
std::string in_quotes(std::string_view name);

// A name from the file, fit for a message of one line. Throws where it is too long.
std::string clean_name(std::string_view name);

// The shape that both broadcast to, if they do.
std::optional<Ints> broadcast(const Shape& a, const Shape& b);
Ints row_major_strides(const Shape& shape);
int64_t byte_count(const Shape& shape, DType dtype);
// Elements of `t` at offset + sum of index * stride, in row-major order of `shape`.
std::vector<std::byte> strided_copy(const Tensor& t, const Shape& shape, int64_t offset, const Ints& strides);

// A node's inputs, checked; the budget of what is made from constants.
class NodeInputs {
 public:
  // `folded_bytes` counts for the whole file.
  NodeInputs(Graph& g, int64_t& folded_bytes) : graph(g), folded_bytes_(folded_bytes) {}
  virtual ~NodeInputs() = default;

  Graph& graph;

  [[noreturn]] void fail(const std::string& what) const;  // "node 'name' (Op): what"
  [[noreturn]] void fail_attribute(std::string_view name, const std::string& value, std::string_view supported) const;

  // Reading one that is absent is an error that names `role`.
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i] != kNoTensor; }
  size_t input_count() const { return inputs_.size(); }
  TensorId input(size_t i, std::string_view role = "input") const;
  const Tensor& tensor(size_t i, std::string_view role = "input") const { return graph.tensor(input(i, role)); }
  void expect_inputs(size_t least, size_t most) const;
  void expect_dtype(TensorId id, std::initializer_list<DType> allowed) const;
  void expect_rank(TensorId id, size_t least, size_t most) const;
  bool is_constant(size_t i) const { return has(i) && tensor(i).is_constant(); }
  // The values of a constant of integers (any shape), or of one float.
  Ints integers_in(size_t i, std::string_view role) const;
  float real_in(size_t i, std::string_view role) const;

  int64_t axis(int64_t value, size_t rank) const;  // made non-negative; checks the range
  void charge(int64_t bytes) const;                // against the limit on what is made from constants
  void check_shape(const Shape& shape, DType dtype) const;
  void check_resized(const Shape& from, const Shape& to) const;  // of equal rank: the sides that change

 protected:
  virtual std::string who() const = 0;  // "'name' (Op)"

  std::vector<TensorId> inputs_;

 private:
  int64_t& folded_bytes_;
};

// Every user error says which file it is about.
template <class Import>
auto named(const std::string& name, Import import) {
  try {
    return import();
  } catch (const Error& e) {
    throw Error(e.kind(), name + ": " + e.what());
  } catch (const std::bad_alloc&) {
    user_error(name + ": not enough memory for this model");
  }
}

// User errors if it cannot be read.
std::shared_ptr<const MappedFile> map_model(const std::filesystem::path& path);

}  // namespace octet::importing
