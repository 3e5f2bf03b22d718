/*
 * Whether what holds something tells the reader what to do.
 */

#include "snapshot/hw_snapshot_anchor.h"

bool hw_holding_is_of_node(const hw_reverse_t* r, const hw_holding_t* h) {
  return h->anchor == HW_ANCHOR_MODULE && h->length > 0 &&
         hw_url_is_of_node(r->s, hw_anchor_url(r, h->anchor, h->from[0]));
}

/* Node.js's or V8's, not the program's own nor a library's that it has chosen
 * to use. */
static bool is_foreign(const hw_reverse_t* r, uint32_t url) {
  uint32_t length = 0;
  if (url != HW_NONE) hw_string(r->s, url, &length);
  return length == 0 || hw_url_is_of_node(r->s, url);
}

/* What is loaded again and again stays among the `children` of who loads it: of
 * modules those two variables do tell. */
static bool is_of_modules(const hw_reverse_t* r, const hw_holding_t* h) {
  uint32_t held = hw_edge_target(r->s->edge[h->edge[h->length - 1]]);
  return r->s->name[held] == r->module_node &&
         hw_node_kind(r->s, held) == HW_NODE_OBJECT;
}

/* Does the way begin at something that the program's author knows? */
static bool begins_known(const hw_reverse_t* r, const hw_holding_t* h) {
  if (h->owner != HW_ANCHOR_NONE || h->anchor == HW_ANCHOR_GLOBAL ||
      h->anchor == HW_ANCHOR_EXPORTS)
    return true;
  if (h->anchor == HW_ANCHOR_MODULE && h->length > 0 &&
      hw_is_of_every_module(r->s, hw_variable_name(r, h->from[0], h->edge[0])))
    return is_of_modules(r, h);
  return h->length > 0 &&
         !is_foreign(r, hw_anchor_url(r, h->anchor, h->from[0]));
}

bool hw_holding_tells(const hw_reverse_t* r, const hw_holding_t* h) {
  if (h->anchor == HW_ANCHOR_NONE) return false;
  if (begins_known(r, h)) return true;
  switch (h->kind) {
    case HW_CAUSE_CLOSURE:
      return h->special != HW_NONE &&
             !is_foreign(r,
                         hw_closure_url(r, hw_unbound(r, h->from[h->special])));
    case HW_CAUSE_TIMER:
      /* Of a library there are many, and most are as they should be. */
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
