#include "generator/passes/passes.h"

#include <fmt/format.h>

#include <chrono>

#include "generator/io/file.h"

namespace octet {
namespace {

void dump(const Graph& graph, const std::string& dir, size_t index, const char* pass) {
  if (dir.empty()) return;
  make_folder(dir);
  write_file(fmt::format("{}/graph_{:02}_{}.txt", dir, index, pass), print(graph));
}

}  // namespace

const std::vector<Pass>& all_passes() {
  static const std::vector<Pass> passes = {
      {"fold_constants", fold_constants, false},
      {"match_linear", match_linear, false},
      {"fold_batch_norm", fold_batch_norm, false},
      {"merge_quantize", merge_quantize, false},
      {"move_quantization", move_quantization, false},
      {"fold_qdq", fold_qdq, false},
      {"align_operands", align_operands, false},
      {"quantize_biases", quantize_biases, false},
      {"fold_tables", fold_tables, false},
      {"requantize_moves", requantize_moves, false},
      {"fold_requantize", fold_requantize, false},
      {"check_integer", check_integer, false},
      {"fuse_ranges", fuse_ranges, true},
      {"fuse_tables", fuse_tables, true},
      {"fuse_concats", fuse_concats, true},
      {"fuse_pads", fuse_pads, true},
      {"fuse_shuffles", fuse_shuffles, true},
      {"fuse_adds", fuse_adds, true},
      {"layout", layout, false},
      {"join_interleaves", join_interleaves, true},
      {"expand_operands", expand_operands, false},
  };
  return passes;
}

void run_passes(Graph& graph, const PassOptions& options) {
  verify(graph);
  dump(graph, options.dump_dir, 0, "import");
  size_t index = 0;
  for (const Pass& pass : all_passes()) {
    ++index;
    if (pass.optional && !options.fuse) continue;
    const auto start = std::chrono::steady_clock::now();
    pass.run(graph);
    remove_dead_nodes(graph);
    verify(graph);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    dump(graph, options.dump_dir, index, pass.name);
    if (options.report) options.report(pass.name, time.count(), graph);
  }
}

}  // namespace octet
