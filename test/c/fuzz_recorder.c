/*
 * libFuzzer target: recorder files that somebody has changed, through all of
 * the reader. `make fuzz_recorder SECONDS=60`.
 *
 * A file has a megabyte, most of it empty, so the input is not a file but what
 * is done to a whole one:
 *
 *   byte 0      bit 0: the head's check is made right again; bit 1: so are the
 *               checks of the records that were changed; bit 2: the file is cut
 *               short; bit 3: it changes between two looks at it
 *   bytes 1-4   the length it is cut to
 *   then edits  section (1), slot (2), word (2), bytes to set (8)
 *
 * Checks made right are what lets hostile numbers through to the code behind
 * them. Beyond what the sanitizers see, it is held that whatever the reader
 * gives is valid by the rule, lies in the section and fits it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The fixture of the unit tests, without cmocka. */
#define assert_int_equal(a, b) check((a) == (b))
#define assert_true(a) check(a)
#define assert_non_null(a) check((a) != NULL)
static void check(int holds) {
  if (!holds) abort();
}

#include "recording.h"

#define EDIT_BYTES 13u

static recording_t base;
static hw_recorder_layout_t layout;

/* Slots of the sections whose number varies: few, so that many files can be
 * tried in a second, and enough for the reader to read on in one of them. */
static uint32_t slots_of(int section, uint32_t usual) {
  switch (section) {
    case HW_RECORDER_GCS:
      return 80;
    case HW_RECORDER_SAMPLES:
    case HW_RECORDER_MINUTES:
      return 10;
    case HW_RECORDER_PRESSURES:
    case HW_RECORDER_VERDICTS:
    case HW_RECORDER_DETAILS:
      return 2;
    default:
      return usual;
  }
}

/* Moves the sections of `from` into a file of fewer slots. */
static recording_t shrunk(const recording_t* from) {
  hw_recorder_layout_t usual;
  check(hw_recorder_layout(from->size, &usual) == 0);
  uint64_t offset = HW_RECORDER_HEAD_BYTES;
  for (int i = 0; i < HW_RECORDER_SECTIONS; i++) {
    uint32_t slots = slots_of(i, usual.area[i].slots);
    layout.area[i] =
        (hw_recorder_area_t){offset, usual.area[i].slot_bytes, slots};
    offset += (uint64_t)slots * usual.area[i].slot_bytes;
  }
  layout.bytes = offset;
  recording_t to = {calloc(1, offset), offset};
  hw_recorder_write_head(&layout, to.bytes);
  for (int i = 0; i < HW_RECORDER_SECTIONS; i++)
    memcpy(to.bytes + layout.area[i].offset, from->bytes + usual.area[i].offset,
           (size_t)layout.area[i].slots * layout.area[i].slot_bytes);
  return to;
}

/* One file with some of everything. */
static void make_base(void) {
  recording_t whole = new_recording(HW_RECORDER_MIN_BYTES);
  hw_recorder_t* recorder = record_into(&whole);
  const hw_recorder_state_t state = {.samples = 1};
  for (uint64_t n = 1; n <= 60; n++) {
    write_gc(recorder, n);
    if (n % 20 == 0) hw_recorder_state(recorder, &state);
  }
  for (uint64_t n = 1; n <= 10; n++) {
    hw_sample_t sample = recording_sample(n * 30);
    hw_recorder_sample(recorder, &sample, n);
  }
  hw_recorder_note(recorder, HW_RECORDER_NOTE_PRESSURE, 1, "{\"n\":1}", 7);
  hw_recorder_note(recorder, HW_RECORDER_NOTE_LEAK, 2, "{\"n\":2}", 7);
  hw_recorder_note(recorder, HW_RECORDER_NOTE_SITES, 3, "[]", 2);
  hw_recorder_answer(recorder, 1, 0, 1, "answer", 6);
  hw_recorder_destroy(recorder);
  base = shrunk(&whole);
  free(whole.bytes);
  recording_t copy = base;
  hw_recorder_reader_t* reader = NULL;
  check(recording_open(&copy, &reader) == 0); /* what is fuzzed is read */
  hw_recorder_state_t read;
  check(hw_recorder_reader_state(reader, &read) == 0 && read.gc_number == 60);
  hw_recorder_reader_destroy(reader);
}

/* Makes the check of a slot right, as far as it can be. */
static void mend_slot(recording_t* file, int section, uint32_t slot) {
  const hw_recorder_area_t* area = &layout.area[section];
  if (section == HW_RECORDER_BUCKETS) return;
  uint64_t* words = (uint64_t*)(file->bytes + area->offset +
                                (uint64_t)slot * area->slot_bytes);
  size_t count = area->slot_bytes / 8 - HW_RECORDER_RECORD_WORDS;
  if (section <= HW_RECORDER_ANSWER && section != HW_RECORDER_STATE) {
    uint64_t length = words[3] & UINT32_MAX;
    if (length <= (count - 2) * 8) count = 2 + (length + 7) / 8;
  } else if (section >= HW_RECORDER_PRESSURES) {
    uint64_t length = words[3] & UINT32_MAX;
    if (length <= (count - 2) * 8) count = 2 + (length + 7) / 8;
  }
  words[1] = hw_recorder_check((uint32_t)section, words[0], words + 2, count);
}

