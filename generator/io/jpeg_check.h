// A guard in front of stb_image: its JPEG decoder (2.27) writes behind its tables where a file defines Huffman tables
// of more than 256 codes.
#pragma once

#include "generator/io/file.h"

namespace octet {

// Whether every Huffman table that the decoder would read fits. Files that are no JPEG have none.
bool jpeg_tables_fit(Bytes file);

}  // namespace octet
