#include "tests/support/small_model.h"

#include <cstring>
#include <memory>

#include "generator/kernel/plain.h"
#include "generator/program/build.h"
#include "generator/program/interpret.h"
#include "generator/schedule/pack.h"
#include "runtime/executor.h"
#include "tests/support/random.h"

namespace octet {
namespace {

constexpr int kHeight = 7, kWidth = 9, kChannels = 5, kInner = 13, kOut = 6;
constexpr QuantView kInput = {0.0625f, 121, false};

class SmallModel {
 public:
  SmallModel(const Target& target, uint32_t seed) : random_(seed) {
    model_.name = "small";
    model_.target = &target;
  }

  CompiledModel make() {
    const OctetRef in = {OCTET_INPUT, 0, 0}, out = {OCTET_OUTPUT, 0, 0};
    const OctetRef a = arena(8), b = arena(16), c = arena(8);
    const QuantizeSpec edge = {.pixels = kHeight * kWidth, .channels = kChannels, .pitch = 8, .quant = kInput};
    plain(edge, in, a, "image \"0\"");
    conv(3, kChannels, kInner, 8, 16, a, b, "first\\");  // would continue a comment into the next line
    conv(1, kInner, kOut, 16, 8, b, c, "second\nint x;");
    DequantizeSpec back;
    back.pixels = kHeight * kWidth;
    back.channels = kOut;
    back.pitch = 8;
    back.quant = {0.5f, 3, false};
    plain(back, c, out, "scores");
    model_.plan.inputs = {
        {.name = "image", .shape = {1, kChannels, kHeight, kWidth}, .scale = kInput.scale, .zero_point = 121}};
    model_.plan.outputs = {{.name = "scores", .shape = {1, kOut, kHeight, kWidth}}};
    return std::move(model_);
  }

 private:
  OctetRef arena(int pitch) {
    const auto at = static_cast<uint64_t>(model_.plan.arena_bytes);
    model_.plan.arena_bytes += (kHeight * kWidth * pitch + 63) / 64 * 64 + OCTET_SLACK_BYTES;
    return {OCTET_ARENA, 0, at};
  }

  template <class T>
  OctetRef blob(const std::vector<T>& values) {
    const size_t at = model_.plan.blob.append(values.size() * sizeof(T));
    std::memcpy(model_.plan.blob.data() + at, values.data(), values.size() * sizeof(T));
    return {OCTET_BLOB, 0, at};
  }

  OctetStep& step(KernelUnit unit, OctetRef src, OctetRef dst, const std::string& node) {
    const auto number = static_cast<uint32_t>(model_.kernels.size());
    model_.kernels.push_back(std::move(unit));
    model_.steps.push_back({node, "Test", 0});
    OctetStep s{.kernel = number, .group = number};
    s.args[OCTET_SRC] = src;
    s.args[OCTET_DST] = dst;
    return model_.plan.steps.emplace_back(s);
  }

  void plain(const KernelSpec& spec, OctetRef src, OctetRef dst, const std::string& node) {
    const PlainKernel kernel = *plain_kernel(spec);
    KernelUnit unit{
        .name = std::string(spec_op_name(spec)) + "_edge", .spec = spec, .schedule = "plain loop", .plain = kernel};
    OctetStep& s = step(std::move(unit), src, dst, node);
    s.args[OCTET_CONSTANTS] = blob(kernel.params);
  }

  void conv(int k, int ic, int oc, int src_pitch, int dst_pitch, OctetRef src, OctetRef dst, const std::string& node) {
    ConvSpec spec{.ih = kHeight, .iw = kWidth, .ic = ic, .oh = kHeight, .ow = kWidth, .oc = oc};
    if (k == 3) spec.window = {.kh = 3, .kw = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
    spec.src_pitch = src_pitch;
    spec.dst_pitch = dst_pitch;
    spec.src_zero = k == 3 ? kInput.zero_point : 0;
    spec.requant.zero = 3;
    ConvData data;
    for (int i = 0; i < oc * k * k * ic; ++i) data.weights.push_back(static_cast<int8_t>(random_()));
    for (int i = 0; i < oc; ++i) data.bias.push_back(static_cast<int32_t>(random_() % 4001) - 2000);
    for (int i = 0; i < oc; ++i)
      data.scale.push_back({.m = 1.0f / static_cast<float>(64u << (random_() % 4))});  // ties
    const ConvSchedule schedule = choose_conv(spec, data, *model_.target, Emitter::compiler);
    const PackedConv packed = pack_conv(spec, schedule, data);
    const std::string name = "conv_" + std::to_string(model_.kernels.size());
    KernelUnit unit{.name = name,
                    .spec = spec,
                    .schedule = to_string(schedule),
                    .program = build_conv(spec, schedule, *model_.target, name)};
    const auto constants = unit.program->constants;
    OctetStep& s = step(std::move(unit), src, dst, node);
    s.args[OCTET_WEIGHTS] = blob(packed.weights);
    s.args[OCTET_BIAS] = blob(packed.bias);
    s.args[OCTET_SCALE] = blob(packed.scale);
    s.args[OCTET_CONSTANTS] = blob(constants);
    if (scratch_bytes(spec, schedule) > 0) internal_error("small_model gives its kernels no scratch");
  }

  Random random_;
  CompiledModel model_;
};

}  // namespace

CompiledModel small_model(const Target& target, uint32_t seed) {
  return SmallModel(target, seed).make();
}

std::vector<float> small_model_input(const CompiledModel& model, uint32_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(model.plan.inputs[0].elements()));
  for (float& v : values) v = static_cast<float>(random() % 640) * 0.03125f - 10.0f;  // halves of the scale
  return values;
}

std::vector<float> run_here(CompiledModel model, const std::vector<float>& input) {
  std::vector<BoundKernel> kernels;
  for (const KernelUnit& u : model.kernels) {
    if (u.plain)
      kernels.push_back({u.plain->function, {}});
    else
      kernels.push_back({nullptr, [program = *u.program](const OctetArgs& args) { interpret(program, args); }});
  }
  std::vector<float> output(static_cast<size_t>(model.plan.outputs[0].elements()));
  ExecutionContext context(std::make_shared<const Executor>(std::move(model.plan), std::move(kernels), nullptr));
  const void* inputs[] = {input.data()};
  void* outputs[] = {output.data()};
  context.run(inputs, outputs);
  return output;
}

}  // namespace octet
