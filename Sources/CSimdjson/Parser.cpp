#include <simdjson.h>

#include <cstring>
#include <new>

#include "Keys.hpp"
#include "Numbers.hpp"
#include "Tape.hpp"
#include "Text.hpp"

namespace {

using namespace simdjson;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

struct dsv_json_parser {
  ondemand::parser parser;
  dsv::Tape tape;
  dsv::TextBuffer text;
  dsv::Keys keys;
  const char *line = nullptr;
  const char *line_end = nullptr;
  // Set where something fails; the walk then returns false all the way up.
  dsv_json_error error = DSV_JSON_OK;
  size_t offset = 0;

  dsv_json_error parse(const char *bytes, size_t count);

 private:
  bool fail(dsv_json_error code, const char *at) {
    error = code;
    offset = size_t(at - line);
    return false;
  }
  dsv_json_error first_pass_error(simdjson::error_code code, const char *bytes, size_t count);
  // Where a line ends too early, simdjson goes on to what follows it, with a length that means nothing.
  bool is_inside(std::string_view token) const {
    return !token.empty() && token.data() < line_end && token.size() <= size_t(line_end - token.data());
  }
  bool emit(dsv_event_kind kind, size_t length, const char *at, uint64_t payload);
  template <typename Value>
  bool walk(Value &value, int depth);
  template <typename Value>
  bool scalar(Value &value, std::string_view token);
  bool object(ondemand::object object, const char *at, int depth);
  bool array(ondemand::array array, const char *at, int depth);
  bool string(dsv_event_kind kind, const char *open_quote, const char *close_quote);
  template <typename Value>
  bool number(Value &value, const char *at, size_t count);
  bool end(size_t begin, dsv_event_kind kind, size_t members, const char *at);
};

bool dsv_json_parser::emit(dsv_event_kind kind, size_t length, const char *at, uint64_t payload) {
  return tape.append(dsv::make_event(kind, length, size_t(at - line), payload)) || fail(DSV_JSON_MEMORY, at);
}

// `Value` is a document (at the root) or a value.
template <typename Value>
bool dsv_json_parser::walk(Value &value, int depth) {
  std::string_view token;
  // A document answers with a result, a value without.
  if (simdjson_result<std::string_view>(value.raw_json_token()).get(token) || !is_inside(token)) {
    return fail(DSV_JSON_SYNTAX, line_end);
  }
  if (*token.data() == '{') {
    ondemand::object members;
    if (depth >= DSV_JSON_MAX_DEPTH) return fail(DSV_JSON_DEPTH, token.data());
    if (value.get_object().get(members)) return fail(DSV_JSON_SYNTAX, token.data());
    return object(members, token.data(), depth + 1);
  }
  if (*token.data() == '[') {
    ondemand::array elements;
    if (depth >= DSV_JSON_MAX_DEPTH) return fail(DSV_JSON_DEPTH, token.data());
    if (value.get_array().get(elements)) return fail(DSV_JSON_SYNTAX, token.data());
    return array(elements, token.data(), depth + 1);
  }
  return scalar(value, token);
}

// The token runs to where the next one begins, so that only white space can follow the value in it.
template <typename Value>
bool dsv_json_parser::scalar(Value &value, std::string_view token) {
  const char *last = token.data() + token.size() - 1;
  while (is_space(*last)) --last;
  switch (*token.data()) {
    case '"': {
      ondemand::raw_json_string raw;
      if (value.get_raw_json_string().get(raw)) return fail(DSV_JSON_SYNTAX, token.data());
      return string(DSV_EVENT_STRING, token.data(), last);
    }
    case 't':
    case 'f': {
      bool flag;
      if (value.get_bool().get(flag) || last != token.data() + (flag ? 3 : 4)) {
        return fail(DSV_JSON_SYNTAX, token.data());
      }
      return emit(flag ? DSV_EVENT_TRUE : DSV_EVENT_FALSE, flag ? 4 : 5, token.data(), 0);
    }
    case 'n': {
      bool is_null = false;
      // A document answers with a bool, and takes `nulll` for null; a value answers with a result.
      if (simdjson_result<bool>(value.is_null()).get(is_null) || !is_null || last != token.data() + 3) {
        return fail(DSV_JSON_SYNTAX, token.data());
      }
      return emit(DSV_EVENT_NULL, 4, token.data(), 0);
    }
    default:
      // What is no number at all fails there as well.
      return number(value, token.data(), size_t(last + 1 - token.data()));
  }
}

template <typename Value>
bool dsv_json_parser::number(Value &value, const char *at, size_t count) {
  ondemand::number parsed;
  bool is_minus_zero = count == 2 && at[0] == '-' && at[1] == '0';
  // simdjson 3.0 answers 0 for a double of more than 19 digits: its number is passed by value on the slow
  // path. It also refuses a number that no type holds, which is one all the same.
  if (is_minus_zero || count > 19 || value.get_number().get(parsed)) {
    dsv_event event;
    if (!dsv::read_number(at, count, size_t(at - line), event)) return fail(DSV_JSON_NUMBER, at);
    return tape.append(event) || fail(DSV_JSON_MEMORY, at);
  }
  switch (parsed.get_number_type()) {
    case ondemand::number_type::signed_integer:
      return emit(DSV_EVENT_INT64, count, at, uint64_t(parsed.get_int64()));
    case ondemand::number_type::unsigned_integer:
      return emit(DSV_EVENT_UINT64, count, at, parsed.get_uint64());
    default: {
      double number = parsed.get_double();
      uint64_t bits;
      std::memcpy(&bits, &number, sizeof bits);
      return emit(DSV_EVENT_DOUBLE, count, at, bits);
    }
  }
}

bool dsv_json_parser::string(dsv_event_kind kind, const char *open_quote, const char *close_quote) {
  const char *start = open_quote + 1;
  const char *slash = dsv::find_backslash(start, close_quote);
  auto length = size_t(close_quote - start);
  if (slash != close_quote) {
    const char *failure = slash;
    char *copy = text.next;
    char *copy_end = dsv::unescape(start, slash, close_quote, copy, failure);
    if (!copy_end) return fail(DSV_JSON_ESCAPE, failure);
    text.next = copy_end;
    start = copy;
    length = size_t(copy_end - copy);
  }
  if (kind == DSV_EVENT_KEY) keys.add({start, length}, size_t(open_quote - line));
  return emit(kind, length, open_quote, uint64_t(reinterpret_cast<uintptr_t>(start)));
}

bool dsv_json_parser::object(ondemand::object object, const char *at, int depth) {
  size_t begin = tape.count, mark = keys.mark(), members = 0;
  if (!emit(DSV_EVENT_OBJECT_BEGIN, 0, at, 0)) return false;
  const char *last = at;
  for (auto result : object) {
    ondemand::field field;
    if (std::move(result).get(field)) return fail(DSV_JSON_SYNTAX, last);
    const char *open_quote = field.key().raw() - 1;
    ondemand::value value = field.value();
    std::string_view token = value.raw_json_token();
    if (!is_inside(token)) return fail(DSV_JSON_SYNTAX, line_end);
    // Between a key and its value there is a colon and else only white space.
    const char *close_quote = token.data() - 1;
    while (*close_quote != ':') --close_quote;
    while (*close_quote != '"') --close_quote;
    if (!string(DSV_EVENT_KEY, open_quote, close_quote)) return false;
    last = token.data();
    if (!walk(value, depth)) return false;
    ++members;
  }
  size_t duplicate;
  if (!keys.close(mark, duplicate)) return fail(DSV_JSON_DUPLICATE_KEY, line + duplicate);
  return end(begin, DSV_EVENT_OBJECT_END, members, last);
}

bool dsv_json_parser::array(ondemand::array array, const char *at, int depth) {
  size_t begin = tape.count, members = 0;
  if (!emit(DSV_EVENT_ARRAY_BEGIN, 0, at, 0)) return false;
  const char *last = at;
  for (auto result : array) {
    ondemand::value value;
    if (std::move(result).get(value)) return fail(DSV_JSON_SYNTAX, last);
    last = value.raw_json_token().data();
    if (!walk(value, depth)) return false;
    ++members;
  }
  return end(begin, DSV_EVENT_ARRAY_END, members, last);
}

// Ends a container and tells its begin how many members it has and where it ends.
bool dsv_json_parser::end(size_t begin, dsv_event_kind kind, size_t members, const char *at) {
  if (!emit(kind, members, at, begin)) return false;
  tape.events[begin].head |= uint64_t(members) << 4;
  tape.events[begin].payload = tape.count;
  return true;
}

namespace {

// The first control character inside a string, or `count`.
size_t control_offset(const char *line, size_t count) {
  bool in_string = false;
  for (size_t i = 0; i < count; ++i) {
    if (in_string && line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      in_string = !in_string;
    } else if (in_string && static_cast<unsigned char>(line[i]) < 0x20) {
      return i;
    }
  }
  return count;
}

}  // namespace

dsv_json_error dsv_json_parser::parse(const char *bytes, size_t count) {
  line = bytes;
  line_end = bytes + count;
  offset = 0;
  error = DSV_JSON_OK;
  tape.count = 0;
  keys.clear();
  if (count > DSV_JSON_MAX_LINE) return DSV_JSON_TOO_LONG;
  if (!text.reset(count)) return DSV_JSON_MEMORY;
  if (count > parser.capacity() && parser.allocate(count + count / 4 + 1024)) return DSV_JSON_MEMORY;
  ondemand::document document;
  if (auto code = parser.iterate(bytes, count, count + SIMDJSON_PADDING).get(document)) {
    return first_pass_error(code, bytes, count);
  }
  std::string_view first;
  bool is_scalar = document.raw_json_token().get(first) || (*first.data() != '{' && *first.data() != '[');
  if (is_scalar && first.data() + first.size() < bytes + count) {
    return fail(DSV_JSON_TRAILING, first.data() + first.size()), error;
  }
  if (!walk(document, 0)) return error;
  const char *rest;
  if (!is_scalar && !document.current_location().get(rest)) fail(DSV_JSON_TRAILING, rest);
  return error;
}

// Says where a line fails that simdjson refuses as a whole.
dsv_json_error dsv_json_parser::first_pass_error(simdjson::error_code code, const char *bytes, size_t count) {
  switch (code) {
    case simdjson::UTF8_ERROR:
      offset = dsv_utf8_valid_count(bytes, count);
      return DSV_JSON_UTF8;
    case simdjson::UNESCAPED_CHARS:
      offset = control_offset(bytes, count);
      return DSV_JSON_CONTROL_CHARACTER;
    case simdjson::UNCLOSED_STRING:
      offset = count;
      return DSV_JSON_UNCLOSED_STRING;
    case simdjson::EMPTY: return DSV_JSON_EMPTY;
    case simdjson::CAPACITY: return DSV_JSON_TOO_LONG;
    case simdjson::MEMALLOC: return DSV_JSON_MEMORY;
    default: return DSV_JSON_SYNTAX;
  }
}

extern "C" {

dsv_json_parser *dsv_json_parser_create(void) { return new (std::nothrow) dsv_json_parser; }

void dsv_json_parser_destroy(dsv_json_parser *parser) { delete parser; }

dsv_json_result dsv_json_parse(dsv_json_parser *parser, const char *line, size_t count) {
  dsv_json_error error = parser->parse(line, count);
  if (error) return {nullptr, 0, error, parser->offset};
  return {parser->tape.events, parser->tape.count, DSV_JSON_OK, 0};
}
}
