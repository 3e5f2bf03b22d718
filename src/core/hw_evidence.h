#ifndef HW_EVIDENCE_H_
#define HW_EVIDENCE_H_

#include <stdbool.h>

#include "hw_trend.h"

/*
 * What a window of points says: does this size grow, surely, by enough to
 * matter, and still?
 *
 * The five tests are those that separate programs that leak from programs that
 * only look like it. A trend alone is not one: warm-ups, steps of traffic and
 * filling caches all rise significantly.
 *
 *   sure      Mann–Kendall's p, and the low end of Theil–Sen's interval
 *   enough    growth over the window, in bytes and as a share of the size
 *   going on  the last half grows at least so much as fast as the first
 *   a slope   and not one step between two levels
 *   fresh     the newest points lie above those before them
 *
 * Pure; no allocation; safe inside a GC.
 */

/* Thresholds. hw_leak_options_t says what they trade. */
typedef struct {
  double alpha;      /* highest p */
  double min_growth; /* over the window, in the unit of the values */
  double sustained;  /* least slope of the last half, relative to the first */
  int min_points;
} hw_evidence_rule_t;

/* Why a window is no evidence; HW_EVIDENCE_GROWS if it is. */
typedef enum {
  HW_EVIDENCE_GROWS,
  HW_EVIDENCE_FEW,     /* too few points */
  HW_EVIDENCE_SMALL,   /* no growth, or too little of it */
  HW_EVIDENCE_CHANCE,  /* may be chance */
  HW_EVIDENCE_SLOWING, /* levels off, or has stopped */
  HW_EVIDENCE_STEP     /* one jump between two levels */
} hw_evidence_finding_t;

typedef struct {
  hw_evidence_finding_t finding;
  hw_trend_test_t test;
  hw_trend_slope_t slope; /* over the whole window, with its 90 % interval */
  double first_slope;     /* of the first half */
  double last_slope;      /* of the last half: the speed now */
  double growth;          /* by the slope, over the window */
  double span;            /* time from the first point to the last */
  double level;           /* the median value */
  hw_shape_t shape;
} hw_evidence_t;

/* Thresholds for windows of so few points that no test of trend has a chance:
 * the points must all rise, and as steadily as only exact points can. */
typedef struct {
  double min_growth;
  double steady;       /* least slope of the last interval, relative to what
                          came before */
  double unsteady;     /* most of it: what jumps isn't followed yet */
  double min_retained; /* least share of what had come that stayed */
} hw_evidence_few_t;

/* Makes one point of those that came together: that followed the first of them
 * in less than 1 / `ratio` of the time for which it had let wait. It has the
 * first's time and the lowest value. Returns how many points are left in
 * `merged`, which has room for `count`. */
int hw_evidence_merge(const hw_point_t* points, int count, double ratio,
                      hw_point_t* merged);

/* Judges from 3 points on. `retained` is the share of the growth since the last
 * point but one that was still there at the last. */
void hw_evidence_assess_few(const hw_evidence_few_t* rule,
                            const hw_point_t* points, int count,
                            double retained, hw_evidence_t* evidence);

/* Whether the last point is a new high, by at least half of what the slope
 * promises. A series that levels off gives itself away by this first. */
bool hw_evidence_is_high(const hw_point_t* points, int count, double slope);

/* Judges the window. All of `evidence` that could be computed is set, whatever
 * the finding; what could not is 0. */
void hw_evidence_assess(const hw_evidence_rule_t* rule,
                        const hw_point_t* points, int count,
                        hw_evidence_t* evidence);

#endif /* HW_EVIDENCE_H_ */
