#include "jit/llvm/orc_link.h"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>

#include "jit/llvm/object.h"
#include "runtime/status.h"

namespace octet {
namespace {

#if defined(__aarch64__)
constexpr const char* kThisMachine = "aarch64-linux-gnu";
#else
constexpr const char* kThisMachine = "x86_64-linux-gnu";
#endif

template <class T>
T value(llvm::Expected<T> expected) {
  if (!expected) user_error("LLVM cannot link code in this process: " + llvm::toString(expected.takeError()));
  return std::move(*expected);
}

}  // namespace

LinkedKernels link_object(std::span<const uint8_t> object, std::span<const std::string> names) {
  prepare_llvm();
  // Objects come compiled, with features of our own choice: what LLVM would detect plays no part. Nor does its
  // platform, for kernels call nothing and have no constructors.
  std::shared_ptr<llvm::orc::LLJIT> jit =
      value(llvm::orc::LLJITBuilder()
                .setJITTargetMachineBuilder(llvm::orc::JITTargetMachineBuilder(llvm::Triple(kThisMachine)))
                .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                .create());
  const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
  if (llvm::Error fault = jit->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(bytes, "octet")))
    value<int>(std::move(fault));
  LinkedKernels linked{.owner = jit};
  for (const std::string& name : names) linked.entries.push_back(value(jit->lookup(name)).toPtr<OctetKernel>());
  return linked;
}

}  // namespace octet
