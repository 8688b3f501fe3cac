#include "tests/support/ways.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/random.h"

namespace octet {
namespace {

// Sharing costs nothing, so that networks of any size are shared.
constexpr SharingCosts kFree = {0, 0, 0, 0};

LoadOptions load_options(const Way& w) {
  return {.target = w.target ? w.target : find_target("scalar"),
          .engine = w.engine,
          .threads = w.threads,
          .sharing = kFree,
          .fuse = w.fuse,
          .views = w.views,
          .prove = w.prove,
          .winograd = w.winograd,
          .compiler = w.compiler};
}

const char* engine_name(Engine engine) {
  switch (engine) {
    case Engine::jit: return "jit";
    case Engine::cpp: return "cpp";
    case Engine::interpreter: return "interpreter";
    case Engine::reference: return "reference";
  }
  return "";
}

float random_real(const TensorInfo& t, Random& random) {
  const float scale = t.scale > 0 ? t.scale : 1.0f;
  const float lo = (t.quantized == DType::s8 ? -128.0f : 0.0f) - static_cast<float>(t.zero_point);
  switch (random() % 16) {
    case 0: return lo * scale;
    case 1: return (lo + 255) * scale;
    case 2: return (lo + static_cast<float>(random() % 256) + 0.5f) * scale;  // a tie
    case 3: return t.scale > 0 ? std::numeric_limits<float>::infinity() : 0.0f;
    case 4: return t.scale > 0 ? -std::numeric_limits<float>::infinity() : -0.0f;
    default: return (lo - 16 + static_cast<float>(random() % 4096) * (288.0f / 4096)) * scale;
  }
}

// Bytes of element `i` as text, and whether two elements are equal.
template <class T>
std::string differing(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  size_t count = 0, first = 0;
  T va{}, vb{};
  for (size_t i = a.size() / sizeof(T); i-- > 0;) {
    T x, y;
    std::memcpy(&x, a.data() + i * sizeof(T), sizeof(T));
    std::memcpy(&y, b.data() + i * sizeof(T), sizeof(T));
    const bool nans = std::isnan(static_cast<double>(x)) && std::isnan(static_cast<double>(y));
    if (nans || std::memcmp(&x, &y, sizeof(T)) == 0) continue;
    ++count, first = i, va = x, vb = y;
  }
  if (count == 0) return {};
  return fmt::format("{} of {} differ, first [{}]: {} expected, got {}", count, a.size() / sizeof(T), first,
                     static_cast<double>(va), static_cast<double>(vb));
}

std::string differing(DType dtype, const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  switch (dtype) {
    case DType::f32: return differing<float>(a, b);
    case DType::s8: return differing<int8_t>(a, b);
    case DType::s32: return differing<int32_t>(a, b);
    case DType::s64: return differing<int64_t>(a, b);
    case DType::u8:
    case DType::boolean: return differing<uint8_t>(a, b);
  }
  return {};
}

}  // namespace

std::string to_string(const Way& w) {
  std::string text = fmt::format("engine={}", engine_name(w.engine));
  if (w.target) text += fmt::format(",target={}", w.target->name);
  if (w.threads != 1) text += fmt::format(",threads={}", w.threads);
  if (!w.fuse) text += ",fuse=no";
  if (!w.prove) text += ",prove=no";
  if (!w.views) text += ",views=no";
  if (w.winograd == WinogradUse::everywhere) text += ",winograd=everywhere";  // which the command line does not offer
  return text;
}

std::vector<Way> ways() {
  std::vector<Way> all;
  const auto add = [&all](Engine engine, const Target* target) {
    all.push_back({.engine = engine, .target = target});
    all.push_back({.engine = engine, .target = target, .fuse = false});
    all.push_back({.engine = engine, .target = target, .prove = false});
    all.push_back({.engine = engine, .target = target, .threads = 3, .views = false});
    if (target) all.push_back({.engine = engine, .target = target, .winograd = WinogradUse::everywhere});
  };
  add(Engine::reference, nullptr);
  for (const Target& t : all_targets())
    if (host_runs(t)) add(Engine::jit, &t);
  for (const char* name : {"neon_dot", "neon_i8mm"}) add(Engine::interpreter, find_target(name));
  return all;
}

std::vector<Way> cpp_ways() {
  std::vector<Way> all;
  for (const Target& t : all_targets())
    if (host_runs(t)) all.push_back({.engine = Engine::cpp, .target = &t});
  return all;
}

ByteArrays random_inputs(const Plan& plan, uint32_t seed) {
  Random random(seed);
  ByteArrays arrays;
  for (const TensorInfo& t : plan.inputs) {
    std::vector<uint8_t> bytes(t.bytes());
    if (t.dtype == DType::f32) {
      for (size_t at = 0; at < bytes.size(); at += sizeof(float)) {
        const float x = random_real(t, random);
        std::memcpy(bytes.data() + at, &x, sizeof x);
      }
    } else {
      for (uint8_t& b : bytes) b = static_cast<uint8_t>(t.dtype == DType::boolean ? random() % 2 : random());
    }
    arrays.push_back(std::move(bytes));
  }
  return arrays;
}

LoadedModel load(Graph graph, const Way& way, bool keep_all) {
  LoadOptions options = load_options(way);
  options.keep_all = keep_all;
  return load(std::move(graph), options);
}

std::string first_different_tensor(const Graph& graph, const Way& way, const ByteArrays& inputs) {
  const LoadedModel plain = load(graph, kPlain, true), other = load(graph, way, true);
  ExecutionContext a(plain.executor), b(other.executor);
  run(plain, a, inputs);
  run(other, b, inputs);
  for (const Node& n : other.graph.nodes)
    for (const TensorPlace& t : other.executor->plan().tensors) {
      if (t.name != other.graph.tensor(n.outputs[0]).name) continue;
      for (const TensorPlace& same : plain.executor->plan().tensors) {
        if (same.name != t.name) continue;
        if (const std::string what = differing(t.dtype, a.read(same), b.read(t)); !what.empty())
          return fmt::format("{} ({}): {}", t.name, n.source, what);
      }
    }
  return "none that is there with keep_all";
}

ByteArrays run(const LoadedModel& model, ExecutionContext& context, const ByteArrays& inputs) {
  const Plan& plan = model.executor->plan();
  ByteArrays results;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const TensorInfo& t : plan.outputs) results.emplace_back(t.bytes());
  for (const std::vector<uint8_t>& i : inputs) in.push_back(i.data());
  for (std::vector<uint8_t>& r : results) out.push_back(r.data());
  context.run(in, out);
  return results;
}

ByteArrays run(const LoadedModel& model, const ByteArrays& inputs) {
  ExecutionContext context(model.executor);
  return run(model, context, inputs);
}

std::string difference(const Plan& plan, const ByteArrays& expected, const ByteArrays& got) {
  for (size_t o = 0; o < expected.size(); ++o)
    if (const std::string what = differing(plan.outputs[o].dtype, expected[o], got[o]); !what.empty())
      return fmt::format("output {} ({}): {}", o, plan.outputs[o].name, what);
  return {};
}

}  // namespace octet
