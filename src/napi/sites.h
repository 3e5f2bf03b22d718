#ifndef HW_NAPI_SITES_H_
#define HW_NAPI_SITES_H_

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/hw_gc.h"
#include "core/hw_recorder.h"
#include "core/hw_sites.h"
#include "v8/hw_v8.h"

/*
 * The sampling of allocation sites that all watches of an environment share,
 * because V8 has one sampling profiler for each isolate. It runs while at
 * least one watch uses it, with the settings of the first that did.
 *
 * Last words. A process that runs out of memory in a loop runs no timer any
 * more. So when a collection leaves the heap at 70 % of its limit or more, V8
 * is asked for an interrupt, and in it the sites are read and told; again when
 * the heap has grown by 3 %. And at the limit itself, before the process dies.
 */

struct hw_environment_s;

typedef struct {
  uint32_t users;
  hw_sites_t* table; /* NULL: not sampling */
  bool busy;         /* somebody else samples */
  uint64_t interval_bytes;
  int stack_depth;
  uint64_t tried_ns; /* when it was last tried to start */
  uint64_t read_ns;  /* when it was last read, and how long that took */
  uint64_t took_ns;
  uint64_t read_collections;
  uint64_t timeline_ns;         /* when a timeline was last recorded */
  double wall_ms;               /* milliseconds since 1970 at uv_hrtime's 0 */
  uint64_t young_reserve_bytes; /* of the heap's limit */
  uint64_t old_limit_bytes;     /* of the last collection */
  uint64_t heap_bytes;          /* after the last collection */
  uint64_t told_bytes;          /* the heap when last words were last written */
  bool told_timeline;           /* with last words, since told_bytes was 0 */
  char* text;                   /* HW_NAPI_SITES_TEXT bytes for them */
  char* own_folder;             /* of lib/, with its separator; or NULL */
} hw_napi_sites_t;

#define HW_NAPI_SITES_TEXT HW_RECORDER_DETAIL_ROOM

/* The share of the old space's limit from which on `sites: 'auto'` samples. */
#define HW_NAPI_SITES_NEAR 0.6

/* Why sites are written down, as "reason" of what is written. */
#define HW_NAPI_SITES_PRESSURE "pressure"
#define HW_NAPI_SITES_LAST_WORDS "last-words"

/* Notes that a watch uses or ceases to use sampling, which starts with the
 * first and stops with the last. Whether it runs is another matter: if not, it
 * is tried again. Not inside a GC. */
void hw_napi_sites_acquire(struct hw_environment_s* environment,
                           uint64_t interval_bytes, int stack_depth);
void hw_napi_sites_release(struct hw_environment_s* environment);

/* Reads if it is time to: after a major collection or ten seconds, and never
 * so often that it takes more than 0.2 % of the time. Not inside a GC. */
void hw_napi_sites_tick(struct hw_environment_s* environment);

/* Takes in a collection; may ask for an interrupt. Inside a GC. */
void hw_napi_sites_gc(struct hw_environment_s* environment,
                      const hw_gc_event_t* event);

/* Reads, and has all watches that record write the sites of this moment down,
 * with `reason`. Not inside a GC. */
void hw_napi_sites_tell(struct hw_environment_s* environment,
                        const char* reason);

/* The sites of this moment, an array of JSON of at most `max` bytes, valid
 * until the next call of any function here; NULL while not sampling. The heap
 * leaks `leak_rate` bytes a second, 0 if that is not known. Not inside a GC. */
const char* hw_napi_sites_list(struct hw_environment_s* environment,
                               double leak_rate, size_t max, size_t* length);

/* JavaScript, of a watch: sites(max, timeline) gives JSON text as
 * hw_sites_write_json, heapProfile() a Buffer, undefined while not sampling. */
napi_value hw_napi_sites_read(napi_env env,
                              struct hw_environment_s* environment,
                              double leak_rate, uint32_t max_sites,
                              bool timeline);
napi_value hw_napi_sites_profile(napi_env env,
                                 struct hw_environment_s* environment);

#endif /* HW_NAPI_SITES_H_ */
