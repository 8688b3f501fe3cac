#include "generator/import/common.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "generator/import/foreign.h"
#include "runtime/status.h"

namespace octet::importing {

std::string shape_problem(const Shape& shape, DType dtype) {
  if (shape.size() > kMostRank) return fmt::format("{} dimensions; supported: at most {}", shape.size(), kMostRank);
  int64_t bytes = static_cast<int64_t>(dtype_bytes(dtype));
  bool fits = true;
  for (int64_t d : shape) {
    if (d < 0) return fmt::format("shape {} with a negative dimension", to_string(shape));
    fits = fits && !__builtin_mul_overflow(bytes, std::max<int64_t>(d, 1), &bytes) && bytes <= kMostBytes;
  }
  return fits ? "" : fmt::format("shape {} of {}; supported: tensors up to 2 GiB", to_string(shape), dtype_name(dtype));
}

void refuse_empty(const Graph& graph) {
  for (const Node& n : graph.nodes)
    for (const auto* ids : {&n.inputs, &n.outputs})
      for (const TensorId id : *ids) {
        if (id == kNoTensor || element_count(graph.tensor(id).shape) > 0) continue;
        const Tensor& t = graph.tensor(id);
        user_error(fmt::format("node {} ({}): tensor {} has shape {}; supported: tensors with elements",
                               in_quotes(n.name), n.source, in_quotes(t.name), to_string(t.shape)));
      }
}

std::string in_quotes(std::string_view name) {
  constexpr size_t kMost = 160;
  if (name.size() <= kMost) return fmt::format("'{}'", name);
  return fmt::format("'{}...'", name.substr(0, kMost));
}

std::string clean_name(std::string_view name) {
  // Messages are one line, and names come from anybody. Names are copied where the importer adds tensors: bounded.
  constexpr size_t kMostName = 1024;
  if (name.size() > kMostName)
    user_error(fmt::format("a name of {} characters, {}; supported: up to {}", name.size(),
                           in_quotes(name.substr(0, 40)), kMostName));
  std::string text(name);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text;
}

Ints row_major_strides(const Shape& shape) {
  Ints strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

std::optional<Ints> broadcast(const Shape& a, const Shape& b) {
  Shape shape(std::max(a.size(), b.size()), 1);
  for (size_t d = 0; d < shape.size(); ++d) {
    const int64_t x = d < a.size() ? a[a.size() - 1 - d] : 1, y = d < b.size() ? b[b.size() - 1 - d] : 1;
    if (x != y && x != 1 && y != 1) return {};
    shape[shape.size() - 1 - d] = x == 1 ? y : x;
  }
  return shape;
}

int64_t byte_count(const Shape& shape, DType dtype) {
  return element_count(shape) * static_cast<int64_t>(dtype_bytes(dtype));
}

namespace {

template <class T>
std::byte* copy_rows(const T* from, std::byte* to, const Shape& shape, const Ints& strides, size_t d) {
  if (d == shape.size()) {
    std::memcpy(to, from, sizeof(T));
    return to + sizeof(T);
  }
  if (d + 1 == shape.size() && strides[d] == 1) {
    const size_t bytes = static_cast<size_t>(shape[d]) * sizeof(T);
    std::memcpy(to, from, bytes);
    return to + bytes;
  }
  for (int64_t i = 0; i < shape[d]; ++i) to = copy_rows(from + i * strides[d], to, shape, strides, d + 1);
  return to;
}

}  // namespace

std::vector<std::byte> strided_copy(const Tensor& t, const Shape& shape, int64_t offset, const Ints& strides) {
  std::vector<std::byte> out(static_cast<size_t>(byte_count(shape, t.dtype)));
  if (out.empty()) return out;
  const std::byte* from = t.data->data() + offset * static_cast<int64_t>(dtype_bytes(t.dtype));
  switch (dtype_bytes(t.dtype)) {
    case 1: copy_rows(from, out.data(), shape, strides, 0); break;
    case 4: copy_rows(reinterpret_cast<const int32_t*>(from), out.data(), shape, strides, 0); break;
    default: copy_rows(reinterpret_cast<const int64_t*>(from), out.data(), shape, strides, 0);
  }
  return out;
}

std::shared_ptr<const MappedFile> map_model(const std::filesystem::path& path) {
  std::string why;
  auto file = MappedFile::open(path, false, why);
  if (!file) user_error("cannot read the model: " + why);
  if (const std::string format = foreign_format(file->bytes()); !format.empty()) user_error(format);
  return file;
}

void NodeInputs::fail(const std::string& what) const {
  user_error(fmt::format("node {}: {}", who(), what));
}

void NodeInputs::fail_attribute(std::string_view name, const std::string& value, std::string_view supported) const {
  fail(fmt::format("attribute {} is {}; supported: {}", name, value.substr(0, 160), supported));
}

TensorId NodeInputs::input(size_t i, std::string_view role) const {
  if (!has(i)) fail(fmt::format("{} (input {}) is missing", role, i));
  return inputs_[i];
}

void NodeInputs::expect_inputs(size_t least, size_t most) const {
  if (inputs_.size() < least || inputs_.size() > most)
    fail(fmt::format("{} inputs; supported: {}", inputs_.size(),
                     least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most)));
}

void NodeInputs::expect_dtype(TensorId id, std::initializer_list<DType> allowed) const {
  const Tensor& t = graph.tensor(id);
  if (std::find(allowed.begin(), allowed.end(), t.dtype) != allowed.end()) return;
  std::string names;
  for (DType d : allowed) names += (names.empty() ? "" : ", ") + std::string(dtype_name(d));
  fail(fmt::format("input {} has dtype {}; supported: {}", in_quotes(t.name), dtype_name(t.dtype), names));
}

void NodeInputs::expect_rank(TensorId id, size_t least, size_t most) const {
  const Tensor& t = graph.tensor(id);
  if (t.shape.size() < least || t.shape.size() > most)
    fail(fmt::format("input {} of shape {} has rank {}; supported: {}", in_quotes(t.name), to_string(t.shape),
                     t.shape.size(), least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most)));
}

