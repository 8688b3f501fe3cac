// Commands for tests that build and run programs.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <string>

namespace octet {

struct ShellResult {
  int code = -1;
  std::string output;  // both streams
};

inline ShellResult shell(const std::string& command) {
  ShellResult result;
  std::FILE* pipe = popen(("{ " + command + "\n} 2>&1 </dev/null").c_str(), "r");
  if (!pipe) return result;
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.output.append(buffer, n);
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

}  // namespace octet
