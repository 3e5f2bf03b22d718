/*
 * The search backwards, and the kind of the way it finds.
 *
 * Anchors score their distance and a penalty: little for a module's variable
 * or a global, more for what Node.js or a library keeps, much for variables of
 * functions, which something else must hold in turn, and for the stack. Those
 * last are taken only if nothing else is found, however far: of a chain of a
 * thousand closures the variable at its head is what matters. Of the others
 * the best is known three levels beyond its score.
 */

#include "snapshot/hw_snapshot_anchor.h"

#define VISITED_MAX 100000 /* nodes a search */
#define WEAK 5             /* the least penalty of an anchor that says little */
#define LEVELS_BEYOND 3

const char* hw_cause_kind_name(hw_cause_kind_t kind) {
  static const char* const names[] = {
      "unknown",  "global",     "module",  "closure",       "timer",
      "listener", "collection", "promise", "async-context", "context"};
  return names[kind];
}

int hw_search_init(const hw_reverse_t* r, hw_search_t* search) {
  size_t n = r->s->nodes;
  memset(search, 0, sizeof(*search));
  search->r = r;
  search->avoid = HW_NONE;
  search->queue = hw_array_new(n, sizeof(uint32_t));
  search->via = hw_array_new(n, sizeof(uint32_t));
  search->depth = hw_array_new(n, sizeof(uint16_t));
  return search->queue == NULL || search->via == NULL || search->depth == NULL
             ? HW_ENOMEM
             : 0;
}

void hw_search_close(hw_search_t* search) {
  hw_array_free(search->queue);
  hw_array_free(search->via);
  hw_array_free(search->depth);
  memset(search, 0, sizeof(*search));
}

static bool has_part(const hw_snapshot_t* s, uint32_t string,
                     const char* part) {
  uint32_t length;
  if (string == HW_NONE) return false;
  const uint8_t* text = hw_string(s, string, &length);
  size_t wanted = strlen(part);
  for (size_t at = 0; at + wanted <= length; at++)
    if (memcmp(text + at, part, wanted) == 0) return true;
  return false;
}

/* V8's own functions, and those made from text, have none. */
static bool has_file(const hw_snapshot_t* s, uint32_t url) {
  uint32_t length = 0;
  if (url != HW_NONE) hw_string(s, url, &length);
  return length > 0;
}

/* What a file costs: Node's own, a library's, none known. */
static double file_penalty(const hw_snapshot_t* s, uint32_t url) {
  if (!has_file(s, url)) return 6;
  if (hw_url_is_of_node(s, url)) return 6;
  return has_part(s, url, "/node_modules/") ? 0.5 : 0;
}

bool hw_is_of_every_module(const hw_snapshot_t* s, uint32_t name) {
  return hw_string_is(s, name, "require") || hw_string_is(s, name, "module");
}

static double context_penalty(const hw_reverse_t* r, uint32_t context,
                              uint32_t name, hw_anchor_t* anchor) {
  uint32_t url = hw_context_url(r, context);
  bool module = has_file(r->s, url) && hw_is_module_context(r, context);
  *anchor = module ? HW_ANCHOR_MODULE : HW_ANCHOR_FUNCTION;
  if (module && hw_is_of_every_module(r->s, name)) return 2;
  return file_penalty(r->s, url) + (module ? 0 : 8);
}

/* What a function or an object has by itself, that names nothing. */
static bool is_own_property(const hw_snapshot_t* s, uint32_t name) {
  return name == s->known.proto || hw_string_is(s, name, "prototype") ||
         hw_string_is(s, name, "constructor");
}

/* Some symbols on the global object are V8's and Node's own. */
static double global_penalty(const hw_snapshot_t* s, uint32_t name) {
  static const char* const own[] = {"Symbol.", "node", "undici."};
  for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
    char start[24] = "<symbol ";
    if (hw_string_starts(s, name, strcat(start, own[i]))) return 6;
  }
  /* So are most of what have getters. */
  return hw_string_is(s, name, "process") || hw_string_starts(s, name, "get ")
             ? 1
             : 0;
}

/* One that has run or was cleared is in no list: it holds, but waits for
 * nothing, and whoever has it is what matters. */
static bool is_over(const hw_reverse_t* r, uint32_t timer) {
  const hw_snapshot_t* s = r->s;
  if (s->name[timer] != r->timeout) return false;
  uint32_t next = hw_target_of(s, timer, HW_EDGE_PROPERTY, r->idle_next);
  return next == HW_NONE ||
         (s->name[next] != r->timeout && s->name[next] != r->timers_list);
}

