// The cache on disk: a hit gives the bytes of a miss, no damage goes unseen, processes do not disturb each other, the
// folder stays within its bound, and nothing that is wrong with it is an error.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include "jit/backend.h"
#include "jit/build_id.h"
#include "jit/load_ready.h"
#include "runtime/status.h"
#include "tests/support/random.h"
#include "tests/support/slurp.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

const fs::path kDigits = OCTET_SOURCE_DIR "/demo/digits.int8.onnx";

// The outputs of a few runs, one behind the other.
std::vector<uint8_t> outputs_of(const std::shared_ptr<const Executor>& executor) {
  const Plan& plan = executor->plan();
  ExecutionContext context(executor);
  Random random(7);
  std::vector<float> image(plan.inputs[0].bytes() / 4);
  std::vector<uint8_t> all, result(plan.outputs[0].bytes());
  for (int run = 0; run < 5; ++run) {
    for (float& v : image) v = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
    const void* inputs[] = {image.data()};
    void* outputs[] = {result.data()};
    context.run(inputs, outputs);
    all.insert(all.end(), result.begin(), result.end());
  }
  return all;
}

class Cache : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_compile(host_target())) GTEST_SKIP() << "target " << host_target().name << " has no machine code to keep";
    folder_ = fs::temp_directory_path() / ("octet_cache_test_" + std::to_string(getpid()));
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  ReadyModel load(const LoadOptions& options = {}, uint64_t most_bytes = uint64_t{1} << 30) const {
    return load_ready(kDigits, options, {.folder = folder_, .most_bytes = most_bytes});
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> all;
    for (const auto& e : fs::directory_iterator(folder_)) all.push_back(e.path());
    return all;
  }
  fs::path only_file() const {
    const auto all = files();
    EXPECT_EQ(all.size(), 1u);
    return all.at(0);
  }

  fs::path folder_;
};

TEST_F(Cache, AHitGivesTheBytesOfAMiss) {
  for (const LoadOptions& o : {LoadOptions{}, LoadOptions{.threads = 2}, LoadOptions{.target = find_target("avx2")},
                               LoadOptions{.keep_all = true}, LoadOptions{.fuse = false}, LoadOptions{.views = false},
                               LoadOptions{.winograd = WinogradUse::everywhere}}) {
    if (o.target && (!host_runs(*o.target) || o.target == &host_target())) continue;  // the host's came first
    const ReadyModel plain = load_ready(kDigits, o, {});
    EXPECT_EQ(plain.cache, "off");
    const ReadyModel miss = load(o), hit = load(o);
    EXPECT_EQ(miss.cache, "stored");
    EXPECT_EQ(hit.cache, "hit");
    EXPECT_EQ(hit.name, plain.name);
    EXPECT_EQ(outputs_of(hit.executor), outputs_of(plain.executor));
    EXPECT_EQ(outputs_of(miss.executor), outputs_of(plain.executor));
    const Plan &a = plain.executor->plan(), &b = hit.executor->plan();
    EXPECT_EQ(a.arena_bytes, b.arena_bytes);
    EXPECT_TRUE(std::ranges::equal(a.blob.bytes(), b.blob.bytes()));
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (size_t i = 0; i < a.tensors.size(); ++i) {
      EXPECT_EQ(a.tensors[i].name, b.tensors[i].name);
      EXPECT_EQ(a.tensors[i].file_shape, b.tensors[i].file_shape);
    }
    ASSERT_EQ(b.inputs.size(), 1u);
    EXPECT_EQ(a.inputs[0].name, b.inputs[0].name);
    EXPECT_EQ(a.inputs[0].scale, b.inputs[0].scale);
  }
}

