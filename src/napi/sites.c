#include "sites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/hw_error.h"
#include "environment.h"

#define NS_PER_MS 1e6
#define NS_PER_S UINT64_C(1000000000)

/* Readings are at least this far apart, in time and in multiples of how long
 * the last one took; and at most that far. */
#define READ_LEAST_NS NS_PER_S
#define READ_TIMES 500
#define READ_MOST_NS (10 * NS_PER_S)

/* How often a timeline is recorded. */
#define TIMELINE_NS (60 * NS_PER_S)

/* Whoever samples now may be done after so long. */
#define RETRY_NS (10 * NS_PER_S)

/* Shares of the old space's limit: where last words begin, by how much the heap
 * must have grown for others, where a timeline goes with them, and where the
 * hook at the limit is put back. */
#define LAST_WORDS 0.7
#define LAST_WORDS_STEP 1.03
#define LAST_TIMELINE 0.9
#define REARM 0.65

/* After a minor collection some of the heap is garbage; from this share on the
 * next major one may come too late to begin. */
#define HURRY 0.8

/* What is written down, and what JavaScript gets at most. */
#define NOTE_SITES 10
#define LIST_SITES 5
#define NOTE_FRAMES 12
#define FRAMES 32
#define JSON_BYTES (1u << 20)

/* -- Starting and stopping ----------------------------------------------- */

static void on_near_limit(void* data);

static void forget(hw_napi_sites_t* sites) {
  hw_sites_destroy(sites->table);
  sites->table = NULL;
}

