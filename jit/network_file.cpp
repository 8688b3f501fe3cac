#include "jit/network_file.h"

#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>

#include "jit/align_up.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr std::array<char, 8> kMagic = {'o', 'c', 't', 'e', 't', 'n', 'e', 't'};
constexpr uint32_t kFormat = 1;
constexpr size_t kPage = 4096;

// In this machine's byte order: code of another kind of machine is of no use either.
struct Header {
  std::array<char, 8> magic = kMagic;
  uint32_t format = kFormat;
  uint32_t header_bytes = sizeof(Header);
  NetworkKey key{};
  uint64_t plan_bytes = 0;                   // directly behind the header
  uint64_t code_offset = 0, code_bytes = 0;  // behind the plan
  uint64_t blob_offset = 0, blob_bytes = 0;  // at a page; slack and zeros up to the next page follow
  uint64_t body_checksum = 0;                // XXH3 of everything behind the header
  uint64_t checksum = 0;                     // XXH3 of what stands above
};
static_assert(std::has_unique_object_representations_v<Header>);

[[noreturn]] void refuse(const char* why) {
  user_error(std::string("not a stored network as it was written: ") + why);
}

size_t file_bytes(const Header& h) {
  return align_up(h.blob_offset + h.blob_bytes + OCTET_SLACK_BYTES, kPage);
}

// ---- plan <-> bytes -----------------------------------------------------------------------------------------------

class Writer {
 public:
  template <class T>
  void number(const T& value) {
    const auto* p = reinterpret_cast<const uint8_t*>(&value);
    bytes.insert(bytes.end(), p, p + sizeof(T));
  }
  template <class T>
  void size(const T& container) {
    number(static_cast<uint64_t>(container.size()));
  }
  std::vector<uint8_t> bytes;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : rest_(bytes) {}

