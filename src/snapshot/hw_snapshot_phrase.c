/*
 * What holds a node, as a sentence's end.
 */

#include <inttypes.h>
#include <string.h>

#include "snapshot/hw_snapshot_anchor.h"
#include "snapshot/hw_snapshot_describe.h"

#define ENCLOSING_MAX 4 /* scopes */
#define NAME_LIMIT 80   /* bytes of a name within a sentence */

/* Appends a name as it is in the file, cut if it is long. */
static void add_bytes(const uint8_t* raw, uint32_t length, hw_text_t* out) {
  hw_text_t quoted = {NULL, 0, 0, false};
  hw_text_quoted(&quoted, raw, length, NAME_LIMIT);
  if (length == 0)
    hw_text_string(out, "(anonymous)");
  else if (!quoted.failed)
    hw_text_append(out, quoted.data + 1, quoted.length - 2);
  hw_text_close(&quoted);
}

static void add_name(const hw_snapshot_t* s, uint32_t string, hw_text_t* out) {
  uint32_t length;
  const uint8_t* raw = hw_string(s, string, &length);
  add_bytes(raw, length, out);
}

static void add_ticked(const hw_snapshot_t* s, uint32_t string,
                       hw_text_t* out) {
  hw_text_string(out, "`");
  add_name(s, string, out);
  hw_text_string(out, "`");
}

/* "a " or "an ", by the letter: good enough for names of classes. */
static void add_article(const hw_snapshot_t* s, uint32_t string,
                        hw_text_t* out) {
  uint32_t length;
  const uint8_t* name = hw_string(s, string, &length);
  bool vowel = length > 0 && memchr("AEIOaeio", name[0], 8) != NULL;
  hw_text_string(out, vowel ? "an " : "a ");
}

/* Where the part of a URL begins that tells a reader enough: of a library all
 * from its name on, of Node.js everything, else what is after the last slash.
 */
static uint32_t telling_part(const hw_snapshot_t* s, uint32_t url,
                             const uint8_t* raw, uint32_t length) {
  static const char libraries[] = "/node_modules/";
  const uint32_t size = sizeof(libraries) - 1;
  uint32_t start = length;
  if (hw_string_starts(s, url, "node:")) return 0;
  for (; start >= size; start--)
    if (memcmp(raw + start - size, libraries, size) == 0) return start;
  for (start = length; start > 0 && raw[start - 1] != '/';)
    start--;
  return start;
}

/* " (name.js)" or " (name.js:12)". */
static void add_place(const hw_snapshot_t* s, uint32_t url, int line,
                      hw_text_t* out) {
  if (url == HW_NONE) return;
  uint32_t length;
  const uint8_t* raw = hw_string(s, url, &length);
  uint32_t start = telling_part(s, url, raw, length);
  if (start == length) return;
  hw_text_string(out, " (");
  hw_text_append(out, raw + start, length - start);
  if (line >= 0) hw_text_format(out, ":%d", line + 1);
  hw_text_string(out, ")");
}

/* Of a function without a name " in `name`", the one that it stands in. */
static void add_enclosing(const hw_reverse_t* r, uint32_t closure,
                          hw_text_t* out) {
  uint32_t length;
  hw_string(r->s, r->s->name[closure], &length);
  if (length > 0) return;
  uint32_t context = hw_target_of(r->s, closure, HW_EDGE_INTERNAL, r->context);
  /* Blocks and arrow functions have scopes that name nothing. */
  for (unsigned level = 0; level < ENCLOSING_MAX; level++) {
    if (context == HW_NONE || !hw_is_context(r, context)) return;
    uint32_t function = hw_context_function(r, context);
    length = 0;
    if (function != HW_NONE) hw_string(r->s, function, &length);
    if (length > 0) {
      hw_text_string(out, " in ");
      add_ticked(r->s, function, out);
      return;
    }
    context = hw_target_of(r->s, context, HW_EDGE_INTERNAL, r->previous);
  }
}

static void add_closure(const hw_reverse_t* r, uint32_t closure,
                        hw_text_t* out) {
  uint32_t function = hw_unbound(r, closure);
  if (function != closure) hw_text_string(out, "bound ");
  closure = function;
  const hw_location_t* at = hw_location_find(r->s, closure);
  add_ticked(r->s, r->s->name[closure], out);
  add_enclosing(r, closure, out);
  add_place(r->s, hw_closure_url(r, closure), at != NULL ? at->line : -1, out);
}

