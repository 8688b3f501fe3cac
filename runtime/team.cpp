#include "runtime/team.h"

#include <chrono>
#include <string>
#include <system_error>

#include "runtime/status.h"

namespace octet {
namespace {

using Clock = std::chrono::steady_clock;

// Longer than the parts of a layer differ, and than a caller needs between two runs that follow each other; shorter
// than anybody sees in the machine's load.
constexpr std::chrono::microseconds kSpin{200};

void pause_processor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void Counter::set(uint32_t value) {
  value_.store(value);
  value_.notify_all();  // asks the system only if somebody sleeps
}

void Counter::wait(uint32_t least, bool spin) const {
  constexpr int kBetweenClocks = 32;
  const auto reached = [least](uint32_t value) { return static_cast<int32_t>(value - least) >= 0; };
  if (reached(value_.load(std::memory_order_acquire))) return;
  if (spin) {
    const auto end = Clock::now() + kSpin;
    do {
      for (int i = 0; i < kBetweenClocks; ++i) {
        if (reached(value_.load(std::memory_order_acquire))) return;
        pause_processor();
      }
    } while (Clock::now() < end);
  }
  for (uint32_t now = value_.load(); !reached(now); now = value_.load()) value_.wait(now);
}

Team::Team(size_t size) : spins_(size <= std::thread::hardware_concurrency()), ended_(size - 1) {
  try {
    for (size_t t = 1; t < size; ++t) threads_.emplace_back([this, t] { work(t); });
  } catch (const std::system_error&) {
    stop();
    user_error("cannot start " + std::to_string(size) + " threads");
  }
}

Team::~Team() {
  stop();
}

void Team::stop() {
  begin(nullptr, nullptr);
  for (std::thread& t : threads_) t.join();
}

void Team::begin(void (*job)(void*, size_t), void* argument) {
  job_ = job;
  argument_ = argument;
  begun_.set(++jobs_);
}

void Team::end() {
  for (const Counter& c : ended_) c.wait(jobs_, spins_);
}

void Team::work(size_t thread) {
  for (uint32_t job = 1;; ++job) {
    begun_.wait(job, spins_);
    if (!job_) return;
    job_(argument_, thread);
    ended_[thread - 1].set(job);
  }
}

}  // namespace octet
