// Compiles emitted sources with a C++ compiler of this machine and loads the result.
#pragma once

#include <filesystem>
#include <string>

namespace octet {

// What emitted code is built with, by whoever builds it. -ffp-contract=off is not optional: g++ would otherwise round
// once where the model rounds twice.
inline constexpr const char* kEmittedFlags = "-std=c++17 -O3 -ffp-contract=off";

// Whether `compiler` ("g++", "clang++-14", a path) can be run.
bool has_compiler(const std::string& compiler);

// Compiles every .cpp and .S of the folder, as many at a time as the machine has cores, into folder/lib.so; returns its
// path. User error if there is no such compiler, internal error with the compiler's first lines if it refuses the code.
std::filesystem::path build_shared(const std::filesystem::path& folder, const std::string& compiler,
                                   const std::string& extra_flags = "");

// The same as a program that needs no library, folder/program: what an emulator runs. The flags are the linker's too.
std::filesystem::path build_program(const std::filesystem::path& folder, const std::string& compiler,
                                    const std::string& extra_flags = "");

// A folder of its own under the system's temporary folder, removed with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A loaded shared object, unloaded at the end.
class SharedLibrary {
 public:
  explicit SharedLibrary(const std::filesystem::path& path);
  ~SharedLibrary();
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;
  void* symbol(const std::string& name) const;  // internal error if it is not there

 private:
  void* handle_;
};

}  // namespace octet
