#include "generator/cli/common.h"

#include <fmt/format.h>
#include <unistd.h>

#include "generator/graph/profile.h"
#include "runtime/status.h"
#include "targets/target.h"

namespace octet::cli {

void ModelOptions::add_model(CLI::App& verb) {
  verb.add_option("MODEL", model, "The network: a quantized .onnx or .tflite file")->required()->check(no_empty_name());
}

void ModelOptions::add_target(CLI::App& verb) {
  verb.add_option("--target", target,
                  "scalar, avx2, avx512_vnni, avx512_vbmi, neon, neon_dot, neon_i8mm; host: the\nbest of this machine")
      ->capture_default_str();
}

void ModelOptions::add_tuned(CLI::App& verb) {
  verb.add_option("--tuned", tuned, "Measured choices of register tiles, a file that `octet tune` wrote")
      ->check(no_empty_name());
}

void ModelOptions::add_engine(CLI::App& verb) {
  verb.add_option("--engine", engine,
                  "jit: machine code made now; cpp: C++ through a compiler;\n"
                  "interpreter: any target on any machine, slowly; reference: slow and obvious")
      ->capture_default_str();
  verb.add_option("--compiler", compiler, "Of engine cpp: g++, clang++, a path")
      ->capture_default_str()
      ->check(no_empty_name());
}

void ModelOptions::add_profile(CLI::App& verb) {
  verb.add_option("--profile", profile,
                  "Whose rounding the bytes follow, instead of what the file asks for:\n" + profile_names());
  verb.add_flag("--strict-int8", strict_int8, "Refuse networks of which anything would work outside of int8");
}

void ModelOptions::add_running(CLI::App& verb) {
  add_target(verb);
  add_engine(verb);
  add_tuned(verb);
  add_profile(verb);
  verb.add_option("--threads", threads, "Threads that one run uses; the bytes stay the same")->capture_default_str();
  verb.add_option("--batch", batch, "Images at a time, where the file leaves it open")->capture_default_str();
  verb.add_option("--dump", dump_dir, "Write graph, programs and code into this folder")
      ->envname("OCTET_DUMP")
      ->check(no_empty_name());
  add_bisecting(verb);
}

void ModelOptions::add_bisecting(CLI::App& verb) {
  const char* bisect = "To bisect";
  verb.add_flag("--no-fuse", no_fuse, "Residual adds and tables stay kernels of their own")->group(bisect);
  verb.add_flag("--no-views", no_views, "Concats and slices copy")->group(bisect);
  verb.add_flag("--no-winograd", no_winograd,
                "No 3x3 convolution takes Winograd's form: slower, but weights stay an eighth as large")
      ->group(bisect);
  verb.add_flag("--no-prove", no_prove, "Channels and clamps that the weights prove needless are computed")
      ->group(bisect);
}

ImportOptions ModelOptions::import_options() const {
  check_batch(batch);
  return {.batch = batch, .profile = profile.empty() ? std::nullopt : std::optional(profile_named(profile))};
}

WinogradUse ModelOptions::winograd() const {
  return no_winograd ? WinogradUse::never : WinogradUse::where_it_pays;
}

PassOptions ModelOptions::pass_options() const {
  return {.fuse = !no_fuse, .prove = !no_prove, .strict_int8 = strict_int8, .dump_dir = dump_dir};
}

void ModelOptions::add_cache(CLI::App& verb) {
  verb.add_option("--cache", cache_dir, "Keep loaded networks in this folder, for the next load; up to 1 GiB")
      ->envname("OCTET_CACHE_DIR")
      ->check(no_empty_name());
  verb.add_flag("--no-cache", no_cache, "Whatever OCTET_CACHE_DIR says");
}

LoadOptions ModelOptions::load_options() const {
  if (threads < 1 || threads > 1024) user_error(fmt::format("--threads must be 1 to 1024, not {}", threads));
  const auto [open_batch, wanted] = import_options();
  return {.target = &target_named(target),
          .engine = engine_named(engine),
          .threads = threads,
          .batch = open_batch,
          .profile = wanted,
          .fuse = !no_fuse,
          .views = !no_views,
          .strict_int8 = strict_int8,
          .prove = !no_prove,
          .tuned = tuned.empty() ? nullptr : std::make_shared<const TunedTilings>(read_tuned(tuned)),
          .winograd = winograd(),
          .compiler = compiler,
          .dump_dir = dump_dir};
}

void note_cache(const std::string& status) {
  if (status != "off" && status != "hit" && status != "stored")
    fmt::print(stderr, "octet: cache: {}\n", printable(status));
}

void check_batch(int64_t batch) {
  if (batch < 1) user_error(fmt::format("--batch must be at least 1, not {}", batch));
}

CLI::Validator no_empty_name() {
  return {[](const std::string& name) { return std::string(name.empty() ? "the name is empty" : ""); }, ""};
}

std::string bytes_text(size_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  const double kib = static_cast<double>(bytes) / 1024;
  return kib < 1024 ? fmt::format("{:.1f} KiB", kib) : fmt::format("{:.2f} MiB", kib / 1024);
}

std::string quantization_text(const TensorInfo& t) {
  if (t.scale <= 0) return "";
  return fmt::format("{}, scale {:.6g}, zero point {}", dtype_name(t.quantized), t.scale, t.zero_point);
}

std::string file_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text;
}

Progress::Progress(std::string label, size_t total)
    : label_(std::move(label)), total_(total), terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::advance() {
  ++done_;
  const auto now = Clock::now();
  using std::chrono::milliseconds;
  if (!terminal_ || now - start_ < milliseconds(2000) || now - last_ < milliseconds(100)) return;
  last_ = now;
  drawn_ = true;
  constexpr size_t kWidth = 40;
  const size_t full = kWidth * done_ / total_;
  const double left = std::chrono::duration<double>(now - start_).count() / static_cast<double>(done_) *
                      static_cast<double>(total_ - done_);
  fmt::print(stderr, "\r{} [{:=<{}}{: <{}}] {}/{}, {:.0f} s left ", label_, "", full, "", kWidth - full, done_, total_,
             left);
  std::fflush(stderr);
}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "\r{: <{}}\r", "", label_.size() + 72);
}

}  // namespace octet::cli
