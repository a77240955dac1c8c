#include <simdjson.h>

#include "CSimdjson.h"

namespace {

// The length of the UTF-8 sequence at `p`, or 0 if it is none.
size_t utf8_length(const unsigned char *p, const unsigned char *end) {
  auto follows = [&](int i) { return p + i < end && (p[i] & 0xc0) == 0x80; };
  if (p[0] < 0x80) return 1;
  if (p[0] >= 0xc2 && p[0] < 0xe0) return follows(1) ? 2 : 0;
  if (p[0] >= 0xe0 && p[0] < 0xf0) {
    if (!follows(1) || !follows(2)) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
    return 3;
  }
  if (p[0] < 0xf0 || p[0] > 0xf4 || !follows(1) || !follows(2) || !follows(3)) return 0;
  return (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

}  // namespace

extern "C" size_t dsv_utf8_valid_count(const char *bytes, size_t count) {
  if (simdjson::validate_utf8(bytes, count)) return count;
  auto start = reinterpret_cast<const unsigned char *>(bytes);
  const unsigned char *p = start;
  while (p < start + count) {
    size_t length = utf8_length(p, start + count);
    if (!length) break;
    p += length;
  }
  return size_t(p - start);
}
