// Text with indentation.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace octet {

class Writer {
 public:
  // One line at the current depth; an empty one stays empty.
  void line(std::string_view text);
  // As `// text`, wrapped at 120 columns; the words of a list wider than that go on below.
  void comment(std::string_view text);
  // A line that opens a block, and the one that ends it.
  void open(std::string_view text);
  void close(std::string_view text = "}");

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  size_t depth_ = 0;
};

// Replaces every @NAME@ of a frame from templates/. A name without a value, or a value without a name, is an internal
// error: frame and generator have drifted apart.
std::string fill(std::string_view frame, const std::vector<std::pair<std::string, std::string>>& values);

}  // namespace octet