  template <class T>
  void number(T& value) {
    if (rest_.size() < sizeof(T)) refuse("its plan is cut short");
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_ = rest_.subspan(sizeof(T));
  }
  template <class T>
  void size(T& container) {
    uint64_t count = 0;
    number(count);
    if (count > rest_.size()) refuse("its plan is cut short");  // every element has at least a byte
    container.resize(static_cast<size_t>(count));
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const uint8_t> rest_;
};

// One description serves both ways. The bindings name every member, so that a new one does not compile until it is
// here.
template <class Archive, class T>
void archive(Archive& a, T& value) {
  static_assert(std::is_arithmetic_v<std::remove_const_t<T>> || std::is_enum_v<std::remove_const_t<T>>);
  a.number(value);
}

template <class Archive>
void archive(Archive& a, bool& flag) {
  uint8_t byte = flag;
  a.number(byte);
  flag = byte != 0;
}

template <class Archive>
void archive(Archive& a, OctetRef& ref) {
  auto& [space, index, offset] = ref;
  archive(a, space);
  archive(a, index);
  archive(a, offset);
}

template <class Archive>
void archive(Archive& a, std::string& text) {
  a.size(text);
  for (char& c : text) archive(a, c);
}

template <class Archive, class T>
void archive(Archive& a, std::vector<T>& values) {
  a.size(values);
  for (T& v : values) archive(a, v);
}

template <class Archive>
void archive(Archive& a, OctetStep& step) {
  auto& [kernel, group, args] = step;
  archive(a, kernel);
  archive(a, group);
  for (OctetRef& ref : args) archive(a, ref);
}

template <class Archive>
void archive(Archive& a, StepWait& wait) {
  auto& [step, on] = wait;
  archive(a, step);
  archive(a, on);
}

template <class Archive>
void archive(Archive& a, TensorInfo& t) {
  auto& [name, dtype, shape, quantized, scale, zero_point] = t;
  archive(a, name);
  archive(a, dtype);
  archive(a, shape);
  archive(a, quantized);
  archive(a, scale);
  archive(a, zero_point);
}

template <class Archive>
void archive(Archive& a, TensorPlace& t) {
  auto& [name, dtype, quantized, shape, file_shape, channels_last, pitch, ref] = t;
  archive(a, name);
  archive(a, dtype);
  archive(a, quantized);
  archive(a, shape);
  archive(a, file_shape);
  archive(a, channels_last);
  archive(a, pitch);
  archive(a, ref);
}

template <class Archive>
void archive(Archive& a, Plan& plan) {
  auto& [steps, threads, thread_of, waits, blob, arena_bytes, inputs, outputs, tensors] = plan;
  archive(a, steps);
  archive(a, threads);
  archive(a, thread_of);
  archive(a, waits);
  archive(a, arena_bytes);
  archive(a, inputs);
  archive(a, outputs);
  archive(a, tensors);
  static_cast<void>(blob);  // has a section of its own
}

// Kernels in the file: where their code lies within the code section.
struct CodePiece {
  std::string name;
  uint64_t offset = 0, bytes = 0;  // no bytes: a plain op
};

template <class Archive>
void archive(Archive& a, CodePiece& piece) {
  auto& [name, offset, bytes] = piece;
  archive(a, name);
  archive(a, offset);
  archive(a, bytes);
}

template <class Archive>
void archive_all(Archive& a, std::string& name, Plan& plan, std::vector<CodePiece>& pieces) {
  archive(a, name);
  archive(a, plan);
  archive(a, pieces);
}

// ---- checks beyond the checksum -----------------------------------------------------------------------------------

bool fits(uint64_t offset, uint64_t bytes, uint64_t total) {
  return offset <= total && bytes <= total - offset;
}

// Elements of a shape; refused where that is no size of a tensor.
uint64_t checked_elements(const std::vector<int64_t>& shape) {
  uint64_t count = 1;
  for (int64_t d : shape)
    if (d < 0 || __builtin_mul_overflow(count, static_cast<uint64_t>(d), &count) || count > uint64_t{1} << 40)
      refuse("a shape is out of range");
  return count;
}

void check_dtype(DType dtype) {
  if (dtype > DType::boolean) refuse("a data type is unknown");
}

void check_edges(const std::vector<TensorInfo>& edges) {
  for (const TensorInfo& t : edges) {
    check_dtype(t.dtype);
    check_dtype(t.quantized);
    checked_elements(t.shape);
  }
}

void check_ref(const OctetRef& ref, const Plan& plan) {
  const auto edge = [&](const std::vector<TensorInfo>& edges) {
    return ref.index < edges.size() ? uint64_t{edges[ref.index].bytes()} : 0;
  };
  uint64_t limit = 0;
  switch (ref.space) {
    case OCTET_NONE: return;
    case OCTET_ARENA: limit = static_cast<uint64_t>(plan.arena_bytes); break;
    case OCTET_BLOB: limit = plan.blob.size(); break;
    case OCTET_INPUT: limit = edge(plan.inputs); break;
    case OCTET_OUTPUT: limit = edge(plan.outputs); break;
    default: refuse("an argument is in no known space");
  }
  if (ref.offset > limit) refuse("an argument lies outside of its space");
}

void check_place(const TensorPlace& t, const Plan& plan) {
  check_dtype(t.dtype);
  const uint64_t count = checked_elements(t.shape);
  if (checked_elements(t.file_shape) != count) refuse("a tensor has two sizes");
  const uint64_t last = t.shape.empty() ? 1 : static_cast<uint64_t>(t.shape.back());
  const uint64_t length = last * dtype_bytes(t.dtype);
  uint64_t bytes = 0;
  const bool good = count > 0 && (t.quantized || static_cast<uint64_t>(t.pitch) >= length) &&
                    (!t.channels_last || t.shape.size() >= 2) && t.pitch >= 0 &&
                    !__builtin_mul_overflow(count / last - 1, uint64_t(t.pitch), &bytes) &&
                    !__builtin_add_overflow(bytes, length, &bytes);
  if (!good || t.ref.space != OCTET_ARENA || !fits(t.ref.offset, bytes, static_cast<uint64_t>(plan.arena_bytes)))
    refuse("a tensor lies outside of the arena");
}

void check_threads(const Plan& plan) {
  if (plan.threads < 1 || plan.threads > 1024) refuse("its number of threads is out of range");
  if (plan.thread_of.size() != (plan.threads > 1 ? plan.steps.size() : 0)) refuse("its steps lack a thread");
  for (const uint32_t t : plan.thread_of)
    if (t >= static_cast<uint32_t>(plan.threads)) refuse("a step is of no thread");
  uint32_t last = 0;
  for (const StepWait& w : plan.waits) {
    if (w.step >= plan.steps.size() || w.on >= w.step || w.step < last) refuse("a step waits for one after it");
    last = w.step;
  }
}

void check_plan(const Plan& plan, size_t kernels) {
  if (plan.arena_bytes < 0 || plan.arena_bytes > int64_t{1} << 40) refuse("its arena is out of range");
  check_edges(plan.inputs);
  check_edges(plan.outputs);
  check_threads(plan);
  for (const OctetStep& s : plan.steps) {
    if (s.kernel >= kernels) refuse("a step calls a kernel that does not exist");
    for (const OctetRef& ref : s.args) check_ref(ref, plan);
  }
  for (const TensorPlace& t : plan.tensors) check_place(t, plan);
}

bool write_all(int file, const void* data, size_t bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
  while (bytes) {
    const ssize_t n = ::write(file, p, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    p += n;
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

// What archive() may take by reference: writing needs no second copy of the weights.
Plan without_blob(const Plan& plan) {
  const auto& [steps, threads, thread_of, waits, blob, arena_bytes, inputs, outputs, tensors] = plan;
  static_cast<void>(blob);
  return {steps, threads, thread_of, waits, {}, arena_bytes, inputs, outputs, tensors};
}

uint64_t checksum_of(const Header& h) {
  return XXH3_64bits(&h, offsetof(Header, checksum));
}

}  // namespace

bool write_network(int file, const NetworkKey& key, const std::string& name, const Plan& plan,
                   std::span<const StoredKernel> kernels) {
  std::vector<CodePiece> pieces;
  std::vector<uint8_t> code;
  for (const StoredKernel& k : kernels) {
    code.resize(align_up(code.size(), OCTET_ALIGNMENT));
    pieces.push_back({k.name, code.size(), k.code.size()});
    code.insert(code.end(), k.code.begin(), k.code.end());
  }
  Writer writer;
  std::string name_copy = name;
  Plan plan_copy = without_blob(plan);
  archive_all(writer, name_copy, plan_copy, pieces);
  const Blob& blob = plan.blob;

  Header h{.key = key};
  h.plan_bytes = writer.bytes.size();
  h.code_offset = align_up(sizeof(Header) + h.plan_bytes, OCTET_ALIGNMENT);
  h.code_bytes = code.size();
  h.blob_offset = align_up(h.code_offset + h.code_bytes, kPage);
  h.blob_bytes = blob.size();

  std::vector<uint8_t> head = std::move(writer.bytes);  // from the header's end to the blob
  head.resize(h.code_offset - sizeof(Header));
  head.insert(head.end(), code.begin(), code.end());
  head.resize(h.blob_offset - sizeof(Header));
  const std::vector<uint8_t> tail(file_bytes(h) - h.blob_offset - h.blob_bytes);

  XXH3_state_t* state = XXH3_createState();
  if (!state) throw std::bad_alloc();
  XXH3_64bits_reset(state);
  XXH3_64bits_update(state, head.data(), head.size());
  XXH3_64bits_update(state, blob.data(), blob.size());
  XXH3_64bits_update(state, tail.data(), tail.size());
  h.body_checksum = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  h.checksum = checksum_of(h);
  return write_all(file, &h, sizeof h) && write_all(file, head.data(), head.size()) &&
         write_all(file, blob.data(), blob.size()) && write_all(file, tail.data(), tail.size());
}

StoredNetwork read_network(const std::shared_ptr<const MappedFile>& file, const NetworkKey& key) {
  const auto* data = reinterpret_cast<const uint8_t*>(file->bytes().data());
  const size_t size = file->bytes().size();
  Header h;
  if (size < sizeof h) refuse("it is cut short");
  std::memcpy(&h, data, sizeof h);
  if (h.magic != kMagic || h.format != kFormat || h.header_bytes != sizeof h) refuse("another format");
  if (h.checksum != checksum_of(h)) refuse("its header's checksum differs");
  if (h.key != key) refuse("it is of another model, target, version or options");
  if (!fits(sizeof h, h.plan_bytes, size) || !fits(h.code_offset, h.code_bytes, size) ||
      !fits(h.blob_offset, h.blob_bytes, size) || !fits(h.blob_offset + h.blob_bytes, OCTET_SLACK_BYTES, size) ||
      file_bytes(h) != size || h.blob_offset % kPage)
    refuse("its length differs");
  if (h.body_checksum != XXH3_64bits(data + sizeof h, size - sizeof h)) refuse("its checksum differs");

  StoredNetwork network;
  std::vector<CodePiece> pieces;
  Reader reader({data + sizeof h, static_cast<size_t>(h.plan_bytes)});
  archive_all(reader, network.name, network.plan, pieces);
  if (!reader.at_end()) refuse("its plan is longer than it should be");
  network.plan.blob = Blob::view({data + h.blob_offset, static_cast<size_t>(h.blob_bytes)}, file);
  for (CodePiece& p : pieces) {
    if (!fits(p.offset, p.bytes, h.code_bytes)) refuse("a kernel lies outside of the code");
    network.kernels.push_back({std::move(p.name), {data + h.code_offset + p.offset, static_cast<size_t>(p.bytes)}});
  }
  check_plan(network.plan, network.kernels.size());
  return network;
}

}  // namespace octet