static double wall_ms(void) {
  uv_timeval64_t now = {0, 0};
  uint64_t clock_ns = uv_hrtime();
  uv_gettimeofday(&now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_usec / 1e3 -
         (double)clock_ns / NS_PER_MS;
}

static bool is_main(const hw_environment_t* environment) {
  return environment->loop == uv_default_loop();
}

/* Not in a Worker, whose own near-heap-limit callback ends it in an orderly
 * way: to come before that has made Node.js 24 end the whole process now and
 * then. There the readings that the collections ask for have to do. */
static void watch_limit(hw_environment_t* environment) {
  if (!is_main(environment)) return;
  hw_v8_add_near_limit_hook(environment->v8, on_near_limit, environment);
}

/* Without memory, or where somebody else samples, it is tried again later. */
static void try_start(hw_environment_t* environment) {
  hw_napi_sites_t* sites = &environment->sites;
  sites->tried_ns = uv_hrtime();
  sites->wall_ms = wall_ms();
  if (sites->text == NULL) sites->text = malloc(HW_NAPI_SITES_TEXT);
  if (sites->text == NULL ||
      hw_sites_create(&sites->table, (double)sites->tried_ns / NS_PER_MS,
                      sites->interval_bytes, (uint32_t)sites->stack_depth) != 0)
    return;
  hw_sites_disown(sites->table, sites->own_folder);
  int error = hw_v8_sites_start(environment->v8, sites->interval_bytes,
                                sites->stack_depth);
  sites->busy = error == HW_EBUSY;
  if (error != 0) {
    forget(sites);
    return;
  }
  sites->read_ns = sites->tried_ns;
  sites->took_ns = 0;
  sites->read_collections = 0;
  sites->timeline_ns = sites->tried_ns;
  sites->told_bytes = 0;
  sites->told_timeline = false;
  watch_limit(environment);
}

static void stop(hw_environment_t* environment) {
  hw_v8_remove_near_limit_hook(environment->v8);
  hw_v8_sites_stop(environment->v8);
  forget(&environment->sites);
  environment->sites.busy = false;
}

void hw_napi_sites_acquire(hw_environment_t* environment,
                           uint64_t interval_bytes, int stack_depth) {
  hw_napi_sites_t* sites = &environment->sites;
  if (sites->users++ > 0) return;
  sites->interval_bytes = interval_bytes;
  sites->stack_depth = stack_depth;
  try_start(environment);
}

void hw_napi_sites_release(hw_environment_t* environment) {
  hw_napi_sites_t* sites = &environment->sites;
  if (--sites->users > 0) return;
  stop(environment);
  free(sites->text);
  sites->text = NULL;
}

/* -- Reading ------------------------------------------------------------- */

/* Returns whether the table is as of now. */
static bool read_now(hw_environment_t* environment) {
  hw_napi_sites_t* sites = &environment->sites;
  if (sites->table == NULL) return false;
  uint64_t now_ns = uv_hrtime();
  hw_sites_summary_t summary;
  int error = hw_v8_sites_read(environment->v8, sites->table,
                               (double)now_ns / NS_PER_MS);
  if (error == HW_ESTATE) {
    /* Somebody has stopped our sampling, and perhaps begun another. */
    hw_v8_sites_abandon(environment->v8);
    stop(environment);
    return false;
  }
  hw_sites_summary(sites->table, &summary);
  sites->read_collections = summary.collections;
  sites->read_ns = uv_hrtime();
  sites->took_ns = sites->read_ns - now_ns;
  return error == 0;
}

static bool is_due(const hw_napi_sites_t* sites) {
  hw_sites_summary_t summary;
  uint64_t passed_ns = uv_hrtime() - sites->read_ns;
  if (passed_ns < READ_LEAST_NS || passed_ns < READ_TIMES * sites->took_ns)
    return false;
  hw_sites_summary(sites->table, &summary);
  return summary.readings == 0 || passed_ns >= READ_MOST_NS ||
         summary.collections > sites->read_collections;
}

/* -- Writing down -------------------------------------------------------- */

static bool is_recorded(const hw_environment_t* environment) {
  for (hw_member_t* m = environment->running; m != NULL; m = m->next) {
    if (m->recording) return true;
  }
  return false;
}

static void note(hw_environment_t* environment, const char* reason,
                 bool timeline) {
  hw_napi_sites_t* sites = &environment->sites;
  const hw_sites_json_t options = {.reason = reason,
                                   .epoch_ms = sites->wall_ms,
                                   .max_sites = NOTE_SITES,
                                   .max_frames = timeline ? 1 : NOTE_FRAMES,
                                   .timeline = timeline};
  size_t length = hw_sites_write_json(sites->table, &options, sites->text,
                                      HW_NAPI_SITES_TEXT);
  if (length == 0) return;
  for (hw_member_t* m = environment->running; m != NULL; m = m->next) {
    if (m->recording) m->note(m, timeline, sites->text, length);
  }
}

void hw_napi_sites_tell(hw_environment_t* environment, const char* reason) {
  environment->sites.told_bytes = environment->sites.heap_bytes;
  if (is_recorded(environment) && read_now(environment))
    note(environment, reason, false);
}

const char* hw_napi_sites_list(hw_environment_t* environment, double leak_rate,
                               size_t max, size_t* length) {
  hw_napi_sites_t* sites = &environment->sites;
  if (!read_now(environment)) return NULL;
  const hw_sites_json_t options = {.max_sites = LIST_SITES,
                                   .max_frames = NOTE_FRAMES,
                                   .list_only = true,
                                   .leak_rate = leak_rate};
  if (max > HW_NAPI_SITES_TEXT) max = HW_NAPI_SITES_TEXT;
  *length = hw_sites_write_json(sites->table, &options, sites->text, max);
  return *length > 0 ? sites->text : NULL;
}

static void note_timeline(hw_environment_t* environment) {
  hw_napi_sites_t* sites = &environment->sites;
  uint64_t now_ns = uv_hrtime();
  if (now_ns - sites->timeline_ns < TIMELINE_NS || !is_recorded(environment))
    return;
  sites->timeline_ns = now_ns;
  note(environment, NULL, true);
}

/* -- Moments ------------------------------------------------------------- */

void hw_napi_sites_tick(hw_environment_t* environment) {
  hw_napi_sites_t* sites = &environment->sites;
  if (sites->users == 0) return;
  if (sites->table == NULL) {
    if (uv_hrtime() - sites->tried_ns >= RETRY_NS) try_start(environment);
    return;
  }
  if (is_due(sites) && read_now(environment)) note_timeline(environment);
  if (sites->table != NULL &&
      (double)sites->heap_bytes < REARM * (double)sites->old_limit_bytes)
    watch_limit(environment);
}

/* -- Last words ---------------------------------------------------------- */

/* The timeline first: of the two it may go missing. */
static void on_near_limit(void* data) {
  hw_environment_t* environment = data;
  if (!is_recorded(environment) || !read_now(environment)) return;
  note(environment, NULL, true);
  note(environment, HW_NAPI_SITES_LAST_WORDS, false);
}

static void on_interrupt(void* data) {
  hw_environment_t* environment = data;
  if (environment->exiting) return;
  for (hw_member_t* m = environment->running; m != NULL; m = m->next)
    m->near_limit(m);
  hw_napi_sites_t* sites = &environment->sites;
  double used = (double)sites->heap_bytes / (double)sites->old_limit_bytes;
  if (!(used >= LAST_WORDS)) return;
  hw_napi_sites_tell(environment, HW_NAPI_SITES_LAST_WORDS);
  /* The callback at the limit may come within this reading, and never again. */
  if (used < LAST_TIMELINE || sites->told_timeline || sites->table == NULL ||
      !is_recorded(environment) || !is_main(environment))
    return;
  sites->told_timeline = true;
  note(environment, NULL, true);
}

void hw_napi_sites_gc(hw_environment_t* environment,
                      const hw_gc_event_t* event) {
  hw_napi_sites_t* sites = &environment->sites;
  bool major = event->type == HW_GC_MARK_SWEEP_COMPACT;
  if (major && sites->table != NULL)
    hw_sites_collected(sites->table, event->heap_after_bytes);
  if (!major && event->type != HW_GC_SCAVENGE) return;
  uint64_t limit = event->heap_limit_bytes, used = event->heap_after_bytes;
  if (limit <= sites->young_reserve_bytes) return;
  limit -= sites->young_reserve_bytes;
  sites->old_limit_bytes = limit;
  sites->heap_bytes = used;
  if ((double)used < HW_NAPI_SITES_NEAR * (double)limit) {
    sites->told_bytes = 0;
    sites->told_timeline = false;
    return;
  }
  bool starting =
      sites->table == NULL && (major || (double)used >= HURRY * (double)limit);
  bool speaking = sites->table != NULL &&
                  (double)used >= LAST_WORDS * (double)limit &&
                  (double)used > LAST_WORDS_STEP * (double)sites->told_bytes;
  if (starting || speaking)
    hw_v8_request_interrupt(environment->v8, on_interrupt, environment);
}

/* -- JavaScript ---------------------------------------------------------- */

static napi_value text_of_state(napi_env env, const char* state) {
  char text[64];
  napi_value value;
  snprintf(text, sizeof(text), "{\"state\":\"%s\",\"sites\":[]}", state);
  HW_NAPI(env, napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value));
  return value;
}

