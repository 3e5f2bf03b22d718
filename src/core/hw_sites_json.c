/*
 * Ranked sites as JSON, into memory that was there before. A site is written
 * as a whole or not: when room runs out, what was begun of it is taken back.
 */
#include <math.h>
#include <string.h>

#include "hw_json_writer.h"
#include "hw_sites_internal.h"

/* What closes the list and the object, for which room is kept. */
#define END_BYTES 2

/* -- Values -------------------------------------------------------------- */

static void put_whole(hw_json_writer_t* json, const char* key, double value) {
  hw_json_put_number(json, key, round(value) + 0.0);
}

/* From 0 to 1, to four digits. */
static void put_share(hw_json_writer_t* json, const char* key, double value) {
  double share = value > 0 ? fmin(value, 1) : 0;
  hw_json_put_number(json, key, round(share * 1e4) / 1e4);
}

static void put_boolean(hw_json_writer_t* json, const char* key, bool value) {
  hw_json_put_raw(json, key, value ? "true" : "false", value ? 4 : 5);
}

static void put_members(hw_json_writer_t* json,
                        const hw_sites_function_t* function) {
  hw_json_put_string(json, "functionName", function->name);
  hw_json_put_string(json, "url", function->url);
  put_whole(json, "line", function->line);
  put_whole(json, "column", function->column);
  hw_json_put_string(json, "kind", hw_sites_kind_name(function->kind));
}

static void put_function(hw_json_writer_t* json, const char* key,
                         const hw_sites_t* sites, uint32_t function) {
  if (function == HW_SITES_NONE) {
    hw_json_put_null(json, key);
    return;
  }
  hw_json_open(json, key, '{');
  put_members(json, hw_sites_function(sites, function));
  hw_json_close(json, '}');
}

/* -- A site -------------------------------------------------------------- */

static hw_sites_kind_t kind_at(const hw_sites_t* sites,
                               const hw_sites_ranked_t* site, uint32_t frame) {
  return hw_sites_function(sites, site->stack[frame])->kind;
}

/* Frames outside of the application's outermost are how Node.js got there, and
 * the same for all. */
static uint32_t trimmed_depth(const hw_sites_t* sites,
                              const hw_sites_ranked_t* site) {
  uint32_t depth = site->depth;
  while (depth > 0 && kind_at(sites, site, depth - 1) != HW_SITES_APPLICATION)
    depth--;
  return depth > 0 ? depth : site->depth;
}

static void put_stack(hw_json_writer_t* json, const hw_sites_t* sites,
                      const hw_sites_ranked_t* site, uint32_t max) {
  uint32_t depth = trimmed_depth(sites, site);
  hw_json_open(json, "stack", '[');
  for (uint32_t i = 0; i < depth && i < max; i++)
    put_function(json, NULL, sites, site->stack[i]);
  hw_json_close(json, ']');
}

/* byteLength() makes none, but has a string copied into one piece. */
static bool makes_buffers(const hw_sites_function_t* function) {
  if (function->kind == HW_SITES_INTERNAL)
    return strcmp(function->name, "byteLength") != 0 &&
           (strcmp(function->url, "node:buffer") == 0 ||
            strcmp(function->url, "node:internal/buffer") == 0);
  return function->kind == HW_SITES_NATIVE &&
         (strstr(function->name, "ArrayBuffer") != NULL ||
          strcmp(function->name, "Uint8Array") == 0);
}

/* Whether what is allocated here may stand for memory outside of the heap:
 * Buffers, ArrayBuffers and their views. */
static bool is_off_heap(const hw_sites_t* sites,
                        const hw_sites_ranked_t* site) {
  for (uint32_t i = 0; i < site->depth; i++) {
    if (kind_at(sites, site, i) == HW_SITES_APPLICATION) return false;
    if (makes_buffers(hw_sites_function(sites, site->stack[i]))) return true;
  }
  return false;
}

