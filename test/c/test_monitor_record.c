#include "test.h"

#include <math.h>

#include "core/hw_monitor.h"
#include "recording.h"

/* What a monitor writes by itself. */

static const hw_monitor_options_t options = {
    .history = 4,
    .gc_capacity = 8,
    .pressure = {.threshold = {0.85, 0.9, 0.3},
                 .release = 0.9,
                 .window_ns = 10 * SECOND,
                 .young_reserve_bytes = 48 * MB}};

static hw_reading_t reading(uint64_t second, uint64_t used) {
  return (hw_reading_t){
      .time_ns = second * SECOND,
      .epoch_ms = 5000 + (double)second * 1000,
      .heap = {.used_heap_bytes = used, .heap_limit_bytes = 148 * MB},
      .rss_bytes = 500 * MB,
      .array_buffers_bytes = NAN};
}

static void major(hw_monitor_t* monitor, uint64_t second, uint64_t live) {
  hw_gc_event_t event = {.type = HW_GC_MARK_SWEEP_COMPACT,
                         .start_ns = second * SECOND,
                         .duration_ns = 7 * MS,
                         .busy_ns = 7 * MS,
                         .heap_before_bytes = live + MB,
                         .heap_after_bytes = live,
                         .heap_limit_bytes = 148 * MB};
  hw_monitor_gc(monitor, &event);
}

typedef struct {
  recording_t recording;
  hw_recorder_t* recorder;
  hw_monitor_t* monitor;
} fixture_t;

static fixture_t start(const hw_monitor_options_t* with) {
  fixture_t f = {.recording = new_recording(HW_RECORDER_MIN_BYTES)};
  hw_reading_t first = reading(100, 10 * MB);
  assert_int_equal(hw_monitor_create(&f.monitor, with, &first), 0);
  major(f.monitor, 101, 20 * MB); /* before anything is recorded */
  f.recorder = record_into(&f.recording);
  assert_int_equal(hw_monitor_record(f.monitor, f.recorder, 5000), 0);
  return f;
}

static void end(fixture_t* f) {
  hw_monitor_destroy(f->monitor);
  hw_recorder_destroy(f->recorder);
  free(f->recording.bytes);
}

static hw_recorder_state_t state_of(fixture_t* f) {
  hw_recorder_reader_t* reader = open_whole(&f->recording);
  hw_recorder_state_t state;
  assert_int_equal(hw_recorder_reader_state(reader, &state), 0);
  hw_recorder_reader_destroy(reader);
  return state;
}

static void what_was_counted_before_is_in_the_first_state(void** state) {
  (void)state;
  fixture_t f = start(&options);
  hw_recorder_state_t s = state_of(&f);
  assert_int_equal(s.flags, 0);
  assert_int_equal(s.pauses[HW_GC_MAJOR].count, 1);
  assert_int_equal(s.gc_busy_ns, 7 * MS);
  assert_int_equal(s.live_heap_bytes, 20 * MB);
  assert_int_equal(s.old_space_limit_bytes, 100 * MB);
  static hw_histogram_t pauses[HW_GC_KINDS];
  hw_recorder_reader_t* reader = open_whole(&f.recording);
  assert_int_equal(hw_recorder_reader_pauses(reader, pauses), 0);
  assert_int_equal(pauses[HW_GC_MAJOR].buckets[hw_histogram_bucket(7 * MS)], 1);
  hw_recorder_reader_destroy(reader);
  end(&f);
}

static void a_monitor_has_one_recorder(void** state) {
  (void)state;
  fixture_t f = start(&options);
  assert_int_equal(hw_monitor_record(f.monitor, f.recorder, 0), HW_ESTATE);
  end(&f);
}

static void pressure_is_noted_from_inside_the_collection(void** state) {
  (void)state;
  fixture_t f = start(&options);
  major(f.monitor, 102, 90 * MB);
  hw_recorder_reader_t* reader = open_whole(&f.recording);
  hw_recorder_text_t note;
  assert_true(hw_recorder_reader_text(reader, HW_RECORDER_PRESSURES, 1, &note));
  assert_int_equal(note.kind, HW_RECORDER_NOTE_PRESSURE);
  assert_true(note.epoch_ms == 102000 + 5000 + 7);
  assert_memory_equal(note.text, "{\"reason\":\"heap-limit\"", 22);
  hw_recorder_reader_destroy(reader);
  assert_int_equal(state_of(&f).flags, UINT64_C(1)
                                           << HW_RECORDER_PRESSURE_SHIFT);
  major(f.monitor, 103, 10 * MB);
  reader = open_whole(&f.recording);
  assert_true(hw_recorder_reader_text(reader, HW_RECORDER_PRESSURES, 2, &note));
  assert_int_equal(note.kind, HW_RECORDER_NOTE_PRESSUREEND);
  hw_recorder_reader_destroy(reader);
  assert_int_equal(state_of(&f).flags, 0);
  end(&f);
}

