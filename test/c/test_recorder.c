#include "test.h"

#include <math.h>

#include "recording.h"

/* -- The layout ---------------------------------------------------------- */

static void a_file_of_the_default_size_keeps_what_is_promised(void** state) {
  (void)state;
  hw_recorder_layout_t layout;
  assert_int_equal(hw_recorder_layout(HW_RECORDER_DEFAULT_BYTES, &layout), 0);
  assert_true(layout.area[HW_RECORDER_SAMPLES].slots >= 3600);
  assert_true(layout.area[HW_RECORDER_GCS].slots >= 8000);
  assert_true(layout.area[HW_RECORDER_MINUTES].slots >= 7 * 24 * 60);
  assert_true(HW_RECORDER_VERDICT_ROOM >= 16000);
}

static void sections_of_any_size_lie_in_the_file_and_apart(void** state) {
  (void)state;
  static const uint64_t sizes[] = {HW_RECORDER_MIN_BYTES,
                                   HW_RECORDER_MIN_BYTES + 1,
                                   2500001,
                                   HW_RECORDER_DEFAULT_BYTES,
                                   HW_RECORDER_DEFAULT_BYTES + 4095,
                                   HW_RECORDER_MAX_BYTES};
  for (size_t s = 0; s < COUNT_OF(sizes); s++) {
    hw_recorder_layout_t layout;
    assert_int_equal(hw_recorder_layout(sizes[s], &layout), 0);
    uint64_t end = HW_RECORDER_HEAD_BYTES;
    for (int i = 0; i < HW_RECORDER_SECTIONS; i++) {
      const hw_recorder_area_t* area = &layout.area[i];
      assert_true(area->offset >= end && area->offset % 64 == 0);
      /* Two, so that one stays whole while the other is written. */
      assert_true(area->slots >= 2 || i == HW_RECORDER_IDENTITY ||
                  i == HW_RECORDER_REQUEST);
      end = area->offset + (uint64_t)area->slots * area->slot_bytes;
    }
    assert_true(end <= sizes[s]);
  }
}

static void sizes_out_of_range_are_refused(void** state) {
  (void)state;
  hw_recorder_layout_t layout;
  assert_int_equal(hw_recorder_layout(HW_RECORDER_MIN_BYTES - 1, &layout),
                   HW_EINVAL);
  assert_int_equal(hw_recorder_layout(HW_RECORDER_MAX_BYTES + 1, &layout),
                   HW_EINVAL);
}

/* -- Writing and reading ------------------------------------------------- */

static void what_is_written_is_read(void** state) {
  (void)state;
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  for (uint64_t n = 1; n <= 10; n++) {
    hw_sample_t sample = recording_sample(n);
    write_gc(recorder, n);
    hw_recorder_sample(recorder, &sample, n);
  }
  hw_recorder_reader_t* reader = open_whole(&recording);
  hw_recorder_text_t text;
  assert_true(hw_recorder_reader_text(reader, HW_RECORDER_IDENTITY, 1, &text));
  assert_int_equal(text.length, 9);
  assert_memory_equal(text.text, "{\"pid\":1}", 9);
  assert_true(text.epoch_ms == 5);
  for (uint64_t n = 1; n <= 10; n++) {
    assert_is_gc(reader, n);
    assert_is_sample(reader, n);
  }
  assert_int_equal(hw_recorder_reader_newest(reader, HW_RECORDER_GCS), 10);
  assert_null(hw_recorder_reader_record(reader, HW_RECORDER_GCS, 11));
  hw_recorder_reader_destroy(reader);
  hw_recorder_destroy(recorder);
  free(recording.bytes);
}

static void the_newest_overwrite_the_oldest(void** state) {
  (void)state;
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  hw_recorder_reader_t* reader = open_whole(&recording);
  uint64_t slots =
      hw_recorder_reader_layout(reader)->area[HW_RECORDER_GCS].slots;
  uint64_t count = 2 * slots + slots / 2;
  for (uint64_t n = 1; n <= count; n++)
    write_gc(recorder, n);
  assert_int_equal(hw_recorder_reader_refresh(reader, HW_RECORDER_GCS), 0);
  assert_int_equal(hw_recorder_reader_newest(reader, HW_RECORDER_GCS), count);
  uint64_t oldest = hw_recorder_reader_oldest(reader, HW_RECORDER_GCS);
  assert_int_equal(oldest, count - slots + 1);
  for (uint64_t n = oldest; n <= count; n++)
    assert_is_gc(reader, n);
  assert_null(hw_recorder_reader_record(reader, HW_RECORDER_GCS, oldest - 1));
  hw_recorder_reader_destroy(reader);
  hw_recorder_destroy(recorder);
  free(recording.bytes);
}

