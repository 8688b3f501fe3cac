// The models that tests build are what scripts/fuzz begins with.
#pragma once

#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>

namespace octet::test {

// Writes the bytes into the folder OCTET_CORPUS, where that is set, under a name of their own.
inline void keep_in_corpus(const std::string& bytes) {
  if (const char* folder = std::getenv("OCTET_CORPUS"))
    std::ofstream(folder + ("/" + std::to_string(std::hash<std::string>()(bytes))), std::ios::binary) << bytes;
}

}  // namespace octet::test
