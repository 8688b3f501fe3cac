#include "bench/conv_shapes.h"

#include <fmt/format.h>

#include <cctype>
#include <fstream>
#include <sstream>

#include "runtime/status.h"

namespace octet {
namespace {

// "3" or "3x5", or with commas.
std::vector<int> numbers_of(std::string text) {
  for (char& c : text)
    if (c == 'x' || c == ',') c = ' ';
  std::istringstream in(text);
  std::vector<int> values;
  for (int v; in >> v;) values.push_back(v);
  return values;
}

int out_size(int in, int kernel, int stride, int dilation, int before, int after) {
  return (in + before + after - (kernel - 1) * dilation - 1) / stride + 1;
}

void set_field(ConvSpec& s, char field, std::vector<int> v) {
  const int first = v.at(0), second = v.size() > 1 ? v[1] : first;
  Window& w = s.window;
  switch (field) {
    case 'n': s.n = first; break;
    case 'g': s.groups = first; break;
    case 'k': w.kh = first, w.kw = second; break;
    case 's': w.stride_h = first, w.stride_w = second; break;
    case 'd': w.dilation_h = first, w.dilation_w = second; break;
    case 'p':
      v.resize(4, first);
      w.pad_top = v[0], w.pad_left = v[1], w.pad_bottom = v[2], w.pad_right = v[3];
      break;
    default: user_error(fmt::format("shape file: unknown field {}", field));
  }
}

}  // namespace

ConvShape parse_conv_shape(const std::string& line) {
  ConvShape shape;
  ConvSpec& s = shape.spec;
  std::istringstream in(line);
  bool output = false;
  for (std::string word; in >> word;) {
    if (word.find(':') != std::string::npos)
      shape.name = word;
    else if (word == "->")
      output = true;
    else if (std::isdigit(static_cast<unsigned char>(word[0])) && !output) {
      const std::vector<int> v = numbers_of(word);
      s.ih = v.at(0), s.iw = v.at(1), s.ic = v.at(2);
    } else if (std::isdigit(static_cast<unsigned char>(word[0])))
      s.oc = numbers_of(word)[0];
    else
      set_field(s, word[0], numbers_of(word.substr(1)));
  }
  const Window& w = s.window;
  s.oh = out_size(s.ih, w.kh, w.stride_h, w.dilation_h, w.pad_top, w.pad_bottom);
  s.ow = out_size(s.iw, w.kw, w.stride_w, w.dilation_w, w.pad_left, w.pad_right);
  s.src_pitch = round_up(s.ic, 4);
  s.dst_pitch = s.src2_pitch = round_up(s.oc, 4);
  if (shape.name.empty() || s.oh < 1 || s.ow < 1) user_error("shape file: bad line: " + line);
  return shape;
}

std::vector<ConvShape> read_conv_shapes(const std::string& file) {
  std::ifstream in(file);
  if (!in) user_error("cannot read " + file);
  std::vector<ConvShape> shapes;
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && line[0] != '#') shapes.push_back(parse_conv_shape(line));
  return shapes;
}

}  // namespace octet
