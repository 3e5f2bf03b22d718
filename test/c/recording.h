#ifndef HW_TEST_RECORDING_H_
#define HW_TEST_RECORDING_H_

/* A recorder's file in memory, for tests and the fuzzer's seeds. */

#include <stdlib.h>
#include <string.h>

#include "core/hw_error.h"
#include "core/hw_recorder.h"
#include "core/hw_recorder_reader.h"

typedef struct {
  unsigned char* bytes;
  uint64_t size;
} recording_t;

static int recording_read(void* data, uint64_t offset, void* to,
                          size_t length) {
  const recording_t* recording = data;
  if (offset > recording->size || length > recording->size - offset)
    return HW_RECORDING_TRUNCATED;
  memcpy(to, recording->bytes + offset, length);
  return 0;
}

static inline int recording_open(recording_t* recording,
                                 hw_recorder_reader_t** reader) {
  const hw_recorder_source_t source = {recording_read, recording};
  uint32_t version = 0;
  return hw_recorder_reader_create(reader, &source, recording->size, &version);
}

static inline hw_gc_event_t recording_gc(uint64_t n) {
  return (hw_gc_event_t){
      .type = n % 7 == 0 ? HW_GC_MARK_SWEEP_COMPACT : HW_GC_SCAVENGE,
      .flags = n % 3,
      .start_ns = n * 1000000,
      .duration_ns = 1000 + n,
      .heap_before_bytes = 50000000 + n,
      .heap_after_bytes = 40000000 + n,
      .external_before_bytes = 2 * n,
      .external_after_bytes = n,
      .busy_ns = 1000 + n};
}

/* A sample of which each figure follows from `n`. */
static inline hw_sample_t recording_sample(uint64_t n) {
  hw_sample_t sample;
  double* figures = (double*)&sample;
  for (size_t i = 0; i < HW_SAMPLE_FIELDS; i++)
    figures[i] = (double)(n * 100 + i);
  sample.time = (double)n * 1000;
  return sample;
}

static inline recording_t new_recording(uint64_t size) {
  recording_t recording = {aligned_alloc(64, size), size};
  memset(recording.bytes, 0, size);
  return recording;
}

static inline hw_recorder_t* record_into(recording_t* recording) {
  hw_recorder_t* recorder = NULL;
  assert_int_equal(hw_recorder_create(&recorder, recording->bytes,
                                      recording->size, "{\"pid\":1}", 9, 5),
                   0);
  return recorder;
}

static inline hw_recorder_reader_t* open_whole(recording_t* recording) {
  hw_recorder_reader_t* reader = NULL;
  assert_int_equal(recording_open(recording, &reader), 0);
  for (int section = 0; section < HW_RECORDER_SECTIONS; section++)
    assert_int_equal(hw_recorder_reader_refresh(reader, section), 0);
  return reader;
}

static inline void write_gc(hw_recorder_t* recorder, uint64_t n) {
  hw_gc_event_t gc = recording_gc(n);
  hw_recorder_gc(recorder, &gc, hw_gc_kind(gc.type), 100);
}

static inline void assert_is_gc(const hw_recorder_reader_t* reader,
                                uint64_t n) {
  const uint64_t* words = hw_recorder_reader_record(reader, HW_RECORDER_GCS, n);
  assert_non_null(words);
  hw_recorder_gc_t found;
  memcpy(&found, words, sizeof(found));
  hw_gc_event_t gc = recording_gc(n);
  assert_int_equal(found.type_flags, gc.type | (uint64_t)gc.flags << 32);
  assert_true(found.epoch_ms == (double)n + 100);
  assert_int_equal(found.start_ns, gc.start_ns);
  assert_int_equal(found.duration_ns, gc.duration_ns);
  assert_int_equal(found.heap_before_bytes, gc.heap_before_bytes);
  assert_int_equal(found.heap_after_bytes, gc.heap_after_bytes);
  assert_int_equal(found.external_before_bytes, gc.external_before_bytes);
  assert_int_equal(found.external_after_bytes, gc.external_after_bytes);
  assert_int_equal(found.busy_ns, gc.busy_ns);
}

static inline void assert_is_sample(const hw_recorder_reader_t* reader,
                                    uint64_t n) {
  const uint64_t* words =
      hw_recorder_reader_record(reader, HW_RECORDER_SAMPLES, n);
  hw_sample_t expected = recording_sample(n);
  assert_non_null(words);
  assert_memory_equal(words, &expected, sizeof(expected));
}

#endif /* HW_TEST_RECORDING_H_ */