static const char* two_sites(void* data, const hw_leak_verdict_t* verdict,
                             size_t* length) {
  assert_int_equal(verdict->metric, HW_LEAK_HEAP);
  *length = 5;
  return data;
}

static const char* too_many_sites(void* data, const hw_leak_verdict_t* verdict,
                                  size_t* length) {
  (void)verdict;
  *length = HW_RECORDER_VERDICT_ROOM;
  return data;
}

/* Half a megabyte a second, in a heap that is collected every other second. */
static void leak(fixture_t* f) {
  for (uint64_t second = 102; second < 220; second++) {
    hw_sample_t sample;
    uint64_t live = 20 * MB + (second - 102) * MB / 2;
    hw_reading_t now = reading(second, live + MB);
    if (second % 2 == 0) major(f->monitor, second, live);
    hw_monitor_append(f->monitor, &now, 0, &sample);
  }
}

static size_t noted_leak(hw_monitor_sites_cb sites, void* data, char* text) {
  hw_leak_options_t leaks;
  hw_leak_options_init(&leaks);
  hw_monitor_options_t with = options;
  with.leak = &leaks;
  fixture_t f = start(&with);
  hw_monitor_set_sites(f.monitor, sites, data);
  leak(&f);
  assert_true(state_of(&f).flags >> HW_RECORDER_LEAK_SHIFT & 1);
  hw_recorder_reader_t* reader = open_whole(&f.recording);
  hw_recorder_text_t note;
  assert_true(hw_recorder_reader_text(reader, HW_RECORDER_VERDICTS, 1, &note));
  assert_int_equal(note.kind, HW_RECORDER_NOTE_LEAK);
  memcpy(text, note.text, note.length);
  hw_recorder_reader_destroy(reader);
  /* Who listens is told of it all the same. */
  assert_true(hw_monitor_leak_pending(f.monitor));
  end(&f);
  text[note.length] = '\0';
  return note.length;
}

static void a_leak_is_noted_without_a_listener(void** state) {
  (void)state;
  char text[HW_RECORDER_VERDICT_ROOM + 1];
  noted_leak(NULL, NULL, text);
  assert_memory_equal(text, "{\"metric\":\"heap\",\"time\":", 24);
  assert_null(strstr(text, "sites"));
}

static void a_leak_is_noted_with_its_sites_if_they_fit(void** state) {
  (void)state;
  char text[HW_RECORDER_VERDICT_ROOM + 1];
  static char many[HW_RECORDER_VERDICT_ROOM];
  noted_leak(two_sites, "[1,2]", text);
  assert_non_null(strstr(text, ",\"sites\":[1,2]}"));
  noted_leak(too_many_sites, many, text);
  assert_memory_equal(text, "{\"metric\":\"heap\"", 16);
  assert_null(strstr(text, "sites"));
}

static void an_end_and_an_exit_are_recorded(void** state) {
  (void)state;
  fixture_t f = start(&options);
  hw_monitor_record_exit(f.monitor, 200 * SECOND, -2);
  hw_recorder_state_t s = state_of(&f);
  assert_true(s.epoch_ms == 205000);
  assert_int_equal(s.flags & 0xff, HW_RECORDER_STOPPED | HW_RECORDER_EXITED);
  assert_int_equal((int32_t)(s.flags >> HW_RECORDER_EXIT_SHIFT), -2);
  major(f.monitor, 201, 20 * MB); /* an exit handler may take its time */
  assert_int_equal(state_of(&f).pauses[HW_GC_MAJOR].count, 2);
  hw_monitor_stop_recording(f.monitor, 202 * SECOND);
  major(f.monitor, 203, 20 * MB);
  assert_int_equal(state_of(&f).pauses[HW_GC_MAJOR].count, 2);
  assert_int_equal(state_of(&f).flags & 0xff,
                   HW_RECORDER_STOPPED | HW_RECORDER_EXITED);
  hw_monitor_stop_recording(f.monitor, 204 * SECOND);
  end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_counted_before_is_in_the_first_state),
      cmocka_unit_test(a_monitor_has_one_recorder),
      cmocka_unit_test(pressure_is_noted_from_inside_the_collection),
      cmocka_unit_test(a_leak_is_noted_without_a_listener),
      cmocka_unit_test(a_leak_is_noted_with_its_sites_if_they_fit),
      cmocka_unit_test(an_end_and_an_exit_are_recorded),
  };
  return cmocka_run_group_tests_name("monitor_record", tests, NULL, NULL);
}
