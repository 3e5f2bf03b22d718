#include "hw_recorder_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hw_error.h"

static int error_of(int system_error) {
  switch (system_error) {
    case ENOENT:
      return HW_RECORDING_NOT_FOUND;
    case EACCES:
    case EPERM:
      return HW_RECORDING_DENIED;
    case ELOOP:
    case ENOTDIR:
      return HW_RECORDING_UNSAFE;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return HW_RECORDING_FULL;
    case EROFS:
      return HW_RECORDING_READ_ONLY;
    case EEXIST:
      return HW_RECORDING_EXISTS;
    case ENOMEM:
      return HW_ENOMEM;
    default:
      return HW_RECORDING_IO;
  }
}

static int fail(int* system_error) {
  *system_error = errno;
  return error_of(errno);
}

/* -- Writing ------------------------------------------------------------- */

static int open_directory(const char* path, bool private_directory, int* fd,
                          int* system_error) {
  int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  int opened = open(path, private_directory ? flags | O_NOFOLLOW : flags);
  if (opened < 0) return fail(system_error);
  struct stat status;
  int error = 0;
  if (fstat(opened, &status) != 0)
    error = fail(system_error);
  else if (private_directory && (status.st_uid != geteuid() ||
                                 (status.st_mode & (S_IRWXG | S_IRWXO)) != 0))
    error = HW_RECORDING_UNSAFE;
  if (error != 0)
    close(opened);
  else
    *fd = opened;
  return error;
}

/* The name of a file on its way, to be freed. */
static char* draft_of(const char* name) {
  size_t size = strlen(name) + 32;
  char* text = malloc(size);
  if (text != NULL) snprintf(text, size, "%s.%d.new", name, (int)getpid());
  return text;
}

static int create_draft(const hw_recorder_file_t* file) {
  int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  return openat(file->directory, file->draft, flags, 0600);
}

/* Removes a draft that a process of our number has left when it died: in a
 * container each process may have that number. */
static void remove_left_draft(const hw_recorder_file_t* file) {
  int fd = openat(file->directory, file->draft,
                  O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0)
    unlinkat(file->directory, file->draft, 0);
  close(fd);
}

/* Allocates, maps and locks the empty file that `file->fd` is. */
static int prepare(hw_recorder_file_t* file, uint64_t bytes,
                   int* system_error) {
  if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) return fail(system_error);
  do {
    errno = posix_fallocate(file->fd, 0, (off_t)bytes);
  } while (errno == EINTR);
  if (errno != 0) return fail(system_error);
  /* Populated, so that no collection takes a page fault. */
  void* memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_POPULATE, file->fd, 0);
  if (memory == MAP_FAILED) return fail(system_error);
  file->memory = memory;
  file->bytes = bytes;
  return 0;
}

int hw_recorder_file_create(hw_recorder_file_t* file, const char* directory,
                            const char* name, uint64_t bytes,
                            bool private_directory, int* system_error) {
  hw_recorder_file_t made = {.fd = -1, .directory = -1};
  *system_error = 0;
  int error = open_directory(directory, private_directory, &made.directory,
                             system_error);
  if (error != 0) return error;
  made.name = strdup(name);
  made.draft = draft_of(name);
  if (made.name == NULL || made.draft == NULL) {
    error = HW_ENOMEM;
  } else {
    made.fd = create_draft(&made);
    if (made.fd < 0 && errno == EEXIST) {
      remove_left_draft(&made);
      made.fd = create_draft(&made);
    }
    error =
        made.fd < 0 ? fail(system_error) : prepare(&made, bytes, system_error);
  }
  if (error != 0) {
    hw_recorder_file_close(&made);
    return error;
  }
  *file = made;
  return 0;
}

static void forget_directory(hw_recorder_file_t* file) {
  if (file->directory >= 0) close(file->directory);
  free(file->name);
  free(file->draft);
  file->directory = -1;
  file->name = file->draft = NULL;
}

int hw_recorder_file_publish(hw_recorder_file_t* file, int* system_error) {
  *system_error = 0;
  /* Unlike rename, this never replaces a file. */
  if (linkat(file->directory, file->draft, file->directory, file->name, 0) != 0)
    return fail(system_error);
  unlinkat(file->directory, file->draft, 0);
  forget_directory(file);
  return 0;
}

void hw_recorder_file_close(hw_recorder_file_t* file) {
  if (file->memory != NULL) munmap(file->memory, (size_t)file->bytes);
  if (file->fd >= 0) {
    if (file->draft != NULL) unlinkat(file->directory, file->draft, 0);
    close(file->fd);
  }
  forget_directory(file);
  *file = (hw_recorder_file_t){.fd = -1, .directory = -1};
}

/* -- Reading ------------------------------------------------------------- */

int hw_recorder_file_open(const char* path, bool writable, int* fd,
                          uint64_t* bytes, int* system_error) {
  *system_error = 0;
  /* Not blocking: a pipe of that name would keep us waiting for its writer. */
  int opened =
      open(path, (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_CLOEXEC);
  if (opened < 0) {
    if (errno == ENOTDIR) errno = ENOENT;
    if (errno == EISDIR || errno == ENXIO) return HW_RECORDING_FOREIGN;
    return fail(system_error);
  }
  struct stat status;
  int error = 0;
  if (fstat(opened, &status) != 0)
    error = fail(system_error);
  else if (!S_ISREG(status.st_mode))
    error = HW_RECORDING_FOREIGN;
  else if (status.st_uid != geteuid() && geteuid() != 0)
    error = HW_RECORDING_DENIED;
  if (error != 0) {
    close(opened);
    return error;
  }
  *fd = opened;
  *bytes = (uint64_t)status.st_size;
  return 0;
}

int hw_recorder_file_read(int fd, uint64_t offset, void* to, size_t length) {
  char* at = to;
  while (length > 0) {
    ssize_t got = pread(fd, at, length, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return HW_RECORDING_IO;
    if (got == 0) return HW_RECORDING_TRUNCATED;
    at += got;
    offset += (uint64_t)got;
    length -= (size_t)got;
  }
  return 0;
}

int hw_recorder_file_write(int fd, uint64_t offset, const void* from,
                           size_t length) {
  const char* at = from;
  while (length > 0) {
    ssize_t put = pwrite(fd, at, length, (off_t)offset);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return HW_RECORDING_IO;
    at += put;
    offset += (uint64_t)put;
    length -= (size_t)put;
  }
  return 0;
}

bool hw_recorder_file_is_alive(int fd) {
  if (flock(fd, LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
  flock(fd, LOCK_UN);
  return false;
}

void hw_recorder_file_release(int fd) {
  close(fd);
}
