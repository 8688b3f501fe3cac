#include <fmt/format.h>
#include <llvm/IR/Verifier.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "jit/llvm/lowering.h"
#include "jit/split.h"
#include "runtime/status.h"

namespace octet {

using llvm::Intrinsic::ID;

int VectorBuilder::bytes_of(const Value* v) {
  return static_cast<int>(v->getType()->getPrimitiveSizeInBits().getFixedValue() / 8);
}

llvm::Value* VectorBuilder::as(Value* v, Type* lane) {
  const auto lane_bytes = static_cast<int>(lane->getPrimitiveSizeInBits().getFixedValue() / 8);
  return CreateBitCast(v, llvm::FixedVectorType::get(lane, static_cast<unsigned>(bytes_of(v) / lane_bytes)));
}

llvm::Value* VectorBuilder::lanes(Value* v, int first, int count) {
  std::vector<int> mask(static_cast<size_t>(count));
  std::iota(mask.begin(), mask.end(), first);
  return CreateShuffleVector(v, mask);
}

llvm::Value* VectorBuilder::low_half(Value* v) {
  const auto n = static_cast<int>(llvm::cast<llvm::FixedVectorType>(v->getType())->getNumElements());
  return lanes(v, 0, n / 2);
}

llvm::Value* VectorBuilder::high_half(Value* v) {
  const auto n = static_cast<int>(llvm::cast<llvm::FixedVectorType>(v->getType())->getNumElements());
  return lanes(v, n / 2, n / 2);
}

llvm::Value* VectorBuilder::joined(Value* a, Value* b) {
  const auto n = llvm::cast<llvm::FixedVectorType>(a->getType())->getNumElements();
  std::vector<int> mask(2 * n);
  std::iota(mask.begin(), mask.end(), 0);
  return CreateShuffleVector(a, b, mask);
}

namespace {

using llvm::Value;

// Registers and pointers are mutable; their values at each point are known while the list is walked, for control flow
// is loops that run at least once. What a loop changes gets a phi at its top.
class IrLowering {
 public:
  IrLowering(const Program& program, const InstructionSet& isa, llvm::Function& function)
      : program_(program),
        isa_(isa),
        function_(function),
        b_(llvm::BasicBlock::Create(function.getContext(), "entry", &function)),
        widths_(program.registers.size()),
        registers_(program.registers.size()),
        pointers_(static_cast<size_t>(program.pointers)) {
    for (const Inst& i : program.code)
      if (i.d != kNone) widths_[static_cast<size_t>(i.d)] = std::max<int>(widths_[static_cast<size_t>(i.d)], i.bytes);
  }

  void run() {
    load_arguments();
    for (size_t k = 0; k < program_.code.size(); ++k) lower(program_.code[k], k);
    b_.CreateRetVoid();
  }

 private:
  struct Phi {
    Value** variable;  // in registers_ or pointers_
    llvm::PHINode* node;
  };
  struct Loop {
    llvm::BasicBlock* top;
    llvm::PHINode* trips_left;
    std::vector<Phi> phis;
  };

  void load_arguments() {
    std::array<bool, OCTET_ARG_COUNT> used{};
    for (const Inst& i : program_.code)
      if (i.m.ptr >= 0 && i.m.ptr < OCTET_ARG_COUNT) used[static_cast<size_t>(i.m.ptr)] = true;
    for (const auto& bumps : program_.bumps)  // what only moves is loaded too: a value for each pointer that is touched
      for (const Bump& bump : bumps)
        if (bump.ptr < OCTET_ARG_COUNT) used[static_cast<size_t>(bump.ptr)] = true;
    for (const Inst& i : program_.code)
      if (i.target >= 0 && i.target < OCTET_ARG_COUNT) used[static_cast<size_t>(i.target)] = true;
    for (int p = 0; p < OCTET_ARG_COUNT; ++p)
      if (used[static_cast<size_t>(p)])
        pointers_[static_cast<size_t>(p)] =
            b_.CreateAlignedLoad(b_.getPtrTy(), at(function_.getArg(0), 8 * p), llvm::Align(8));
  }

  // ---- values ----

