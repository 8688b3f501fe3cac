// Whether nodes have an integer form: what check_integer refuses and make_islands works around.
#pragma once

#include <string>

#include "generator/passes/edit.h"

namespace octet {

// Whether the node works outside of int8: its result is neither quantized nor made from quantized bytes by
// dequantization.
bool is_float(const Graph& graph, const Node& node);

// Why a node that works outside of int8 does.
std::string why_float(const Edit& edit, const Graph& graph, const Node& node);

// User error where the node's tensors are of types that no kernel takes outside of int8.
void check_island(const Graph& graph, const Node& node);

// Why a node on quantized tensors has no integer form; empty where it has one.
std::string why_not_integer(const Graph& graph, const Node& node);

}  // namespace octet
