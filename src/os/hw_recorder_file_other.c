/*
 * The recorder's file on systems for which it has not been made yet: every
 * attempt is an error that says so.
 */
#include "hw_recorder_file.h"

#include <errno.h>

#include "core/hw_error.h"

int hw_recorder_file_create(hw_recorder_file_t* file, const char* directory,
                            const char* name, uint64_t bytes,
                            bool private_directory, int* system_error) {
  (void)file;
  (void)directory;
  (void)name;
  (void)bytes;
  (void)private_directory;
  *system_error = ENOSYS;
  return HW_RECORDING_IO;
}

int hw_recorder_file_publish(hw_recorder_file_t* file, int* system_error) {
  (void)file;
  *system_error = ENOSYS;
  return HW_RECORDING_IO;
}

void hw_recorder_file_close(hw_recorder_file_t* file) {
  (void)file;
}

int hw_recorder_file_open(const char* path, bool writable, int* fd,
                          uint64_t* bytes, int* system_error) {
  (void)path;
  (void)writable;
  (void)fd;
  (void)bytes;
  *system_error = ENOSYS;
  return HW_RECORDING_IO;
}

int hw_recorder_file_read(int fd, uint64_t offset, void* to, size_t length) {
  (void)fd;
  (void)offset;
  (void)to;
  (void)length;
  return HW_RECORDING_IO;
}

int hw_recorder_file_write(int fd, uint64_t offset, const void* from,
                           size_t length) {
  (void)fd;
  (void)offset;
  (void)from;
  (void)length;
  return HW_RECORDING_IO;
}

bool hw_recorder_file_is_alive(int fd) {
  (void)fd;
  return false;
}

void hw_recorder_file_release(int fd) {
  (void)fd;
}
