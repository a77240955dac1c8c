// XXH3 is taken as inline code, so that nothing is linked for it and the hash of a short value costs no call.
#define XXH_INLINE_ALL
#include <xxhash.h>

// XXH3_64bits_withSeed is a macro-namespaced name in this mode, which Swift does not see.
static inline unsigned long long dsv_xxh3(const void *bytes, unsigned long byteCount, unsigned long long seed) {
  return XXH3_64bits_withSeed(bytes, byteCount, seed);
}
