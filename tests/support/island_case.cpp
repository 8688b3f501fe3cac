#include "tests/support/island_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/random.h"

namespace octet {
namespace {

using Tensors = std::vector<IslandTensor>;

constexpr double kSum = 2e-6;  // what sums in binary32 may be off by

IslandTensor f32(Shape shape) {
  return {DType::f32, std::move(shape)};
}
IslandTensor of(DType dtype, Shape shape) {
  return {dtype, std::move(shape)};
}
IslandTensor constant(IslandTensor t) {
  t.constant = true;
  return t;
}
IslandTensor within(IslandTensor t, int64_t least, int64_t most) {
  t.least = least, t.most = most;
  return t;
}
IslandTensor absent() {
  return {.absent = true};
}

class Table {
 public:
  std::vector<IslandCase> cases;

  IslandCase& add(const std::string& name, Node node, Tensors inputs, Tensors outputs, double tolerance = 0) {
    IslandCase c{.inputs = std::move(inputs), .outputs = std::move(outputs), .tolerance = tolerance};
    c.name = fmt::format("{}_{}", name, cases.size());
    c.node = std::move(node);
    c.node.name = c.name;
    cases.push_back(std::move(c));
    return cases.back();
  }

  void unary() {
    for (int f = 0; f <= static_cast<int>(Unary::logical_not); ++f) {
      const auto function = static_cast<Unary>(f);
      Node n{.op = OpKind::unary, .function = function, .alpha = 0.3f, .beta = 0.6f};
      const DType type = function == Unary::logical_not ? DType::boolean : DType::f32;
      for (const Shape& s : std::vector<Shape>{{3, 37}, {}, {2, 1, 3, 1, 2, 5}})
        add(unary_name(function), n, {of(type, s)}, {of(type, s)}, 3e-7);
    }
    add("gelu by tanh", {.op = OpKind::unary, .function = Unary::gelu, .alpha = 1}, {f32({5, 41})}, {f32({5, 41})},
        3e-7);
    for (DType type : {DType::s32, DType::s64})
      for (Unary f : {Unary::relu, Unary::neg, Unary::abs, Unary::square, Unary::sign})
        add(unary_name(f), {.op = OpKind::unary, .function = f}, {of(type, {3, 5})}, {of(type, {3, 5})});
  }

