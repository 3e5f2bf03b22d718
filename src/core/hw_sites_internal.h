#ifndef HW_SITES_INTERNAL_H_
#define HW_SITES_INTERNAL_H_

#include "hw_sites.h"

/*
 * The inside of a set of sites, shared by hw_sites.c (what is read),
 * hw_sites_functions.c (the functions it names) and hw_sites_rank.c.
 */

#define HW_SITES_FUNCTIONS 16384
#define HW_SITES_TEXTS (1u << 20) /* bytes of all names and addresses */
#define HW_SITES_CAPACITY 2048
#define HW_SITES_NODES 65536 /* calls with live samples in one reading */
#define HW_SITES_HISTORY 16
#define HW_SITES_PATH 256  /* frames of a stack while reading */
#define HW_SITES_CALLERS 8 /* functions of the application that tell sites */

typedef struct {
  uint64_t key;
  uint32_t next; /* in its bucket */
  uint32_t top;
  uint32_t application;
  uint32_t callers; /* of the application, the innermost first */
  uint16_t caller[HW_SITES_CALLERS];
  uint32_t depth;
  uint16_t stack[HW_SITES_STACK]; /* of its heaviest call in this reading */
  double stack_bytes;
  double bytes;
  double count;
  double settled;                          /* bytes */
  float intervals[HW_SITES_INTERVALS + 1]; /* bytes; the last used is open */
  float history[HW_SITES_HISTORY];         /* settled bytes, see history_ms */
} hw_site_t;

/* Where one interval ends and the next begins. */
typedef struct {
  double time_ms;
  uint64_t sample_id;   /* the largest there was */
  uint64_t collections; /* there had been */
  uint32_t live;        /* samples alive in the interval, by the last reading */
  double bytes;
} hw_sites_edge_t;

typedef struct {
  uint32_t node_id;
  uint32_t site;
  uint64_t reading; /* in which it was written */
} hw_sites_node_t;

struct hw_sites_s {
  double start_ms;
  uint64_t sample_interval_bytes;
  uint32_t stack_depth;
  const char* own_folder; /* of the watch's own scripts, or NULL */
  uint64_t collections;
  double heap_bytes; /* live after the last major collection */

  hw_sites_function_t* functions;
  uint32_t function_count;
  uint32_t* function_index; /* open addressing, twice HW_SITES_FUNCTIONS */
  char* texts;
  size_t text_length;

  hw_site_t* sites;
  uint32_t site_count; /* ever used */
  uint32_t free_site;  /* list through next */
  uint32_t live_sites;
  uint32_t* buckets; /* HW_SITES_CAPACITY */

  /* Intervals: `edge_count` closed ones, then one that is open. */
  hw_sites_edge_t edges[HW_SITES_INTERVALS];
  uint32_t edge_count;
  double edge_ms; /* least length of an interval */
  uint64_t last_id;
  uint32_t open_live;
  double open_bytes;

  double history_ms[HW_SITES_HISTORY];
  uint32_t history_count;
  double history_step_ms;
  uint64_t history_collections;

  /* The reading that goes on, or the last. */
  uint64_t readings;
  uint64_t good_readings;
  double time_ms;
  double used_bytes;
  double live_bytes;
  double lost_bytes;
  uint64_t largest_id;
  uint32_t live[HW_SITES_INTERVALS + 1];
  double live_by_interval[HW_SITES_INTERVALS + 1];
  uint16_t path[HW_SITES_PATH];
  uint32_t depth; /* may be beyond HW_SITES_PATH */
  hw_sites_node_t* nodes;
  uint32_t node_count;

  uint8_t rank[HW_SITES_FUNCTIONS]; /* of functions, while one is ranked */
  double expected; /* rate of the leak, bytes a second; 0: unknown */
  hw_site_t ranked[2 * HW_SITES_RANKED]; /* copies that were joined */
};

/* Of the intervals, those that are settled: the first so many. 0 if none is, or
 * nothing in them is alive, and then all have to do. */
uint32_t hw_sites_settled(const hw_sites_t* sites);

/* Mixes `value` into a hash: the finalizer of SplitMix64 (G. L. Steele,
 * D. Lea, C. H. Flood, OOPSLA 2014). */
static inline uint64_t hw_sites_mix(uint64_t hash, uint64_t value) {
  uint64_t z = (hash ^ value) + UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

#endif /* HW_SITES_INTERNAL_H_ */
