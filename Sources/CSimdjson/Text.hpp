#pragma once

#include <cstddef>

namespace dsv {

// The first backslash in `p ..< end`, or `end`. May read up to 15 bytes past `end`.
const char *find_backslash(const char *p, const char *end);

// Writes the text of a JSON string's inside, whose escapes begin at the earliest at `slash`, to `out`, which
// has room for as many bytes and 16 more. Returns the text's end; or nullptr with `failure` at the bad
// escape.
char *unescape(const char *p, const char *slash, const char *end, char *out, const char *&failure);

}  // namespace dsv
