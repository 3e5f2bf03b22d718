#ifndef HW_SITES_H_
#define HW_SITES_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Allocation sites: which places of a program allocate what stays.
 *
 * V8 samples allocations and forgets each sample when its object dies. A
 * reading walks the calls that have live samples, as a tree, and then the
 * samples. This module turns readings into sites and keeps, for each site, how
 * its live bytes are spread over the time of their allocation and how they
 * have grown from collection to collection.
 *
 * Site. What is counted together: the same function at the top of the stack,
 * called by the same functions of the application. The top is the innermost
 * function that has a script: what `push` or `repeat` allocate counts for their
 * caller. How calls pass through libraries and Node.js makes no difference.
 *
 * Age. Numbers of samples rise with time, and the largest seen by a reading
 * ends an interval. Live bytes are counted by the interval they were allocated
 * in; when there are too many intervals, neighbours are joined and from then
 * on they are twice as long.
 *
 * Settled. An interval is settled when a major collection has run since its
 * end: what is live in it then is no garbage that waits. Growth and spread are
 * those of settled bytes, as long as any of them are alive.
 *
 * All memory is allocated by hw_sites_create. Reading, ranking and writing
 * allocate nothing and call nothing but what they are given, and so may run in
 * an interrupt or near the heap's limit. One thread. Time is an argument, in
 * milliseconds of any clock that does not go back.
 */

#define HW_SITES_INTERVALS 32 /* of age that are told apart */
#define HW_SITES_STACK 48     /* frames kept of a site's stack, innermost */
#define HW_SITES_NONE UINT32_MAX

/* Whose code a function is, by the address of its script. */
typedef enum {
  HW_SITES_APPLICATION,
  HW_SITES_LIBRARY,  /* in a folder node_modules */
  HW_SITES_INTERNAL, /* of Node.js itself: "node:" */
  HW_SITES_NATIVE,   /* has no script: V8's built-ins and phases */
  HW_SITES_OWN       /* the watch's own, see hw_sites_disown */
} hw_sites_kind_t;

/* A function, as V8 knows it: `line` and `column` are where it begins, from 1,
 * 0 if that is unknown. Texts are UTF-8, owned by the sites, and as long as
 * they are; what is longer than HW_SITES_TEXT has its middle cut out. */
#define HW_SITES_TEXT 4096
typedef struct {
  const char* name; /* "" for an anonymous function */
  const char* url;  /* "" for code without a name, such as that of eval */
  int32_t script;   /* V8's number; 0: none */
  int32_t position;
  int32_t line;
  int32_t column;
  hw_sites_kind_t kind;
} hw_sites_function_t;

/* Of what a site's live bytes look like. */
typedef enum {
  HW_SITES_GROWING, /* of all ages, and more of them all the time */
  HW_SITES_CHURN,   /* only young ones */
  HW_SITES_LEVEL    /* only old ones, or no more than before: a full cache */
} hw_sites_trend_t;

/* One ranked site. Sizes are bytes, estimated from samples. */
typedef struct {
  uint32_t top;          /* the function that allocates */
  uint32_t application;  /* the innermost of the application's; may be top;
                            HW_SITES_NONE if there is none */
  bool inferred;         /* `application` is not on the stack, see below */
  const uint16_t* stack; /* functions, innermost first */
  uint32_t depth;
  double bytes;       /* live */
  double count;       /* live objects */
  double growth_rate; /* bytes a second; negative if it shrinks */
  double share;       /* of the growth of all sites, 0 to 1 */
  double spread;      /* of its bytes over the time of sampling, 0 to 1 */
  hw_sites_trend_t trend;
  const float* intervals; /* live bytes, by interval of allocation */
} hw_sites_ranked_t;

/* What the ranking rests on. */
typedef struct {
  double start_ms;   /* of sampling */
  double time_ms;    /* of the last reading */
  double live_bytes; /* of all live samples */
  double heap_bytes; /* of the whole live heap; 0 if unknown */
  uint64_t sample_interval_bytes;
  uint32_t stack_depth;
  uint64_t collections; /* major ones, since the start */
  uint64_t readings;
  uint32_t intervals; /* number of them, the open one included */
  uint32_t sites;
  double lost_bytes; /* of the live ones, those that no site has: there was no
                        room for it, or no JavaScript allocated them but
                        perhaps the watch's own */
} hw_sites_summary_t;

typedef struct hw_sites_s hw_sites_t;

/* Makes an empty set of sites, for a sampling that starts at `time_ms`. The
 * interval and depth are V8's, for information. HW_ENOMEM. The caller owns
 * it. About 2 MB, of which only what is used is ever touched. */
int hw_sites_create(hw_sites_t** sites, double time_ms,
                    uint64_t sample_interval_bytes, uint32_t stack_depth);

/* Frees it; NULL does nothing. */
void hw_sites_destroy(hw_sites_t* sites);

/* Says in which folder the scripts of the watch itself lie, with the separator
 * at its end, before the first reading. What they allocate makes no site: who
 * calls for the sites must not find the call among them. The text is not
 * copied and must last as long as the sites. NULL: nowhere, as at first. */
void hw_sites_disown(hw_sites_t* sites, const char* folder);