static void a_refresh_reads_on_from_any_distance(void** state) {
  (void)state;
  static const uint64_t steps[] = {0, 1, 2, 31, 32, 33, 64, 500, 1999, 5000, 1};
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  hw_recorder_reader_t* reader = open_whole(&recording);
  uint64_t n = 0;
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    for (uint64_t end = n + steps[i]; n < end;)
      write_gc(recorder, ++n);
    assert_int_equal(hw_recorder_reader_refresh(reader, HW_RECORDER_GCS), 0);
    assert_int_equal(hw_recorder_reader_newest(reader, HW_RECORDER_GCS), n);
    uint64_t oldest = hw_recorder_reader_oldest(reader, HW_RECORDER_GCS);
    for (uint64_t m = oldest; m > 0 && m <= n; m++)
      assert_is_gc(reader, m);
  }
  hw_recorder_reader_destroy(reader);
  hw_recorder_destroy(recorder);
  free(recording.bytes);
}

static void a_minute_has_the_range_of_its_samples(void** state) {
  (void)state;
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  /* Minute 2 has 60 samples, minute 3 the last. */
  for (uint64_t n = 120; n <= 180; n++) {
    hw_sample_t sample = recording_sample(n);
    sample.gc_time = 2;
    sample.array_buffers = n % 2 == 0 ? NAN : (double)n;
    write_gc(recorder, n);
    hw_recorder_sample(recorder, &sample, 77);
  }
  hw_recorder_reader_t* reader = open_whole(&recording);
  hw_recorder_minute_t minute;
  const uint64_t* words =
      hw_recorder_reader_record(reader, HW_RECORDER_MINUTES, 1);
  assert_non_null(words);
  memcpy(&minute, words, sizeof(minute));
  assert_int_equal(minute.number, 1);
  assert_true(minute.epoch_ms == 120000 && minute.samples == 60);
  assert_true(minute.gc_time_ms == 120 && minute.gcs == 60);
  assert_near(minute.max_pause_ms, (1000 + 179) / 1e6, 1e-12);
  assert_true(minute.heap_used.min == 12001 && minute.heap_used.max == 17901);
  assert_near(minute.heap_used.mean, 14951, 1e-12);
  assert_true(minute.array_buffers.min == 121);
  assert_true(minute.array_buffers.max == 179);
  assert_near(minute.array_buffers.mean, 150, 1e-12);
  assert_null(hw_recorder_reader_record(reader, HW_RECORDER_MINUTES, 2));
  /* The one going on says that it is to be the second. */
  words = hw_recorder_reader_record(
      reader, HW_RECORDER_MINUTE,
      hw_recorder_reader_newest(reader, HW_RECORDER_MINUTE));
  assert_non_null(words);
  memcpy(&minute, words, sizeof(minute));
  assert_int_equal(minute.number, 2);
  assert_true(minute.epoch_ms == 180000 && minute.samples == 1);
  assert_true(isnan(minute.array_buffers.mean));
  hw_recorder_reader_destroy(reader);
  hw_recorder_destroy(recorder);
  free(recording.bytes);
}

