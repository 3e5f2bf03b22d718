#ifndef HW_RECORDER_FORMAT_H_
#define HW_RECORDER_FORMAT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw_gc.h"
#include "hw_histogram.h"
#include "hw_sample.h"

/*
 * The recorder's file: what a watch knows, in shared memory that outlives it.
 *
 * A watch maps one file of a fixed size and writes into it from its timer and
 * from inside the collector. Another process reads the file, while the watch
 * writes or after its process has died. Neither waits for the other.
 *
 * GUARANTEE. Whatever ends the process (SIGKILL, abort(), the kernel's
 * out-of-memory killer, V8's fatal error, an exit), every record that was
 * committed before is in the file and valid, and no record that was being
 * written is taken for one. What is lost is at most the record being written
 * at that instant and the ones it was about to replace, which were the oldest.
 * This holds because the memory is the kernel's, not the process's. It says
 * nothing of a loss of power or a crash of the kernel: the file is never
 * synced.
 *
 * NUMBERS. All are 64-bit words, little-endian, at offsets divisible by 8: an
 * unsigned integer, or the bits of an IEEE 754 double where marked (d). Times
 * marked "epoch" are milliseconds since 1970 (d); "ns" is nanoseconds of
 * uv_hrtime's clock or a duration; sizes are bytes.
 *
 * HEAD, at offset 0, written once before the file gets its name:
 *
 *   word 0   the bytes "HEAPWREC"
 *   word 1   version (low 32 bits), number of sections (high 32 bits)
 *   word 2   size of the file
 *   word 3   check of words 0 to 2 and of the table: as of a record, with
 *            section 0xffffffff and number 0
 *   word 4   table of the sections, two words each: the offset, then the size
 *            of a slot (low 32 bits) and the number of slots (high 32 bits)
 *
 * SECTIONS are arrays of slots, in the order of hw_recorder_section_t. All
 * but HW_RECORDER_BUCKETS hold records.
 *
 * RECORD. A slot holds one record:
 *
 *   word 0   its number: 1, 2, 3 ... in each section; 0 while it is written
 *   word 1   check
 *   word 2+  content
 *
 * Record n lies in slot (n - 1) modulo the number of slots, over record
 * n - slots. It is VALID if, and only if, its number is neither 0 nor 2^63 or
 * more, belongs into that slot, and word 1 is hw_recorder_check of the section,
 * the number and the content. A reader copies the slot first and judges the
 * copy. The valid records of the highest numbers are what the section holds;
 * one that is not valid is skipped. Where a section has two slots they are
 * written by turns, so that its last record is whole while the next is written.
 *
 * The writer stores 0 into word 0, then the content, the check, and last the
 * number. It reads nothing back from the file but requests, and the buckets
 * that it adds to.
 *
 * TEXT. A record of text has as its content: the epoch; its length in bytes
 * (low 32 bits) and its kind (high 32 bits); then UTF-8, filled up with zeros
 * to a whole word. The check covers the words in use.
 *
 * CONTENT, by section:
 *
 *   identity   text: JSON of who is watched, see docs/recorder.md
 *   state      hw_recorder_state_t: the counters as of the last sample, or of
 *              the last 1024th collection if that is later
 *   request    text, written by a reader: what the watch is asked for
 *   answer     text, written by the watch; kind is 0 or an error, and the
 *              first 8 bytes are the number of the request
 *   minute     the minute going on: hw_recorder_minute_t. It counts if its
 *              `number` is above that of the newest record of `minutes`
 *   buckets    four slots, one for each kind of collection: the buckets of
 *              hw_histogram.h, each a counter by itself and no record. A
 *              collection is counted here after its record is committed, at
 *              the latest before the next state, in their order: where the sum
 *              is less than the count, the newest records of that kind are
 *              what is missing. Two readings that are the same are a whole one
 *   samples    hw_sample_t: 17 doubles (d)
 *   gcs        hw_recorder_gc_t
 *   minutes    hw_recorder_minute_t
 *   pressures  text: JSON of the event `pressure`, or of its end
 *   verdicts   text: JSON of `leak`, `leakend`, `cause`
 *   details    text: JSON of sites and timelines
 *
 * The present counters are those of `state` and, on top of them, the records
 * of `gcs` whose number is above the state's `gc_number`.
 *
 * VERSION. A reader refuses a version it was not made for. Anything that
 * changes what is written here is another version.
 */

#define HW_RECORDER_MAGIC UINT64_C(0x4345525750414548) /* "HEAPWREC" */
#define HW_RECORDER_VERSION 1u
#define HW_RECORDER_HEAD_BYTES 4096u

