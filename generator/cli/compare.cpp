// octet compare: two runs of a network, tensor by tensor.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "generator/cli/common.h"
#include "generator/cli/difference.h"
#include "generator/cli/inside.h"
#include "generator/io/file.h"
#include "runtime/status.h"

namespace octet::cli {
namespace {

constexpr int kDifferent = 3;  // exit status

struct CompareOptions {
  std::string a, b, a_settings, b_settings, json;
  InputOptions inputs;
};

bool names_dump(const std::string& path) {
  return has_extension(path, ".npz");
}

int number(const std::string& key, const std::string& value) {
  int n = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
  if (error != std::errc() || end != value.data() + value.size())
    user_error(fmt::format("setting {}={}: {} is a whole number", key, value, key));
  return n;
}

// "profile=xnn,engine=jit,threads=2": the options of `octet run`.
ModelOptions read_settings(const std::string& flag, const std::string& model, const std::string& text) {
  ModelOptions o;
  o.model = model;
  const std::map<std::string, std::string*> words = {{"target", &o.target},
                                                     {"engine", &o.engine},
                                                     {"compiler", &o.compiler},
                                                     {"profile", &o.profile},
                                                     {"tuned", &o.tuned}};
  const std::map<std::string, bool*> switches = {
      {"fuse", &o.no_fuse}, {"views", &o.no_views}, {"prove", &o.no_prove}, {"winograd", &o.no_winograd}};
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string setting = text.substr(at, end - at);
    at = end + 1;
    const size_t equals = std::min(setting.find('='), setting.size());
    const std::string key = setting.substr(0, equals), value = setting.substr(std::min(equals + 1, setting.size()));
    if (const auto word = words.find(key); word != words.end() && !value.empty())
      *word->second = value;
    else if (const auto off = switches.find(key); off != switches.end() && (value == "yes" || value == "no"))
      *off->second = value == "no";
    else if (key == "threads" && !value.empty())
      o.threads = number(key, value);
    else if (key == "batch" && !value.empty())
      o.batch = number(key, value);
    else
      user_error(
          fmt::format("{}: unknown setting '{}' (target=T, engine=E, profile=P, threads=N, batch=N, "
                      "compiler=C, tuned=FILE, fuse=no, views=no, prove=no, winograd=no)",
                      flag, setting));
  }
  return o;
}

// One of the two: a network with its inputs, or a dump.
class Side {
 public:
  Side(const char* flag, const std::string& path, const std::string& settings, const InputOptions& inputs)
      : title_(settings.empty() ? path : path + " (" + settings + ")"), dump_(names_dump(path)) {
    if (dump_) {
      if (!settings.empty()) user_error(fmt::format("{}: {} is a dump, which has no settings", flag, path));
      npz_.emplace(path);
      for (const std::string& name : npz_->names()) tensors_.push_back({.name = name});
    } else {
      const Inside network(read_settings(flag, path, settings));
      tensors_ = network.wanted();
      inputs_ = gather_inputs(network.inputs(), inputs);
      recorder_.emplace(network.recorder());
    }
  }

  const std::string& title() const { return title_; }
  bool is_dump() const { return dump_; }
  const std::vector<Source>& tensors() const { return tensors_; }
  std::optional<size_t> runs() const { return dump_ ? std::nullopt : std::optional(inputs_.runs); }

  // The values of every tensor in run `r` of `runs`; nothing for those of a dump that `wanted` does not name.
  std::vector<Values> values(size_t r, size_t runs, const std::vector<bool>& wanted) {
    if (!dump_) return recorder_->run(inputs_, r);
    std::vector<Values> all(tensors_.size());
    for (size_t t = 0; t < tensors_.size(); ++t)
      if (wanted[t]) all[t] = {tensors_[t].name, part(npz_->read(tensors_[t].name), r, runs)};
    return all;
  }

 private:
  // Dumps hold their runs one behind the other.
  static Array part(Array whole, size_t r, size_t runs) {
    if (runs == 1 || whole.shape.empty() || whole.shape[0] % static_cast<int64_t>(runs) != 0) return whole;
    const size_t bytes = whole.data.size() / runs;
    whole.shape[0] /= static_cast<int64_t>(runs);
    whole.data = {whole.data.begin() + static_cast<std::ptrdiff_t>(r * bytes),
                  whole.data.begin() + static_cast<std::ptrdiff_t>((r + 1) * bytes)};
    return whole;
  }