  Value* read(Reg r, int bytes) {
    Value* v = registers_[static_cast<size_t>(r)];
    return widths_[static_cast<size_t>(r)] == bytes ? v : b_.lanes(v, 0, bytes);
  }

  // What a narrow write leaves above is never read.
  void write(Reg r, Value* v) {
    const int bytes = VectorBuilder::bytes_of(v), whole = widths_[static_cast<size_t>(r)];
    v = b_.as_bytes(v);
    if (bytes < whole) {
      std::vector<int> mask(static_cast<size_t>(whole), llvm::PoisonMaskElem);
      std::iota(mask.begin(), mask.begin() + bytes, 0);
      v = b_.CreateShuffleVector(v, mask);
    }
    registers_[static_cast<size_t>(r)] = v;
  }

  Value* at(Value* pointer, int64_t offset) {
    return offset == 0 ? pointer : b_.CreateGEP(b_.getInt8Ty(), pointer, b_.getInt64(static_cast<uint64_t>(offset)));
  }
  Value* address(Mem m) { return at(pointers_[static_cast<size_t>(m.ptr)], m.offset); }
  Value* load(llvm::Type* type, Mem m) { return b_.CreateAlignedLoad(type, address(m), llvm::Align(1)); }
  Value* load_lanes(int lane_bits, int count, Mem m) {
    return load(
        llvm::FixedVectorType::get(b_.getIntNTy(static_cast<unsigned>(lane_bits)), static_cast<unsigned>(count)), m);
  }
  void store(Value* v, Value* to) { b_.CreateAlignedStore(v, to, llvm::Align(1)); }

  Value* operand(Reg r, const Inst& i) { return r == kNone ? load_lanes(8, i.bytes, i.m) : read(r, i.bytes); }

  // ---- structure ----

  void begin_loop(const Inst& i, size_t k) {
    llvm::BasicBlock* before = b_.GetInsertBlock();
    Loop loop{.top = llvm::BasicBlock::Create(function_.getContext(), "loop", &function_)};
    b_.CreateBr(loop.top);
    b_.SetInsertPoint(loop.top);
    loop.trips_left = b_.CreatePHI(b_.getInt32Ty(), 2);
    loop.trips_left->addIncoming(b_.getInt32(static_cast<uint32_t>(i.imm)), before);
    for (Value** v : changed_in_loop(k)) {
      llvm::PHINode* phi = b_.CreatePHI((*v)->getType(), 2);
      phi->addIncoming(*v, before);
      loop.phis.push_back({v, phi});
      *v = phi;
    }
    loops_.push_back(std::move(loop));
  }

  // Registers and pointers that exist before the loop and change in it.
  std::vector<Value**> changed_in_loop(size_t k) {
    std::vector<Value**> changed;
    const auto add = [&](Value*& v) {
      if (v && std::find(changed.begin(), changed.end(), &v) == changed.end()) changed.push_back(&v);
    };
    int depth = 0;
    do {
      const Inst& i = program_.code[k];
      if (i.op == Op::loop_begin) ++depth;
      if (i.op == Op::loop_end) {
        --depth;
        for (const Bump& bump : program_.bumps[static_cast<size_t>(i.extra)])
          add(pointers_[static_cast<size_t>(bump.ptr)]);
      }
      if (i.target != kNone) add(pointers_[static_cast<size_t>(i.target)]);
      if (op_row(i.op).operands & kD) add(registers_[static_cast<size_t>(i.d)]);
      ++k;
    } while (depth > 0);
    return changed;
  }

  void end_loop(const Inst& i) {
    for (const Bump& bump : program_.bumps[static_cast<size_t>(i.extra)]) add_to_pointer(bump.ptr, bump.step);
    const Loop loop = std::move(loops_.back());
    loops_.pop_back();
    Value* left = b_.CreateSub(loop.trips_left, b_.getInt32(1));
    llvm::BasicBlock *end = b_.GetInsertBlock(),
                     *after = llvm::BasicBlock::Create(function_.getContext(), "after", &function_);
    b_.CreateCondBr(b_.CreateICmpNE(left, b_.getInt32(0)), loop.top, after);
    loop.trips_left->addIncoming(left, end);
    for (const Phi& phi : loop.phis) phi.node->addIncoming(*phi.variable, end);
    b_.SetInsertPoint(after);
  }

