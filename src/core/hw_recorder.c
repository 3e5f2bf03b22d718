#include "hw_recorder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hw_error.h"

#define MS_PER_MINUTE 60000.0
#define NS_PER_MS 1e6

/* Collections after which the state is due even if no sample comes: a reader
 * adds up those that came after it, and they must still be there. */
#define GCS_A_STATE 1024u

/* Where the next record of a section goes. The section's place is kept here:
 * what lies in the file may have been overwritten by anybody. */
typedef struct {
  uint64_t* first;
  size_t slot_words;
  uint32_t slots;
  uint32_t next; /* slot */
  uint64_t number;
} cursor_t;

/* A range in the making. */
typedef struct {
  double min;
  double max;
  double sum;
  double count;
} gathered_t;

typedef struct {
  double epoch_ms; /* NaN: none yet */
  double samples;
  double gc_time_ms;
  uint64_t gcs;
  uint64_t max_pause_ns;
  gathered_t heap_total;
  gathered_t allocation_rate;
  gathered_t loop_delay;
  gathered_t heap_used;
  gathered_t rss;
  gathered_t external;
  gathered_t array_buffers;
} minute_t;

/* What a collection touches comes first: one cache line, which it finds cold,
 * and what it adds to `waiting`. */
struct hw_recorder_s {
  cursor_t gcs;
  uint64_t minute_gcs;
  uint64_t max_pause_ns;
  uint32_t since_state; /* collections, and how many are in `waiting` */
  /* Buckets that are to be counted, with the kind above WAITING_KIND. */
  uint16_t waiting[GCS_A_STATE];
  uint64_t* buckets[HW_GC_KINDS];
  cursor_t cursor[HW_RECORDER_SECTIONS]; /* of all sections but `gcs` */
  minute_t minute;
  uint64_t* request;
  uint64_t request_number; /* taken last */
};

#define WAITING_KIND 11
_Static_assert(HW_HISTOGRAM_BUCKETS <= 1 << WAITING_KIND &&
                   HW_GC_KINDS <= 1 << (16 - WAITING_KIND),
               "a bucket and its kind fit into 16 bits");

/* -- Records ------------------------------------------------------------- */

/* Relaxed: the order that matters is made by begin and commit. Each word is
 * one store, so that none is seen in part. */
