#include "generator/kernel/reference.h"

#include "generator/kernel/plain.h"
#include "generator/kernel/ref_ops.h"
#include "runtime/status.h"

namespace octet {
namespace {

// Ops that only move bytes, and softmax, are written once: the plain op is the reference.
void run_plain(const KernelSpec& spec, const OctetArgs& args) {
  const std::optional<PlainKernel> plain = plain_kernel(spec);
  if (!plain) internal_error("no reference for " + to_string(spec));
  OctetArgs with_params = args;
  with_params.p[OCTET_CONSTANTS] = plain->params.data();
  plain->function(&with_params);
}

}  // namespace

void reference(const KernelSpec& spec, const OctetArgs& args) {
  std::visit(
      [&](const auto& s) {
        if constexpr (requires { &s.to_storage; })
          run_plain(spec, args);  // EdgeSpec, which is a QuantizeSpec too
        else if constexpr (requires { ref::run(s, args); })
          ref::run(s, args);
        else
          run_plain(spec, args);
      },
      spec);
}

}  // namespace octet
