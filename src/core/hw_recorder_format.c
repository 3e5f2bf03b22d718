#include "hw_recorder_format.h"

#include <string.h>

#include "hw_error.h"

#define ALIGNMENT 64u
#define TABLE_WORD 4u
#define HEAD_SECTION UINT32_C(0xffffffff)

/* Rounded up, so that no record shares a cache line with another section. */
static uint64_t aligned(uint64_t bytes) {
  return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

#define RECORD_BYTES(type)                                           \
  ((uint32_t)((HW_RECORDER_WORDS(type) + HW_RECORDER_RECORD_WORDS) * \
              sizeof(uint64_t)))

/* Slots at the default size; `scaled` ones change with it. */
static const struct {
  uint32_t slot_bytes;
  uint32_t slots;
  bool scaled;
} plan[HW_RECORDER_SECTIONS] = {
    [HW_RECORDER_IDENTITY] = {HW_RECORDER_IDENTITY_BYTES, 1, false},
    [HW_RECORDER_STATE] = {RECORD_BYTES(hw_recorder_state_t), 2, false},
    [HW_RECORDER_REQUEST] = {HW_RECORDER_REQUEST_BYTES, 1, false},
    [HW_RECORDER_ANSWER] = {HW_RECORDER_ANSWER_BYTES, 2, false},
    [HW_RECORDER_MINUTE] = {RECORD_BYTES(hw_recorder_minute_t), 2, false},
    [HW_RECORDER_BUCKETS] = {HW_HISTOGRAM_BUCKETS * sizeof(uint64_t),
                             HW_GC_KINDS, false},
    [HW_RECORDER_SAMPLES] = {RECORD_BYTES(hw_sample_t), 3600, true},
    [HW_RECORDER_GCS] = {RECORD_BYTES(hw_recorder_gc_t), 8192, true},
    [HW_RECORDER_MINUTES] = {RECORD_BYTES(hw_recorder_minute_t), 10080, true},
    [HW_RECORDER_PRESSURES] = {HW_RECORDER_PRESSURE_BYTES, 128, true},
    [HW_RECORDER_VERDICTS] = {HW_RECORDER_VERDICT_BYTES, 19, true},
    [HW_RECORDER_DETAILS] = {HW_RECORDER_DETAIL_BYTES, 6, true}};

static uint64_t section_bytes(int section, uint64_t slots) {
  return aligned(plan[section].slot_bytes * slots);
}

int hw_recorder_layout(uint64_t bytes, hw_recorder_layout_t* layout) {
  if (bytes < HW_RECORDER_MIN_BYTES || bytes > HW_RECORDER_MAX_BYTES)
    return HW_EINVAL;
  uint64_t fixed = HW_RECORDER_HEAD_BYTES;
  for (int i = 0; i < HW_RECORDER_SECTIONS; i++) {
    if (!plan[i].scaled) fixed += section_bytes(i, plan[i].slots);
  }
  /* Rounding down each number of slots leaves room for the alignment. */
  double scale =
      (double)(bytes - fixed) / (double)(HW_RECORDER_DEFAULT_BYTES - fixed);
  uint64_t offset = HW_RECORDER_HEAD_BYTES;
  layout->bytes = bytes;
  for (int i = 0; i < HW_RECORDER_SECTIONS; i++) {
    uint32_t slots = plan[i].slots;
    if (plan[i].scaled) slots = (uint32_t)(slots * scale);
    if (slots < 1) slots = 1;
    layout->area[i] = (hw_recorder_area_t){offset, plan[i].slot_bytes, slots};
    offset += section_bytes(i, slots);
  }
  return offset <= bytes ? 0 : HW_EINVAL;
}

static void store(void* head, size_t word, uint64_t value) {
  memcpy((char*)head + word * sizeof(value), &value, sizeof(value));
}

static uint64_t load(const void* head, size_t word) {
  uint64_t value;
  memcpy(&value, (const char*)head + word * sizeof(value), sizeof(value));
  return value;
}

/* The check of a head whose table has `sections`. */
static uint64_t head_check(const void* head, size_t sections) {
  uint64_t words[TABLE_WORD - 1 + 2 * HW_RECORDER_SECTIONS];
  size_t count = 0;
  for (size_t i = 0; i < TABLE_WORD + 2 * sections; i++) {
    if (i != TABLE_WORD - 1) words[count++] = load(head, i);
  }
  return hw_recorder_check(HEAD_SECTION, 0, words, count);
}

void hw_recorder_write_head(const hw_recorder_layout_t* layout, void* head) {
  store(head, 0, HW_RECORDER_MAGIC);
  store(head, 1, HW_RECORDER_VERSION | (uint64_t)HW_RECORDER_SECTIONS << 32);
  store(head, 2, layout->bytes);
  for (size_t i = 0; i < HW_RECORDER_SECTIONS; i++) {
    const hw_recorder_area_t* area = &layout->area[i];
    store(head, TABLE_WORD + 2 * i, area->offset);
    store(head, TABLE_WORD + 2 * i + 1,
          area->slot_bytes | (uint64_t)area->slots << 32);
  }
  store(head, 3, head_check(head, HW_RECORDER_SECTIONS));
}

/* Whether a section of a file of `bytes` lies in it and has slots of the size
 * that this version gives them. */
static bool is_sound(const hw_recorder_area_t* area, int section,
                     uint64_t bytes) {
  return area->slot_bytes == plan[section].slot_bytes && area->slots > 0 &&
         (plan[section].scaled || area->slots == plan[section].slots) &&
         area->offset % sizeof(uint64_t) == 0 && area->offset <= bytes &&
         area->slots <= (bytes - area->offset) / area->slot_bytes;
}

int hw_recorder_read_head(const void* head, size_t head_bytes, uint64_t bytes,
                          hw_recorder_layout_t* layout, uint32_t* version) {
  if (bytes == 0) return HW_RECORDING_EMPTY;
  if (head_bytes < sizeof(uint64_t) || load(head, 0) != HW_RECORDER_MAGIC)
    return HW_RECORDING_FOREIGN;
  if (head_bytes < 2 * sizeof(uint64_t)) return HW_RECORDING_TRUNCATED;
  /* The first two words mean the same in every version. */
  uint32_t found = (uint32_t)load(head, 1);
  if (found != HW_RECORDER_VERSION) {
    *version = found;
    return HW_RECORDING_VERSION;
  }
  if (head_bytes < HW_RECORDER_HEAD_BYTES) return HW_RECORDING_TRUNCATED;
  hw_recorder_layout_t read = {.bytes = load(head, 2)};
  if (load(head, 1) >> 32 != HW_RECORDER_SECTIONS ||
      load(head, 3) != head_check(head, HW_RECORDER_SECTIONS) ||
      read.bytes > HW_RECORDER_MAX_BYTES)
    return HW_RECORDING_DAMAGED;
  if (bytes < read.bytes) return HW_RECORDING_TRUNCATED;
  for (int i = 0; i < HW_RECORDER_SECTIONS; i++) {
    size_t word = TABLE_WORD + 2 * (size_t)i;
    uint64_t shape = load(head, word + 1);
    read.area[i] = (hw_recorder_area_t){load(head, word), (uint32_t)shape,
                                        (uint32_t)(shape >> 32)};
    if (!is_sound(&read.area[i], i, read.bytes)) return HW_RECORDING_DAMAGED;
  }
  *layout = read;
  return 0;
}

const char* hw_recorder_note_name(uint32_t kind) {
  static const char* const names[] = {
#define XX(name, text, section) text,
      HW_RECORDER_NOTE_MAP(XX)
#undef XX
  };
  return kind < HW_RECORDER_NOTE_KINDS ? names[kind] : "unknown";
}

hw_recorder_section_t hw_recorder_note_section(uint32_t kind) {
  static const hw_recorder_section_t sections[] = {
#define XX(name, text, section) section,
      HW_RECORDER_NOTE_MAP(XX)
#undef XX
  };
  return kind < HW_RECORDER_NOTE_KINDS ? sections[kind] : HW_RECORDER_SECTIONS;
}
