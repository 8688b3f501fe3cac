/* consumer_c MODEL: the installed C API from C. */
#include <octet/octet_c.h>
#include <stdio.h>

int main(int argc, char** argv) {
  octet_model* model;
  if (argc != 2) return 2;
  if (octet_model_load(argv[1], NULL, &model) != OCTET_OK) return fprintf(stderr, "%s\n", octet_last_error()), 1;
  const size_t inputs = octet_model_input_count(model);
  octet_model_free(model);
  return inputs == 1 ? 0 : 3;
}
