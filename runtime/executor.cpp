#include "runtime/executor.h"

#include <pthreadpool.h>

#include <chrono>

namespace octet {

Executor::Executor(Plan plan, std::vector<BoundKernel> kernels, std::shared_ptr<void> keep_alive, int threads)
    : plan_(std::move(plan)), kernels_(std::move(kernels)), keep_alive_(std::move(keep_alive)), threads_(threads) {
  for (const OctetStep& s : plan_.steps)
    if (s.kernel >= kernels_.size()) internal_error("a step calls a kernel that does not exist");
}

void ExecutionContext::PoolDeleter::operator()(pthreadpool* pool) const {
  pthreadpool_destroy(pool);
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
  if (executor_->threads() > 1) {
    pool_.reset(pthreadpool_create(static_cast<size_t>(executor_->threads())));
    if (!pool_) user_error("cannot start " + std::to_string(executor_->threads()) + " threads");
  }
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

void ExecutionContext::run_group(size_t begin, size_t end) {
  const auto call = [this](size_t s) { executor_->kernels()[executor_->plan().steps[s].kernel](args_[s]); };
  if (end - begin == 1 || !pool_) {
    for (size_t s = begin; s < end; ++s) call(s);
    return;
  }
  struct Job {
    decltype(call)* run;
    size_t begin;
  } job{&call, begin};
  pthreadpool_parallelize_1d(
      pool_.get(), [](void* j, size_t i) { (*static_cast<Job*>(j)->run)(static_cast<Job*>(j)->begin + i); }, &job,
      end - begin, 0);
}

void ExecutionContext::run(std::span<const void* const> inputs, std::span<void* const> outputs) {
  bind(inputs, outputs);
  for (size_t g = 0; g + 1 < groups_.size(); ++g) run_group(groups_[g], groups_[g + 1]);
}

void ExecutionContext::run_timed(std::span<const void* const> inputs, std::span<void* const> outputs,
                                 std::span<double> step_seconds) {
  using Clock = std::chrono::steady_clock;
  bind(inputs, outputs);
  for (size_t g = 0; g + 1 < groups_.size(); ++g) {
    const auto start = Clock::now();
    run_group(groups_[g], groups_[g + 1]);
    step_seconds[groups_[g]] += std::chrono::duration<double>(Clock::now() - start).count();
  }
}

std::vector<uint8_t> ExecutionContext::read(const TensorPlace& place) const {
  const uint8_t* base = place.ref.space == OCTET_ARENA ? arena_.get() : executor_->blob();
  base += place.ref.offset;
  const uint8_t flip = place.dtype == DType::s8 ? 0x80 : 0;
  int64_t rows = 1;
  for (size_t d = 0; d + 1 < place.shape.size(); ++d) rows *= place.shape[d];
  const int64_t length = place.shape.empty() ? 1 : place.shape.back();
  // Stored rows of channels; in the file, channels come before the pixels of an image.
  const int64_t pixels = place.channels_last && !place.shape.empty() ? rows / place.shape[0] : 1;
  std::vector<uint8_t> out(static_cast<size_t>(rows * length));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < length; ++c) {
      const int64_t to = place.channels_last ? (r / pixels * length + c) * pixels + r % pixels : r * length + c;
      out[static_cast<size_t>(to)] = base[r * place.pitch + c] ^ flip;
    }
  return out;
}

}  // namespace octet
