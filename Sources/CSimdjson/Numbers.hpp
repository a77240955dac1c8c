#pragma once

#include "CSimdjson.h"

namespace dsv {

inline dsv_event make_event(dsv_event_kind kind, size_t length, size_t offset, uint64_t payload) {
  return {uint64_t(kind) | uint64_t(length) << 4 | uint64_t(offset) << 34, payload};
}

// Fills `event` from a number's exact spelling; false if it is none by JSON's grammar.
bool read_number(const char *bytes, size_t count, size_t offset, dsv_event &event);

}  // namespace dsv