static void add_global(const hw_snapshot_t* s, uint32_t string,
                       hw_text_t* out) {
  const uint8_t* name;
  uint32_t length;
  if (hw_symbol_name(s, string, &name, &length) && length <= NAME_LIMIT) {
    hw_text_string(out, "property `Symbol(");
    hw_text_append(out, name, length);
    hw_text_string(out, ")` of the global object");
    return;
  }
  hw_text_string(out, "global variable ");
  add_ticked(s, string, out);
}

static void add_named(const hw_reverse_t* r, hw_anchor_t anchor, uint32_t from,
                      uint32_t edge, hw_text_t* out) {
  const hw_snapshot_t* s = r->s;
  uint32_t function;
  switch (anchor) {
    case HW_ANCHOR_MODULE:
      hw_text_string(out, "module variable ");
      add_ticked(s, hw_variable_name(r, from, edge), out);
      add_place(s, hw_variable_url(r, from), -1, out);
      break;
    case HW_ANCHOR_STATIC:
      hw_text_string(out, "property ");
      add_ticked(s, hw_name_of(s, from, edge), out);
      hw_text_string(out, " of ");
      add_closure(r, from, out);
      break;
    case HW_ANCHOR_EXPORTS:
      hw_text_string(out, "the exports of a module");
      function = hw_target_of(s, from, HW_EDGE_PROPERTY, r->filename);
      if (function != HW_NONE) add_place(s, s->name[function], -1, out);
      break;
    case HW_ANCHOR_GLOBAL:
      add_global(s, hw_name_of(s, from, edge), out);
      break;
    case HW_ANCHOR_FUNCTION:
      function = hw_context_function(r, from);
      hw_text_string(out, "variable ");
      add_ticked(s, hw_name_of(s, from, edge), out);
      hw_text_string(out, " of function ");
      if (function != HW_NONE)
        add_ticked(s, function, out);
      else
        hw_text_string(out, "`(anonymous)`");
      add_place(s, hw_context_url(r, from), -1, out);
      break;
    case HW_ANCHOR_TIMER:
      hw_text_string(out, "a timer");
      break;
    case HW_ANCHOR_HANDLE:
      hw_text_string(out, "an open handle");
      break;
    case HW_ANCHOR_STACK:
      hw_text_string(out, "a function that is running");
      break;
    default:
      hw_text_string(out, "V8 itself");
  }
}

static void add_anchor(const hw_reverse_t* r, const hw_holding_t* h,
                       hw_text_t* out) {
  if (h->among && h->kind != HW_CAUSE_LISTENER) {
    hw_text_string(out, "properties of ");
    if (h->anchor == HW_ANCHOR_GLOBAL)
      hw_text_string(out, "the global object");
    else
      add_closure(r, h->from[0], out);
    return;
  }
  add_named(r, h->anchor, h->length > 0 ? h->from[0] : h->holder,
            h->length > 0 ? h->edge[0] : 0, out);
}

/* "in" if the anchor's name is that of `node` itself. */
static void add_reached(const hw_reverse_t* r, const hw_holding_t* h,
                        uint32_t node, hw_text_t* out) {
  if (h->anchor == HW_ANCHOR_NONE) return;
  bool same = h->holder == node;
  hw_text_string(out, !same                           ? " reached from "
                      : h->anchor == HW_ANCHOR_HANDLE ? ", which is "
                                                      : " in ");
  add_anchor(r, h, out);
}

/* The string index of the name of the event that is listened to at a step, or
 * HW_NONE. */
static uint32_t event_name(const hw_reverse_t* r, const hw_holding_t* h,
                           unsigned step) {
  const hw_snapshot_t* s = r->s;
  unsigned next = step + 1;
  if (next >= h->length) return HW_NONE;
  if (hw_name_of(s, h->from[step], h->edge[step]) != r->event_map)
    return hw_edge_kind(s->edge[h->edge[next]]) == HW_EDGE_PROPERTY
               ? hw_name_of(s, h->from[next], h->edge[next])
               : HW_NONE;
  /* Of an EventTarget a key of a Map, in its table. */
  if (next + 1 >= h->length ||
      hw_edge_target(s->edge[h->edge[next]]) != h->from[next + 1])
    return HW_NONE;
  return hw_name_before(s, h->from[next + 1],
                        hw_edge_target(s->edge[h->edge[next + 1]]));
}