  std::string title_;
  bool dump_;
  std::vector<Source> tensors_;
  Inputs inputs_;
  std::optional<Recorder> recorder_;
  std::optional<NpzReader> npz_;
};

struct Row {
  size_t a, b;  // indices into the sides' tensors
  Difference difference;
};

// Tensors of equal names, or of names that the file gives to the same values: a quantized tensor meets the float one
// that it was quantized from, as may the integers' own dequantized values. In A's order, which is that of execution.
std::vector<Row> match(const Side& a, const Side& b) {
  std::map<std::string, size_t> by_name;
  for (size_t t = 0; t < b.tensors().size(); ++t) by_name.emplace(b.tensors()[t].name, t);
  for (size_t t = 0; t < b.tensors().size(); ++t)
    for (const std::string& alias : b.tensors()[t].aliases) by_name.emplace(alias, t);
  std::vector<Row> rows;
  for (size_t t = 0; t < a.tensors().size(); ++t) {
    const Source& s = a.tensors()[t];
    std::vector<std::string> names = {s.name};
    names.insert(names.end(), s.aliases.begin(), s.aliases.end());
    for (const std::string& name : names) {
      const auto at = by_name.find(name);
      if (at == by_name.end()) continue;
      rows.push_back({t, at->second, {}});
      break;
    }
  }
  return rows;
}

size_t run_count(const Side& a, const Side& b) {
  if (a.runs() && b.runs() && *a.runs() != *b.runs())
    user_error(fmt::format("A runs {} times with these inputs, B {} times", *a.runs(), *b.runs()));
  return a.runs().value_or(b.runs().value_or(1));
}

std::string decibels(const Difference& d) {
  if (std::isnan(d.sqnr())) return "-";
  return std::isinf(d.sqnr()) ? "exact" : fmt::format("{:.1f}", d.sqnr());
}

std::string shortened(const std::string& name, size_t most) {
  return name.size() <= most ? name : ".." + name.substr(name.size() - (most - 2));
}

void print_rows(const std::vector<Row>& rows, const Side& a, const Side& b) {
  constexpr size_t kName = 44;
  fmt::print("{:<{}} {:<16} {:>10} {:>10} {:>9} {:>8} {:>9} {:>8}\n", "tensor", kName, "op", "values", "differ", "most",
             "SQNR dB", "cosine", "at ends");
  for (const Row& row : rows) {
    const Difference& d = row.difference;
    const Source& s = a.is_dump() ? b.tensors()[row.b] : a.tensors()[row.a];
    fmt::print("{:<{}} {:<16} ", shortened(printable(a.tensors()[row.a].name), kName), kName,
               shortened(printable(s.op), 16));
    if (!d.unlike.empty()) {
      fmt::print("{}\n", d.unlike);
      continue;
    }
    fmt::print("{:>10} {:>10} {:>9} {:>8} {:>9} {:>7.2f}%\n", d.values, d.differing,
               d.in_quanta ? fmt::format("{:.4g} q", d.most) : fmt::format("{:.3g}", d.most), decibels(d),
               std::isnan(d.cosine()) ? "-" : fmt::format("{:.6f}", d.cosine()), 100 * d.saturated_a());
  }
}

std::vector<std::string> unmatched(const Side& side, const std::vector<Row>& rows, size_t Row::*index) {
  std::vector<bool> found(side.tensors().size());
  for (const Row& row : rows) found[row.*index] = true;
  std::vector<std::string> names;
  for (size_t t = 0; t < found.size(); ++t)
    if (!found[t]) names.push_back(side.tensors()[t].name);
  return names;
}

const Row* first_different(const std::vector<Row>& rows) {
  const auto at = std::find_if(rows.begin(), rows.end(), [](const Row& r) { return !r.difference.equal(); });
  return at == rows.end() ? nullptr : &*at;
}

void print_summary(const std::vector<Row>& rows, const Side& a, const Side& b, size_t runs) {
  int64_t values = 0, differing = 0;
  size_t tensors = 0;
  for (const Row& row : rows) {
    values += row.difference.values;
    differing += row.difference.differing;
    tensors += !row.difference.equal();
  }
  const size_t only_a = unmatched(a, rows, &Row::a).size(), only_b = unmatched(b, rows, &Row::b).size();
  const std::string where = fmt::format("{} tensors{}{}{}", rows.size(), runs > 1 ? fmt::format(", {} runs", runs) : "",
                                        only_a ? fmt::format("; only in A: {}", only_a) : "",
                                        only_b ? fmt::format("; only in B: {}", only_b) : "");
  const Row* first = first_different(rows);
  if (!first) return fmt::print("equal: {} values in {}\n", values, where);
  const Source& s = a.is_dump() ? b.tensors()[first->b] : a.tensors()[first->a];
  const Difference& d = first->difference;
  fmt::print("different: {} of {} values in {} of {}; first in '{}'{} {}\n", differing, values, tensors, where,
             printable(a.tensors()[first->a].name), s.op.empty() ? "" : " (" + printable(s.op) + ")",
             d.unlike.empty() ? d.first : d.unlike);
}

nlohmann::ordered_json as_json(const std::vector<Row>& rows, const Side& a, const Side& b, size_t runs) {
  nlohmann::ordered_json tensors = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    const Difference& d = row.difference;
    const Source &sa = a.tensors()[row.a], &sb = b.tensors()[row.b];
    tensors.push_back({{"name", sa.name},
                       {"name_b", sb.name},
                       {"node", sa.node.empty() ? sb.node : sa.node},
                       {"op", sa.op.empty() ? sb.op : sa.op},
                       {"values", d.values},
                       {"differing", d.differing},
                       {d.in_quanta ? "most_quanta" : "most", d.most},
                       {"sqnr_db", d.sqnr()},  // null: infinite, or not known
                       {"cosine", d.cosine()},
                       {"saturated_a", d.saturated_a()},
                       {"saturated_b", d.saturated_b()},
                       {"first", d.unlike.empty() ? d.first : d.unlike}});
  }
  const Row* first = first_different(rows);
  return {{"a", a.title()},
          {"b", b.title()},
          {"runs", runs},
          {"equal", first == nullptr},
          {"first_different", first ? nlohmann::ordered_json(a.tensors()[first->a].name) : nlohmann::ordered_json()},
          {"only_in_a", unmatched(a, rows, &Row::a)},
          {"only_in_b", unmatched(b, rows, &Row::b)},
          {"tensors", tensors}};
}

