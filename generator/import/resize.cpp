// Resize and Upsample, and the exchange of channels for pixels.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

// The named one of `known`, or an error listing them.
template <class T, size_t count>
T choice(NodeImport& n, std::string_view name, const std::string& otherwise,
         const std::array<std::pair<const char*, T>, count>& known) {
  const std::string given = n.text(name, otherwise);
  std::string names;
  for (const auto& [word, value] : known) {
    if (given == word) return value;
    names += (names.empty() ? "" : ", ") + std::string(word);
  }
  n.fail_attribute(name, in_quotes(given), names);
}

using Mode = Resize::Mode;
using Coordinates = Resize::Coordinates;
using Nearest = Resize::Nearest;
constexpr std::array<std::pair<const char*, Mode>, 2> kModes = {{{"nearest", Mode::nearest}, {"linear", Mode::linear}}};
constexpr std::array<std::pair<const char*, Mode>, 3> kModesSince11 = {
    {{"nearest", Mode::nearest}, {"linear", Mode::linear}, {"cubic", Mode::cubic}}};
constexpr std::array<std::pair<const char*, Coordinates>, 6> kCoordinates = {
    {{"half_pixel", Coordinates::half_pixel},
     {"asymmetric", Coordinates::asymmetric},
     {"align_corners", Coordinates::align_corners},
     {"pytorch_half_pixel", Coordinates::pytorch_half_pixel},
     {"tf_half_pixel_for_nn", Coordinates::tf_half_pixel_nearest},
     {"half_pixel_symmetric", Coordinates::half_pixel_symmetric}}};
constexpr std::array<std::pair<const char*, Nearest>, 4> kNearest = {
    {{"round_prefer_floor", Nearest::round_prefer_floor},
     {"round_prefer_ceil", Nearest::round_prefer_ceil},
     {"floor", Nearest::floor},
     {"ceil", Nearest::ceil}}};

std::vector<float> read_scales(const NodeImport& n, size_t i) {
  const Tensor& t = n.tensor(i, "scales");
  if (!t.is_constant() || t.dtype != DType::f32)
    n.fail(fmt::format("scales {} are {}{}; supported: constant f32", in_quotes(t.name), dtype_name(t.dtype),
                       t.is_constant() ? "" : ", not constant"));
  return {t.values<float>().begin(), t.values<float>().end()};
}

// One per axis of x; `axes` are those that `values` are for.
template <class T>
std::vector<T> spread(const NodeImport& n, const std::vector<T>& values, const Ints& axes, std::vector<T> all,
                      std::string_view what) {
  if (values.size() != axes.size())
    n.fail(fmt::format("{} {} for {} axes; supported: one each", values.size(), what, axes.size()));
  for (size_t k = 0; k < axes.size(); ++k) all[static_cast<size_t>(n.axis(axes[k], all.size()))] = values[k];
  return all;
}

Shape scaled(const NodeImport& n, const Shape& x, const std::vector<float>& scales) {
  Shape shape;
  for (size_t d = 0; d < x.size(); ++d) {
    const double size = std::floor(static_cast<double>(x[d]) * static_cast<double>(scales[d]));
    if (!(scales[d] > 0) || !(size >= 1) || !(size <= importing::kMostSide))
      n.fail(fmt::format("scale {} of axis {} of {}; supported: what leaves 1 to {} elements", scales[d], d,
                         to_string(x), importing::kMostSide));
    shape.push_back(static_cast<int64_t>(size));
  }
  return shape;
}

void emit_resize(NodeImport& n, const Resize& resize, Shape shape) {
  const Tensor t = n.tensor(0);
  n.expect_dtype(n.input(0), {DType::f32, DType::u8, DType::s8});
  n.check_resized(t.shape, shape);
  if (shape == t.shape && resize.scales == std::vector<float>(shape.size(), 1.0f)) return n.alias(n.input(0));
  n.step(OpKind::resize, {n.input(0)}, "", t.dtype, std::move(shape), moved_quant(n, n.input(0))).resize = resize;
}

// Opset 10, and Upsample: ONNX Runtime takes the pixel before where it enlarges, the one behind where it shrinks.
void resize_by_scales(NodeImport& n) {
  n.expect_inputs(2, 2);
  const Shape x = n.tensor(0).shape;
  Resize resize{.mode = choice(n, "mode", "nearest", kModes), .coordinates = Coordinates::asymmetric};
  const std::vector<float> given = read_scales(n, 1);
  if (given.size() != x.size())
    n.fail(fmt::format("{} scales for {}; supported: one each", given.size(), to_string(x)));
  resize.scales = given;
  const auto shrinks = [](float s) { return s < 1; };
  const auto grows = [](float s) { return s > 1; };
  const bool smaller = std::any_of(given.begin(), given.end(), shrinks);
  if (resize.mode == Mode::nearest && smaller && std::any_of(given.begin(), given.end(), grows))
    n.fail(fmt::format("scales [{}]; supported: none below 1 beside one above it", fmt::join(given, ", ")));
  resize.nearest = smaller ? Nearest::ceil : Nearest::floor;
  emit_resize(n, resize, scaled(n, x, given));
}

