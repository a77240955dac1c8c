#include "Numbers.hpp"

#include <charconv>
#include <cmath>
#include <cstring>
#include <system_error>

namespace dsv {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Whether the bytes are a number by RFC 8259; `is_integer` tells whether it has neither point nor exponent.
bool is_number(const char *p, const char *end, bool &is_integer) {
  is_integer = true;
  if (p != end && *p == '-') ++p;
  if (p == end || !is_digit(*p)) return false;
  if (*p == '0') {
    ++p;
  } else {
    while (p != end && is_digit(*p)) ++p;
  }
  if (p != end && *p == '.') {
    is_integer = false;
    if (++p == end || !is_digit(*p)) return false;
    while (p != end && is_digit(*p)) ++p;
  }
  if (p != end && (*p == 'e' || *p == 'E')) {
    is_integer = false;
    if (++p != end && (*p == '+' || *p == '-')) ++p;
    if (p == end || !is_digit(*p)) return false;
    while (p != end && is_digit(*p)) ++p;
  }
  return p == end;
}

// An integer of at most 18 digits, which cannot overflow; not -0, which is a double.
bool read_small_integer(const char *p, const char *end, int64_t &value) {
  bool is_negative = p != end && *p == '-';
  if (is_negative) ++p;
  if (p == end || end - p > 18 || (*p == '0' && (is_negative || end - p > 1))) return false;
  value = 0;
  for (; p != end; ++p) {
    if (!is_digit(*p)) return false;
    value = value * 10 + (*p - '0');
  }
  if (is_negative) value = -value;
  return true;
}

// Whether the digits before any exponent are all zero.
bool is_zero(const char *p, const char *end) {
  for (; p != end && *p != 'e' && *p != 'E'; ++p) {
    if (*p > '0' && *p <= '9') return false;
  }
  return true;
}

// The power of ten of the number's first significant digit is below zero, as in 1e-400 and not in 1e400.
bool is_tiny(const char *p, const char *end) {
  if (*p == '-') ++p;
  long long point = 0, first = 0;
  bool seen = false, past_point = false;
  for (; p != end && *p != 'e' && *p != 'E'; ++p) {
    if (*p == '.') {
      past_point = true;
      continue;
    }
    if (past_point && !seen) --first;
    if (*p != '0') seen = true;
    if (!past_point && seen) ++point;
  }
  if (p == end) return point + first < 0;
  bool negative = *++p == '-';
  if (*p == '-' || *p == '+') ++p;
  long long exponent = 0;
  for (; p != end; ++p) {
    if (exponent < (1LL << 40)) exponent = exponent * 10 + (*p - '0');
  }
  return point + first + (negative ? -exponent : exponent) < 0;
}

// libstdc++ says out of range both for overflow and for underflow, and leaves the value alone.
template <typename F>
bool read_floating(const char *bytes, const char *end, F &value) {
  auto result = std::from_chars(bytes, end, value);
  if (result.ec == std::errc()) return std::isfinite(value);
  if (!is_zero(bytes, end) && !is_tiny(bytes, end)) return false;
  value = *bytes == '-' ? F(-0.0) : F(0.0);
  return true;
}

template <typename I>
size_t write_integer(I value, char *out) {
  return size_t(std::to_chars(out, out + 32, value).ptr - out);
}

// Digits and exponent are libstdc++'s, their layout is Swift's: plain from 1e-4 up to `plain_limit`.
template <typename F>
size_t write_floating(F value, F plain_limit, char *out) {
  char digits[64];
  auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific).ptr;
  const char *p = digits;
  char *start = out;
  if (*p == '-') *out++ = *p++;
  const char *mark = static_cast<const char *>(std::memchr(p, 'e', size_t(end - p)));
  int exponent = 0;
  std::from_chars(mark + (mark[1] == '+' ? 2 : 1), end, exponent);
  char mantissa[32];
  int count = 0;
  for (const char *q = p; q != mark; ++q) {
    if (*q != '.') mantissa[count++] = *q;
  }
  if (value != 0 && (exponent < -4 || std::fabs(value) > plain_limit)) {
    std::memcpy(out, p, size_t(mark - p));
    out += mark - p;
    std::memcpy(out, mark, size_t(end - mark));
    return size_t(out - start) + size_t(end - mark);
  }
  if (exponent < 0) {
    *out++ = '0';
    *out++ = '.';
    for (int i = -1; i > exponent; --i) *out++ = '0';
    std::memcpy(out, mantissa, size_t(count));
    return size_t(out - start) + size_t(count);
  }
  for (int i = 0; i <= exponent; ++i) *out++ = i < count ? mantissa[i] : '0';
  *out++ = '.';
  if (count <= exponent + 1) *out++ = '0';
  for (int i = exponent + 1; i < count; ++i) *out++ = mantissa[i];
  return size_t(out - start);
}

}  // namespace

bool read_number(const char *bytes, size_t count, size_t offset, dsv_event &event) {
  const char *end = bytes + count;
  int64_t small;
  if (read_small_integer(bytes, end, small)) {
    event = make_event(DSV_EVENT_INT64, count, offset, uint64_t(small));
    return true;
  }
  bool is_integer;
  if (!is_number(bytes, end, is_integer)) return false;
  auto address = uint64_t(reinterpret_cast<uintptr_t>(bytes));
  event = make_event(DSV_EVENT_BIG_NUMBER, count, offset, address);
  if (is_integer && !(count == 2 && bytes[0] == '-' && bytes[1] == '0')) {
    int64_t signed_value;
    uint64_t unsigned_value;
    if (std::from_chars(bytes, end, signed_value).ec == std::errc()) {
      event = make_event(DSV_EVENT_INT64, count, offset, uint64_t(signed_value));
    } else if (*bytes != '-' && std::from_chars(bytes, end, unsigned_value).ec == std::errc()) {
      event = make_event(DSV_EVENT_UINT64, count, offset, unsigned_value);
    }
    return true;
  }
  double value;
  if (read_floating(bytes, end, value)) {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    event = make_event(DSV_EVENT_DOUBLE, count, offset, bits);
  }
  return true;
}

}  // namespace dsv

extern "C" {

int dsv_json_number(const char *bytes, size_t count, dsv_event *event) {
  return count <= DSV_JSON_MAX_LINE && dsv::read_number(bytes, count, 0, *event);
}

int dsv_read_float(const char *bytes, size_t count, float *value) {
  bool is_integer;
  return dsv::is_number(bytes, bytes + count, is_integer) && dsv::read_floating(bytes, bytes + count, *value);
}

size_t dsv_write_double(double value, char *out) { return dsv::write_floating(value, 0x1p53, out); }
size_t dsv_write_float(float value, char *out) { return dsv::write_floating(value, 0x1p24f, out); }
size_t dsv_write_int64(int64_t value, char *out) { return dsv::write_integer(value, out); }
size_t dsv_write_uint64(uint64_t value, char *out) { return dsv::write_integer(value, out); }
}