void compare(const CompareOptions& o) {
  const std::string& b_path = o.b.empty() ? o.a : o.b;
  // Nothing but a model: its default engine against the slow, obvious one.
  const bool alone = o.b.empty() && o.a_settings.empty() && o.b_settings.empty();
  if (o.b.empty() && names_dump(o.a)) user_error(o.a + ": a dump is compared with something: give B");
  if (o.inputs.files.empty() && !(names_dump(o.a) && names_dump(b_path)))
    user_error("--input is required where A or B is a model");
  if (!o.json.empty()) check_writable(o.json);
  Side a("--a", o.a, o.a_settings, o.inputs);
  Side b("--b", b_path, alone ? "engine=reference" : o.b_settings, o.inputs);
  const size_t runs = run_count(a, b);
  std::vector<Row> rows = match(a, b);
  if (rows.empty()) user_error(fmt::format("{} and {} have no tensor of the same name", o.a, b_path));
  std::vector<bool> wanted_a(a.tensors().size()), wanted_b(b.tensors().size());
  for (const Row& row : rows) wanted_a[row.a] = wanted_b[row.b] = true;
  if (a.is_dump() && !b.is_dump())
    std::sort(rows.begin(), rows.end(), [](const Row& x, const Row& y) { return x.b < y.b; });
  Progress progress("comparing", runs);
  for (size_t r = 0; r < runs; ++r) {
    std::vector<Values> va = a.values(r, runs, wanted_a), vb = b.values(r, runs, wanted_b);
    for (Row& row : rows) row.difference.add(va[row.a], vb[row.b]);
    progress.advance();
  }
  fmt::print("A: {}\nB: {}\n", printable(a.title()), printable(b.title()));
  print_rows(rows, a, b);
  print_summary(rows, a, b, runs);
  if (!o.json.empty()) write_file(o.json, as_json(rows, a, b, runs).dump(2) + "\n");
  if (first_different(rows)) throw CLI::RuntimeError(kDifferent);
}

}  // namespace

void add_compare(CLI::App& app) {
  auto o = std::make_shared<CompareOptions>();
  CLI::App* verb = app.add_subcommand("compare", "Compare two runs of a network, tensor by tensor");
  verb->add_option("A", o->a, "A model, or a dump (.npz) that `octet run --dump-all` or another program wrote")
      ->required()
      ->check(no_empty_name());
  verb->add_option("B", o->b, "The same; without it, A once more")->check(no_empty_name());
  verb->add_option("--input", o->inputs.files, "As for octet run; for both")
      ->take_all()
      ->allow_extra_args(false)
      ->check(no_empty_name());
  const char* settings =
      "How A runs: any of target=T, engine=E, profile=P, threads=N, batch=N,\n"
      "compiler=C, tuned=FILE, fuse=no, views=no, prove=no, winograd=no, with commas between";
  verb->add_option("--a", o->a_settings, settings);
  verb->add_option("--b", o->b_settings, "The same for B");
  verb->add_option("--json", o->json, "Also write all figures into this file")->check(no_empty_name());
  o->inputs.add_photos(*verb);
  verb->footer(R"(
Tensors meet by their names in the file; a quantized one also meets the float tensor that it was quantized from, so that
an int8 model can be compared with the float model it was made of. Tensors that only one side has are counted.

  differ   values that are not equal; beside floats: further apart than half a quantum
  most     the largest distance, in quanta (q) of the quantized side
  SQNR     10 log10(signal / noise), A being the signal
  at ends  saturated in A: beyond its type by the float values of B, or else at an end that does not mean zero

Exit status: 0 equal, 3 different, 1 and 2 as ever.

Examples:
  octet compare model.onnx --input x.npz                      the default engine against the reference
  octet compare model.tflite --input x.npz --a profile=xnn --b profile=tfl-ref
  octet compare model.onnx --input x.npz --a target=avx2 --b engine=cpp,target=avx512_vnni --json report.json
  octet compare model.int8.onnx model.f32.onnx --input cat.bmp
  octet compare model.onnx dump.npz --input x.npz)");
  verb->callback([o] { compare(*o); });
}

}  // namespace octet::cli
