// Ops outside of int8: every op of the table against its definition, and the same bytes from the reference, the plain
// ops of this program, and emitted C++ of every target that this machine has, by both compilers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "generator/compile.h"
#include "generator/emit_cpp/build.h"
#include "generator/emit_cpp/library.h"
#include "generator/kernel/reference.h"
#include "generator/passes/edit.h"
#include "generator/passes/passes.h"
#include "generator/program/interpret.h"
#include "runtime/executor.h"
#include "tests/support/island_case.h"

namespace octet {
namespace {

using Bytes = std::vector<uint8_t>;

template <class T>
Bytes bytes_as(const std::vector<double>& values) {
  Bytes out(values.size() * sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    const T v = static_cast<T>(values[i]);
    std::memcpy(out.data() + i * sizeof(T), &v, sizeof(T));
  }
  return out;
}

Bytes to_bytes(const std::vector<double>& values, DType dtype) {
  switch (dtype) {
    case DType::f32: return bytes_as<float>(values);
    case DType::s8: return bytes_as<int8_t>(values);
    case DType::s32: return bytes_as<int32_t>(values);
    case DType::s64: return bytes_as<int64_t>(values);
    default: return bytes_as<uint8_t>(values);
  }
}

double value_at(const Bytes& bytes, size_t i, DType dtype) {
  const auto read = [&]<class T>(T v) {
    std::memcpy(&v, bytes.data() + i * sizeof(T), sizeof(T));
    return static_cast<double>(v);
  };
  switch (dtype) {
    case DType::f32: return read(float{});
    case DType::s8: return read(int8_t{});
    case DType::s32: return read(int32_t{});
    case DType::s64: return read(int64_t{});
    default: return read(uint8_t{});
  }
}

// All cases as one network of many inputs and outputs, so that a compiler runs once.
struct Network {
  Graph graph;
  std::vector<IslandCase> cases;
  std::vector<IslandValues> values;
  std::vector<Bytes> inputs;
  std::vector<std::pair<size_t, size_t>> outputs;  // case and output, by graph output

  explicit Network(bool channels_last) {
    graph.name = "islands";
    graph.channels_last = channels_last;
    for (IslandCase& c : island_cases())
      if (c.channels_last == channels_last) add(std::move(c));
    run_passes(graph);
  }

