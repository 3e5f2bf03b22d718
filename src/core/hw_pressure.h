#ifndef HW_PRESSURE_H_
#define HW_PRESSURE_H_

#include <stdbool.h>
#include <stdint.h>

#include "hw_gc.h"

/*
 * Memory pressure: three ratios, each with a threshold above which an episode
 * begins and a lower one below which it ends.
 *
 *   heap-limit     heap live after a major GC / limit of the old space
 *   memory-limit   rss / memory limit of the process (its container's)
 *   gc-load        share of the last `window` spent in garbage collection
 *
 * The old space's limit is V8's heap_size_limit less what V8 reserves for the
 * young generation, which lives in the same figure but fills and empties all
 * the time: counted in, a 64 MB heap dies at "57 %".
 */

typedef enum {
  HW_PRESSURE_HEAP_LIMIT,
  HW_PRESSURE_MEMORY_LIMIT,
  HW_PRESSURE_GC_LOAD,
  HW_PRESSURE_REASONS
} hw_pressure_reason_t;

typedef struct {
  double threshold[HW_PRESSURE_REASONS]; /* 0 < ratio <= 1; 0: not watched */
  double release;     /* an episode ends below threshold * release, 0 ... 1 */
  uint64_t window_ns; /* of gc-load */
  uint64_t young_reserve_bytes;
} hw_pressure_options_t;

/* The beginning of an episode. */
typedef struct {
  hw_pressure_reason_t reason;
  uint64_t time_ns;
  double ratio; /* the ratio that went over the threshold */
  double threshold;
  uint64_t used_bytes;  /* live heap, or rss; 0 for gc-load */
  uint64_t limit_bytes; /* what it is measured against; 0 for gc-load */
} hw_pressure_event_t;

#define HW_PRESSURE_SLOTS 20

/* Time in GC in one slot of the window, by the slot's number since the clock's
 * zero. Valid while that is one of the last HW_PRESSURE_SLOTS. */
typedef struct {
  uint64_t number;
  uint64_t busy_ns;
} hw_pressure_slot_t;

/* Plain data; its members are the module's own. One thread. After a collection
 * the caches are cold, so what each of them needs stands together: a minor one
 * touches the first line and a slot. */
typedef struct {
  uint64_t slot_ns;     /* window / HW_PRESSURE_SLOTS */
  uint64_t judged_slot; /* in which gc-load was last judged */
  uint64_t start_ns;
  uint32_t changed; /* bits of the reasons hw_pressure_changed has to tell of */
  hw_pressure_options_t options;
  bool active[HW_PRESSURE_REASONS];
  bool pending[HW_PRESSURE_REASONS];
  hw_pressure_slot_t slots[HW_PRESSURE_SLOTS];
  hw_pressure_event_t event[HW_PRESSURE_REASONS];
  hw_pressure_event_t change[HW_PRESSURE_REASONS];
} hw_pressure_t;

/* Starts watching at `now_ns` with `options`, which must be in range:
 * JavaScript has checked them. */
void hw_pressure_init(hw_pressure_t* pressure,
                      const hw_pressure_options_t* options, uint64_t now_ns);

/* Takes in one GC event: its time, and after a major one the live heap. The GC
 * load is judged once a slot, the rest of the time by samples. Safe inside a
 * GC. */
void hw_pressure_gc(hw_pressure_t* pressure, const hw_gc_event_t* event);

/* Takes in a reading at `now_ns`. `memory_limit_bytes` of 0 is no limit. */
void hw_pressure_sample(hw_pressure_t* pressure, uint64_t now_ns,
                        uint64_t rss_bytes, uint64_t memory_limit_bytes);

/* The share of the last window spent in GC, 0 ... 1; of the time since the
 * start while that is shorter. Resolution: a twentieth of the window. */
double hw_pressure_gc_load(const hw_pressure_t* pressure, uint64_t now_ns);

/* The old space's limit in a heap of this limit; 0 if the reserve is all. */
uint64_t hw_pressure_old_space_limit(const hw_pressure_t* pressure,
                                     uint64_t heap_limit_bytes);

/* Whether hw_pressure_next has something to give. Safe inside a GC. */
bool hw_pressure_pending(const hw_pressure_t* pressure);

/* Moves the next begun episode out into `event`. Returns whether there was
 * one. An episode that begins again before it was asked for replaces itself:
 * there are never more than one of each reason. */
bool hw_pressure_next(hw_pressure_t* pressure, hw_pressure_event_t* event);

/* Makes hw_pressure_next give the beginnings of all episodes that go on, and
 * of no other. */
void hw_pressure_retell(hw_pressure_t* pressure);

/* Moves out what began or ended since it was last asked: `*begins` tells which,
 * and of an end `event` has the ratio that was below. Returns whether there was
 * something; of each reason only the newest is kept. Takes nothing away from
 * hw_pressure_next. Safe inside a GC. */
bool hw_pressure_changed(hw_pressure_t* pressure, hw_pressure_event_t* event,
                         bool* begins);

/* The name of a reason, as events carry it. A static string. */
const char* hw_pressure_reason_name(hw_pressure_reason_t reason);

#endif /* HW_PRESSURE_H_ */
