#include <string.h>

#include "check.h"
#include "core/hw_error.h"
#include "leak.h"
#include "objects.h"
#include "recorder.h"
#include "watch.h"

/*
 * The methods of the class Watch, as JavaScript calls them. Those called often
 * leave their numbers in the environment's transfer array, the others make
 * objects.
 */

/* What JavaScript listens to: bits of listen()'s argument. */
#define LISTEN_SAMPLE 1u
#define LISTEN_GC 2u
#define LISTEN_PRESSURE 4u
#define LISTEN_LEAK 8u
#define LISTEN_SHORT_GC 16u /* those below gcThreshold, too; with LISTEN_GC */

#define NS_PER_MS 1e6

hw_watch_t* hw_watch_unwrap(napi_env env, napi_callback_info info, size_t argc,
                            napi_value* argv) {
  napi_value self;
  void* watch;
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, argv, &self, NULL));
  HW_NAPI(env, napi_unwrap(env, self, &watch));
  return watch;
}

static napi_value number(napi_env env, size_t count) {
  napi_value value;
  HW_NAPI(env, napi_create_uint32(env, (uint32_t)count, &value));
  return value;
}

/* listen(bits): the events somebody listens to. */
static napi_value js_listen(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  uint32_t bits;
  hw_watch_t* watch = hw_watch_unwrap(env, info, 1, argv);
  if (watch == NULL || watch->callback == NULL) return NULL;
  HW_NAPI(env, napi_get_value_uint32(env, argv[0], &bits));
  HW_CHECK(env, hw_monitor_keep_gcs(watch->monitor, bits & LISTEN_GC));
  hw_monitor_keep_short_gcs(watch->monitor, bits & LISTEN_SHORT_GC);
  hw_monitor_keep_pressure(watch->monitor, bits & LISTEN_PRESSURE);
  watch->wants_samples = bits & LISTEN_SAMPLE;
  watch->wants_leaks = bits & LISTEN_LEAK;
  HW_CHECK(env, hw_notifier_enable(&watch->notifier,
                                   bits & (LISTEN_GC | LISTEN_PRESSURE)));
  return NULL;
}

/* stop() */
static napi_value js_stop(napi_env env, napi_callback_info info) {
  hw_watch_t* watch = hw_watch_unwrap(env, info, 0, NULL);
  if (watch != NULL) hw_watch_close(watch);
  return NULL;
}

/* sample(): the numbers of a sample taken now, in the order of sampleFields. */
static napi_value js_sample(napi_env env, napi_callback_info info) {
  hw_watch_t* watch = hw_watch_unwrap(env, info, 0, NULL);
  if (watch == NULL) return NULL;
  if (watch->callback == NULL) {
    hw_napi_throw(env, HW_ESTATE);
    return NULL;
  }
  hw_reading_t reading;
  hw_sample_t now;
  hw_sampler_read(&watch->sampler, &reading);
  hw_monitor_peek(watch->monitor, &reading, &now);
  memcpy(watch->environment->transfer, &now, sizeof(now));
  return NULL;
}

/* history(Float64Array): fills in as many samples as it has room for, the
 * oldest kept first; returns how many are kept. */
static napi_value js_history(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  hw_watch_t* watch = hw_watch_unwrap(env, info, 1, argv);
  if (watch == NULL) return NULL;
  napi_typedarray_type type;
  size_t length;
  void* numbers;
  HW_NAPI(env, napi_get_typedarray_info(env, argv[0], &type, &length, &numbers,
                                        NULL, NULL));
  if (type != napi_float64_array) {
    hw_napi_throw(env, HW_EINVAL);
    return NULL;
  }
  hw_sample_t* out = numbers;
  size_t room = length / HW_SAMPLE_FIELDS;
  const hw_sample_t* kept;
  for (size_t i = 0;
       i < room && (kept = hw_monitor_sample_at(watch->monitor, i)) != NULL;
       i++)
    memcpy(&out[i], kept, sizeof(*kept));
  hw_monitor_stats_t stats;
  hw_monitor_stats(watch->monitor, &stats);
  return number(env, stats.history);
}