  void add(IslandCase c) {
    values.push_back(island_values(c, static_cast<uint32_t>(cases.size() + 1)));
    Node n = c.node;
    n.source = op_name(n.op);
    for (size_t k = 0; k < c.inputs.size(); ++k) {
      const IslandTensor& t = c.inputs[k];
      if (t.absent) {
        n.inputs.push_back(kNoTensor);
        continue;
      }
      Tensor tensor{.name = fmt::format("{}_in{}", c.name, k), .dtype = t.dtype, .shape = t.shape};
      const Bytes bytes = to_bytes(values.back()[k], t.dtype);
      if (t.constant) {
        const auto* p = reinterpret_cast<const std::byte*>(bytes.data());
        tensor.data = std::make_shared<const ConstantBytes>(std::vector<std::byte>(p, p + bytes.size()));
      }
      n.inputs.push_back(graph.add(std::move(tensor)));
      if (t.constant) continue;
      graph.inputs.push_back(n.inputs.back());
      inputs.push_back(bytes);
    }
    for (size_t k = 0; k < c.outputs.size(); ++k) {
      n.outputs.push_back(graph.add(
          {.name = fmt::format("{}_out{}", c.name, k), .dtype = c.outputs[k].dtype, .shape = c.outputs[k].shape}));
      graph.outputs.push_back(n.outputs.back());
      outputs.emplace_back(cases.size(), k);
    }
    graph.nodes.push_back(std::move(n));
    cases.push_back(std::move(c));
  }
};

using Bind = std::function<std::vector<BoundKernel>(const CompiledModel&)>;

constexpr size_t kGuard = 64;

// Every output, with guard bytes before and behind it.
std::vector<Bytes> run(const Network& net, const CompileOptions& options, const Bind& bind) {
  CompiledModel model = compile(net.graph, options);
  std::vector<BoundKernel> kernels = bind(model);
  std::vector<Bytes> results;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const Bytes& b : net.inputs) in.push_back(b.data());
  for (const TensorInfo& t : model.plan.outputs) results.emplace_back(t.bytes() + 2 * kGuard, 0xA5);
  for (Bytes& b : results) out.push_back(b.data() + kGuard);
  ExecutionContext context(std::make_shared<const Executor>(std::move(model.plan), std::move(kernels), nullptr));
  context.run(in, out);
  return results;
}

std::vector<BoundKernel> bind_reference(const CompiledModel& model) {
  std::vector<BoundKernel> kernels;
  for (const KernelUnit& u : model.kernels)
    kernels.push_back({nullptr, [spec = u.spec](const OctetArgs& args) { reference(spec, args); }});
  return kernels;
}

std::vector<BoundKernel> bind_plain(const CompiledModel& model) {
  std::vector<BoundKernel> kernels;
  for (const KernelUnit& u : model.kernels) {
    if (u.plain)
      kernels.push_back({u.plain->function, {}});
    else
      kernels.push_back({nullptr, [program = *u.program](const OctetArgs& args) { interpret(program, args); }});
  }
  return kernels;
}

// Functions of one number keep their relative precision; others are off by a share of the largest result.
bool agrees(const IslandCase& c, DType dtype, double got, double want, double largest) {
  if (dtype != DType::f32) return got == want;
  if (std::isnan(want)) return std::isnan(got);
  if (got == static_cast<double>(static_cast<float>(want))) return true;
  const double scale = c.node.op == OpKind::unary ? std::fabs(want) : largest;
  return std::fabs(got - want) <= c.tolerance * scale + 1e-44;
}

class Islands : public testing::TestWithParam<bool> {};

TEST_P(Islands, MeanWhatTheirDefinitionsSay) {
  const Network net(GetParam());
  const std::vector<Bytes> results = run(net, {.reference = true}, bind_reference);
  for (size_t o = 0; o < results.size(); ++o) {
    const auto [index, k] = net.outputs[o];
    const IslandCase& c = net.cases[index];
    const std::vector<double> want = island_meaning(c, net.values[index])[k];
    const DType dtype = c.outputs[k].dtype;
    const Bytes got(results[o].begin() + kGuard, results[o].end() - kGuard);
    ASSERT_EQ(got.size(), want.size() * dtype_bytes(dtype)) << c.name;
    double largest = 0;
    for (double v : want)
      if (std::isfinite(v)) largest = std::max(largest, std::fabs(v));
    for (size_t i = 0; i < want.size(); ++i) {
      const double v = value_at(got, i, dtype);
      if (agrees(c, dtype, v, want[i], largest)) continue;
      ADD_FAILURE() << c.name << " of " << dtype_name(c.inputs[0].dtype) << ", element " << i << ": " << v << ", not "
                    << want[i];
      break;
    }
    for (size_t g = 0; g < kGuard; ++g)
      ASSERT_TRUE(results[o][g] == 0xA5 && results[o][results[o].size() - 1 - g] == 0xA5) << c.name << ": guard bytes";
  }
}

TEST_P(Islands, GiveTheSameBytesInEmittedCode) {
  const Network net(GetParam());
  const std::vector<Bytes> want = run(net, {.reference = true}, bind_reference);
  const auto expect_same = [&](const std::vector<Bytes>& got, const std::string& who) {
    for (size_t o = 0; o < want.size(); ++o)
      EXPECT_EQ(got[o] == want[o], true) << who << ": " << net.cases[net.outputs[o].first].name;
  };
  for (const Target& target : all_targets()) {
    expect_same(run(net, {.target = &target}, bind_plain), std::string("plain on ") + target.name);
    if (!host_runs(target)) continue;
    if (GetParam() && &target != &host_target()) continue;  // the order of images adds no op
    for (const char* compiler : {"g++", "clang++"}) {
      if (!has_compiler(compiler)) continue;
      std::shared_ptr<void> keep;
      expect_same(run(net, {.target = &target, .emitter = Emitter::compiler},
                      [&](const CompiledModel& model) {
                        const KernelLibrary library = build_kernel_library(model, compiler);
                        keep = library.handle;
                        std::vector<BoundKernel> kernels;
                        for (OctetKernel k : library.kernels) kernels.push_back({k, {}});
                        return kernels;
                      }),
                  fmt::format("{} by {}", target.name, compiler));
    }
  }
}

// Threads meet at islands; every tensor can be read where all keep their memory.
TEST_P(Islands, KeepTheirBytesWithThreadsAndWithoutReuse) {
  const Network net(GetParam());
  const std::vector<Bytes> want = run(net, {.reference = true}, bind_reference);
  const SharingCosts free{0, 0, 0, 0};
  EXPECT_EQ(run(net, {.threads = 3, .sharing = free}, bind_plain), want);
  EXPECT_EQ(run(net, {.keep_all = true}, bind_plain), want);
  EXPECT_EQ(run(net, {.views = false}, bind_plain), want);
}

INSTANTIATE_TEST_SUITE_P(All, Islands, testing::Values(false, true),
                         [](const auto& info) { return info.param ? "ChannelsLast" : "ChannelsFirst"; });

}  // namespace
}  // namespace octet
