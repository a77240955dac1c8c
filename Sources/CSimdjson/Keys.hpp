#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace dsv {

// The keys of the objects that are open, to refuse an object that says one twice.
class Keys {
 public:
  struct Key {
    uint64_t hash;
    std::string_view text;
    size_t offset;
  };

  Keys();

  void clear() { keys.clear(); }
  size_t mark() const { return keys.size(); }

  // The text stays in place until `close`, with 8 readable bytes after it.
  void add(std::string_view text, size_t offset) { keys.push_back({hash(text), text, offset}); }

  // Forgets the keys since `mark`. If two of them are equal, false, with the second one's offset.
  bool close(size_t mark, size_t &duplicate_offset);

 private:
  uint64_t hash(std::string_view text) const;
  bool is_distinct_small(size_t mark, size_t &duplicate_offset) const;
  bool is_distinct_large(size_t mark, size_t &duplicate_offset);

  const uint64_t seed;
  std::vector<Key> keys;
  // Positions in `keys` plus 1, by hash; 0 is free.
  std::vector<uint32_t> table;
};

}  // namespace dsv