/* The same without the `$` that component-emitter puts before it. */
static void add_event(const hw_reverse_t* r, const hw_holding_t* h,
                      unsigned step, uint32_t name, hw_text_t* out) {
  uint32_t length;
  const uint8_t* raw = hw_string(r->s, name, &length);
  uint32_t marks =
      hw_name_of(r->s, h->from[step], h->edge[step]) == r->callbacks;
  hw_text_string(out, "`");
  add_bytes(raw + marks, length - marks, out);
  hw_text_string(out, "`");
}

/* What is listened to at a step: " of event `name` on the `Class`", and where
 * that is reached from. */
static void add_emitter(const hw_reverse_t* r, const hw_holding_t* h,
                        unsigned step, const char* event, hw_text_t* out) {
  const hw_snapshot_t* s = r->s;
  uint32_t emitter = h->from[step];
  uint32_t name = event_name(r, h, step);
  if (h->among) {
    hw_text_string(out, " of many events");
  } else if (name != HW_NONE) {
    hw_text_string(out, event);
    add_event(r, h, step, name, out);
  }
  hw_text_string(out, " on the ");
  add_ticked(s, s->name[emitter], out);
  if (!hw_string_is(s, s->name[emitter], "process"))
    add_reached(r, h, emitter, out);
}

bool hw_holding_names_event(const hw_reverse_t* r, const hw_holding_t* h) {
  return h->special != HW_NONE && event_name(r, h, h->special) != HW_NONE;
}

uint32_t hw_holding_example(const hw_reverse_t* r, const hw_holding_t* h) {
  if (!h->among) return HW_NONE;
  return h->kind == HW_CAUSE_LISTENER
             ? event_name(r, h, h->special)
             : hw_name_of(r->s, h->from[0], h->edge[0]);
}

static void add_listener(const hw_reverse_t* r, const hw_holding_t* h,
                         hw_text_t* out) {
  hw_text_string(out, "listeners");
  add_emitter(r, h, h->special, " of event ", out);
}

/* The event that a promise waits for, if that is on the way to it. */
static bool add_awaited(const hw_reverse_t* r, const hw_holding_t* h,
                        hw_text_t* out) {
  for (unsigned i = 0; i < h->special; i++) {
    if (!hw_step_listens(r, h, i)) continue;
    hw_text_string(out, " but waits");
    add_emitter(r, h, i, " for event ", out);
    return true;
  }
  return false;
}

#define WITHIN 3 /* names of properties */

/* By which properties of the holder the items are found: up to a collection, or
 * to a property that leads from one to the next. */
static void add_within(const hw_reverse_t* r, const hw_holding_t* h,
                       unsigned first, hw_text_t* out) {
  const hw_snapshot_t* s = r->s;
  unsigned told = 0;
  if (h->folded > 0) return;
  for (unsigned i = first; i + 1 < h->length && told < WITHIN; i++, told++) {
    uint32_t name = hw_name_of(s, h->from[i], h->edge[i]);
    if (hw_edge_kind(s->edge[h->edge[i]]) != HW_EDGE_PROPERTY ||
        hw_is_dictionary(r, h->from[i]) ||
        (told > 0 && name == hw_name_of(s, h->from[i - 1], h->edge[i - 1])))
      break;
    hw_text_string(out, told == 0 ? ", in its `" : ".");
    add_name(s, name, out);
  }
  if (told > 0) hw_text_string(out, "`");
}

static void add_which(const hw_reverse_t* r, uint32_t object, hw_text_t* out) {
  hw_text_string(out, ", which is ");
  add_article(r->s, r->s->name[object], out);
  add_ticked(r->s, r->s->name[object], out);
}

/* Of an AsyncLocalStorage's store, what it is: what comes next on the way, but
 * for the frame in which Node.js keeps the stores of all. */
static void add_store(const hw_reverse_t* r, const hw_holding_t* h,
                      hw_text_t* out) {
  const hw_snapshot_t* s = r->s;
  for (unsigned i = h->special + 1; i < h->length; i++) {
    uint32_t store = h->from[i];
    if (hw_node_kind(s, store) != HW_NODE_OBJECT ||
        hw_string_is(s, s->name[store], "AsyncContextFrame"))
      continue;
    add_which(r, store, out);
    add_within(r, h, i, out);
    return;
  }
}

