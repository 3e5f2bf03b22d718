#ifndef HW_FORK_INTERNAL_H_
#define HW_FORK_INTERNAL_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "hw_fork.h"
#include "hw_fork_child.h"
#include "hw_fork_file.h"
#include "hw_fork_memory.h"
#include "hw_fork_regions.h"

/*
 * The inside of a job, in the order of its stages:
 *
 *   PREPARING  a thread of ours opens the file and reads about the memory
 *   COUNTING   once in a process: how many worker threads there really are
 *   PARKING    until all of them are parked
 *   GATING     and no isolate collects; then fork, at once
 *   CHILD      until it has ended
 *   KILLING    the child has been told to go
 *   RESTING    before another try
 */
typedef enum {
  HW_FORK_PREPARING,
  HW_FORK_COUNTING,
  HW_FORK_PARKING,
  HW_FORK_GATING,
  HW_FORK_CHILD,
  HW_FORK_KILLING,
  HW_FORK_RESTING
} hw_fork_stage_t;

struct hw_fork_s {
  hw_fork_options_t options; /* path is file.path once that is there */
  char* path;
  const void* isolate;
  const hw_fork_engine_t* engine;
  void* engine_data;

  hw_fork_stage_t stage;
  uint64_t since_ns; /* when the stage began */
  unsigned parkings; /* tries that failed so far */
  unsigned children;
  char detail[HW_FORK_DETAIL_BYTES];

  /* Of the thread that prepares, until it has set `prepared`. */
  pthread_t thread;
  bool thread_runs;
  _Atomic bool prepared;
  int prepare_error;
  int system_error;
  hw_fork_file_t file;
  hw_fork_regions_t regions;
  hw_fork_memory_t memory;
  int null;

  hw_fork_progress_t* progress;
  pid_t child;
  int kill_error; /* why it was killed: an error */
  uint64_t pause_ns;
  uint64_t memory_ns; /* when memory was looked at last */
  /* The last sign of life: progress, or CPU time spent. */
  uint64_t alive_ns;
  uint64_t beats;
  uint64_t ticks;
};

/* Enters a stage. */
void hw_fork_enter(hw_fork_t* job, hw_fork_stage_t stage);

/* Says what there is to say besides the error, and returns it. */
int hw_fork_fail(hw_fork_t* job, int error, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

/* Begins a preparation. Returns 0 or an error. */
int hw_fork_prepare(hw_fork_t* job);

/* Takes over what the thread has prepared, and judges it. Returns 0, or the
 * reason for which no snapshot may be tried. */
int hw_fork_judge(hw_fork_t* job);

/* Forks. All worker threads are parked and held, and the gate is closed.
 * Returns 0 or an error. */
int hw_fork_now_fork(hw_fork_t* job);

/* Looks after the child. Returns HW_FORK_PENDING while it lives, 0 if it has
 * ended and the snapshot is whole, or the error that it ended with. */
int hw_fork_watch(hw_fork_t* job);

/* Kills the child, for the reason `error`. */
void hw_fork_kill(hw_fork_t* job, int error);

#endif /* HW_FORK_INTERNAL_H_ */
