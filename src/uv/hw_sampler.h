#ifndef HW_SAMPLER_H_
#define HW_SAMPLER_H_

#include <stdint.h>
#include <uv.h>

#include "core/hw_monitor.h"

/*
 * The sampling timer: takes a reading every interval on the loop of the
 * watched isolate.
 *
 * Where V8 and Node.js have to be asked, it asks through the functions it was
 * given, so that it can be tested on a bare loop. The timer is unreferenced:
 * it never keeps a process alive.
 *
 * Readings are due at start + n * interval. One that comes late does not move
 * the following ones, and those that were due meanwhile are counted as missed,
 * not made up for. All calls come from the loop's thread, none inside a GC.
 */

typedef struct {
  /* Fills in the statistics of the heap. */
  void (*heap)(void* data, hw_heap_statistics_t* heap);
  /* Fills in rss and the bytes of ArrayBuffers; returns 0, or an error, after
   * which rss is asked from libuv and the ArrayBuffers are NaN. */
  int (*usage)(void* data, uint64_t* rss_bytes, double* array_buffers_bytes);
} hw_sampler_probes_t;

/* A reading that was due. `missed` is the number of those due before it that
 * could not be taken, since the last. */
typedef void (*hw_sampler_cb)(void* data, const hw_reading_t* reading,
                              uint64_t missed);

typedef struct {
  uv_timer_t timer;
  hw_sampler_probes_t probes;
  hw_sampler_cb reading_cb;
  void (*close_cb)(void* data);
  void* data;
  uint64_t interval_ns;
  uint64_t due_ns;
  uint64_t memory_limit_bytes;
  uint64_t memory_limit_read_ns; /* 0: not yet */
} hw_sampler_t;

/* Prepares the caller's sampler for `loop`; `data` goes to all functions.
 * Returns 0 or HW_ELOOP. After success it must be closed. */
int hw_sampler_init(hw_sampler_t* sampler, uv_loop_t* loop,
                    const hw_sampler_probes_t* probes, hw_sampler_cb reading_cb,
                    void* data);

/* Starts with an interval in milliseconds, at least 1. Returns 0, HW_EINVAL
 * or HW_ELOOP. */
int hw_sampler_start(hw_sampler_t* sampler, uint64_t interval_ms);

/* Takes a reading now; the timer goes on undisturbed. */
void hw_sampler_read(hw_sampler_t* sampler, hw_reading_t* reading);

/* Stops, and calls `close_cb` from the loop once the memory of the sampler is
 * the caller's again. To be called once. */
void hw_sampler_close(hw_sampler_t* sampler, void (*close_cb)(void* data));

#endif /* HW_SAMPLER_H_ */
