#include <fmt/format.h>

#include "generator/kernel/resize.h"
#include "generator/passes/lowering.h"
#include "runtime/status.h"

namespace octet {

void lower_resize(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  const Image in = image_of(to.tensor(src)), out = image_of(to.tensor(dst));
  const Resize::Coordinates c = n.resize.coordinates;
  if (in.n != out.n || in.c != out.c)
    user_error(fmt::format("{}: resizes {} to {}; supported are other heights and widths", describe(n),
                           to_string(to.tensor(src).shape), to_string(to.tensor(dst).shape)));
  if (in.h >= 1 << 15 || in.w >= 1 << 15 || out.h >= 1 << 15 || out.w >= 1 << 15)
    user_error(fmt::format("{}: resizes {} to {}; supported are sides below 2^15", describe(n),
                           to_string(to.tensor(src).shape), to_string(to.tensor(dst).shape)));
  if (c != Resize::Coordinates::half_pixel && c != Resize::Coordinates::asymmetric &&
      c != Resize::Coordinates::align_corners)
    user_error(
        fmt::format("{}: its coordinates have no integer form; supported are half_pixel, asymmetric and "
                    "align_corners",
                    describe(n)));
  const ResizeSpec spec{.n = in.n,
                        .ih = in.h,
                        .iw = in.w,
                        .oh = out.h,
                        .ow = out.w,
                        .channels = in.c,
                        .src_pitch = to.pitch(src),
                        .dst_pitch = to.pitch(dst),
                        .form = blend_form(to.graph.profile, to.view(src), to.view(dst)),
                        .offset = to.view(src).offset()};
  std::vector<ResizeNeighbours> neighbours = resize_neighbours(spec.form, c, in.h, out.h);
  for (const ResizeNeighbours& x : resize_neighbours(spec.form, c, in.w, out.w)) neighbours.push_back(x);
  put(to.add(node, spec, src, dst), OCTET_WEIGHTS, neighbours);
}

}  // namespace octet
