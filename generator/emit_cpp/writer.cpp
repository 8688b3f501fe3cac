#include "generator/emit_cpp/writer.h"

#include "runtime/status.h"

namespace octet {
namespace {

constexpr size_t kColumns = 120;

bool is_name(char c) {
  return (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

void Writer::line(std::string_view text) {
  if (!text.empty()) text_.append(2 * depth_, ' ').append(text);
  text_ += '\n';
}

void Writer::comment(std::string_view text) {
  const size_t room = kColumns - 2 * depth_ - 3;
  while (text.size() > room) {
    size_t cut = text.rfind(' ', room);
    if (cut == std::string_view::npos || cut == 0) break;  // one word longer than a line
    line("// " + std::string(text.substr(0, cut)));
    text.remove_prefix(cut + 1);
  }
  line("// " + std::string(text));
}

void Writer::open(std::string_view text) {
  line(text);
  ++depth_;
}

void Writer::close(std::string_view text) {
  --depth_;
  line(text);
}

std::string fill(std::string_view frame, const std::vector<std::pair<std::string, std::string>>& values) {
  std::string out;
  std::vector<bool> used(values.size());
  for (size_t at = 0; at < frame.size();) {
    size_t end = at + 1;
    if (frame[at] == '@')
      while (end < frame.size() && is_name(frame[end])) ++end;
    if (end == at + 1 || end == frame.size() || frame[end] != '@') {
      out += frame[at++];
      continue;
    }
    const std::string_view name = frame.substr(at + 1, end - at - 1);
    size_t k = 0;
    while (k < values.size() && values[k].first != name) ++k;
    if (k == values.size()) internal_error("the frame asks for @" + std::string(name) + "@");
    out += values[k].second;
    used[k] = true;
    at = end + 1;
  }
  for (size_t k = 0; k < values.size(); ++k)
    if (!used[k]) internal_error("the frame has no @" + values[k].first + "@");
  return out;
}

}  // namespace octet
