#include "hw_recorder_reader.h"

#include <stdlib.h>
#include <string.h>

#include "hw_error.h"

/* Slots read at once when looking for new ones. */
#define SLOTS_AT_ONCE 32u

/* A section as it was last read. */
typedef struct {
  uint64_t* copy; /* all of its slots; NULL: not read yet */
  uint64_t newest;
  bool partial; /* older records than were asked for have not been read */
} section_t;

struct hw_recorder_reader_s {
  hw_recorder_source_t source;
  hw_recorder_layout_t layout;
  section_t section[HW_RECORDER_SECTIONS];
};

int hw_recorder_reader_create(hw_recorder_reader_t** reader,
                              const hw_recorder_source_t* source,
                              uint64_t bytes, uint32_t* version) {
  uint64_t head[HW_RECORDER_HEAD_BYTES / sizeof(uint64_t)];
  size_t length = bytes < sizeof(head) ? (size_t)bytes : sizeof(head);
  int error = 0;
  if (length > 0) error = source->read(source->data, 0, head, length);
  if (error != 0) return error;
  hw_recorder_layout_t layout;
  error = hw_recorder_read_head(head, length, bytes, &layout, version);
  if (error != 0) return error;
  hw_recorder_reader_t* created = calloc(1, sizeof(*created));
  if (created == NULL) return HW_ENOMEM;
  created->source = *source;
  created->layout = layout;
  *reader = created;
  return 0;
}

void hw_recorder_reader_destroy(hw_recorder_reader_t* reader) {
  if (reader == NULL) return;
  for (int i = 0; i < HW_RECORDER_SECTIONS; i++)
    free(reader->section[i].copy);
  free(reader);
}

const hw_recorder_layout_t* hw_recorder_reader_layout(
    const hw_recorder_reader_t* reader) {
  return &reader->layout;
}

/* -- Valid records ------------------------------------------------------- */

static bool is_text(hw_recorder_section_t section) {
  switch (section) {
    case HW_RECORDER_IDENTITY:
    case HW_RECORDER_REQUEST:
    case HW_RECORDER_ANSWER:
    case HW_RECORDER_PRESSURES:
    case HW_RECORDER_VERDICTS:
    case HW_RECORDER_DETAILS:
      return true;
    default:
      return false;
  }
}

static size_t slot_words(const hw_recorder_reader_t* reader,
                         hw_recorder_section_t section) {
  return reader->layout.area[section].slot_bytes / sizeof(uint64_t);
}

/* The words of content that the check of a slot covers, 0 if none can be. */
static size_t content_words(const uint64_t* slot, size_t words,
                            hw_recorder_section_t section) {
  if (!is_text(section)) return words - HW_RECORDER_RECORD_WORDS;
  uint64_t length = slot[HW_RECORDER_TEXT_WORDS - 1] & UINT32_MAX;
  uint64_t room = (words - HW_RECORDER_TEXT_WORDS) * sizeof(uint64_t);
  if (length > room) return 0;
  return HW_RECORDER_TEXT_WORDS - HW_RECORDER_RECORD_WORDS +
         (size_t)(length + sizeof(uint64_t) - 1) / sizeof(uint64_t);
}

/* The number of the record at a place in the copy, 0 if it is not valid. */
static uint64_t valid_number(const hw_recorder_reader_t* reader,
                             hw_recorder_section_t section, uint32_t place) {
  size_t words = slot_words(reader, section);
  const uint64_t* slot = reader->section[section].copy + place * words;
  uint64_t number = slot[0];
  if (number == 0 || number >> 63 != 0 ||
      (number - 1) % reader->layout.area[section].slots != place)
    return 0;
  size_t count = content_words(slot, words, section);
  if (count == 0 ||
      slot[1] != hw_recorder_check(section, number,
                                   slot + HW_RECORDER_RECORD_WORDS, count))
    return 0;
  return number;
}

/* -- Reading ------------------------------------------------------------- */

static int read_slots(hw_recorder_reader_t* reader,
                      hw_recorder_section_t section, uint32_t first,
                      uint32_t count, uint64_t* copy) {
  const hw_recorder_area_t* area = &reader->layout.area[section];
  return reader->source.read(reader->source.data,
                             area->offset + (uint64_t)first * area->slot_bytes,
                             copy + first * slot_words(reader, section),
                             (size_t)count * area->slot_bytes);
}