TEST_F(Cache, AnotherModelOrOptionIsAnotherFile) {
  load();
  EXPECT_EQ(load({.threads = 2}).cache, "stored");
  const fs::path copy = folder_ / "digits.int8.onnx";  // a byte more in a file of the same name: protobuf's field 15
  std::ofstream(copy, std::ios::binary) << slurp(kDigits) << std::string("\x7a\x00", 2);
  EXPECT_EQ(load_ready(copy, {}, {.folder = folder_}).cache, "stored");
  std::ofstream(copy, std::ios::binary) << slurp(kDigits);
  EXPECT_EQ(load_ready(copy, {}, {.folder = folder_}).cache, "hit") << "the content counts, not the path";
}

TEST_F(Cache, CodeRunsAtAnyAddress) {
  const LoadedModel a = octet::load(kDigits, {}), b = octet::load(kDigits, {});
  ASSERT_FALSE(a.stored_kernels.empty());
  for (size_t k = 0; k < a.stored_kernels.size(); ++k)
    EXPECT_TRUE(std::ranges::equal(a.stored_kernels[k].code, b.stored_kernels[k].code)) << a.stored_kernels[k].name;
}

TEST_F(Cache, WhatIsNotCachedSaysWhy) {
  EXPECT_THAT(load({.engine = Engine::reference}).cache, HasSubstr("only engine jit is cached"));
  EXPECT_THAT(load({.target = find_target("scalar")}).cache, HasSubstr("no machine code"));
  EXPECT_THAT(load({.dump_dir = folder_ / "dump"}).cache, HasSubstr("dumps"));
  EXPECT_THROW(load_ready(folder_ / "absent.onnx", {}, {.folder = folder_}), Error);
}

TEST(BuildId, IsTheLinkers) {
  EXPECT_GE(build_id().size(), 16u);
  EXPECT_EQ(build_id().find_first_not_of("0123456789abcdef"), std::string::npos);
}

// ---- damage

// Where things are in a file (network_file.cpp).
constexpr size_t kFormatAt = 8, kPlanBytesAt = 32, kBodyChecksumAt = 72, kChecksumAt = 80, kHeaderBytes = 88;

// Makes the checksums right again, as only somebody who means harm would.
void reseal(std::string& bytes) {
  const uint64_t body = XXH3_64bits(bytes.data() + kHeaderBytes, bytes.size() - kHeaderBytes);
  std::memcpy(bytes.data() + kBodyChecksumAt, &body, sizeof body);
  const uint64_t head = XXH3_64bits(bytes.data(), kChecksumAt);
  std::memcpy(bytes.data() + kChecksumAt, &head, sizeof head);
}

class DamagedCache : public Cache {
 protected:
  void SetUp() override {
    Cache::SetUp();
    if (IsSkipped()) return;
    expected_ = outputs_of(load({.keep_all = true}).executor);
    path_ = only_file();
    bytes_ = slurp(path_);
  }

  ReadyModel again() const { return load({.keep_all = true}); }

  // The reason why the file is not used; empty where it is.
  std::string refusal() const {
    const ReadyModel m = again();
    EXPECT_EQ(outputs_of(m.executor), expected_);
    return m.cache == "hit" ? "" : m.cache;
  }

  void put(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

  // Reads the file as a hit would.
  bool readable() const {
    std::string why;
    NetworkKey key;
    std::memcpy(key.data(), bytes_.data() + 16, key.size());
    try {
      const StoredNetwork network = read_network(MappedFile::open(path_, true, why), key);
      // What a context and its reader take from it lies where it may be.
      for (const TensorPlace& t : network.plan.tensors) EXPECT_LE(t.ref.offset, uint64_t(network.plan.arena_bytes));
      for (const OctetStep& s : network.plan.steps) EXPECT_LT(s.kernel, network.kernels.size());
      return true;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("not a stored network as it was written"));
      return false;
    }
  }

  std::vector<uint8_t> expected_;
  fs::path path_;
  std::string bytes_;
};

