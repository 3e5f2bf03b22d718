#ifndef HW_MONITOR_H_
#define HW_MONITOR_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw_buckets.h"
#include "hw_counters.h"
#include "hw_gc.h"
#include "hw_heap.h"
#include "hw_histogram.h"
#include "hw_leak.h"
#include "hw_pressure.h"
#include "hw_recorder.h"
#include "hw_sample.h"

/*
 * Everything one watch knows: it is told of collections and of readings, and
 * keeps the series of samples, the pause histograms, the counters, the
 * pressure and the events nobody has fetched yet.
 *
 * A collection leaves the caches cold, and all that is counted lies in them; so
 * a minor one is only noted, in one place, and taken in with others by the next
 * call that asks for anything, the next sample, the next major collection, or
 * when HW_MONITOR_WAITING of them wait. Nobody can tell. The leak detector
 * takes its time to judge and is told of collections with the next sample;
 * between two major ones the lowest of the minor ones says all it wants to
 * know.
 *
 * All calls come from the one thread of the watched isolate. hw_monitor_gc
 * runs inside the garbage collector, and so may interrupt any other call that
 * runs JavaScript; no function here does.
 */

/* One look at the process, as the sampler takes it. */
typedef struct {
  uint64_t time_ns; /* uv_hrtime's clock */
  double epoch_ms;  /* wall clock, milliseconds since 1970 */
  hw_heap_statistics_t heap;
  uint64_t rss_bytes;
  double array_buffers_bytes;  /* NaN if Node.js would not say */
  uint64_t memory_limit_bytes; /* 0: none */
  uint64_t loop_delay_ns;      /* how late the timer ran */
} hw_reading_t;

typedef struct {
  size_t history;           /* samples kept */
  size_t gc_capacity;       /* GC events that may wait to be fetched */
  uint64_t gc_threshold_ns; /* shorter pauses do not become events */
  hw_pressure_options_t pressure;
  const hw_leak_options_t* leak; /* NULL: leaks are not looked for; copied */
} hw_monitor_options_t;

typedef struct {
  hw_counters_t counters;
  uint64_t samples;
  uint64_t missed;  /* samples that were due while the loop was blocked */
  uint64_t dropped; /* GC events overwritten before they were fetched */
  size_t pending;   /* GC events waiting to be fetched */
  size_t history;   /* samples kept at present */
  size_t own_bytes; /* memory the monitor has asked for */
  bool suspected;   /* something may be leaking, or is */
  uint64_t old_space_limit_bytes;     /* at the last reading or major GC */
  bool pressure[HW_PRESSURE_REASONS]; /* episodes going on */
} hw_monitor_stats_t;

typedef struct hw_monitor_s hw_monitor_t;

/* Creates a monitor that starts with `first`, a reading that becomes the
 * beginning of the first interval and no sample. Returns 0, HW_EINVAL if a
 * size is 0 or a leak option makes no sense, or HW_ENOMEM. The caller owns
 * it. */
int hw_monitor_create(hw_monitor_t** monitor,
                      const hw_monitor_options_t* options,
                      const hw_reading_t* first);

/* Frees the monitor; NULL does nothing. */
void hw_monitor_destroy(hw_monitor_t* monitor);

/* Whether GC events are to be kept for hw_monitor_next_gc. The room for them
 * is made the first time. Turning it off forgets those waiting. Returns 0 or
 * HW_ENOMEM. */
int hw_monitor_keep_gcs(hw_monitor_t* monitor, bool keep);

/* Whether those below `gc_threshold_ns` are kept as well, where any are. */
void hw_monitor_keep_short_gcs(hw_monitor_t* monitor, bool keep);

/* Whether pressure events are wanted. Who begins to want them is told of the
 * episodes that go on, and of none that are over. */
void hw_monitor_keep_pressure(hw_monitor_t* monitor, bool keep);

/* Where a verdict's sites come from: JSON of `*length` bytes, valid until the
 * next call, or NULL if there are none. Called from hw_monitor_append. */
typedef const char* (*hw_monitor_sites_cb)(void* data,
                                           const hw_leak_verdict_t* verdict,
                                           size_t* length);