static void store(uint64_t* word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t* word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static uint64_t* begin(cursor_t* cursor) {
  uint64_t* slot = cursor->first + cursor->next * cursor->slot_words;
  store(slot, 0);
  /* The number is gone before anything of the content changes. */
  __atomic_thread_fence(__ATOMIC_RELEASE);
  return slot;
}

static void commit(cursor_t* cursor, uint64_t* slot, uint64_t check) {
  store(&slot[1], check);
  cursor->number++;
  cursor->next = cursor->next + 1 == cursor->slots ? 0 : cursor->next + 1;
  /* And it comes last, once everything else is there. */
  __atomic_store_n(slot, cursor->number, __ATOMIC_RELEASE);
}

/* Writes one record. Inline, so that the compiler knows the number of words. */
static inline void write_record(cursor_t* cursor, hw_recorder_section_t section,
                                const uint64_t* words, size_t count) {
  uint64_t* slot = begin(cursor);
  for (size_t i = 0; i < count; i++)
    store(&slot[HW_RECORDER_RECORD_WORDS + i], words[i]);
  commit(cursor, slot,
         hw_recorder_check(section, cursor->number + 1, words, count));
}

#define WRITE_RECORD(cursor, section, record)                  \
  do {                                                         \
    uint64_t words_[HW_RECORDER_WORDS(*(record))];             \
    memcpy(words_, record, sizeof(words_));                    \
    write_record(cursor, section, words_, sizeof(words_) / 8); \
  } while (0)

static size_t room_of(const cursor_t* cursor) {
  return (cursor->slot_words - HW_RECORDER_TEXT_WORDS) * sizeof(uint64_t);
}

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

/* The word of a text at `offset`, filled up with zeros. */
static uint64_t word_of(const char* text, size_t length, size_t offset) {
  uint64_t word = 0;
  size_t left = length - offset;
  memcpy(&word, text + offset, left < sizeof(word) ? left : sizeof(word));
  return word;
}

/* Writes `length` bytes of text, which must fit, straight to where it stays. */
static void write_text(hw_recorder_t* recorder, hw_recorder_section_t section,
                       uint32_t kind, double epoch_ms, const char* text,
                       size_t length) {
  cursor_t* cursor = &recorder->cursor[section];
  uint64_t* slot = begin(cursor);
  uint64_t* words = slot + HW_RECORDER_RECORD_WORDS;
  size_t count = 0;
  store(&words[count++], bits_of(epoch_ms));
  store(&words[count++], (uint64_t)length | (uint64_t)kind << 32);
  for (size_t i = 0; i < length; i += sizeof(uint64_t))
    store(&words[count++], word_of(text, length, i));
  /* The check reads back what has just been written: should somebody have
   * changed it meanwhile, the record is as good as what is in the file. */
  commit(cursor, slot,
         hw_recorder_check(section, cursor->number + 1, words, count));
}

/* -- Life ---------------------------------------------------------------- */

int hw_recorder_create(hw_recorder_t** recorder, void* memory, uint64_t bytes,
                       const char* identity, size_t length, double epoch_ms) {
  hw_recorder_layout_t layout;
  int error = hw_recorder_layout(bytes, &layout);
  if (error != 0) return error;
  hw_recorder_t* r = calloc(1, sizeof(*r));
  if (r == NULL) return HW_ENOMEM;
  for (int i = 0; i < HW_RECORDER_SECTIONS; i++) {
    const hw_recorder_area_t* area = &layout.area[i];
    r->cursor[i] =
        (cursor_t){.first = (uint64_t*)((char*)memory + area->offset),
                   .slot_words = area->slot_bytes / sizeof(uint64_t),
                   .slots = area->slots};
  }
  if (length > room_of(&r->cursor[HW_RECORDER_IDENTITY])) {
    free(r);
    return HW_RECORDING_TOO_LARGE;
  }
  r->gcs = r->cursor[HW_RECORDER_GCS];
  const cursor_t* buckets = &r->cursor[HW_RECORDER_BUCKETS];
  for (int kind = 0; kind < HW_GC_KINDS; kind++)
    r->buckets[kind] = buckets->first + (size_t)kind * buckets->slot_words;
  r->request = r->cursor[HW_RECORDER_REQUEST].first;
  r->minute.epoch_ms = NAN;
  hw_recorder_write_head(&layout, memory);
  write_text(r, HW_RECORDER_IDENTITY, 0, epoch_ms, identity, length);
  *recorder = r;
  return 0;
}

void hw_recorder_destroy(hw_recorder_t* recorder) {
  free(recorder);
}

/* -- Collections --------------------------------------------------------- */

void hw_recorder_set_pauses(hw_recorder_t* recorder, hw_gc_kind_t kind,
                            const hw_histogram_t* histogram) {
  for (unsigned i = 0; i < HW_HISTOGRAM_BUCKETS; i++)
    store(&recorder->buckets[kind][i], histogram->buckets[i]);
}

/* Counts into the file's buckets what has been recorded since this was done
 * last, in that order: whenever it is cut off, the newest are what is missing.
 * The counters are the file's own. Whoever changes one has changed what only
 * readers are told. */
static void count_waiting(hw_recorder_t* recorder) {
  /* After the records, from which a reader makes good what is missing here. */
  __atomic_thread_fence(__ATOMIC_RELEASE);
  for (uint32_t i = 0; i < recorder->since_state; i++) {
    unsigned waiting = recorder->waiting[i];
    uint64_t* bucket = &recorder->buckets[waiting >> WAITING_KIND]
                                         [waiting & ((1 << WAITING_KIND) - 1)];
    __atomic_store_n(bucket, load(bucket) + 1, __ATOMIC_RELEASE);
  }
  recorder->since_state = 0;
}

bool hw_recorder_gc(hw_recorder_t* recorder, const hw_gc_event_t* event,
                    hw_gc_kind_t kind, double epoch_ms) {
  const hw_recorder_gc_t gc = {
      .type_flags = event->type | (uint64_t)event->flags << 32,
      .epoch_ms = (double)event->start_ns / NS_PER_MS + epoch_ms,
      .start_ns = event->start_ns,
      .duration_ns = event->duration_ns,
      .heap_before_bytes = event->heap_before_bytes,
      .heap_after_bytes = event->heap_after_bytes,
      .external_before_bytes = event->external_before_bytes,
      .external_after_bytes = event->external_after_bytes,
      .busy_ns = event->busy_ns};
  WRITE_RECORD(&recorder->gcs, HW_RECORDER_GCS, &gc);
  recorder->minute_gcs++;
  if (event->duration_ns > recorder->max_pause_ns)
    recorder->max_pause_ns = event->duration_ns;
  if (recorder->since_state == GCS_A_STATE) count_waiting(recorder);
  recorder->waiting[recorder->since_state++] =
      (uint16_t)(hw_histogram_bucket(event->duration_ns) | (unsigned)kind
                                                               << WAITING_KIND);
  return recorder->since_state == GCS_A_STATE;
}

size_t hw_recorder_next_lines(const hw_recorder_t* recorder,
                              const void** lines) {
  const cursor_t* gcs = &recorder->gcs;
  const uint64_t* slot = gcs->first + gcs->next * gcs->slot_words;
  size_t count = 0;
  lines[count++] = gcs;
  lines[count++] = &recorder->waiting[recorder->since_state % GCS_A_STATE];
  lines[count++] = slot;
  lines[count++] = slot + gcs->slot_words - 1;
  return count;
}

/* -- Samples and minutes ------------------------------------------------- */

static void gather(gathered_t* gathered, double value) {
  if (isnan(value)) return;
  if (gathered->count == 0 || value < gathered->min) gathered->min = value;
  if (gathered->count == 0 || value > gathered->max) gathered->max = value;
  gathered->sum += value;
  gathered->count++;
}

static double mean_of(const gathered_t* gathered) {
  return gathered->count > 0 ? gathered->sum / gathered->count : NAN;
}

static double max_of(const gathered_t* gathered) {
  return gathered->count > 0 ? gathered->max : NAN;
}

static hw_recorder_range_t range_of(const gathered_t* gathered) {
  if (gathered->count == 0) return (hw_recorder_range_t){NAN, NAN, NAN};
  return (hw_recorder_range_t){gathered->min, gathered->max, mean_of(gathered)};
}

/* The minute a sample belongs to begins anew when the clock says another, also
 * an earlier one: clocks can be set. */
static void gather_sample(hw_recorder_t* recorder, const hw_sample_t* sample) {
  minute_t* minute = &recorder->minute;
  minute->samples++;
  minute->gc_time_ms += sample->gc_time;
  minute->gcs += recorder->minute_gcs;
  if (recorder->max_pause_ns > minute->max_pause_ns)
    minute->max_pause_ns = recorder->max_pause_ns;
  recorder->minute_gcs = 0;
  recorder->max_pause_ns = 0;
  gather(&minute->heap_total, sample->heap_total);
  gather(&minute->allocation_rate, sample->allocation_rate);
  gather(&minute->loop_delay, sample->loop_delay);
  gather(&minute->heap_used, sample->heap_used);
  gather(&minute->rss, sample->rss);
  gather(&minute->external, sample->external);
  gather(&minute->array_buffers, sample->array_buffers);
}

static void write_minute(hw_recorder_t* recorder, const hw_sample_t* sample,
                         uint64_t live_heap_bytes,
                         hw_recorder_section_t section) {
  const minute_t* minute = &recorder->minute;
  const hw_recorder_minute_t record = {
      .number = recorder->cursor[HW_RECORDER_MINUTES].number + 1,
      .epoch_ms = minute->epoch_ms,
      .samples = minute->samples,
      .gcs = (double)minute->gcs,
      .gc_time_ms = minute->gc_time_ms,
      .max_pause_ms = (double)minute->max_pause_ns / NS_PER_MS,
      .live_heap = (double)live_heap_bytes,
      .heap_limit = sample->heap_limit,
      .memory_limit = sample->memory_limit,
      .heap_total = mean_of(&minute->heap_total),
      .allocation_rate = mean_of(&minute->allocation_rate),
      .max_allocation_rate = max_of(&minute->allocation_rate),
      .loop_delay = mean_of(&minute->loop_delay),
      .max_loop_delay = max_of(&minute->loop_delay),
      .heap_used = range_of(&minute->heap_used),
      .rss = range_of(&minute->rss),
      .external = range_of(&minute->external),
      .array_buffers = range_of(&minute->array_buffers)};
  WRITE_RECORD(&recorder->cursor[section], section, &record);
}

void hw_recorder_sample(hw_recorder_t* recorder, const hw_sample_t* sample,
                        uint64_t live_heap_bytes) {
  WRITE_RECORD(&recorder->cursor[HW_RECORDER_SAMPLES], HW_RECORDER_SAMPLES,
               sample);
  double minute_ms = floor(sample->time / MS_PER_MINUTE) * MS_PER_MINUTE;
  minute_t* minute = &recorder->minute;
  if (minute_ms != minute->epoch_ms) {
    /* The limits are those of this sample: no older one is kept. */
    if (minute->samples > 0)
      write_minute(recorder, sample, live_heap_bytes, HW_RECORDER_MINUTES);
    *minute = (minute_t){.epoch_ms = minute_ms};
  }
  gather_sample(recorder, sample);
  write_minute(recorder, sample, live_heap_bytes, HW_RECORDER_MINUTE);
}

void hw_recorder_state(hw_recorder_t* recorder,
                       const hw_recorder_state_t* state) {
  hw_recorder_state_t record = *state;
  record.gc_number = recorder->gcs.number;
  record.sample_number = recorder->cursor[HW_RECORDER_SAMPLES].number;
  count_waiting(recorder);
  WRITE_RECORD(&recorder->cursor[HW_RECORDER_STATE], HW_RECORDER_STATE,
               &record);
}

/* -- Notes --------------------------------------------------------------- */

size_t hw_recorder_note_room(hw_recorder_note_kind_t kind) {
  switch (hw_recorder_note_section(kind)) {
    case HW_RECORDER_PRESSURES:
      return HW_RECORDER_PRESSURE_ROOM;
    case HW_RECORDER_VERDICTS:
      return HW_RECORDER_VERDICT_ROOM;
    case HW_RECORDER_DETAILS:
      return HW_RECORDER_DETAIL_ROOM;
    default:
      return 0;
  }
}

int hw_recorder_note(hw_recorder_t* recorder, hw_recorder_note_kind_t kind,
                     double epoch_ms, const char* json, size_t length) {
  hw_recorder_section_t section = hw_recorder_note_section(kind);
  if (section == HW_RECORDER_SECTIONS) return HW_EINVAL;
  if (length > room_of(&recorder->cursor[section]))
    return HW_RECORDING_TOO_LARGE;
  write_text(recorder, section, kind, epoch_ms, json, length);
  return 0;
}

/* -- Requests ------------------------------------------------------------ */

bool hw_recorder_next_request(hw_recorder_t* recorder, uint64_t* number,
                              char* text) {
  uint64_t words[HW_RECORDER_REQUEST_BYTES / sizeof(uint64_t)];
  uint64_t found = __atomic_load_n(recorder->request, __ATOMIC_ACQUIRE);
  if (found == 0 || found == recorder->request_number) return false;
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
    words[i] = load(&recorder->request[i]);
  uint64_t length = words[HW_RECORDER_TEXT_WORDS - 1] & UINT32_MAX;
  if (length > HW_RECORDER_REQUEST_ROOM) return false;
  size_t count = 2 + (length + 7) / 8;
  /* Still being written, or nonsense: another look with the next sample. */
  if (hw_recorder_check(HW_RECORDER_REQUEST, found,
                        words + HW_RECORDER_RECORD_WORDS, count) != words[1])
    return false;
  for (size_t i = 0; i < length; i++)
    text[i] = (char)(words[HW_RECORDER_TEXT_WORDS + i / 8] >> i % 8 * 8);
  text[length] = '\0';
  recorder->request_number = found;
  *number = found;
  return true;
}

void hw_recorder_answer(hw_recorder_t* recorder, uint64_t number, int error,
                        double epoch_ms, const char* text, size_t length) {
  char answer[sizeof(number) + HW_RECORDER_ANSWER_ROOM];
  if (length > HW_RECORDER_ANSWER_ROOM) length = HW_RECORDER_ANSWER_ROOM;
  memcpy(answer, &number, sizeof(number));
  memcpy(answer + sizeof(number), text, length);
  write_text(recorder, HW_RECORDER_ANSWER, (uint32_t)error, epoch_ms, answer,
             sizeof(number) + length);
}
