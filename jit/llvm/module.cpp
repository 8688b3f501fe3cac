#include "jit/llvm/module.h"

#include "jit/llvm/object.h"
#include "jit/llvm/orc_link.h"

extern "C" __attribute__((visibility("default"))) const octet::LlvmModule octet_llvm_module = {
    OCTET_VERSION, octet::make_object, octet::split_object, octet::link_object};
