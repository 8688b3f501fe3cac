/* The C API from C11: c_api_test MODEL OTHER_THAN_A_MODEL. Loads a network on every engine, runs it next to forbidden
 * pages and from several threads, compares bytes, and passes wrong arguments. */
#define _GNU_SOURCE
#include "runtime/octet_c.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int failures = 0;

#define CHECK(condition)                                                                                         \
  do {                                                                                                           \
    if (!(condition)) {                                                                                          \
      fprintf(stderr, "%s:%d: %s failed; last error: %s\n", __FILE__, __LINE__, #condition, octet_last_error()); \
      ++failures;                                                                                                \
    }                                                                                                            \
  } while (0)

#define REQUIRE(condition) \
  do {                     \
    CHECK(condition);      \
    if (failures) exit(1); \
  } while (0)

/* Bytes that end where a forbidden page begins. */
static unsigned char* guarded(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (bytes + page - 1) / page * page;
  unsigned char* base = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(base != MAP_FAILED);
  REQUIRE(mprotect(base + room, page, PROT_NONE) == 0);
  return base + room - bytes;
}

static void fill(float* values, size_t count, unsigned seed) {
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    values[i] = (float)(seed >> 8) / (1 << 23) - 1;
  }
}

typedef struct {
  octet_model* model;
  octet_tensor_info in, out;
} network;

static network load(const char* path, const char* engine, int threads, int keep_all) {
  octet_options options;
  octet_options_init(&options);
  options.engine = engine;
  options.threads = threads;
  options.keep_all = keep_all;
  network n;
  REQUIRE(octet_model_load(path, &options, &n.model) == OCTET_OK);
  REQUIRE(octet_model_input_count(n.model) == 1 && octet_model_output_count(n.model) == 1);
  REQUIRE(octet_model_input(n.model, 0, &n.in) == OCTET_OK && octet_model_output(n.model, 0, &n.out) == OCTET_OK);
  return n;
}

static void run(const network* n, octet_context* context, const void* input, void* output) {
  const void* inputs[] = {input};
  void* outputs[] = {output};
  CHECK(octet_run(context, inputs, 1, outputs, 1) == OCTET_OK);
  (void)n;
}

/* The output of one run over the input of that seed; the caller frees nothing, the process is short. */
static unsigned char* output_of(const network* n, unsigned seed) {
  octet_context* context;
  REQUIRE(octet_context_create(n->model, &context) == OCTET_OK);
  unsigned char *input = guarded(n->in.bytes), *output = guarded(n->out.bytes);
  fill((float*)(void*)input, n->in.bytes / 4, seed);
  run(n, context, input, output);
  octet_context_free(context);
  return output;
}

static void engines_agree(const char* path) {
  const network jit = load(path, "jit", 1, 0), reference = load(path, "reference", 1, 0), two = load(path, "jit", 2, 0);
  CHECK(jit.in.dtype == OCTET_F32 && jit.in.rank == 4 && jit.in.scale > 0);
  CHECK(jit.in.bytes == 4u * (size_t)(jit.in.shape[0] * jit.in.shape[1] * jit.in.shape[2] * jit.in.shape[3]));
  CHECK(strlen(jit.in.name) > 0 && strlen(jit.out.name) > 0);
  for (unsigned seed = 1; seed < 6; ++seed) {
    const unsigned char* expected = output_of(&reference, seed);
    CHECK(memcmp(output_of(&jit, seed), expected, jit.out.bytes) == 0);
    CHECK(memcmp(output_of(&two, seed), expected, jit.out.bytes) == 0);
  }
  CHECK(memcmp(output_of(&jit, 1), output_of(&jit, 2), jit.out.bytes) != 0);
  octet_model_free(jit.model);
  octet_model_free(reference.model);
  octet_model_free(two.model);
}

typedef struct {
  const network* n;
  const unsigned char* expected;
  int good;
} job;

