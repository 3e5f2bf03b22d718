/* A job's stages, and the rules of how often and how long each is tried. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/hw_error.h"
#include "core/hw_gate.h"
#include "hw_fork_internal.h"
#include "hw_fork_park.h"

#define MS UINT64_C(1000000)

/* A parked thread is missed by nobody for this long. V8 waits for its threads
 * when the process exits. */
#define PARK_NS (250 * MS)
#define PARK_TRIES 5 /* the later ones more patient, up to a second */
#define PARK_REST_NS (1000 * MS)
/* Other isolates wait at the gate meanwhile. */
#define GATE_NS (50 * MS)
#define CHILD_TRIES 3

/* Counting: the time in which idle threads all come, and in which busy ones
 * do. */
#define COUNT_NS (40 * MS)
#define COUNT_BUSY_NS (1000 * MS)

/* One job at a time in a process. */
static _Atomic bool busy;

/* How many worker threads there are: it does not change. 0: not counted. */
static _Atomic unsigned worker_threads;

void hw_fork_enter(hw_fork_t* job, hw_fork_stage_t stage) {
  job->stage = stage;
  job->since_ns = hw_fork_now();
}

int hw_fork_fail(hw_fork_t* job, int error, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(job->detail, sizeof(job->detail), format, arguments);
  va_end(arguments);
  return error;
}

const char* hw_fork_detail(const hw_fork_t* job) {
  return job->detail;
}

/* -- Beginning and end ---------------------------------------------------- */

static hw_fork_t* create(const hw_fork_options_t* options) {
  hw_fork_t* job = calloc(1, sizeof(*job));
  if (job == NULL) return NULL;
  job->options = *options;
  job->file.fd = -1;
  job->null = -1;
  if (options->path != NULL) job->path = strdup(options->path);
  job->progress =
      mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (job->progress == MAP_FAILED) job->progress = NULL;
  return job;
}

int hw_fork_start(hw_fork_t** job, const void* isolate,
                  const hw_fork_options_t* options,
                  const hw_fork_engine_t* engine, void* engine_data) {
  int error = hw_fork_supported();
  if (error != 0) return error;
  if (atomic_exchange(&busy, true)) return HW_SNAPSHOT_BUSY;
  hw_fork_t* created = create(options);
  if (created == NULL) {
    atomic_store(&busy, false);
    return HW_ENOMEM;
  }
  created->isolate = isolate;
  created->engine = engine;
  created->engine_data = engine_data;
  if (created->progress == NULL ||
      (options->path != NULL && created->path == NULL))
    error = HW_ENOMEM;
  else if (options->path == NULL)
    error =
        hw_fork_file_adopt(&created->file, options->fd, &created->system_error);
  if (error == 0) error = hw_fork_prepare(created);
  if (error != 0) {
    hw_fork_destroy(created);
    return error;
  }
  *job = created;
  return 0;
}

/* Everything that could hold others up, first. */
void hw_fork_destroy(hw_fork_t* job) {
  if (job == NULL) return;
  hw_fork_park_end();
  hw_gate_open(job->isolate);
  hw_fork_kill(job, HW_SNAPSHOT_CANCELED);
  for (int i = 0; i < 2000 && job->child > 0; i++) {
    if (hw_fork_watch(job) == HW_FORK_PENDING) usleep(1000);
  }
  if (job->thread_runs) pthread_join(job->thread, NULL);
  hw_fork_file_close(&job->file);
  hw_fork_regions_close(&job->regions);
  if (job->null >= 0) close(job->null);
  if (job->progress != NULL)
    munmap(job->progress, (size_t)sysconf(_SC_PAGESIZE));
  free(job->path);
  free(job);
  atomic_store(&busy, false);
}

/* -- Parking -------------------------------------------------------------- */

static uint64_t patience_ns(const hw_fork_t* job) {
  return PARK_NS << (job->parkings / 2);
}

static int park(hw_fork_t* job, unsigned count, uint64_t for_ns,
                hw_fork_stage_t stage) {
  void* ticket = hw_fork_park_begin(hw_fork_now() + for_ns);
  hw_fork_enter(job, stage);
  int error =
      job->engine->post(job->engine_data, count, hw_fork_park_run, ticket);
  if (error != 0) hw_fork_park_end();
  return error;
}

/* More tasks than there can be threads, to see how many of them run at once.
 * Fewer than the platform claims (it counts one that runs no tasks) are only
 * believed after all busy threads have had their time. */
static int begin_counting(hw_fork_t* job) {
  unsigned claimed = job->engine->threads(job->engine_data);
  return park(job, claimed + 2, COUNT_BUSY_NS, HW_FORK_COUNTING);
}

static int begin_parking(hw_fork_t* job) {
  unsigned count = atomic_load(&worker_threads);
  return count == 0 ? begin_counting(job)
                    : park(job, count, patience_ns(job), HW_FORK_PARKING);
}

static int count_threads(hw_fork_t* job, uint64_t elapsed_ns) {
  unsigned claimed = job->engine->threads(job->engine_data);
  unsigned here = hw_fork_park_count();
  bool all = here + 1 >= claimed && here > 0;
  if (elapsed_ns < COUNT_NS || (!all && elapsed_ns < COUNT_BUSY_NS - PARK_NS))
    return HW_FORK_PENDING;
  hw_fork_park_end();
  if (here == 0)
    return hw_fork_fail(job, HW_SNAPSHOT_PARKING,
                        "none of V8's threads has come");
  atomic_store(&worker_threads, here);
  return begin_parking(job);
}

