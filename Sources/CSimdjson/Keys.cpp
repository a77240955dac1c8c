#include "Keys.hpp"

#include <algorithm>
#include <cstring>
#include <random>

namespace dsv {
namespace {

// Objects up to this size are compared pair by pair, larger ones through a table.
constexpr size_t small_object = 12;

// Differs from run to run, so that nobody can prepare keys that collide.
uint64_t process_seed() {
  static const uint64_t seed = [] {
    std::random_device device;
    return uint64_t(device()) << 32 | device();
  }();
  return seed;
}

uint64_t mix(uint64_t a, uint64_t b) {
  auto product = static_cast<unsigned __int128>(a) * b;
  return uint64_t(product) ^ uint64_t(product >> 64);
}

// Up to 8 bytes as a number. Reads all 8: whatever holds a key has padding.
uint64_t load(const char *bytes, size_t count) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return count >= 8 ? word : word & ((uint64_t(1) << (8 * count)) - 1);
}

}  // namespace

Keys::Keys() : seed(process_seed()) {}

uint64_t Keys::hash(std::string_view text) const {
  const char *p = text.data();
  size_t count = text.size();
  uint64_t h = seed ^ (count * 0x9e3779b97f4a7c15);
  for (; count > 8; p += 8, count -= 8) h = mix(h ^ load(p, 8), 0xa0761d6478bd642f);
  return mix(h ^ load(p, count), 0xe7037ed1a0b428db);
}

bool Keys::close(size_t mark, size_t &duplicate_offset) {
  size_t count = keys.size() - mark;
  bool distinct = count <= small_object ? is_distinct_small(mark, duplicate_offset)
                                        : is_distinct_large(mark, duplicate_offset);
  keys.resize(mark);
  return distinct;
}

bool Keys::is_distinct_small(size_t mark, size_t &duplicate_offset) const {
  for (size_t i = mark + 1; i < keys.size(); ++i) {
    for (size_t j = mark; j < i; ++j) {
      if (keys[i].hash == keys[j].hash && keys[i].text == keys[j].text) {
        duplicate_offset = keys[i].offset;
        return false;
      }
    }
  }
  return true;
}

bool Keys::is_distinct_large(size_t mark, size_t &duplicate_offset) {
  size_t size = 32;
  while (size < (keys.size() - mark) * 2) size *= 2;
  table.assign(size, 0);
  for (size_t i = mark; i < keys.size(); ++i) {
    size_t slot = keys[i].hash & (size - 1);
    for (; table[slot]; slot = (slot + 1) & (size - 1)) {
      const Key &other = keys[table[slot] - 1];
      if (other.hash == keys[i].hash && other.text == keys[i].text) {
        duplicate_offset = keys[i].offset;
        return false;
      }
    }
    table[slot] = uint32_t(i + 1);
  }
  return true;
}

}  // namespace dsv
