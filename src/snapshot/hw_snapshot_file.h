#ifndef HW_SNAPSHOT_FILE_H_
#define HW_SNAPSHOT_FILE_H_

#include "snapshot/hw_snapshot.h"

/*
 * A snapshot's file, mapped into memory: with hw_snapshot_memory.c the only
 * part of this directory that needs a platform (POSIX). Reading goes through
 * the page cache and costs no memory of the process's own; what has been read
 * is given back as it goes.
 *
 * The file must not become shorter while it is mapped: a page beyond its end
 * kills the process with SIGBUS. Whole snapshots are never written to again.
 */
typedef struct {
  const uint8_t* text;
  uint64_t length;
} hw_snapshot_file_t;

/* Maps a file. HW_EIO, with errno set, if it cannot be opened or mapped or is
 * no regular file. An empty file has no text and a length of 0. */
int hw_snapshot_file_open(const char* path, hw_snapshot_file_t* file);

/* Unmaps it; once more does nothing. */
void hw_snapshot_file_close(hw_snapshot_file_t* file);

/* For hw_snapshot_options_t: `data` is the hw_snapshot_file_t. */
void hw_snapshot_file_release(void* data, uint64_t at, uint64_t length);

#endif /* HW_SNAPSHOT_FILE_H_ */