static void* many_runs(void* argument) {
  job* j = argument;
  for (int i = 0; i < 20; ++i) j->good += memcmp(output_of(j->n, 7), j->expected, j->n->out.bytes) == 0;
  return NULL;
}

static void contexts_are_independent(const char* path) {
  const network n = load(path, "jit", 1, 0);
  const unsigned char* expected = output_of(&n, 7);
  pthread_t threads[4];
  job jobs[4];
  for (int t = 0; t < 4; ++t) {
    jobs[t] = (job){&n, expected, 0};
    REQUIRE(pthread_create(&threads[t], NULL, many_runs, &jobs[t]) == 0);
  }
  for (int t = 0; t < 4; ++t) {
    pthread_join(threads[t], NULL);
    CHECK(jobs[t].good == 20);
  }
  /* A context keeps what it needs of its model. */
  octet_context* context;
  REQUIRE(octet_context_create(n.model, &context) == OCTET_OK);
  unsigned char *input = guarded(n.in.bytes), *output = guarded(n.out.bytes);
  fill((float*)(void*)input, n.in.bytes / 4, 7);
  const size_t bytes = n.out.bytes;
  octet_model_free(n.model);
  run(&n, context, input, output);
  CHECK(memcmp(output, expected, bytes) == 0);
  octet_context_free(context);
}

static void tensors_can_be_read(const char* path) {
  const network jit = load(path, "jit", 1, 1), reference = load(path, "reference", 1, 1);
  octet_context *a, *b;
  REQUIRE(octet_context_create(jit.model, &a) == OCTET_OK && octet_context_create(reference.model, &b) == OCTET_OK);
  unsigned char *input = guarded(jit.in.bytes), *output = guarded(jit.out.bytes);
  fill((float*)(void*)input, jit.in.bytes / 4, 3);
  run(&jit, a, input, output);
  run(&reference, b, input, output);
  const size_t count = octet_model_tensor_count(jit.model);
  CHECK(count > 3);
  for (size_t i = 0; i < count; ++i) {
    octet_tensor_info t;
    REQUIRE(octet_model_tensor(jit.model, i, &t) == OCTET_OK);
    CHECK(t.dtype == OCTET_U8 || t.dtype == OCTET_S8);
    unsigned char *x = guarded(t.bytes), *y = guarded(t.bytes);
    CHECK(octet_read(a, t.name, x, t.bytes) == OCTET_OK && octet_read(b, t.name, y, t.bytes) == OCTET_OK);
    CHECK(memcmp(x, y, t.bytes) == 0);
    CHECK(octet_read(a, t.name, x, t.bytes + 1) == OCTET_USER_ERROR);
  }
  CHECK(octet_read(a, "no such tensor", output, 1) == OCTET_USER_ERROR);
  octet_context_free(a);
  octet_context_free(b);
  octet_model_free(jit.model);
  octet_model_free(reference.model);
}

/* The call fails as a user error, and the message holds the words. */
static void expect_error(int line, int status, const char* words) {
  if (status == OCTET_USER_ERROR && strstr(octet_last_error(), words) && !strchr(octet_last_error(), '\n')) return;
  fprintf(stderr, "line %d: status %d, message: %s\n  expected: %s\n", line, status, octet_last_error(), words);
  ++failures;
}
#define ERROR(call, words) expect_error(__LINE__, (call), (words))

