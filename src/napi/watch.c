#include "watch.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/hw_error.h"
#include "leak.h"
#include "recorder.h"

/* GC events kept for a listener while the loop is blocked; 0.6 MB, asked for
 * when the first listener comes. */
#define GC_CAPACITY 8192

#define NS_PER_MS 1e6

/* -- Life ---------------------------------------------------------------- */

static void free_if_unowned(hw_watch_t* watch) {
  if (!watch->collected || !watch->closed) return;
  hw_monitor_destroy(watch->monitor);
  free(watch);
}

static void on_collected(napi_env env, void* data, void* hint) {
  (void)env;
  (void)hint;
  hw_watch_t* watch = data;
  watch->collected = true;
  free_if_unowned(watch);
}

static void on_handle_closed(void* data) {
  hw_watch_t* watch = data;
  if (--watch->closing > 0) return;
  hw_environment_t* environment = watch->environment;
  watch->closed = true;
  free_if_unowned(watch);
  hw_environment_closed(environment);
}

static void drop_callback(hw_watch_t* watch) {
  napi_env env = watch->environment->env;
  if (watch->async_context != NULL)
    napi_async_destroy(env, watch->async_context);
  if (watch->callback != NULL) napi_delete_reference(env, watch->callback);
  watch->async_context = NULL;
  watch->callback = NULL;
}

void hw_watch_close(hw_watch_t* watch) {
  if (watch->callback == NULL) return;
  hw_watch_sites_close(watch);
  hw_environment_remove(watch->environment, &watch->member);
  hw_napi_record_end(watch);
  hw_monitor_finish(watch->monitor);
  watch->closing = 2;
  hw_sampler_close(&watch->sampler, on_handle_closed);
  hw_notifier_close(&watch->notifier, on_handle_closed);
  drop_callback(watch);
}

static void on_environment_end(hw_member_t* member) {
  hw_watch_close((hw_watch_t*)member);
}

/* -- Calls from the loop ------------------------------------------------- */

/* A request of another process. */
typedef struct {
  uint64_t number;
  char text[HW_RECORDER_REQUEST_ROOM + 1];
} request_t;

/* The arguments of the callback; returns how many. */
static size_t arguments_of(napi_env env, bool sampled, const request_t* request,
                           napi_value* argv) {
  if (napi_get_boolean(env, sampled, &argv[0]) != napi_ok) return 0;
  if (request == NULL) return 1;
  if (napi_create_double(env, (double)request->number, &argv[1]) != napi_ok ||
      napi_create_string_utf8(env, request->text, NAPI_AUTO_LENGTH, &argv[2]) !=
          napi_ok)
    return 0;
  return 3;
}

/* Calls notify(sampled, number, request), with which JavaScript fetches what
 * there is; the last two only if there is a request. `watch` may have been
 * stopped when this returns. */
static void notify(hw_watch_t* watch, bool sampled, const request_t* request) {
  napi_env env = watch->environment->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value global, callback, argv[3], error;
  size_t argc = arguments_of(env, sampled, request, argv);
  if (argc > 0 && napi_get_global(env, &global) == napi_ok &&
      napi_get_reference_value(env, watch->callback, &callback) == napi_ok &&
      napi_make_callback(env, watch->async_context, global, callback, argc,
                         argv, NULL) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok)
    /* A listener threw: an uncaught exception, as from any other emitter. Node
     * refuses this while a Worker is being terminated, as it should. */
    napi_fatal_exception(env, error);
  napi_close_handle_scope(env, scope);
}

static void on_reading(void* data, const hw_reading_t* reading,
                       uint64_t missed) {
  hw_watch_t* watch = data;
  hw_sample_t sample;
  request_t request;
  watch->environment->sites.wall_ms =
      reading->epoch_ms - (double)reading->time_ns / NS_PER_MS;
  hw_monitor_append(watch->monitor, reading, missed, &sample);
  hw_watch_sites_judge(watch, reading->time_ns);
  bool requested =
      watch->recorder != NULL &&
      hw_recorder_next_request(watch->recorder, &request.number, request.text);
  /* Verdicts fall when a sample comes in: nothing else tells of them. */
  bool told = watch->wants_leaks && hw_monitor_leak_pending(watch->monitor);
  if (!watch->wants_samples && !requested && !told) return;
  memcpy(watch->environment->transfer, &sample, sizeof(sample));
  notify(watch, watch->wants_samples, requested ? &request : NULL);
}

static int on_pending(void* data) {
  hw_watch_t* watch = data;
  return hw_monitor_pending(watch->monitor);
}

static void on_deliver(void* data) {
  notify(data, false, NULL);
}

static void probe_heap(void* data, hw_heap_statistics_t* heap) {
  hw_watch_t* watch = data;
  hw_v8_heap_statistics(watch->environment->v8, heap);
}

static int probe_usage(void* data, uint64_t* rss_bytes,
                       double* array_buffers_bytes) {
  hw_watch_t* watch = data;
  return hw_environment_usage(watch->environment, rss_bytes,
                              array_buffers_bytes);
}

/* -- Construction -------------------------------------------------------- */