  void add_to_pointer(Ptr p, int64_t step) {
    Value*& v = pointers_[static_cast<size_t>(p)];
    v = at(v, step);
  }

  void index_pointer(Ptr p, Mem step) {
    Value*& v = pointers_[static_cast<size_t>(p)];
    v = b_.CreateGEP(b_.getInt8Ty(), v, load(b_.getInt64Ty(), step));
  }

  // ---- ops ----

  void lower(const Inst& i, size_t k) {
    switch (i.op) {
      case Op::note: return;
      case Op::loop_begin: return begin_loop(i, k);
      case Op::loop_end: return end_loop(i);
      case Op::ptr_set: pointers_[static_cast<size_t>(i.target)] = address(i.m); return;
      case Op::ptr_add: return add_to_pointer(i.target, i.imm);
      case Op::ptr_index: return index_pointer(i.target, i.m);
      case Op::store: return store(read(i.a, i.bytes), address(i.m));
      case Op::store_low: return store_low(i);
      case Op::store_split: return store_split(i);
      default: write(i.d, compute(i));
    }
  }

  Value* compute(const Inst& i) {
    const int w = i.bytes;
    const auto imm = [&](int bits) {
      return b_.CreateVectorSplat(static_cast<unsigned>(8 * w / bits),
                                  b_.getIntN(static_cast<unsigned>(bits), static_cast<uint64_t>(i.imm)));
    };
    const auto a = [&](int bits) { return b_.as_ints(read(i.a, w), bits); };
    switch (i.op) {
      case Op::load: return load_lanes(8, w, i.m);
      case Op::copy: return read(i.a, w);
      case Op::load_act: return repeated(i.imm, w, i.m);
      case Op::widen8_16: return widened(16, w, i.m);
      case Op::widen8_32: return widened(32, w, i.m);
      case Op::broadcast32: return repeated(4, w, i.m);
      case Op::srl16: return b_.CreateLShr(a(16), imm(16));
      case Op::sll16: return b_.CreateShl(a(16), imm(16));
      case Op::sll32: return b_.CreateShl(a(32), imm(32));
      case Op::sra32: return b_.CreateAShr(a(32), imm(32));
      case Op::cvt_f32: {
        Value* x = a(32);
        return b_.CreateSIToFP(x, llvm::FixedVectorType::get(b_.getFloatTy(), static_cast<unsigned>(w / 4)));
      }
      case Op::cvt_i32: return isa_.cvt_i32(b_, read(i.a, w));
      case Op::scale64: return isa_.scale64(b_, read(i.a, w), load_lanes(8, 2 * w, i.m));
      case Op::dot4:
      case Op::dot4s: return isa_.dot(b_, i.op, read(i.d, w), read(i.a, w), operand(i.b, i), i.imm);
      case Op::dot2: {
        Value *sum = b_.as_ints(read(i.d, w), 32), *pairs = isa_.madd16(b_, read(i.a, w), operand(i.b, i));
        return b_.CreateAdd(sum, b_.as_ints(pairs, 32));
      }
      case Op::mmla: return isa_.mmla(b_, read(i.d, w), read(i.a, w), operand(i.b, i));
      case Op::permute128: return isa_.permute128(b_, read(i.d, w), read(i.a, w), operand(i.b, i));
      case Op::blend8: {
        Value *x = read(i.a, w), *y = operand(i.b, i), *chooser = read(i.c, w);
        return b_.CreateSelect(b_.CreateICmpSLT(chooser, llvm::Constant::getNullValue(chooser->getType())), y, x);
      }
      case Op::fma_f32: {
        Value *x = b_.as_f32(read(i.a, w)), *y = b_.as_f32(operand(i.b, i)), *z = b_.as_f32(operand(i.c, i));
        return b_.call(llvm::Intrinsic::fma, x->getType(), {x, y, z});
      }
      default: return binary(i.op, read(i.a, w), operand(i.b, i));
    }
  }

