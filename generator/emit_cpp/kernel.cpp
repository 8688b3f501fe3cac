#include "generator/emit_cpp/kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "generator/emit_cpp/embedded.h"
#include "generator/emit_cpp/scopes.h"
#include "generator/emit_cpp/writer.h"
#include "generator/program/names.h"
#include "runtime/status.h"

namespace octet {
namespace {

const char* const kArgumentConstants[OCTET_ARG_COUNT] = {"OCTET_SRC",       "OCTET_WEIGHTS", "OCTET_DST",
                                                         "OCTET_BIAS",      "OCTET_SCALE",   "OCTET_SRC2",
                                                         "OCTET_CONSTANTS", "OCTET_SCRATCH"};

std::string address(Mem m) {
  if (m.offset == 0) return pointer_name(m.ptr);
  return fmt::format("{} {} {}", pointer_name(m.ptr), m.offset < 0 ? '-' : '+', std::abs(int64_t{m.offset}));
}

std::string step(Ptr p, int64_t by) {
  return fmt::format("{} {} {};", pointer_name(p), by < 0 ? "-=" : "+=", std::abs(by));
}

class KernelEmitter {
 public:
  explicit KernelEmitter(const Program& program)
      : program_(program), variables_(find_variables(program)), names_(program.registers.size()) {}

  std::string run() {
    heading();
    out_.open(fmt::format("void {}(const OctetArgs* args) noexcept {{", program_.name));
    arguments();
    for (k_ = 0; k_ < program_.code.size(); ++k_) instruction(program_.code[k_]);
    out_.close();
    return out_.take();
  }

 private:
  // How many registers of each role are in scope: their names start again in the next loop.
  using Counts = std::array<int, 5>;

  const Variable& variable(Reg r) const { return variables_.registers[static_cast<size_t>(r)]; }
  const Variable& pointer(Ptr p) const { return variables_.pointers[static_cast<size_t>(p)]; }
  const char* pointer_type(Ptr p) const { return pointer(p).stored_to ? "uint8_t*" : "const uint8_t*"; }

  void heading() {
    for (const std::string& text : program_.heading) out_.comment(text);
    std::string table;
    for (size_t c = 0; c < program_.constants.size(); ++c) {
      int32_t bits;
      float real;
      std::memcpy(&bits, program_.constants[c].data(), 4);
      std::memcpy(&real, &bits, 4);
      table += fmt::format("{} +{}: {:#x}", c ? "," : "", 64 * c, static_cast<uint32_t>(bits));
      if (bits != 0 && std::abs(int64_t{bits}) < 65536) table += fmt::format(" = {}", bits);
      if (std::abs(real) > 1e-20f && std::abs(real) < 1e20f) table += fmt::format(" = {}f", real);
    }
    if (!table.empty()) out_.comment("Constants:" + table);
  }

  void arguments() {
    bool any = false;
    for (Ptr p = 0; p < OCTET_ARG_COUNT; ++p) {
      if (!pointer(p).used) continue;
      any = true;
      const std::string from = fmt::format("args->p[{}]", kArgumentConstants[p]);
      out_.line(fmt::format("{} {}{} = static_cast<{}>({});", pointer_type(p), pointer(p).changes ? "" : "const ",
                            pointer_name(p), pointer_type(p),
                            pointer(p).stored_to ? fmt::format("const_cast<void*>({})", from) : from));
    }
    if (!any) out_.line("static_cast<void>(args);");
  }

  // ---- names and operands ----

  const std::string& name(Reg r) {
    std::string& known = names_[static_cast<size_t>(r)];
    if (known.empty()) {  // its declaration
      const Role role = program_.registers[static_cast<size_t>(r)];
      known = fmt::format("{}_{}", role_name(role), counts_[static_cast<size_t>(role)]++);
    }
    return known;
  }

  std::string type(Reg r) const { return fmt::format("Vec<{}>", variable(r).bytes); }

  std::string read(Reg r, int w) {
    const std::string& n = names_[static_cast<size_t>(r)];
    return variable(r).bytes == w ? n : fmt::format("low<{}>({})", w, n);
  }