static void put_site(hw_json_writer_t* json, const hw_sites_t* sites,
                     const hw_sites_ranked_t* site,
                     const hw_sites_json_t* options) {
  hw_json_open(json, NULL, '{');
  put_members(json, hw_sites_function(sites, site->top));
  put_whole(json, "bytes", site->bytes);
  put_whole(json, "count", site->count);
  put_whole(json, "growthRate", site->growth_rate);
  put_share(json, "share", site->share);
  put_share(json, "spread", site->spread);
  hw_json_put_string(json, "trend", hw_sites_trend_name(site->trend));
  put_boolean(json, "offHeap", is_off_heap(sites, site));
  put_function(json, "application", sites, site->application);
  put_boolean(json, "inferred", site->inferred);
  put_stack(json, sites, site, options->max_frames);
  if (options->timeline) {
    hw_json_open(json, "timeline", '[');
    for (uint32_t i = 0; i <= sites->edge_count; i++)
      put_whole(json, NULL, (double)site->intervals[i]);
    hw_json_close(json, ']');
  }
  hw_json_close(json, '}');
}

/* -- All of them --------------------------------------------------------- */

static void put_intervals(hw_json_writer_t* json, const hw_sites_t* sites,
                          double epoch_ms) {
  double from_ms = sites->start_ms;
  hw_json_open(json, "intervals", '[');
  for (uint32_t i = 0; i <= sites->edge_count; i++) {
    double to_ms = hw_sites_interval_end(sites, i);
    hw_json_open(json, NULL, '{');
    put_whole(json, "start", from_ms + epoch_ms);
    put_whole(json, "end", to_ms + epoch_ms);
    put_whole(json, "bytes", hw_sites_interval_bytes(sites, i));
    hw_json_close(json, '}');
    from_ms = to_ms;
  }
  hw_json_close(json, ']');
}

static void put_summary(hw_json_writer_t* json, const hw_sites_t* sites,
                        const hw_sites_json_t* options) {
  hw_sites_summary_t s;
  hw_sites_summary(sites, &s);
  if (options->reason != NULL)
    hw_json_put_string(json, "reason", options->reason);
  hw_json_put_string(json, "state", "sampling");
  put_whole(json, "time", s.time_ms + options->epoch_ms);
  put_whole(json, "since", s.start_ms + options->epoch_ms);
  put_whole(json, "sampleInterval", (double)s.sample_interval_bytes);
  put_whole(json, "stackDepth", s.stack_depth);
  put_whole(json, "collections", (double)s.collections);
  put_whole(json, "heapUsed", s.heap_bytes);
  put_whole(json, "sampled", s.live_bytes);
  put_share(
      json, "unattributed",
      s.heap_bytes > 0 ? 1 - (s.live_bytes - s.lost_bytes) / s.heap_bytes : 0);
  if (options->timeline) put_intervals(json, sites, options->epoch_ms);
}

size_t hw_sites_write_json(hw_sites_t* sites, const hw_sites_json_t* options,
                           char* text, size_t size) {
  hw_sites_ranked_t ranked[HW_SITES_RANKED];
  uint32_t max = options->max_sites;
  if (max > HW_SITES_RANKED) max = HW_SITES_RANKED;
  hw_sites_expect(sites, options->leak_rate);
  size_t count = hw_sites_rank(sites, ranked, max);
  if (size < END_BYTES) return 0;
  hw_json_writer_t json = {.text = text, .size = size - END_BYTES};
  if (!options->list_only) {
    hw_json_open(&json, NULL, '{');
    put_summary(&json, sites, options);
  }
  hw_json_open(&json, options->list_only ? NULL : "sites", '[');
  if (json.full) return 0;
  for (size_t i = 0; i < count; i++) {
    hw_json_writer_t before = json;
    put_site(&json, sites, &ranked[i], options);
    if (!json.full) continue;
    json = before;
    break;
  }
  json.size = size;
  hw_json_close(&json, ']');
  if (!options->list_only) hw_json_close(&json, '}');
  return json.length;
}
