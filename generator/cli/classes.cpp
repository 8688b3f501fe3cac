#include "generator/cli/classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "generator/io/file.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

std::vector<float> as_floats(const Array& a) {
  std::vector<float> out;
  out.reserve(static_cast<size_t>(a.elements()));
  switch (a.dtype) {
    case DType::f32: out.assign(a.values<float>().begin(), a.values<float>().end()); break;
    case DType::u8: out.assign(a.data.begin(), a.data.end()); break;
    case DType::s8: out.assign(a.values<int8_t>().begin(), a.values<int8_t>().end()); break;
    default: internal_error("scores of another type");
  }
  return out;
}

// A softmax that was quantized again no longer sums to one.
bool are_probabilities(std::span<const float> row) {
  const double sum = std::accumulate(row.begin(), row.end(), 0.0);
  return sum > 0.5 && sum < 1.5 && std::all_of(row.begin(), row.end(), [](float p) { return p >= 0 && p <= 1; });
}

std::vector<double> softmax(std::span<const float> row) {
  const float most = *std::max_element(row.begin(), row.end());
  std::vector<double> p;
  double sum = 0;
  for (const float x : row) sum += p.emplace_back(std::exp(static_cast<double>(x) - static_cast<double>(most)));
  for (double& x : p) x /= sum;
  return p;
}

void print_row(std::span<const float> row, int top, bool integers, const std::vector<std::string>& labels) {
  std::vector<size_t> order(row.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return row[a] > row[b]; });
  order.resize(std::min(order.size(), static_cast<size_t>(top)));
  size_t width = 0;
  const auto label = [&](size_t c) { return labels.empty() ? fmt::format("class {}", c) : labels[c]; };
  for (const size_t c : order) width = std::max(width, label(c).size());
  const bool probabilities = !integers && are_probabilities(row);
  const std::vector<double> share = integers || probabilities ? std::vector<double>() : softmax(row);
  for (const size_t c : order) {
    fmt::print("  {:<{}}  ", label(c), width);
    if (probabilities)
      fmt::print("{:5.1f} %", 100 * row[c]);
    else if (integers)
      fmt::print("{:4}", static_cast<int>(row[c]));
    else
      fmt::print("{:5.1f} %  score {:.4g}", 100 * share[c], row[c]);
    fmt::print("{}\n", labels.empty() ? "" : fmt::format("  class {}", c));
  }
}

}  // namespace

std::vector<std::string> read_labels(const std::string& path) {
  if (path.empty()) return {};
  const std::vector<uint8_t> bytes = read_file(path, size_t{16} << 20);
  std::vector<std::string> labels(1);
  for (const uint8_t b : bytes) {
    if (b == '\n')
      labels.emplace_back();
    else if (b != '\r')
      labels.back() += static_cast<char>(b);
  }
  if (labels.back().empty()) labels.pop_back();
  if (labels.empty()) user_error(path + ": no labels (one class a line is expected)");
  return labels;
}

void check_classes(const TensorInfo& t, const std::vector<std::string>& labels) {
  if (t.dtype != DType::f32 && t.dtype != DType::u8 && t.dtype != DType::s8)
    user_error(fmt::format("--top: the output '{}' is {}, not scores", t.name, dtype_name(t.dtype)));
  if (t.elements() == 0) user_error(fmt::format("--top: the output '{}' is empty", t.name));
  for (size_t d = 2; d < t.shape.size(); ++d)
    if (t.shape[d] != 1)
      user_error(
          fmt::format("--top: the output '{}' of shape {} is not one score per class", t.name, dims_text(t.shape)));
  const auto classes = static_cast<size_t>(t.shape.size() < 2 ? 1 : t.shape[1]);
  if (!labels.empty() && labels.size() != classes)
    user_error(fmt::format("--labels: {} lines, but the model has {} classes", labels.size(), classes));
}

void print_classes(const Array& scores, const std::vector<std::string>& images, int top,
                   const std::vector<std::string>& labels) {
  const std::vector<float> values = as_floats(scores);
  const size_t rows = scores.shape.empty() ? 1 : static_cast<size_t>(scores.shape[0]);
  const size_t classes = rows ? values.size() / rows : 0;
  for (size_t r = 0; r < rows; ++r) {
    fmt::print("{}\n", rows == images.size() ? images[r] : fmt::format("image {}", r));
    print_row({values.data() + r * classes, classes}, top, scores.dtype != DType::f32, labels);
  }
}

}  // namespace octet::cli
