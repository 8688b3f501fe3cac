#include "runtime/executor.h"

#include <algorithm>
#include <chrono>

namespace octet {

Executor::Executor(Plan plan, std::vector<BoundKernel> kernels, std::shared_ptr<void> keep_alive)
    : plan_(std::move(plan)), kernels_(std::move(kernels)), keep_alive_(std::move(keep_alive)) {
  for (const OctetStep& s : plan_.steps)
    if (s.kernel >= kernels_.size()) internal_error("a step calls a kernel that does not exist");
}

ExecutionContext::ExecutionContext(std::shared_ptr<const Executor> executor)
    : executor_(std::move(executor)), arena_(allocate_aligned(static_cast<size_t>(executor_->plan().arena_bytes))) {
  const auto& steps = executor_->plan().steps;
  args_.resize(steps.size());
  for (size_t s = 0; s < steps.size(); ++s) {
    if (s == 0 || steps[s].group != steps[s - 1].group) groups_.push_back(s);
    for (int a = 0; a < OCTET_ARG_COUNT; ++a) {
      const OctetRef& ref = steps[s].args[a];
      switch (ref.space) {
        case OCTET_ARENA: args_[s].p[a] = arena_.get() + ref.offset; break;
        case OCTET_BLOB: args_[s].p[a] = executor_->blob() + ref.offset; break;
        case OCTET_INPUT:
        case OCTET_OUTPUT: patches_.push_back({s, a, ref}); break;
        default: args_[s].p[a] = nullptr;
      }
    }
  }
  groups_.push_back(steps.size());
  assign_turns();
}

void ExecutionContext::assign_turns() {
  const Plan& plan = executor_->plan();
  const auto threads = static_cast<size_t>(plan.threads);
  turns_.resize(threads);
  done_ = std::vector<Counter>(threads);
  std::vector<Turn*> turn_of(plan.steps.size());
  for (std::vector<Turn>& turns : turns_) turns.reserve(plan.steps.size());
  for (size_t s = 0; s < plan.steps.size(); ++s)
    turn_of[s] = &turns_[plan.thread_of.empty() ? 0 : plan.thread_of[s]].emplace_back(Turn{s, {}});
  for (const StepWait& w : plan.waits) {
    turn_of[w.step]->waits.push_back(w);
    turn_of[w.on]->awaited = true;
  }
  if (threads > 1) team_ = std::make_unique<Team>(threads);
}

ExecutionContext::~ExecutionContext() = default;
ExecutionContext::ExecutionContext(ExecutionContext&&) noexcept = default;
ExecutionContext& ExecutionContext::operator=(ExecutionContext&&) noexcept = default;

void ExecutionContext::bind(std::span<const void* const> inputs, std::span<void* const> outputs) {
  const Plan& plan = executor_->plan();
  if (inputs.size() != plan.inputs.size() || outputs.size() != plan.outputs.size())
    user_error("run takes " + std::to_string(plan.inputs.size()) + " inputs and " +
               std::to_string(plan.outputs.size()) + " outputs, got " + std::to_string(inputs.size()) + " and " +
               std::to_string(outputs.size()));
  for (const Patch& p : patches_) {
    const void* base = p.ref.space == OCTET_INPUT ? inputs[p.ref.index] : outputs[p.ref.index];
    args_[p.step].p[p.arg] = static_cast<const uint8_t*>(base) + p.ref.offset;
  }
}

void ExecutionContext::take_turns(size_t thread, size_t begin, size_t end) {
  const Plan& plan = executor_->plan();
  const std::vector<Turn>& turns = turns_[thread];
  auto turn = std::lower_bound(turns.begin(), turns.end(), begin, [](const Turn& t, size_t s) { return t.step < s; });
  for (; turn != turns.end() && turn->step < end; ++turn) {
    for (const StepWait& w : turn->waits) done_[plan.thread_of[w.on]].wait(w.on + 1, team_->spins());
    executor_->kernels()[plan.steps[turn->step].kernel](args_[turn->step]);
    if (turn->awaited) done_[thread].set(static_cast<uint32_t>(turn->step) + 1);
  }
}

void ExecutionContext::run_steps(size_t begin, size_t end) {
  if (!team_) return take_turns(0, begin, end);
  for (Counter& c : done_) c.set(static_cast<uint32_t>(begin));
  auto turns = [=, this](size_t thread) { take_turns(thread, begin, end); };
  team_->run(turns);
}

void ExecutionContext::run(std::span<const void* const> inputs, std::span<void* const> outputs) {
  bind(inputs, outputs);
  run_steps(0, args_.size());
}

void ExecutionContext::run_timed(std::span<const void* const> inputs, std::span<void* const> outputs,
                                 std::span<double> step_seconds) {
  using Clock = std::chrono::steady_clock;
  bind(inputs, outputs);
  for (size_t g = 0; g + 1 < groups_.size(); ++g) {
    const auto start = Clock::now();
    run_steps(groups_[g], groups_[g + 1]);
    step_seconds[groups_[g]] += std::chrono::duration<double>(Clock::now() - start).count();
  }
}

std::vector<uint8_t> ExecutionContext::read(const TensorPlace& place) const {
  const uint8_t* base = place.ref.space == OCTET_ARENA ? arena_.get() : executor_->blob();
  base += place.ref.offset;
  const uint8_t flip = place.quantized && place.dtype == DType::s8 ? 0x80 : 0;
  const auto width = static_cast<int64_t>(dtype_bytes(place.dtype));
  int64_t rows = 1;
  for (size_t d = 0; d + 1 < place.shape.size(); ++d) rows *= place.shape[d];
  const int64_t length = place.shape.empty() ? 1 : place.shape.back();
  // Stored rows of channels; in the file, channels come before the pixels of an image.
  const int64_t pixels = place.channels_last && !place.shape.empty() ? rows / place.shape[0] : 1;
  std::vector<uint8_t> out(static_cast<size_t>(rows * length * width));
  if (!place.quantized) {  // dense, in the file's order
    std::copy(base, base + out.size(), out.begin());
    return out;
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < length; ++c) {
      const int64_t to = place.channels_last ? (r / pixels * length + c) * pixels + r % pixels : r * length + c;
      out[static_cast<size_t>(to)] = base[r * place.pitch + c] ^ flip;
    }
  return out;
}

}  // namespace octet
