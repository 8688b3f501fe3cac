/* Octet's C API: octet.h for C11 and for bindings.
 *
 *   octet_model* model;
 *   octet_context* context;
 *   if (octet_model_load("mobilenet.onnx", NULL, &model) || octet_context_create(model, &context))
 *     return fprintf(stderr, "%s\n", octet_last_error()), 1;
 *   const void* inputs[] = {image};
 *   void* outputs[] = {scores};
 *   octet_run(context, inputs, 1, outputs, 1);
 *   octet_context_free(context);
 *   octet_model_free(model);
 *
 * Functions that can fail return a status, and where it is not OCTET_OK, octet_last_error() says why in one line. */
#ifndef OCTET_C_H
#define OCTET_C_H

#include <stddef.h>
#include <stdint.h>

#define OCTET_C_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

enum {
  OCTET_OK = 0,
  OCTET_USER_ERROR = 1,    /* the file, the options or the arguments */
  OCTET_INTERNAL_ERROR = 2 /* a bug of Octet; please report it */
};

enum { OCTET_F32 = 0, OCTET_U8 = 1, OCTET_S8 = 2, OCTET_S32 = 3, OCTET_S64 = 4, OCTET_BOOL = 5 };

typedef struct octet_model octet_model;     /* immutable; may be shared between threads */
typedef struct octet_context octet_context; /* belongs to one thread at a time; keeps its model's contents alive */

/* Always begin with octet_options_init, which fills in the defaults and the size of the struct. */
typedef struct octet_options {
  size_t size;
  const char* target;    /* "host", "scalar", "avx2", "avx512_vnni", "avx512_vbmi", "neon", "neon_dot", "neon_i8mm" */
  const char* engine;    /* "jit", "cpp", "interpreter", "reference" */
  int threads;           /* that one run uses; 1 */
  int64_t batch;         /* where the file leaves the first dimension open; 1 */
  const char* profile;   /* whose rounding the bytes follow: "ort", "xnn", ...; NULL: what the file asks for */
  int keep_all;          /* every tensor inside can be read after a run; 0 */
  int fuse;              /* 0: residual adds stay kernels of their own; 1 */
  int strict_int8;       /* 1: a network of which anything would run in f32 is refused; 0 */
  int winograd;          /* 0: no 3x3 convolution in Winograd's form, whose weights are eight times as large; 1 */
  int prove;             /* 0: channels that the weights prove needless are computed; 1 */
  const char* dump_dir;  /* where graph, programs and code are written; NULL: nowhere */
  const char* tuned;     /* measured choices of register tiles, a file that `octet tune` wrote; NULL: none */
  const char* cache_dir; /* keeps loaded networks for the next load; NULL: OCTET_CACHE_DIR, if set; "": no cache */
  uint64_t cache_bytes;  /* that it may hold; 1 GiB */
} octet_options;

/* Valid as long as the model. */
typedef struct octet_tensor_info {
  const char* name;
  int dtype; /* OCTET_F32 ... */
  size_t rank;
  const int64_t* shape; /* rank dimensions, in the file's order */
  size_t bytes;         /* dense */
  int quantized;        /* OCTET_U8 or OCTET_S8, where scale is not 0 */
  float scale;          /* real = scale * (q - zero_point); 0: the network does not quantize this tensor */
  int32_t zero_point;
} octet_tensor_info;

OCTET_C_API const char* octet_version(void);

/* Why the last failing call on this thread failed; never NULL. Valid until the next failing call on this thread. */
OCTET_C_API const char* octet_last_error(void);

OCTET_C_API void octet_options_init(octet_options* options);

/* options may be NULL for the defaults. On failure *model becomes NULL. */
OCTET_C_API int octet_model_load(const char* path, const octet_options* options, octet_model** model);
OCTET_C_API void octet_model_free(octet_model* model); /* NULL is fine; contexts stay valid */

/* "off", "hit", "stored", or what stood in the way: see Model::cache_status in octet.h. Valid as long as the model.
 */
OCTET_C_API const char* octet_model_cache_status(const octet_model* model);

/* Counts are 0 for a NULL model. "Tensors" are those inside (see keep_all). */
OCTET_C_API size_t octet_model_input_count(const octet_model* model);
OCTET_C_API size_t octet_model_output_count(const octet_model* model);
OCTET_C_API size_t octet_model_tensor_count(const octet_model* model);
OCTET_C_API int octet_model_input(const octet_model* model, size_t index, octet_tensor_info* info);
OCTET_C_API int octet_model_output(const octet_model* model, size_t index, octet_tensor_info* info);
OCTET_C_API int octet_model_tensor(const octet_model* model, size_t index, octet_tensor_info* info);

/* The model must stay alive until this returns; after that the context keeps what it needs. */
OCTET_C_API int octet_context_create(const octet_model* model, octet_context** context);
OCTET_C_API void octet_context_free(octet_context* context); /* NULL is fine */

/* One pointer per graph input and output, each to octet_tensor_info.bytes bytes. Allocates nothing. */
OCTET_C_API int octet_run(octet_context* context, const void* const* inputs, size_t input_count, void* const* outputs,
                          size_t output_count);

/* Copies a tensor as the last run left it; `bytes` must be its size. Needs keep_all. */
OCTET_C_API int octet_read(const octet_context* context, const char* tensor, void* destination, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