/* Its memory in bytes, touched or not. Pure. */
size_t hw_sites_own_bytes(const hw_sites_t* sites);

/* Notes a major collection that left `live_bytes` in the heap. Safe inside a
 * GC. */
void hw_sites_collected(hw_sites_t* sites, uint64_t live_bytes);

/* -- A reading ------------------------------------------------------------
 *
 * begin; for each call in the tree, from the outermost inwards: function or
 * native, enter, perhaps node, the calls inside it, leave; then each sample;
 * end. `heap_bytes` is the heap in use now. */
void hw_sites_begin(hw_sites_t* sites, double time_ms, uint64_t heap_bytes);

/* The number of a function, HW_SITES_NONE if it has to be added first. A
 * script's function is told by its place, one without a script by its name. */
uint32_t hw_sites_find(const hw_sites_t* sites, int32_t script,
                       int32_t position, const char* name, size_t name_length);

/* Adds a function that hw_sites_find did not know and returns its number.
 * Texts are copied. If there is no room, that of a function without name. */
uint32_t hw_sites_add(hw_sites_t* sites, const hw_sites_function_t* function,
                      size_t name_length, size_t url_length);

void hw_sites_enter(hw_sites_t* sites, uint32_t function);

/* The call last entered has live allocations of its own: `bytes` of them. */
void hw_sites_node(hw_sites_t* sites, uint32_t node_id, double bytes);

void hw_sites_leave(hw_sites_t* sites);

/* A live sample of the call `node_id`, standing for `count` objects and
 * `bytes` altogether. */
void hw_sites_sample(hw_sites_t* sites, uint32_t node_id, uint64_t sample_id,
                     double bytes, double count);

/* Ends the reading. Returns 0; or HW_ESTATE if what was read cannot be a later
 * state of what was read before, which happens when another profiler has taken
 * V8's only place. The sites are of no use any more then. */
int hw_sites_end(hw_sites_t* sites);

/* -- Answers -------------------------------------------------------------- */

void hw_sites_summary(const hw_sites_t* sites, hw_sites_summary_t* summary);

/* Where the interval `index` ends, 0 being the oldest; the last is open and
 * ends with the last reading. `index` below summary.intervals. */
double hw_sites_interval_end(const hw_sites_t* sites, uint32_t index);

/* Valid until the sites are destroyed. */
const hw_sites_function_t* hw_sites_function(const hw_sites_t* sites,
                                             uint32_t function);

/* The number of interval `index`: bytes that are live of all sites. */
double hw_sites_interval_bytes(const hw_sites_t* sites, uint32_t index);

/* Says how fast the heap leaks, in bytes a second, for rankings to come; 0 if
 * that is not known, as at first. */
void hw_sites_expect(hw_sites_t* sites, double rate);

/*
 * Ranks the sites by growth × spread of their settled bytes, the likeliest
 * leak first, and writes at most `max` (up to HW_SITES_RANKED). Growth is the
 * slope of Theil and Sen over the collections seen, times the time of
 * sampling. Spread is the share of the time of sampling that the live bytes
 * are evenly spread over: with x the bytes of each of up to eight equal parts
 * of it, (Σx)² / (parts · Σx²), as physicists count the states that take part
 * (R. J. Bell and P. Dean, Discuss. Faraday Soc. 50, 1970).
 *
 * After one or two collections much of what looks settled is only on its way.
 * But no site leaks faster than the heap: where the leak's rate is known, what
 * grows k times as fast counts for 1 / k² of its growth.
 *
 * V8's optimizing compiler inlines functions, and what an inlined one
 * allocates counts for the function it was inlined into. So where one site
 * stopped growing when another began, whose stack is the same but for functions
 * that it lacks, the two are taken for one. And where a site has no function of
 * the application, the heaviest site is looked for in which the innermost of
 * its functions that does so calls one of the application, with the same
 * consequence; or if that site goes on, its function is named as inferred.
 *
 * Returns the number written. Valid until the next reading or ranking.
 */
#define HW_SITES_RANKED 32
size_t hw_sites_rank(hw_sites_t* sites, hw_sites_ranked_t* ranked, size_t max);

/* "application", "library" (the watch's own, too), "internal" or "native";
 * "growing", "churn" or "level": static, never NULL. */
const char* hw_sites_kind_name(hw_sites_kind_t kind);
const char* hw_sites_trend_name(hw_sites_trend_t trend);

/* -- As JSON -------------------------------------------------------------- */

typedef struct {
  const char* reason; /* written as "reason" if not NULL; plain ASCII */
  double epoch_ms;    /* added to times for milliseconds since 1970 */
  uint32_t max_sites;
  uint32_t max_frames; /* of each stack */
  bool timeline;       /* with the bytes of each interval */
  bool list_only;      /* the array of sites alone */
  double leak_rate;    /* for hw_sites_expect */
} hw_sites_json_t;

/* Ranks and writes the result as one object of JSON into `text`, without a 0
 * at the end: as many sites as there is room for. The format is in
 * docs/sites.md. Returns its length, or 0 if not even an object without sites
 * fits. */
size_t hw_sites_write_json(hw_sites_t* sites, const hw_sites_json_t* options,
                           char* text, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* HW_SITES_H_ */
