// random_model LINE FOLDER: the random network of that line as FOLDER/model.onnx, with the inputs that graph_fuzz_test
// gives it as FOLDER/input.npz: for octet compare, bench, explain, and for other runtimes.
#include <fmt/format.h>

#include "generator/io/npy.h"
#include "runtime/status.h"
#include "tests/support/random_model.h"
#include "tests/support/ways.h"

int main(int argc, char** argv) try {
  using namespace octet;
  if (argc != 3) user_error("random_model LINE FOLDER, such as random_model seed=17,layers=4 /tmp/seed17");
  const RandomModel model = random_model_named(argv[1]);
  const std::string folder = argv[2], bytes = onnx_of(model);
  make_folder(folder);
  write_file(folder + "/model.onnx", bytes);
  const LoadedModel m = load(graph_of(model), kPlain);
  const std::vector<TensorInfo>& infos = m.executor->plan().inputs;
  const ByteArrays inputs = random_inputs(m.executor->plan(), model.seed);
  std::vector<std::pair<std::string, Array>> arrays;
  for (size_t i = 0; i < infos.size(); ++i)
    arrays.emplace_back(infos[i].name, Array{infos[i].dtype, infos[i].shape, inputs[i]});
  write_npz(folder + "/input.npz", arrays);
  fmt::print("octet compare {0}/model.onnx --input {0}/input.npz --a profile={1} --b profile={1},engine=reference\n",
             folder, profile_name(model.profile));
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "random_model: {}\n", e.what());
  return 1;
}