  void binary() {
    struct Shapes {
      Shape a, b, y;
    };
    const std::vector<Shapes> shapes = {{{3, 17}, {3, 17}, {3, 17}},
                                        {{}, {}, {}},
                                        {{2, 3}, {}, {2, 3}},
                                        {{1}, {4, 1, 5}, {4, 1, 5}},
                                        {{5, 1}, {1, 7}, {5, 7}},
                                        {{2, 1, 3, 1, 2, 1}, {1, 4, 1, 5, 1, 3}, {2, 4, 3, 5, 2, 3}},
                                        {{2, 3, 4, 5}, {3, 1, 1}, {2, 3, 4, 5}},
                                        {{6}, {2, 3, 6}, {2, 3, 6}}};
    for (OpKind op : {OpKind::add, OpKind::sub, OpKind::mul, OpKind::div, OpKind::maximum, OpKind::minimum, OpKind::pow,
                      OpKind::floor_div, OpKind::floor_mod, OpKind::squared_difference, OpKind::prelu})
      for (DType type : {DType::f32, DType::s32, DType::s64})
        for (const Shapes& s : shapes) {
          const bool power = op == OpKind::pow && type != DType::f32;
          add(op_name(op), {.op = op}, {within(of(type, s.a), -3, 3), within(of(type, s.b), power ? 0 : -4, 4)},
              {of(type, s.y)}, 3e-7);
        }
    for (int r = 0; r <= static_cast<int>(Relation::greater_equal); ++r)
      for (DType type : {DType::f32, DType::s32, DType::s64, DType::boolean}) {
        const auto relation = static_cast<Relation>(r);
        if (type == DType::boolean && relation != Relation::equal && relation != Relation::not_equal) continue;
        for (size_t k : {0, 1, 5})
          add("compare", {.op = OpKind::compare, .relation = relation},
              {within(of(type, shapes[k].a), -2, 2), within(of(type, shapes[k].b), -2, 2)},
              {of(DType::boolean, shapes[k].y)});
      }
    for (Connective c : {Connective::all, Connective::any, Connective::odd})
      for (const Shapes& s : shapes)
        add("logic", {.op = OpKind::logic, .connective = c}, {of(DType::boolean, s.a), of(DType::boolean, s.b)},
            {of(DType::boolean, s.y)});
    for (DType type : {DType::f32, DType::s32, DType::s64, DType::boolean})
      for (const Shapes& s : shapes)
        add("where", {.op = OpKind::where}, {of(DType::boolean, s.b), of(type, s.a), of(type, s.b)}, {of(type, s.y)});
    add("where", {.op = OpKind::where}, {of(DType::boolean, {3, 1}), f32({}), f32({1, 5})}, {f32({3, 5})});
    add("add_constant", {.op = OpKind::add}, {f32({2, 5}), constant(f32({5}))}, {f32({2, 5})}, 3e-7);
    for (DType from : {DType::f32, DType::u8, DType::s8, DType::s32, DType::s64, DType::boolean})
      for (DType to : {DType::f32, DType::u8, DType::s8, DType::s32, DType::s64, DType::boolean}) {
        const auto is_byte = [](DType t) { return t == DType::u8 || t == DType::s8; };
        const bool narrow = is_byte(from) || is_byte(to);
        add("cast", {.op = OpKind::cast}, {within(of(from, {2, 9}), narrow ? 0 : -300, narrow ? 127 : 300)},
            {of(to, {2, 9})});
      }
  }

  void products() {
    struct Shapes {
      Shape a, b, y;
    };
    for (const Shapes& s : std::vector<Shapes>{{{5, 7}, {7, 19}, {5, 19}},
                                               {{1, 1}, {1, 1}, {1, 1}},
                                               {{2, 3, 4}, {4, 33}, {2, 3, 33}},
                                               {{3, 6}, {2, 1, 6, 16}, {2, 1, 3, 16}},
                                               {{2, 1, 3, 5}, {1, 4, 5, 2}, {2, 4, 3, 2}},
                                               {{2, 1, 2, 1, 3, 5}, {3, 1, 2, 5, 17}, {2, 3, 2, 2, 3, 17}}}) {
      add("matmul", {.op = OpKind::matmul}, {f32(s.a), f32(s.b)}, {f32(s.y)}, kSum);
      for (DType a : {DType::u8, DType::s8})
        for (DType b : {DType::u8, DType::s8}) {
          const auto bytes = [](DType t, Shape shape) {
            return within(of(t, std::move(shape)), t == DType::u8 ? 0 : -128, t == DType::u8 ? 255 : 127);
          };
          add("integer_matmul", {.op = OpKind::integer_matmul}, {bytes(a, s.a), bytes(b, s.b)}, {of(DType::s32, s.y)});
          add("integer_matmul", {.op = OpKind::integer_matmul},
              {bytes(a, s.a), bytes(b, s.b), bytes(a, {}), bytes(b, {s.b.back()})}, {of(DType::s32, s.y)});
        }
    }
    for (const Shape& rows : std::vector<Shape>{{5}, {1, 1}, {2, 3, 4}}) {
      Shape x = rows, y = rows;
      x.push_back(7), y.push_back(21);
      add("linear", {.op = OpKind::linear}, {f32(x), constant(f32({21, 7})), constant(f32({21}))}, {f32(y)}, kSum);
      add("linear", {.op = OpKind::linear}, {f32(x), constant(f32({21, 7}))}, {f32(y)}, kSum);
    }
  }

