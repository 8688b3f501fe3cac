#include "tests/support/op_cases.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace octet {
namespace {

constexpr Mem kA{OCTET_SRC, 0}, kB{OCTET_WEIGHTS, 0}, kC{OCTET_SRC2, 0}, kDst{OCTET_DST, 0};

using Cases = std::vector<OpCase>;
using Bytes = const uint8_t*;

template <class T>
T get(Bytes p, int i) {
  T x;
  std::memcpy(&x, p + static_cast<size_t>(i) * sizeof(T), sizeof(T));
  return x;
}

template <class T>
void put(uint8_t* p, int i, T x) {
  std::memcpy(p + static_cast<size_t>(i) * sizeof(T), &x, sizeof(T));
}

// Lane by lane, numbers of type T from f(lane).
template <class T, class F>
void each(uint8_t* d, int w, F f) {
  for (int i = 0; i < w / static_cast<int>(sizeof(T)); ++i) put(d, i, static_cast<T>(f(i)));
}

template <class T>
T saturate(int64_t x) {
  return static_cast<T>(std::clamp<int64_t>(x, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

// Ops of two operands, b from a register and from memory: f(a, b, i) is lane i of the result, of type T.
template <class T, class F>
void crossing(Cases& cases, Op op, Elem elem_a, Elem elem_b, F f) {
  for (const bool from_memory : {false, true})
    cases.push_back(
        {std::string(op_row(op).name) + (from_memory ? "_mem" : ""),
         {elem_a, elem_b, Elem::u8},
         [=](Builder& b, int w) {
           const Reg a = b.load(w, Role::temp, kA), d = b.reg(Role::temp);
           b.op(op, w, d, a, from_memory ? Builder::Operand(kB) : b.load(w, Role::weight, kB));
           b.store(w, kDst, d);
         },
         [=](Bytes a, Bytes b, Bytes, uint8_t* d, int w) { each<T>(d, w, [=](int i) { return f(a, b, i); }); }});
}

// The same where lanes stay in place: f(x, y).
template <class T, class F>
void lanewise(Cases& cases, Op op, Elem elem, F f) {
  crossing<T>(cases, op, elem, elem, [=](Bytes a, Bytes b, int i) { return f(get<T>(a, i), get<T>(b, i)); });
}

template <class From, class To, class F>
void unary(Cases& cases, Op op, Elem elem, int imm, F f) {
  cases.push_back(
      {std::string(op_row(op).name) + (imm ? "_" + std::to_string(imm) : ""),
       {elem, elem, elem},
       [=](Builder& b, int w) {
         const Reg d = b.reg(Role::temp);
         b.unary(op, w, d, b.load(w, Role::temp, kA), imm);
         b.store(w, kDst, d);
       },
       [=](Bytes a, Bytes, Bytes, uint8_t* d, int w) { each<To>(d, w, [=](int i) { return f(get<From>(a, i)); }); }});
}

void integer_ops(Cases& cases) {
  lanewise<uint16_t>(cases, Op::add16, Elem::s16, [](uint32_t x, uint32_t y) { return x + y; });
  lanewise<uint16_t>(cases, Op::sub16, Elem::s16, [](uint32_t x, uint32_t y) { return x - y; });
  lanewise<uint32_t>(cases, Op::add32, Elem::s32, [](uint32_t x, uint32_t y) { return x + y; });
  lanewise<uint32_t>(cases, Op::sub32, Elem::s32, [](uint32_t x, uint32_t y) { return x - y; });
  lanewise<int32_t>(cases, Op::max_i32, Elem::s32, [](int32_t x, int32_t y) { return std::max(x, y); });
  lanewise<int32_t>(cases, Op::min_i32, Elem::s32, [](int32_t x, int32_t y) { return std::min(x, y); });
  lanewise<uint64_t>(cases, Op::and_, Elem::s16, [](uint64_t x, uint64_t y) { return x & y; });
  lanewise<uint64_t>(cases, Op::or_, Elem::s16, [](uint64_t x, uint64_t y) { return x | y; });
  lanewise<uint64_t>(cases, Op::xor_, Elem::s16, [](uint64_t x, uint64_t y) { return x ^ y; });
  lanewise<uint8_t>(cases, Op::max_u8, Elem::u8, [](uint8_t x, uint8_t y) { return std::max(x, y); });
  lanewise<uint8_t>(cases, Op::min_u8, Elem::u8, [](uint8_t x, uint8_t y) { return std::min(x, y); });
  lanewise<int16_t>(cases, Op::adds16, Elem::s16, [](int64_t x, int64_t y) { return saturate<int16_t>(x + y); });
  for (const int n : {1, 8, 15})
    unary<uint16_t, uint16_t>(cases, Op::srl16, Elem::s16, n, [=](uint32_t x) { return x >> n; });
  for (const int n : {1, 2, 15})
    unary<uint16_t, uint16_t>(cases, Op::sll16, Elem::s16, n, [=](uint32_t x) { return x << n; });
  for (const int n : {1, 16, 31})
    unary<uint32_t, uint32_t>(cases, Op::sll32, Elem::s32, n, [=](uint64_t x) { return x << n; });
}

// Shifts per lane, whose counts are below 32.
template <class T, class F>
void shift(Cases& cases, Op op, F f) {
  for (const bool from_memory : {false, true})
    cases.push_back({std::string(op_row(op).name) + (from_memory ? "_mem" : ""),
                     {Elem::s32, Elem::s32, Elem::u8},
                     [=](Builder& b, int w) {
                       const Reg a = b.load(w, Role::temp, kA), d = b.reg(Role::temp), n = b.load(w, Role::temp, kB);
                       b.op(Op::and_, w, n, n, b.constant32(31));
                       if (from_memory) b.store(w, kDst, n);
                       b.op(op, w, d, a, from_memory ? Builder::Operand(kDst) : n);
                       b.store(w, kDst, d);
                     },
                     [=](Bytes a, Bytes b, Bytes, uint8_t* d, int w) {
                       each<T>(d, w, [=](int i) { return f(get<T>(a, i), get<uint32_t>(b, i) % 32); });
                     }});
}

// Fixed-point multiplications, with the result in a register of its own as their rows demand.
void fixed_point_ops(Cases& cases) {
  for (const int n : {1, 16, 31})
    unary<int32_t, int32_t>(cases, Op::sra32, Elem::s32, n, [=](int64_t x) { return x >> n; });
  shift<uint32_t>(cases, Op::sllv32, [](uint64_t x, uint32_t n) { return x << n; });
  shift<int32_t>(cases, Op::srav32, [](int64_t x, uint32_t n) { return x >> n; });
  lanewise<uint32_t>(cases, Op::mul32, Elem::s32, [](uint64_t x, uint64_t y) { return x * y; });
  lanewise<int32_t>(cases, Op::mulhi32, Elem::s32, [](int64_t x, int64_t y) {
    const double floor = std::floor(static_cast<double>(x) * static_cast<double>(y) / 0x1p32);
    const int64_t near = static_cast<int64_t>(floor);  // within one, for want of 64 bits of mantissa
    for (int64_t high = near + 1;; --high)
      if (high * (int64_t{1} << 32) <= x * y) return high;
  });
  cases.push_back({"scale64",
                   {Elem::s32, Elem::f32, Elem::f32},
                   [](Builder& b, int w) {
                     const Reg a = b.load(w, Role::temp, kA), d = b.reg(Role::temp);
                     const Mem factors{OCTET_DST, 0};  // pairs of f32 as f64: of src2, then of weights
                     b.store(w, factors, b.load(w, Role::scale, kC));
                     b.store(w, {OCTET_DST, w}, b.load(w, Role::scale, kB));
                     b.scale64(w, d, a, factors);
                     b.store(w, kDst, d);
                   },
                   [](Bytes a, Bytes b, Bytes c, uint8_t* d, int w) {
                     std::memcpy(d + w, b, static_cast<size_t>(w));
                     each<int32_t>(d, w, [=](int i) {
                       const int half = w / 8;
                       const double m = i < half ? get<double>(c, i) : get<double>(b, i - half);
                       const double x = std::trunc(get<int32_t>(a, i) * m);
                       return std::clamp(x, -2147483648.0, 2147483647.0);
                     });
                   }});
}

void crossing_ops(Cases& cases) {
  crossing<int16_t>(cases, Op::maddubs, Elem::u8, Elem::s8, [](Bytes a, Bytes b, int i) {
    return saturate<int16_t>(a[2 * i] * get<int8_t>(b, 2 * i) + a[2 * i + 1] * get<int8_t>(b, 2 * i + 1));
  });
  crossing<int32_t>(cases, Op::madd16, Elem::s16, Elem::s16, [](Bytes a, Bytes b, int i) {
    int64_t sum = 0;
    for (const int k : {2 * i, 2 * i + 1}) sum += int64_t{get<int16_t>(a, k)} * get<int16_t>(b, k);
    return static_cast<uint32_t>(sum);
  });
  crossing<int16_t>(cases, Op::packs32, Elem::s32, Elem::s32, [](Bytes a, Bytes b, int i) {
    return saturate<int16_t>(get<int32_t>(i % 8 < 4 ? a : b, i / 8 * 4 + i % 4));
  });
  crossing<uint8_t>(cases, Op::packus16, Elem::s16, Elem::s16, [](Bytes a, Bytes b, int i) {
    return saturate<uint8_t>(get<int16_t>(i % 16 < 8 ? a : b, i / 16 * 8 + i % 8));
  });
  for (const int half : {0, 1}) {
    crossing<uint8_t>(cases, half ? Op::zip_hi8 : Op::zip_lo8, Elem::u8, Elem::s8, [=](Bytes a, Bytes b, int i) {
      const Bytes from = i % 2 ? b : a;  // apart from the index: g++ 12 miscompiles it under UBSan
      return from[i / 16 * 16 + half * 8 + i % 16 / 2];
    });
    crossing<uint16_t>(cases, half ? Op::zip_hi16 : Op::zip_lo16, Elem::s16, Elem::u8, [=](Bytes a, Bytes b, int i) {
      return get<uint16_t>(i % 2 ? b : a, i / 8 * 8 + half * 4 + i % 8 / 2);
    });
    crossing<uint64_t>(cases, half ? Op::zip_hi64 : Op::zip_lo64, Elem::s32, Elem::u8,
                       [=](Bytes a, Bytes b, int i) { return get<uint64_t>(i % 2 ? b : a, i / 2 * 2 + half); });
  }
}

// Chosen among by src2: 0 and 255 are frequent in every filling, and so are bytes between them.
void choosing_ops(Cases& cases) {
  crossing<uint8_t>(cases, Op::shuffle8, Elem::u8, Elem::u8,
                    [](Bytes a, Bytes b, int i) { return b[i] < 128 ? a[i / 16 * 16 + b[i] % 16] : 0; });
  for (const bool from_memory : {false, true}) {
    const std::string suffix = from_memory ? "_mem" : "";
    cases.push_back({"blend8" + suffix,
                     {Elem::u8, Elem::u8, Elem::u8},
                     [=](Builder& b, int w) {
                       const Reg x = b.load(w, Role::temp, kA), chooser = b.load(w, Role::temp, kC);
                       const Builder::Operand y = from_memory ? Builder::Operand(kB) : b.load(w, Role::temp, kB);
                       const Reg d = b.reg(Role::temp);
                       b.blend8(w, d, x, y, chooser);
                       b.store(w, kDst, d);
                     },
                     [](Bytes a, Bytes b, Bytes c, uint8_t* d, int w) {
                       each<uint8_t>(d, w, [=](int i) { return c[i] < 128 ? a[i] : b[i]; });
                     }});
    cases.push_back(
        {.name = "permute128" + suffix,
         .inputs = {Elem::u8, Elem::u8, Elem::u8},
         .body =
             [=](Builder& b, int w) {
               const Reg x = b.load(w, Role::temp, kA), index = b.load(w, Role::temp, kC);
               b.op(Op::permute128, w, index, x, from_memory ? Builder::Operand(kB) : b.load(w, Role::temp, kB));
               b.store(w, kDst, index);
             },
         .expect = [](Bytes a, Bytes b, Bytes c, uint8_t* d,
                      int w) { each<uint8_t>(d, w, [=](int i) { return (c[i] % 128 < 64 ? a : b)[c[i] % 64]; }); },
         .min_width = 64});
  }
}

void float_ops(Cases& cases) {
  unary<int32_t, float>(cases, Op::cvt_f32, Elem::s32, 0, [](int32_t x) { return static_cast<float>(x); });
  unary<float, int32_t>(cases, Op::cvt_i32, Elem::f32_int, 0, [](float x) { return std::llrint(x); });
  lanewise<float>(cases, Op::add_f32, Elem::f32, [](float x, float y) { return x + y; });
  lanewise<float>(cases, Op::sub_f32, Elem::f32, [](float x, float y) { return x - y; });
  lanewise<float>(cases, Op::mul_f32, Elem::f32, [](float x, float y) { return x * y; });
  lanewise<float>(cases, Op::div_f32, Elem::f32, [](float x, float y) { return x / y; });
  lanewise<float>(cases, Op::max_f32, Elem::f32_any, [](float x, float y) { return x > y ? x : y; });
  lanewise<float>(cases, Op::min_f32, Elem::f32_any, [](float x, float y) { return x < y ? x : y; });
  for (const char* memory : {"", "_mem_b", "_mem_c"}) {
    const bool mem_b = memory == std::string("_mem_b"), mem_c = memory == std::string("_mem_c");
    cases.push_back({std::string("fma_f32") + memory,
                     {Elem::f32, Elem::f32, Elem::f32},
                     [=](Builder& b, int w) {
                       const Reg a = b.load(w, Role::temp, kA), d = b.reg(Role::temp);
                       const Builder::Operand y = mem_b ? Builder::Operand(kB) : b.load(w, Role::scale, kB);
                       const Builder::Operand z = mem_c ? Builder::Operand(kC) : b.load(w, Role::temp, kC);
                       b.fma(w, d, a, y, z);
                       b.store(w, kDst, d);
                     },
                     [](Bytes a, Bytes b, Bytes c, uint8_t* d, int w) {
                       each<float>(
                           d, w, [=](int i) { return std::fma(get<float>(a, i), get<float>(b, i), get<float>(c, i)); });
                     }});
  }
}

// Group -1: every dword has its own activations; 0: one dword of activations for all (load_act of 4 bytes), as on x86;
// 1 to 3: activations by element, for targets that can. The sum starts from src2 and takes the same dot twice.
template <class Activation>
void dot_ops_of(Cases& cases, Op op, Elem activation) {
  for (const int group : {-1, 0, 1, 3})
    for (const bool from_memory : {false, true})
      cases.push_back({.name = std::string(op_row(op).name) + "_" +
                               (group < 0 ? std::string("lanes") : "group" + std::to_string(group)) +
                               (from_memory ? "_mem" : ""),
                       .inputs = {activation, Elem::s8, Elem::s32},
                       .body =
                           [=](Builder& b, int w) {
                             const Reg acc = b.load(w, Role::acc, kC);
                             const Reg act = group < 0 ? b.load(w, Role::act, kA) : b.load_act(w, kA, group ? 16 : 4);
                             for (int twice = 0; twice < 2; ++twice) {
                               const auto weights = from_memory ? Builder::Operand(kB) : b.load(w, Role::weight, kB);
                               if (op == Op::dot4)
                                 b.dot4(w, acc, act, weights, group);
                               else
                                 b.dot4s(w, acc, act, weights, group);
                             }
                             b.store(w, kDst, acc);
                           },
                       .expect =
                           [=](Bytes a, Bytes b, Bytes start, uint8_t* d, int w) {
                             each<uint32_t>(d, w, [=](int i) {
                               int64_t sum = get<int32_t>(start, i);
                               for (int e = 0; e < 4; ++e)
                                 sum += 2 * static_cast<Activation>(a[group < 0 ? 4 * i + e : 4 * group + e]) *
                                        get<int8_t>(b, 4 * i + e);
                               return sum;
                             });
                           },
                       .act_groups = group + 1});
}

// Pairs of words. The sum starts from src2.
void pair_op(Cases& cases) {
  for (const bool from_memory : {false, true})
    cases.push_back({.name = from_memory ? "dot2_mem" : "dot2",
                     .inputs = {Elem::s16, Elem::s16, Elem::s32},
                     .body =
                         [=](Builder& b, int w) {
                           const Reg acc = b.load(w, Role::acc, kC), act = b.load(w, Role::act, kA);
                           b.dot2(w, acc, act, from_memory ? Builder::Operand(kB) : b.load(w, Role::weight, kB));
                           b.store(w, kDst, acc);
                         },
                     .expect =
                         [](Bytes a, Bytes b, Bytes start, uint8_t* d, int w) {
                           each<uint32_t>(d, w, [=](int i) {
                             int64_t sum = get<int32_t>(start, i);
                             for (const int k : {2 * i, 2 * i + 1})
                               sum += int64_t{get<int16_t>(a, k)} * get<int16_t>(b, k);
                             return sum;
                           });
                         }});
}

// The sum starts from src2.
void matrix_op(Cases& cases) {
  for (const bool from_memory : {false, true})
    cases.push_back({.name = from_memory ? "mmla_mem" : "mmla",
                     .inputs = {Elem::u8, Elem::s8, Elem::s32},
                     .body =
                         [=](Builder& b, int w) {
                           const Reg acc = b.load(w, Role::acc, kC), act = b.load(w, Role::act, kA);
                           b.op(Op::mmla, w, acc, act,
                                from_memory ? Builder::Operand(kB) : b.load(w, Role::weight, kB));
                           b.store(w, kDst, acc);
                         },
                     .expect =
                         [](Bytes a, Bytes b, Bytes start, uint8_t* d, int w) {
                           each<uint32_t>(d, w, [=](int i) {
                             int64_t sum = get<int32_t>(start, i);
                             for (int e = 0; e < 8; ++e)
                               sum += a[i / 4 * 16 + i % 4 / 2 * 8 + e] * get<int8_t>(b, i / 4 * 16 + i % 2 * 8 + e);
                             return sum;
                           });
                         }});
}

void dot_ops(Cases& cases) {
  pair_op(cases);
  matrix_op(cases);
  dot_ops_of<uint8_t>(cases, Op::dot4, Elem::u8);
  dot_ops_of<int8_t>(cases, Op::dot4s, Elem::s8);
}

// Ops that read memory into a register, whose byte i is byte(a, i).
template <class F, class G>
void loading(Cases& cases, const std::string& name, int act_groups, F emit, G byte) {
  cases.push_back({.name = name,
                   .inputs = {Elem::u8, Elem::u8, Elem::u8},
                   .body = [=](Builder& b, int w) { b.store(w, kDst, emit(b, w)); },
                   .expect = [=](Bytes a, Bytes, Bytes, uint8_t* d,
                                 int w) { each<uint8_t>(d, w, [=](int i) { return byte(a, i); }); },
                   .act_groups = act_groups});
}

void memory_ops(Cases& cases) {
  auto load = [](int offset) { return [=](Builder& b, int w) { return b.load(w, Role::temp, {OCTET_SRC, offset}); }; };
  loading(cases, "load", 1, load(0), [](Bytes a, int i) { return a[i]; });
  loading(cases, "load_unaligned", 1, load(3), [](Bytes a, int i) { return a[3 + i]; });
  auto copy = [](Builder& b, int w) {
    const Reg d = b.reg(Role::acc);
    b.copy(w, d, b.load(w, Role::acc, kA));
    return d;
  };
  loading(cases, "copy", 1, copy, [](Bytes a, int i) { return a[i]; });
  for (const int n : {4, 8, 16}) {
    auto load_act = [=](Builder& b, int w) { return b.load_act(w, kA, n); };
    loading(cases, "load_act" + std::to_string(n), n / 4, load_act, [=](Bytes a, int i) { return a[i % n]; });
  }
  auto widen8_16 = [](Builder& b, int w) { return b.widen8_16(w, kA); };
  loading(cases, "widen8_16", 1, widen8_16, [](Bytes a, int i) { return i % 2 ? 0 : a[i / 2]; });
  auto widen8_32 = [](Builder& b, int w) { return b.widen8_32(w, kA); };
  loading(cases, "widen8_32", 1, widen8_32, [](Bytes a, int i) { return i % 4 ? 0 : a[i / 4]; });
  auto broadcast32 = [](Builder& b, int w) { return b.broadcast32(w, kA); };
  loading(cases, "broadcast32", 1, broadcast32, [](Bytes a, int i) { return a[i % 4]; });
  for (int n = 4; n < 64; n += 4) {
    const int more_than_half = n < 16 ? 16 : n < 32 ? 32 : 64;
    cases.push_back(
        {.name = "store_low" + std::to_string(n),
         .inputs = {Elem::u8, Elem::u8, Elem::u8},
         .body = [=](Builder& b, int w) { b.store_low(w, kDst, b.load(w, Role::temp, kA), n); },
         .expect = [=](Bytes a, Bytes, Bytes, uint8_t* d, int) { std::memcpy(d, a, static_cast<size_t>(n)); },
         .min_width = more_than_half});
  }
}

// Some or all pieces stored: side by side, which lowerings may merge, in pairs, or apart and backwards.
void split_case(Cases& cases, int n, int exist, const std::string& order) {
  auto place = [=](int q, int w) {  // the two vectors of room at dst hold 2 n pieces
    return (order == "adjacent" ? q : order == "pairs" ? q + q / 2 : 2 * n - 1 - 2 * q) * (w / n);
  };
  cases.push_back({.name = "store_split_" + std::to_string(exist) + "of" + std::to_string(n) + "_" + order,
                   .inputs = {Elem::u8, Elem::u8, Elem::u8},
                   .body =
                       [=](Builder& b, int w) {
                         Split split{.exist = exist};
                         for (int q = 0; q < exist; ++q) split.offset[static_cast<size_t>(q)] = place(q, w);
                         b.store_split(w, kDst, b.load(w, Role::temp, kA), n, split);
                       },
                   .expect =
                       [=](Bytes a, Bytes, Bytes, uint8_t* d, int w) {
                         const int piece = 16 / n;
                         for (int q = 0; q < exist; ++q)
                           for (int k = 0; k < w / n; ++k)
                             d[place(q, w) + k] = a[k / piece * 16 + q * piece + k % piece];
                       }});
}

void split_ops(Cases& cases) {
  for (const int n : {1, 2, 4})
    for (int exist = 1; exist <= n; ++exist)
      for (const char* order : {"adjacent", "pairs", "apart"}) split_case(cases, n, exist, order);
}

void structure(Cases& cases) {
  // Sums the quarters of src as dwords, through a pointer of its own, a loop in a loop, and steps back and forth.
  cases.push_back({.name = "loops_and_pointers",
                   .inputs = {Elem::u8, Elem::u8, Elem::s32},
                   .body =
                       [](Builder& b, int w) {
                         const Ptr q = b.ptr();
                         b.note("the quarters of src, twice");
                         const Reg acc = b.load(w, Role::acc, kC);
                         b.ptr_set(q, {OCTET_SRC, 5});
                         b.ptr_add(q, -5);
                         b.loop(2, {{q, -w}}, [&] {
                           b.loop(4, {{q, w / 4}}, [&] { b.op(Op::add32, w, acc, acc, b.widen8_32(w, {q, 0})); });
                         });
                         b.op(Op::add32, w, acc, acc, b.constant32(-7));
                         b.op(Op::add32, w, acc, acc, b.constant16(0x102));
                         b.store(w, kDst, acc);
                       },
                   .expect =
                       [](Bytes a, Bytes, Bytes c, uint8_t* d, int w) {
                         each<uint32_t>(d, w, [=](int i) {
                           uint32_t sum = get<uint32_t>(c, i) - 7u + 0x01020102u;
                           for (int k = 0; k < 4; ++k) sum += 2u * a[k * w / 4 + i];
                           return sum;
                         });
                       }});
  // The dwords of src in an order that a table of steps gives, forwards and backwards.
  cases.push_back({.name = "steps_from_a_table",
                   .inputs = {Elem::u8, Elem::u8, Elem::s32},
                   .body =
                       [](Builder& b, int w) {
                         const Ptr q = b.ptr(), step = b.ptr(), to = b.ptr();
                         b.ptr_set(step, b.table({int64_t{3} * w / 4, -w / 2}));
                         b.ptr_set(q, {OCTET_SRC, 0});
                         b.ptr_set(to, kDst);
                         b.loop(2, {{step, 8}, {to, w}}, [&] {
                           b.ptr_index(q, {step, 0});
                           b.store(w, {to, 0}, b.widen8_32(w, {q, 0}));
                         });
                       },
                   .expect =
                       [](Bytes a, Bytes, Bytes, uint8_t* d, int w) {
                         const int at[] = {3 * w / 4, w / 4};
                         for (int k = 0; k < 2; ++k) each<uint32_t>(d + k * w, w, [=](int i) { return a[at[k] + i]; });
                       }});
  // Registers read narrower than they were written, and one written narrow, then wide.
  cases.push_back({.name = "narrow_reads",
                   .inputs = {Elem::u8, Elem::s8, Elem::s32},
                   .body =
                       [](Builder& b, int w) {
                         const Reg x = b.load(w, Role::temp, kA), y = b.load(w, Role::weight, kB);
                         const Reg acc = b.load(w, Role::acc, kC), sum = b.reg(Role::temp);
                         b.op(Op::add32, w / 2, sum, x, y);
                         b.store(w / 2, kDst, sum);
                         b.load_into(w, sum, kC);
                         b.store(w, {OCTET_DST, w / 2}, sum);
                         b.dot4(w / 2, acc, x, y, -1);
                         b.store(w / 2, {OCTET_DST, w / 2 + w}, acc);
                       },
                   .expect =
                       [](Bytes a, Bytes b, Bytes c, uint8_t* d, int w) {
                         each<uint32_t>(d, w / 2, [=](int i) { return get<uint32_t>(a, i) + get<uint32_t>(b, i); });
                         std::memcpy(d + w / 2, c, static_cast<size_t>(w));
                         each<uint32_t>(d + w / 2 + w, w / 2, [=](int i) {
                           int64_t dot = get<int32_t>(c, i);
                           for (int e = 0; e < 4; ++e) dot += a[4 * i + e] * get<int8_t>(b, 4 * i + e);
                           return dot;
                         });
                       },
                   .min_width = 32});
  // A register and a pointer that a loop defines and code behind it uses; the pointer walks through memory on the way.
  cases.push_back({.name = "outlives_its_loop",
                   .inputs = {Elem::u8, Elem::u8, Elem::s32},
                   .body =
                       [](Builder& b, int w) {
                         const Ptr q = b.ptr();
                         const Reg x = b.reg(Role::temp);
                         b.loop(3, {{OCTET_SRC, w}}, [&] {
                           b.load_into(w, x, kA);
                           b.ptr_set(q, {OCTET_WEIGHTS, 4});
                           b.loop(2, {{q, 4}}, [&] { b.op(Op::xor_, w, x, x, Mem{q, 0}); });
                         });
                         b.op(Op::xor_, w, x, x, Mem{q, 0});
                         b.store(w, kDst, x);
                         b.ptr_add(OCTET_SRC, -3 * w);
                       },
                   .expect =
                       [](Bytes a, Bytes b, Bytes, uint8_t* d, int w) {
                         each<uint8_t>(d, w, [=](int i) { return a[2 * w + i] ^ b[4 + i] ^ b[8 + i] ^ b[12 + i]; });
                       }});
}

Cases make_cases() {
  Cases cases;
  for (auto* add :
       {memory_ops, integer_ops, fixed_point_ops, crossing_ops, choosing_ops, dot_ops, float_ops, split_ops, structure})
    add(cases);
  return cases;
}

}  // namespace

const std::vector<OpCase>& op_cases() {
  static const Cases cases = make_cases();
  return cases;
}

Program program_of(const OpCase& op, int w, int vectors) {
  Builder b(op.name + "_" + std::to_string(w));
  b.loop(vectors, {{OCTET_SRC, w}, {OCTET_WEIGHTS, w}, {OCTET_SRC2, w}, {OCTET_DST, kDstStride * w}},
         [&] { op.body(b, w); });
  return b.finish();
}

bool suits(const OpCase& op, int w, const Target& target) {
  if (w < op.min_width || w > op.max_width || w > target.vector_bytes || op.act_groups > target.act_groups)
    return false;
  for (const Inst& i : program_of(op, w, 2).code)
    if ((i.op == Op::dot4 && target.best_dot != DotForm::fused && target.best_dot != DotForm::matrix) ||
        (i.op == Op::dot2 && target.best_dot == DotForm::maddubs) ||
        (i.op == Op::dot4s && target.best_dot != DotForm::flipped && target.arch != Arch::any) ||
        (i.op == Op::mmla && target.best_dot != DotForm::matrix && target.arch != Arch::any) ||
        (i.op == Op::permute128 && target.table != TableForm::permute))
      return false;
  return true;
}

}  // namespace octet
