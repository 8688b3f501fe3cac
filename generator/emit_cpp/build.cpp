#include "generator/emit_cpp/build.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>
#include <vector>

#include "runtime/status.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace octet {
namespace fs = std::filesystem;
namespace {

using Command = std::vector<std::string>;

// Starts a command of which nothing is seen but what it writes into `log`; 0 if there is no such program.
pid_t start(const Command& command, const fs::path& log) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, arguments[0], &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  return error ? 0 : pid;
}

bool succeeded(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string first_lines(const fs::path& file) {
  std::ifstream in(file);
  std::string text, line;
  for (int n = 0; n < 8 && std::getline(in, line); ++n) text += line + "\n";
  return text;
}

// Runs all commands, at most `together` at a time. The log of number k is folder/k.log.
void run_all(const std::vector<Command>& commands, const fs::path& folder, size_t together) {
  std::vector<pid_t> running(commands.size());
  std::string refused;
  auto finish = [&](size_t k) {
    if (!succeeded(running[k]) && refused.empty())
      refused =
          fmt::format("{} refused emitted code:\n{}", commands[k][0], first_lines(folder / fmt::format("{}.log", k)));
  };
  for (size_t k = 0; k < commands.size() + together; ++k) {
    if (k >= together && k - together < commands.size()) finish(k - together);
    if (k >= commands.size()) continue;
    running[k] = start(commands[k], folder / fmt::format("{}.log", k));
  }
  if (!refused.empty()) internal_error(refused);
}

Command words(const std::string& text) {
  std::istringstream in(text);
  Command list;
  for (std::string word; in >> word;) list.push_back(word);
  return list;
}

Command concat(Command list, const Command& more) {
  list.insert(list.end(), more.begin(), more.end());
  return list;
}

}  // namespace

bool has_compiler(const std::string& compiler) {
  const pid_t pid = start({compiler, "--version"}, "/dev/null");
  return pid != 0 && succeeded(pid);
}

namespace {

// Compiles every source of the folder and links them with `link_flags` into folder/`file`.
fs::path build(const fs::path& folder, const std::string& compiler, const Command& flags, const Command& link_flags,
               const std::string& file) {
  if (!has_compiler(compiler))
    user_error(
        fmt::format("there is no C++ compiler \"{}\" on this machine; install one or use another engine", compiler));
  std::vector<fs::path> sources;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".cpp" || entry.path().extension() == ".S") sources.push_back(entry.path());
  std::sort(sources.begin(), sources.end());

  std::vector<Command> compile;
  Command link = concat(concat({compiler}, link_flags), {"-o", (folder / file).string()});
  for (const fs::path& source : sources) {
    const std::string object = source.string() + ".o";
    compile.push_back(
        concat(concat(concat({compiler}, words(kEmittedFlags)), flags), {"-c", source.string(), "-o", object}));
    link.push_back(object);
  }
  run_all(compile, folder, std::max(1u, std::thread::hardware_concurrency()));
  run_all({link}, folder, 1);
  return folder / file;
}

}  // namespace

fs::path build_shared(const fs::path& folder, const std::string& compiler, const std::string& extra_flags) {
  return build(folder, compiler, concat({"-fPIC"}, words(extra_flags)), {"-shared"}, "lib.so");
}

fs::path build_program(const fs::path& folder, const std::string& compiler, const std::string& extra_flags) {
  return build(folder, compiler, words(extra_flags), concat({"-static"}, words(extra_flags)), "program");
}

TemporaryFolder::TemporaryFolder() {
  std::error_code error;
  const fs::path under = fs::temp_directory_path(error);
  if (error) user_error("TMPDIR names no folder for temporary files: " + error.message());
  std::string pattern = (under / "octet-XXXXXX").string();
  if (!mkdtemp(pattern.data())) user_error("cannot make a folder under " + under.string());
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

SharedLibrary::SharedLibrary(const fs::path& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (!handle_) user_error(std::string("cannot load what the C++ compiler made: ") + dlerror());
}

SharedLibrary::~SharedLibrary() {
  dlclose(handle_);
}

void* SharedLibrary::symbol(const std::string& name) const {
  void* found = dlsym(handle_, name.c_str());
  if (!found) internal_error("compiled code has no " + name);
  return found;
}

}  // namespace octet
