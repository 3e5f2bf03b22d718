#include "recording.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/hw_error.h"
#include "core/hw_leak.h"
#include "core/hw_pressure.h"
#include "core/hw_recorder.h"
#include "objects.h"

#define NS_PER_MS 1e6

/* -- Texts --------------------------------------------------------------- */

/* identity(): JSON, or undefined if it is damaged. */
napi_value hw_recording_js_identity(napi_env env, napi_callback_info info) {
  hw_recording_t* recording = hw_recording_unwrap(env, info, 0, NULL);
  hw_recorder_text_t text;
  if (recording == NULL ||
      !hw_recording_refresh(env, recording, HW_RECORDER_IDENTITY) ||
      !hw_recorder_reader_text(recording->reader, HW_RECORDER_IDENTITY, 1,
                               &text))
    return NULL;
  return hw_recording_string(env, text.text, text.length);
}

/* { time, kind, text } */
static napi_value note_of(napi_env env, const hw_recorder_text_t* text) {
  napi_value note, string;
  HW_NAPI(env, napi_create_object(env, &note));
  string = hw_recording_string(env, text->text, text->length);
  if (string == NULL ||
      !hw_napi_set_number(env, note, "time", text->epoch_ms) ||
      !hw_napi_set_string(env, note, "kind", hw_recorder_note_name(text->kind)))
    return NULL;
  HW_NAPI(env, napi_set_named_property(env, note, "text", string));
  return note;
}

/* notes(): all of them, by section and not by time. */
napi_value hw_recording_js_notes(napi_env env, napi_callback_info info) {
  static const hw_recorder_section_t sections[] = {
      HW_RECORDER_PRESSURES, HW_RECORDER_VERDICTS, HW_RECORDER_DETAILS};
  hw_recording_t* recording = hw_recording_unwrap(env, info, 0, NULL);
  napi_value list;
  uint32_t count = 0;
  if (recording == NULL) return NULL;
  HW_NAPI(env, napi_create_array(env, &list));
  for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
    if (!hw_recording_refresh(env, recording, sections[i])) return NULL;
    uint64_t newest = hw_recorder_reader_newest(recording->reader, sections[i]);
    uint64_t n = hw_recorder_reader_oldest(recording->reader, sections[i]);
    hw_recorder_text_t text;
    for (; n > 0 && n <= newest; n++) {
      if (!hw_recorder_reader_text(recording->reader, sections[i], n, &text) ||
          hw_recorder_note_section(text.kind) != sections[i])
        continue;
      napi_value note = note_of(env, &text);
      if (note == NULL) return NULL;
      HW_NAPI(env, napi_set_element(env, list, count++, note));
    }
  }
  return list;
}

/* -- Numbers ------------------------------------------------------------- */

/* Converts a record to doubles at `out`. Returns whether it makes sense. */
typedef bool (*convert_fn)(const uint64_t* words, double* out);

static double double_of(uint64_t word) {
  double value;
  memcpy(&value, &word, sizeof(value));
  return value;
}

static bool convert_doubles(const uint64_t* words, double* out) {
  memcpy(out, words, sizeof(hw_sample_t));
  return true;
}

/* type, flags, startTime, duration, heapBefore, heapAfter, externalBefore,
 * externalAfter as takeGcs() has them, startTime on uv_hrtime's clock, and time
 * since 1970. */
static bool convert_gc(const uint64_t* words, double* out) {
  hw_recorder_gc_t gc;
  memcpy(&gc, words, sizeof(gc));
  *out++ = (double)(gc.type_flags & UINT32_MAX);
  *out++ = (double)(gc.type_flags >> 32);
  *out++ = (double)gc.start_ns / NS_PER_MS;
  *out++ = (double)gc.duration_ns / NS_PER_MS;
  *out++ = (double)gc.heap_before_bytes;
  *out++ = (double)gc.heap_after_bytes;
  *out++ = (double)gc.external_before_bytes;
  *out++ = (double)gc.external_after_bytes;
  *out++ = gc.epoch_ms;
  return hw_gc_kind((uint32_t)gc.type_flags) != HW_GC_KINDS;
}

