// The octet command. Exit 0: done; 1: the user can mend it, one line on stderr says how; 2: our bug; 3: `octet compare`
// found a difference.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>

#include "generator/cli/common.h"
#include "runtime/status.h"
#include "targets/target.h"

namespace octet::cli {
namespace {

constexpr const char* kFooter = R"(
Examples:
  octet run mobilenet.onnx --input cat.bmp --top 3 --labels imagenet_labels.txt
  octet bench resnet50.onnx --layers
  octet compile resnet50.onnx -o generated --target avx2 --target avx512_vnni
  octet inspect model.tflite
  octet explain model.onnx --target avx2
  octet compare model.onnx --input x.npz --a target=avx2 --b engine=reference

Each command says more with --help. OCTET_MAX_TARGET=NAME caps the target that `host` means.
Exit status: 0 done, 1 an error that one line on stderr explains, 2 an internal error, 3 compare found a difference.)";

// One line whatever the message holds.
int complain(const char* message, int status) {
  std::string line(message);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  std::replace(line.begin(), line.end(), '\n', ' ');
  line = printable(line);
  if (status == 2)
    std::fprintf(stderr, "octet: internal error: %s; please report it with the model and this command line\n",
                 line.c_str());
  else
    std::fprintf(stderr, "octet: %s\n", line.c_str());
  return status;
}

void warn_about_cap() {
  const char* cap = std::getenv("OCTET_MAX_TARGET");
  if (cap && *cap && !find_target(cap)) std::fprintf(stderr, "octet: OCTET_MAX_TARGET=%s is no target; ignored\n", cap);
}

// CLI11 would only say that a subcommand is missing.
void check_verb(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || (argv[1][0] == '-' && app.get_option_no_throw(argv[1]))) return;
  std::string known;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb->get_name() == argv[1]) return;
    known += (known.empty() ? "" : ", ") + verb->get_name();
  }
  user_error(std::string(argv[1][0] == '-' ? "unknown option '" : "unknown command '") + argv[1] + "' (" + known + ")");
}

int run_command(int argc, char** argv) {
  CLI::App app("Octet turns a quantized neural network into int8 kernels made for exactly that network.", "octet");
  app.set_version_flag("--version", "octet " OCTET_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  app.get_formatter()->column_width(28);
  add_run(app);
  add_compile(app);
  add_bench(app);
  add_inspect(app);
  add_explain(app);
  add_tune(app);
  add_compare(app);
  int status = 0;
  try {
    warn_about_cap();
    check_verb(app, argc, argv);
    app.parse(argc, argv);  // runs the verb's callback
  } catch (const CLI::RuntimeError& e) {
    status = e.get_exit_code();  // of a verb that has said what there is to say
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) return complain((std::string(e.what()) + " (see octet --help)").c_str(), 1);
    app.exit(e);  // --help, --version
  }
  if (!std::cout.flush() || std::fflush(stdout) != 0 || std::ferror(stdout))
    user_error("cannot write to standard output");
  return status;
}

}  // namespace
}  // namespace octet::cli

int main(int argc, char** argv) {
  using octet::cli::complain;
  try {
    return octet::cli::run_command(argc, argv);
  } catch (const octet::Error& e) {
    return complain(e.what(), static_cast<int>(e.kind()));
  } catch (const std::bad_alloc&) {
    return complain("out of memory", 1);
  } catch (const std::exception& e) {
    return complain(e.what(), 2);
  }
}
