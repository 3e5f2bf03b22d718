#include "hw_pressure.h"

#include <string.h>

void hw_pressure_init(hw_pressure_t* pressure,
                      const hw_pressure_options_t* options, uint64_t now_ns) {
  memset(pressure, 0, sizeof(*pressure));
  pressure->options = *options;
  pressure->start_ns = now_ns;
  pressure->slot_ns = options->window_ns / HW_PRESSURE_SLOTS;
  if (pressure->slot_ns == 0) pressure->slot_ns = 1;
}

/* Begins or ends the episode of `event->reason`. */
static void judge(hw_pressure_t* pressure, const hw_pressure_event_t* event) {
  hw_pressure_reason_t reason = event->reason;
  bool active = pressure->active[reason];
  if (event->threshold == 0 ||
      (active ? event->ratio >= event->threshold * pressure->options.release
              : event->ratio <= event->threshold))
    return;
  pressure->active[reason] = !active;
  pressure->change[reason] = *event;
  pressure->changed |= 1u << reason;
  if (active) return;
  pressure->pending[reason] = true;
  pressure->event[reason] = *event;
}

static void judge_share(hw_pressure_t* pressure, hw_pressure_reason_t reason,
                        uint64_t now_ns, uint64_t used, uint64_t limit) {
  if (limit == 0) return;
  hw_pressure_event_t event = {.reason = reason,
                               .time_ns = now_ns,
                               .ratio = (double)used / (double)limit,
                               .threshold = pressure->options.threshold[reason],
                               .used_bytes = used,
                               .limit_bytes = limit};
  judge(pressure, &event);
}

static void judge_gc_load(hw_pressure_t* pressure, uint64_t now_ns) {
  pressure->judged_slot = now_ns / pressure->slot_ns;
  /* A process that has just started loads modules and collects a lot: no
   * verdict before a whole window has been seen. */
  if (now_ns < pressure->start_ns ||
      now_ns - pressure->start_ns < pressure->options.window_ns)
    return;
  hw_pressure_event_t event = {
      .reason = HW_PRESSURE_GC_LOAD,
      .time_ns = now_ns,
      .ratio = hw_pressure_gc_load(pressure, now_ns),
      .threshold = pressure->options.threshold[HW_PRESSURE_GC_LOAD]};
  judge(pressure, &event);
}

/* Spreads the time from `from` to `to` over the slots it lies in. A pause
 * longer than the window is only counted where it can still be seen. */
static void add_busy(hw_pressure_t* pressure, uint64_t from, uint64_t to) {
  uint64_t slot_ns = pressure->slot_ns;
  uint64_t window_ns = slot_ns * HW_PRESSURE_SLOTS;
  if (to - from > window_ns) from = to - window_ns;
  while (from < to) {
    uint64_t number = from / slot_ns;
    uint64_t end = (number + 1) * slot_ns;
    if (end > to) end = to;
    hw_pressure_slot_t* slot = &pressure->slots[number % HW_PRESSURE_SLOTS];
    if (slot->number != number) *slot = (hw_pressure_slot_t){.number = number};
    slot->busy_ns += end - from;
    from = end;
  }
}

void hw_pressure_gc(hw_pressure_t* pressure, const hw_gc_event_t* event) {
  uint64_t end_ns = event->start_ns + event->duration_ns;
  if (event->busy_ns > 0 && event->busy_ns <= end_ns) {
    add_busy(pressure, end_ns - event->busy_ns, end_ns);
    if (end_ns / pressure->slot_ns != pressure->judged_slot)
      judge_gc_load(pressure, end_ns);
  }
  if (event->type == HW_GC_MARK_SWEEP_COMPACT) {
    uint64_t limit =
        hw_pressure_old_space_limit(pressure, event->heap_limit_bytes);
    judge_share(pressure, HW_PRESSURE_HEAP_LIMIT, end_ns,
                event->heap_after_bytes, limit);
  }
}

void hw_pressure_sample(hw_pressure_t* pressure, uint64_t now_ns,
                        uint64_t rss_bytes, uint64_t memory_limit_bytes) {
  judge_share(pressure, HW_PRESSURE_MEMORY_LIMIT, now_ns, rss_bytes,
              memory_limit_bytes);
  judge_gc_load(pressure, now_ns);
}

double hw_pressure_gc_load(const hw_pressure_t* pressure, uint64_t now_ns) {
  uint64_t last = now_ns / pressure->slot_ns;
  uint64_t busy_ns = 0;
  for (unsigned i = 0; i < HW_PRESSURE_SLOTS; i++) {
    const hw_pressure_slot_t* slot = &pressure->slots[i];
    if (slot->number <= last && last - slot->number < HW_PRESSURE_SLOTS)
      busy_ns += slot->busy_ns;
  }
  /* The slot of this moment is not over yet: the time looked at is shorter
   * than the window by what is missing of it. */
  uint64_t first = last < HW_PRESSURE_SLOTS ? 0 : last - HW_PRESSURE_SLOTS + 1;
  uint64_t from_ns = first * pressure->slot_ns;
  if (from_ns < pressure->start_ns) from_ns = pressure->start_ns;
  if (now_ns <= from_ns) return 0;
  double load = (double)busy_ns / (double)(now_ns - from_ns);
  return load > 1 ? 1 : load;
}

uint64_t hw_pressure_old_space_limit(const hw_pressure_t* pressure,
                                     uint64_t heap_limit_bytes) {
  uint64_t reserve = pressure->options.young_reserve_bytes;
  return heap_limit_bytes > reserve ? heap_limit_bytes - reserve : 0;
}

bool hw_pressure_pending(const hw_pressure_t* pressure) {
  bool pending = false;
  for (int reason = 0; reason < HW_PRESSURE_REASONS; reason++)
    pending |= pressure->pending[reason];
  return pending;
}

bool hw_pressure_next(hw_pressure_t* pressure, hw_pressure_event_t* event) {
  for (int reason = 0; reason < HW_PRESSURE_REASONS; reason++) {
    if (pressure->pending[reason]) {
      pressure->pending[reason] = false;
      *event = pressure->event[reason];
      return true;
    }
  }
  return false;
}

bool hw_pressure_changed(hw_pressure_t* pressure, hw_pressure_event_t* event,
                         bool* begins) {
  for (int reason = 0; reason < HW_PRESSURE_REASONS; reason++) {
    if ((pressure->changed & 1u << reason) == 0) continue;
    pressure->changed &= ~(1u << reason);
    *event = pressure->change[reason];
    *begins = pressure->active[reason];
    return true;
  }
  return false;
}

void hw_pressure_retell(hw_pressure_t* pressure) {
  for (int reason = 0; reason < HW_PRESSURE_REASONS; reason++)
    pressure->pending[reason] = pressure->active[reason];
}

const char* hw_pressure_reason_name(hw_pressure_reason_t reason) {
  switch (reason) {
    case HW_PRESSURE_HEAP_LIMIT:
      return "heap-limit";
    case HW_PRESSURE_MEMORY_LIMIT:
      return "memory-limit";
    case HW_PRESSURE_GC_LOAD:
      return "gc-load";
    default:
      return "unknown";
  }
}