/* The first word is the record's number and no figure. */
static bool convert_minute(const uint64_t* words, double* out) {
  memcpy(out, words + 1, sizeof(hw_recorder_minute_t) - sizeof(uint64_t));
  return true;
}

static const struct {
  hw_recorder_section_t section;
  size_t numbers; /* a record's, as JavaScript sees it */
  size_t time;    /* which word is the time since 1970 */
  convert_fn convert;
} records[] = {
    {HW_RECORDER_SAMPLES, HW_SAMPLE_FIELDS, 0, convert_doubles},
    {HW_RECORDER_GCS, 9, 1, convert_gc},
    {HW_RECORDER_MINUTES, HW_RECORDER_WORDS(hw_recorder_minute_t) - 1, 1,
     convert_minute}};

enum { SAMPLES, GCS, MINUTES };

/* The number of the first record later than `since_ms`, or with NaN of the
 * last: looked for from the newest backwards, which is where most ask. */
static uint64_t first_since(const hw_recording_t* recording, size_t which,
                            double since_ms) {
  hw_recorder_section_t section = records[which].section;
  uint64_t oldest = hw_recorder_reader_oldest(recording->reader, section);
  uint64_t first = hw_recorder_reader_newest(recording->reader, section) + 1;
  if (since_ms == -INFINITY) return oldest > 0 ? oldest : first;
  while (oldest > 0 && first > oldest) {
    const uint64_t* words =
        hw_recorder_reader_record(recording->reader, section, first - 1);
    bool stop = words != NULL && !isnan(since_ms) &&
                !(double_of(words[records[which].time]) > since_ms);
    if (stop) break;
    first--;
    if (words != NULL && isnan(since_ms)) break;
  }
  return first;
}

/* The minute going on, if it counts. */
static const uint64_t* present_minute(const hw_recording_t* recording) {
  uint64_t newest =
      hw_recorder_reader_newest(recording->reader, HW_RECORDER_MINUTE);
  const uint64_t* words =
      hw_recorder_reader_record(recording->reader, HW_RECORDER_MINUTE, newest);
  uint64_t number =
      hw_recorder_reader_newest(recording->reader, HW_RECORDER_MINUTES);
  return words != NULL && words[0] > number ? words : NULL;
}

