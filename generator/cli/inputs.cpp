#include "generator/cli/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "generator/cli/common.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

std::array<float, 3> three_numbers(const char* flag, const std::string& text) {
  std::array<float, 3> values{};
  const char* p = text.data();
  const char* end = p + text.size();
  size_t n = 0;
  for (; n < 3; ++n) {
    const auto [next, error] = std::from_chars(p, end, values[n]);
    if (error != std::errc() || !std::isfinite(values[n])) break;
    p = next;
    if (n == 0 && p == end) {  // one number serves all channels
      values[1] = values[2] = values[0];
      return values;
    }
    if (n < 2 && (p == end || *p++ != ',')) break;
  }
  if (n < 3 || p != end)
    user_error(fmt::format("{} takes one number or three, such as 0.5,0.5,0.5, not '{}'", flag, text));
  return values;
}

PhotoOptions photo_options(const InputOptions& o) {
  PhotoOptions p;
  if (o.resize != "squeeze" && o.resize != "crop") user_error("unknown --resize '" + o.resize + "' (squeeze, crop)");
  p.crop = o.resize == "crop";
  if (!o.mean.empty() || !o.std.empty()) {
    if (!o.scale.empty()) user_error("--scale and --mean/--std exclude each other");
    p.scale = PhotoScale::custom;
    if (!o.mean.empty()) p.mean = three_numbers("--mean", o.mean);
    if (!o.std.empty()) p.std = three_numbers("--std", o.std);
    for (const float s : p.std)
      if (s == 0) user_error("--std must not be 0");
  } else if (!o.scale.empty()) {
    p.scale = parse_photo_scale(o.scale);
  }
  return p;
}

std::vector<int64_t> tail(const std::vector<int64_t>& shape) {
  return {shape.begin() + (shape.empty() ? 0 : 1), shape.end()};
}

// real = scale * (q - zero_point), one float32 rounding.
Array to_float(const Array& q, const TensorInfo& t) {
  Array out{DType::f32, q.shape, std::vector<uint8_t>(q.data.size() * 4)};
  const auto real = out.values<float>();
  for (size_t i = 0; i < q.data.size(); ++i) {
    const int value = q.dtype == DType::s8 ? static_cast<int8_t>(q.data[i]) : q.data[i];
    real[i] = static_cast<float>(value - t.zero_point) * t.scale;
  }
  return out;
}

// QuantizeLinear: ties to even, then saturated; NaN gives the lowest value.
Array to_integers(const Array& real, const TensorInfo& t) {
  Array out{t.dtype, real.shape, std::vector<uint8_t>(real.data.size() / 4)};
  const float lo = t.dtype == DType::s8 ? -128.f : 0.f, hi = lo + 255;
  const auto x = real.values<float>();
  for (size_t i = 0; i < x.size(); ++i) {
    const float q = std::nearbyint(x[i] / t.scale) + static_cast<float>(t.zero_point);
    out.data[i] = static_cast<uint8_t>(static_cast<int>(q >= lo ? std::min(q, hi) : lo));
  }
  return out;
}

// A photograph's values as the tensor's own dtype.
Array photo_values(Array real, const TensorInfo& t, PhotoScale scale, const std::string& source) {
  if (t.dtype == DType::f32) return real;
  if (t.dtype != DType::u8 && t.dtype != DType::s8)
    user_error(fmt::format("{}: input '{}' is {} and takes no photograph", source, t.name, dtype_name(t.dtype)));
  if (scale != PhotoScale::raw) {
    if (t.scale > 0) return to_integers(real, t);
    user_error(fmt::format("{}: --scale {}: input '{}' is {} without a scale and takes 0..255 only", source,
                           photo_scale_name(scale), t.name, dtype_name(t.dtype)));
  }
  TensorInfo pixels = t;
  pixels.scale = 1;
  pixels.zero_point = t.dtype == DType::s8 ? -128 : 0;
  return to_integers(real, pixels);
}

// `say`: tell how the pixels are scaled, where nobody asked for a scaling.
Array photo_input(const std::string& path, const TensorInfo& t, const PhotoOptions& options, bool say) {
  const Photo photo = load_photo(path);
  PhotoScale scale;
  if (options.scale) {
    scale = *options.scale;
  } else {
    const ScaleGuess guess = guess_photo_scale(t);
    scale = guess.scale;
    if (say)
      fmt::print(stderr, "octet: pixels of photographs are scaled as {} ({})\n", photo_scale_name(scale), guess.reason);
  }
  return photo_values(photo_to_array(photo, t, scale, options), t, scale, path);
}

void append(Array& all, const Array& more) {
  all.shape[0] += more.shape[0];
  all.data.insert(all.data.end(), more.data.begin(), more.data.end());
}

// The array of one file for one input. `only`: the model has no other, so that in0, in1, ... of an .npz are its runs.
Array read_input(const std::string& path, const TensorInfo& t, const PhotoOptions& options, bool say, bool only) {
  if (is_photo(path)) return photo_input(path, t, options, say);
  if (has_extension(path, ".npy")) return fit(read_npy(path), t, path);
  if (!has_extension(path, ".npz")) user_error(path + ": inputs are .npy, .npz or photographs (.bmp, .jpg, .png)");
  const NpzReader npz(path);
  const auto has = [&npz](const std::string& name) {
    return std::find(npz.names().begin(), npz.names().end(), name) != npz.names().end();
  };
  const auto member = [&](const std::string& name) { return fit(npz.read(name), t, path + ":" + name); };
  if (has(t.name)) return member(t.name);
  if (!only || !has("in0") || t.shape.empty())
    user_error(fmt::format("{}: no member named like the input '{}' (it has: {})", path, t.name,
                           fmt::join(npz.names(), ", ")));
  Array all = member("in0");
  for (int i = 1; has(fmt::format("in{}", i)); ++i) append(all, member(fmt::format("in{}", i)));
  return all;
}

