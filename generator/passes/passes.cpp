#include "generator/passes/passes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "generator/io/file.h"
#include "runtime/status.h"

namespace octet {
namespace {

void dump(const Graph& graph, const std::string& dir, size_t index, const char* pass) {
  if (dir.empty()) return;
  make_folder(dir);
  write_file(fmt::format("{}/graph_{:02}_{}.txt", dir, index, pass), print(graph));
}

bool wanted(const Pass& pass, const PassOptions& options) {
  switch (pass.when) {
    case Pass::always: return true;
    case Pass::fusing: return options.fuse;
    case Pass::proving: return options.prove;
    case Pass::not_proving: return !options.prove;
    case Pass::strict: return options.strict_int8;
  }
  return true;
}

}  // namespace

const std::vector<Pass>& all_passes() {
  static const std::vector<Pass> passes = {
      {"fold_constants", fold_constants},
      {"match_linear", match_linear},
      {"fold_batch_norm", fold_batch_norm},
      {"merge_quantize", merge_quantize},
      {"move_quantization", move_quantization},
      {"fold_qdq", fold_qdq},
      {"align_operands", align_operands},
      {"quantize_biases", quantize_biases},
      {"fold_tables", fold_tables},
      {"split_ties", split_ties},
      {"pool_reductions", pool_reductions},
      {"requantize_moves", requantize_moves},
      {"fold_requantize", fold_requantize},
      {"split_matmul", split_matmul},
      {"match_functions", match_functions},
      {"check_integer", check_integer, Pass::strict},
      {"expand_matmul", expand_matmul},
      {"make_islands", make_islands},
      {"check_profile", check_profile},
      {"fuse_ranges", fuse_ranges, Pass::fusing},
      {"fuse_tables", fuse_tables, Pass::fusing},
      {"fuse_concats", fuse_concats, Pass::fusing},
      {"fuse_pads", fuse_pads, Pass::fusing},
      {"fuse_shuffles", fuse_shuffles, Pass::fusing},
      {"fuse_adds", fuse_adds, Pass::fusing},
      {"layout", layout},
      {"split_transposed", split_transposed},
      {"expand_operands", expand_operands},
      {"prove_ranges", prove_ranges},
      {"forget_ranges", forget_ranges, Pass::not_proving},
      {"drop_clamps", drop_clamps, Pass::proving},
      {"drop_channels", drop_channels, Pass::proving},
      {"join_interleaves", join_interleaves, Pass::fusing},
  };
  return passes;
}

void run_passes(Graph& graph, const PassOptions& options) {
  verify(graph);
  dump(graph, options.dump_dir, 0, "import");
  size_t index = 0;
  for (const Pass& pass : all_passes()) {
    ++index;
    if (!wanted(pass, options)) continue;
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
