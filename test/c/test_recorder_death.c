#include "test.h"

/* -- A writer that dies -------------------------------------------------- */

/* The writer is compiled in here with its stores counted, so that it can be
 * killed after any of them. What has been stored by then is what a SIGKILL
 * between the same two instructions leaves in the file: stores of one thread
 * reach memory in the order of the program as far as release asks for it. */
static jmp_buf death;
static uint64_t stores_left = UINT64_MAX;

static void store_or_die(uint64_t* word, uint64_t value) {
  if (stores_left-- == 0) longjmp(death, 1);
  *(volatile uint64_t*)word = value;
}

#define __atomic_store_n(word, value, order) store_or_die(word, value)
#include "core/hw_recorder.c"
#undef __atomic_store_n

#include "recording.h"

/* -- Death --------------------------------------------------------------- */

#define BEFORE 40u

/* Writes 40 of everything, then one more while the stores last. Returns
 * whether they lasted. */
static bool write_until_death(recording_t* recording, hw_recorder_t* recorder,
                              uint64_t stores,
                              void (*write)(hw_recorder_t*, uint64_t)) {
  (void)recording;
  stores_left = UINT64_MAX;
  for (uint64_t n = 1; n <= BEFORE; n++)
    write(recorder, n);
  stores_left = stores;
  if (setjmp(death) != 0) return false;
  write(recorder, BEFORE + 1);
  stores_left = UINT64_MAX;
  return true;
}

static void write_sample(hw_recorder_t* recorder, uint64_t n) {
  hw_sample_t sample = recording_sample(n * 30); /* a minute every other one */
  hw_recorder_sample(recorder, &sample, n);
}

static void write_state(hw_recorder_t* recorder, uint64_t n) {
  const hw_recorder_state_t state = {.epoch_ms = (double)n,
                                     .samples = n,
                                     .missed = n,
                                     .pauses[HW_GC_WEAKCB] = {n, n, n, n}};
  hw_recorder_state(recorder, &state);
}

static void write_leak(hw_recorder_t* recorder, uint64_t n) {
  char text[200];
  memset(text, (int)('A' + n % 26), sizeof(text));
  hw_recorder_note(recorder, HW_RECORDER_NOTE_LEAK, (double)n, text,
                   100 + n % 100);
}

static void assert_is_leak(const hw_recorder_text_t* text, uint64_t n) {
  assert_true(text->epoch_ms == (double)n);
  assert_int_equal(text->length, 100 + n % 100);
  for (size_t i = 0; i < text->length; i++)
    assert_int_equal(text->text[i], 'A' + n % 26);
}

/* A record is whole or not there, whichever of its stores was the last. */
static void death_at_any_store_costs_only_what_was_being_written(void** state) {
  (void)state;
  static const struct {
    void (*write)(hw_recorder_t*, uint64_t);
    hw_recorder_section_t section;
    uint64_t least_stores; /* below that the record cannot be whole */
  } cases[] = {
      {write_gc, HW_RECORDER_GCS, 12},
      {write_sample, HW_RECORDER_SAMPLES, 20},
      {write_state, HW_RECORDER_STATE, 31},
      {write_leak, HW_RECORDER_VERDICTS, 17},
  };
  for (size_t c = 0; c < COUNT_OF(cases); c++) {
    uint64_t stores = 0;
    for (bool alive = false; !alive; stores++) {
      recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
      hw_recorder_t* recorder = record_into(&recording);
      alive = write_until_death(&recording, recorder, stores, cases[c].write);
      hw_recorder_reader_t* reader = open_whole(&recording);
      uint64_t newest = hw_recorder_reader_newest(reader, cases[c].section);
      assert_true(newest == BEFORE || newest == BEFORE + 1);
      if (stores < cases[c].least_stores) assert_int_equal(newest, BEFORE);
      if (alive) assert_int_equal(newest, BEFORE + 1);
      /* All but the oldest, which the new one replaces. */
      uint64_t oldest = hw_recorder_reader_oldest(reader, cases[c].section);
      for (uint64_t n = oldest + 1; n <= newest; n++) {
        hw_recorder_text_t text;
        hw_recorder_state_t found;
        switch (cases[c].section) {
          case HW_RECORDER_GCS:
            assert_is_gc(reader, n);
            break;
          case HW_RECORDER_STATE:
            assert_int_equal(hw_recorder_reader_state(reader, &found), 0);
            assert_int_equal(found.samples, newest);
            assert_int_equal(found.missed, newest);
            assert_int_equal(found.pauses[HW_GC_WEAKCB].max_ns, newest);
            break;
          case HW_RECORDER_VERDICTS:
            assert_true(
                hw_recorder_reader_text(reader, cases[c].section, n, &text));
            assert_is_leak(&text, n);
            break;
          default: {
            const uint64_t* words =
                hw_recorder_reader_record(reader, cases[c].section, n);
            hw_sample_t expected = recording_sample(n * 30);
            assert_non_null(words);
            assert_memory_equal(words, &expected, sizeof(expected));
          }
        }
      }
      hw_recorder_reader_destroy(reader);
      hw_recorder_destroy(recorder);
      free(recording.bytes);
    }
    assert_true(stores > cases[c].least_stores);
  }
}

