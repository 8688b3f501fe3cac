// Measured choices of register tiles: what `octet tune` writes and compiling reads, as a small text file.
//
//   octet tuned tilings, version 1
//   TARGET | CPU | TILING | LAYER
//
// one line a layer, for instance `avx2 | AMD EPYC | v4 a12 u1 | widened dot, 16 registers, conv 1x1 ...`. Lines of
// other targets, machines and layers are kept and ignored; a choice never changes a byte of the results.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "generator/schedule/tiling.h"

namespace octet {

class TunedTilings {
 public:
  // User error, naming `file` and the line: another version, or a line that is not as above.
  static TunedTilings parse(const std::string& text, const std::string& file);
  std::string text() const;

  void set(const std::string& target, const std::string& cpu, const std::string& layer, const Tiling& tiling);
  void erase(const std::string& target, const std::string& cpu, const std::string& layer);
  const Tiling* find(const std::string& target, const std::string& cpu, const std::string& layer) const;
  size_t size() const { return lines_.size(); }

 private:
  std::map<std::tuple<std::string, std::string, std::string>, Tiling> lines_;
};

}  // namespace octet
