#ifndef HW_RECORDER_FILE_H_
#define HW_RECORDER_FILE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The recorder's file as the operating system sees it: made, mapped and locked
 * by the watch, read by others.
 *
 * SAFE PLACE. The directory of a new file is opened once and everything goes
 * through that, so that nobody can put another in its place. A directory that
 * heapwatch chose must be no symbolic link, belong to this user and be open to
 * nobody else. The file is created under a name nobody else has, readable for
 * its user only, and gets its own name, which must be free, once it is whole:
 * who sees a file sees a valid one.
 *
 * ROOM. All blocks are allocated before the file is mapped. A sparse file would
 * end the process with SIGBUS once the disk is full.
 *
 * LIFE. The watch holds an exclusive lock (flock) on its file. The kernel lets
 * go of it when the process ends, however it ends: a file that is not locked
 * belongs to no living watch. Process ids would not do. They are used again,
 * and in containers they mean nothing to others.
 *
 * Nothing here may run inside a GC. Any thread.
 */

/* A file that is being written. */
typedef struct {
  void* memory; /* `bytes` of it, zeros at first */
  uint64_t bytes;
  int fd;        /* holds the lock */
  int directory; /* -1 after hw_recorder_file_publish */
  char* name;    /* in the directory; NULL likewise */
  char* draft;
} hw_recorder_file_t;

/* Creates a file of `bytes` in `directory` that is to be called `name`, maps
 * it and locks it. `private_directory` asks for the directory to be ours alone.
 * Returns 0 or HW_ENOMEM, HW_RECORDING_NOT_FOUND (no such directory),
 * HW_RECORDING_DENIED, HW_RECORDING_UNSAFE, HW_RECORDING_FULL,
 * HW_RECORDING_READ_ONLY or HW_RECORDING_IO, with errno's number in
 * `*system_error`, 0 if it says nothing more. */
int hw_recorder_file_create(hw_recorder_file_t* file, const char* directory,
                            const char* name, uint64_t bytes,
                            bool private_directory, int* system_error);

/* Gives the file its name. Returns 0, HW_RECORDING_EXISTS if there is another,
 * or as above. */
int hw_recorder_file_publish(hw_recorder_file_t* file, int* system_error);

/* Unmaps and unlocks the file; one that was not published is removed. */
void hw_recorder_file_close(hw_recorder_file_t* file);

/* Opens a file for reading, or for writing requests too. It must be a regular
 * file of this user; root may read all. Returns 0 and the descriptor and size,
 * or HW_RECORDING_NOT_FOUND, HW_RECORDING_DENIED, HW_RECORDING_FOREIGN (no
 * regular file) or HW_RECORDING_IO. */
int hw_recorder_file_open(const char* path, bool writable, int* fd,
                          uint64_t* bytes, int* system_error);

/* Reads or writes `length` bytes at `offset`. Returns 0,
 * HW_RECORDING_TRUNCATED or HW_RECORDING_IO. */
int hw_recorder_file_read(int fd, uint64_t offset, void* to, size_t length);
int hw_recorder_file_write(int fd, uint64_t offset, const void* from,
                           size_t length);

/* Whether the watch that writes the file lives. */
bool hw_recorder_file_is_alive(int fd);

/* Closes what hw_recorder_file_open has opened. */
void hw_recorder_file_release(int fd);

#endif /* HW_RECORDER_FILE_H_ */