/* From now on everything is recorded as well, verdicts and pressure among it,
 * which needs no listeners. `epoch_ms` is what to add to uv_hrtime's
 * milliseconds for those since 1970. The recorder is the caller's and must
 * live until hw_monitor_stop_recording. Allocates 16 KB. Returns 0, HW_ESTATE
 * if there is a recorder already, or HW_ENOMEM. */
int hw_monitor_record(hw_monitor_t* monitor, hw_recorder_t* recorder,
                      double epoch_ms);

/* Records that the watch has ended and forgets the recorder. */
void hw_monitor_stop_recording(hw_monitor_t* monitor, uint64_t now_ns);

/* Records that the process exits with `code`, as JavaScript is told; what still
 * happens until its end is recorded all the same. */
void hw_monitor_record_exit(hw_monitor_t* monitor, uint64_t now_ns,
                            int32_t code);

/* Says where sites come from; `sites` may be NULL. */
void hw_monitor_set_sites(hw_monitor_t* monitor, hw_monitor_sites_cb sites,
                          void* data);

/* Minor collections that may wait to be taken in. */
#define HW_MONITOR_WAITING 64

/* Takes in one GC event. Safe inside a GC. */
void hw_monitor_gc(hw_monitor_t* monitor, const hw_gc_event_t* event);

/* Addresses that the next hw_monitor_gc will write to, see hw_v8_next_lines: up
 * to HW_MONITOR_NEXT_LINES of them, into `lines`. Returns how many. Safe inside
 * a GC. */
#define HW_MONITOR_NEXT_LINES (3 + HW_RECORDER_NEXT_LINES)
size_t hw_monitor_next_lines(const hw_monitor_t* monitor, const void** lines);

/* Takes in a reading of the timer, appends the sample it makes to the series
 * and copies it to `sample`. `missed` is the number of samples that were due
 * before it and could not be taken. */
void hw_monitor_append(hw_monitor_t* monitor, const hw_reading_t* reading,
                       uint64_t missed, hw_sample_t* sample);

/* The sample that `reading` makes, its interval counted from the last one
 * appended, which stays as it was. */
void hw_monitor_peek(hw_monitor_t* monitor, const hw_reading_t* reading,
                     hw_sample_t* sample);

/* Moves the next verdict out: a leak, or the end of one. `*epoch_ms` is what
 * to add to its times for milliseconds since 1970. Returns whether there was
 * one. Verdicts nobody fetches wait: who asks later is told of the newest. */
bool hw_monitor_next_leak(hw_monitor_t* monitor, hw_leak_verdict_t* verdict,
                          double* epoch_ms);

/* Whether a verdict waits. */
bool hw_monitor_leak_pending(const hw_monitor_t* monitor);

/* The leak of one metric as it stands now. Returns whether there is one. */
bool hw_monitor_leak_at(const hw_monitor_t* monitor, hw_leak_metric_t metric,
                        hw_leak_verdict_t* verdict, double* epoch_ms);

/* Whether an event is waiting to be fetched. */
bool hw_monitor_pending(hw_monitor_t* monitor);

/* Moves the oldest waiting event out. Returns whether there was one. */
bool hw_monitor_next_gc(hw_monitor_t* monitor, hw_gc_event_t* event);
bool hw_monitor_next_pressure(hw_monitor_t* monitor,
                              hw_pressure_event_t* event);

/* The sample at `index`, 0 being the oldest kept; NULL if there is none. Valid
 * until the next append. */
const hw_sample_t* hw_monitor_sample_at(const hw_monitor_t* monitor,
                                        size_t index);

/* The pauses of one kind, `kind` < HW_GC_KINDS. Owned by the monitor. */
const hw_histogram_t* hw_monitor_pauses(hw_monitor_t* monitor,
                                        hw_gc_kind_t kind);

/* The same pauses, counted between fixed bounds. Owned by the monitor. */
const hw_buckets_t* hw_monitor_buckets(hw_monitor_t* monitor,
                                       hw_gc_kind_t kind);

void hw_monitor_stats(hw_monitor_t* monitor, hw_monitor_stats_t* stats);

/* Ends the series: gives back the memory that only a running
 * watch needs. What was recorded can still be read. */
void hw_monitor_finish(hw_monitor_t* monitor);

#endif /* HW_MONITOR_H_ */
