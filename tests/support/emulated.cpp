#include "tests/support/emulated.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <utility>

#include "generator/emit_cpp/build.h"
#include "generator/emit_cpp/library.h"
#include "generator/io/file.h"
#include "runtime/status.h"
#include "tests/support/kernel_server.h"
#include "tests/support/slurp.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace octet {
namespace {

// The program of one batch, running; its standard streams are a socket.
class Server {
 public:
  Server(const std::vector<Program>& programs, const Target& target, const Toolchain& toolchain,
         const std::string& extra_flags) {
    const std::vector<size_t> counts = write_programs(folder_.path(), programs, target);
    std::string tables;
    for (size_t t = 0; t < counts.size(); ++t) tables += fmt::format("X({},{})", table_name(t), counts[t]);
    write_file(folder_.path() / "server.cpp", fmt::format("#define TABLES {}\n", tables) + slurp(OCTET_KERNEL_SERVER));
    const std::string flags = fmt::format("{} {} -I {}", toolchain.flags, extra_flags, OCTET_SOURCE_DIR);
    start(toolchain.emulator, least_processor(toolchain, target),
          build_program(folder_.path(), toolchain.compiler, flags));
  }
  ~Server() {
    if (socket_ >= 0) close(socket_);  // the end of its input
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void call(uint32_t kernel, const OctetArgs& args, const Memory& memory) {
    KernelCall call{kernel, static_cast<uint32_t>(memory.size()), {}};
    std::vector<uint64_t> sizes;
    for (const auto& buffer : memory) sizes.push_back(buffer.size());
    for (size_t a = 0; a < OCTET_ARG_COUNT; ++a) call.arguments[a] = find(args.p[a], memory);
    bool alive = send_all(&call, sizeof call) && send_all(sizes.data(), sizes.size() * sizeof sizes[0]);
    for (const auto& buffer : memory) alive = alive && send_all(buffer.data(), buffer.size());
    uint32_t done = 0;
    alive = alive && receive_all(&done, sizeof done);
    std::vector<uint8_t> left;  // as the kernel left it; what it only read may not be written to
    for (const auto& buffer : memory) {
      if (buffer.empty()) continue;
      left.resize(buffer.size());
      alive = alive && receive_all(left.data(), left.size());
      if (alive && std::memcmp(left.data(), buffer.data(), left.size()) != 0)
        std::memcpy(const_cast<uint8_t*>(buffer.data()), left.data(), left.size());
    }
    if (!alive) internal_error("emulated kernels " + end());
  }

 private:
  void start(const std::string& emulator, const std::string& processor, const std::string& program) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) internal_error("no sockets for an emulator");
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    const char* const words[] = {emulator.c_str(), "-cpu", processor.c_str(), program.c_str(), nullptr};
    const int error = posix_spawnp(&pid_, words[0], &files, nullptr, const_cast<char* const*>(words), environ);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    socket_ = ends[0];
    if (error) {
      pid_ = 0;
      internal_error(fmt::format("cannot start {}: {}", emulator, std::strerror(error)));
    }
  }

  static KernelPointer find(const void* p, const Memory& memory) {
    if (p == nullptr) return {-1, 0};
    const auto at = reinterpret_cast<uintptr_t>(p);
    for (size_t b = 0; b < memory.size(); ++b) {
      const auto begin = reinterpret_cast<uintptr_t>(memory[b].data());
      if (begin <= at && at < begin + memory[b].size())
        return {static_cast<int32_t>(b), static_cast<uint32_t>(at - begin)};
    }
    return {-1, 0};  // what the kernel does not use need not be there; it dies if it does
  }

  bool send_all(const void* from, size_t bytes) {
    for (const char* p = static_cast<const char*>(from); bytes > 0;) {
      const ssize_t n = send(socket_, p, bytes, MSG_NOSIGNAL);
      if (n <= 0) return false;
      p += n, bytes -= static_cast<size_t>(n);
    }
    return true;
  }
  bool receive_all(void* to, size_t bytes) {
    for (char* p = static_cast<char*>(to); bytes > 0;) {
      const ssize_t n = recv(socket_, p, bytes, 0);
      if (n <= 0) return false;
      p += n, bytes -= static_cast<size_t>(n);
    }
    return true;
  }

  // How the program ended, in words.
  std::string end() {
    if (pid_ == 0) return "died in an earlier call";
    int status = 0;
    waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFSIGNALED(status) ? fmt::format("died: {}", strsignal(WTERMSIG(status)))
                               : fmt::format("left with status {}", WEXITSTATUS(status));
  }

  const TemporaryFolder folder_;
  pid_t pid_ = 0;
  int socket_ = -1;
};

}  // namespace

std::vector<RunKernel> load_emulated(const std::vector<Program>& programs, const Target& target,
                                     const Toolchain& toolchain, const std::string& extra_flags) {
  std::vector<RunKernel> kernels;
  if (programs.empty()) return kernels;
  const auto server = std::make_shared<Server>(programs, target, toolchain, extra_flags);
  for (uint32_t k = 0; k < programs.size(); ++k)
    kernels.emplace_back([server, k](const OctetArgs& args, const Memory& memory) { server->call(k, args, memory); });
  return kernels;
}

}  // namespace octet
