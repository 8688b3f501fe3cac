#include "generator/kernel/ref_ops.h"

namespace octet::ref {

void run(const ResizeSpec& s, const OctetArgs& args) {
  const auto* rows = in<ResizeNeighbours>(args, OCTET_WEIGHTS);
  const auto* columns = rows + s.oh;
  for (int64_t pixel = 0; pixel < int64_t{s.n} * s.oh * s.ow; ++pixel) {
    const ResizeNeighbours &y = rows[pixel / s.ow % s.oh], &x = columns[pixel % s.ow];
    const uint8_t* image = in<uint8_t>(args, OCTET_SRC) + pixel / s.ow / s.oh * s.ih * s.iw * s.src_pitch;
    const auto at = [&](int row, int column, int c) { return image[(int64_t{row} * s.iw + column) * s.src_pitch + c]; };
    for (int c = 0; c < s.channels; ++c)
      out(args)[pixel * s.dst_pitch + c] = blend_bytes(
          s.form,
          {at(y.first, x.first, c), at(y.first, x.second, c), at(y.second, x.first, c), at(y.second, x.second, c)}, y,
          x, s.offset);
  }
}

}  // namespace octet::ref
