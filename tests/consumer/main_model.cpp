// consumer_model: a network made a library by the installed octet_add_model.
#include "digits.h"

int main() {
  alignas(digits::arena_alignment) static unsigned char arena[digits::arena_bytes];
  static float image[digits::input[0].elements], scores[digits::output[0].elements];
  const void* inputs[] = {image};
  void* outputs[] = {scores};
  digits::run(inputs, outputs, arena);
  for (float score : scores)
    if (score != 0) return digits::supported() ? 0 : 1;
  return 2;
}
