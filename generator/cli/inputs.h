// What the user gave for a network's inputs, as arrays that the network takes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "generator/io/npy.h"
#include "generator/io/photo.h"
#include "runtime/tensor_info.h"

namespace octet::cli {

struct InputOptions {
  std::vector<std::string> files;  // FILE or NAME=FILE; .npy, .npz, photographs
  std::string resize = "squeeze", scale, mean, std;

  void add_photos(CLI::App& verb);  // how photographs become numbers
};

// One array per graph input, of its dtype, its first dimension `runs` times the model's; and a name per run.
struct Inputs {
  std::vector<Array> arrays;
  std::vector<std::string> names;  // what each run shows, for people
  size_t runs = 1;
};

Inputs gather_inputs(const std::vector<TensorInfo>& tensors, const InputOptions& options);

// The array as the tensor's dtype: integers of the quantized type become float32 and the reverse; anything else that
// differs is a user error, as is a shape that is no multiple of the tensor's along the first dimension.
Array fit(Array array, const TensorInfo& tensor, const std::string& source);

}  // namespace octet::cli
