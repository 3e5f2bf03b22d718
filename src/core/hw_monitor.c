#include "hw_monitor.h"

#include <stdlib.h>

#include "hw_error.h"
#include "hw_event_json.h"
#include "hw_ring.h"

#define NS_PER_MS 1e6
#define NS_PER_S 1e9

/* Collections noted for the detector between two samples. */
#define COLLECTIONS 256

/* A major collection, or the lowest of the minor ones between two. */
typedef struct {
  double time_ms;
  uint64_t heap_before_bytes;
  uint64_t heap_after_bytes;
  bool major;
} collection_t;

/* What each collection touches comes first and close together: it finds the
 * caches cold. */
struct hw_monitor_s {
  hw_recorder_t* recorder; /* NULL: nothing is recorded */
  uint32_t waiting_count;
  bool keep_gcs;
  bool keep_short_gcs;
  bool keep_pressure;
  hw_gc_event_t waiting[HW_MONITOR_WAITING]; /* not taken in yet */
  hw_counters_t counters;
  uint64_t heap_limit_bytes;
  collection_t lowest_minor; /* heap_after_bytes of 0: none */
  hw_leak_t* leaks;          /* NULL: not looked for */
  hw_pressure_t pressure;
  hw_ring_t gcs;
  hw_ring_t collections;
  hw_monitor_options_t options;
  hw_ring_t samples;
  double epoch_ms; /* of uv_hrtime's zero, at the last reading */
  /* Where the interval began that the next sample ends. */
  uint64_t last_ns;
  uint64_t last_busy_ns;
  uint64_t last_allocated_bytes;
  uint64_t sample_count;
  uint64_t missed;
  uint64_t record_flags; /* of every state from now on */
  char* note;            /* HW_RECORDER_VERDICT_ROOM bytes to write notes in */
  hw_monitor_sites_cb sites;
  void* sites_data;
  hw_buckets_t buckets[HW_GC_KINDS];
  hw_histogram_t pauses[HW_GC_KINDS];
};

static void take_in(hw_monitor_t* monitor, bool record);

int hw_monitor_create(hw_monitor_t** monitor,
                      const hw_monitor_options_t* options,
                      const hw_reading_t* first) {
  if (options->gc_capacity == 0) return HW_EINVAL;
  hw_monitor_t* m = calloc(1, sizeof(*m));
  if (m == NULL) return HW_ENOMEM;
  int error = hw_ring_init(&m->samples, options->history, sizeof(hw_sample_t));
  if (error == 0 && options->leak != NULL)
    error = hw_leak_create(options->leak, &m->leaks);
  if (error == 0 && options->leak != NULL)
    error = hw_ring_init(&m->collections, COLLECTIONS, sizeof(collection_t));
  if (error != 0) {
    hw_monitor_destroy(m);
    return error;
  }
  m->options = *options;
  m->options.leak = NULL; /* the caller's */
  m->last_ns = first->time_ns;
  m->heap_limit_bytes = first->heap.heap_limit_bytes;
  hw_counters_init(&m->counters, first->heap.used_heap_bytes);
  hw_pressure_init(&m->pressure, &options->pressure, first->time_ns);
  *monitor = m;
  return 0;
}

void hw_monitor_destroy(hw_monitor_t* monitor) {
  if (monitor == NULL) return;
  hw_ring_close(&monitor->samples);
  hw_ring_close(&monitor->gcs);
  hw_ring_close(&monitor->collections);
  hw_leak_destroy(monitor->leaks);
  free(monitor->note);
  free(monitor);
}

int hw_monitor_keep_gcs(hw_monitor_t* monitor, bool keep) {
  hw_ring_t* gcs = &monitor->gcs;
  if (keep && gcs->capacity == 0) {
    uint64_t overwritten = gcs->overwritten;
    int error =
        hw_ring_init(gcs, monitor->options.gc_capacity, sizeof(hw_gc_event_t));
    if (error != 0) return error;
    gcs->overwritten = overwritten;
  }
  monitor->keep_gcs = keep;
  if (!keep) hw_ring_close(gcs);
  return 0;
}

void hw_monitor_keep_short_gcs(hw_monitor_t* monitor, bool keep) {
  monitor->keep_short_gcs = keep;
}

void hw_monitor_keep_pressure(hw_monitor_t* monitor, bool keep) {
  take_in(monitor, false);
  if (keep && !monitor->keep_pressure) hw_pressure_retell(&monitor->pressure);
  monitor->keep_pressure = keep;
}

