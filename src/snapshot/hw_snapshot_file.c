#include "snapshot/hw_snapshot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hw_error.h"

int hw_snapshot_file_open(const char* path, hw_snapshot_file_t* file) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return HW_EIO;
  struct stat status;
  int error = 0;
  void* text = NULL;
  if (fstat(fd, &status) != 0) {
    error = errno;
  } else if (!S_ISREG(status.st_mode)) {
    error = EINVAL;
  } else if (status.st_size > 0) {
    text = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED) error = errno;
  }
  close(fd);
  if (error != 0) {
    errno = error;
    return HW_EIO;
  }
  /* Read ahead; it is only advice, so its failure changes nothing. */
  if (text != NULL) madvise(text, (size_t)status.st_size, MADV_SEQUENTIAL);
  file->text = text != NULL ? text : (const void*)"";
  file->length = (uint64_t)status.st_size;
  return 0;
}

void hw_snapshot_file_close(hw_snapshot_file_t* file) {
  if (file->length > 0) munmap((void*)file->text, (size_t)file->length);
  memset(file, 0, sizeof(*file));
}

void hw_snapshot_file_release(void* data, uint64_t at, uint64_t length) {
  hw_snapshot_file_t* file = data;
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  uint64_t start = (at + page - 1) / page * page;
  uint64_t end = (at + length) / page * page;
  /* Pages of a private mapping that were never written come from the file
   * again when they are next read. */
  if (start < end)
    madvise((void*)(file->text + start), (size_t)(end - start), MADV_DONTNEED);
}
