// A quantized product with a constant stack of matrices: a linear layer for each matrix, as for a single one. Where all
// share one matrix it is one layer. What is left, of very many matrices, or with the constant on the left, stays a
// product.
#include <fmt/format.h>

#include <unordered_map>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr int64_t kMostMatrices = 1024;

// Runtimes that take such a product for as many layers: measured for LiteRT and ONNX Runtime.
bool splits_products(Profile profile) {
  return profile == Profile::ort || is_tflite(profile);
}

class MatMulSplitter {
 public:
  MatMulSplitter(Edit& edit, int i)
      : edit_(edit),
        graph_(edit.graph()),
        i_(i),
        node_(edit.node(i)),
        x_(graph_.tensor(node_.inputs[0])),
        w_(graph_.tensor(node_.inputs[1])),
        y_(graph_.tensor(node_.outputs[0])) {}

  bool applies() const {
    for (const Tensor* t : {&x_, &w_, &y_})
      if (!t->is_quantized() || !t->quant->per_tensor() || t->shape.size() < 2) return false;
    if (x_.is_constant() || !w_.is_constant()) return false;
    const int64_t count = element_count(batch(y_));
    if (element_count(batch(w_)) == 1 || count <= kMostMatrices) return true;
    if (graph_.profile == Profile::xnn)  // whose products round in another way
      user_error(fmt::format("{}: {} products with constant matrices; supported in profile xnn are {}", describe(node_),
                             count, kMostMatrices));
    return false;
  }

  void run() {
    edit_.remove(i_);
    if (element_count(batch(w_)) == 1) {
      Shape rows = y_.shape;
      rows.back() = x_.shape.back();
      const TensorId x = rows == x_.shape ? node_.inputs[0] : reshaped(node_.inputs[0], "/rows", rows);
      return add_linear("", x, weights(0), node_.outputs[0]);
    }
    const int64_t count = element_count(batch(y_)), m = y_.shape[y_.shape.size() - 2], n = y_.shape.back();
    const int64_t k = x_.shape.back();
    const TensorId x = reshaped(node_.inputs[0], "/matrices", {element_count(batch(x_)), m, k});
    Node join{.op = OpKind::concat, .name = node_.name + "/join", .source = node_.source};
    for (int64_t matrix = 0; matrix < count; ++matrix) {
      const std::string at = fmt::format("/{}", matrix);
      const TensorId result = between(at + "/result", y_, {1, m, n});
      add_linear(at, sliced(x, at, place_in(x_, matrix)), weights(place_in(w_, matrix)), result);
      join.inputs.push_back(result);
    }
    const TensorId all = between("/all", y_, {count, m, n});
    join.outputs = {all};
    edit_.add_node(std::move(join), i_);
    add(OpKind::reshape, "/shape", all, node_.outputs[0]);
  }

 private:
  static Shape batch(const Tensor& t) { return {t.shape.begin(), t.shape.end() - 2}; }

  // The matrix of t, whose dimensions of one repeat, that belongs to a matrix of the result.
  int64_t place_in(const Tensor& t, int64_t matrix) const {
    const Shape all = batch(y_), own = batch(t);
    int64_t place = 0, stride = 1;
    for (size_t d = 1; d <= own.size(); ++d) {
      const int64_t size = all[all.size() - d], dim = own[own.size() - d];
      if (dim != 1) place += matrix % size * stride;
      stride *= dim;
      matrix /= size;
    }
    return place;
  }

  // Matrix `place` of the constant, [k, n], as weights [n, k].
  TensorId weights(int64_t place) {
    const auto known = weights_.find(place);
    if (known != weights_.end()) return known->second;
    const int64_t k = w_.shape[w_.shape.size() - 2], n = w_.shape.back();
    std::vector<std::byte> values(static_cast<size_t>(n * k));
    transpose_rows(w_.data->data() + place * k * n, values.data(), 1, k, n);
    const TensorId id = graph_.add_constant<std::byte>(w_.name, w_.dtype, {n, k}, values);
    graph_.tensor(id).quant = w_.quant;
    return weights_[place] = id;
  }

  TensorId between(const std::string& suffix, const Tensor& like, Shape shape) {
    return edit_.add_tensor(
        {.name = node_.name + suffix, .dtype = like.dtype, .shape = std::move(shape), .quant = like.quant});
  }

  int add(OpKind op, const std::string& suffix, TensorId from, TensorId to) {
    return edit_.add_node(
        {.op = op, .name = node_.name + suffix, .source = node_.source, .inputs = {from}, .outputs = {to}}, i_);
  }

  TensorId reshaped(TensorId from, const std::string& suffix, const Shape& shape) {
    const TensorId to = between(suffix, x_, shape);
    add(OpKind::reshape, suffix, from, to);
    return to;
  }

  // Matrix `place` of x [matrices, m, k].
  TensorId sliced(TensorId x, const std::string& at, int64_t place) {
    const Shape& shape = graph_.tensor(x).shape;
    if (shape[0] == 1) return x;
    const TensorId to = between(at + "/matrix", x_, {1, shape[1], shape[2]});
    Node& slice = edit_.node(add(OpKind::slice, at + "/matrix", x, to));
    slice.starts = {place, 0, 0};
    slice.steps = {1, 1, 1};
    return to;
  }

  void add_linear(const std::string& suffix, TensorId x, TensorId w, TensorId to) {
    edit_.add_node({.op = OpKind::linear,
                    .name = node_.name + suffix,
                    .source = node_.source,
                    .inputs = {x, w},
                    .outputs = {to},
                    .range = node_.range},
                   i_);
  }

  Edit& edit_;
  Graph& graph_;
  int i_;
  const Node node_;
  const Tensor x_, w_, y_;
  std::unordered_map<int64_t, TensorId> weights_;  // by place in the constant
};

}  // namespace

void split_matmul(Graph& graph) {
  if (!splits_products(graph.profile)) return;
  Edit edit(graph);
  for (int i : edit.order()) {
    if (edit.node(i).op != OpKind::matmul) continue;
    if (MatMulSplitter splitter(edit, i); splitter.applies()) splitter.run();
  }
  edit.finish();
}

}  // namespace octet
