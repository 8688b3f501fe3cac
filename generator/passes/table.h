// Elementwise functions of one quantized tensor as tables: 256 results, indexed by the source's byte.
#pragma once

#include <array>

#include "generator/kernel/lut.h"
#include "generator/passes/edit.h"

namespace octet {

using Table = std::array<int32_t, 256>;  // quantized values of the destination

// The quantized value that a byte of this type means, and back.
inline int32_t value_of_byte(int byte, DType dtype) {
  return dtype == DType::s8 && byte > 127 ? byte - 256 : byte;
}
inline int byte_of_value(int32_t q) {
  return q & 255;
}

// A table of storage bytes in quantized values, as the tensors' types read them.
Table values_of(const Lut& table, const Tensor& from, const Tensor& to);

// A constant with type and parameters of `like`: each of its values by a table.
TensorId mapped_constant(Graph& graph, std::string name, const Tensor& from, const Tensor& like, const Table& table);

// The table of a unary node that carries one, or of a requantize.
Table table_of(const Graph& graph, const Node& node);
// The same on storage bytes (generator/kernel/spec.h).
Lut storage_table(const Graph& graph, const Node& node);

// What a quantized op of two tensors (is_binary) gives for two quantized values, its range included.
class BinaryFormula {
 public:
  BinaryFormula(const Graph& graph, const Node& node);
  int32_t operator()(int32_t a, int32_t b) const;

 private:
  QuantView a_, b_, out_;
  OpKind op_;
  AddFormula add_;
  MulFormula mul_;
  PairFormula pair_;
};

// The constant that a unary node carries as inputs[1].
TensorId add_table(Graph& graph, const std::string& name, DType dtype, const Table& table);

}  // namespace octet
