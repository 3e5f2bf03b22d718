#ifndef HW_HISTOGRAM_H_
#define HW_HISTOGRAM_H_

#include <stdint.h>

/*
 * A histogram of durations in fixed memory, after HdrHistogram: buckets that
 * are linear within an octave and double in width from one octave to the next
 * (http://hdrhistogram.org).
 *
 * Below 512 ns buckets are 8 ns wide; above, each octave has 64. A value is
 * reported as the middle of its bucket, so it is at most 1/128 = 0.78 % off
 * from 1 µs up to 137 s (2^37 ns); longer ones fall into the last bucket.
 * Count, sum, minimum and maximum are exact.
 */

#define HW_HISTOGRAM_UNIT_BITS 3 /* the narrowest bucket: 8 ns */
#define HW_HISTOGRAM_SUB_BITS 6  /* 64 buckets an octave */
#define HW_HISTOGRAM_TOP_BITS 37 /* values below 2^37 ns have a bucket */
#define HW_HISTOGRAM_BUCKETS                                                 \
  ((HW_HISTOGRAM_TOP_BITS - HW_HISTOGRAM_UNIT_BITS - HW_HISTOGRAM_SUB_BITS + \
    1)                                                                       \
   << HW_HISTOGRAM_SUB_BITS)

/* Plain data, all zero when empty. One thread. */
typedef struct {
  uint64_t count;
  uint64_t sum_ns;
  uint64_t min_ns; /* meaningless while count is 0 */
  uint64_t max_ns;
  uint64_t buckets[HW_HISTOGRAM_BUCKETS];
} hw_histogram_t;

/* Counts one value. Safe inside a GC. */
void hw_histogram_record(hw_histogram_t* histogram, uint64_t value_ns);

/* The bucket that a value is counted in. Pure; safe inside a GC. */
unsigned hw_histogram_bucket(uint64_t value_ns);

/* The value that `percentile` per cent of all values do not exceed, in ns;
 * `percentile` is clamped to 0 ... 100, NaN counts as 0. 0 gives the exact
 * minimum and 100 the exact maximum. 0 if the histogram is empty. */
uint64_t hw_histogram_value_at_percentile(const hw_histogram_t* histogram,
                                          double percentile);

/* The mean in ns, exact; 0 if the histogram is empty. */
double hw_histogram_mean(const hw_histogram_t* histogram);

#endif /* HW_HISTOGRAM_H_ */
