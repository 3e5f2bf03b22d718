/*
 * When a watch samples allocation sites: always, or from the first suspicion
 * of a leak or from 60 % of the heap's limit on until that is over.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/hw_error.h"
#include "watch.h"

/* For sites in a verdict's record, which has its evidence, too. */
#define VERDICT_BYTES (HW_RECORDER_VERDICT_ROOM - 4096u)

#define NS_PER_MS 1e6
#define NS_PER_S 1e9

/* How long a suspicion must be over before sampling stops: one that comes back
 * would find nothing of what came before. */
#define QUIET_NS (UINT64_C(30) * 1000000000)

/* The interval that fits a process: so many samples a second by the rate at
 * which it allocates, within bounds. */
#define SAMPLES_PER_S 400.0
#define LEAST_INTERVAL (64u << 10)
#define MOST_INTERVAL (512u << 10)

bool hw_watch_sites_options(napi_env env, napi_value options,
                            hw_watch_sites_t* sites) {
  double mode, interval, depth;
  if (!hw_napi_get_number(env, options, "sitesMode", &mode) ||
      !hw_napi_get_number(env, options, "sampleInterval", &interval) ||
      !hw_napi_get_number(env, options, "stackDepth", &depth))
    return false;
  *sites = (hw_watch_sites_t){.mode = (hw_watch_sites_mode_t)mode,
                              .interval_bytes = (uint64_t)interval,
                              .stack_depth = (int)depth};
  return true;
}

/* A power of two, so that it says what it is. */
static uint64_t fitting_interval(const hw_watch_t* watch,
                                 const hw_monitor_stats_t* stats) {
  double seconds = (double)(uv_hrtime() - watch->sites.started_ns) / NS_PER_S;
  double rate =
      seconds > 0 ? (double)stats->counters.allocated_bytes / seconds : 0;
  uint64_t interval = LEAST_INTERVAL;
  while (interval < MOST_INTERVAL && (double)interval < rate / SAMPLES_PER_S)
    interval *= 2;
  return interval;
}

static void begin(hw_watch_t* watch, const hw_monitor_stats_t* stats) {
  hw_watch_sites_t* sites = &watch->sites;
  if (sites->using) return;
  uint64_t interval = sites->interval_bytes;
  if (interval == 0) {
    interval = sites->mode == HW_WATCH_SITES_ALWAYS
                   ? MOST_INTERVAL
                   : fitting_interval(watch, stats);
  }
  sites->using = true;
  hw_napi_sites_acquire(watch->environment, interval, sites->stack_depth);
}

static void end(hw_watch_t* watch) {
  if (!watch->sites.using) return;
  watch->sites.using = false;
  hw_napi_sites_release(watch->environment);
}

static bool is_near_limit(const hw_monitor_stats_t* stats, double share) {
  return (double)stats->counters.live_heap_bytes >=
         share * (double)stats->old_space_limit_bytes;
}

void hw_watch_sites_start(hw_watch_t* watch) {
  hw_monitor_stats_t stats;
  watch->sites.started_ns = uv_hrtime();
  hw_monitor_stats(watch->monitor, &stats);
  if (watch->sites.mode == HW_WATCH_SITES_ALWAYS) begin(watch, &stats);
}

void hw_watch_sites_near_limit(hw_member_t* member) {
  hw_watch_t* watch = (hw_watch_t*)member;
  hw_monitor_stats_t stats;
  if (watch->sites.mode == HW_WATCH_SITES_OFF) return;
  hw_monitor_stats(watch->monitor, &stats);
  begin(watch, &stats);
}

void hw_watch_sites_judge(hw_watch_t* watch, uint64_t now_ns) {
  hw_watch_sites_t* sites = &watch->sites;
  if (sites->mode == HW_WATCH_SITES_OFF) return;
  hw_monitor_stats_t stats;
  hw_monitor_stats(watch->monitor, &stats);
  if (sites->mode == HW_WATCH_SITES_AUTO) {
    bool over = !stats.suspected &&
                !is_near_limit(&stats, sites->using ? 0.9 * HW_NAPI_SITES_NEAR
                                                    : HW_NAPI_SITES_NEAR);
    if (!over) {
      sites->needed_ns = now_ns;
      begin(watch, &stats);
    } else if (now_ns - sites->needed_ns > QUIET_NS) {
      end(watch);
    }
  }
  if (sites->using) hw_napi_sites_tick(watch->environment);
  bool pressed = stats.pressure[HW_PRESSURE_HEAP_LIMIT];
  if (pressed && !sites->pressed && sites->using)
    hw_napi_sites_tell(watch->environment, HW_NAPI_SITES_PRESSURE);
  sites->pressed = pressed;
}

void hw_watch_sites_close(hw_watch_t* watch) {
  end(watch);
  watch->sites.mode = HW_WATCH_SITES_OFF;
}

/* -- The recorder -------------------------------------------------------- */

void hw_watch_sites_note(hw_member_t* member, bool timeline, const char* json,
                         size_t length) {
  hw_watch_t* watch = (hw_watch_t*)member;
  double epoch_ms =
      (double)uv_hrtime() / NS_PER_MS + watch->environment->sites.wall_ms;
  hw_recorder_note(
      watch->recorder,
      timeline ? HW_RECORDER_NOTE_TIMELINE : HW_RECORDER_NOTE_SITES, epoch_ms,
      json, length);
}

const char* hw_watch_sites_of_verdict(void* data,
                                      const hw_leak_verdict_t* verdict,
                                      size_t* length) {
  hw_watch_t* watch = data;
  if (verdict->over) return NULL;
  double rate = verdict->metric == HW_LEAK_HEAP ? verdict->rate : 0;
  return hw_napi_sites_list(watch->environment, rate, VERDICT_BYTES, length);
}

/* -- Methods ------------------------------------------------------------- */

static hw_watch_t* running_watch(napi_env env, napi_callback_info info,
                                 size_t argc, napi_value* argv) {
  hw_watch_t* watch = hw_watch_unwrap(env, info, argc, argv);
  if (watch == NULL || watch->callback != NULL) return watch;
  hw_napi_throw(env, HW_ESTATE);
  return NULL;
}

/* How fast the heap leaks, bytes a second; 0 if it does not. */
static double leak_rate(const hw_watch_t* watch) {
  hw_leak_verdict_t verdict;
  double epoch_ms;
  return hw_monitor_leak_at(watch->monitor, HW_LEAK_HEAP, &verdict, &epoch_ms)
             ? verdict.rate
             : 0;
}

napi_value hw_watch_js_sites(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  uint32_t max_sites;
  bool timeline;
  hw_watch_t* watch = running_watch(env, info, 2, argv);
  if (watch == NULL) return NULL;
  HW_NAPI(env, napi_get_value_uint32(env, argv[0], &max_sites));
  HW_NAPI(env, napi_get_value_bool(env, argv[1], &timeline));
  return hw_napi_sites_read(env, watch->environment, leak_rate(watch),
                            max_sites, timeline);
}

napi_value hw_watch_js_heap_profile(napi_env env, napi_callback_info info) {
  hw_watch_t* watch = running_watch(env, info, 0, NULL);
  if (watch == NULL) return NULL;
  return hw_napi_sites_profile(env, watch->environment);
}