/* A section beyond the last is the head. */
static void edit(recording_t* file, const uint8_t* edit, int mend) {
  int section = edit[0] % (HW_RECORDER_SECTIONS + 1);
  uint16_t slot, word;
  memcpy(&slot, edit + 1, 2);
  memcpy(&word, edit + 3, 2);
  if (section == HW_RECORDER_SECTIONS) {
    memcpy(file->bytes + word % 40 * 8, edit + 5, 8);
    return;
  }
  const hw_recorder_area_t* area = &layout.area[section];
  uint32_t at = slot % area->slots;
  memcpy(file->bytes + area->offset + (uint64_t)at * area->slot_bytes +
             word % (area->slot_bytes / 8) * 8,
         edit + 5, 8);
  if (mend) mend_slot(file, section, at);
}

/* The head's check, by the description. */
static void mend_head(recording_t* file) {
  uint64_t words[3 + 2 * HW_RECORDER_SECTIONS];
  memcpy(words, file->bytes, 24);
  memcpy(words + 3, file->bytes + 32, 16 * HW_RECORDER_SECTIONS);
  uint64_t right =
      hw_recorder_check(UINT32_C(0xffffffff), 0, words, sizeof(words) / 8);
  memcpy(file->bytes + 24, &right, 8);
}

static void look_at_section(hw_recorder_reader_t* reader, int section) {
  const hw_recorder_area_t* area =
      &hw_recorder_reader_layout(reader)->area[section];
  uint64_t newest = hw_recorder_reader_newest(reader, section);
  uint64_t n = hw_recorder_reader_oldest(reader, section);
  check(n <= newest && newest - n < area->slots);
  check(newest >> 63 == 0);
  uint64_t sum = 0;
  for (; n > 0 && n <= newest; n++) {
    const uint64_t* words = hw_recorder_reader_record(reader, section, n);
    if (words == NULL) continue;
    check(words[-2] == n);
    for (size_t i = 0; i < area->slot_bytes / 8 - 2; i++)
      sum += words[i];
    hw_recorder_text_t text;
    if (!hw_recorder_reader_text(reader, section, n, &text)) continue;
    check(text.length <= HW_RECORDER_ROOM(area->slot_bytes));
    for (size_t i = 0; i < text.length; i++)
      sum += (unsigned char)text.text[i];
    check(hw_recorder_note_name(text.kind) != NULL);
    hw_recorder_note_section(text.kind);
  }
  volatile uint64_t used = sum;
  (void)used;
}

static void look_at_all(hw_recorder_reader_t* reader) {
  static hw_histogram_t histograms[HW_GC_KINDS];
  hw_recorder_state_t state;
  for (int section = 0; section < HW_RECORDER_SECTIONS; section++) {
    if (hw_recorder_reader_refresh(reader, section) == 0 &&
        section != HW_RECORDER_BUCKETS)
      look_at_section(reader, section);
  }
  hw_recorder_reader_state(reader, &state);
  if (hw_recorder_reader_pauses(reader, histograms) != 0) return;
  for (int kind = 0; kind < HW_GC_KINDS; kind++)
    hw_histogram_value_at_percentile(&histograms[kind], 99);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static recording_t file;
  if (size < 5) return 0;
  if (base.bytes == NULL) {
    make_base();
    file = (recording_t){malloc(base.size), base.size};
    check(file.bytes != NULL);
  }
  memcpy(file.bytes, base.bytes, base.size);
  file.size = base.size;
  uint8_t how = data[0];
  uint32_t length;
  memcpy(&length, data + 1, 4);
  size_t count = (size - 5) / EDIT_BYTES;
  size_t before = how & 8 ? count / 2 : count;
  for (size_t i = 0; i < before; i++)
    edit(&file, data + 5 + i * EDIT_BYTES, how & 2);
  if (how & 1) mend_head(&file);
  if (how & 4) file.size = length % (base.size + 1);
  /* What lies beyond the end is not the file's: a copy of the exact size lets
   * the sanitizer say so. */
  recording_t exact = {malloc(file.size + 1), file.size};
  check(exact.bytes != NULL);
  memcpy(exact.bytes, file.bytes, file.size);
  hw_recorder_reader_t* reader = NULL;
  if (recording_open(&exact, &reader) == 0) {
    look_at_all(reader);
    for (size_t i = before; i < count; i++)
      edit(&file, data + 5 + i * EDIT_BYTES, how & 2);
    memcpy(exact.bytes, file.bytes, file.size);
    look_at_all(reader);
    hw_recorder_reader_destroy(reader);
  }
  free(exact.bytes);
  return 0;
}
