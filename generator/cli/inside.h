// The tensors inside a network: which of the file's exist when it runs, and what they hold.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "generator/cli/common.h"
#include "generator/cli/inputs.h"
#include "generator/io/npy.h"
#include "runtime/executor.h"

namespace octet::cli {

// Where a tensor's values come from.
struct Source {
  std::string name;                  // in the file
  std::vector<std::string> aliases;  // of the same values in the file: before QuantizeLinear, behind DequantizeLinear
  std::string node, op;              // what computes it, in the file's words
  int output = -1;                   // an output of the network, or
  TensorPlace place;                 // a place inside
  float scale = 0;                   // 0: not quantized, or per channel
  int32_t zero_point = 0;
  bool dequantize = false;  // the values are scale * (q - zero_point) of what lies there
};

// What it held.
struct Values {
  std::string name;
  Array array;
  float scale = 0;
  int32_t zero_point = 0;
};

std::vector<Source> output_sources(const Plan& plan);

// Runs a network and reads some of its tensors. Places inside can be read where it was compiled with keep_all.
class Recorder {
 public:
  Recorder(std::shared_ptr<const Executor> executor, std::vector<Source> sources);
  const std::vector<Source>& sources() const { return sources_; }
  std::vector<Values> run(const Inputs& inputs, size_t run);
  std::vector<Values> run_all(const Inputs& inputs);  // runs one behind the other along the first dimension

 private:
  std::shared_ptr<const Executor> executor_;
  std::vector<Source> sources_;
  ExecutionContext context_;
  std::vector<std::vector<uint8_t>> outputs_;
};

// A network that keeps all its tensors.
class Inside {
 public:
  // Without names: everything that exists as the options are, in the order of execution. With names of tensors or nodes
  // in the file: those; what would lose one of them is switched off. User errors: a name is unknown, or means several
  // tensors, or one that no int8 network computes; each names what is near.
  explicit Inside(const ModelOptions& options, const std::vector<std::string>& names = {});

  const std::vector<Source>& wanted() const { return wanted_; }
  const std::vector<TensorInfo>& inputs() const { return executor_->plan().inputs; }
  Recorder recorder() const { return {executor_, wanted_}; }

 private:
  std::shared_ptr<const Executor> executor_;
  std::vector<Source> wanted_;
};

}  // namespace octet::cli
