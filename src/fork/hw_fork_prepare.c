/*
 * What comes before anything is tried: opening the file, reading about the
 * memory, and the refusals.
 *
 * Reading takes longer than the fork, and opening a file may take for ever, so
 * both are done on a thread of their own. Not on libuv's pool: that may be
 * busy, and it ends the process if its threads cannot be created.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/hw_error.h"
#include "hw_fork_internal.h"
#include "hw_fork_sandbox.h"

/* Copying the page tables: measured, 4 to 8 ms for 100 MB that are resident. */
#define PAUSE_NS_PER_100_MB UINT64_C(8000000)
#define MB 1000000.0

int hw_fork_supported(void) {
#ifdef __GLIBC__
  /* glibc's fork sets its own locks right in the child; of other C libraries
   * this is not known. */
  return hw_fork_sandbox_available() ? 0 : HW_SNAPSHOT_SANDBOX;
#else
  return HW_SNAPSHOT_UNSUPPORTED;
#endif
}

static int prepare(hw_fork_t* job) {
  int error;
  if (job->file.fd < 0) {
    error = hw_fork_file_open(&job->file, job->path, &job->system_error);
    if (error != 0) return error;
  } else {
    job->system_error = hw_fork_file_reset(&job->file);
    if (job->system_error != 0) return HW_SNAPSHOT_FILE;
  }
  if (job->null < 0) {
    job->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    job->system_error = errno;
    if (job->null < 0) return HW_SNAPSHOT_FILE;
  }
  hw_fork_regions_close(&job->regions);
  error = hw_fork_regions_read(&job->regions);
  hw_fork_memory_read("", &job->memory);
  return error;
}

static void* run(void* data) {
  hw_fork_t* job = data;
  job->prepare_error = prepare(job);
  atomic_store(&job->prepared, true);
  return NULL;
}

/* The thread must not run the application's signal handlers. */
int hw_fork_prepare(hw_fork_t* job) {
  sigset_t all, before;
  atomic_store(&job->prepared, false);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&job->thread, NULL, run, job);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0)
    return hw_fork_fail(job, HW_SNAPSHOT_FORK, "no thread can be started: %s",
                        strerror(error));
  job->thread_runs = true;
  hw_fork_enter(job, HW_FORK_PREPARING);
  return 0;
}

static int judge_pause(hw_fork_t* job) {
  uint64_t resident = job->memory.resident_bytes;
  double estimate_ns = (double)resident / 1e8 * PAUSE_NS_PER_100_MB;
  if (estimate_ns <= (double)job->options.max_pause_ns) return 0;
  return hw_fork_fail(job, HW_SNAPSHOT_PAUSE,
                      "up to %.0f ms with %.0f MB resident, %.0f ms allowed",
                      estimate_ns / 1e6, (double)resident / MB,
                      (double)job->options.max_pause_ns / 1e6);
}

static int judge_memory(hw_fork_t* job) {
  const hw_fork_memory_t* memory = &job->memory;
  uint64_t nodes = job->options.nodes;
  if (nodes == 0) nodes = hw_fork_memory_nodes(job->options.heap_used_bytes);
  uint64_t need =
      hw_fork_memory_need(memory, nodes) + job->options.reserve_bytes;
  if (memory->free_bytes < need)
    return hw_fork_fail(job, HW_SNAPSHOT_MEMORY,
                        "it could take %.0f MB, %.0f MB are free",
                        (double)need / MB, (double)memory->free_bytes / MB);
  return 0;
}

int hw_fork_judge(hw_fork_t* job) {
  pthread_join(job->thread, NULL);
  job->thread_runs = false;
  if (job->prepare_error == HW_SNAPSHOT_FILE)
    return hw_fork_fail(job, HW_SNAPSHOT_FILE, "%s",
                        strerror(job->system_error));
  if (job->prepare_error == HW_SNAPSHOT_UNSUPPORTED)
    return hw_fork_fail(job, HW_SNAPSHOT_UNSUPPORTED,
                        "/proc/self/smaps cannot be read");
  if (job->prepare_error != 0) return job->prepare_error;
  if (job->memory.kills_group && !job->options.ignore_group_kill)
    return HW_SNAPSHOT_OOM_GROUP;
  int error = judge_pause(job);
  return error != 0 ? error : judge_memory(job);
}