std::string input_list(const std::vector<TensorInfo>& tensors) {
  std::string text;
  for (const TensorInfo& t : tensors) text += (text.empty() ? "'" : ", '") + t.name + "'";
  return text;
}

// Files by graph input: NAME=FILE goes to that one; a file alone to the only one, an .npz to all.
std::vector<std::vector<std::string>> assign(const std::vector<TensorInfo>& tensors,
                                             const std::vector<std::string>& files) {
  std::vector<std::vector<std::string>> paths(tensors.size());
  for (const std::string& file : files) {
    const size_t equals = file.find('=');
    const auto named = std::find_if(tensors.begin(), tensors.end(), [&](const TensorInfo& t) {
      return equals != std::string::npos && t.name == file.substr(0, equals);
    });
    if (named != tensors.end() && equals + 1 == file.size())
      user_error("--input " + file + ": the name of the file is missing");
    if (named != tensors.end())
      paths[static_cast<size_t>(named - tensors.begin())].push_back(file.substr(equals + 1));
    else if (tensors.size() == 1 || has_extension(file, ".npz"))
      for (auto& p : paths) p.push_back(file);
    else
      user_error(fmt::format("--input {}: the model has the inputs {}; give NAME=FILE for each, or one .npz", file,
                             input_list(tensors)));
  }
  return paths;
}

}  // namespace

void InputOptions::add_photos(CLI::App& verb) {
  const char* photos = "Photographs";
  verb.add_option("--resize", resize, "squeeze: the whole picture; crop: shortest side, then the centre")
      ->capture_default_str()
      ->group(photos);
  verb.add_option("--scale", scale, "imagenet, -1..1, 0..1 or 0..255; by default what fits the input's quantization")
      ->group(photos);
  verb.add_option("--mean", mean, "Own (x / 255 - mean) / std: one number, or r,g,b")->group(photos);
  verb.add_option("--std", std, "See --mean")->group(photos);
}

Array fit(Array array, const TensorInfo& t, const std::string& source) {
  const bool scalar = t.shape.empty();
  const bool fits = array.shape.size() == t.shape.size() && tail(array.shape) == tail(t.shape) &&
                    (scalar || (array.shape[0] > 0 && array.shape[0] % t.shape[0] == 0));
  if (!fits)
    user_error(fmt::format("{}: shape {}, but input '{}' takes {}{}", source, dims_text(array.shape), t.name,
                           dims_text(t.shape), scalar ? "" : " (or a multiple of its first dimension)"));
  if (array.dtype == t.dtype) return array;
  if (t.scale > 0 && t.dtype == DType::f32 && array.dtype == t.quantized) return to_float(array, t);
  if (t.scale > 0 && t.dtype != DType::f32 && array.dtype == DType::f32) return to_integers(array, t);
  const char* other = t.scale <= 0 ? nullptr : dtype_name(t.dtype == DType::f32 ? t.quantized : DType::f32);
  user_error(fmt::format("{}: {} values, but input '{}' takes {}{}{}", source, dtype_name(array.dtype), t.name,
                         dtype_name(t.dtype), other ? " or " : "", other ? other : ""));
}

Inputs gather_inputs(const std::vector<TensorInfo>& tensors, const InputOptions& options) {
  const PhotoOptions photos = photo_options(options);
  const auto paths = assign(tensors, options.files);
  Inputs in;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorInfo& t = tensors[i];
    if (paths[i].empty()) user_error("no --input for the model's input '" + t.name + "'");
    if (t.shape.empty() && paths[i].size() > 1) user_error("input '" + t.name + "' is a scalar and takes one file");
    Array all;
    for (const std::string& path : paths[i]) {
      Array one = read_input(path, t, photos, &path == &paths[i][0], tensors.size() == 1);
      const int64_t rows = one.shape.empty() ? 1 : one.shape[0];
      if (i == 0)
        for (int64_t r = 0; r < rows; ++r)
          in.names.push_back(file_name(path) + (rows > 1 ? fmt::format(" [{}]", r) : ""));
      if (all.data.empty())
        all = std::move(one);
      else
        append(all, one);
    }
    const int64_t batch = t.shape.empty() ? 1 : t.shape[0], given = t.shape.empty() ? 1 : all.shape[0];
    if (given % batch != 0)
      user_error(fmt::format("input '{}': {} pictures, but the model takes {} at a time", t.name, given, batch));
    const auto runs = static_cast<size_t>(given / batch);
    if (i > 0 && runs != in.runs)
      user_error(
          fmt::format("input '{}' is given {} times, input '{}' {} times", t.name, runs, tensors[0].name, in.runs));
    in.runs = runs;
    in.arrays.push_back(std::move(all));
  }
  return in;
}

}  // namespace octet::cli
