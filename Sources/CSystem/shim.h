#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/vfs.h>

// Swift's Glibc module leaves out <sys/vfs.h>. Returns the file system's magic number, or -1 with errno set.
static inline int64_t dsv_filesystem_magic(const char *path) {
  struct statfs status;
  return statfs(path, &status) == 0 ? (int64_t)(uint32_t)status.f_type : -1;
}

// Swift's Glibc module leaves out fallocate. Gives a file's first bytes room on the disk; its length stays. Returns 0,
// or -1 with errno set. Declared here since <fcntl.h> would bring a second `struct stat` into Swift's sight.
int fallocate(int, int, __off_t, __off_t);
static inline int dsv_reserve(int descriptor, int64_t byte_count) {
  const int keep_size = 1;
  return fallocate(descriptor, keep_size, 0, byte_count);
}

// CPU_COUNT is a macro, which Swift cannot call. Returns how many cores the process may use, or 0.
static inline int dsv_core_count(void) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 0;
}

// prctl takes a variable number of arguments, which Swift cannot call. The process is not dumped, and cannot be traced.
static inline void dsv_hide_process(void) { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
