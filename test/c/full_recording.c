/*
 * full_recording FILE: writes a recording in which every section is full, as a
 * watch leaves it after a week, for benchmarks and for looking at reports. The
 * week is made up; the monitor, the detector and the recorder are the real
 * ones.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/hw_monitor.h"
#include "core/hw_recorder.h"

#define MB (UINT64_C(1) << 20)
#define SECOND UINT64_C(1000000000)
#define WEEK (7 * 24 * 3600)
#define START_MS 1700000000000.0

static const char identity[] =
    "{\"pid\":1,\"threadId\":0,\"argv\":[\"node\",\"server.js\"],"
    "\"nodeVersion\":\"v24.0.0\",\"host\":\"example\","
    "\"heapwatchVersion\":\"0.1.0\",\"startTime\":1700000000000,"
    "\"processStartTime\":1700000000000,\"timeOrigin\":1700000000000,"
    "\"clockOrigin\":0,\"interval\":1000,\"heapLimit\":2248146944,"
    "\"oldSpaceLimit\":2147483648,\"memoryLimit\":0}";

/* What lives: a wave of a day's traffic, and on the last day a leak. */
static uint64_t live_at(uint64_t second) {
  uint64_t of_day = second % (24 * 3600);
  uint64_t wave = of_day < 43200 ? of_day : 86400 - of_day;
  uint64_t leak = second > WEEK - 86400 ? (second - (WEEK - 86400)) * 8192 : 0;
  return 200 * MB + wave * 1024 + leak;
}

static hw_reading_t reading_at(uint64_t second) {
  uint64_t live = live_at(second);
  return (hw_reading_t){.time_ns = (second + 1) * SECOND,
                        .epoch_ms = START_MS + (double)(second + 1) * 1000,
                        .heap = {.used_heap_bytes = live + second % 20 * MB,
                                 .total_heap_bytes = live + 40 * MB,
                                 .physical_heap_bytes = live + 30 * MB,
                                 .heap_limit_bytes = 2144 * MB,
                                 .external_bytes = 5 * MB,
                                 .native_contexts = 1},
                        .rss_bytes = live + 120 * MB,
                        .array_buffers_bytes = (double)MB};
}

static void collect(hw_monitor_t* monitor, uint64_t second) {
  bool major = second % 20 == 0;
  uint64_t live = live_at(second);
  hw_gc_event_t gc = {
      .type = major ? HW_GC_MARK_SWEEP_COMPACT : HW_GC_SCAVENGE,
      .start_ns = (second + 1) * SECOND - SECOND / 2,
      .duration_ns = (major ? 20000000 : 900000) + second * 7919 % 800000,
      .heap_before_bytes = live + 20 * MB,
      .heap_after_bytes = major ? live : live + 4 * MB,
      .heap_limit_bytes = 2144 * MB};
  gc.busy_ns = gc.duration_ns;
  hw_monitor_gc(monitor, &gc);
}

static int record_week(hw_recorder_t* recorder) {
  hw_leak_options_t leak;
  hw_leak_options_init(&leak);
  const hw_monitor_options_t options = {
      .history = 1,
      .gc_capacity = 1,
      .pressure = {.threshold = {0.1, 0.9, 0.3},
                   .release = 0.999,
                   .window_ns = 10 * SECOND,
                   .young_reserve_bytes = 96 * MB},
      .leak = &leak};
  hw_monitor_t* monitor;
  hw_reading_t first = reading_at(0);
  if (hw_monitor_create(&monitor, &options, &first) != 0 ||
      hw_monitor_record(monitor, recorder, START_MS) != 0)
    return 1;
  for (uint64_t second = 1; second <= WEEK; second++) {
    hw_reading_t reading = reading_at(second);
    hw_sample_t sample;
    collect(monitor, second);
    hw_monitor_append(monitor, &reading, 0, &sample);
  }
  hw_monitor_stop_recording(monitor, (WEEK + 1) * SECOND);
  hw_monitor_destroy(monitor);
  return 0;
}

/* The notes that a week like this has none of, or too few. */
static void fill_notes(hw_recorder_t* recorder) {
  static char text[HW_RECORDER_DETAIL_ROOM];
  for (int i = 0; i < 6; i++) {
    int length = snprintf(text, sizeof(text), "[%*d]", 30000, i);
    hw_recorder_note(recorder, HW_RECORDER_NOTE_SITES, START_MS + i, text,
                     (size_t)length);
  }
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "Usage: full_recording FILE\n");
    return 2;
  }
  void* memory = calloc(1, HW_RECORDER_DEFAULT_BYTES);
  hw_recorder_t* recorder;
  if (memory == NULL ||
      hw_recorder_create(&recorder, memory, HW_RECORDER_DEFAULT_BYTES, identity,
                         sizeof(identity) - 1, START_MS) != 0)
    return 1;
  fill_notes(recorder);
  int failed = record_week(recorder);
  FILE* file = fopen(argv[1], "wb");
  if (file == NULL ||
      fwrite(memory, 1, HW_RECORDER_DEFAULT_BYTES, file) !=
          HW_RECORDER_DEFAULT_BYTES ||
      fclose(file) != 0) {
    perror(argv[1]);
    return 1;
  }
  hw_recorder_destroy(recorder);
  free(memory);
  return failed;
}
