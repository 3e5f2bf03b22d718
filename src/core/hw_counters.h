#ifndef HW_COUNTERS_H_
#define HW_COUNTERS_H_

#include <stdint.h>

#include "hw_gc.h"

/*
 * Running counters over the life of a watch: collections, time spent in them,
 * bytes allocated. Rates are differences of two readings.
 *
 * V8 does not count allocations. But between one collection's end and the
 * next one's start the heap only grows, by what was allocated: the sum of
 * heap-before less the previous heap-after is the number of bytes allocated,
 * save for what other threads sweep meanwhile.
 */
typedef struct {
  uint64_t gc_count[HW_GC_KINDS];
  uint64_t gc_busy_ns; /* no moment is counted twice, see hw_gc_event_t */
  uint64_t allocated_bytes;
  uint64_t heap_bytes;      /* used heap at the last event or reading */
  uint64_t live_heap_bytes; /* used heap after the last major GC, 0: none yet */
} hw_counters_t;

/* Starts at zero with a heap of `heap_bytes`. */
void hw_counters_init(hw_counters_t* counters, uint64_t heap_bytes);

/* Counts one event; events come in the order of their ends. Safe inside a
 * GC. */
void hw_counters_gc(hw_counters_t* counters, const hw_gc_event_t* event);

/* The bytes allocated up to a moment outside of a GC at which the heap uses
 * `heap_bytes`. */
uint64_t hw_counters_allocated(const hw_counters_t* counters,
                               uint64_t heap_bytes);

#endif /* HW_COUNTERS_H_ */