/* The penalty of the edge from `from` as an anchor; negative if it is none. */
static double penalty(const hw_reverse_t* r, uint32_t from, uint32_t edge,
                      hw_anchor_t* anchor) {
  const hw_snapshot_t* s = r->s;
  unsigned kind = hw_edge_kind(s->edge[edge]);
  uint32_t name = hw_name_of(s, from, edge);
  if (kind == HW_EDGE_CONTEXT && hw_is_context(r, from))
    return context_penalty(r, from, name, anchor);
  if (s->name[from] == r->cell && name == r->value) {
    uint32_t record;
    *anchor = HW_ANCHOR_MODULE;
    if (hw_export_name(r, from, &record) == HW_NONE) return -1;
    return file_penalty(s, hw_record_url(r, record));
  }
  if (kind == HW_EDGE_PROPERTY) {
    *anchor = HW_ANCHOR_STATIC;
    if (hw_node_kind(s, from) == HW_NODE_CLOSURE && !is_own_property(s, name))
      return 0.2 + file_penalty(s, hw_closure_url(r, from));
    *anchor = HW_ANCHOR_EXPORTS;
    if (s->name[from] == r->module_node && name == r->exports &&
        hw_node_kind(s, from) == HW_NODE_OBJECT)
      return 0.6;
    *anchor = HW_ANCHOR_GLOBAL;
    if (hw_is_global(r, from)) return global_penalty(s, name);
    *anchor = HW_ANCHOR_TIMER;
    if (name == r->on_timeout || name == r->on_immediate)
      return is_over(r, from) ? -1 : 1;
  }
  if (s->name[from] == r->timeout && hw_node_kind(s, from) == HW_NODE_OBJECT) {
    *anchor = HW_ANCHOR_TIMER;
    if (is_over(r, from)) return -1;
    return kind == HW_EDGE_PROPERTY || kind == HW_EDGE_INTERNAL ? 1 : -1;
  }
  *anchor = HW_ANCHOR_ROOT;
  /* Such as the promises of Atomics.waitAsync(). */
  if (from == r->main_context && kind == HW_EDGE_INTERNAL) return 14;
  if (hw_node_kind(s, from) != HW_NODE_SYNTHETIC) return -1;
  *anchor = HW_ANCHOR_STACK;
  if (hw_string_is(s, s->name[from], "(Stack roots)")) return 9;
  *anchor = HW_ANCHOR_HANDLE;
  if (hw_string_is(s, s->name[from], "(Global handles)")) return 5;
  *anchor = HW_ANCHOR_ROOT;
  return 14;
}

/* Code, shapes and the like refer to everything and mean nothing. So do the
 * functions of a module, to all of its variables, and any function to what V8
 * has for the whole program: neither holds what is in those. */
static bool is_passed(const hw_reverse_t* r, uint32_t node) {
  const hw_snapshot_t* s = r->s;
  unsigned kind = hw_node_kind(s, node);
  if (node == r->main_context) return false;
  /* Contexts of V8's functions, as of promises, look like those of modules. */
  if (hw_is_context(r, node) && hw_is_module_context(r, node) &&
      has_file(s, hw_context_url(r, node)))
    return false;
  return kind != HW_NODE_CODE && kind != HW_NODE_SHAPE &&
         kind != HW_NODE_SYNTHETIC;
}

/* Timers hang on each other in lists: those would lead to any of them. */
static bool is_list_of_timers(const hw_reverse_t* r, uint32_t from,
                              uint32_t to) {
  const hw_snapshot_t* s = r->s;
  if (s->name[to] != r->timeout && s->name[to] != r->immediate) return false;
  return s->name[from] == r->timeout || s->name[from] == r->timers_list ||
         s->name[from] == r->immediate;
}

typedef struct {
  double score;
  uint32_t entry; /* in the reverse lists */
  hw_anchor_t anchor;
} best_t;

static void consider(best_t* best, double score, uint32_t entry,
                     hw_anchor_t anchor) {
  if (best->anchor != HW_ANCHOR_NONE && score >= best->score) return;
  best->score = score;
  best->entry = entry;
  best->anchor = anchor;
}

static void forget(hw_search_t* search) {
  for (uint32_t i = 0; i < search->visited; i++)
    search->via[search->queue[i]] = 0;
  search->visited = 0;
}

/* Variables of modules and globals of the program's own files alone. */
static bool is_own(const hw_anchor_t anchor, double penalty) {
  return penalty < 0.5 &&
         (anchor == HW_ANCHOR_MODULE || anchor == HW_ANCHOR_GLOBAL ||
          anchor == HW_ANCHOR_STATIC);
}

