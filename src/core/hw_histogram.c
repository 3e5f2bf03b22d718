#include "hw_histogram.h"

#include <math.h>

#define UNIT HW_HISTOGRAM_UNIT_BITS
#define SUB HW_HISTOGRAM_SUB_BITS
#define SUB_COUNT (1u << SUB)

static unsigned highest_bit(uint64_t value) {
  unsigned bit = 0;
  for (unsigned half = 32; half != 0; half /= 2) {
    if (value >> half != 0) {
      value >>= half;
      bit += half;
    }
  }
  return bit;
}

/* Octave 0 holds the values below 2^(UNIT+SUB), in units; octave k > 0 those
 * from 2^(UNIT+SUB+k-1) up to twice that, in units of 2^(UNIT+k-1). */
unsigned hw_histogram_bucket(uint64_t value) {
  if (value >> HW_HISTOGRAM_TOP_BITS != 0) return HW_HISTOGRAM_BUCKETS - 1;
  if (value >> (UNIT + SUB) == 0) return (unsigned)(value >> UNIT);
  unsigned shift = highest_bit(value) - SUB;
  unsigned octave = shift - UNIT + 1;
  return (octave << SUB) + (unsigned)((value >> shift) & (SUB_COUNT - 1));
}

static uint64_t middle_of(unsigned bucket) {
  unsigned octave = bucket >> SUB;
  uint64_t sub = bucket & (SUB_COUNT - 1);
  unsigned shift = octave == 0 ? UNIT : octave - 1 + UNIT;
  uint64_t low = (octave == 0 ? sub : sub + SUB_COUNT) << shift;
  return low + (UINT64_C(1) << shift) / 2;
}

void hw_histogram_record(hw_histogram_t* histogram, uint64_t value_ns) {
  if (histogram->count == 0 || value_ns < histogram->min_ns)
    histogram->min_ns = value_ns;
  if (value_ns > histogram->max_ns) histogram->max_ns = value_ns;
  histogram->count++;
  histogram->sum_ns += value_ns;
  histogram->buckets[hw_histogram_bucket(value_ns)]++;
}

static uint64_t clamp(const hw_histogram_t* histogram, uint64_t value) {
  if (value < histogram->min_ns) return histogram->min_ns;
  return value > histogram->max_ns ? histogram->max_ns : value;
}

uint64_t hw_histogram_value_at_percentile(const hw_histogram_t* histogram,
                                          double percentile) {
  if (histogram->count == 0) return 0;
  if (!(percentile > 0)) return histogram->min_ns;
  if (percentile >= 100) return histogram->max_ns;
  uint64_t rank = (uint64_t)ceil(percentile / 100 * (double)histogram->count);
  uint64_t seen = 0;
  for (unsigned i = 0; i < HW_HISTOGRAM_BUCKETS; i++) {
    seen += histogram->buckets[i];
    if (seen >= rank) return clamp(histogram, middle_of(i));
  }
  return histogram->max_ns;
}

double hw_histogram_mean(const hw_histogram_t* histogram) {
  if (histogram->count == 0) return 0;
  return (double)histogram->sum_ns / (double)histogram->count;
}
