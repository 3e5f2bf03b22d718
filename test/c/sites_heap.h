#ifndef HW_SITES_HEAP_H_
#define HW_SITES_HEAP_H_

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hw_error.h"
#include "core/hw_sites.h"
#include "test.h"

/*
 * A profiler of our own: samples with an id, a place and a death; what lives is
 * read into the sites as V8's would be.
 */

typedef struct {
  int32_t script; /* 0: native */
  const char* name;
  const char* url;
  int parent; /* -1: none */
} call_t;

enum {
  HANDLER,
  LEAKY,
  PUSH,
  CACHE,
  CHURN,
  LIBRARY,
  IN_LIBRARY,
  ENTRY,
  INLINED,
  IDLE,
  OWN,
  LISTENER,
  QUERY,
  IN_QUERY,
  IN_HANDLER,
  PARSE,
  HANDLER_PARSE
};

static const call_t calls[] = {
    [HANDLER] = {1, "handler", "/app/server.js", ENTRY},
    [LEAKY] = {2, "leaky", "/app/leak.js", HANDLER},
    [PUSH] = {0, "push", "", LEAKY},
    [CACHE] = {3, "cache", "/app/cache.js", HANDLER},
    [CHURN] = {4, "churn", "/app/churn.js", HANDLER},
    [LIBRARY] = {5, "get", "/app/node_modules/lib/index.js", HANDLER},
    [IN_LIBRARY] = {6, "store", "/app/node_modules/lib/store.js", LIBRARY},
    [ENTRY] = {7, "processImmediate", "node:internal/timers", -1},
    [INLINED] = {8, "inlined", "/app/inlined.js", ENTRY},
    [IDLE] = {0, "(IDLE)", "", -1},
    [OWN] = {9, "sites", "/app/node_modules/heapwatch/lib/sites.js", HANDLER},
    [LISTENER] = {10, "onLeak", "/app/server.js", OWN},
    [QUERY] = {11, "query", "/app/server.js", HANDLER},
    [IN_QUERY] = {12, "row", "/app/rows.js", QUERY},
    [IN_HANDLER] = {12, "row", "/app/rows.js", HANDLER},
    [PARSE] = {13, "parse", "/app/node_modules/lib/parse.js", ENTRY},
    [HANDLER_PARSE] = {13, "parse", "/app/node_modules/lib/parse.js", HANDLER},
};
#define CALLS ((int)COUNT_OF(calls))

#define SAMPLES 20000
typedef struct {
  int call;
  double bytes;
  bool dead;
} sample_t;

typedef struct {
  hw_sites_t* sites;
  double time_ms;
  sample_t samples[SAMPLES];
  uint64_t count;
} heap_t;

static inline heap_t* start(void) {
  heap_t* heap = calloc(1, sizeof(*heap));
  assert_int_equal(hw_sites_create(&heap->sites, 1000, 1000, 32), 0);
  heap->time_ms = 1000;
  return heap;
}

static inline void stop(heap_t* heap) {
  hw_sites_destroy(heap->sites);
  free(heap);
}

static inline uint64_t allocate(heap_t* heap, int call, double bytes) {
  assert_true(heap->count < SAMPLES);
  heap->samples[heap->count] = (sample_t){call, bytes, false};
  return heap->count++;
}

static inline uint32_t function_of(heap_t* heap, const call_t* call) {
  size_t length = strlen(call->name);
  uint32_t found =
      hw_sites_find(heap->sites, call->script, 10, call->name, length);
  if (found != HW_SITES_NONE) return found;
  const hw_sites_function_t added = {.name = call->name,
                                     .url = call->url,
                                     .script = call->script,
                                     .position = 10,
                                     .line = call->script * 10,
                                     .column = 5};
  return hw_sites_add(heap->sites, &added, length, strlen(call->url));
}

static inline double bytes_of(const heap_t* heap, int call) {
  double bytes = 0;
  for (uint64_t i = 0; i < heap->count; i++) {
    if (heap->samples[i].call == call && !heap->samples[i].dead)
      bytes += heap->samples[i].bytes;
  }
  return bytes;
}

static inline void walk(heap_t* heap, int call) {
  hw_sites_enter(heap->sites, function_of(heap, &calls[call]));
  double bytes = bytes_of(heap, call);
  if (bytes > 0) hw_sites_node(heap->sites, (uint32_t)call, bytes);
  for (int i = 0; i < CALLS; i++) {
    if (calls[i].parent == call) walk(heap, i);
  }
  hw_sites_leave(heap->sites);
}

/* Something in no particular order, as V8 gives its samples. */
static inline int read_sites(heap_t* heap) {
  hw_sites_begin(heap->sites, heap->time_ms, 64 * MB);
  for (int i = 0; i < CALLS; i++) {
    if (calls[i].parent < 0) walk(heap, i);
  }
  for (uint64_t i = heap->count; i-- > 0;) {
    const sample_t* sample = &heap->samples[i];
    if (!sample->dead)
      hw_sites_sample(heap->sites, (uint32_t)sample->call, i + 1, sample->bytes,
                      1);
  }
  return hw_sites_end(heap->sites);
}

/* A second later, and a major collection. */
static inline void tick(heap_t* heap) {
  heap->time_ms += 1000;
  hw_sites_collected(heap->sites, 64 * MB);
  assert_int_equal(read_sites(heap), 0);
}

static inline const char* name_of(const heap_t* heap, uint32_t function) {
  return function == HW_SITES_NONE
             ? "none"
             : hw_sites_function(heap->sites, function)->name;
}

/* The ranked site whose function is `name`; fails if there is none. */
static inline hw_sites_ranked_t find(heap_t* heap, const char* name) {
  hw_sites_ranked_t ranked[HW_SITES_RANKED];
  size_t count = hw_sites_rank(heap->sites, ranked, HW_SITES_RANKED);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(name_of(heap, ranked[i].top), name) == 0) return ranked[i];
  }
  fail_msg("%s is not among the sites", name);
  return ranked[0];
}

/* Half a minute of a server: a leak of 1000 bytes a second, ten times as much
 * in a cache that fills in three seconds, and forty times as much that dies
 * young. */
static inline void serve(heap_t* heap) {
  for (int second = 0; second < 30; second++) {
    uint64_t first = heap->count;
    for (int i = 0; i < 10; i++)
      allocate(heap, LEAKY, 100);
    if (second < 3) {
      for (int i = 0; i < 10; i++)
        allocate(heap, CACHE, 10000);
    }
    for (int i = 0; i < 10; i++)
      allocate(heap, CHURN, 4000);
    tick(heap);
    for (uint64_t i = first; i < heap->count; i++) {
      if (heap->samples[i].call == CHURN) heap->samples[i].dead = true;
    }
  }
}

#endif /* HW_SITES_HEAP_H_ */