static void look(hw_search_t* search, uint32_t start, best_t* best,
                 best_t* weak) {
  const hw_reverse_t* r = search->r;
  const hw_snapshot_t* s = r->s;
  uint32_t next = 0;
  search->queue[search->visited++] = start;
  search->via[start] = HW_NONE;
  search->depth[start] = 0;
  while (next < search->visited && search->visited < VISITED_MAX) {
    uint32_t node = search->queue[next++];
    unsigned depth = search->depth[node] + 1u;
    if (depth == UINT16_MAX ||
        (best->anchor != HW_ANCHOR_NONE && depth > best->score + LEVELS_BEYOND))
      break;
    for (uint32_t i = r->first[node]; i < r->first[node + 1]; i++) {
      uint32_t from = r->source[i];
      hw_anchor_t anchor = HW_ANCHOR_NONE;
      if (search->via[from] != 0 || from == search->avoid ||
          is_list_of_timers(r, from, node))
        continue;
      double own = penalty(r, from, r->edge[i], &anchor);
      if (search->own_only && !is_own(anchor, own)) own = -1;
      if (search->only != HW_ANCHOR_NONE && anchor != search->only) own = -1;
      if (own >= 0) consider(own < WEAK ? best : weak, depth + own, i, anchor);
      if (!is_passed(r, from) || search->visited == s->nodes) continue;
      search->via[from] = i + 1;
      search->depth[from] = (uint16_t)depth;
      search->queue[search->visited++] = from;
    }
  }
}

static bool is_library(const hw_snapshot_t* s, uint32_t url) {
  return hw_url_is_of_node(s, url) || has_part(s, url, "/node_modules/");
}

bool hw_url_is_own(const hw_snapshot_t* s, uint32_t url) {
  return has_file(s, url) && !is_library(s, url);
}

uint32_t hw_anchor_url(const hw_reverse_t* r, hw_anchor_t anchor,
                       uint32_t from) {
  if (anchor == HW_ANCHOR_MODULE || anchor == HW_ANCHOR_FUNCTION)
    return hw_variable_url(r, from);
  return anchor == HW_ANCHOR_STATIC ? hw_closure_url(r, from) : HW_NONE;
}

void hw_search_owner(hw_search_t* search, hw_holding_t* h) {
  const hw_reverse_t* r = search->r;
  best_t best = {0, 0, HW_ANCHOR_NONE};
  best_t weak = best;
  uint32_t from = h->length > 0 ? h->from[0] : HW_NONE;
  if (from == HW_NONE || hw_holding_is_of_node(r, h)) return;
  uint32_t url = h->anchor == HW_ANCHOR_TIMER
                     ? hw_holding_timer_url(r, h)
                     : hw_anchor_url(r, h->anchor, from);
  if (!is_library(r->s, url)) return;
  search->own_only = true;
  look(search, from, &best, &weak);
  search->own_only = false;
  if (best.anchor != HW_ANCHOR_NONE) {
    h->owner = best.anchor;
    h->owner_from = r->source[best.entry];
    h->owner_edge = r->edge[best.entry];
  }
  forget(search);
}

uint32_t hw_holding_variable(const hw_reverse_t* r, const hw_holding_t* h) {
  for (uint32_t i = h->length; i-- > 1;)
    if (i + 1 < h->length && hw_is_context(r, h->from[i]) &&
        hw_edge_kind(r->s->edge[h->edge[i]]) == HW_EDGE_CONTEXT &&
        !hw_url_is_of_node(r->s, hw_context_url(r, h->from[i])))
      return i;
  return HW_NONE;
}

void hw_holding_shorten(const hw_reverse_t* r, hw_holding_t* h, uint32_t step) {
  h->length -= step;
  memmove(h->from, h->from + step, h->length * sizeof(uint32_t));
  memmove(h->edge, h->edge + step, h->length * sizeof(uint32_t));
  h->folded = 0;
  h->anchor = hw_is_module_context(r, h->from[0]) ? HW_ANCHOR_MODULE
                                                  : HW_ANCHOR_FUNCTION;
  h->kind = HW_CAUSE_COLLECTION;
  h->holder = hw_edge_target(r->s->edge[h->edge[0]]);
  h->special = HW_NONE;
}

static void add_step(hw_holding_t* h, uint32_t from, uint32_t edge) {
  if (h->length == HW_PATH_MAX) {
    /* The middle goes: both ends say more. */
    const unsigned half = HW_PATH_MAX / 2;
    memmove(h->from + half, h->from + half + 1, (half - 1) * sizeof(uint32_t));
    memmove(h->edge + half, h->edge + half + 1, (half - 1) * sizeof(uint32_t));
    h->length--;
    h->folded++;
  }
  h->from[h->length] = from;
  h->edge[h->length] = edge;
  h->length++;
}