  Value* binary(Op op, Value* x, Value* y) {
    const auto lanewise = [&](int bits, ID id) {
      Value* p = b_.as_ints(x, bits);
      return b_.call(id, p->getType(), {p, b_.as_ints(y, bits)});
    };
    const auto ints = [&](llvm::Instruction::BinaryOps o, int bits) {
      return b_.CreateBinOp(o, b_.as_ints(x, bits), b_.as_ints(y, bits));
    };
    const auto floats = [&](llvm::Instruction::BinaryOps o) { return b_.CreateBinOp(o, b_.as_f32(x), b_.as_f32(y)); };
    using I = llvm::Instruction;
    switch (op) {
      case Op::maddubs: return isa_.maddubs(b_, x, y);
      case Op::madd16: return isa_.madd16(b_, x, y);
      case Op::packs32: return isa_.packs32(b_, x, y);
      case Op::packus16: return isa_.packus16(b_, x, y);
      case Op::shuffle8: return isa_.shuffle8(b_, x, y);
      case Op::add16: return ints(I::Add, 16);
      case Op::add32: return ints(I::Add, 32);
      case Op::sub16: return ints(I::Sub, 16);
      case Op::sub32: return ints(I::Sub, 32);
      case Op::max_i32: return lanewise(32, llvm::Intrinsic::smax);
      case Op::min_i32: return lanewise(32, llvm::Intrinsic::smin);
      case Op::max_u8: return lanewise(8, llvm::Intrinsic::umax);
      case Op::min_u8: return lanewise(8, llvm::Intrinsic::umin);
      case Op::adds16: return lanewise(16, llvm::Intrinsic::sadd_sat);
      case Op::and_: return ints(I::And, 32);
      case Op::or_: return ints(I::Or, 32);
      case Op::xor_: return ints(I::Xor, 32);
      case Op::sllv32: return ints(I::Shl, 32);
      case Op::srav32: return ints(I::AShr, 32);
      case Op::mul32: return ints(I::Mul, 32);
      case Op::mulhi32: return mulhi32(b_.as_ints(x, 32), b_.as_ints(y, 32));
      case Op::zip_lo8: return zipped(x, y, 8, 0);
      case Op::zip_hi8: return zipped(x, y, 8, 1);
      case Op::zip_lo16: return zipped(x, y, 16, 0);
      case Op::zip_hi16: return zipped(x, y, 16, 1);
      case Op::zip_lo64: return zipped(x, y, 64, 0);
      case Op::zip_hi64: return zipped(x, y, 64, 1);
      case Op::add_f32: return floats(I::FAdd);
      case Op::sub_f32: return floats(I::FSub);
      case Op::mul_f32: return floats(I::FMul);
      case Op::div_f32: return floats(I::FDiv);
      case Op::max_f32: return chosen(llvm::CmpInst::FCMP_OGT, b_.as_f32(x), b_.as_f32(y));
      case Op::min_f32: return chosen(llvm::CmpInst::FCMP_OLT, b_.as_f32(x), b_.as_f32(y));
      default: internal_error(program_.name + ": LLVM lowering does not know " + op_row(op).name);
    }
  }

  // x where the ordered comparison holds, else y: so y where one is NaN or both are zero.
  Value* chosen(llvm::CmpInst::Predicate predicate, Value* x, Value* y) {
    return b_.CreateSelect(b_.CreateFCmp(predicate, x, y), x, y);
  }

  Value* mulhi32(Value* x, Value* y) {
    auto* wide = llvm::VectorType::getExtendedElementVectorType(llvm::cast<llvm::VectorType>(x->getType()));
    Value* product = b_.CreateMul(b_.CreateSExt(x, wide), b_.CreateSExt(y, wide));
    return b_.CreateTrunc(b_.CreateLShr(product, 32), x->getType());
  }

  Value* zipped(Value* x, Value* y, int bits, int half) {
    const int lanes = VectorBuilder::bytes_of(x) * 8 / bits, in_block = 128 / bits;
    std::vector<int> mask;
    for (int block = 0; block < lanes; block += in_block)
      for (int k = 0; k < in_block / 2; ++k)
        for (const int from : {0, lanes}) mask.push_back(from + block + half * in_block / 2 + k);
    return b_.CreateShuffleVector(b_.as_ints(x, bits), b_.as_ints(y, bits), mask);
  }