  void reductions() {
    const Shape x = {2, 3, 4, 1, 5, 6};
    for (Reduction r : {Reduction::sum, Reduction::mean, Reduction::max, Reduction::min, Reduction::prod})
      for (DType type : {DType::f32, DType::s32, DType::s64})
        for (const std::vector<int64_t>& axes :
             std::vector<std::vector<int64_t>>{{5}, {0}, {0, 1, 2, 3, 4, 5}, {1, 3, 5}, {0, 2, 4}, {2, 3}, {3}}) {
          Shape kept = x, gone;
          for (int64_t a : axes) kept[static_cast<size_t>(a)] = 1;
          for (size_t d = 0; d < x.size(); ++d)
            if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) == axes.end()) gone.push_back(x[d]);
          const bool product = r == Reduction::prod;
          const IslandTensor in = within(of(type, x), product ? 1 : -9, product ? 1 : 9);
          add("reduce", {.op = OpKind::reduce, .axes = axes, .reduction = r}, {in},
              {of(type, axes.size() % 2 ? kept : gone)}, product ? 1e-5 : kSum);
        }
    for (Reduction r : {Reduction::sum, Reduction::max})
      add("reduce", {.op = OpKind::reduce, .axes = {1}, .reduction = r}, {f32({3, 259})}, {f32({3, 1})}, kSum);
    add("reduce", {.op = OpKind::reduce, .axes = {0}}, {f32({7, 131})}, {f32({131})}, kSum);
    for (DType type : {DType::f32, DType::u8, DType::s8, DType::s32, DType::s64})
      for (DType to : {DType::s32, DType::s64})
        for (int axis : {0, 1, 2})
          for (bool last : {false, true}) {
            Shape y = {3, 4, 5};
            y[static_cast<size_t>(axis)] = 1;
            add("arg",
                {.op = OpKind::arg,
                 .axis = axis,
                 .reduction = axis == 1 ? Reduction::min : Reduction::max,
                 .select_last = last},
                {within(of(type, {3, 4, 5}), 0, 2)}, {of(to, y)});
          }
    for (OpKind op : {OpKind::softmax, OpKind::log_softmax})
      for (int axis : {0, 1, 2}) add(op_name(op), {.op = op, .axis = axis}, {f32({3, 7, 5})}, {f32({3, 7, 5})}, 1e-6);
  }

  void norms() {
    for (int axis : {1, 2}) {
      const Shape x = {2, 3, 11}, parameters(x.begin() + axis, x.end());
      const Node n{.op = OpKind::layer_norm, .alpha = 1e-5f, .axis = axis};
      add("layer_norm", n, {f32(x), f32(parameters), constant(f32(parameters))}, {f32(x)}, kSum);
      add("layer_norm", n, {f32(x), constant(f32(parameters))}, {f32(x)}, kSum);
      add("layer_norm", n, {f32(x)}, {f32(x)}, kSum);
      add("layer_norm", n, {f32(x), absent(), f32(parameters)}, {f32(x)}, kSum);
    }
    add("instance_norm", {.op = OpKind::instance_norm, .alpha = 1e-3f}, {f32({2, 3, 4, 5}), f32({3}), f32({3})},
        {f32({2, 3, 4, 5})}, kSum);
    add("group_norm", {.op = OpKind::group_norm, .group = 3, .alpha = 1e-3f}, {f32({2, 6, 7}), f32({6}), f32({6})},
        {f32({2, 6, 7})}, kSum);
  }

  // In both orders: shapes are given channels first.
  void image(const std::string& name, Node node, Shape x, const Tensors& others, Shape y, double tolerance) {
    for (bool last : {false, true}) {
      const auto turned = [last](Shape s) {
        if (last && s.size() > 2) std::rotate(s.begin() + 1, s.begin() + 2, s.end());
        return s;
      };
      Tensors inputs = {f32(turned(x))};
      inputs.insert(inputs.end(), others.begin(), others.end());
      IslandCase& c = add(name, node, inputs, {f32(turned(y))}, tolerance);
      c.channels_last = c.node.channels_last = last;
    }
  }