/* Sizes of a file in bytes, and what it has room for at the default. */
#define HW_RECORDER_MIN_BYTES (UINT64_C(2) << 20)
#define HW_RECORDER_DEFAULT_BYTES (UINT64_C(4) << 20)
#define HW_RECORDER_MAX_BYTES (UINT64_C(64) << 20)

typedef enum {
  HW_RECORDER_IDENTITY,
  HW_RECORDER_STATE,
  HW_RECORDER_REQUEST,
  HW_RECORDER_ANSWER,
  HW_RECORDER_MINUTE,
  HW_RECORDER_BUCKETS,
  HW_RECORDER_SAMPLES,
  HW_RECORDER_GCS,
  HW_RECORDER_MINUTES,
  HW_RECORDER_PRESSURES,
  HW_RECORDER_VERDICTS,
  HW_RECORDER_DETAILS,
  HW_RECORDER_SECTIONS
} hw_recorder_section_t;

/* Words of a record before its content, and of a text before its bytes. */
#define HW_RECORDER_RECORD_WORDS 2u
#define HW_RECORDER_TEXT_WORDS 4u

/* The longest text that a slot of `bytes` holds. */
#define HW_RECORDER_ROOM(bytes) ((bytes)-HW_RECORDER_TEXT_WORDS * 8u)

/* Slots of text, by section. An answer begins with a number of 8 bytes. */
#define HW_RECORDER_IDENTITY_BYTES 16384u
#define HW_RECORDER_REQUEST_BYTES 1024u
#define HW_RECORDER_ANSWER_BYTES 2048u
#define HW_RECORDER_PRESSURE_BYTES 512u
#define HW_RECORDER_VERDICT_BYTES 16384u
#define HW_RECORDER_DETAIL_BYTES 32768u
#define HW_RECORDER_REQUEST_ROOM HW_RECORDER_ROOM(HW_RECORDER_REQUEST_BYTES)
#define HW_RECORDER_ANSWER_ROOM \
  (HW_RECORDER_ROOM(HW_RECORDER_ANSWER_BYTES) - 8u)
#define HW_RECORDER_PRESSURE_ROOM HW_RECORDER_ROOM(HW_RECORDER_PRESSURE_BYTES)
#define HW_RECORDER_VERDICT_ROOM HW_RECORDER_ROOM(HW_RECORDER_VERDICT_BYTES)
#define HW_RECORDER_DETAIL_ROOM HW_RECORDER_ROOM(HW_RECORDER_DETAIL_BYTES)

/* What notes are about, and the name JavaScript knows each by. */
#define HW_RECORDER_NOTE_MAP(XX)                        \
  XX(LEAK, "leak", HW_RECORDER_VERDICTS)                \
  XX(LEAKEND, "leakend", HW_RECORDER_VERDICTS)          \
  XX(PRESSURE, "pressure", HW_RECORDER_PRESSURES)       \
  XX(PRESSUREEND, "pressureend", HW_RECORDER_PRESSURES) \
  XX(SITES, "sites", HW_RECORDER_DETAILS)               \
  XX(TIMELINE, "timeline", HW_RECORDER_DETAILS)         \
  XX(CAUSE, "cause", HW_RECORDER_VERDICTS)

typedef enum {
#define XX(name, text, section) HW_RECORDER_NOTE_##name,
  HW_RECORDER_NOTE_MAP(XX)
#undef XX
      HW_RECORDER_NOTE_KINDS
} hw_recorder_note_kind_t;

/* Bits of a state's flags. */
#define HW_RECORDER_STOPPED (UINT64_C(1) << 0)   /* the watch has ended */
#define HW_RECORDER_EXITED (UINT64_C(1) << 2)    /* with an exit code */
#define HW_RECORDER_SUSPECTED (UINT64_C(1) << 1) /* something may leak */
#define HW_RECORDER_PRESSURE_SHIFT 8 /* a bit for each hw_pressure_reason_t */
#define HW_RECORDER_EXIT_SHIFT 32    /* the exit code, 32 bits */
#define HW_RECORDER_LEAK_SHIFT 16    /* a bit for each hw_leak_metric_t */

/* Pauses of one kind, all of the watch's life. Their buckets are apart. */
typedef struct {
  uint64_t count;
  uint64_t sum_ns;
  uint64_t min_ns;
  uint64_t max_ns;
} hw_recorder_pauses_t;

typedef struct {
  double epoch_ms;
  uint64_t flags;
  uint64_t gc_number; /* collections recorded: the last counted in here */
  uint64_t sample_number;
  uint64_t samples; /* since the watch began, and so on */
  uint64_t missed;
  uint64_t dropped;
  uint64_t gc_busy_ns;
  uint64_t allocated_bytes;
  uint64_t heap_bytes;      /* used, at the last collection or reading */
  uint64_t live_heap_bytes; /* used after the last major collection, or 0 */
  uint64_t old_space_limit_bytes;
  hw_recorder_pauses_t pauses[HW_GC_KINDS];
} hw_recorder_state_t;

