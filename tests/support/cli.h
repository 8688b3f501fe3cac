// The octet command in a folder of its own, for tests of what its users meet.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "generator/io/npy.h"
#include "tests/support/slurp.h"

namespace octet {

namespace fs = std::filesystem;

struct Outcome {
  int status = -1;
  std::string out, err;
};

inline const std::string kModel = std::string(OCTET_SOURCE_DIR) + "/demo/digits.int8.onnx";
inline const std::string kHeldOut = std::string(OCTET_SOURCE_DIR) + "/demo/digits_heldout.npz";

// A folder for one test, the current one of the commands it runs.
class Cli : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(info->test_suite_name()) + "_" + info->name();
    std::replace(name.begin(), name.end(), '/', '_');
    dir_ = fs::temp_directory_path() / ("octet_" + name + "_" + std::to_string(getpid()));
    fs::create_directories(dir_);
    write_files();
  }
  void TearDown() override { fs::remove_all(dir_); }

  // Small files that the cases name.
  void write_files() const {
    const NpzReader held(kHeldOut);
    Array images = held.read("images");
    constexpr size_t kImage = 16 * 16 * 4;
    images.data.resize(3 * kImage);
    images.shape[0] = 3;
    write_npy(path("three.npy"), images);
    images.data.resize(kImage);
    images.shape[0] = 1;
    write_npy(path("one.npy"), images);
    write_npz(path("other.npz"), std::vector<std::pair<std::string, Array>>{{"pictures", images}});
    write_npy(path("s32.npy"), {DType::s32, images.shape, images.data});
    images.shape = {1, 1, 8, 32};
    write_npy(path("shape.npy"), images);
    write_file(path("labels.txt"), "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n");
    write_file(path("two_labels.txt"), "zero\none\n");
    write_file(path("text.onnx"), "this is no model\n");
    write_file(path("empty.onnx"), "");
    write_file(path("half.onnx"), slurp(kModel).substr(0, 20000));
    fs::create_directory(path("folder.npz"));
    write_file(path("bad.npy"), "\x93NUMPY and then nothing");
    write_file(path("bad.npz"), "PK nothing");
    write_file(path("bad.png"), "\x89PNG nothing");
  }

  std::string path(const std::string& name) const { return (dir_ / name).string(); }

  Outcome run(std::vector<std::string> args,
              const std::vector<std::pair<const char*, const char*>>& environment = {}) const {
    args.insert(args.begin(), "octet");
    const pid_t child = fork();
    if (child == 0) {
      for (const auto& [name, value] : environment) setenv(name, value, 1);
      if (chdir(dir_.c_str()) != 0) _exit(99);
      dup2(open("/dev/null", O_RDONLY), 0);
      dup2(open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
      dup2(open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
      std::vector<char*> argv;
      for (std::string& a : args) argv.push_back(a.data());
      argv.push_back(nullptr);
      execv(OCTET_BINARY, argv.data());
      _exit(98);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), slurp(path("stdout")),
            slurp(path("stderr"))};
  }

  fs::path dir_;
};

}  // namespace octet
