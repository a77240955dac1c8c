// Preloaded into a process, this library writes down every change that the process makes below the folder
// DSV_RECORD_ROOT, in the order in which they happen, to the file DSV_RECORD_LOG. PowerLoss/Recording.swift reads it.
//
// Each function here stands before glibc's function of that name. A change that is made by a call which is not here is
// not lost in silence: the test compares what the log says with what lies on the disk.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
  op_create = 1, op_write, op_truncate, op_sync, op_mkdir, op_rmdir, op_unlink, op_rename, op_map, op_unknown
};
enum { flag_durable = 1 };

// What stands before each entry's two paths and its bytes. Little-endian.
struct entry {
  uint32_t op, flags, path_length, target_length;
  uint64_t inode, offset, length, byte_count;
};

enum { descriptor_max = 4096, path_max = 1024 };
struct open_file {
  uint64_t inode;
  int flags;
  char path[path_max];
};
static struct open_file *files;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[path_max];
static size_t root_length;
static int log_descriptor = -1;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *root_text = getenv("DSV_RECORD_ROOT"), *log_path = getenv("DSV_RECORD_LOG");
  if (!root_text || !log_path || strlen(root_text) >= path_max) return;
  files = calloc(descriptor_max, sizeof *files);
  strcpy(root, root_text);
  root_length = strlen(root);
  log_descriptor = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static void put(const void *bytes, size_t count) {
  const char *next = bytes;
  while (count > 0) {
    ssize_t done = syscall(SYS_write, log_descriptor, next, count);
    if (done <= 0) _exit(97);
    next += done;
    count -= done;
  }
}

static void record(
    uint32_t op, uint32_t flags, const char *path, const char *target, uint64_t inode, uint64_t offset,
    uint64_t length, const void *bytes, uint64_t byte_count) {
  struct entry entry = {op, flags, path ? strlen(path) : 0, target ? strlen(target) : 0,
    inode, offset, length, byte_count};
  put(&entry, sizeof entry);
  if (path) put(path, entry.path_length);
  if (target) put(target, entry.target_length);
  if (bytes) put(bytes, byte_count);
}

// The path as the log has it, relative to the root; NULL if it lies elsewhere. Relative paths are not understood, and so
// the commands that are recorded get absolute ones.
static const char *inside(const char *path) {
  if (log_descriptor < 0 || !path || strncmp(path, root, root_length) != 0) return NULL;
  if (path[root_length] == 0) return path + root_length;
  return path[root_length] == '/' ? path + root_length + 1 : NULL;
}

static struct open_file *known(int descriptor) {
  if (log_descriptor < 0 || descriptor < 0 || descriptor >= descriptor_max) return NULL;
  return files[descriptor].inode ? &files[descriptor] : NULL;
}

static uint64_t inode_of(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 ? status.st_ino : 0;
}