  void images() {
    struct Conv {
      Shape x, w, y;
      Window window;
      int64_t group = 1;
    };
    const Window same = {.kh = 3, .kw = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
    Window strided = same;
    strided.stride_h = 2, strided.stride_w = 3, strided.dilation_w = 2, strided.pad_left = 2;
    for (const Conv& c :
         std::vector<Conv>{{{2, 3, 5, 6}, {17, 3, 3, 3}, {2, 17, 5, 6}, same},
                           {{1, 4, 6, 9}, {3, 4, 3, 3}, {1, 3, 3, 3}, strided},
                           {{1, 7, 3, 5}, {33, 7, 1, 1}, {1, 33, 3, 5}, {}},
                           {{1, 6, 5, 67}, {6, 1, 3, 3}, {1, 6, 5, 67}, same, 6},
                           {{1, 19, 6, 9}, {19, 1, 3, 3}, {1, 19, 3, 3}, strided, 19},
                           {{1, 6, 4, 4}, {4, 3, 3, 3}, {1, 4, 4, 4}, same, 2},
                           {{1, 2, 4, 4}, {6, 1, 3, 3}, {1, 6, 4, 4}, same, 2},
                           {{2, 3, 9}, {5, 3, 3}, {2, 5, 5}, {.kw = 3, .stride_w = 2, .pad_left = 1, .pad_right = 1}},
                           {{1, 2, 1, 1}, {3, 2, 3, 3}, {1, 3, 1, 1}, same}}) {
      const Node n{.op = OpKind::conv, .window = c.window, .group = c.group};
      image("conv", n, c.x, {constant(f32(c.w)), constant(f32({c.w[0]}))}, c.y, kSum);
      image("conv", n, c.x, {constant(f32(c.w))}, c.y, kSum);
      for (DType w : {DType::u8, DType::s8}) {
        Node integer = n;
        integer.op = OpKind::integer_conv;
        add("integer_conv", integer, {of(DType::u8, c.x), of(w, c.w)}, {of(DType::s32, c.y)});
        add("integer_conv", integer,
            {within(of(DType::s8, c.x), -128, 127), of(w, c.w), of(DType::s8, {}), of(w, {c.w[0]})},
            {of(DType::s32, c.y)});
      }
    }
    const Window doubled = {.kh = 3, .kw = 2, .stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_left = 0};
    image("conv_transpose", {.op = OpKind::conv_transpose, .window = doubled}, {1, 3, 4, 5},
          {constant(f32({3, 18, 3, 2})), constant(f32({18}))}, {1, 18, 8, 10}, kSum);
    image("conv_transpose", {.op = OpKind::conv_transpose, .window = doubled, .group = 2}, {1, 4, 3, 3},
          {constant(f32({4, 3, 3, 2}))}, {1, 6, 6, 6}, kSum);
    image("conv_transpose", {.op = OpKind::conv_transpose, .window = doubled, .group = 5}, {1, 5, 3, 3},
          {constant(f32({5, 1, 3, 2}))}, {1, 5, 6, 6}, kSum);
    const IslandTensor positive = constant(within(f32({5}), 1, 1));
    image("batch_norm", {.op = OpKind::batch_norm, .alpha = 1e-3f}, {2, 5, 3, 4},
          {positive, constant(f32({5})), constant(f32({5})), positive}, {2, 5, 3, 4}, kSum);
    for (OpKind op : {OpKind::max_pool, OpKind::average_pool})
      for (bool include : {false, true}) {
        const Node n{.op = op, .window = strided, .count_include_pad = include};
        image(op_name(op), n, {2, 5, 6, 9}, {}, {2, 5, 3, 3}, kSum);
        image(op_name(op), {.op = op, .window = {.kw = 2, .stride_w = 2}}, {1, 3, 8}, {}, {1, 3, 4}, kSum);
      }
    image("global_average_pool", {.op = OpKind::global_average_pool}, {2, 5, 6, 9}, {}, {2, 5, 1, 1}, kSum);
    image("global_average_pool", {.op = OpKind::global_average_pool}, {2, 5, 9}, {}, {2, 5, 1}, kSum);
    for (bool crd : {false, true})
      image("depth_to_space", {.op = OpKind::depth_to_space, .block = 2, .column_row_depth = crd}, {2, 12, 3, 5}, {},
            {2, 3, 6, 10}, 0);
    image("space_to_depth", {.op = OpKind::space_to_depth, .block = 2}, {2, 3, 6, 10}, {}, {2, 12, 3, 5}, 0);
  }

  static std::vector<Resize> kernels() {
    using M = Resize::Mode;
    return {{.mode = M::cubic},
            {.mode = M::cubic, .cubic_a = -0.5f, .exclude_outside = true},
            {.mode = M::cubic, .exclude_outside = true, .antialias = true},
            {.mode = M::cubic, .antialias = true},
            {.mode = M::linear, .antialias = true}};
  }

  void resizes() {
    using C = Resize::Coordinates;
    for (C c : {C::half_pixel, C::asymmetric, C::align_corners, C::pytorch_half_pixel, C::half_pixel_symmetric,
                C::tf_half_pixel_nearest})
      for (const Shape& to : std::vector<Shape>{{2, 3, 10, 14}, {2, 3, 3, 5}, {2, 3, 1, 7}, {2, 3, 5, 21}}) {
        const Shape from = {2, 3, 5, 7};
        if (c != C::tf_half_pixel_nearest)
          add("linear_resize", {.op = OpKind::resize, .resize = {.mode = Resize::Mode::linear, .coordinates = c}},
              {f32(from)}, {f32(to)}, 1e-5);
        for (Resize r : kernels()) {
          r.coordinates = c;
          if (c != C::tf_half_pixel_nearest)
            add("weighted_resize", {.op = OpKind::resize, .resize = r}, {f32(from)}, {f32(to)}, 1e-5);
        }
        for (DType type : {DType::f32, DType::s64})
          for (Resize::Nearest nearest : {Resize::Nearest::round_prefer_floor, Resize::Nearest::floor})
            add("nearest_resize",
                {.op = OpKind::resize, .resize = {.coordinates = c, .nearest = nearest, .scales = {}}},
                {of(type, from)}, {of(type, to)});
      }
  }

  void moves() {
    for (DType type : {DType::f32, DType::s32, DType::s64, DType::boolean, DType::u8}) {
      const auto t = [type](Shape s) { return within(of(type, std::move(s)), 0, 9); };
      const auto indices = [](DType d, Shape s, int64_t size) { return within(of(d, std::move(s)), -size, size - 1); };
      add("transpose", {.op = OpKind::transpose, .perm = {5, 0, 4, 1, 3, 2}}, {t({2, 3, 1, 4, 2, 3})},
          {t({3, 2, 2, 3, 4, 1})});
      add("slice", {.op = OpKind::slice, .starts = {2, 4, 0}, .steps = {-1, -2, 3}}, {t({3, 5, 7})}, {t({3, 3, 3})});
      add("split", {.op = OpKind::split, .axis = 1}, {t({2, 5, 3})}, {t({2, 3, 3}), t({2, 2, 3})});
      add("concat", {.op = OpKind::concat, .axis = 2}, {t({2, 1, 3}), t({2, 1, 5}), constant(t({2, 1, 1}))},
          {t({2, 1, 9})});
      add("concat", {.op = OpKind::concat, .axis = 0}, {t({1, 3}), t({2, 3})}, {t({3, 3})});
      add("expand", {.op = OpKind::expand}, {t({3, 1})}, {t({2, 3, 4})});
      add("tile", {.op = OpKind::tile}, {t({2, 3, 1, 2})}, {t({4, 3, 5, 6})});
      for (PadMode mode : {PadMode::constant, PadMode::reflect, PadMode::symmetric, PadMode::edge})
        add("pad", {.op = OpKind::pad, .alpha = 3, .pads = {1, 2, 0, 1, 1, 2}, .pad_mode = mode}, {t({2, 3, 4})},
            {t({4, 6, 6})});
      add("reshape", {.op = OpKind::reshape}, {t({2, 6})}, {t({3, 4})});
      add("identity", {.op = OpKind::identity}, {t({2, 6})}, {t({2, 6})});
      for (DType d : {DType::s32, DType::s64}) {
        add("gather", {.op = OpKind::gather, .axis = 1}, {t({2, 3, 4}), indices(d, {5}, 3)}, {t({2, 5, 4})});
        add("gather", {.op = OpKind::gather, .axis = 0}, {t({3, 4}), indices(d, {}, 3)}, {t({4})});
        add("gather", {.op = OpKind::gather, .axis = 2}, {t({2, 3, 4}), constant(indices(d, {2, 2}, 4))},
            {t({2, 3, 2, 2})});
        add("gather_nd", {.op = OpKind::gather_nd}, {t({3, 3, 4}), indices(d, {5, 2}, 3)}, {t({5, 4})});
        add("gather_nd", {.op = OpKind::gather_nd}, {t({3, 3}), indices(d, {2, 2, 2}, 3)}, {t({2, 2})});
        add("gather_nd", {.op = OpKind::gather_nd}, {t({4, 3, 2}), indices(d, {1}, 4)}, {t({3, 2})});
      }
    }
    add("dynamic_quantize", {.op = OpKind::dynamic_quantize}, {f32({3, 41})},
        {of(DType::u8, {3, 41}), f32({}), of(DType::u8, {})}, 1e-7);
  }
};

bool defines_extremes(const IslandCase& c) {
  switch (c.node.op) {
    case OpKind::unary:
    case OpKind::add:
    case OpKind::maximum:
    case OpKind::minimum:
    case OpKind::compare:
    case OpKind::where:
    case OpKind::cast:
    case OpKind::transpose:
    case OpKind::gather:
    case OpKind::pad:
    case OpKind::identity: return true;
    default: return false;
  }
}

}  // namespace

