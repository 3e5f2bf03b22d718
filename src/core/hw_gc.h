#ifndef HW_GC_H_
#define HW_GC_H_

#include <stdint.h>

/*
 * Garbage collections: what is known of one, and the pairing of V8's prologue
 * and epilogue callbacks into it.
 *
 * V8 calls a prologue when a phase of some type begins and an epilogue when
 * it ends. Types overlap: an incremental marking begins, scavenges run, and a
 * mark-compact ends it. So each type has a start slot of its own. The numbers
 * are V8's (v8::GCType, v8::GCCallbackFlags); hw_v8.cc checks that they are.
 */

typedef enum {
  HW_GC_SCAVENGE = 1 << 0,
  HW_GC_MINOR_MARK_SWEEP = 1 << 1,
  HW_GC_MARK_SWEEP_COMPACT = 1 << 2,
  HW_GC_INCREMENTAL_MARKING = 1 << 3,
  HW_GC_PROCESS_WEAK_CALLBACKS = 1 << 4
} hw_gc_type_t;

#define HW_GC_TYPES 5

/* How metrics group the types: OpenTelemetry's v8js.gc.type. */
typedef enum {
  HW_GC_MINOR,       /* scavenge, minor mark-sweep */
  HW_GC_MAJOR,       /* mark-sweep-compact */
  HW_GC_INCREMENTAL, /* the start of an incremental marking, and only that */
  HW_GC_WEAKCB,      /* weak callbacks */
  HW_GC_KINDS
} hw_gc_kind_t;

/* v8::kGCCallbackFlagForced: the collection was asked for, not needed. */
#define HW_GC_FLAG_FORCED (1u << 2)

/* One phase of garbage collection, from its prologue to its epilogue. */
typedef struct {
  uint64_t start_ns; /* uv_hrtime's clock */
  uint64_t duration_ns;
  uint64_t heap_before_bytes; /* used_heap_bytes at the prologue */
  uint64_t heap_after_bytes;  /* and at the epilogue */
  uint64_t external_before_bytes;
  uint64_t external_after_bytes;
  uint64_t heap_limit_bytes; /* at the epilogue */
  /* Time that no other event has counted, ending when this one does: all of
   * an outermost phase, 0 for one inside another. Sums to the time in GC. */
  uint64_t busy_ns;
  uint32_t type;  /* one hw_gc_type_t */
  uint32_t flags; /* v8::GCCallbackFlags */
} hw_gc_event_t;

/* A moment at a prologue or an epilogue. */
typedef struct {
  uint64_t time_ns;
  uint64_t heap_bytes;
  uint64_t external_bytes;
  uint64_t heap_limit_bytes;
} hw_gc_mark_t;

/* The kind of a type; HW_GC_KINDS for a number that is none. Pure; safe
 * inside a GC. */
hw_gc_kind_t hw_gc_kind(uint32_t type);

/* The start slots, the scavenger's first: with what comes before it fills one
 * cache line. Plain data, all zero at first. One thread. */
typedef struct {
  uint64_t outer_start_ns; /* when the outermost open phase began */
  uint64_t unpaired;       /* prologues begun twice, epilogues never begun */
  uint32_t open;           /* bit set of the types begun and not ended */
  hw_gc_mark_t start[HW_GC_TYPES];
} hw_gc_pairing_t;

/* Notes that a phase of `type` begins. A second prologue of a type that is
 * open replaces the first and counts as unpaired. A type that is none is
 * counted and otherwise ignored. Safe inside a GC. */
void hw_gc_begin(hw_gc_pairing_t* pairing, uint32_t type,
                 const hw_gc_mark_t* now);

/* Notes that a phase of `type` ends, and writes the event. Returns 0, or
 * HW_ESTATE if no such phase was open (counted as unpaired). A clock that went
 * backwards gives a duration of 0. Safe inside a GC. */
int hw_gc_end(hw_gc_pairing_t* pairing, uint32_t type, uint32_t flags,
              const hw_gc_mark_t* now, hw_gc_event_t* event);

#endif /* HW_GC_H_ */
