#include "test.h"

#include "recording.h"

#define SAMPLES 20

/* A file with some of everything. */
static recording_t full_recording(void) {
  recording_t recording = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&recording);
  const hw_recorder_state_t state = {.samples = SAMPLES};
  for (uint64_t n = 1; n <= SAMPLES; n++) {
    hw_sample_t sample = recording_sample(n * 30);
    write_gc(recorder, n);
    hw_recorder_sample(recorder, &sample, n);
    hw_recorder_state(recorder, &state);
  }
  for (int kind = 0; kind < HW_RECORDER_NOTE_KINDS; kind++)
    hw_recorder_note(recorder, kind, kind, "{\"a\":\"note\"}", 12);
  hw_recorder_answer(recorder, 1, 0, 1, "answer", 6);
  hw_recorder_destroy(recorder);
  return recording;
}

static int head_error(recording_t* recording) {
  hw_recorder_reader_t* reader = NULL;
  int error = recording_open(recording, &reader);
  if (error == 0) hw_recorder_reader_destroy(reader);
  return error;
}

static void a_file_cut_short_is_refused_at_any_length(void** state) {
  (void)state;
  recording_t recording = full_recording();
  uint64_t size = recording.size;
  for (uint64_t length = 0; length < size;
       length += length < 5000 || length + 64 > size ? 1 : 997) {
    recording.size = length;
    int expected = length == 0  ? HW_RECORDING_EMPTY
                   : length < 8 ? HW_RECORDING_FOREIGN
                                : HW_RECORDING_TRUNCATED;
    assert_int_equal(head_error(&recording), expected);
  }
  recording.size = size;
  assert_int_equal(head_error(&recording), 0);
  free(recording.bytes);
}

static void a_bit_flipped_in_the_head_is_noticed(void** state) {
  (void)state;
  recording_t recording = full_recording();
  for (size_t bit = 0; bit < 8 * (32 + 16 * HW_RECORDER_SECTIONS); bit++) {
    recording.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    int error = head_error(&recording);
    if (bit < 64)
      assert_int_equal(error, HW_RECORDING_FOREIGN);
    else if (bit < 96)
      assert_int_equal(error, HW_RECORDING_VERSION);
    else
      assert_int_equal(error, HW_RECORDING_DAMAGED);
    recording.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
  }
  free(recording.bytes);
}

static void another_version_is_named(void** state) {
  (void)state;
  recording_t recording = full_recording();
  const hw_recorder_source_t source = {recording_read, &recording};
  hw_recorder_reader_t* reader;
  uint32_t version = 0;
  recording.bytes[8] = 7;
  assert_int_equal(
      hw_recorder_reader_create(&reader, &source, recording.size, &version),
      HW_RECORDING_VERSION);
  assert_int_equal(version, 7);
  free(recording.bytes);
}

/* Heads whose check is right and whose sections are not. */
static void sections_that_cannot_be_are_refused(void** state) {
  (void)state;
  static const struct {
    int section;
    hw_recorder_area_t area; /* 0: as it was */
  } cases[] = {
      {HW_RECORDER_GCS, {UINT64_MAX - 7, 0, 0}},
      {HW_RECORDER_GCS, {HW_RECORDER_MIN_BYTES, 0, 0}},
      {HW_RECORDER_GCS, {HW_RECORDER_MIN_BYTES - 8, 0, 0}},
      {HW_RECORDER_GCS, {4097, 0, 0}},
      {HW_RECORDER_GCS, {0, 0, UINT32_MAX}},
      {HW_RECORDER_GCS, {0, 0, 1 << 20}},
      {HW_RECORDER_GCS, {0, 8, 0}},
      {HW_RECORDER_GCS, {0, UINT32_MAX, 0}},
      {HW_RECORDER_VERDICTS, {0, 16, 0}},
      {HW_RECORDER_BUCKETS, {0, 0, 5}},
      {HW_RECORDER_BUCKETS, {0, 0, 3}},
      {HW_RECORDER_BUCKETS, {0, 64, 0}},
      {HW_RECORDER_STATE, {0, 0, 1}},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    recording_t recording = full_recording();
    hw_recorder_layout_t layout;
    hw_recorder_layout(recording.size, &layout);
    hw_recorder_area_t* area = &layout.area[cases[i].section];
    if (cases[i].area.offset != 0) area->offset = cases[i].area.offset;
    if (cases[i].area.slot_bytes != 0)
      area->slot_bytes = cases[i].area.slot_bytes;
    if (cases[i].area.slots != 0) area->slots = cases[i].area.slots;
    hw_recorder_write_head(&layout, recording.bytes);
    assert_int_equal(head_error(&recording), HW_RECORDING_DAMAGED);
    free(recording.bytes);
  }
}

static void a_size_beyond_all_files_is_refused(void** state) {
  (void)state;
  recording_t recording = full_recording();
  hw_recorder_layout_t layout;
  hw_recorder_layout(recording.size, &layout);
  layout.bytes = UINT64_C(1) << 60;
  hw_recorder_write_head(&layout, recording.bytes);
  assert_int_equal(head_error(&recording), HW_RECORDING_DAMAGED);
  layout.bytes = HW_RECORDER_MIN_BYTES + 1;
  hw_recorder_write_head(&layout, recording.bytes);
  assert_int_equal(head_error(&recording), HW_RECORDING_TRUNCATED);
  free(recording.bytes);
}

