#ifndef HW_BUCKETS_H_
#define HW_BUCKETS_H_

#include <stddef.h>
#include <stdint.h>

/*
 * Counts of durations between fixed bounds, as metrics systems want them: a
 * Prometheus histogram says how many values did not exceed each bound.
 *
 * hw_histogram_t knows more, but its buckets end where powers of two do, and
 * a count at 1 ms made from those would be off by what shares a bucket with
 * it. Here a value equal to a bound is counted at that bound, exactly.
 *
 * Most scavenges take less than a millisecond, so the bounds begin at 50 µs,
 * in steps of 1, 2.5, 5 from 100 µs on, and end at 10 s.
 */

#define HW_BUCKETS_MAP(XX) \
  XX(50000)                \
  XX(100000)               \
  XX(250000)               \
  XX(500000)               \
  XX(1000000)              \
  XX(2500000)              \
  XX(5000000)              \
  XX(10000000)             \
  XX(25000000)             \
  XX(50000000)             \
  XX(100000000)            \
  XX(250000000)            \
  XX(500000000)            \
  XX(1000000000)           \
  XX(2500000000)           \
  XX(5000000000)           \
  XX(10000000000)

#define HW_BUCKETS_ONE(ns) +1
#define HW_BUCKETS_BOUNDS (0 HW_BUCKETS_MAP(HW_BUCKETS_ONE))

/* Plain data, all zero when empty. One thread. */
typedef struct {
  /* Values above the bound before and up to this one; the last, values above
   * all bounds. */
  uint64_t counts[HW_BUCKETS_BOUNDS + 1];
} hw_buckets_t;

/* Counts one value. Safe inside a GC. */
void hw_buckets_record(hw_buckets_t* buckets, uint64_t value_ns);

/* The bound at `index` < HW_BUCKETS_BOUNDS, in ns, ascending. */
uint64_t hw_buckets_bound(size_t index);

/* How many values were at most the bound at `index`; at HW_BUCKETS_BOUNDS, how
 * many there were in all. */
uint64_t hw_buckets_cumulative(const hw_buckets_t* buckets, size_t index);

#endif /* HW_BUCKETS_H_ */