/* A Float64Array of the records later than `since_ms`. */
static napi_value numbers_of(napi_env env, hw_recording_t* recording,
                             size_t which, double since_ms) {
  hw_recorder_section_t section = records[which].section;
  if (!hw_recording_refresh(env, recording, section) ||
      (which == MINUTES &&
       !hw_recording_refresh(env, recording, HW_RECORDER_MINUTE)))
    return NULL;
  size_t width = records[which].numbers;
  uint64_t newest = hw_recorder_reader_newest(recording->reader, section);
  uint64_t n = first_since(recording, which, since_ms);
  size_t room = (size_t)(newest + 1 - n) + (which == MINUTES);
  double* numbers = malloc(room * width * sizeof(double) + 1);
  if (numbers == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  size_t count = 0;
  for (; n <= newest; n++) {
    const uint64_t* words =
        hw_recorder_reader_record(recording->reader, section, n);
    if (words != NULL) records[which].convert(words, numbers + width * count++);
  }
  const uint64_t* present = which == MINUTES ? present_minute(recording) : NULL;
  if (present != NULL) convert_minute(present, numbers + width * count++);
  napi_value buffer, array = NULL;
  void* data;
  size_t bytes = count * width * sizeof(double);
  if (napi_create_arraybuffer(env, bytes, &data, &buffer) == napi_ok &&
      napi_create_typedarray(env, napi_float64_array, count * width, buffer, 0,
                             &array) != napi_ok)
    hw_napi_throw_last(env);
  else if (bytes > 0)
    memcpy(data, numbers, bytes);
  free(numbers);
  return array;
}

/* samples(since), gcs(since), minutes(since): -Infinity is all, NaN the last
 * one. */
static napi_value js_numbers(napi_env env, napi_callback_info info,
                             size_t which) {
  napi_value argv[1];
  double since_ms;
  hw_recording_t* recording = hw_recording_unwrap(env, info, 1, argv);
  if (recording == NULL) return NULL;
  HW_NAPI(env, napi_get_value_double(env, argv[0], &since_ms));
  return numbers_of(env, recording, which, since_ms);
}

napi_value hw_recording_js_samples(napi_env env, napi_callback_info info) {
  return js_numbers(env, info, SAMPLES);
}

napi_value hw_recording_js_gcs(napi_env env, napi_callback_info info) {
  return js_numbers(env, info, GCS);
}

napi_value hw_recording_js_minutes(napi_env env, napi_callback_info info) {
  return js_numbers(env, info, MINUTES);
}

static void raise_to(double* most, double value) {
  if (value > *most) *most = value;
}

/* The fields that peaks() tells, first those that minutes have. */
enum { HEAP_USED, RSS, EXTERNAL, ARRAY_BUFFERS, HEAP_TOTAL, LOOP_DELAY, PEAKS };

static void raise_to_minute(double* most, const uint64_t* words) {
  hw_recorder_minute_t minute;
  memcpy(&minute, words, sizeof(minute));
  raise_to(&most[HEAP_USED], minute.heap_used.max);
  raise_to(&most[RSS], minute.rss.max);
  raise_to(&most[EXTERNAL], minute.external.max);
  raise_to(&most[ARRAY_BUFFERS], minute.array_buffers.max);
}

static void raise_to_sample(double* most, const uint64_t* words) {
  hw_sample_t sample;
  memcpy(&sample, words, sizeof(sample));
  raise_to(&most[HEAP_USED], sample.heap_used);
  raise_to(&most[RSS], sample.rss);
  raise_to(&most[EXTERNAL], sample.external);
  raise_to(&most[ARRAY_BUFFERS], sample.array_buffers);
  raise_to(&most[HEAP_TOTAL], sample.heap_total);
  raise_to(&most[LOOP_DELAY], sample.loop_delay);
}

static void raise_to_all(const hw_recording_t* recording,
                         hw_recorder_section_t section, double* most,
                         void (*raise)(double*, const uint64_t*)) {
  uint64_t newest = hw_recorder_reader_newest(recording->reader, section);
  uint64_t n = hw_recorder_reader_oldest(recording->reader, section);
  for (; n > 0 && n <= newest; n++) {
    const uint64_t* words =
        hw_recorder_reader_record(recording->reader, section, n);
    if (words != NULL) raise(most, words);
  }
}

/* peaks(): the highest of all minutes and samples, without an object for any
 * of them. */
napi_value hw_recording_js_peaks(napi_env env, napi_callback_info info) {
  static const char* const names[PEAKS] = {
      "heapUsed", "rss", "external", "arrayBuffers", "heapTotal", "loopDelay"};
  double most[PEAKS] = {0};
  hw_recording_t* recording = hw_recording_unwrap(env, info, 0, NULL);
  if (recording == NULL ||
      !hw_recording_refresh(env, recording, HW_RECORDER_MINUTES) ||
      !hw_recording_refresh(env, recording, HW_RECORDER_MINUTE) ||
      !hw_recording_refresh(env, recording, HW_RECORDER_SAMPLES))
    return NULL;
  raise_to_all(recording, HW_RECORDER_MINUTES, most, raise_to_minute);
  const uint64_t* present = present_minute(recording);
  if (present != NULL) raise_to_minute(most, present);
  raise_to_all(recording, HW_RECORDER_SAMPLES, most, raise_to_sample);
  return hw_napi_numbers(env, names, most, PEAKS);
}

/* -- Counters ------------------------------------------------------------ */

static napi_value leaking_names(napi_env env, uint64_t flags) {
  napi_value list, name;
  uint32_t length = 0;
  HW_NAPI(env, napi_create_array(env, &list));
  for (int metric = 0; metric < HW_LEAK_METRICS; metric++) {
    if ((flags >> (HW_RECORDER_LEAK_SHIFT + metric) & 1) == 0) continue;
    HW_NAPI(env, napi_create_string_utf8(env, hw_leak_metric_name(metric),
                                         NAPI_AUTO_LENGTH, &name));
    HW_NAPI(env, napi_set_element(env, list, length++, name));
  }
  return list;
}

static bool set_flags(napi_env env, napi_value object, uint64_t flags) {
  bool active[HW_PRESSURE_REASONS];
  for (int reason = 0; reason < HW_PRESSURE_REASONS; reason++)
    active[reason] = flags >> (HW_RECORDER_PRESSURE_SHIFT + reason) & 1;
  if ((flags & HW_RECORDER_EXITED) != 0 &&
      !hw_napi_set_number(env, object, "exitCode",
                          (int32_t)(flags >> HW_RECORDER_EXIT_SHIFT)))
    return false;
  napi_value pressure = hw_napi_pressure_names(env, active);
  napi_value leaking = leaking_names(env, flags);
  napi_value suspected;
  if (pressure == NULL || leaking == NULL ||
      !hw_napi_set_string(
          env, object, "state",
          (flags & HW_RECORDER_STOPPED) != 0 ? "stopped" : "running"))
    return false;
  if (napi_get_boolean(env, (flags & HW_RECORDER_SUSPECTED) != 0, &suspected) ==
          napi_ok &&
      napi_set_named_property(env, object, "active", pressure) == napi_ok &&
      napi_set_named_property(env, object, "leaking", leaking) == napi_ok &&
      napi_set_named_property(env, object, "suspected", suspected) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}

/* state(): the counters. */
napi_value hw_recording_js_state(napi_env env, napi_callback_info info) {
  static const char* const names[] = {"time",      "gcs",      "samples",
                                      "missed",    "dropped",  "gcTime",
                                      "allocated", "heapLive", "oldSpaceLimit"};
  hw_recording_t* recording = hw_recording_unwrap(env, info, 0, NULL);
  hw_recorder_state_t s;
  if (recording == NULL ||
      !hw_recording_check(env, recording,
                          hw_recorder_reader_state(recording->reader, &s)))
    return NULL;
  uint64_t gcs = 0;
  for (int kind = 0; kind < HW_GC_KINDS; kind++)
    gcs += s.pauses[kind].count;
  const double values[] = {s.epoch_ms,
                           (double)gcs,
                           (double)s.samples,
                           (double)s.missed,
                           (double)s.dropped,
                           (double)s.gc_busy_ns / NS_PER_MS,
                           (double)s.allocated_bytes,
                           (double)s.live_heap_bytes,
                           (double)s.old_space_limit_bytes};
  napi_value state =
      hw_napi_numbers(env, names, values, sizeof(values) / sizeof(values[0]));
  return state != NULL && set_flags(env, state, s.flags) ? state : NULL;
}

/* pauses(): as watch.pauses(). */
napi_value hw_recording_js_pauses(napi_env env, napi_callback_info info) {
  hw_recording_t* recording = hw_recording_unwrap(env, info, 0, NULL);
  if (recording == NULL) return NULL;
  hw_histogram_t* histograms = calloc(HW_GC_KINDS, sizeof(*histograms));
  const hw_histogram_t* pauses[HW_GC_KINDS];
  if (histograms == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  for (int kind = 0; kind < HW_GC_KINDS; kind++)
    pauses[kind] = &histograms[kind];
  int error = hw_recorder_reader_pauses(recording->reader, histograms);
  napi_value result = NULL;
  if (hw_recording_check(env, recording, error))
    result = hw_napi_pauses(env, pauses, NULL);
  free(histograms);
  return result;
}
