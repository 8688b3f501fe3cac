// Scores as classes with names.
#pragma once

#include <string>
#include <vector>

#include "generator/io/npy.h"
#include "runtime/tensor_info.h"

namespace octet::cli {

// One class a line; an empty path gives no labels.
std::vector<std::string> read_labels(const std::string& path);

// A user error where an output is not one score per class, or has another number of classes than there are labels.
void check_classes(const TensorInfo& scores, const std::vector<std::string>& labels);

// The `top` best classes of every image, best first; equal scores by index. Scores that are no probabilities are shown
// beside their softmax. `scores` is [images, classes] with any further dimensions of 1, and has been
// checked.
void print_classes(const Array& scores, const std::vector<std::string>& images, int top,
                   const std::vector<std::string>& labels);

}  // namespace octet::cli
