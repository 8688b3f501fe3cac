// consumer MODEL: loads a network through the installed C++ API, runs it, and catches an error across the library.
#include <octet/octet.h>

#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const octet::Model model = octet::Model::load(argv[1], {.threads = 2});
  octet::Context context(model);
  std::vector<std::vector<unsigned char>> buffers;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (const octet::TensorInfo& t : model.inputs()) inputs.push_back(buffers.emplace_back(t.bytes()).data());
  for (const octet::TensorInfo& t : model.outputs()) outputs.push_back(buffers.emplace_back(t.bytes()).data());
  context.run(inputs, outputs);
  try {
    octet::Model::load("/no/such/model.onnx");
    return 3;
  } catch (const octet::Error& e) {
    if (e.kind() != octet::ErrorKind::user || std::string(e.what()).find("/no/such/model.onnx") == std::string::npos)
      return 4;
  }
  std::printf("%s on %s, Octet %s\n", model.name().c_str(), model.target().c_str(), octet::version());
}