typedef struct {
  uint64_t type_flags; /* hw_gc_type_t, V8's flags in the high 32 bits */
  double epoch_ms;     /* of its start */
  uint64_t start_ns;
  uint64_t duration_ns;
  uint64_t heap_before_bytes;
  uint64_t heap_after_bytes;
  uint64_t external_before_bytes;
  uint64_t external_after_bytes;
  uint64_t busy_ns;
} hw_recorder_gc_t;

/* The lowest, highest and mean of a figure over a minute; NaN if unknown. */
typedef struct {
  double min;
  double max;
  double mean;
} hw_recorder_range_t;

/* One minute of the wall clock. Doubles but for the first. */
typedef struct {
  uint64_t number; /* of this record in `minutes` */
  double epoch_ms; /* its beginning */
  double samples;
  double gcs;
  double gc_time_ms;
  double max_pause_ms;
  double live_heap;    /* the newest */
  double heap_limit;   /* the newest */
  double memory_limit; /* the newest */
  double heap_total;   /* the mean */
  double allocation_rate;
  double max_allocation_rate;
  double loop_delay; /* the mean */
  double max_loop_delay;
  hw_recorder_range_t heap_used;
  hw_recorder_range_t rss;
  hw_recorder_range_t external;
  hw_recorder_range_t array_buffers;
} hw_recorder_minute_t;

#define HW_RECORDER_WORDS(type) (sizeof(type) / sizeof(uint64_t))

/* Where a section lies. */
typedef struct {
  uint64_t offset;
  uint32_t slot_bytes;
  uint32_t slots;
} hw_recorder_area_t;

typedef struct {
  uint64_t bytes; /* of the file */
  hw_recorder_area_t area[HW_RECORDER_SECTIONS];
} hw_recorder_layout_t;

/* Words lie in the file as they do in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the recorder is for little-endian machines");

#define HW_RECORDER_MIX UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t hw_recorder_mix(uint64_t lane, uint64_t word) {
  lane = (lane ^ word) * HW_RECORDER_MIX;
  return lane ^ (lane >> 32);
}

/*
 * The check of a record: two lanes take the words of the content by turns, the
 * first begins with the section, the second with the record's number. A change
 * of any one word changes it for certain, any other with 1 - 2^-64. Pure; safe
 * inside a GC.
 */
static inline uint64_t hw_recorder_check(uint32_t section, uint64_t number,
                                         const uint64_t* words, size_t count) {
  uint64_t a = hw_recorder_mix(HW_RECORDER_MIX, section);
  uint64_t b = hw_recorder_mix(~HW_RECORDER_MIX, number);
  size_t i = 0;
  for (; i + 1 < count; i += 2) {
    a = hw_recorder_mix(a, words[i]);
    b = hw_recorder_mix(b, words[i + 1]);
  }
  if (i < count) a = hw_recorder_mix(a, words[i]);
  return hw_recorder_mix(a, (b << 31) | (b >> 33)) ^ count;
}

/* Lays out a file of `bytes`, HW_RECORDER_MIN_BYTES to HW_RECORDER_MAX_BYTES:
 * what varies with the size are samples, collections, minutes and notes.
 * Returns 0 or HW_EINVAL. Pure. */
int hw_recorder_layout(uint64_t bytes, hw_recorder_layout_t* layout);

/* Writes the head of a layout to `head`, HW_RECORDER_HEAD_BYTES aligned to 8.
 */
void hw_recorder_write_head(const hw_recorder_layout_t* layout, void* head);

/* Reads a head back: of a file of `bytes` of which `head_bytes` are at `head`.
 * A layout that it gives lies within the file. Returns 0,
 * HW_RECORDING_EMPTY, HW_RECORDING_FOREIGN, HW_RECORDING_VERSION (and the
 * version in `*version`), HW_RECORDING_TRUNCATED or HW_RECORDING_DAMAGED. Pure,
 * and safe with any bytes. */
int hw_recorder_read_head(const void* head, size_t head_bytes, uint64_t bytes,
                          hw_recorder_layout_t* layout, uint32_t* version);

/* The name of a kind of note, such as "leakend": static, "unknown" if there is
 * no such kind. Pure. */
const char* hw_recorder_note_name(uint32_t kind);

/* The section that notes of a kind go to; HW_RECORDER_SECTIONS for none. */
hw_recorder_section_t hw_recorder_note_section(uint32_t kind);

#endif /* HW_RECORDER_FORMAT_H_ */