TEST_F(DamagedCache, EveryByteCounts) {
  ASSERT_TRUE(readable());
  const int file = open(path_.c_str(), O_RDWR);
  ASSERT_GE(file, 0);
  uint64_t plan_bytes = 0;
  std::memcpy(&plan_bytes, bytes_.data() + kPlanBytesAt, sizeof plan_bytes);
  // All of the header and the plan's beginning, every region behind it, and the padding at the end.
  for (size_t i = 0; i < bytes_.size(); i += i < kHeaderBytes + std::min<size_t>(plan_bytes, 2000) ? 1 : 61) {
    const char wrong = static_cast<char>(bytes_[i] ^ (1 << (i % 8)));
    ASSERT_EQ(pwrite(file, &wrong, 1, static_cast<off_t>(i)), 1);
    EXPECT_FALSE(readable()) << "byte " << i;
    ASSERT_EQ(pwrite(file, &bytes_[i], 1, static_cast<off_t>(i)), 1);
  }
  close(file);
  EXPECT_TRUE(readable());
}

TEST_F(DamagedCache, IsReplacedAndSaysSo) {
  std::string wrong = bytes_;
  wrong[wrong.size() / 2] ^= 1;
  put(wrong);
  EXPECT_THAT(refusal(), AllOf(StartsWith("stored anew: "), HasSubstr("checksum")));
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(slurp(path_), bytes_) << "the same network makes the same file";
}

TEST_F(DamagedCache, AnyTruncationIsSeen) {
  for (size_t length = 0; length < bytes_.size(); length += length < 200 ? 1 : 997) {
    put(bytes_.substr(0, length));
    EXPECT_FALSE(readable()) << length;
  }
  put(bytes_ + '\0');
  EXPECT_FALSE(readable());
  put("");
  EXPECT_THAT(refusal(), HasSubstr("cut short"));
}

TEST_F(DamagedCache, OtherFormatsAndKeysAreRefused) {
  std::string other = bytes_;
  ++other[kFormatAt];
  reseal(other);
  put(other);
  EXPECT_THAT(refusal(), HasSubstr("another format"));
  load({.threads = 2});  // a file that is whole, but another network's
  for (const fs::path& f : files())
    if (f != path_) fs::copy_file(f, path_, fs::copy_options::overwrite_existing);
  EXPECT_THAT(refusal(), HasSubstr("another model, target, version or options"));
}

TEST_F(DamagedCache, WrongPlansWithRightChecksumsAreRefusedOrHarmless) {
  uint64_t plan_bytes = 0;
  std::memcpy(&plan_bytes, bytes_.data() + kPlanBytesAt, sizeof plan_bytes);
  Random random(3);
  int refused = 0;
  for (int round = 0; round < 600; ++round) {
    std::string wrong = bytes_;
    for (uint32_t n = 1 + random() % 4; n > 0; --n) {
      // The header's numbers too, but not the key.
      const size_t at = random() % 8 == 0 ? kPlanBytesAt + random() % 40 : kHeaderBytes + random() % plan_bytes;
      wrong[at] = static_cast<char>(random() % 2 ? random() : 0xff);
    }
    reseal(wrong);
    put(wrong);
    refused += !readable();
  }
  EXPECT_GT(refused, 200);
}

// ---- processes, room, permission

// Exit codes of that many processes that all do `work`.
template <class Work>
std::vector<int> in_processes(int count, Work work) {
  std::vector<pid_t> children;
  for (int i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(work(i) ? 0 : 1);
    children.push_back(child);
  }
  std::vector<int> codes;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    codes.push_back(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  }
  return codes;
}

TEST_F(Cache, ProcessesFillItAtOnce) {
  const std::vector<uint8_t> expected = outputs_of(load_ready(kDigits, {}, {}).executor);
  const auto codes = in_processes(6, [&](int) {
    const ReadyModel m = load();
    return (m.cache == "hit" || m.cache == "stored") && outputs_of(m.executor) == expected;
  });
  EXPECT_THAT(codes, testing::Each(0));
  EXPECT_EQ(load().cache, "hit");
  EXPECT_EQ(only_file().extension(), ".octet") << "nobody leaves anything behind";
}