/* Suspended functions that are async have a generator without a name of its
 * own; one that yields waits only for its caller. */
bool hw_step_waits(const hw_reverse_t* r, uint32_t from, uint32_t edge) {
  return r->s->name[from] == r->reaction ||
         (r->s->name[from] == r->generator &&
          hw_edge_kind(r->s->edge[edge]) == HW_EDGE_INTERNAL &&
          hw_name_of(r->s, from, edge) == r->registers);
}

/* component-emitter, which socket.io's clients are, has an array for each event
 * under its name with `$` before it. */
static bool is_callbacks(const hw_reverse_t* r, const hw_holding_t* h,
                         unsigned step) {
  const hw_snapshot_t* s = r->s;
  return hw_name_of(s, h->from[step], h->edge[step]) == r->callbacks &&
         step + 1 < h->length &&
         hw_edge_kind(s->edge[h->edge[step + 1]]) == HW_EDGE_PROPERTY &&
         hw_string_starts(
             s, hw_name_of(s, h->from[step + 1], h->edge[step + 1]), "$");
}

bool hw_step_listens(const hw_reverse_t* r, const hw_holding_t* h,
                     unsigned step) {
  const hw_snapshot_t* s = r->s;
  if (hw_edge_kind(s->edge[h->edge[step]]) != HW_EDGE_PROPERTY) return false;
  uint32_t name = hw_name_of(s, h->from[step], h->edge[step]);
  return name == r->events || name == r->event_map || is_callbacks(r, h, step);
}

static uint32_t timer_url(const hw_reverse_t* r, uint32_t timer) {
  uint32_t call = hw_target_of(r->s, timer, HW_EDGE_PROPERTY, r->on_timeout);
  if (call == HW_NONE || hw_node_kind(r->s, call) != HW_NODE_CLOSURE)
    return HW_NONE;
  return hw_closure_url(r, hw_unbound(r, call));
}

/* Does Node.js itself wait here, as for a socket that is idle? Not where it
 * does so for the program, by a promise. */
static bool is_timer_of_node(const hw_reverse_t* r, uint32_t timer) {
  uint32_t url = timer_url(r, timer);
  return hw_url_is_of_node(r->s, url) && !has_part(r->s, url, "promises");
}

uint32_t hw_holding_timer_url(const hw_reverse_t* r, const hw_holding_t* h) {
  if (h->kind != HW_CAUSE_TIMER || h->length == 0) return HW_NONE;
  return timer_url(r, h->from[h->special != HW_NONE ? h->special : 0]);
}

/* Is what listens at a step a function of Node.js's own? */
static bool is_listener_of_node(const hw_reverse_t* r, const hw_holding_t* h,
                                unsigned step) {
  for (unsigned i = step + 1; i < h->length; i++)
    if (hw_node_kind(r->s, h->from[i]) == HW_NODE_CLOSURE) {
      uint32_t function = hw_unbound(r, h->from[i]);
      return hw_url_is_of_node(r->s, hw_closure_url(r, function));
    }
  return false;
}

/* From the first thing on the way that tells to the last, in the order in
 * which they say what it is. */