  std::string operand(Reg r, const Inst& i) {
    return r == kNone ? fmt::format("load<{}>({})", i.bytes, address(i.m)) : read(r, i.bytes);
  }

  // ---- lines ----

  void assign(const Inst& i, std::string value) {
    const Variable& d = variable(i.d);
    if (d.bytes != i.bytes) value = fmt::format("extend<{}>({})", d.bytes, value);
    if (d.declare != k_) {
      out_.line(fmt::format("{} = {};", name(i.d), value));
      return;
    }
    const char* unused = d.used ? "" : "[[maybe_unused]] ";
    out_.line(fmt::format("{}{}{} {} = {};", unused, d.changes ? "" : "const ", type(i.d), name(i.d), value));
  }

  void dot(const Inst& i) {
    const std::string b = i.b == kNone ? address(i.m) : read(i.b, i.bytes);
    const char* op = op_row(i.op).name;
    const std::string call = i.op == Op::dot2 ? op : fmt::format("{}<{}>", op, i.imm);
    if (variable(i.d).bytes == i.bytes) {
      out_.line(fmt::format("{}({}, {}, {});", call, name(i.d), read(i.a, i.bytes), b));
      return;
    }
    out_.open("{");
    out_.line(fmt::format("Vec<{}> part = {};", i.bytes, read(i.d, i.bytes)));
    out_.line(fmt::format("{}(part, {}, {});", call, read(i.a, i.bytes), b));
    out_.line(fmt::format("{} = extend<{}>(part);", name(i.d), variable(i.d).bytes));
    out_.close();
  }

  void store_split(const Inst& i) {
    const Split& s = program_.splits[static_cast<size_t>(i.extra)];
    std::string offsets;
    for (int q = 0; q < s.exist; ++q) offsets += fmt::format(", {}", s.offset[static_cast<size_t>(q)]);
    out_.line(fmt::format("store_split<{}, {}>({}, {}{});", i.imm, s.exist, address(i.m), read(i.a, i.bytes), offsets));
  }

  // Variables that outlive the loop which defines them.
  void declare_before_loop() {
    for (size_t p = OCTET_ARG_COUNT; p < variables_.pointers.size(); ++p)
      if (variables_.pointers[p].used && variables_.pointers[p].declare == k_)
        out_.line(fmt::format("{} p{};", pointer_type(static_cast<Ptr>(p)), p));
    for (size_t r = 0; r < names_.size(); ++r)
      if (variables_.registers[r].bytes && variables_.registers[r].declare == k_)
        out_.line(fmt::format("{} {};", type(static_cast<Reg>(r)), name(static_cast<Reg>(r))));
  }

  void begin_loop(const Inst& i) {
    declare_before_loop();
    const size_t depth = outer_counts_.size();
    out_.line("OCTET_LOOP");
    out_.open(fmt::format("for (int i{} = 0; i{} < {}; ++i{}) {{", depth, depth, i.imm, depth));
    outer_counts_.push_back(counts_);
  }

  void end_loop(const Inst& i) {
    for (const Bump& b : program_.bumps[static_cast<size_t>(i.extra)])
      if (b.step && pointer(b.ptr).used) out_.line(step(b.ptr, b.step));
    out_.close();
    counts_ = outer_counts_.back();
    outer_counts_.pop_back();
  }

  void set_pointer(const Inst& i) {
    const Variable& p = pointer(i.target);
    if (!p.used) return;
    const std::string what = i.target >= OCTET_ARG_COUNT && p.declare == k_
                                 ? fmt::format("{} {}", pointer_type(i.target), p.changes ? "" : "const ")
                                 : "";
    out_.line(fmt::format("{}{} = {};", what, pointer_name(i.target), address(i.m)));
  }

