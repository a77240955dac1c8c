// Makes the n-th allocation that LMDB asks for fail, and maybe each after it: malloc and the like, mmap, mremap.
//
// DSV_FAIL_ALLOCATION is n, from 0; DSV_FAIL_LATER has a value if later ones fail too; a file of the name in
// DSV_FAILED_ALLOCATION is made once one failed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

// Where LMDB's code lies; nowhere until it was looked for.
static uintptr_t code_start, code_end;
static atomic_long count;
static long chosen = -1;
static bool fails_later;

static int find(struct dl_phdr_info *library, size_t size, void *unused) {
  (void)size, (void)unused;
  if (!library->dlpi_name || !strstr(library->dlpi_name, "liblmdb")) return 0;
  for (int index = 0; index < library->dlpi_phnum; index++) {
    const ElfW(Phdr) *part = &library->dlpi_phdr[index];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
    code_start = library->dlpi_addr + part->p_vaddr;
    code_end = code_start + part->p_memsz;
  }
  return 1;
}

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("DSV_FAIL_ALLOCATION");
  if (!text) return;
  chosen = atol(text);
  fails_later = getenv("DSV_FAIL_LATER") != NULL;
  dl_iterate_phdr(find, NULL);
}

static bool fails(const void *caller) {
  uintptr_t place = (uintptr_t)caller;
  if (place < code_start || place >= code_end) return false;
  long number = atomic_fetch_add(&count, 1);
  if (number != chosen && !(fails_later && number > chosen)) return false;
  const char *mark = getenv("DSV_FAILED_ALLOCATION");
  if (mark) close(open(mark, O_CREAT | O_WRONLY, 0644));
  errno = ENOMEM;
  return true;
}

#define FAILS() fails(__builtin_return_address(0))

void *malloc(size_t size) { return FAILS() ? NULL : __libc_malloc(size); }
void *calloc(size_t number, size_t size) { return FAILS() ? NULL : __libc_calloc(number, size); }
void *realloc(void *old, size_t size) { return FAILS() ? NULL : __libc_realloc(old, size); }

void *mmap(void *place, size_t size, int protection, int flags, int file, off_t offset) {
  typedef void *(*function)(void *, size_t, int, int, int, off_t);
  if (FAILS()) return MAP_FAILED;
  return ((function)dlsym(RTLD_NEXT, "mmap"))(place, size, protection, flags, file, offset);
}

void *mremap(void *old, size_t old_size, size_t size, int flags, ...) {
  typedef void *(*function)(void *, size_t, size_t, int, ...);
  if (FAILS()) return MAP_FAILED;
  va_list rest;
  va_start(rest, flags);
  void *place = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
  va_end(rest);
  return ((function)dlsym(RTLD_NEXT, "mremap"))(old, old_size, size, flags, place);
}
