/*
 * hw_run_why: what grows between two snapshots of one process, and what holds
 * it.
 *
 * Of the items of a leak (see hw_snapshot_growth.h) that are new, which have
 * the highest ids, up to 60 are asked what holds them, as hw_run_retainers
 * does. What fewer than half have in common is not named. Less than 150 kB is
 * not looked at: caches and compiled code make that.
 */

#include <inttypes.h>

#include "snapshot/hw_snapshot_describe.h"
#include "snapshot/hw_snapshot_growth.h"
#include "snapshot/hw_snapshot_open.h"

#define LEAST_GROWTH 150000 /* bytes */

typedef struct {
  hw_opened_t newer;
  hw_reverse_t reverse;
  hw_search_t search;
  hw_growth_t g;
} why_t;

static void add_class(const why_t* w, uint32_t place, hw_text_t* out) {
  const hw_snapshot_t* s = w->newer.graph;
  uint32_t node = w->g.trie.place[place].example;
  if (w->g.single) node = hw_growth_owner(&w->g, node);
  uint32_t length;
  const uint8_t* raw = hw_string(s, s->name[node], &length);
  hw_text_quoted(out, raw, length, 200);
}

/* How many of the nodes are held as most are; 0 if there are none. */
static uint32_t agree(why_t* w, const uint32_t* node, uint32_t count,
                      hw_holding_t* h) {
  h->anchor = HW_ANCHOR_NONE;
  return count > 0 ? hw_holders_agree(&w->search, node, count, h) : 0;
}

/* What is known of the point. */
typedef struct {
  uint32_t payload; /* place of the class that says most */
  uint32_t asked;   /* place of the nodes that are asked what holds them */
  uint32_t node[HW_HOLDERS_MAX];
  uint32_t samples;
  uint32_t votes;
  uint32_t suspended; /* closure, or HW_NONE */
  bool known;         /* and what follows with it */
  bool weak;
  hw_holding_t h;
  hw_holding_t map; /* if weak: what holds the WeakMap on the way */
} told_t;

/* Calls that wait, and where they queue: what leaks are the calls. */
static bool queues(const told_t* t) {
  return t->suspended != HW_NONE &&
         (t->h.kind == HW_CAUSE_COLLECTION || t->h.kind == HW_CAUSE_MODULE);
}

/* A list whose head is in a function's variable: not a container of things, but
 * things that have each other. */
static bool is_chain(const why_t* w, const told_t* t) {
  const hw_snapshot_t* s = w->newer.graph;
  uint32_t example = w->g.trie.place[w->g.point].example;
  return t->h.kind == HW_CAUSE_COLLECTION &&
         t->h.anchor == HW_ANCHOR_FUNCTION &&
         s->name[t->h.holder] == s->name[example] &&
         hw_node_kind(s, t->h.holder) == hw_node_kind(s, example);
}

static void ask_below(why_t* w, told_t* t) {
  t->asked = t->payload != w->g.point
                 ? t->payload
                 : hw_growth_largest_below(&w->g, w->g.point);
  t->samples = hw_growth_newest(&w->g, t->asked, t->node);
}

#define LEVELS_BELOW 6

static bool is_agreed(const told_t* t) {
  return t->votes * 2 >= t->samples && t->votes > 0;
}

/* What an open handle does for the program is told by what it holds: further
 * down, until what is listened to can be told. */
static void ask_of_handle(why_t* w, told_t* t) {
  told_t below = *t;
  ask_below(w, &below);
  w->search.only = HW_ANCHOR_HANDLE;
  for (unsigned level = 0; level < LEVELS_BELOW; level++) {
    below.votes = agree(w, below.node, below.samples, &below.h);
    if (level == 0 || is_agreed(&below)) *t = below;
    if (is_agreed(t) && (t->h.kind != HW_CAUSE_LISTENER ||
                         hw_holding_names_event(&w->reverse, &t->h)))
      break;
    uint32_t next = hw_growth_largest_below(&w->g, below.asked);
    if (next == below.asked) break;
    below.asked = next;
    below.samples = hw_growth_newest(&w->g, next, below.node);
  }
  w->search.only = HW_ANCHOR_NONE;
}

/* Is it one timer by which all are held, and a variable of the program's own by
 * which they would be without it? Then that is what they are in. */
static void prefer_variable(why_t* w, told_t* t) {
  hw_holding_t second;
  if (hw_holders_one_timer(&w->search, t->node, t->samples, &t->h) &&
      hw_holders_second(&w->search, t->node, t->samples, &t->h, &second))
    t->h = second;
}

