#include "generator/schedule/tuned.h"

#include <fmt/format.h>

#include <charconv>
#include <sstream>
#include <vector>

#include "runtime/status.h"

namespace octet {
namespace {

constexpr const char* kFirstLine = "octet tuned tilings, version 1";

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  for (size_t at = 0;;) {
    const size_t end = line.find(" | ", at);
    fields.push_back(line.substr(at, end - at));
    if (end == std::string::npos) return fields;
    at = end + 3;
  }
}

// "v4" -> 4; -1 where it is no such number.
int number_after(char letter, const std::string& word) {
  int value = -1;
  const char* end = word.data() + word.size();
  if (word.size() < 2 || word[0] != letter) return -1;
  const auto [stop, error] = std::from_chars(word.data() + 1, end, value);
  return error == std::errc() && stop == end ? value : -1;
}

bool parse_tiling(const std::string& text, Tiling& tiling) {
  std::istringstream in(text);
  std::string vectors, accumulators, unroll, more;
  in >> vectors >> accumulators >> unroll;
  tiling = {number_after('v', vectors), number_after('a', accumulators), number_after('u', unroll)};
  const bool known = tiling.vectors == 1 || tiling.vectors == 2 || tiling.vectors == 4;
  return known && tiling.accumulators >= tiling.vectors && tiling.accumulators <= 32 && tiling.unroll >= 1 &&
         tiling.unroll <= kMostUnroll && !(in >> more);
}

}  // namespace

TunedTilings TunedTilings::parse(const std::string& text, const std::string& file) {
  std::istringstream in(text);
  std::string line;
  if (!std::getline(in, line) || line != kFirstLine)
    user_error(fmt::format("{}: the first line of tuned tilings must be '{}'", file, kFirstLine));
  TunedTilings tuned;
  for (int number = 2; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> f = fields_of(line);
    Tiling tiling;
    if (f.size() != 4 || !parse_tiling(f[2], tiling))
      user_error(fmt::format("{}: line {} is not 'TARGET | CPU | TILING | LAYER' with a tiling such as 'v4 a28 u1'",
                             file, number));
    tuned.set(f[0], f[1], f[3], tiling);
  }
  return tuned;
}

std::string TunedTilings::text() const {
  std::string out = std::string(kFirstLine) + "\n";
  for (const auto& [key, tiling] : lines_)
    out += fmt::format("{} | {} | {} | {}\n", std::get<0>(key), std::get<1>(key), to_string(tiling), std::get<2>(key));
  return out;
}

void TunedTilings::set(const std::string& target, const std::string& cpu, const std::string& layer,
                       const Tiling& tiling) {
  lines_.insert_or_assign({target, cpu, layer}, tiling);
}

void TunedTilings::erase(const std::string& target, const std::string& cpu, const std::string& layer) {
  lines_.erase({target, cpu, layer});
}

const Tiling* TunedTilings::find(const std::string& target, const std::string& cpu, const std::string& layer) const {
  const auto at = lines_.find({target, cpu, layer});
  return at == lines_.end() ? nullptr : &at->second;
}

}  // namespace octet
