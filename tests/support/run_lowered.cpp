// Lowered kernels through their references, in guarded buffers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "generator/kernel/reference.h"
#include "generator/passes/lower.h"
#include "tests/support/net.h"

namespace octet {
namespace {

constexpr uint8_t kGuard = 0xA5;
constexpr size_t kGuardBytes = OCTET_SLACK_BYTES;

class Runner {
 public:
  Runner(const Graph& graph, bool views) : graph_(graph), places_(place_tensors(graph, views)) {}

  Arrays run(const Arrays& inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) write_input(graph_.inputs[i], inputs[i]);
    for (const LoweredNode& n : lower(graph_, places_)) run_node(n);
    for (const auto& [id, bytes] : buffers_) {
      const auto guard = [&](size_t begin) {
        return std::all_of(bytes.begin() + static_cast<long>(begin),
                           bytes.begin() + static_cast<long>(begin + kGuardBytes),
                           [](uint8_t b) { return b == kGuard; });
      };
      EXPECT_TRUE(guard(0) && guard(bytes.size() - kGuardBytes)) << "bytes around " << graph_.tensor(id).name;
    }
    Arrays out;
    for (TensorId t : graph_.outputs) out.push_back(read_output(t));
    return out;
  }

 private:
  uint8_t* buffer(TensorId t) {
    const Place& place = places_[static_cast<size_t>(t)];
    auto& bytes = buffers_[place.root];
    if (bytes.empty()) {
      const Tensor& root = graph_.tensor(place.root);
      if (root.is_constant()) {
        const std::vector<std::byte> stored = stored_constant(root, place.pitch);
        bytes.assign(stored.size() + kGuardBytes, kGuard);
        std::memcpy(bytes.data() + kGuardBytes, stored.data(), stored.size() - OCTET_SLACK_BYTES);
        std::fill(bytes.end() - kGuardBytes, bytes.end(), kGuard);
        return bytes.data() + kGuardBytes;
      }
      const int64_t rows = root.shape.empty() ? 1 : element_count(root.shape) / root.shape.back();
      bytes.assign(static_cast<size_t>(rows * place.pitch) + 2 * kGuardBytes, kGuard);
    }
    return bytes.data() + kGuardBytes + place.offset;
  }

  void write_input(TensorId t, const std::vector<double>& values) {
    uint8_t* p = buffer(t);
    for (size_t i = 0; i < values.size(); ++i) {
      switch (graph_.tensor(t).dtype) {
        case DType::f32: reinterpret_cast<float*>(p)[i] = static_cast<float>(values[i]); break;
        case DType::s32: reinterpret_cast<int32_t*>(p)[i] = static_cast<int32_t>(values[i]); break;
        case DType::s64: reinterpret_cast<int64_t*>(p)[i] = static_cast<int64_t>(values[i]); break;
        default: p[i] = static_cast<uint8_t>(static_cast<int>(values[i]));
      }
    }
  }

  std::vector<double> read_output(TensorId t) {
    const uint8_t* p = buffer(t);
    std::vector<double> out(static_cast<size_t>(element_count(graph_.tensor(t).shape)));
    for (size_t i = 0; i < out.size(); ++i) {
      switch (graph_.tensor(t).dtype) {
        case DType::f32: out[i] = static_cast<double>(reinterpret_cast<const float*>(p)[i]); break;
        case DType::s8: out[i] = static_cast<int8_t>(p[i]); break;
        case DType::s32: out[i] = reinterpret_cast<const int32_t*>(p)[i]; break;
        case DType::s64: out[i] = static_cast<double>(reinterpret_cast<const int64_t*>(p)[i]); break;
        default: out[i] = p[i];
      }
    }
    return out;
  }

  void run_node(const LoweredNode& n) {
    OctetArgs args{};
    if (n.src != kNoTensor) args.p[OCTET_SRC] = buffer(n.src) + n.src_offset;
    if (n.src2 != kNoTensor) args.p[OCTET_SRC2] = buffer(n.src2);
    args.p[OCTET_DST] = buffer(n.dst) + n.dst_offset;
    for (const auto& [arg, tensor] : n.operands) args.p[arg] = buffer(tensor);
    for (size_t a = 0; a < n.data.size(); ++a)
      if (!n.data[a].empty()) args.p[a] = n.data[a].data();
    if (std::holds_alternative<ConvSpec>(n.spec)) {
      args.p[OCTET_WEIGHTS] = n.conv.weights.data();
      args.p[OCTET_BIAS] = n.conv.bias.data();
      args.p[OCTET_SCALE] = n.conv.scale.data();
    }
    reference(n.spec, args);
  }

  const Graph& graph_;
  std::vector<Place> places_;
  std::map<TensorId, std::vector<uint8_t>> buffers_;
};

}  // namespace

Arrays run_lowered(const Graph& graph, const Arrays& inputs, bool views) {
  return Runner(graph, views).run(inputs);
}

}  // namespace octet