  void instruction(const Inst& i) {
    const char* op = op_row(i.op).name;
    const int w = i.bytes;
    switch (i.op) {
      case Op::loop_begin: begin_loop(i); break;
      case Op::loop_end: end_loop(i); break;
      case Op::ptr_set: set_pointer(i); break;
      case Op::ptr_add:
        if (i.imm && pointer(i.target).used) out_.line(step(i.target, i.imm));
        break;
      case Op::ptr_index:
        if (pointer(i.target).used) out_.line(fmt::format("{} += step_at({});", pointer_name(i.target), address(i.m)));
        break;
      case Op::note: out_.comment(program_.notes[static_cast<size_t>(i.extra)]); break;
      case Op::load: {
        const bool start = program_.registers[static_cast<size_t>(i.d)] == Role::acc;
        assign(i, fmt::format("{}<{}>({})", start ? "load_acc" : "load", w, address(i.m)));
        break;
      }
      case Op::load_act: assign(i, fmt::format("load_act<{}, {}>({})", w, i.imm, address(i.m))); break;
      case Op::widen8_16:
      case Op::widen8_32:
      case Op::broadcast32: assign(i, fmt::format("{}<{}>({})", op, w, address(i.m))); break;
      case Op::copy: assign(i, read(i.a, w)); break;
      case Op::store: out_.line(fmt::format("store({}, {});", address(i.m), read(i.a, w))); break;
      case Op::store_low: out_.line(fmt::format("store_low<{}>({}, {});", i.imm, address(i.m), read(i.a, w))); break;
      case Op::store_split: store_split(i); break;
      case Op::dot4:
      case Op::dot4s:
      case Op::dot2: dot(i); break;
      case Op::srl16:
      case Op::sll16:
      case Op::sll32:
      case Op::sra32: assign(i, fmt::format("{}<{}>({})", op, i.imm, read(i.a, w))); break;
      case Op::cvt_f32:
      case Op::cvt_i32: assign(i, fmt::format("{}({})", op, read(i.a, w))); break;
      case Op::scale64: assign(i, fmt::format("{}({}, {})", op, read(i.a, w), address(i.m))); break;
      case Op::fma_f32:
        assign(i, fmt::format("{}({}, {}, {})", op, read(i.a, w), operand(i.b, i), operand(i.c, i)));
        break;
      case Op::blend8: assign(i, fmt::format("{}({}, {}, {})", op, read(i.a, w), operand(i.b, i), read(i.c, w))); break;
      case Op::mmla:
      case Op::permute128:
        assign(i, fmt::format("{}({}, {}, {})", op, read(i.d, w), read(i.a, w), operand(i.b, i)));
        break;
      default: assign(i, fmt::format("{}({}, {})", op, read(i.a, w), operand(i.b, i)));
    }
  }

  const Program& program_;
  const Variables variables_;
  std::vector<std::string> names_;
  Counts counts_{};
  std::vector<Counts> outer_counts_;
  Writer out_;
  size_t k_ = 0;
};

}  // namespace

std::string emit_kernel(const Program& program, const Target& target) {
  for (const Inst& i : program.code)
    if (i.bytes > target.vector_bytes)
      internal_error(fmt::format("{}: vectors of {} bytes on {}", program.name, i.bytes, target.name));
  return KernelEmitter(program).run();
}

std::string kernel_namespace(const Target& target) {
  return fmt::format("octet_{}", target.name);
}

std::vector<std::string> kernel_headers(const Target& target) {
  std::vector<std::string> names = {"abi.h", fmt::format("vec_{}.h", target.name)};
  for (const char* header :
       {"vec_avx512.h", "vec_x86.h", "vec_neon_base.h", "vec_inline.h", "vec_split.h", "exact_math.h"}) {
    const std::string include = fmt::format("\"{}\"", header);
    if (std::any_of(names.begin(), names.end(),
                    [&](const std::string& name) { return embedded(name).find(include) != std::string_view::npos; }))
      names.emplace_back(header);
  }
  return names;
}

std::string kernels_begin(const Target& target) {
  return fmt::format("#include \"vec_{}.h\"\n\n#include \"abi.h\"\n\nnamespace {} {{\n", target.name,
                     kernel_namespace(target));
}

std::string kernels_end(const Target& target) {
  return fmt::format("}}  // namespace {}\n\nOCTET_TARGET_END\n", kernel_namespace(target));
}

}  // namespace octet