static int make_room(hw_recorder_reader_t* reader,
                     hw_recorder_section_t section) {
  const hw_recorder_area_t* area = &reader->layout.area[section];
  section_t* s = &reader->section[section];
  if (s->copy == NULL) s->copy = calloc(area->slots, area->slot_bytes);
  return s->copy == NULL ? HW_ENOMEM : 0;
}

/* Reads a whole section. */
static int read_all(hw_recorder_reader_t* reader,
                    hw_recorder_section_t section) {
  const hw_recorder_area_t* area = &reader->layout.area[section];
  section_t* s = &reader->section[section];
  int error = make_room(reader, section);
  if (error == 0) error = read_slots(reader, section, 0, area->slots, s->copy);
  if (error != 0) return error;
  s->newest = 0;
  s->partial = false;
  if (section == HW_RECORDER_BUCKETS) return 0;
  for (uint32_t i = 0; i < area->slots; i++) {
    uint64_t number = valid_number(reader, section, i);
    if (number > s->newest) s->newest = number;
  }
  return 0;
}

/* Reads on from the newest record that is known, as long as the next ones are
 * there. `*whole` is set if that leaves something out, because the writer has
 * gone around or one on the way is not valid. */
static int read_on(hw_recorder_reader_t* reader, hw_recorder_section_t section,
                   bool* whole) {
  uint32_t slots = reader->layout.area[section].slots;
  section_t* s = &reader->section[section];
  *whole = false;
  for (uint32_t seen = 0; seen < slots;) {
    uint32_t first = (uint32_t)(s->newest % slots);
    uint32_t count = slots - first;
    if (count > SLOTS_AT_ONCE) count = SLOTS_AT_ONCE;
    int error = read_slots(reader, section, first, count, s->copy);
    if (error != 0) return error;
    uint32_t taken = 0;
    while (taken < count &&
           valid_number(reader, section, first + taken) == s->newest + 1) {
      s->newest++;
      taken++;
    }
    for (uint32_t i = taken; i < count; i++)
      *whole |= valid_number(reader, section, first + i) > s->newest;
    if (taken < count) return 0;
    seen += taken;
  }
  /* As many as there are slots came while they were read. */
  *whole = true;
  return 0;
}

int hw_recorder_reader_refresh(hw_recorder_reader_t* reader,
                               hw_recorder_section_t section) {
  const section_t* s = &reader->section[section];
  if (s->copy == NULL || s->partial || s->newest == 0 ||
      reader->layout.area[section].slots <= SLOTS_AT_ONCE)
    return read_all(reader, section);
  bool whole;
  int error = read_on(reader, section, &whole);
  if (error == 0 && whole) error = read_all(reader, section);
  return error;
}

/* Reads the records above `number`: of a section that is long few, if what is
 * known is of late. */
static int refresh_after(hw_recorder_reader_t* reader,
                         hw_recorder_section_t section, uint64_t number) {
  section_t* s = &reader->section[section];
  if (number >> 63 != 0 || (s->copy != NULL && !s->partial))
    return hw_recorder_reader_refresh(reader, section);
  int error = make_room(reader, section);
  if (error != 0) return error;
  s->partial = true;
  if (number > s->newest) s->newest = number;
  bool whole;
  error = read_on(reader, section, &whole);
  if (error == 0 && whole) error = read_all(reader, section);
  return error;
}

int hw_recorder_reader_load(hw_recorder_reader_t* reader) {
  int error = 0;
  for (int i = 0; error == 0 && i < HW_RECORDER_SECTIONS; i++)
    error = hw_recorder_reader_refresh(reader, i);
  return error;
}

/* -- Records ------------------------------------------------------------- */

uint64_t hw_recorder_reader_newest(const hw_recorder_reader_t* reader,
                                   hw_recorder_section_t section) {
  return reader->section[section].newest;
}

uint64_t hw_recorder_reader_oldest(const hw_recorder_reader_t* reader,
                                   hw_recorder_section_t section) {
  uint64_t newest = reader->section[section].newest;
  uint32_t slots = reader->layout.area[section].slots;
  return newest > slots ? newest - slots + 1 : newest > 0;
}

