#include "Text.hpp"

#include <cstdint>
#include <cstring>

#include "CSimdjson.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace dsv {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Four hex digits, or -1.
int32_t hex_unit(const char *p, const char *end) {
  if (end - p < 4) return -1;
  int32_t unit = 0;
  for (int i = 0; i < 4; ++i) {
    int digit = hex_digit(p[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

char *append_utf8(uint32_t c, char *out) {
  if (c < 0x80) {
    *out++ = char(c);
  } else if (c < 0x800) {
    *out++ = char(0xc0 | c >> 6);
    *out++ = char(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    *out++ = char(0xe0 | c >> 12);
    *out++ = char(0x80 | (c >> 6 & 0x3f));
    *out++ = char(0x80 | (c & 0x3f));
  } else {
    *out++ = char(0xf0 | c >> 18);
    *out++ = char(0x80 | (c >> 12 & 0x3f));
    *out++ = char(0x80 | (c >> 6 & 0x3f));
    *out++ = char(0x80 | (c & 0x3f));
  }
  return out;
}

// Moves `p` past `\uXXXX`, or past a pair of them that is one character; false for half a pair.
bool unescape_unicode(const char *&p, const char *end, char *&out) {
  int32_t unit = hex_unit(p + 2, end);
  if (unit < 0 || (unit >= 0xdc00 && unit < 0xe000)) return false;
  p += 6;
  auto c = uint32_t(unit);
  if (unit >= 0xd800 && unit < 0xdc00) {
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return false;
    int32_t low = hex_unit(p + 2, end);
    if (low < 0xdc00 || low >= 0xe000) return false;
    c = 0x10000 + ((c - 0xd800) << 10) + uint32_t(low - 0xdc00);
    p += 6;
  }
  out = append_utf8(c, out);
  return true;
}

// What follows the backslash of a one-letter escape, as the byte that it means; 0 if it means none.
struct Escapes {
  char meaning[256] = {};
  constexpr Escapes() {
    meaning[int('"')] = '"';
    meaning[int('\\')] = '\\';
    meaning[int('/')] = '/';
    meaning[int('b')] = '\b';
    meaning[int('f')] = '\f';
    meaning[int('n')] = '\n';
    meaning[int('r')] = '\r';
    meaning[int('t')] = '\t';
  }
};
constexpr Escapes escapes;

// Copies up to the first backslash or `end`, and moves both. Reads and writes up to 32 bytes more.
void copy_plain(const char *&p, const char *end, char *&out) {
#if defined(__SSE2__)
  const __m128i slash = _mm_set1_epi8('\\');
  // Between two escapes in prose there are about 30 bytes: one turn, mostly.
  while (p < end) {
    __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
    __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p + 16));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out), a);
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out + 16), b);
    auto mask = unsigned(_mm_movemask_epi8(_mm_cmpeq_epi8(a, slash))) |
                unsigned(_mm_movemask_epi8(_mm_cmpeq_epi8(b, slash))) << 16;
    long count = mask ? __builtin_ctz(mask) : 32;
    if (count > end - p) count = end - p;
    p += count;
    out += count;
    if (mask) return;
  }
#else
  while (p < end && *p != '\\') *out++ = *p++;
#endif
}

}  // namespace

const char *find_backslash(const char *p, const char *end) {
#if defined(__SSE2__)
  const __m128i slash = _mm_set1_epi8('\\');
  for (; p < end; p += 16) {
    auto mask = unsigned(
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)), slash)));
    if (mask) {
      p += __builtin_ctz(mask);
      return p < end ? p : end;
    }
  }
  return end;
#else
  auto found = static_cast<const char *>(std::memchr(p, '\\', size_t(end - p)));
  return found ? found : end;
#endif
}

char *unescape(const char *p, const char *slash, const char *end, char *out, const char *&failure) {
  std::memcpy(out, p, size_t(slash - p));
  out += slash - p;
  p = slash;
  while (p < end) {
    if (*p != '\\') {
      copy_plain(p, end, out);
      continue;
    }
    failure = p;
    if (end - p < 2) return nullptr;
    if (p[1] == 'u') {
      if (!unescape_unicode(p, end, out)) return nullptr;
    } else {
      char c = escapes.meaning[static_cast<unsigned char>(p[1])];
      if (!c) return nullptr;
      *out++ = c;
      p += 2;
    }
  }
  return out;
}

}  // namespace dsv

extern "C" size_t dsv_json_plain_count(const char *bytes, size_t count) {
  size_t i = 0;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), limit = _mm_set1_epi8(0x1f);
  for (; i + 16 <= count; i += 16) {
    __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes + i));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, limit), block);
    __m128i special = _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, slash));
    auto mask = unsigned(_mm_movemask_epi8(_mm_or_si128(control, special)));
    if (mask) return i + size_t(__builtin_ctz(mask));
  }
#endif
  for (; i < count; ++i) {
    auto c = static_cast<unsigned char>(bytes[i]);
    if (c < 0x20 || c == '"' || c == '\\') return i;
  }
  return count;
}

extern "C" size_t dsv_find_either(const char *bytes, size_t count, char a, char b) {
  size_t i = 0;
#if defined(__SSE2__)
  const __m128i first = _mm_set1_epi8(a), second = _mm_set1_epi8(b);
  for (; i + 16 <= count; i += 16) {
    __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes + i));
    auto mask = unsigned(
        _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, first), _mm_cmpeq_epi8(block, second))));
    if (mask) return i + size_t(__builtin_ctz(mask));
  }
#endif
  while (i < count && bytes[i] != a && bytes[i] != b) ++i;
  return i;
}
