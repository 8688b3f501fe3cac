#include "generator/cli/find_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "runtime/status.h"

namespace octet::cli {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Insertions, deletions and changes of one character that make `b` of `a`.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& n : names) text += (text.empty() ? "'" : ", '") + n + "'";
  return text;
}

class Finder {
 public:
  Finder(const Graph& file, const std::vector<Source>& existing) : file_(file), index_(file), existing_(existing) {
    for (const Source& s : existing) by_name_.emplace(s.name, &s);
  }

  // The source, or nullptr and `why`.
  const Source* find(const std::string& name, Source& made, std::string& why) const {
    const auto [tensor, node] = meaning(name);
    const Tensor& t = file_.tensor(tensor);
    if (const auto at = by_name_.find(t.name); at != by_name_.end()) return at->second;
    if (t.is_constant()) user_error(fmt::format("--node {}: a constant of the file; nothing computes it", name));
    if (const int p = producer(tensor); p < 0) {
      user_error(fmt::format("--node {}: an input of the network; it holds what --input says", name));
    } else if (const Node& n = file_.nodes[static_cast<size_t>(p)]; n.op == OpKind::dequantize) {
      const auto at = by_name_.find(file_.tensor(n.inputs[0]).name);
      if (at != by_name_.end() && at->second->scale > 0) {
        made = *at->second;
        made.name = t.name;
        made.dequantize = true;
        return &made;
      }
    }
    if (node) {  // quantized at once
      const std::vector<int>& readers = index_.consumers[static_cast<size_t>(tensor)];
      if (readers.size() == 1)
        if (const Node& q = file_.nodes[static_cast<size_t>(readers[0])]; q.op == OpKind::quantize)
          if (const auto at = by_name_.find(file_.tensor(q.outputs[0]).name); at != by_name_.end()) return at->second;
    }
    why = absence(name, tensor);
    return nullptr;
  }

 private:
  struct Meaning {
    TensorId tensor;
    bool node;  // the name is the node's that computes it
  };

  int producer(TensorId t) const { return index_.producer[static_cast<size_t>(t)]; }

  Meaning meaning(const std::string& given) const {
    const bool only_tensor = given.starts_with("tensor:"), only_node = given.starts_with("node:");
    std::vector<TensorId> tensors = only_node ? std::vector<TensorId>() : tensors_named(given), results;
    if (!only_tensor) results = results_of(given);
    if (tensors.empty() && results.empty()) {  // "node:x" may be a name too
      if (only_tensor) tensors = tensors_named(given.substr(7));
      if (only_node) results = results_of(given.substr(5));
    }
    if (tensors.empty() && results.empty()) unknown(given);
    if (tensors.empty() && results.size() > 1)
      user_error(fmt::format("--node {}: several tensors; give one of {}", given, list(first_names(results))));
    if (tensors.empty()) return {results[0], true};
    if (!results.empty() && (results.size() > 1 || results[0] != tensors[0]))
      user_error(fmt::format("--node {}: a tensor, and a node that computes {}; give tensor:{} or node:{}", given,
                             list(first_names(results)), given, given));
    return {tensors[0], !results.empty()};
  }

  // What the file calls one tensor may be several in the graph, with the same values.
  std::vector<TensorId> tensors_named(const std::string& name) const {
    std::vector<TensorId> found;
    for (size_t t = 0; t < file_.tensors.size(); ++t)
      if (file_.tensors[t].name == name) found.push_back(static_cast<TensorId>(t));
    return found;
  }

  std::vector<TensorId> results_of(const std::string& name) const {
    std::vector<TensorId> found;
    for (const Node& n : file_.nodes)
      if (n.name == name) found.insert(found.end(), n.outputs.begin(), n.outputs.end());
    return found;
  }

  std::vector<std::string> first_names(const std::vector<TensorId>& tensors) const {
    std::vector<std::string> names;
    for (size_t i = 0; i < std::min<size_t>(tensors.size(), 5); ++i) names.push_back(file_.tensor(tensors[i]).name);
    return names;
  }

  [[noreturn]] void unknown(const std::string& name) const {
    std::vector<std::string> known;
    for (const Source& s : existing_) known.push_back(s.name);
    for (const Node& n : file_.nodes) {
      known.push_back(n.name);
      for (const TensorId t : n.outputs) known.push_back(file_.tensor(t).name);
    }
    const std::vector<std::string> near = near_matches(name, known);
    user_error(fmt::format("--node {}: no tensor and no node of that name{}", name,
                           near.empty() ? "; octet compare lists them" : "; spelled like it: " + list(near)));
  }

