#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Bytes that must be readable after a line; what they hold does not matter.
#define DSV_JSON_PADDING 64
// The longest line: offsets and lengths have 30 bits in an event.
#define DSV_JSON_MAX_LINE ((size_t)1 << 28)
#define DSV_JSON_MAX_DEPTH 128

// What an event says. The values are stable: Swift's EventKind repeats them.
enum dsv_event_kind {
  DSV_EVENT_NULL = 0,
  DSV_EVENT_FALSE = 1,
  DSV_EVENT_TRUE = 2,
  DSV_EVENT_INT64 = 3,
  DSV_EVENT_UINT64 = 4,
  DSV_EVENT_DOUBLE = 5,
  DSV_EVENT_BIG_NUMBER = 6,
  DSV_EVENT_STRING = 7,
  DSV_EVENT_KEY = 8,
  DSV_EVENT_OBJECT_BEGIN = 9,
  DSV_EVENT_OBJECT_END = 10,
  DSV_EVENT_ARRAY_BEGIN = 11,
  DSV_EVENT_ARRAY_END = 12,
};

// One step of a walk over a JSON value.
//
// head: kind (4 bits), length (30 bits, from bit 4), offset of the token in the line (30 bits, from bit 34).
// length: of a string's or key's bytes, of a number's spelling, or how many members a container has.
// payload: the bytes' address (string, key), the value (int64, uint64, double as its bits), the spelling's
// address (big number), or for a container's begin the index of the event after its end.
typedef struct {
  uint64_t head;
  uint64_t payload;
} dsv_event;

enum dsv_json_error {
  DSV_JSON_OK = 0,
  DSV_JSON_SYNTAX = 1,
  DSV_JSON_UTF8 = 2,
  DSV_JSON_CONTROL_CHARACTER = 3,
  DSV_JSON_UNCLOSED_STRING = 4,
  DSV_JSON_ESCAPE = 5,
  DSV_JSON_NUMBER = 6,
  DSV_JSON_DEPTH = 7,
  DSV_JSON_DUPLICATE_KEY = 8,
  DSV_JSON_TRAILING = 9,
  DSV_JSON_EMPTY = 10,
  DSV_JSON_TOO_LONG = 11,
  DSV_JSON_MEMORY = 12,
};

typedef struct {
  // Valid until the parser's next call; strings point into the line or into the parser.
  const dsv_event *_Nullable events;
  size_t count;
  // One of dsv_json_error; `events` is empty unless it is DSV_JSON_OK.
  int32_t error;
  // Where the error was noticed, in bytes from the line's start.
  size_t offset;
} dsv_json_result;

typedef struct dsv_json_parser dsv_json_parser;

// NULL if there is no memory.
dsv_json_parser *_Nullable dsv_json_parser_create(void);
void dsv_json_parser_destroy(dsv_json_parser *_Nonnull parser);
// Parses exactly one JSON value. `line` has DSV_JSON_PADDING readable bytes after its `count`.
dsv_json_result dsv_json_parse(
  dsv_json_parser *_Nonnull parser, const char *_Nonnull line, size_t count);

// Whether the bytes are a number by JSON's grammar; if so `event` is filled (offset 0).
int dsv_json_number(const char *_Nonnull bytes, size_t count, dsv_event *_Nonnull event);
// The first byte that is not part of valid UTF-8, or `count`.
size_t dsv_utf8_valid_count(const char *_Nonnull bytes, size_t count);

// Shortest text that reads back as the same value, as Swift's `description` spells it: always with a point or
// an exponent. Writes at most 32 bytes and returns how many. The value is finite.
size_t dsv_write_double(double value, char *_Nonnull out);
size_t dsv_write_float(float value, char *_Nonnull out);
size_t dsv_write_int64(int64_t value, char *_Nonnull out);
size_t dsv_write_uint64(uint64_t value, char *_Nonnull out);
// Correctly rounded to the format's own width; false unless the bytes are a JSON number and the value is
// finite.
int dsv_read_float(const char *_Nonnull bytes, size_t count, float *_Nonnull value);
// How many bytes from the start need no escape in a JSON string: no quote, backslash or control.
size_t dsv_json_plain_count(const char *_Nonnull bytes, size_t count);
// The first byte that is `a` or `b`, or `count`.
size_t dsv_find_either(const char *_Nonnull bytes, size_t count, char a, char b);

#ifdef __cplusplus
}
#endif
