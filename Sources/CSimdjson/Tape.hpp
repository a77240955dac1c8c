#pragma once

#include <cstdlib>

#include "CSimdjson.h"

namespace dsv {

// A growing array of events.
struct Tape {
  dsv_event *events = nullptr;
  size_t count = 0;
  size_t capacity = 0;

  ~Tape() { std::free(events); }

  bool append(dsv_event event) {
    if (count == capacity && !grow()) return false;
    events[count++] = event;
    return true;
  }

  bool grow() {
    size_t wanted = capacity ? capacity * 2 : 256;
    auto bigger = static_cast<dsv_event *>(std::realloc(events, wanted * sizeof(dsv_event)));
    if (!bigger) return false;
    events = bigger;
    capacity = wanted;
    return true;
  }
};

// Where the unescaped strings of one line go.
struct TextBuffer {
  char *bytes = nullptr;
  char *next = nullptr;
  size_t capacity = 0;

  ~TextBuffer() { std::free(bytes); }

  // Makes room for all strings of a line of so many bytes: unescaping never lengthens.
  bool reset(size_t count) {
    if (count > capacity) {
      std::free(bytes);
      capacity = count + count / 4 + 1024;
      bytes = static_cast<char *>(std::malloc(capacity + DSV_JSON_PADDING));
    }
    next = bytes;
    if (!bytes) capacity = 0;
    return bytes != nullptr;
  }
};

}  // namespace dsv
