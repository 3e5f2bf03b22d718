#include "hw_buckets.h"

static const uint64_t bounds_ns[HW_BUCKETS_BOUNDS] = {
#define XX(ns) UINT64_C(ns),
    HW_BUCKETS_MAP(XX)
#undef XX
};

/* From the low end, where most pauses are: a handful of steps, and what they
 * read lies together. */
void hw_buckets_record(hw_buckets_t* buckets, uint64_t value_ns) {
  size_t i = 0;
  while (i < HW_BUCKETS_BOUNDS && value_ns > bounds_ns[i])
    i++;
  buckets->counts[i]++;
}

uint64_t hw_buckets_bound(size_t index) {
  return bounds_ns[index];
}

uint64_t hw_buckets_cumulative(const hw_buckets_t* buckets, size_t index) {
  uint64_t count = 0;
  for (size_t i = 0; i <= index && i <= HW_BUCKETS_BOUNDS; i++)
    count += buckets->counts[i];
  return count;
}
