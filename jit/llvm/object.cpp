// Programs -> ELF objects, and what is in them.
#include "jit/llvm/object.h"

#include <llvm/CodeGen/MachineModuleInfo.h>
#include <llvm/CodeGen/Passes.h>
#include <llvm/CodeGen/TargetPassConfig.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/SmallVectorMemoryBuffer.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>

#include <map>
#include <set>
#include <sstream>

#include "jit/llvm/lowering.h"
#include "runtime/status.h"

namespace octet {
namespace {

// LLVM's words for what the target has beyond its architecture.
std::string features_of(const Target& target) {
  // x18 belongs to the system on some systems, so kernels leave it alone on all.
  std::string features = target.arch == Arch::aarch64 ? "+neon,+reserve-x18" : "";
  std::istringstream words(target.features);
  for (std::string word; words >> word;) features += (features.empty() ? "+" : ",+") + word;
  return features;
}

std::unique_ptr<llvm::LLVMTargetMachine> machine_for(const Target& target) {
  prepare_llvm();
  const char* triple = target.arch == Arch::aarch64 ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  std::string fault;
  const llvm::Target* isa = llvm::TargetRegistry::lookupTarget(triple, fault);
  if (!isa) user_error("target " + std::string(target.name) + ": " + fault);
  llvm::TargetOptions options;
  options.FunctionSections = true;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  // Better levels change nothing for these kernels (they come as they shall be), lesser ones spill.
  llvm::TargetMachine* machine = isa->createTargetMachine(triple, "generic", "", options, llvm::Reloc::PIC_,
                                                          llvm::CodeModel::Small, llvm::CodeGenOptLevel::Less);
  return std::unique_ptr<llvm::LLVMTargetMachine>(static_cast<llvm::LLVMTargetMachine*>(machine));
}

// What TargetMachine::addPassesToEmitFile would run, but for the scheduler of machine instructions: Programs come in an
// order that fits the registers, and changing it spills.
std::vector<uint8_t> generate_code(llvm::LLVMTargetMachine& machine, llvm::Module& module) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream out(bytes);
  llvm::legacy::PassManager passes;
  llvm::TargetPassConfig* config = machine.createPassConfig(passes);
  config->setDisableVerify(true);
  config->disablePass(&llvm::MachineSchedulerID);
  auto* functions = new llvm::MachineModuleInfoWrapperPass(&machine);
  passes.add(config);  // which takes them over
  passes.add(functions);
  bool unable = config->addISelPasses();
  config->addMachinePasses();
  config->setInitialized();
  unable |=
      machine.addAsmPrinter(passes, out, nullptr, llvm::CodeGenFileType::ObjectFile, functions->getMMI().getContext());
  passes.add(llvm::createFreeMachineFunctionPass());
  if (unable) internal_error("LLVM cannot write objects for " + module.getTargetTriple());
  passes.run(module);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

void prepare_llvm() {
  static const bool once = [] {
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    return true;
  }();
  static_cast<void>(once);
}

std::vector<uint8_t> make_object(std::span<const Program* const> programs, const Target& target) {
  if (target.arch == Arch::any) internal_error(std::string("no machine code for target ") + target.name);
  const std::unique_ptr<llvm::LLVMTargetMachine> machine = machine_for(target);
  llvm::LLVMContext context;
  llvm::Module module("octet", context);
  module.setTargetTriple(machine->getTargetTriple().str());
  module.setDataLayout(machine->createDataLayout());
  const std::string features = features_of(target);
  for (const Program* p : programs)
    lower_to_ir(*p, *(target.arch == Arch::aarch64 ? aarch64_instructions : x86_instructions)(*p, target), features,
                module);
  return generate_code(*machine, module);
}

std::vector<std::vector<uint8_t>> split_object(std::span<const uint8_t> object, std::span<const std::string> names) {
  const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
  auto file = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(bytes, "object"));
  const auto value = [](auto expected) {
    if (!expected) internal_error("an object as LLVM writes none: " + llvm::toString(expected.takeError()));
    return std::move(*expected);
  };
  const std::unique_ptr<llvm::object::ObjectFile> elf = value(std::move(file));
  std::set<uint64_t> relocated;  // sections
  for (const llvm::object::SectionRef& section : elf->sections())
    if (const auto of = value(section.getRelocatedSection());
        of != elf->section_end() && !section.relocations().empty())
      relocated.insert(of->getIndex());
  std::map<std::string, std::vector<uint8_t>> functions;
  for (const llvm::object::ELFSymbolRef symbol : elf->symbols()) {
    if (symbol.getELFType() != llvm::ELF::STT_FUNC) continue;
    const std::string name = value(symbol.getName()).str();
    const llvm::object::section_iterator section = value(symbol.getSection());
    const llvm::StringRef code = value(section->getContents());
    if (relocated.contains(section->getIndex()))
      internal_error(name + ": its code needs a relocation, so it does not run on its own");
    if (symbol.getSize() != code.size()) internal_error(name + ": not alone in its section");
    functions[name].assign(code.begin(), code.end());
  }
  std::vector<std::vector<uint8_t>> code;
  for (const std::string& name : names) {
    const auto at = functions.find(name);
    if (at == functions.end()) internal_error(name + ": not in the object");
    code.push_back(at->second);
  }
  return code;
}

}  // namespace octet