static void add_timer(const hw_reverse_t* r, const hw_holding_t* h,
                      hw_text_t* out) {
  const hw_snapshot_t* s = r->s;
  uint32_t timer = h->from[h->special != HW_NONE ? h->special : 0];
  uint32_t callback = hw_target_of(s, timer, HW_EDGE_PROPERTY, r->on_timeout);
  bool immediate = callback == HW_NONE;
  if (immediate)
    callback = hw_target_of(s, timer, HW_EDGE_PROPERTY, r->on_immediate);
  /* `_repeat` is a small integer of setInterval, which has no edge, and null
   * of setTimeout. */
  bool repeats = hw_target_of(s, timer, HW_EDGE_PROPERTY, r->repeat) == HW_NONE;
  hw_text_string(out, immediate ? "setImmediate"
                      : repeats ? "setInterval"
                                : "setTimeout");
  if (callback != HW_NONE && hw_node_kind(s, callback) == HW_NODE_CLOSURE) {
    hw_text_string(out, " with the callback ");
    add_closure(r, callback, out);
  }
  if (h->leads_to != HW_NONE) {
    hw_text_string(out, ", which leads to ");
    add_closure(r, h->leads_to, out);
  }
}

/* "variable `name` of ", the one of a closure that leads on. */
static void add_captured(const hw_reverse_t* r, const hw_holding_t* h,
                         hw_text_t* out) {
  const hw_snapshot_t* s = r->s;
  for (unsigned i = h->special + 1; i < h->length; i++) {
    uint32_t name = hw_name_of(s, h->from[i], h->edge[i]);
    if (!hw_is_context(r, h->from[i])) return;
    if (hw_edge_kind(s->edge[h->edge[i]]) == HW_EDGE_CONTEXT) {
      hw_text_string(out, "variable ");
      add_ticked(s, name, out);
      hw_text_string(out, " of ");
      return;
    }
    if (name != r->previous) return;
  }
}

static void add_holding(const hw_reverse_t* r, const hw_holding_t* h,
                        hw_text_t* out) {
  const hw_snapshot_t* s = r->s;
  uint32_t special = h->special != HW_NONE ? h->from[h->special] : HW_NONE;
  const hw_kept_t* kept = hw_holding_kept(r, h);
  if (kept != NULL) {
    hw_text_string(out, kept->phrase);
    return;
  }
  switch (h->kind) {
    case HW_CAUSE_LISTENER:
      add_listener(r, h, out);
      break;
    case HW_CAUSE_TIMER:
      add_timer(r, h, out);
      break;
    case HW_CAUSE_CLOSURE:
      if (special == HW_NONE) {
        add_anchor(r, h, out);
        break;
      }
      add_captured(r, h, out);
      hw_text_string(out, "the closure ");
      add_closure(r, special, out);
      add_reached(r, h, special, out);
      break;
    case HW_CAUSE_PROMISE:
      hw_text_string(out, "a promise that is not settled");
      if (add_awaited(r, h, out)) break;
      hw_text_string(out, ",");
      add_reached(r, h, HW_NONE, out);
      break;
    case HW_CAUSE_ASYNC_CONTEXT:
      hw_text_string(out, "an AsyncLocalStorage's store");
      if (h->within) add_store(r, h, out);
      hw_text_string(out, ", kept by a ");
      add_ticked(s, s->name[special], out);
      if (h->anchor != HW_ANCHOR_TIMER) add_reached(r, h, special, out);
      break;
    default:
      if (h->anchor == HW_ANCHOR_NONE) {
        hw_text_string(out, "something that has no name");
        break;
      }
      add_anchor(r, h, out);
      if (!h->among && hw_node_kind(s, h->holder) == HW_NODE_OBJECT) {
        add_which(r, h->holder, out);
        if (h->within) add_within(r, h, 1, out);
      }
  }
}

void hw_holding_phrase(const hw_reverse_t* r, const hw_holding_t* h,
                       hw_text_t* out) {
  add_holding(r, h, out);
  if (h->owner == HW_ANCHOR_NONE) return;
  hw_text_string(out, h->kind == HW_CAUSE_ASYNC_CONTEXT
                          ? ", of the AsyncLocalStorage in "
                          : ", reached from ");
  add_named(r, h->owner, h->owner_from, h->owner_edge, out);
}
