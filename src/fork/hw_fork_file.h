#ifndef HW_FORK_FILE_H_
#define HW_FORK_FILE_H_

#include <stdint.h>

/*
 * The file a snapshot is written to: under another name beside its own, until
 * it is whole.
 *
 * The draft is PATH.heapwatch-PID-N.tmp, readable for its user only (a heap
 * holds secrets), and locked with flock: by the child as well, who has the
 * same open file. A process that is killed leaves its draft behind, which
 * nobody locks then; making another one in the directory removes it.
 *
 * Any thread, not inside a GC.
 */

typedef struct {
  char* path;  /* NULL: a file of the caller's, without a name */
  char* draft; /* the same */
  int fd;      /* -1: none */
} hw_fork_file_t;

/* Makes the draft for `path`. Returns 0, HW_ENOMEM, or HW_SNAPSHOT_FILE with
 * errno's number in `*system_error`. */
int hw_fork_file_open(hw_fork_file_t* file, const char* path,
                      int* system_error);

/* Takes a copy of `fd`, an open file of the caller's, instead: there is no
 * draft then, and no name. Returns as hw_fork_file_open. */
int hw_fork_file_adopt(hw_fork_file_t* file, int fd, int* system_error);

/* Makes the draft empty again. Returns 0 or errno's number. */
int hw_fork_file_reset(hw_fork_file_t* file);

/* Gives the file its name, if it has one, in place of what has it, and closes
 * it. Returns 0
 * and the file's size, or HW_SNAPSHOT_FILE as above, with the draft still
 * there. */
int hw_fork_file_commit(hw_fork_file_t* file, uint64_t* bytes,
                        int* system_error);

/* Removes the draft if it is still one, and frees everything. */
void hw_fork_file_close(hw_fork_file_t* file);

#endif /* HW_FORK_FILE_H_ */