/* -- Leaks --------------------------------------------------------------- */

static void note_lowest_minor(hw_monitor_t* monitor) {
  if (monitor->lowest_minor.heap_after_bytes > 0)
    hw_ring_push(&monitor->collections, &monitor->lowest_minor);
  monitor->lowest_minor.heap_after_bytes = 0;
}

/* Runs inside a GC. */
static void note_collection(hw_monitor_t* monitor, const hw_gc_event_t* event,
                            hw_gc_kind_t kind) {
  const collection_t noted = {
      .time_ms = (double)(event->start_ns + event->duration_ns) / NS_PER_MS,
      .heap_before_bytes = event->heap_before_bytes,
      .heap_after_bytes = event->heap_after_bytes,
      .major = kind == HW_GC_MAJOR};
  uint64_t lowest_bytes = monitor->lowest_minor.heap_after_bytes;
  if (kind == HW_GC_MAJOR) {
    note_lowest_minor(monitor);
    hw_ring_push(&monitor->collections, &noted);
  } else if (kind == HW_GC_MINOR &&
             (lowest_bytes == 0 || noted.heap_after_bytes < lowest_bytes)) {
    monitor->lowest_minor = noted;
  }
}

/* Tells the detector of what was collected since the last reading, then of
 * the reading. */
static void judge_leaks(hw_monitor_t* monitor, const hw_reading_t* reading) {
  const hw_heap_statistics_t* heap = &reading->heap;
  double array_buffers = reading->array_buffers_bytes;
  collection_t noted;
  note_lowest_minor(monitor);
  while (hw_ring_shift(&monitor->collections, &noted) == 0)
    hw_leak_gc(monitor->leaks, noted.time_ms, noted.major,
               noted.heap_before_bytes, noted.heap_after_bytes);
  const hw_leak_sample_t sample = {
      .time_ms = (double)reading->time_ns / NS_PER_MS,
      .heap_used_bytes = heap->used_heap_bytes,
      .heap_total_bytes = heap->total_heap_bytes,
      .physical_heap_bytes = heap->physical_heap_bytes,
      .rss_bytes =
          reading->rss_bytes > 0 ? reading->rss_bytes : HW_LEAK_UNKNOWN,
      .external_bytes = heap->external_bytes,
      .array_buffers_bytes =
          array_buffers >= 0 ? (uint64_t)array_buffers : HW_LEAK_UNKNOWN,
      .native_contexts = heap->native_contexts,
      .old_limit_bytes = hw_pressure_old_space_limit(&monitor->pressure,
                                                     heap->heap_limit_bytes),
      .memory_limit_bytes = reading->memory_limit_bytes};
  hw_leak_sample(monitor->leaks, &sample);
}

bool hw_monitor_next_leak(hw_monitor_t* monitor, hw_leak_verdict_t* verdict,
                          double* epoch_ms) {
  if (monitor->leaks == NULL ||
      !hw_leak_next(monitor->leaks, HW_LEAK_EVENTS, verdict))
    return false;
  *epoch_ms = monitor->epoch_ms;
  return true;
}

bool hw_monitor_leak_pending(const hw_monitor_t* monitor) {
  return monitor->leaks != NULL &&
         hw_leak_pending(monitor->leaks, HW_LEAK_EVENTS);
}

bool hw_monitor_leak_at(const hw_monitor_t* monitor, hw_leak_metric_t metric,
                        hw_leak_verdict_t* verdict, double* epoch_ms) {
  if (monitor->leaks == NULL ||
      hw_leak_current(monitor->leaks, metric, verdict) != 0)
    return false;
  *epoch_ms = monitor->epoch_ms;
  return true;
}

/* -- The recorder -------------------------------------------------------- */

