#include "hw_gc.h"

#include "hw_error.h"

#define HW_GC_ALL ((1u << HW_GC_TYPES) - 1)

hw_gc_kind_t hw_gc_kind(uint32_t type) {
  switch (type) {
    case HW_GC_SCAVENGE:
    case HW_GC_MINOR_MARK_SWEEP:
      return HW_GC_MINOR;
    case HW_GC_MARK_SWEEP_COMPACT:
      return HW_GC_MAJOR;
    case HW_GC_INCREMENTAL_MARKING:
      return HW_GC_INCREMENTAL;
    case HW_GC_PROCESS_WEAK_CALLBACKS:
      return HW_GC_WEAKCB;
    default:
      return HW_GC_KINDS;
  }
}

/* The slot of a type that is one bit of HW_GC_ALL, otherwise -1. */
static int slot_of(uint32_t type) {
  if (type == 0 || (type & ~HW_GC_ALL) != 0 || (type & (type - 1)) != 0)
    return -1;
  int slot = 0;
  while ((type >>= 1) != 0)
    slot++;
  return slot;
}

static uint64_t elapsed(uint64_t from, uint64_t to) {
  return to > from ? to - from : 0;
}

void hw_gc_begin(hw_gc_pairing_t* pairing, uint32_t type,
                 const hw_gc_mark_t* now) {
  int slot = slot_of(type);
  if (slot < 0) {
    pairing->unpaired++;
    return;
  }
  if ((pairing->open & type) != 0) pairing->unpaired++;
  /* A phase whose end never came must not make all later ones look nested. */
  if ((pairing->open & ~type) == 0) pairing->outer_start_ns = now->time_ns;
  pairing->open |= type;
  pairing->start[slot] = *now;
}

int hw_gc_end(hw_gc_pairing_t* pairing, uint32_t type, uint32_t flags,
              const hw_gc_mark_t* now, hw_gc_event_t* event) {
  int slot = slot_of(type);
  if (slot < 0 || (pairing->open & type) == 0) {
    pairing->unpaired++;
    return HW_ESTATE;
  }
  const hw_gc_mark_t* start = &pairing->start[slot];
  pairing->open &= ~type;
  event->start_ns = start->time_ns;
  event->duration_ns = elapsed(start->time_ns, now->time_ns);
  event->heap_before_bytes = start->heap_bytes;
  event->heap_after_bytes = now->heap_bytes;
  event->external_before_bytes = start->external_bytes;
  event->external_after_bytes = now->external_bytes;
  event->heap_limit_bytes = now->heap_limit_bytes;
  event->busy_ns =
      pairing->open == 0 ? elapsed(pairing->outer_start_ns, now->time_ns) : 0;
  event->type = type;
  event->flags = flags;
  return 0;
}
