// Threads that do one job side by side, again and again. Everything that waits here spins for a while, because what it
// waits for is mostly microseconds away, and then sleeps, so that idle threads cost nothing. With more threads than
// processors it sleeps at once: whoever is waited for needs the processor.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace octet {

// A number that one thread sets and others wait for. It may count on past 2^32.
class alignas(64) Counter {
 public:
  void set(uint32_t value);
  // Until the number is at least `least`; whatever its setter wrote before is visible then.
  void wait(uint32_t least, bool spin) const;

 private:
  std::atomic<uint32_t> value_{0};
};

class Team {
 public:
  // Starts size - 1 threads; user error if the system does not give them.
  explicit Team(size_t size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Whether waiting threads may spin: every thread can have a processor of its own.
  bool spins() const { return spins_; }

  // job(t) for every t < size at the same time, t = 0 on the caller's thread. Returns when all have returned.
  template <class Job>
  void run(Job& job) {
    begin([](void* j, size_t t) { (*static_cast<Job*>(j))(t); }, &job);
    job(size_t{0});
    end();
  }

 private:
  void begin(void (*job)(void*, size_t), void* argument);
  void end();
  void work(size_t thread);
  void stop();

  bool spins_;
  uint32_t jobs_ = 0;                     // so far
  void (*job_)(void*, size_t) = nullptr;  // nullptr: go home
  void* argument_ = nullptr;
  Counter begun_;
  std::vector<Counter> ended_;  // jobs that thread t + 1 has done
  std::vector<std::thread> threads_;
};

}  // namespace octet
