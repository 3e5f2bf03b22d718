#ifndef HW_SERIES_H_
#define HW_SERIES_H_

#include <stdbool.h>
#include <stdint.h>

#include "hw_trend.h"

/*
 * A series of sizes that covers the whole life of a process in constant
 * memory, and the newest part of it finely.
 *
 * What is measured is never below the truth: it is live memory plus garbage
 * not yet collected. So time is cut into buckets, and of each only the lowest
 * point is kept: the lower envelope.
 *
 * Buckets come in levels. Level 0 is `width` wide, each further level twice as
 * wide, and each keeps its last HW_SERIES_POINTS buckets that aren't empty. A
 * bucket that closes at one level is merged into the open bucket of the next.
 * With a width of a second the levels show the last 32 seconds, 64 seconds,
 * and so on up to weeks, each with 32 points: a leak of 10 MB a second is seen
 * at the low levels, one of 1 MB an hour at the high ones.
 *
 *   level 0   ..  .  ||||||||||||||||    the last 32 buckets of 1 s
 *   level 1     | | | | | | | | | | |    the last 32 of 2 s
 *   level 2  |   |   |   |   |   |       ...
 *
 * Plain data, filled with hw_series_init. One thread. Pure; no allocation;
 * safe inside a GC. A push costs O(1) on average and O(levels) at worst.
 */

#define HW_SERIES_POINTS HW_TREND_MAX
#define HW_SERIES_LEVELS 18

/* A bucket: its lowest point, and the highest among the lowest points of the
 * finest buckets merged into it. */
typedef struct {
  double t;
  double v;
  double top;
} hw_series_bucket_t;

/* What each push touches comes first, to share its cache lines. */
typedef struct {
  int64_t number; /* of the open bucket */
  hw_series_bucket_t open;
  bool is_open;
  uint64_t closed; /* buckets ever put into the ring */
  hw_series_bucket_t ring[HW_SERIES_POINTS];
} hw_series_level_t;

typedef struct {
  double width; /* of a bucket of level 0, in the unit of time used */
  double start; /* time of the first point */
  uint64_t points;
  uint32_t changed; /* bit set of the levels that got a bucket; the reader
                       clears what it has looked at */
  hw_series_level_t levels[HW_SERIES_LEVELS];
} hw_series_t;

/* Makes the series empty. `width` is that of a bucket of level 0. */
void hw_series_init(hw_series_t* series, double width);

/* Adds a point. Times must not go backwards: an earlier one is taken for the
 * newest bucket's. */
void hw_series_push(hw_series_t* series, double t, double v);

/* How many levels are worth looking at: a level is when the one below it no
 * longer holds the whole series. At least 1. */
int hw_series_levels(const hw_series_t* series);

/* The points of a level that aren't before `since`, oldest first, into
 * `points`; returns how many, at most HW_SERIES_POINTS. With `open`, what is
 * in buckets not yet closed counts as a last point: right for points that are
 * envelopes by themselves, wrong for raw ones, whose bucket may not have seen
 * its lowest yet. */
int hw_series_read(const hw_series_t* series, int level, double since,
                   bool open, hw_point_t points[HW_SERIES_POINTS]);

/* The highest the lower envelope, at its finest, has been before `time`, over
 * all that the levels still hold; -HUGE_VAL if nothing is known of then.
 * Buckets that may reach to `time` are left out. */
double hw_series_top_before(const hw_series_t* series, double time);

#endif /* HW_SERIES_H_ */