/* A minute that ends is written twice, as the present one and for good: at any
 * store it is there, and counts once. */
static void death_at_any_store_costs_no_minute(void** state) {
  (void)state;
  uint64_t stores = 0;
  for (bool alive = false; !alive; stores++) {
    recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
    hw_recorder_t* recorder = record_into(&recording);
    alive = write_until_death(&recording, recorder, stores, write_sample);
    hw_recorder_reader_t* reader = open_whole(&recording);
    double samples = 0;
    uint64_t newest = hw_recorder_reader_newest(reader, HW_RECORDER_MINUTES);
    hw_recorder_minute_t minute;
    for (uint64_t n = 1; n <= newest; n++) {
      const uint64_t* words =
          hw_recorder_reader_record(reader, HW_RECORDER_MINUTES, n);
      assert_non_null(words);
      memcpy(&minute, words, sizeof(minute));
      samples += minute.samples;
    }
    const uint64_t* words = hw_recorder_reader_record(
        reader, HW_RECORDER_MINUTE,
        hw_recorder_reader_newest(reader, HW_RECORDER_MINUTE));
    assert_non_null(words);
    if (words[0] > newest) {
      memcpy(&minute, words, sizeof(minute));
      samples += minute.samples;
    }
    assert_true(samples == BEFORE || samples == BEFORE + 1);
    if (alive) assert_true(samples == BEFORE + 1);
    hw_recorder_reader_destroy(reader);
    hw_recorder_destroy(recorder);
    free(recording.bytes);
  }
}

/* As write_until_death, of a state. */
static bool count_until_death(hw_recorder_t* recorder,
                              const hw_recorder_state_t* counters,
                              uint64_t stores) {
  stores_left = stores;
  if (setjmp(death) != 0) return false;
  hw_recorder_state(recorder, counters);
  stores_left = UINT64_MAX;
  return true;
}

/* Of 30 collections in different buckets the last 20 are counted there when the
 * writer dies: those that it had not come to are made good. */
static void death_while_pauses_are_counted_costs_none(void** state) {
  (void)state;
  uint64_t stores = 0;
  hw_histogram_t* read = calloc(HW_GC_KINDS, sizeof(*read));
  for (bool alive = false; !alive; stores++) {
    recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
    hw_recorder_t* recorder = record_into(&recording);
    hw_recorder_state_t counters = {0};
    stores_left = UINT64_MAX;
    hw_recorder_state(recorder, &counters);
    for (uint64_t n = 1; n <= 30; n++) {
      hw_gc_event_t gc = recording_gc(1);
      gc.duration_ns = n * 1000000;
      hw_recorder_gc(recorder, &gc, HW_GC_MINOR, 0);
      counters.pauses[HW_GC_MINOR].count = n;
      if (n == 10) hw_recorder_state(recorder, &counters);
    }
    alive = count_until_death(recorder, &counters, stores);
    hw_recorder_reader_t* reader = open_whole(&recording);
    assert_int_equal(hw_recorder_reader_pauses(reader, read), 0);
    assert_int_equal(read[HW_GC_MINOR].count, 30);
    for (uint64_t n = 1; n <= 30; n++)
      assert_int_equal(
          read[HW_GC_MINOR].buckets[hw_histogram_bucket(n * 1000000)], 1);
    hw_recorder_reader_destroy(reader);
    hw_recorder_destroy(recorder);
    free(recording.bytes);
  }
  assert_true(stores > 50);
  free(read);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(death_at_any_store_costs_only_what_was_being_written),
      cmocka_unit_test(death_at_any_store_costs_no_minute),
      cmocka_unit_test(death_while_pauses_are_counted_costs_none),
  };
  return cmocka_run_group_tests_name("recorder_death", tests, NULL, NULL);
}
