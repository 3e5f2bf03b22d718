#include "hw_counters.h"

#include <string.h>

void hw_counters_init(hw_counters_t* counters, uint64_t heap_bytes) {
  memset(counters, 0, sizeof(*counters));
  counters->heap_bytes = heap_bytes;
}

uint64_t hw_counters_allocated(const hw_counters_t* counters,
                               uint64_t heap_bytes) {
  uint64_t grown =
      heap_bytes > counters->heap_bytes ? heap_bytes - counters->heap_bytes : 0;
  return counters->allocated_bytes + grown;
}

void hw_counters_gc(hw_counters_t* counters, const hw_gc_event_t* event) {
  hw_gc_kind_t kind = hw_gc_kind(event->type);
  if (kind == HW_GC_KINDS) return;
  counters->gc_count[kind]++;
  counters->gc_busy_ns += event->busy_ns;
  counters->allocated_bytes =
      hw_counters_allocated(counters, event->heap_before_bytes);
  counters->heap_bytes = event->heap_after_bytes;
  if (kind == HW_GC_MAJOR) counters->live_heap_bytes = event->heap_after_bytes;
}