/* JavaScript has checked the ranges and filled in the defaults. */
static bool get_options(napi_env env, napi_value object,
                        hw_monitor_options_t* options, hw_leak_options_t* leak,
                        uint64_t* interval_ms) {
  double interval, threshold, history, window, reserve;
  hw_pressure_options_t* pressure = &options->pressure;
  if (!hw_napi_get_number(env, object, "interval", &interval) ||
      !hw_napi_get_number(env, object, "gcThreshold", &threshold) ||
      !hw_napi_get_number(env, object, "history", &history) ||
      !hw_napi_get_number(env, object, "youngReserve", &reserve) ||
      !hw_napi_get_number(env, object, "gcLoadWindow", &window) ||
      !hw_napi_get_number(env, object, "release", &pressure->release) ||
      !hw_napi_get_number(env, object, "heapLimit",
                          &pressure->threshold[HW_PRESSURE_HEAP_LIMIT]) ||
      !hw_napi_get_number(env, object, "memoryLimit",
                          &pressure->threshold[HW_PRESSURE_MEMORY_LIMIT]) ||
      !hw_napi_get_number(env, object, "gcLoad",
                          &pressure->threshold[HW_PRESSURE_GC_LOAD]))
    return false;
  bool wanted;
  if (!hw_napi_get_leak_options(env, object, leak, &wanted)) return false;
  options->leak = wanted ? leak : NULL;
  *interval_ms = (uint64_t)interval;
  options->gc_threshold_ns = (uint64_t)(threshold * NS_PER_MS);
  options->history = (size_t)history;
  options->gc_capacity = GC_CAPACITY;
  pressure->window_ns = (uint64_t)(window * NS_PER_MS);
  pressure->young_reserve_bytes = (uint64_t)reserve;
  return true;
}

/* Makes the memory, wrapped into `object`: from then on it is freed when that
 * is collected. */
static hw_watch_t* create(hw_environment_t* environment, napi_value object,
                          const hw_monitor_options_t* options) {
  napi_env env = environment->env;
  hw_watch_t* watch = calloc(1, sizeof(*watch));
  if (watch == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  watch->member.close = on_environment_end;
  watch->member.near_limit = hw_watch_sites_near_limit;
  watch->member.note = hw_watch_sites_note;
  hw_reading_t first = {.time_ns = uv_hrtime()};
  hw_v8_heap_statistics(environment->v8, &first.heap);
  watch->environment = environment;
  watch->closed = true;
  int error = hw_monitor_create(&watch->monitor, options, &first);
  watch->member.monitor = watch->monitor;
  if (error == 0)
    hw_monitor_set_sites(watch->monitor, hw_watch_sites_of_verdict, watch);
  if (error != 0) {
    free(watch);
    hw_napi_throw(env, error);
    return NULL;
  }
  if (napi_wrap(env, object, watch, on_collected, NULL, NULL) != napi_ok) {
    hw_napi_throw_last(env);
    on_collected(env, watch, NULL);
    return NULL;
  }
  return watch;
}

static int start(hw_watch_t* watch, uint64_t interval_ms) {
  static const hw_sampler_probes_t probes = {probe_heap, probe_usage};
  uv_loop_t* loop = watch->environment->loop;
  int error =
      hw_notifier_init(&watch->notifier, loop, on_pending, on_deliver, watch);
  if (error != 0) return error;
  watch->closed = false;
  error = hw_sampler_init(&watch->sampler, loop, &probes, on_reading, watch);
  if (error != 0) {
    watch->closing = 1;
    hw_notifier_close(&watch->notifier, on_handle_closed);
    watch->environment->open++;
    return error;
  }
  hw_environment_add(watch->environment, &watch->member);
  error = hw_sampler_start(&watch->sampler, interval_ms);
  if (error != 0)
    hw_watch_close(watch);
  else
    hw_watch_sites_start(watch);
  return error;
}

/* new Watch(options, notify) */
napi_value hw_watch_construct(napi_env env, napi_callback_info info) {
  hw_environment_t* environment = hw_environment_get(env);
  if (environment == NULL) return NULL;
  size_t argc = 2;
  napi_value argv[2], self, name;
  hw_monitor_options_t options;
  hw_leak_options_t leak;
  hw_watch_sites_t sites;
  uint64_t interval_ms;
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, argv, &self, NULL));
  if (environment->exiting || environment->transfer == NULL) {
    hw_napi_throw(env, HW_ESTATE);
    return NULL;
  }
  if (!get_options(env, argv[0], &options, &leak, &interval_ms) ||
      !hw_watch_sites_options(env, argv[0], &sites))
    return NULL;
  environment->sites.young_reserve_bytes = options.pressure.young_reserve_bytes;
  HW_NAPI(env,
          napi_create_string_utf8(env, "HEAPWATCH", NAPI_AUTO_LENGTH, &name));
  hw_watch_t* watch = create(environment, self, &options);
  if (watch == NULL) return NULL;
  watch->sites = sites;
  if (napi_create_reference(env, argv[1], 1, &watch->callback) != napi_ok ||
      napi_async_init(env, NULL, name, &watch->async_context) != napi_ok) {
    hw_napi_throw_last(env);
    drop_callback(watch);
    return NULL;
  }
  int error = start(watch, interval_ms);
  if (error != 0) {
    drop_callback(watch);
    hw_napi_throw(env, error);
    return NULL;
  }
  return self;
}