/* Every byte of every record in use, one at a time: the record it lies in is
 * gone and no other, and none has changed. */
static void a_byte_flipped_in_a_record_costs_that_record(void** state) {
  (void)state;
  recording_t recording = full_recording();
  hw_recorder_reader_t* whole = open_whole(&recording);
  const hw_recorder_layout_t* layout = hw_recorder_reader_layout(whole);
  size_t flipped = 0;
  for (int s = 0; s < HW_RECORDER_SECTIONS; s++) {
    const hw_recorder_area_t* area = &layout->area[s];
    uint64_t newest = hw_recorder_reader_newest(whole, s);
    uint64_t n = hw_recorder_reader_oldest(whole, s);
    for (; n > 0 && n <= newest; n++) {
      const uint64_t* words = hw_recorder_reader_record(whole, s, n);
      hw_recorder_text_t text;
      size_t used = hw_recorder_reader_text(whole, s, n, &text)
                        ? 32 + (text.length + 7) / 8 * 8
                        : area->slot_bytes;
      unsigned char* slot = recording.bytes + area->offset +
                            (n - 1) % area->slots * area->slot_bytes;
      assert_non_null(words);
      for (size_t i = 0; i < used; i += 3) {
        slot[i] ^= 0x40;
        hw_recorder_reader_t* reader = NULL;
        assert_int_equal(recording_open(&recording, &reader), 0);
        assert_int_equal(hw_recorder_reader_refresh(reader, s), 0);
        assert_null(hw_recorder_reader_record(reader, s, n));
        if (n > hw_recorder_reader_oldest(whole, s))
          assert_non_null(hw_recorder_reader_record(reader, s, n - 1));
        hw_recorder_reader_destroy(reader);
        slot[i] ^= 0x40;
        flipped++;
      }
    }
  }
  assert_true(flipped > 1000);
  hw_recorder_reader_destroy(whole);
  free(recording.bytes);
}

/* A record that somebody made valid with a number that hardly can be. */
static void numbers_that_cannot_be_do_not_hang_the_reader(void** state) {
  (void)state;
  static const uint64_t far[] = {UINT64_C(1) << 40, (UINT64_C(1) << 63) - 1,
                                 UINT64_C(1) << 63, UINT64_MAX};
  for (size_t i = 0; i < COUNT_OF(far); i++) {
    recording_t recording = full_recording();
    hw_recorder_reader_t* reader = open_whole(&recording);
    const hw_recorder_area_t* area =
        &hw_recorder_reader_layout(reader)->area[HW_RECORDER_GCS];
    uint64_t number = far[i];
    uint64_t* slot = (uint64_t*)(recording.bytes + area->offset +
                                 (number - 1) % area->slots * area->slot_bytes);
    slot[0] = number;
    slot[1] = hw_recorder_check(HW_RECORDER_GCS, number, slot + 2,
                                area->slot_bytes / 8 - 2);
    assert_int_equal(hw_recorder_reader_refresh(reader, HW_RECORDER_GCS), 0);
    hw_recorder_state_t read;
    assert_int_equal(hw_recorder_reader_state(reader, &read), 0);
    hw_recorder_reader_destroy(reader);
    free(recording.bytes);
  }
}

static void without_a_valid_state_there_are_no_counters(void** state) {
  (void)state;
  recording_t recording = full_recording();
  hw_recorder_reader_t* reader = open_whole(&recording);
  const hw_recorder_area_t* area =
      &hw_recorder_reader_layout(reader)->area[HW_RECORDER_STATE];
  recording.bytes[area->offset] ^= 1;
  recording.bytes[area->offset + area->slot_bytes] ^= 1;
  hw_recorder_state_t read;
  assert_int_equal(hw_recorder_reader_state(reader, &read),
                   HW_RECORDING_DAMAGED);
  hw_recorder_reader_destroy(reader);
  free(recording.bytes);
}

static void a_file_cut_short_while_it_is_read_is_an_error(void** state) {
  (void)state;
  recording_t recording = full_recording();
  hw_recorder_reader_t* reader = open_whole(&recording);
  uint64_t size = recording.size;
  recording.size = HW_RECORDER_HEAD_BYTES;
  hw_recorder_state_t read;
  assert_int_equal(hw_recorder_reader_state(reader, &read),
                   HW_RECORDING_TRUNCATED);
  recording.size = size;
  assert_int_equal(hw_recorder_reader_state(reader, &read), 0);
  hw_recorder_reader_destroy(reader);
  free(recording.bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_cut_short_is_refused_at_any_length),
      cmocka_unit_test(a_bit_flipped_in_the_head_is_noticed),
      cmocka_unit_test(another_version_is_named),
      cmocka_unit_test(sections_that_cannot_be_are_refused),
      cmocka_unit_test(a_size_beyond_all_files_is_refused),
      cmocka_unit_test(a_byte_flipped_in_a_record_costs_that_record),
      cmocka_unit_test(numbers_that_cannot_be_do_not_hang_the_reader),
      cmocka_unit_test(without_a_valid_state_there_are_no_counters),
      cmocka_unit_test(a_file_cut_short_while_it_is_read_is_an_error),
  };
  return cmocka_run_group_tests_name("recorder_reader", tests, NULL, NULL);
}
