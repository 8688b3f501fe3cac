#include "generator/graph/profile.h"

#include <fmt/format.h>

#include "runtime/status.h"

namespace octet {
namespace {

struct Row {
  Profile profile;
  const char *name, *description;
};

constexpr Row kRows[] = {
    {Profile::ort, "ort", "ONNX Runtime"},
    {Profile::xnn, "xnn", "LiteRT's XNNPACK kernels"},
    {Profile::tfl_ref, "tfl-ref", "LiteRT's reference kernels"},
    {Profile::tflm, "tflm", "TensorFlow Lite Micro"},
    {Profile::tfl_ruy, "tfl-ruy", "LiteRT's builtin kernels"},
    {Profile::torch_x86, "torch-x86", "PyTorch's x86 engine"},
    {Profile::fbgemm, "fbgemm", "PyTorch's fbgemm engine"},
    {Profile::onednn, "onednn", "PyTorch's onednn engine"},
    {Profile::qnnpack, "qnnpack", "PyTorch's qnnpack engine"},
    {Profile::tidl, "tidl", "TI's power-of-two scales"},
};

const Row& row(Profile profile) {
  for (const Row& r : kRows)
    if (r.profile == profile) return r;
  internal_error("a profile without a row");
}

}  // namespace

const std::vector<Profile>& all_profiles() {
  static const std::vector<Profile> all = [] {
    std::vector<Profile> out;
    for (const Row& r : kRows) out.push_back(r.profile);
    return out;
  }();
  return all;
}

const char* profile_name(Profile profile) {
  return row(profile).name;
}

const char* profile_description(Profile profile) {
  return row(profile).description;
}

std::optional<Profile> find_profile(std::string_view name) {
  for (const Row& r : kRows)
    if (name == r.name) return r.profile;
  return std::nullopt;
}

Profile profile_named(std::string_view name) {
  if (const auto p = find_profile(name)) return *p;
  user_error(fmt::format("unknown profile '{}' (supported: {})", name, profile_names()));
}

std::string profile_names() {
  std::string names;
  for (const Row& r : kRows) names += (names.empty() ? "" : ", ") + std::string(r.name);
  return names;
}

}  // namespace octet