std::vector<IslandCase> island_cases() {
  Table t;
  t.unary();
  t.binary();
  t.products();
  t.reductions();
  t.norms();
  t.images();
  t.resizes();
  t.moves();
  return std::move(t.cases);
}

IslandValues island_values(const IslandCase& c, uint32_t seed) {
  Random random(seed);
  IslandValues all;
  for (const IslandTensor& t : c.inputs) {
    std::vector<double> v(t.absent ? 0 : static_cast<size_t>(element_count(t.shape)));
    for (size_t i = 0; i < v.size(); ++i) {
      const auto r = static_cast<int64_t>(random());
      if (t.dtype == DType::f32) {
        v[i] = static_cast<double>(static_cast<float>(r % 8001 - 4000) * 0.0007f);
        if (t.least > 0) v[i] = std::fabs(v[i]) + 0.5;
        constexpr double kExtremes[] = {INFINITY, -INFINITY, NAN, 0.0, -0.0, 1e-40, -3e38, 1e10};
        if (defines_extremes(c) && i % 5 == 3) v[i] = static_cast<double>(static_cast<float>(kExtremes[r % 8]));
      } else if (t.dtype == DType::boolean) {
        v[i] = static_cast<double>(r % 2);
      } else {
        const int64_t least = t.dtype == DType::u8 ? std::max<int64_t>(t.least, 0) : t.least;
        v[i] = static_cast<double>(least + r % (t.most - least + 1));
      }
    }
    all.push_back(std::move(v));
  }
  return all;
}

}  // namespace octet
