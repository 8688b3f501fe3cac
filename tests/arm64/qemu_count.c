/* A plugin for qemu-user: how many instructions of each function of the program ran.
 *
 *   qemu-aarch64 -d plugin -plugin libqemu_count.so,prefix=kernel PROGRAM
 *
 * prints "name count" on stderr for every function whose name begins so. The few declarations are those of qemu's
 * plugin interface, version 1 (docs/devel/tcg-plugins of qemu 4.2 and later), for Debian does not ship its header. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void (*tb_translated)(qemu_plugin_id_t id, struct qemu_plugin_tb* tb);
typedef void (*at_exit)(qemu_plugin_id_t id, void* data);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_translated f);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, at_exit f, void* data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn* insn, enum qemu_plugin_op op, void* value,
                                                uint64_t add);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb* tb);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb* tb, size_t index);
const char* qemu_plugin_insn_symbol(const struct qemu_plugin_insn* insn);
void qemu_plugin_outs(const char* text);

#define SHOWN __attribute__((visibility("default")))
SHOWN int qemu_plugin_version = 1;

static struct {
  char name[64];
  uint64_t count;
} functions[1024];
enum { kFunctions = sizeof functions / sizeof functions[0] };
static char prefix[64];

static uint64_t* counter(const char* name) {
  for (int i = 0; i < kFunctions; ++i) {
    if (!functions[i].name[0]) snprintf(functions[i].name, sizeof functions[i].name, "%s", name);
    if (!strcmp(functions[i].name, name)) return &functions[i].count;
  }
  return NULL;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); ++i) {
    struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(tb, i);
    const char* name = qemu_plugin_insn_symbol(insn);
    uint64_t* count = name && !strncmp(name, prefix, strlen(prefix)) ? counter(name) : NULL;
    if (count) qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, count, 1);
  }
}

static void report(qemu_plugin_id_t id, void* data) {
  (void)id, (void)data;
  for (int i = 0; i < kFunctions && functions[i].name[0]; ++i) {
    char line[sizeof functions[0].name + 32];
    snprintf(line, sizeof line, "%.63s %" PRIu64 "\n", functions[i].name, functions[i].count);
    qemu_plugin_outs(line);
  }
}

SHOWN int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv) {
  (void)info;
  for (int i = 0; i < argc; ++i)
    if (!strncmp(argv[i], "prefix=", 7)) snprintf(prefix, sizeof prefix, "%s", argv[i] + 7);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, report, NULL);
  return 0;
}