/* Safe inside a GC. */
static void record_state(hw_monitor_t* monitor, double epoch_ms) {
  const hw_counters_t* counters = &monitor->counters;
  hw_recorder_state_t state = {
      .epoch_ms = epoch_ms,
      .flags = monitor->record_flags,
      .samples = monitor->sample_count,
      .missed = monitor->missed,
      .dropped = monitor->gcs.overwritten,
      .gc_busy_ns = counters->gc_busy_ns,
      .allocated_bytes = counters->allocated_bytes,
      .heap_bytes = counters->heap_bytes,
      .live_heap_bytes = counters->live_heap_bytes,
      .old_space_limit_bytes = hw_pressure_old_space_limit(
          &monitor->pressure, monitor->heap_limit_bytes)};
  for (int kind = 0; kind < HW_GC_KINDS; kind++) {
    const hw_histogram_t* pauses = &monitor->pauses[kind];
    state.pauses[kind] = (hw_recorder_pauses_t){pauses->count, pauses->sum_ns,
                                                pauses->min_ns, pauses->max_ns};
  }
  for (int reason = 0; reason < HW_PRESSURE_REASONS; reason++) {
    if (monitor->pressure.active[reason])
      state.flags |= UINT64_C(1) << (HW_RECORDER_PRESSURE_SHIFT + reason);
  }
  if (monitor->leaks != NULL && hw_leak_suspected(monitor->leaks))
    state.flags |= HW_RECORDER_SUSPECTED;
  for (int metric = 0; monitor->leaks != NULL && metric < HW_LEAK_METRICS;
       metric++) {
    if (hw_leak_state(monitor->leaks, metric) == HW_LEAK_ESTABLISHED)
      state.flags |= UINT64_C(1) << (HW_RECORDER_LEAK_SHIFT + metric);
  }
  hw_recorder_state(monitor->recorder, &state);
}

/* Safe inside a GC. */
static void note_pressures(hw_monitor_t* monitor) {
  hw_pressure_event_t event;
  bool begins;
  while (hw_pressure_changed(&monitor->pressure, &event, &begins)) {
    char text[HW_RECORDER_PRESSURE_ROOM];
    size_t length =
        hw_event_pressure_json(&event, monitor->epoch_ms, text, sizeof(text));
    hw_recorder_note(
        monitor->recorder,
        begins ? HW_RECORDER_NOTE_PRESSURE : HW_RECORDER_NOTE_PRESSUREEND,
        (double)event.time_ns / NS_PER_MS + monitor->epoch_ms, text, length);
  }
}

static void note_leaks(hw_monitor_t* monitor) {
  hw_leak_verdict_t verdict;
  while (hw_leak_next(monitor->leaks, HW_LEAK_RECORD, &verdict)) {
    size_t sites_length = 0;
    const char* sites =
        monitor->sites == NULL
            ? NULL
            : monitor->sites(monitor->sites_data, &verdict, &sites_length);
    size_t length =
        hw_event_leak_json(&verdict, monitor->epoch_ms, sites, sites_length,
                           monitor->note, HW_RECORDER_VERDICT_ROOM);
    /* Better without its sites than not at all. */
    if (length == 0)
      length = hw_event_leak_json(&verdict, monitor->epoch_ms, NULL, 0,
                                  monitor->note, HW_RECORDER_VERDICT_ROOM);
    hw_recorder_note(
        monitor->recorder,
        verdict.over ? HW_RECORDER_NOTE_LEAKEND : HW_RECORDER_NOTE_LEAK,
        verdict.time_ms + monitor->epoch_ms, monitor->note, length);
  }
}

int hw_monitor_record(hw_monitor_t* monitor, hw_recorder_t* recorder,
                      double epoch_ms) {
  if (monitor->recorder != NULL) return HW_ESTATE;
  monitor->note = malloc(HW_RECORDER_VERDICT_ROOM);
  if (monitor->note == NULL) return HW_ENOMEM;
  take_in(monitor, false);
  for (int kind = 0; kind < HW_GC_KINDS; kind++)
    hw_recorder_set_pauses(recorder, kind, &monitor->pauses[kind]);
  monitor->epoch_ms = epoch_ms;
  monitor->recorder = recorder;
  record_state(monitor, (double)monitor->last_ns / NS_PER_MS + epoch_ms);
  return 0;
}

void hw_monitor_stop_recording(hw_monitor_t* monitor, uint64_t now_ns) {
  if (monitor->recorder == NULL) return;
  take_in(monitor, false);
  monitor->record_flags |= HW_RECORDER_STOPPED;
  record_state(monitor, (double)now_ns / NS_PER_MS + monitor->epoch_ms);
  monitor->recorder = NULL;
  free(monitor->note);
  monitor->note = NULL;
}

void hw_monitor_record_exit(hw_monitor_t* monitor, uint64_t now_ns,
                            int32_t code) {
  if (monitor->recorder == NULL) return;
  take_in(monitor, false);
  monitor->record_flags = HW_RECORDER_STOPPED | HW_RECORDER_EXITED |
                          (uint64_t)(uint32_t)code << HW_RECORDER_EXIT_SHIFT;
  record_state(monitor, (double)now_ns / NS_PER_MS + monitor->epoch_ms);
}

void hw_monitor_set_sites(hw_monitor_t* monitor, hw_monitor_sites_cb sites,
                          void* data) {
  monitor->sites = sites;
  monitor->sites_data = data;
}