static void collections_since_the_state_are_counted_on_top(void** state) {
  (void)state;
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  hw_recorder_state_t written = {.gc_busy_ns = 5,
                                 .heap_bytes = 50000000,
                                 .allocated_bytes = 1000,
                                 .live_heap_bytes = 3,
                                 .pauses[HW_GC_MINOR] = {2, 100, 40, 60}};
  write_gc(recorder, 1); /* counted in the state already */
  hw_recorder_state(recorder, &written);
  write_gc(recorder, 2);
  write_gc(recorder, 3);
  write_gc(recorder, 7); /* a major one, and recorded as the fourth */
  hw_recorder_reader_t* reader = open_whole(&recording);
  hw_recorder_state_t read;
  assert_int_equal(hw_recorder_reader_state(reader, &read), 0);
  assert_int_equal(read.gc_number, 4);
  assert_int_equal(read.pauses[HW_GC_MINOR].count, 4);
  assert_int_equal(read.pauses[HW_GC_MINOR].sum_ns, 100 + 1002 + 1003);
  assert_int_equal(read.pauses[HW_GC_MINOR].min_ns, 40);
  assert_int_equal(read.pauses[HW_GC_MINOR].max_ns, 1003);
  assert_int_equal(read.pauses[HW_GC_MAJOR].count, 1);
  assert_int_equal(read.pauses[HW_GC_MAJOR].min_ns, 1007);
  assert_int_equal(read.gc_busy_ns, 5 + 1002 + 1003 + 1007);
  assert_int_equal(read.live_heap_bytes, 40000007);
  assert_int_equal(read.heap_bytes, 40000007);
  assert_int_equal(read.allocated_bytes,
                   1000 + 2 + (50000003 - 40000002) + (50000007 - 40000003));
  hw_recorder_reader_destroy(reader);
  hw_recorder_destroy(recorder);
  free(recording.bytes);
}

/* As a reader sees it that comes between a record and its bucket. */
static void a_collection_missing_in_its_bucket_is_made_good(void** state) {
  (void)state;
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  hw_histogram_t* read = calloc(HW_GC_KINDS, sizeof(*read));
  for (uint64_t n = 1; n <= 6; n++) {
    hw_gc_event_t gc = recording_gc(n);
    gc.duration_ns = n * 1000000;
    hw_recorder_gc(recorder, &gc, HW_GC_MINOR, 0);
    /* The last two are not in their buckets: those wait for the next state. */
    const hw_recorder_state_t after_four = {
        .pauses[HW_GC_MINOR] = {4, 10000000, 1000000, 4000000}};
    if (n == 4) hw_recorder_state(recorder, &after_four);
  }
  hw_recorder_reader_t* reader = open_whole(&recording);
  assert_int_equal(hw_recorder_reader_pauses(reader, read), 0);
  assert_int_equal(read[HW_GC_MINOR].count, 6);
  for (uint64_t n = 1; n <= 6; n++)
    assert_int_equal(
        read[HW_GC_MINOR].buckets[hw_histogram_bucket(n * 1000000)], 1);
  assert_int_equal(read[HW_GC_MINOR].min_ns, 1000000);
  assert_int_equal(read[HW_GC_MINOR].max_ns, 6000000);
  free(read);
  hw_recorder_reader_destroy(reader);
  hw_recorder_destroy(recorder);
  free(recording.bytes);
}

static void a_state_is_due_before_its_collections_are_overwritten(
    void** state) {
  (void)state;
  hw_recorder_layout_t layout;
  assert_int_equal(hw_recorder_layout(HW_RECORDER_MIN_BYTES, &layout), 0);
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  const hw_recorder_state_t written = {0};
  uint64_t last = 0;
  for (uint64_t n = 1; n <= 10000; n++) {
    hw_gc_event_t gc = recording_gc(n);
    bool due = hw_recorder_gc(recorder, &gc, hw_gc_kind(gc.type), 0);
    assert_true(n - last < layout.area[HW_RECORDER_GCS].slots);
    if (!due) continue;
    hw_recorder_state(recorder, &written);
    last = n;
  }
  assert_true(last > 0);
  hw_recorder_destroy(recorder);
  free(recording.bytes);
}

/* -- Notes and requests -------------------------------------------------- */