// How far outside the image and into its neighbours a resize looks.
void read_kernel(NodeImport& n, Resize& resize) {
  resize.cubic_a = n.real("cubic_coeff_a", -0.75f);
  if (!std::isfinite(resize.cubic_a)) n.fail_attribute("cubic_coeff_a", fmt::format("{}", resize.cubic_a), "numbers");
  const bool nearest = resize.mode == Mode::nearest;
  resize.antialias = n.integer("antialias", 0) != 0;
  if (resize.antialias && nearest) n.fail_attribute("antialias", "1 in mode nearest", "modes linear and cubic");
  resize.exclude_outside = n.integer("exclude_outside", 0) != 0 && !nearest;
  if (resize.exclude_outside && resize.mode == Mode::linear && !resize.antialias)
    n.fail_attribute("exclude_outside", "1 in mode linear", "mode cubic, or with antialias");
}

// The sizes of `axes` as the policy has them: the image keeps its proportions, at most or at least of these sizes, and
// has one scale.
Shape proportional(NodeImport& n, const Shape& x, const Ints& axes, Ints sizes, std::vector<float>& scales) {
  const std::string policy = n.text("keep_aspect_ratio_policy", "stretch");
  if (policy == "stretch") return spread(n, sizes, axes, x, "sizes");
  if (policy != "not_larger" && policy != "not_smaller")
    n.fail_attribute("keep_aspect_ratio_policy", in_quotes(policy), "stretch, not_larger, not_smaller");
  const Shape wanted = spread(n, sizes, axes, x, "sizes");
  std::optional<double> scale;
  for (int64_t a : axes) {
    const auto d = static_cast<size_t>(n.axis(a, x.size()));
    const double s = static_cast<double>(wanted[d]) / static_cast<double>(x[d]);
    scale = !scale ? s : policy == "not_larger" ? std::min(*scale, s) : std::max(*scale, s);
  }
  scales.assign(x.size(), 1.0f);
  for (size_t k = 0; k < axes.size(); ++k) {
    const auto d = static_cast<size_t>(n.axis(axes[k], x.size()));
    scales[d] = static_cast<float>(*scale);
    const double size = std::floor(*scale * static_cast<double>(x[d]) + 0.5);
    if (!(size >= 1) || !(size <= importing::kMostSide))
      n.fail(fmt::format("sizes [{}] make {} elements of the {} along axis {}; supported: 1 to {}",
                         fmt::join(sizes, ", "), size, x[d], d, importing::kMostSide));
    sizes[k] = static_cast<int64_t>(size);
  }
  return spread(n, sizes, axes, x, "sizes");
}

void resize(NodeImport& n) {
  if (n.opset < 11) return resize_by_scales(n);
  n.expect_inputs(1, 4);
  n.ignore({"extrapolation_value"});  // of tf_crop_and_resize, which is refused
  const Shape x = n.tensor(0).shape;
  Resize resize{.mode = choice(n, "mode", "nearest", kModesSince11),
                .coordinates = choice(n, "coordinate_transformation_mode", "half_pixel", kCoordinates),
                .nearest = choice(n, "nearest_mode", "round_prefer_floor", kNearest)};
  read_kernel(n, resize);
  Ints axes(x.size());
  for (size_t d = 0; d < x.size(); ++d) axes[d] = static_cast<int64_t>(d);
  axes = n.integers("axes").value_or(axes);
  sorted_axes(n, axes, x.size());
  const bool by_scales = n.has(2) && element_count(n.tensor(2).shape) > 0;
  if (by_scales == n.has(3)) n.fail("scales and sizes; supported: one of the two");
  if (!by_scales) {
    Shape shape = proportional(n, x, axes, n.integers_in(3, "sizes"), resize.scales);
    return emit_resize(n, resize, std::move(shape));
  }
  n.ignore({"keep_aspect_ratio_policy"});  // of sizes
  resize.scales = spread(n, read_scales(n, 2), axes, std::vector<float>(x.size(), 1.0f), "scales");
  emit_resize(n, resize, scaled(n, x, resize.scales));
}

int64_t block_size(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_rank(n.input(0), 4, 4);
  const int64_t block = n.integer("blocksize", 0);
  constexpr int64_t kMost = 1 << 12;
  if (block < 1 || block > kMost)
    n.fail_attribute("blocksize", fmt::format("{}", block), fmt::format("1 to {}", kMost));
  return block;
}

void depth_to_space(NodeImport& n) {
  const int64_t b = block_size(n);
  const Tensor t = n.tensor(0);
  const bool crd = choice<bool, 2>(n, "mode", "DCR", {{{"DCR", false}, {"CRD", true}}});
  if (t.shape[1] % (b * b))
    n.fail_attribute("blocksize", fmt::format("{} for {}", b, to_string(t.shape)), "its square divides the channels");
  Node& node = n.step(OpKind::depth_to_space, {n.input(0)}, "", t.dtype,
                      {t.shape[0], t.shape[1] / (b * b), t.shape[2] * b, t.shape[3] * b}, moved_quant(n, n.input(0)));
  node.block = b;
  node.column_row_depth = crd;
}

void space_to_depth(NodeImport& n) {
  const int64_t b = block_size(n);
  const Tensor t = n.tensor(0);
  if (t.shape[2] % b || t.shape[3] % b)
    n.fail_attribute("blocksize", fmt::format("{} for {}", b, to_string(t.shape)), "divisors of height and width");
  n.step(OpKind::space_to_depth, {n.input(0)}, "", t.dtype,
         {t.shape[0], t.shape[1] * b * b, t.shape[2] / b, t.shape[3] / b}, moved_quant(n, n.input(0)))
      .block = b;
}

}  // namespace

void add_resize_ops(std::unordered_map<std::string, Handler>& table) {
  table["Resize"] = resize;
  table["Upsample"] = resize_by_scales;
  table["DepthToSpace"] = depth_to_space;
  table["SpaceToDepth"] = space_to_depth;
}

}  // namespace octet::onnx_import