// Where the folder goes in the middle of a load, that load says so, fails never, and gives the same bytes.
TEST_F(Cache, OneProcessEmptiesItUnderTheOthers) {
  const std::vector<uint8_t> expected = outputs_of(load_ready(kDigits, {}, {}).executor);
  const auto codes = in_processes(4, [&](int i) {
    bool good = true;
    std::error_code gone;
    for (int round = 0; round < 10; ++round)
      if (i == 0)
        fs::remove_all(folder_, gone);
      else
        good = good && outputs_of(load().executor) == expected;
    return good;
  });
  EXPECT_THAT(codes, testing::Each(0));
}

TEST_F(Cache, AMappedFileMayGo) {
  load();
  const ReadyModel m = load();
  ASSERT_EQ(m.cache, "hit");
  fs::remove_all(folder_);
  EXPECT_EQ(outputs_of(m.executor), outputs_of(load_ready(kDigits, {}, {}).executor));
}

TEST_F(Cache, TheLeastRecentlyUsedGo) {
  // Files of one size: never is a second thread worth its cost.
  const auto with = [](int threads) { return LoadOptions{.threads = threads, .sharing = {.wake = 1e12}}; };
  load(with(1));
  const uint64_t bytes = fs::file_size(only_file());
  const auto later = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
  for (int threads : {2, 3}) {
    later();
    load(with(threads));
  }
  later();
  EXPECT_EQ(load(with(1)).cache, "hit");  // used last now
  later();
  const uint64_t bound = 3 * bytes + bytes / 2;
  load(with(4), bound);
  uint64_t total = 0;
  for (const fs::path& f : files()) total += fs::file_size(f);
  EXPECT_LE(total, bound);
  EXPECT_EQ(load(with(1)).cache, "hit");
  EXPECT_EQ(load(with(4)).cache, "hit");
  EXPECT_EQ(load(with(2)).cache, "stored") << "the oldest";
}

TEST_F(Cache, NoRoomNoPermissionNoFolder) {
  const auto expect_uncached = [&](const fs::path& folder, uint64_t most_bytes, const char* why) {
    const ReadyModel m = load_ready(kDigits, {}, {.folder = folder, .most_bytes = most_bytes});
    EXPECT_THAT(m.cache, AllOf(StartsWith("not stored: "), HasSubstr(why)));
    EXPECT_EQ(outputs_of(m.executor), outputs_of(load_ready(kDigits, {}, {}).executor));
  };
  expect_uncached("/proc/octet", 1 << 30, "/proc/octet");
  expect_uncached(kDigits / "below a file", 1 << 30, "Not a directory");
  expect_uncached(folder_, 1000, "the cache may hold 1000");
  if (geteuid() != 0) {
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec);
    expect_uncached(folder_, 1 << 30, "Permission denied");
    fs::permissions(folder_, fs::perms::owner_all);
  }
  // A full disk, as far as one process can have it: writing stops in the middle.
  struct rlimit old {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const struct rlimit small = {5000, old.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_uncached(folder_, 1 << 30, "File too large");
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(files().empty()) << "nothing half written stays";
}

TEST_F(Cache, FilesOfOtherUsersAreIgnored) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make a file somebody else's";
  load();
  ASSERT_EQ(chown(only_file().c_str(), 12345, 12345), 0);
  EXPECT_THAT(load().cache, HasSubstr("belongs to another user"));
  EXPECT_EQ(load().cache, "hit") << "replaced";
}

TEST_F(Cache, AbandonedWritesGo) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / ".tmp-old") << "half";
  std::ofstream(folder_ / ".tmp-new") << "half";
  std::ofstream(folder_ / "somebody's notes") << "kept";
  fs::last_write_time(folder_ / ".tmp-old", fs::file_time_type::clock::now() - std::chrono::hours(2));
  load({}, 100'000'000);
  EXPECT_FALSE(fs::exists(folder_ / ".tmp-old"));
  EXPECT_TRUE(fs::exists(folder_ / ".tmp-new")) << "its process may still be writing";
  EXPECT_TRUE(fs::exists(folder_ / "somebody's notes"));
}

}  // namespace
}  // namespace octet