static void wrong_arguments_are_errors(const char* path, const char* no_model) {
  octet_model* model = (octet_model*)1;
  octet_options options;
  ERROR(octet_model_load(NULL, NULL, &model), "path is NULL");
  CHECK(model == NULL);
  ERROR(octet_model_load(path, NULL, NULL), "model is NULL");
  ERROR(octet_model_load("/no/such/model.onnx", NULL, &model), "/no/such/model.onnx");
  ERROR(octet_model_load(no_model, NULL, &model), "");
  memset(&options, 0, sizeof options);
  ERROR(octet_model_load(path, &options, &model), "octet_options_init");
  octet_options_init(&options);
  options.target = "z80";
  ERROR(octet_model_load(path, &options, &model), "unknown target 'z80'");
  octet_options_init(&options);
  options.engine = "steam";
  ERROR(octet_model_load(path, &options, &model), "unknown engine 'steam'");
  octet_options_init(&options);
  options.threads = 0;
  ERROR(octet_model_load(path, &options, &model), "threads must be 1 to 1024");
  octet_options_init(&options);
  options.batch = -1;
  ERROR(octet_model_load(path, &options, &model), "batch must be at least 1");

  const network n = load(path, "jit", 1, 0);
  octet_tensor_info info;
  ERROR(octet_model_input(n.model, 1, &info), "index 1");
  ERROR(octet_model_output(n.model, 0, NULL), "info is NULL");
  ERROR(octet_model_input(NULL, 0, &info), "model is NULL");
  CHECK(octet_model_input_count(NULL) == 0);
  octet_context* context;
  ERROR(octet_context_create(NULL, &context), "model is NULL");
  CHECK(context == NULL);
  ERROR(octet_context_create(n.model, NULL), "context is NULL");
  REQUIRE(octet_context_create(n.model, &context) == OCTET_OK);
  unsigned char *input = guarded(n.in.bytes), *output = guarded(n.out.bytes);
  const void* inputs[] = {input, input};
  void* outputs[] = {output};
  const void* null_input[] = {NULL};
  void* null_output[] = {NULL};
  ERROR(octet_run(NULL, inputs, 1, outputs, 1), "context is NULL");
  ERROR(octet_run(context, NULL, 1, outputs, 1), "inputs is NULL");
  ERROR(octet_run(context, inputs, 1, NULL, 1), "outputs is NULL");
  ERROR(octet_run(context, inputs, 2, outputs, 1), "got 2");
  ERROR(octet_run(context, inputs, 1, outputs, 0), "got 0");
  ERROR(octet_run(context, null_input, 1, outputs, 1), "null pointer");
  ERROR(octet_run(context, inputs, 1, null_output, 1), "null pointer");
  ERROR(octet_read(context, "x", output, 1), "keep_all");
  ERROR(octet_read(context, NULL, output, 1), "tensor is NULL");
  octet_context_free(context);
  octet_model_free(n.model);
  octet_context_free(NULL);
  octet_model_free(NULL);
  octet_options_init(NULL);
}

static void caches_are_used(const char* path) {
  char folder[] = "/tmp/octet_c_api_test_XXXXXX";
  REQUIRE(mkdtemp(folder) != NULL);
  const char* expected[] = {"stored", "hit", "off"};
  unsigned char* first = NULL;
  for (int i = 0; i < 3; ++i) {
    octet_options options;
    octet_options_init(&options);
    options.cache_dir = i < 2 ? folder : "";
    network n;
    REQUIRE(octet_model_load(path, &options, &n.model) == OCTET_OK);
    const char* status = octet_model_cache_status(n.model);
    CHECK(strcmp(status, expected[i]) == 0 || strncmp(status, "not used: target ", 17) == 0);
    REQUIRE(octet_model_input(n.model, 0, &n.in) == OCTET_OK && octet_model_output(n.model, 0, &n.out) == OCTET_OK);
    unsigned char* output = output_of(&n, 3);
    if (first) CHECK(memcmp(first, output, n.out.bytes) == 0);
    first = output;
    octet_model_free(n.model);
  }
  CHECK(strcmp(octet_model_cache_status(NULL), "off") == 0);
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK(system(command) == 0);
}

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "usage: c_api_test MODEL OTHER_FILE\n"), 2;
  CHECK(strcmp(octet_last_error(), "no error") == 0);
  CHECK(strchr(octet_version(), '.') != NULL);
  engines_agree(argv[1]);
  contexts_are_independent(argv[1]);
  tensors_can_be_read(argv[1]);
  wrong_arguments_are_errors(argv[1], argv[2]);
  caches_are_used(argv[1]);
  printf(failures ? "%d failures\n" : "all good\n", failures);
  return failures != 0;
}