Ints NodeInputs::integers_in(size_t i, std::string_view role) const {
  const Tensor& t = tensor(i, role);
  constexpr int64_t kMost = 1 << 16;  // shapes, axes, sizes
  if (!t.is_constant())
    fail(fmt::format("{} ({}) is not constant; supported: values known at import", role, in_quotes(t.name)));
  expect_dtype(input(i), {DType::s64, DType::s32});
  if (element_count(t.shape) > kMost) fail(fmt::format("{} has {} values", role, element_count(t.shape)));
  if (t.dtype == DType::s64) return {t.values<int64_t>().begin(), t.values<int64_t>().end()};
  return {t.values<int32_t>().begin(), t.values<int32_t>().end()};
}

float NodeInputs::real_in(size_t i, std::string_view role) const {
  const Tensor& t = tensor(i, role);
  if (!t.is_constant() || t.dtype != DType::f32 || element_count(t.shape) != 1)
    fail(fmt::format("{} ({}) is {} {}{}; supported: one constant f32", role, in_quotes(t.name), dtype_name(t.dtype),
                     to_string(t.shape), t.is_constant() ? "" : ", not constant"));
  return t.values<float>()[0];
}

int64_t NodeInputs::axis(int64_t value, size_t rank) const {
  const int64_t r = static_cast<int64_t>(rank);
  if (value < -r || value >= r) fail(fmt::format("axis {} of a tensor of rank {}", value, rank));
  return value < 0 ? value + r : value;
}

void NodeInputs::charge(int64_t bytes) const {
  constexpr int64_t kMost = int64_t{1} << 28;
  folded_bytes_ += bytes;
  if (folded_bytes_ > kMost) fail("constants computed from constants pass 256 MiB");
}

void NodeInputs::check_resized(const Shape& from, const Shape& to) const {
  for (size_t d = 0; d < to.size(); ++d)
    if (to[d] != from[d] && (to[d] < 1 || to[d] > kMostSide))
      fail(fmt::format("axis {} of {} becomes {}; supported: 1 to {} elements", d, to_string(from), to[d], kMostSide));
}

void NodeInputs::check_shape(const Shape& shape, DType dtype) const {
  if (const std::string problem = shape_problem(shape, dtype); !problem.empty()) fail("result: " + problem);
}

}  // namespace octet::importing