  Value* repeated(int n, int w, Mem m) {
    if (n < 16) return b_.CreateVectorSplat(static_cast<unsigned>(w / n), load(b_.getIntNTy(unsigned(8 * n)), m));
    Value* v = load_lanes(8, 16, m);
    for (int bytes = 16; bytes < w; bytes *= 2) v = b_.joined(v, v);
    return v;
  }

  Value* widened(int bits, int w, Mem m) {
    const int lanes = 8 * w / bits;
    return b_.CreateZExt(load_lanes(8, lanes, m),
                         llvm::FixedVectorType::get(b_.getIntNTy(unsigned(bits)), unsigned(lanes)));
  }

  void store_low(const Inst& i) {
    Value *a = read(i.a, i.bytes), *to = address(i.m);
    int from = 0;
    for (int part = i.bytes / 2; part >= 4; part /= 2) {
      if (i.imm - from < part) continue;
      store_part(a, from, part, at(to, from));
      from += part;
    }
  }

  void store_split(const Inst& i) {
    const Split& split = program_.splits[static_cast<size_t>(i.extra)];
    const int piece = i.bytes / i.imm;
    Value* a = in_pieces(read(i.a, i.bytes), i.imm);
    for (int q = 0; q < split.exist;) {
      const int together = pieces_together(split, q, piece);
      store_part(a, q * piece, together * piece, address({i.m.ptr, i.m.offset + split.offset[static_cast<size_t>(q)]}));
      q += together;
    }
  }

  // Piece q of every block, side by side.
  Value* in_pieces(Value* a, int pieces) {
    const int lanes = VectorBuilder::bytes_of(a) / 4, in_piece = 4 / pieces;
    if (pieces == 1 || lanes == 4) return a;
    std::vector<int> mask;
    for (int q = 0; q < pieces; ++q)
      for (int block = 0; block < lanes; block += 4)
        for (int k = 0; k < in_piece; ++k) mask.push_back(block + q * in_piece + k);
    return b_.CreateShuffleVector(b_.as_ints(a, 32), mask);
  }

  // Bytes [from, from + bytes), `from` being a multiple of `bytes`.
  void store_part(Value* a, int from, int bytes, Value* to) {
    if (bytes < 16) return store(b_.CreateExtractElement(b_.as_ints(a, 8 * bytes), uint64_t(from / bytes)), to);
    store(bytes == VectorBuilder::bytes_of(a) ? a : b_.lanes(b_.as_bytes(a), from, bytes), to);
  }

  const Program& program_;
  const InstructionSet& isa_;
  llvm::Function& function_;
  VectorBuilder b_;
  std::vector<int> widths_;        // of each register, the widest that it is written
  std::vector<Value*> registers_;  // now, in whole width; null before the first write
  std::vector<Value*> pointers_;
  std::vector<Loop> loops_;  // open ones
};

// In bytes.
int widest_vector(const Program& p) {
  int widest = 16;
  for (const Inst& i : p.code) widest = std::max<int>(widest, i.bytes);
  return widest;
}

}  // namespace

void lower_to_ir(const Program& program, const InstructionSet& isa, const std::string& features, llvm::Module& module) {
  llvm::LLVMContext& context = module.getContext();
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {llvm::PointerType::getUnqual(context)}, false);
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, program.name, module);
  function->setAlignment(llvm::Align(64));
  function->setDoesNotThrow();
  function->addFnAttr("target-features", features);
  // Otherwise the code generator may refuse to keep vectors of 64 bytes whole.
  const std::string widest = std::to_string(8 * widest_vector(program));
  function->addFnAttr("prefer-vector-width", widest);
  function->addFnAttr("min-legal-vector-width", widest);
  IrLowering(program, isa, *function).run();
  std::string fault;
  llvm::raw_string_ostream out(fault);
  if (llvm::verifyFunction(*function, &out)) internal_error(program.name + ": malformed IR: " + fault);
}

}  // namespace octet