const uint64_t* hw_recorder_reader_record(const hw_recorder_reader_t* reader,
                                          hw_recorder_section_t section,
                                          uint64_t number) {
  if (reader->section[section].copy == NULL || number == 0) return NULL;
  uint32_t place =
      (uint32_t)((number - 1) % reader->layout.area[section].slots);
  if (valid_number(reader, section, place) != number) return NULL;
  return reader->section[section].copy + place * slot_words(reader, section) +
         HW_RECORDER_RECORD_WORDS;
}

bool hw_recorder_reader_text(const hw_recorder_reader_t* reader,
                             hw_recorder_section_t section, uint64_t number,
                             hw_recorder_text_t* text) {
  const uint64_t* words = hw_recorder_reader_record(reader, section, number);
  if (words == NULL || !is_text(section)) return false;
  memcpy(&text->epoch_ms, &words[0], sizeof(double));
  text->length = (size_t)(words[1] & UINT32_MAX);
  text->kind = (uint32_t)(words[1] >> 32);
  text->text = (const char*)&words[2];
  return true;
}

/* -- Counters ------------------------------------------------------------ */

/* Counts one collection as hw_counters.c and hw_histogram.c do. */
static void add_gc(hw_recorder_state_t* state, const hw_recorder_gc_t* gc) {
  hw_gc_kind_t kind = hw_gc_kind((uint32_t)gc->type_flags);
  if (kind == HW_GC_KINDS) return;
  hw_recorder_pauses_t* pauses = &state->pauses[kind];
  if (pauses->count == 0 || gc->duration_ns < pauses->min_ns)
    pauses->min_ns = gc->duration_ns;
  if (gc->duration_ns > pauses->max_ns) pauses->max_ns = gc->duration_ns;
  pauses->count++;
  pauses->sum_ns += gc->duration_ns;
  state->gc_busy_ns += gc->busy_ns;
  if (gc->heap_before_bytes > state->heap_bytes)
    state->allocated_bytes += gc->heap_before_bytes - state->heap_bytes;
  state->heap_bytes = gc->heap_after_bytes;
  if (kind == HW_GC_MAJOR) state->live_heap_bytes = gc->heap_after_bytes;
  double end_ms = gc->epoch_ms + (double)gc->duration_ns / 1e6;
  if (end_ms > state->epoch_ms) state->epoch_ms = end_ms;
}

int hw_recorder_reader_state(hw_recorder_reader_t* reader,
                             hw_recorder_state_t* state) {
  /* The state first: collections that come between the two are added. */
  int error = hw_recorder_reader_refresh(reader, HW_RECORDER_STATE);
  if (error != 0) return error;
  const uint64_t* words = hw_recorder_reader_record(
      reader, HW_RECORDER_STATE,
      hw_recorder_reader_newest(reader, HW_RECORDER_STATE));
  if (words == NULL) return HW_RECORDING_DAMAGED;
  memcpy(state, words, sizeof(*state));
  error = refresh_after(reader, HW_RECORDER_GCS, state->gc_number);
  if (error != 0) return error;
  uint64_t newest = hw_recorder_reader_newest(reader, HW_RECORDER_GCS);
  if (state->gc_number >= newest) return 0;
  uint64_t number = hw_recorder_reader_oldest(reader, HW_RECORDER_GCS);
  if (number <= state->gc_number) number = state->gc_number + 1;
  for (; number <= newest; number++) {
    words = hw_recorder_reader_record(reader, HW_RECORDER_GCS, number);
    if (words == NULL) continue;
    hw_recorder_gc_t gc;
    memcpy(&gc, words, sizeof(gc));
    add_gc(state, &gc);
    state->gc_number = number;
  }
  return 0;
}

/* A copy that nothing was added to while it was made: two readings that are the
 * same. A watch adds to buckets once a sample, so the second one mostly is. */
#define BUCKET_READINGS 8