/* takeGcs(): moves waiting events over, 8 numbers each; returns how many. */
static napi_value js_take_gcs(napi_env env, napi_callback_info info) {
  hw_watch_t* watch = hw_watch_unwrap(env, info, 0, NULL);
  if (watch == NULL) return NULL;
  double* out = watch->environment->transfer;
  double origin_ns = watch->environment->time_origin_ns;
  size_t count = 0;
  hw_gc_event_t event;
  while (count < HW_TRANSFER_LENGTH / 8 &&
         hw_monitor_next_gc(watch->monitor, &event)) {
    *out++ = event.type;
    *out++ = event.flags;
    *out++ = ((double)event.start_ns - origin_ns) / NS_PER_MS;
    *out++ = (double)event.duration_ns / NS_PER_MS;
    *out++ = (double)event.heap_before_bytes;
    *out++ = (double)event.heap_after_bytes;
    *out++ = (double)event.external_before_bytes;
    *out++ = (double)event.external_after_bytes;
    count++;
  }
  return number(env, count);
}

/* takePressure(): moves the next waiting event over, 6 numbers; returns
 * whether there was one. */
static napi_value js_take_pressure(napi_env env, napi_callback_info info) {
  hw_watch_t* watch = hw_watch_unwrap(env, info, 0, NULL);
  if (watch == NULL) return NULL;
  hw_pressure_event_t event;
  bool taken = hw_monitor_next_pressure(watch->monitor, &event);
  if (taken) {
    double* out = watch->environment->transfer;
    *out++ = event.reason;
    *out++ = ((double)event.time_ns - watch->environment->time_origin_ns) /
             NS_PER_MS;
    *out++ = event.ratio;
    *out++ = event.threshold;
    *out++ = (double)event.used_bytes;
    *out++ = (double)event.limit_bytes;
  }
  napi_value result;
  HW_NAPI(env, napi_get_boolean(env, taken, &result));
  return result;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* pauses(): { minor, major, incremental, weakcb }, times in ms. */
static napi_value js_pauses(napi_env env, napi_callback_info info) {
  hw_watch_t* watch = hw_watch_unwrap(env, info, 0, NULL);
  if (watch == NULL) return NULL;
  const hw_histogram_t* pauses[HW_GC_KINDS];
  const hw_buckets_t* buckets[HW_GC_KINDS];
  for (int kind = 0; kind < HW_GC_KINDS; kind++) {
    pauses[kind] = hw_monitor_pauses(watch->monitor, kind);
    buckets[kind] = hw_monitor_buckets(watch->monitor, kind);
  }
  return hw_napi_pauses(env, pauses, buckets);
}

/* spaces(): one object for each of V8's heap spaces, in V8's order. */
static napi_value js_spaces(napi_env env, napi_callback_info info) {
  static const char* const names[] = {"size", "used", "available", "physical"};
  hw_watch_t* watch = hw_watch_unwrap(env, info, 0, NULL);
  napi_value result, one, name;
  hw_heap_space_t space;
  if (watch == NULL) return NULL;
  hw_v8_t* v8 = watch->environment->v8;
  HW_NAPI(env, napi_create_array(env, &result));
  for (size_t i = 0; i < hw_v8_heap_space_count(v8); i++) {
    HW_CHECK(env, hw_v8_heap_space(v8, i, &space));
    const double values[] = {(double)space.size_bytes, (double)space.used_bytes,
                             (double)space.available_bytes,
                             (double)space.physical_bytes};
    one = hw_napi_numbers(env, names, values, COUNT_OF(names));
    if (one == NULL) return NULL;
    HW_NAPI(env,
            napi_create_string_utf8(env, space.name, NAPI_AUTO_LENGTH, &name));
    HW_NAPI(env, napi_set_named_property(env, one, "name", name));
    HW_NAPI(env, napi_set_element(env, result, (uint32_t)i, one));
  }
  return result;
}

/* stats(): what the watch has counted. */
static napi_value js_stats(napi_env env, napi_callback_info info) {
  static const char* const names[] = {"samples",  "missed",        "history",
                                      "gcs",      "gcTime",        "allocated",
                                      "heapLive", "oldSpaceLimit", "dropped",
                                      "pending",  "unpaired",      "ownBytes"};
  hw_watch_t* watch = hw_watch_unwrap(env, info, 0, NULL);
  if (watch == NULL) return NULL;
  hw_monitor_stats_t s;
  hw_monitor_stats(watch->monitor, &s);
  uint64_t gcs = 0;
  for (int kind = 0; kind < HW_GC_KINDS; kind++)
    gcs += s.counters.gc_count[kind];
  const double values[COUNT_OF(names)] = {
      (double)s.samples,
      (double)s.missed,
      (double)s.history,
      (double)gcs,
      (double)s.counters.gc_busy_ns / NS_PER_MS,
      (double)s.counters.allocated_bytes,
      (double)s.counters.live_heap_bytes,
      (double)s.old_space_limit_bytes,
      (double)s.dropped,
      (double)s.pending,
      (double)watch->environment->pairing.unpaired,
      (double)(s.own_bytes + sizeof(*watch))};
  napi_value result = hw_napi_numbers(env, names, values, COUNT_OF(names));
  napi_value pressure = hw_napi_pressure_names(env, s.pressure);
  if (result == NULL || pressure == NULL) return NULL;
  HW_NAPI(env, napi_set_named_property(env, result, "pressure", pressure));
  napi_value suspected;
  HW_NAPI(env, napi_get_boolean(env, s.suspected, &suspected));
  HW_NAPI(env, napi_set_named_property(env, result, "suspected", suspected));
  return result;
}

/* takeLeak(): the next verdict as an object, or undefined. */
static napi_value js_take_leak(napi_env env, napi_callback_info info) {
  hw_watch_t* watch = hw_watch_unwrap(env, info, 0, NULL);
  hw_leak_verdict_t verdict;
  double epoch_ms;
  if (watch == NULL ||
      !hw_monitor_next_leak(watch->monitor, &verdict, &epoch_ms))
    return NULL;
  return hw_napi_leak_object(env, &verdict, epoch_ms);
}

/* leaks(): the leaks that are established now. */
static napi_value js_leaks(napi_env env, napi_callback_info info) {
  hw_watch_t* watch = hw_watch_unwrap(env, info, 0, NULL);
  hw_leak_verdict_t verdict;
  double epoch_ms;
  napi_value list;
  uint32_t length = 0;
  if (watch == NULL) return NULL;
  HW_NAPI(env, napi_create_array(env, &list));
  for (int metric = 0; metric < HW_LEAK_METRICS; metric++) {
    if (!hw_monitor_leak_at(watch->monitor, metric, &verdict, &epoch_ms))
      continue;
    napi_value leak = hw_napi_leak_object(env, &verdict, epoch_ms);
    if (leak == NULL) return NULL;
    HW_NAPI(env, napi_set_element(env, list, length++, leak));
  }
  return list;
}

bool hw_watch_define(napi_env env, napi_value exports) {
#define METHOD(name, function) \
  { name, NULL, function, NULL, NULL, NULL, napi_default_method, NULL }
  static const napi_property_descriptor methods[] = {
      METHOD("listen", js_listen),
      METHOD("stop", js_stop),
      METHOD("sample", js_sample),
      METHOD("history", js_history),
      METHOD("takeGcs", js_take_gcs),
      METHOD("takePressure", js_take_pressure),
      METHOD("takeLeak", js_take_leak),
      METHOD("leaks", js_leaks),
      METHOD("pauses", js_pauses),
      METHOD("spaces", js_spaces),
      METHOD("stats", js_stats),
      METHOD("sites", hw_watch_js_sites),
      METHOD("heapProfile", hw_watch_js_heap_profile),
      METHOD("record", hw_napi_record),
      METHOD("answer", hw_napi_answer),
      METHOD("noteCause", hw_napi_note_cause),
      METHOD("exiting", hw_napi_exiting),
  };
#undef METHOD
  napi_value constructor;
  if (napi_define_class(env, "Watch", NAPI_AUTO_LENGTH, hw_watch_construct,
                        NULL, sizeof(methods) / sizeof(methods[0]), methods,
                        &constructor) == napi_ok &&
      napi_set_named_property(env, exports, "Watch", constructor) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}