static void ask(why_t* w, told_t* t) {
  bool waiting = !w->g.single && hw_growth_waits(&w->g);
  t->payload = w->g.single ? w->g.point : hw_growth_payload(&w->g);
  t->asked = w->g.point;
  t->samples = 1;
  t->node[0] = hw_growth_owner(&w->g, w->g.trie.place[w->g.point].example);
  if (waiting)
    ask_below(w, t);
  else if (!w->g.single)
    t->samples = hw_growth_newest(&w->g, t->asked, t->node);
  t->votes = agree(w, t->node, t->samples, &t->h);
  if (!w->g.single && !waiting && t->h.anchor == HW_ANCHOR_HANDLE)
    ask_of_handle(w, t);
  t->known = is_agreed(t) && t->h.anchor != HW_ANCHOR_NONE;
  if (t->known && !w->g.single) {
    hw_holders_collection(&w->search, t->node, t->samples, &t->h);
    hw_holders_waiting(&w->search, t->node, t->samples, &t->h);
    prefer_variable(w, t);
  }
  if (t->known) hw_search_owner(&w->search, &t->h);
  if (t->known && t->h.kind == HW_CAUSE_ASYNC_CONTEXT)
    hw_holders_storage(&w->search, &t->h);
  if (t->known && !w->g.single)
    waiting = waiting || hw_growth_wakes(&w->g, t->h.holder);
  t->suspended = waiting ? hw_growth_waiting(&w->g) : HW_NONE;
  if (t->known && t->suspended == HW_NONE && t->h.owner == HW_ANCHOR_NONE &&
      hw_holding_timer_url(&w->reverse, &t->h) != HW_NONE &&
      !hw_url_is_own(w->newer.graph, hw_holding_timer_url(&w->reverse, &t->h)))
    hw_holders_leads_to(&w->search, t->node, t->samples, &t->h);
  t->known = t->known &&
             (t->suspended != HW_NONE || hw_holding_tells(&w->reverse, &t->h));
  if (t->suspended == HW_NONE)
    t->suspended = hw_growth_suspended(&w->g, t->payload);
  t->weak = t->known && hw_holders_weak_map(&w->search, &t->h, &t->map);
}

/* The phrase, and the anchor that it is about. */
static void add_held(const why_t* w, const hw_holding_t* h, hw_text_t* out) {
  hw_text_string(out, "\"heldBy\":\"");
  hw_holding_phrase(&w->reverse, h, out);
  hw_text_string(out, "\",\"anchor\":");
  hw_holding_anchor(&w->reverse, h, out);
}

static void add_example(const why_t* w, uint32_t name, hw_text_t* out) {
  uint32_t length;
  if (name == HW_NONE) return;
  const uint8_t* raw = hw_string(w->newer.graph, name, &length);
  hw_text_string(out, ",\"example\":");
  hw_text_quoted(out, raw, length, 200);
}

static void add_holders(why_t* w, told_t* t, bool by_map, hw_text_t* out) {
  hw_holding_t second;
  t->h.within = true;
  hw_text_string(out, ",");
  add_held(w, &t->h, out);
  if (t->h.among) add_example(w, hw_holding_example(&w->reverse, &t->h), out);
  if (t->h.owner != HW_ANCHOR_NONE) {
    hw_text_string(out, ",\"owner\":");
    hw_holding_owner(&w->reverse, &t->h, out);
  }
  if (t->weak) {
    hw_text_string(out, ",\"weakMap\":{");
    if (by_map)
      hw_text_format(out, "\"kind\":\"%s\",", hw_cause_kind_name(t->map.kind));
    add_held(w, &t->map, out);
    hw_text_string(out, "}");
  }
  if (!w->g.single &&
      hw_holders_second(&w->search, t->node, t->samples, &t->h, &second)) {
    hw_text_format(out, ",\"also\":{\"kind\":\"%s\",",
                   hw_cause_kind_name(second.kind));
    add_held(w, &second, out);
    hw_text_string(out, "}");
  }
  hw_text_string(out, ",\"path\":");
  hw_holding_path(&w->reverse, &t->h, out);
}