  std::string absence(const std::string& name, TensorId t) const {
    const Tensor& tensor = file_.tensor(t);
    const Node& maker = file_.nodes[static_cast<size_t>(producer(t))];
    std::string text = fmt::format("--node {}: ", name);
    if (index_.consumers[static_cast<size_t>(t)].empty())
      text += fmt::format("no output needs what {} '{}' computes, so nobody does", maker.source, maker.name);
    else if (tensor.dtype == DType::f32)
      text += fmt::format("{} '{}' and the ops around it are one int8 op, so its float result never exists",
                          maker.source, maker.name);
    else
      text += fmt::format("the passes left nothing of {} '{}'", maker.source, maker.name);
    const std::vector<std::string> before = nearest(t, true), after = nearest(t, false);
    if (!before.empty()) text += "; nearest before it: " + list(before);
    if (!after.empty()) text += "; nearest behind it: " + list(after);
    return text;
  }

  // The tensors that exist around `from`, as few steps away as there are.
  std::vector<std::string> nearest(TensorId from, bool before) const {
    std::vector<TensorId> front = {from};
    std::set<TensorId> seen = {from};
    std::vector<std::string> names;
    while (!front.empty() && names.empty()) {
      std::vector<TensorId> next;
      for (const TensorId t : front)
        for (const TensorId other : neighbours(t, before))
          if (seen.insert(other).second) next.push_back(other);
      for (const TensorId t : next)
        if (by_name_.count(file_.tensor(t).name) && names.size() < 3) names.push_back(file_.tensor(t).name);
      front = std::move(next);
    }
    return names;
  }

  std::vector<TensorId> neighbours(TensorId t, bool before) const {
    std::vector<TensorId> all;
    if (before) {
      if (const int p = producer(t); p >= 0)
        for (const TensorId i : file_.nodes[static_cast<size_t>(p)].inputs)
          if (i != kNoTensor) all.push_back(i);
    } else {
      for (const int c : index_.consumers[static_cast<size_t>(t)])
        for (const TensorId o : file_.nodes[static_cast<size_t>(c)].outputs) all.push_back(o);
    }
    return all;
  }

  const Graph& file_;
  GraphIndex index_;
  const std::vector<Source>& existing_;
  std::map<std::string, const Source*> by_name_;
};

}  // namespace

void add_aliases(const Graph& file, std::vector<Source>& sources) {
  std::multimap<std::string, std::string> other_names;
  for (const Node& n : file.nodes) {
    if (n.op != OpKind::quantize && n.op != OpKind::dequantize) continue;
    const bool quantize = n.op == OpKind::quantize;
    const std::string &before = file.tensor(n.inputs[0]).name, &behind = file.tensor(n.outputs[0]).name;
    other_names.emplace(quantize ? behind : before, quantize ? before : behind);
  }
  for (Source& s : sources)
    for (auto [at, end] = other_names.equal_range(s.name); at != end; ++at) s.aliases.push_back(at->second);
}

FoundTensors find_tensors(const Graph& file, const std::vector<Source>& existing,
                          const std::vector<std::string>& names) {
  const Finder finder(file, existing);
  FoundTensors found;
  std::set<std::string> taken;
  for (const std::string& name : names) {
    Source made;
    const Source* source = finder.find(name, made, found.lost);
    if (!source) return found;
    if (taken.insert(source->name).second) found.sources.push_back(*source);
  }
  return found;
}

std::vector<std::string> near_matches(const std::string& name, const std::vector<std::string>& known) {
  constexpr size_t kMost = 5, kLongest = 200;  // characters; names come from files
  std::set<std::pair<size_t, std::string>> ranked;
  for (const std::string& k : known) {
    if (k.empty() || k.size() > kLongest || name.size() > kLongest) continue;
    const size_t distance = edit_distance(lower(name), lower(k));
    const bool part = name.size() >= 3 && lower(k).find(lower(name)) != std::string::npos;
    if (part || distance <= std::max<size_t>(2, name.size() / 3)) ranked.emplace(part ? 1 : distance, k);
  }
  std::vector<std::string> near;
  for (const auto& [distance, k] : ranked)
    if (near.size() < kMost) near.push_back(k);
  return near;
}

}  // namespace octet::cli