static int refresh_buckets(hw_recorder_reader_t* reader) {
  const hw_recorder_area_t* area = &reader->layout.area[HW_RECORDER_BUCKETS];
  section_t* s = &reader->section[HW_RECORDER_BUCKETS];
  size_t bytes = (size_t)area->slots * area->slot_bytes;
  bool first = s->copy == NULL;
  uint64_t* before = malloc(bytes);
  if (before == NULL) return HW_ENOMEM;
  int error = 0;
  for (int i = 0; error == 0 && i < BUCKET_READINGS; i++) {
    bool compare = i > 0 || !first;
    if (compare) memcpy(before, s->copy, bytes);
    error = read_all(reader, HW_RECORDER_BUCKETS);
    if (error == 0 && compare && memcmp(before, s->copy, bytes) == 0) break;
  }
  free(before);
  return error;
}

static uint64_t copy_buckets(const hw_recorder_reader_t* reader,
                             hw_gc_kind_t kind, hw_histogram_t* histogram) {
  const uint64_t* buckets = reader->section[HW_RECORDER_BUCKETS].copy +
                            (size_t)kind * HW_HISTOGRAM_BUCKETS;
  uint64_t count = 0;
  for (unsigned i = 0; i < HW_HISTOGRAM_BUCKETS; i++) {
    histogram->buckets[i] = buckets[i];
    count += buckets[i];
  }
  return count;
}

/* Collections that are recorded and were not in their bucket yet when it was
 * read are the newest of their kind up to `number`, the last that is counted.
 */
static void add_missing(const hw_recorder_reader_t* reader, hw_gc_kind_t kind,
                        uint64_t number, uint64_t missing,
                        hw_histogram_t* histogram) {
  uint64_t oldest = hw_recorder_reader_oldest(reader, HW_RECORDER_GCS);
  uint64_t newest = hw_recorder_reader_newest(reader, HW_RECORDER_GCS);
  if (number > newest) number = newest;
  for (; missing > 0 && number >= oldest && number > 0; number--) {
    const uint64_t* words =
        hw_recorder_reader_record(reader, HW_RECORDER_GCS, number);
    hw_recorder_gc_t gc;
    if (words == NULL) continue;
    memcpy(&gc, words, sizeof(gc));
    if (hw_gc_kind((uint32_t)gc.type_flags) != kind) continue;
    histogram->buckets[hw_histogram_bucket(gc.duration_ns)]++;
    missing--;
  }
}

int hw_recorder_reader_pauses(hw_recorder_reader_t* reader,
                              hw_histogram_t* histograms) {
  /* The buckets first: the collections since are made good. */
  hw_recorder_state_t state;
  int error = refresh_buckets(reader);
  if (error == 0) error = hw_recorder_reader_state(reader, &state);
  /* What is missing can be older than the state, if that is newer than the
   * buckets. */
  if (error == 0) error = hw_recorder_reader_refresh(reader, HW_RECORDER_GCS);
  if (error != 0) return error;
  for (int kind = 0; kind < HW_GC_KINDS; kind++) {
    const hw_recorder_pauses_t* pauses = &state.pauses[kind];
    hw_histogram_t* histogram = &histograms[kind];
    uint64_t counted = copy_buckets(reader, kind, histogram);
    if (counted < pauses->count)
      add_missing(reader, kind, state.gc_number, pauses->count - counted,
                  histogram);
    histogram->count = pauses->count;
    histogram->sum_ns = pauses->sum_ns;
    histogram->min_ns = pauses->min_ns;
    histogram->max_ns = pauses->max_ns;
  }
  return 0;
}

/* -- Requests ------------------------------------------------------------ */

int hw_recorder_make_request(uint64_t number, double epoch_ms, const char* text,
                             size_t length, uint64_t* words) {
  if (length > HW_RECORDER_REQUEST_ROOM) return HW_RECORDING_TOO_LARGE;
  memset(words, 0, HW_RECORDER_REQUEST_BYTES);
  words[0] = number;
  memcpy(&words[2], &epoch_ms, sizeof(epoch_ms));
  words[3] = length;
  memcpy(&words[HW_RECORDER_TEXT_WORDS], text, length);
  size_t count = content_words(
      words, HW_RECORDER_REQUEST_BYTES / sizeof(uint64_t), HW_RECORDER_REQUEST);
  words[1] = hw_recorder_check(HW_RECORDER_REQUEST, number,
                               words + HW_RECORDER_RECORD_WORDS, count);
  return 0;
}