static void add_point(why_t* w, hw_text_t* out) {
  const hw_place_t* p = &w->g.trie.place[w->g.point];
  told_t t;
  ask(w, &t);
  hw_text_format(out,
                 ",\"count\":[%" PRIu32 ",%" PRIu32 "],\"retained\":[%" PRIu64
                 ",%" PRIu64 "],\"item\":",
                 p->count[0], p->count[1], p->bytes[0], p->bytes[1]);
  add_class(w, w->g.point, out);
  if (w->g.single) hw_text_string(out, ",\"single\":true");
  hw_text_format(out,
                 ",\"itemType\":\"%s\",\"class\":", hw_node_kind_name(p->kind));
  add_class(w, t.payload, out);
  if (t.suspended != HW_NONE) {
    hw_text_string(out, ",\"suspended\":");
    hw_closure_json(&w->reverse, t.suspended, out);
  }
  uint32_t contexts = hw_growth_contexts(&w->g);
  if (contexts > 0) hw_text_format(out, ",\"contexts\":%" PRIu32, contexts);
  /* If the keys were what leaks, the point would be theirs. */
  bool by_map = t.weak && t.asked == w->g.point;
  hw_cause_kind_t kind = !t.known          ? HW_CAUSE_UNKNOWN
                         : contexts > 0    ? HW_CAUSE_CONTEXT
                         : by_map          ? t.map.kind
                         : queues(&t)      ? HW_CAUSE_PROMISE
                         : is_chain(w, &t) ? HW_CAUSE_CLOSURE
                                           : t.h.kind;
  hw_text_format(
      out, ",\"samples\":%" PRIu32 ",\"agree\":%" PRIu32 ",\"kind\":\"%s\"",
      t.samples, t.votes, hw_cause_kind_name(kind));
  if (t.known) {
    add_holders(w, &t, by_map, out);
  } else if (t.votes * 2 >= t.samples && t.h.anchor != HW_ANCHOR_NONE) {
    hw_text_format(out, ",\"perhaps\":{\"kind\":\"%s\",\"heldBy\":\"",
                   hw_cause_kind_name(t.h.kind));
    hw_holding_phrase(&w->reverse, &t.h, out);
    hw_text_string(out, "\"}");
  }
}

static int lay_older(why_t* w, const char* path,
                     const hw_run_options_t* options, hw_failure_t* failure) {
  hw_opened_t older;
  hw_reverse_t names;
  memset(&names, 0, sizeof(names));
  failure->file = 0;
  int status = hw_opened_open(path, HW_WANT_DOMINATORS | HW_WANT_NAMES, options,
                              &older, failure);
  if (status == 0) status = hw_progress(older.graph, "laying trees out", 0);
  if (status == 0) status = hw_reverse_build(older.graph, &names);
  if (status == 0) status = hw_trie_add(&w->g.trie, &names, 0, NULL);
  hw_reverse_close(&names);
  hw_opened_close(&older);
  return status;
}

static int lay_newer(why_t* w, const char* path,
                     const hw_run_options_t* options, hw_failure_t* failure) {
  failure->file = 1;
  int status = hw_opened_open(path, HW_WANT_DOMINATORS | HW_WANT_NAMES, options,
                              &w->newer, failure);
  const hw_snapshot_t* s = w->newer.graph;
  if (status == 0) status = hw_progress(s, "laying trees out", 0);
  if (status == 0) status = hw_reverse_build(s, &w->reverse);
  if (status == 0) status = hw_search_init(&w->reverse, &w->search);
  w->g.s = s;
  w->g.names = &w->reverse;
  if (status == 0) {
    w->g.of_node = hw_array_new(s->nodes, sizeof(uint32_t));
    if (w->g.of_node == NULL) status = HW_ENOMEM;
  }
  if (status == 0)
    status = hw_trie_add(&w->g.trie, &w->reverse, 1, w->g.of_node);
  return status;
}

int hw_run_why(const char* older, const char* newer,
               const hw_run_options_t* options, hw_text_t* out,
               hw_failure_t* failure) {
  why_t w;
  memset(&w, 0, sizeof(w));
  int status = lay_older(&w, older, options, failure);
  if (status == 0) status = lay_newer(&w, newer, options, failure);
  if (status == 0) {
    hw_trie_sum(&w.g.trie);
    status = hw_growth_find(&w.g);
  }
  if (status == 0) {
    bool leaks = w.g.growth >= LEAST_GROWTH && w.g.point != HW_NONE;
    hw_text_format(out, "{\"leaks\":%s,\"growth\":%" PRId64,
                   leaks ? "true" : "false", w.g.growth);
    if (leaks) add_point(&w, out);
    hw_text_string(out, "}\n");
    if (out->failed) status = HW_ENOMEM;
  }
  hw_trie_close(&w.g.trie);
  hw_search_close(&w.search);
  hw_reverse_close(&w.reverse);
  hw_array_free(w.g.of_node);
  hw_opened_close(&w.newer);
  return status;
}