static int park_again(hw_fork_t* job, int error, const char* detail) {
  hw_gate_open(job->isolate);
  hw_fork_park_end();
  if (++job->parkings >= PARK_TRIES)
    return hw_fork_fail(job, error, "%s, in %d tries", detail, PARK_TRIES);
  hw_fork_enter(job, HW_FORK_RESTING);
  return HW_FORK_PENDING;
}

/* -- The fork ------------------------------------------------------------- */

/* The worker threads are parked when this begins. Between two polls of the
 * gate JavaScript may run, which may collect: the gate lets its own isolate
 * through, and this is never called from within a collection. */
static int pass_gate(hw_fork_t* job, uint64_t elapsed_ns) {
  unsigned count = atomic_load(&worker_threads);
  if (hw_gate_collecting() > 0) {
    if (elapsed_ns < GATE_NS) return HW_FORK_PENDING;
    return park_again(job, HW_SNAPSHOT_PARKING,
                      "another thread collects garbage all the time");
  }
  if (!hw_fork_park_hold(count))
    return park_again(job, HW_SNAPSHOT_PARKING, "V8's threads had to be freed");
  int error = hw_fork_now_fork(job);
  hw_gate_open(job->isolate);
  hw_fork_park_end();
  if (error != 0) return error;
  hw_fork_enter(job, HW_FORK_CHILD);
  return HW_FORK_PENDING;
}

static int wait_for_threads(hw_fork_t* job, uint64_t elapsed_ns) {
  if (hw_fork_park_count() == atomic_load(&worker_threads)) {
    if (!hw_gate_close(job->isolate))
      return park_again(job, HW_SNAPSHOT_PARKING, "the gate is closed");
    hw_fork_enter(job, HW_FORK_GATING);
    return pass_gate(job, 0);
  }
  if (elapsed_ns < patience_ns(job)) return HW_FORK_PENDING;
  return park_again(job, HW_SNAPSHOT_PARKING, "V8's threads are too busy");
}

/* -- Polling -------------------------------------------------------------- */

/* A child that crashed or hung may have been unlucky. */
static int end_child(hw_fork_t* job, int error) {
  bool again = error == HW_SNAPSHOT_CRASHED || error == HW_SNAPSHOT_HUNG;
  if (!again) return error;
  if (++job->children >= CHILD_TRIES) {
    size_t length = strlen(job->detail);
    snprintf(job->detail + length, sizeof(job->detail) - length,
             ", in %d tries", CHILD_TRIES);
    return error;
  }
  hw_fork_enter(job, HW_FORK_RESTING);
  return HW_FORK_PENDING;
}

static int step(hw_fork_t* job) {
  uint64_t elapsed_ns = hw_fork_now() - job->since_ns;
  int error;
  switch (job->stage) {
    case HW_FORK_PREPARING:
      if (!atomic_load(&job->prepared)) return HW_FORK_PENDING;
      error = hw_fork_judge(job);
      if (error == 0) error = begin_parking(job);
      return error != 0 ? error : HW_FORK_PENDING;
    case HW_FORK_COUNTING:
      error = count_threads(job, elapsed_ns);
      return error != 0 ? error : HW_FORK_PENDING;
    case HW_FORK_PARKING:
      return wait_for_threads(job, elapsed_ns);
    case HW_FORK_GATING:
      return pass_gate(job, elapsed_ns);
    case HW_FORK_CHILD:
    case HW_FORK_KILLING:
      error = hw_fork_watch(job);
      return error == HW_FORK_PENDING || error == 0 ? error
                                                    : end_child(job, error);
    case HW_FORK_RESTING:
      if (elapsed_ns < PARK_REST_NS) return HW_FORK_PENDING;
      error = hw_fork_prepare(job);
      return error != 0 ? error : HW_FORK_PENDING;
  }
  return HW_ESTATE;
}

/* The fork should follow at once when the threads are parked; a child is
 * looked at as often as its age allows. */
static uint64_t delay_of(const hw_fork_t* job) {
  uint64_t age_ms = (hw_fork_now() - job->since_ns) / MS;
  switch (job->stage) {
    case HW_FORK_PARKING:
    case HW_FORK_GATING:
    case HW_FORK_KILLING:
      return 1;
    case HW_FORK_PREPARING:
    case HW_FORK_COUNTING:
      return 5;
    case HW_FORK_CHILD:
      return age_ms < 2400 ? 10 + age_ms / 10 : 250;
    case HW_FORK_RESTING:
      return 50;
  }
  return 1;
}

static int finish(hw_fork_t* job, hw_fork_result_t* result) {
  uint64_t bytes;
  int error = hw_fork_file_commit(&job->file, &bytes, &job->system_error);
  if (error != 0)
    return hw_fork_fail(job, error, "%s", strerror(job->system_error));
  result->bytes = bytes;
  result->nodes = atomic_load(&job->progress->nodes);
  result->pause_ns = job->pause_ns;
  return 0;
}

int hw_fork_poll(hw_fork_t* job, uint64_t* delay_ms, hw_fork_result_t* result) {
  int status = step(job);
  if (status == HW_FORK_PENDING) *delay_ms = delay_of(job);
  return status == 0 ? finish(job, result) : status;
}