static void record_sample(hw_monitor_t* monitor, const hw_sample_t* sample) {
  hw_recorder_sample(monitor->recorder, sample,
                     monitor->counters.live_heap_bytes);
  if (monitor->pressure.changed != 0) note_pressures(monitor);
  if (monitor->leaks != NULL) note_leaks(monitor);
  record_state(monitor, sample->time);
}

/* -- What comes in ------------------------------------------------------- */

/* May run inside a GC. */
static void count_gc(hw_monitor_t* monitor, const hw_gc_event_t* event) {
  hw_gc_kind_t kind = hw_gc_kind(event->type);
  hw_counters_gc(&monitor->counters, event);
  hw_histogram_record(&monitor->pauses[kind], event->duration_ns);
  hw_buckets_record(&monitor->buckets[kind], event->duration_ns);
  hw_pressure_gc(&monitor->pressure, event);
  monitor->heap_limit_bytes = event->heap_limit_bytes;
  if (monitor->leaks != NULL) note_collection(monitor, event, kind);
}

/* Takes in the collections that wait: before anything is asked that they may
 * have changed. `record` is whether to record the state in any case. May run
 * inside a GC. */
static void take_in(hw_monitor_t* monitor, bool record) {
  uint32_t count = monitor->waiting_count;
  if (count == 0) return;
  for (uint32_t i = 0; i < count; i++)
    count_gc(monitor, &monitor->waiting[i]);
  monitor->waiting_count = 0;
  if (monitor->recorder == NULL) return;
  if (monitor->pressure.changed != 0) {
    note_pressures(monitor);
    record = true;
  }
  if (record)
    record_state(monitor,
                 (double)monitor->waiting[count - 1].start_ns / NS_PER_MS +
                     monitor->epoch_ms);
}

void hw_monitor_gc(hw_monitor_t* monitor, const hw_gc_event_t* event) {
  hw_gc_kind_t kind = hw_gc_kind(event->type);
  if (kind == HW_GC_KINDS) return;
  monitor->waiting[monitor->waiting_count++] = *event;
  if (monitor->keep_gcs &&
      (monitor->keep_short_gcs ||
       event->duration_ns >= monitor->options.gc_threshold_ns))
    hw_ring_push(&monitor->gcs, event);
  bool due = monitor->recorder != NULL &&
             hw_recorder_gc(monitor->recorder, event, kind, monitor->epoch_ms);
  if (!due && kind != HW_GC_MAJOR &&
      monitor->waiting_count < HW_MONITOR_WAITING)
    return;
  take_in(monitor, due);
}

size_t hw_monitor_next_lines(const hw_monitor_t* monitor, const void** lines) {
  const hw_gc_event_t* next = &monitor->waiting[monitor->waiting_count];
  size_t count = 0;
  lines[count++] = monitor;
  lines[count++] = next;
  lines[count++] = next + 1; /* an event lies across two or three */
  if (monitor->recorder != NULL)
    count += hw_recorder_next_lines(monitor->recorder, lines + count);
  return count;
}

/* How far a value has grown. 0 if it has shrunk: clocks can be set, and the
 * heap's size falls between two readings when V8 sweeps in between. */
static double growth(uint64_t from, uint64_t to) {
  return to > from ? (double)(to - from) : 0;
}

void hw_monitor_peek(hw_monitor_t* monitor, const hw_reading_t* reading,
                     hw_sample_t* sample) {
  take_in(monitor, false);
  const hw_heap_statistics_t* heap = &reading->heap;
  const hw_counters_t* counters = &monitor->counters;
  double interval_ns = growth(monitor->last_ns, reading->time_ns);
  double busy_ns = growth(monitor->last_busy_ns, counters->gc_busy_ns);
  double allocated =
      growth(monitor->last_allocated_bytes,
             hw_counters_allocated(counters, heap->used_heap_bytes));
  *sample = (hw_sample_t){
      .time = reading->epoch_ms,
      .heap_used = (double)heap->used_heap_bytes,
      .heap_total = (double)heap->total_heap_bytes,
      .heap_limit = (double)heap->heap_limit_bytes,
      .rss = (double)reading->rss_bytes,
      .external = (double)heap->external_bytes,
      .array_buffers = reading->array_buffers_bytes,
      .malloced_memory = (double)heap->malloced_bytes,
      .physical_heap = (double)heap->physical_heap_bytes,
      .global_handles = (double)heap->used_global_handles_bytes,
      .native_contexts = (double)heap->native_contexts,
      .detached_contexts = (double)heap->detached_contexts,
      .gc_time = busy_ns / NS_PER_MS,
      .gc_load = interval_ns > 0 ? busy_ns / interval_ns : 0,
      .allocation_rate =
          interval_ns > 0 ? allocated / interval_ns * NS_PER_S : 0,
      .loop_delay = (double)reading->loop_delay_ns / NS_PER_MS,
      .memory_limit = (double)reading->memory_limit_bytes,
  };
  if (sample->gc_load > 1) sample->gc_load = 1;
}