static int opened(int (*next)(const char *, int, ...), const char *path, int flags, mode_t mode) {
  const char *name = inside(path);
  if (!name) return next(path, flags, mode);
  pthread_mutex_lock(&lock);
  struct stat status;
  int was_there = stat(path, &status) == 0;
  int descriptor = next(path, flags, mode);
  if (descriptor >= 0 && descriptor < descriptor_max) {
    fstat(descriptor, &status);
    files[descriptor].inode = status.st_ino;
    files[descriptor].flags = flags;
    strncpy(files[descriptor].path, name, path_max - 1);
    if (!was_there) record(op_create, 0, name, NULL, status.st_ino, 0, 0, NULL, 0);
    else if (flags & O_TRUNC) record(op_truncate, 0, name, NULL, status.st_ino, 0, 0, NULL, 0);
    if (flags & O_TMPFILE & ~O_DIRECTORY) record(op_unknown, 0, "O_TMPFILE", NULL, 0, 0, 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  return descriptor;
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & O_CREAT) { \
    va_list rest; \
    va_start(rest, flags); \
    mode = va_arg(rest, mode_t); \
    va_end(rest); \
  }

int open(const char *path, int flags, ...) { MODE(flags) return opened(NEXT(open), path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(NEXT(open), path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) {
  MODE(flags)
  if (path[0] == '/') return opened(NEXT(open), path, flags, mode);
  return NEXT(openat)(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
  MODE(flags)
  return openat(folder, path, flags, mode);
}

int close(int descriptor) {
  struct open_file *file = known(descriptor);
  if (!file) return NEXT(close)(descriptor);
  pthread_mutex_lock(&lock);
  file->inode = 0;
  int result = NEXT(close)(descriptor);
  pthread_mutex_unlock(&lock);
  return result;
}

static void written(struct open_file *file, uint64_t offset, const void *bytes, ssize_t count) {
  if (count <= 0) return;
  uint32_t flags = file->flags & (O_DSYNC | O_SYNC) ? flag_durable : 0;
  record(op_write, flags, file->path, NULL, file->inode, offset, count, bytes, count);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  struct open_file *file = known(descriptor);
  if (!file) return NEXT(pwrite)(descriptor, bytes, count, offset);
  pthread_mutex_lock(&lock);
  ssize_t done = NEXT(pwrite)(descriptor, bytes, count, offset);
  written(file, offset, bytes, done);
  pthread_mutex_unlock(&lock);
  return done;
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  return pwrite(descriptor, bytes, count, offset);
}

// Where a sequential write will go.
static off_t position(int descriptor, struct open_file *file) {
  return lseek(descriptor, 0, file->flags & O_APPEND ? SEEK_END : SEEK_CUR);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
  struct open_file *file = known(descriptor);
  if (!file) return NEXT(write)(descriptor, bytes, count);
  pthread_mutex_lock(&lock);
  off_t offset = position(descriptor, file);
  ssize_t done = NEXT(write)(descriptor, bytes, count);
  written(file, offset, bytes, done);
  pthread_mutex_unlock(&lock);
  return done;
}

// LMDB writes neighbouring pages with one call. They may reach the disk one without the other: one entry each.
static void written_parts(struct open_file *file, const struct iovec *parts, int count, off_t offset, ssize_t done) {
  for (int part = 0; part < count && done > 0; part++) {
    ssize_t length = (ssize_t)parts[part].iov_len < done ? (ssize_t)parts[part].iov_len : done;
    written(file, offset, parts[part].iov_base, length);
    offset += length;
    done -= length;
  }
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  struct open_file *file = known(descriptor);
  if (!file) return NEXT(writev)(descriptor, parts, count);
  pthread_mutex_lock(&lock);
  off_t offset = position(descriptor, file);
  ssize_t done = NEXT(writev)(descriptor, parts, count);
  written_parts(file, parts, count, offset, done);
  pthread_mutex_unlock(&lock);
  return done;
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
  struct open_file *file = known(descriptor);
  if (!file) return NEXT(pwritev)(descriptor, parts, count, offset);
  pthread_mutex_lock(&lock);
  ssize_t done = NEXT(pwritev)(descriptor, parts, count, offset);
  written_parts(file, parts, count, offset, done);
  pthread_mutex_unlock(&lock);
  return done;
}
ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t offset) {
  return pwritev(descriptor, parts, count, offset);
}

int ftruncate(int descriptor, off_t length) {
  struct open_file *file = known(descriptor);
  if (!file) return NEXT(ftruncate)(descriptor, length);
  pthread_mutex_lock(&lock);
  int result = NEXT(ftruncate)(descriptor, length);
  if (result == 0) record(op_truncate, 0, file->path, NULL, file->inode, 0, length, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}
int ftruncate64(int descriptor, off64_t length) { return ftruncate(descriptor, length); }

static int synced(int (*next)(int), int descriptor) {
  struct open_file *file = known(descriptor);
  if (!file) return next(descriptor);
  pthread_mutex_lock(&lock);
  int result = next(descriptor);
  if (result == 0) record(op_sync, 0, file->path, NULL, file->inode, 0, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}
int fsync(int descriptor) { return synced(NEXT(fsync), descriptor); }
int fdatasync(int descriptor) { return synced(NEXT(fdatasync), descriptor); }

int mkdir(const char *path, mode_t mode) {
  const char *name = inside(path);
  if (!name) return NEXT(mkdir)(path, mode);
  pthread_mutex_lock(&lock);
  int result = NEXT(mkdir)(path, mode);
  if (result == 0) record(op_mkdir, 0, name, NULL, inode_of(path), 0, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}

static int removed(int (*next)(const char *), uint32_t op, const char *path) {
  const char *name = inside(path);
  if (!name) return next(path);
  pthread_mutex_lock(&lock);
  int result = next(path);
  if (result == 0) record(op, 0, name, NULL, 0, 0, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}
int rmdir(const char *path) { return removed(NEXT(rmdir), op_rmdir, path); }
int unlink(const char *path) { return removed(NEXT(unlink), op_unlink, path); }

int rename(const char *path, const char *target) {
  const char *name = inside(path), *target_name = inside(target);
  if (!name && !target_name) return NEXT(rename)(path, target);
  pthread_mutex_lock(&lock);
  int result = NEXT(rename)(path, target);
  if (result == 0) record(op_rename, 0, name, target_name, 0, 0, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
  struct open_file *file = known(descriptor);
  void *result = NEXT(mmap)(address, length, protection, flags, descriptor, offset);
  if (file && result != MAP_FAILED && flags & MAP_SHARED && protection & PROT_WRITE) {
    pthread_mutex_lock(&lock);
    record(op_map, 0, file->path, NULL, file->inode, offset, length, NULL, 0);
    pthread_mutex_unlock(&lock);
  }
  return result;
}
void *mmap64(void *address, size_t length, int protection, int flags, int descriptor, off64_t offset) {
  return mmap(address, length, protection, flags, descriptor, offset);
}
