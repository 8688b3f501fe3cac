// stb_image's implementation; compiled without warnings, which are its author's business.
#define STB_IMAGE_IMPLEMENTATION
#include "generator/io/stb.h"
