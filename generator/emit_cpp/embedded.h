// The files of templates/, and runtime/abi.h, inside the generator: emitted sources are made of them.
#pragma once

#include <string_view>

namespace octet {

// The text of a file by its name without the folder, such as "vec_avx2.h". The list stands in generator/CMakeLists.txt.
std::string_view embedded(std::string_view name);

}  // namespace octet
