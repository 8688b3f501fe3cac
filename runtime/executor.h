// Runs a Plan. An Executor is immutable and shared; an ExecutionContext belongs to one thread at a time and owns the
// arena, so that several contexts may run the same network at once. `run` allocates nothing.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/arena.h"
#include "runtime/plan.h"
#include "runtime/team.h"

namespace octet {

// A kernel that can be called: machine code, or a function object for the interpreter and the reference.
struct BoundKernel {
  OctetKernel code = nullptr;
  std::function<void(const OctetArgs&)> slow;  // used where code is nullptr

  void operator()(const OctetArgs& args) const {
    if (code)
      code(&args);
    else
      slow(args);
  }
};

class Executor {
 public:
  // kernels[i] is what OctetStep::kernel = i calls. `keep_alive` owns whatever the code lives in.
  Executor(Plan plan, std::vector<BoundKernel> kernels, std::shared_ptr<void> keep_alive);

  const Plan& plan() const { return plan_; }
  const std::vector<BoundKernel>& kernels() const { return kernels_; }
  const uint8_t* blob() const { return plan_.blob.data(); }
  size_t blob_bytes() const { return plan_.blob.size(); }

 private:
  Plan plan_;
  std::vector<BoundKernel> kernels_;
  std::shared_ptr<void> keep_alive_;
};

class ExecutionContext {
 public:
  explicit ExecutionContext(std::shared_ptr<const Executor> executor);
  ~ExecutionContext();
  ExecutionContext(ExecutionContext&&) noexcept;
  ExecutionContext& operator=(ExecutionContext&&) noexcept;

  // One pointer per graph input and output, in the order of plan().inputs and outputs, each of TensorInfo::bytes().
  void run(std::span<const void* const> inputs, std::span<void* const> outputs);

  // The same, and adds each step's seconds to step_seconds (one per plan step).
  void run_timed(std::span<const void* const> inputs, std::span<void* const> outputs, std::span<double> step_seconds);

  // Bytes of an inner tensor after a run, in the file's order and its own dtype. Meaningful where the plan gave every
  // tensor a place of its own.
  std::vector<uint8_t> read(const TensorPlace& place) const;

 private:
  struct Patch {  // an argument that points into a caller's buffer
    size_t step;
    int arg;
    OctetRef ref;
  };
  void bind(std::span<const void* const> inputs, std::span<void* const> outputs);
  // A step of one thread, with what it waits for and whether others wait for it.
  struct Turn {
    size_t step;
    std::vector<StepWait> waits;
    bool awaited = false;
  };
  void assign_turns();
  void run_steps(size_t begin, size_t end);
  void take_turns(size_t thread, size_t begin, size_t end);

  std::shared_ptr<const Executor> executor_;
  AlignedBytes arena_;
  std::vector<OctetArgs> args_;  // per step, arena and blob pointers resolved once
  std::vector<Patch> patches_;
  std::vector<size_t> groups_;            // first step of each group, then the number of steps
  std::vector<std::vector<Turn>> turns_;  // of every thread, in order
  std::vector<Counter> done_;             // per thread: every step of its own below this number is done
  std::unique_ptr<Team> team_;            // where there is more than one thread
};

}  // namespace octet
