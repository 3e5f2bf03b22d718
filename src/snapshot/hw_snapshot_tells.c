/*
 * Whether what holds something tells the reader what to do.
 */

#include "snapshot/hw_snapshot_anchor.h"

bool hw_holding_is_of_node(const hw_reverse_t* r, const hw_holding_t* h) {
  return h->anchor == HW_ANCHOR_MODULE && h->length > 0 &&
         hw_url_is_of_node(r->s, hw_anchor_url(r, h->anchor, h->from[0]));
}

/* Is what the way begins at something of the program's own? */
static bool begins_own(const hw_reverse_t* r, const hw_holding_t* h) {
  if (h->owner != HW_ANCHOR_NONE || h->anchor == HW_ANCHOR_GLOBAL ||
      h->anchor == HW_ANCHOR_EXPORTS)
    return true;
  return h->length > 0 &&
         hw_url_is_own(r->s, hw_anchor_url(r, h->anchor, h->from[0]));
}

static bool is_own_closure(const hw_reverse_t* r, uint32_t closure) {
  return hw_node_kind(r->s, closure) == HW_NODE_CLOSURE &&
         hw_url_is_own(r->s, hw_closure_url(r, hw_unbound(r, closure)));
}

bool hw_holding_tells(const hw_reverse_t* r, const hw_holding_t* h) {
  if (h->anchor == HW_ANCHOR_NONE) return false;
  if (begins_own(r, h)) return true;
  switch (h->kind) {
    case HW_CAUSE_CLOSURE:
      return h->special != HW_NONE && is_own_closure(r, h->from[h->special]);
    case HW_CAUSE_TIMER:
      return h->leads_to != HW_NONE ||
             hw_url_is_own(r->s, hw_holding_timer_url(r, h));
    case HW_CAUSE_LISTENER:
    case HW_CAUSE_ASYNC_CONTEXT:
    case HW_CAUSE_CONTEXT:
      return true;
    default:
      return hw_holding_kept(r, h) != NULL;
  }
}

static const hw_kept_t kept_by_node[] = {
    /* While they have listeners, or else those would not be called. */
    {"gcPersistentSignals", HW_CAUSE_LISTENER,
     "listeners of event `abort` on signals of `AbortSignal.any()` or "
     "`AbortSignal.timeout()`"},
    {"markEntryBuffer", HW_CAUSE_GLOBAL,
     "global variable `performance`, which keeps what `performance.mark()` "
     "makes until `performance.clearMarks()`"},
    {"measureEntryBuffer", HW_CAUSE_GLOBAL,
     "global variable `performance`, which keeps what `performance.measure()` "
     "makes until `performance.clearMeasures()`"},
    {"resourceTimingBuffer", HW_CAUSE_GLOBAL,
     "global variable `performance`, which keeps the timing of what is fetched "
     "until `performance.clearResourceTimings()`"},
};

const hw_kept_t* hw_holding_kept(const hw_reverse_t* r, const hw_holding_t* h) {
  if (!hw_holding_is_of_node(r, h) || h->special != HW_NONE) return NULL;
  uint32_t name = hw_variable_name(r, h->from[0], h->edge[0]);
  for (unsigned i = 0; i < sizeof(kept_by_node) / sizeof(kept_by_node[0]); i++)
    if (hw_string_is(r->s, name, kept_by_node[i].variable))
      return &kept_by_node[i];
  return NULL;
}