static void notes_of_any_length_up_to_their_room_are_kept_whole(void** state) {
  (void)state;
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  char* text = malloc(HW_RECORDER_DETAIL_ROOM + 1);
  memset(text, 'x', HW_RECORDER_DETAIL_ROOM + 1);
  for (int kind = 0; kind < HW_RECORDER_NOTE_KINDS; kind++) {
    size_t room = hw_recorder_note_room(kind);
    assert_int_equal(hw_recorder_note(recorder, kind, 1, text, room + 1),
                     HW_RECORDING_TOO_LARGE);
    for (size_t length = room - 9; length <= room; length++) {
      assert_int_equal(hw_recorder_note(recorder, kind, kind, text, length), 0);
      hw_recorder_reader_t* reader = open_whole(&recording);
      hw_recorder_section_t section = hw_recorder_note_section(kind);
      hw_recorder_text_t note;
      assert_true(hw_recorder_reader_text(
          reader, section, hw_recorder_reader_newest(reader, section), &note));
      assert_int_equal(note.length, length);
      assert_int_equal(note.kind, kind);
      assert_true(note.epoch_ms == kind);
      assert_memory_equal(note.text, text, length);
      hw_recorder_reader_destroy(reader);
    }
  }
  assert_int_equal(hw_recorder_note(recorder, HW_RECORDER_NOTE_KINDS, 1, "", 0),
                   HW_EINVAL);
  free(text);
  hw_recorder_destroy(recorder);
  free(recording.bytes);
}

static void a_request_is_taken_once_and_answered(void** state) {
  (void)state;
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  char text[HW_RECORDER_REQUEST_ROOM + 1];
  uint64_t number = 0;
  assert_false(hw_recorder_next_request(recorder, &number, text));
  hw_recorder_layout_t layout;
  assert_int_equal(hw_recorder_layout(recording.size, &layout), 0);
  uint64_t* slot =
      (uint64_t*)(recording.bytes + layout.area[HW_RECORDER_REQUEST].offset);
  assert_int_equal(hw_recorder_make_request(1, 3, "snapshot /x", 11, slot), 0);
  slot[4] ^= 1; /* half written */
  assert_false(hw_recorder_next_request(recorder, &number, text));
  slot[4] ^= 1;
  assert_true(hw_recorder_next_request(recorder, &number, text));
  assert_int_equal(number, 1);
  assert_string_equal(text, "snapshot /x");
  assert_false(hw_recorder_next_request(recorder, &number, text));
  hw_recorder_answer(recorder, number, 0, 9, "done", 4);
  hw_recorder_reader_t* reader = open_whole(&recording);
  hw_recorder_text_t answer;
  assert_true(hw_recorder_reader_text(reader, HW_RECORDER_ANSWER, 1, &answer));
  assert_int_equal(answer.length, 12);
  assert_memory_equal(answer.text, "\1\0\0\0\0\0\0\0done", 12);
  hw_recorder_reader_destroy(reader);
  hw_recorder_destroy(recorder);
  free(recording.bytes);
}

static void requests_that_are_nonsense_are_not_taken(void** state) {
  (void)state;
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  hw_recorder_layout_t layout;
  assert_int_equal(hw_recorder_layout(recording.size, &layout), 0);
  uint64_t* slot =
      (uint64_t*)(recording.bytes + layout.area[HW_RECORDER_REQUEST].offset);
  char text[HW_RECORDER_REQUEST_ROOM + 1];
  uint64_t number;
  for (uint64_t length = 0; length < 40; length++) {
    memset(slot, 0xff, HW_RECORDER_REQUEST_BYTES);
    slot[3] = length < 32 ? UINT64_C(1) << length : UINT64_MAX << length;
    assert_false(hw_recorder_next_request(recorder, &number, text));
  }
  hw_recorder_destroy(recorder);
  free(recording.bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_of_the_default_size_keeps_what_is_promised),
      cmocka_unit_test(sections_of_any_size_lie_in_the_file_and_apart),
      cmocka_unit_test(sizes_out_of_range_are_refused),
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(the_newest_overwrite_the_oldest),
      cmocka_unit_test(a_refresh_reads_on_from_any_distance),
      cmocka_unit_test(a_minute_has_the_range_of_its_samples),
      cmocka_unit_test(collections_since_the_state_are_counted_on_top),
      cmocka_unit_test(a_collection_missing_in_its_bucket_is_made_good),
      cmocka_unit_test(a_state_is_due_before_its_collections_are_overwritten),
      cmocka_unit_test(notes_of_any_length_up_to_their_room_are_kept_whole),
      cmocka_unit_test(a_request_is_taken_once_and_answered),
      cmocka_unit_test(requests_that_are_nonsense_are_not_taken),
  };
  return cmocka_run_group_tests_name("recorder", tests, NULL, NULL);
}
