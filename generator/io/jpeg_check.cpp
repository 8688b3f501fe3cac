#include "generator/io/jpeg_check.h"

namespace octet {
namespace {

constexpr uint8_t kStart = 0xd8, kEnd = 0xd9, kScan = 0xda, kHuffman = 0xc4;

class Walk {
 public:
  explicit Walk(Bytes file) : file_(file) {}

  bool tables_fit() {
    if (file_.size() < 2 || file_[0] != 0xff || file_[1] != kStart) return true;
    at_ = 2;
    for (int marker = next_marker(false); marker >= 0 && marker != kEnd;) {
      if (file_.size() - at_ < 2) return true;
      const size_t length = static_cast<size_t>(file_[at_]) << 8 | file_[at_ + 1];
      const size_t left = file_.size() - at_;
      if (marker == kHuffman && !huffman_fits(file_.subspan(at_, length < left ? length : left))) return false;
      at_ += length < left ? length : left;
      marker = next_marker(marker == kScan);
    }
    return true;
  }

 private:
  // The byte behind the next 0xff; in the coded data of a scan, stuffed zeros and restarts belong to the data.
  int next_marker(bool in_scan) {
    while (at_ < file_.size()) {
      if (file_[at_++] != 0xff) continue;
      while (at_ < file_.size() && file_[at_] == 0xff) ++at_;
      if (at_ == file_.size()) break;
      const uint8_t marker = file_[at_++];
      if (in_scan && (marker == 0 || (marker >= 0xd0 && marker <= 0xd7))) continue;
      return marker;
    }
    return -1;
  }

  // Tables of a class byte, 16 counts and as many values; the segment begins with its length.
  static bool huffman_fits(Bytes segment) {
    size_t at = 2;
    while (at < segment.size()) {
      if (segment.size() - at < 17) return false;
      size_t codes = 0;
      for (size_t i = 1; i <= 16; ++i) codes += segment[at + i];
      if (codes > 256 || segment.size() - at - 17 < codes) return false;
      at += 17 + codes;
    }
    return true;
  }

  Bytes file_;
  size_t at_ = 0;
};

}  // namespace

bool jpeg_tables_fit(Bytes file) {
  return Walk(file).tables_fit();
}

}  // namespace octet