void hw_monitor_append(hw_monitor_t* monitor, const hw_reading_t* reading,
                       uint64_t missed, hw_sample_t* sample) {
  hw_monitor_peek(monitor, reading, sample);
  hw_ring_push(&monitor->samples, sample);
  uint64_t used_bytes = reading->heap.used_heap_bytes;
  monitor->last_ns = reading->time_ns;
  monitor->last_busy_ns = monitor->counters.gc_busy_ns;
  monitor->last_allocated_bytes =
      hw_counters_allocated(&monitor->counters, used_bytes);
  monitor->sample_count++;
  monitor->missed += missed;
  monitor->heap_limit_bytes = reading->heap.heap_limit_bytes;
  hw_pressure_sample(&monitor->pressure, reading->time_ns, reading->rss_bytes,
                     reading->memory_limit_bytes);
  monitor->epoch_ms = reading->epoch_ms - (double)reading->time_ns / NS_PER_MS;
  if (monitor->leaks != NULL) judge_leaks(monitor, reading);
  if (monitor->recorder != NULL) record_sample(monitor, sample);
}

bool hw_monitor_pending(hw_monitor_t* monitor) {
  if (monitor->gcs.count > 0) return true;
  if (!monitor->keep_pressure) return false;
  take_in(monitor, false);
  return hw_pressure_pending(&monitor->pressure);
}

bool hw_monitor_next_gc(hw_monitor_t* monitor, hw_gc_event_t* event) {
  return hw_ring_shift(&monitor->gcs, event) == 0;
}

bool hw_monitor_next_pressure(hw_monitor_t* monitor,
                              hw_pressure_event_t* event) {
  if (!monitor->keep_pressure) return false;
  take_in(monitor, false);
  return hw_pressure_next(&monitor->pressure, event);
}

const hw_sample_t* hw_monitor_sample_at(const hw_monitor_t* monitor,
                                        size_t index) {
  return hw_ring_at(&monitor->samples, index);
}

const hw_histogram_t* hw_monitor_pauses(hw_monitor_t* monitor,
                                        hw_gc_kind_t kind) {
  take_in(monitor, false);
  return &monitor->pauses[kind];
}

const hw_buckets_t* hw_monitor_buckets(hw_monitor_t* monitor,
                                       hw_gc_kind_t kind) {
  take_in(monitor, false);
  return &monitor->buckets[kind];
}

void hw_monitor_stats(hw_monitor_t* monitor, hw_monitor_stats_t* stats) {
  take_in(monitor, false);
  *stats = (hw_monitor_stats_t){
      .counters = monitor->counters,
      .samples = monitor->sample_count,
      .missed = monitor->missed,
      .dropped = monitor->gcs.overwritten,
      .pending = monitor->gcs.count,
      .history = monitor->samples.count,
      .own_bytes = sizeof(*monitor) +
                   monitor->samples.capacity * sizeof(hw_sample_t) +
                   monitor->gcs.capacity * sizeof(hw_gc_event_t) +
                   monitor->collections.capacity * sizeof(collection_t) +
                   (monitor->leaks != NULL ? hw_leak_own_bytes() : 0),
      .suspected = monitor->leaks != NULL && hw_leak_suspected(monitor->leaks),
      .old_space_limit_bytes = hw_pressure_old_space_limit(
          &monitor->pressure, monitor->heap_limit_bytes),
  };
  for (int reason = 0; reason < HW_PRESSURE_REASONS; reason++)
    stats->pressure[reason] = monitor->pressure.active[reason];
}

void hw_monitor_finish(hw_monitor_t* monitor) {
  take_in(monitor, false);
  monitor->keep_gcs = false;
  monitor->keep_pressure = false;
  hw_ring_close(&monitor->gcs);
  hw_ring_close(&monitor->collections);
  hw_leak_destroy(monitor->leaks);
  monitor->leaks = NULL;
  hw_ring_trim(&monitor->samples);
}