napi_value hw_napi_sites_read(napi_env env, hw_environment_t* environment,
                              double leak_rate, uint32_t max_sites,
                              bool timeline) {
  hw_napi_sites_t* sites = &environment->sites;
  if (!read_now(environment))
    return text_of_state(env, sites->busy ? "in-use" : "off");
  char* text = malloc(JSON_BYTES);
  if (text == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  const hw_sites_json_t options = {.epoch_ms = sites->wall_ms,
                                   .max_sites = max_sites,
                                   .max_frames = FRAMES,
                                   .timeline = timeline,
                                   .leak_rate = leak_rate};
  size_t length = hw_sites_write_json(sites->table, &options, text, JSON_BYTES);
  napi_value value;
  napi_status status = napi_create_string_utf8(env, text, length, &value);
  free(text);
  HW_NAPI(env, status);
  return value;
}

typedef struct {
  char* text;
  size_t length;
  size_t size;
} growing_t;

static bool append(void* data, const char* text, size_t length) {
  growing_t* to = data;
  if (to->size - to->length < length) {
    size_t size = 2 * (to->size + length);
    char* grown = realloc(to->text, size);
    if (grown == NULL) return false;
    to->text = grown;
    to->size = size;
  }
  memcpy(to->text + to->length, text, length);
  to->length += length;
  return true;
}

napi_value hw_napi_sites_profile(napi_env env, hw_environment_t* environment) {
  growing_t written = {NULL, 0, 0};
  int error = hw_v8_sites_write_profile(environment->v8, append, &written);
  napi_value value = NULL;
  napi_status status = napi_ok;
  if (error == 0)
    status = napi_create_buffer_copy(env, written.length, written.text, NULL,
                                     &value);
  free(written.text);
  HW_NAPI(env, status);
  if (error != 0 && error != HW_ESTATE)
    hw_napi_throw(env, error == HW_ECANCELED ? HW_ENOMEM : error);
  return value;
}
