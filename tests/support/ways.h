// The ways to run one graph that must all give the same bytes: engines, targets, threads, and the passes that only save
// work. A way reads as `octet compare` takes it: "engine=jit,target=avx2,threads=2,fuse=no".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jit/load.h"

namespace octet {

struct Way {
  Engine engine = Engine::reference;
  const Target* target = nullptr;  // nullptr: the reference has none
  int threads = 1;
  bool fuse = true, prove = true, views = true;
  const char* compiler = "c++";  // engine cpp
  WinogradUse winograd = WinogradUse::where_it_pays;
};
std::string to_string(const Way& way);

// The plainest one, which the others are compared with.
inline constexpr Way kPlain{.fuse = false, .prove = false, .views = false};

// Of every engine but cpp and every target of this host: all passes, none, one thread, three.
std::vector<Way> ways();
std::vector<Way> cpp_ways();  // one per target

using ByteArrays = std::vector<std::vector<uint8_t>>;  // one per graph input or output

// Seeded bytes for every input: integers over their whole range, floats around what the input's quantizer takes, with
// its two ends, ties, infinities.
ByteArrays random_inputs(const Plan& plan, uint32_t seed);

ByteArrays run(const LoadedModel& model, ExecutionContext& context, const ByteArrays& inputs);
ByteArrays run(const LoadedModel& model, const ByteArrays& inputs);  // in a context of its own
LoadedModel load(Graph graph, const Way& way, bool keep_all = false);

// The first inner tensor, in the order of execution, that the way computes otherwise than the plain one.
std::string first_different_tensor(const Graph& graph, const Way& way, const ByteArrays& inputs);

// Where outputs differ, for people; empty where they do not. NaNs are equal to each other.
std::string difference(const Plan& plan, const ByteArrays& expected, const ByteArrays& got);

}  // namespace octet
