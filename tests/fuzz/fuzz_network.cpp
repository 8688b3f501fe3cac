#include "tests/fuzz/fuzz_network.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include "generator/schedule/cost.h"
#include "runtime/status.h"
#include "tests/support/ways.h"

namespace octet::fuzz {
namespace {

constexpr double kMostCycles = 3e5;  // predicted for machine code; references take a hundred times as many
constexpr int64_t kMostBytes = int64_t{1} << 22;

[[noreturn]] void finding(const std::string& what) {
  fmt::print(stderr, "FINDING: {}\n", what);
  std::abort();
}

// The result of `make`, or nothing where it says no as it should.
template <class Make>
auto unless_refused(const char* stage, Make make) -> std::optional<decltype(make())> {
  try {
    return make();
  } catch (const Error& e) {
    const char* text = e.what();
    if (e.kind() != ErrorKind::user) finding(fmt::format("{}: internal error: {}", stage, text));
    if (*text == 0 || std::strchr(text, '\n')) finding(fmt::format("{}: not one line: {}", stage, text));
    if (std::strlen(text) > 10000) finding(fmt::format("{}: a message of {} characters", stage, std::strlen(text)));
  } catch (const std::exception& e) {
    finding(fmt::format("{}: {}", stage, e.what()));
  }
  return std::nullopt;
}

uint32_t hash(std::span<const uint8_t> bytes) {  // FNV-1a
  uint32_t h = 2166136261u;
  for (const uint8_t b : bytes) h = (h ^ b) * 16777619u;
  return h;
}

bool is_small(const LoadedModel& m) {
  const Plan& plan = m.executor->plan();
  double cycles = 0;
  int64_t bytes = plan.arena_bytes;
  for (const TensorInfo& t : plan.inputs) bytes += static_cast<int64_t>(t.bytes());
  for (const TensorInfo& t : plan.outputs) bytes += static_cast<int64_t>(t.bytes());
  if (bytes > kMostBytes) return false;
  for (const OctetStep& s : plan.steps)
    cycles += 100 + predict_cycles(m.compiled.kernels[s.kernel].spec, *find_target("avx2"));
  return cycles < kMostCycles;
}

}  // namespace

void try_file(std::span<const uint8_t> file, const std::function<Graph()>& import) {
  std::optional<Graph> graph = unless_refused("import", import);
  if (!graph) return;
  // Without threads, whose order libFuzzer would see as new coverage: the same files then come from the same seed.
  static const std::vector<Way> all = [] {
    std::vector<Way> some = ways();
    std::erase_if(some, [](const Way& w) { return w.threads > 1; });
    return some;
  }();
  const uint32_t choice = hash(file);
  // As the file asks, or as --profile would.
  const uint32_t profile = (choice >> 16) % 4;
  if (profile == 0) graph->profile = all_profiles()[(choice >> 18) % all_profiles().size()];
  if (profile == 1) graph->profile = Profile::ort;
  const Way& way = all[choice % all.size()];
  const auto plain = unless_refused("plain", [&] { return load(*graph, kPlain); });
  const auto other = unless_refused("way", [&] { return load(*graph, way); });
  // What is refused may depend on the passes (a proof may show that sums stay in 32 bits), never on the target.
  if (!plain || !other || !is_small(*plain)) return;
  const Plan& plan = plain->executor->plan();
  const ByteArrays inputs = random_inputs(plan, choice);
  const std::string what = difference(plan, run(*plain, inputs), run(*other, inputs));
  if (!what.empty())
    finding(fmt::format("profile={},{}: {}\n{}", profile_name(graph->profile), to_string(way), what, print(*graph)));
}

}  // namespace octet::fuzz