static void find_kind(const hw_reverse_t* r, hw_holding_t* h) {
  const hw_snapshot_t* s = r->s;
  static const hw_cause_kind_t of_anchor[] = {
      [HW_ANCHOR_NONE] = HW_CAUSE_UNKNOWN,
      [HW_ANCHOR_MODULE] = HW_CAUSE_MODULE,
      [HW_ANCHOR_STATIC] = HW_CAUSE_MODULE,
      [HW_ANCHOR_EXPORTS] = HW_CAUSE_MODULE,
      [HW_ANCHOR_GLOBAL] = HW_CAUSE_GLOBAL,
      [HW_ANCHOR_FUNCTION] = HW_CAUSE_CLOSURE,
      [HW_ANCHOR_TIMER] = HW_CAUSE_TIMER,
      [HW_ANCHOR_HANDLE] = HW_CAUSE_UNKNOWN,
      [HW_ANCHOR_STACK] = HW_CAUSE_UNKNOWN,
      [HW_ANCHOR_ROOT] = HW_CAUSE_UNKNOWN};
  unsigned rank = 0; /* of what was found, as below */
  h->kind = of_anchor[h->anchor];
  for (unsigned i = 0; i < h->length; i++) {
    unsigned kind = hw_edge_kind(s->edge[h->edge[i]]);
    uint32_t name = hw_name_of(s, h->from[i], h->edge[i]);
    unsigned own = 0;
    hw_cause_kind_t cause = h->kind;
    if (kind == HW_EDGE_PROPERTY &&
        (name == r->async_store || name == r->async_frame ||
         name == r->async_context)) {
      own = 5;
      cause = HW_CAUSE_ASYNC_CONTEXT;
    } else if (kind == HW_EDGE_PROPERTY &&
               (name == r->on_timeout || name == r->on_immediate)) {
      if (is_over(r, h->from[i]) || is_timer_of_node(r, h->from[i])) continue;
      own = 4;
      cause = HW_CAUSE_TIMER;
    } else if (hw_step_listens(r, h, i)) {
      own = 3;
      cause = HW_CAUSE_LISTENER;
    } else if (hw_step_waits(r, h->from[i], h->edge[i])) {
      own = 2;
      cause = HW_CAUSE_PROMISE;
    } else if (kind == HW_EDGE_INTERNAL && name == r->context &&
               hw_node_kind(s, h->from[i]) == HW_NODE_CLOSURE) {
      own = 1;
      cause = HW_CAUSE_CLOSURE;
    }
    /* A socket's listeners are what holds, not the timer that holds the socket,
     * nor Node's listeners to what it makes an emitter of; otherwise the first
     * of the highest rank. */
    bool nearer =
        own == 3 &&
        (rank == 4 || (rank == 3 && is_listener_of_node(r, h, h->special)));
    if (own <= rank && !nearer) continue;
    rank = own;
    h->kind = cause;
    h->special = i;
  }
}

#define FORWARD_MAX 400 /* nodes */

uint32_t hw_search_forward(hw_search_t* search, uint32_t node) {
  const hw_reverse_t* r = search->r;
  const hw_snapshot_t* s = r->s;
  uint32_t found = HW_NONE;
  search->queue[search->visited++] = node;
  search->via[node] = HW_NONE;
  for (uint32_t i = 0; i < search->visited && found == HW_NONE; i++) {
    uint32_t at = search->queue[i];
    for (uint32_t e = s->first_edge[at]; e < s->first_edge[at + 1]; e++) {
      uint32_t to = hw_edge_target(s->edge[e]);
      if (hw_edge_kind(s->edge[e]) == HW_EDGE_PROPERTY &&
          is_own_property(s, hw_name_of(s, at, e)))
        continue;
      if (search->via[to] != 0 || search->visited == FORWARD_MAX ||
          search->visited == s->nodes || !hw_edge_retains(s, at, e) ||
          is_list_of_timers(r, at, to) || !is_passed(r, to) ||
          to == r->main_context || hw_is_global(r, to))
        continue;
      search->via[to] = 1;
      search->queue[search->visited++] = to;
      if (hw_node_kind(s, to) == HW_NODE_CLOSURE &&
          hw_url_is_own(s, hw_closure_url(r, to))) {
        found = to;
        break;
      }
    }
  }
  forget(search);
  return found;
}

void hw_search_run(hw_search_t* search, uint32_t node, hw_holding_t* h) {
  const hw_reverse_t* r = search->r;
  best_t best = {0, 0, HW_ANCHOR_NONE};
  best_t weak = best;
  memset(h, 0, sizeof(*h));
  h->holder = node;
  h->special = HW_NONE;
  h->leads_to = HW_NONE;
  look(search, node, &best, &weak);
  if (best.anchor == HW_ANCHOR_NONE) best = weak;
  if (best.anchor != HW_ANCHOR_NONE) {
    h->anchor = best.anchor;
    uint32_t entry = best.entry;
    h->holder = hw_edge_target(r->s->edge[r->edge[entry]]);
    for (;;) {
      add_step(h, r->source[entry], r->edge[entry]);
      uint32_t to = hw_edge_target(r->s->edge[r->edge[entry]]);
      if (search->via[to] == HW_NONE) break;
      entry = search->via[to] - 1;
    }
  }
  find_kind(r, h);
  const hw_kept_t* kept = hw_holding_kept(r, h);
  if (kept != NULL) h->kind = kept->kind;
  forget(search);
}

bool hw_search_second(hw_search_t* search, uint32_t node,
                      const hw_holding_t* first, hw_holding_t* second) {
  if (first->anchor == HW_ANCHOR_NONE || first->holder == node) return false;
  search->own_only = true;
  search->avoid = first->holder;
  hw_search_run(search, node, second);
  search->own_only = false;
  search->avoid = HW_NONE;
  return second->anchor != HW_ANCHOR_NONE &&
         second->length <= first->length + LEVELS_BEYOND;
}
