/*
 * hw_run_why: what grows between two snapshots of one process, and what holds
 * it.
 *
 * The growth is followed down the places of both dominator trees (see
 * hw_snapshot_trie.h) through those with at least 5 % of it, to where the
 * count of what hangs there grows: the items of a leak. Of the items that are
 * new, which have the highest ids, up to 60 are asked what holds them, as
 * hw_run_retainers does. What fewer than half have in common is not named.
 *
 * A few objects whose own size grows, by a third of all growth or more, are
 * what leaks as well: a buffer, or a table of numbers, which have no nodes.
 * Less than 150 kB is not looked at: caches and compiled code make that.
 */

#include <inttypes.h>

#include "snapshot/hw_snapshot_describe.h"
#include "snapshot/hw_snapshot_holders.h"
#include "snapshot/hw_snapshot_open.h"
#include "snapshot/hw_snapshot_trie.h"

#define LEAST_GROWTH 150000 /* bytes */

typedef struct {
  hw_opened_t newer;
  hw_reverse_t reverse;
  hw_search_t search;
  hw_trie_t trie;
  uint32_t* of_node;
  int64_t growth;
  uint32_t point; /* place whose count grows, or HW_NONE */
  bool single;    /* its count is small, and its own size grows */
} why_t;

static int64_t growth_of(const hw_place_t* p) {
  return (int64_t)(p->bytes[1] - p->bytes[0]);
}

static bool is_native_context(const hw_snapshot_t* s, uint32_t node) {
  return node != HW_NONE &&
         hw_string_starts(s, s->name[node], "system / NativeContext");
}

/* Never what a leak consists of: V8 makes and drops these as it likes. */
static bool is_item(const why_t* w, const hw_place_t* p) {
  const hw_snapshot_t* s = w->newer.graph;
  switch (p->kind) {
    case HW_NODE_CODE:
    case HW_NODE_SHAPE:
    case HW_NODE_NUMBER:
    case HW_NODE_SYMBOL:
    case HW_NODE_SYNTHETIC:
      return false;
    case HW_NODE_HIDDEN:
    case HW_NODE_ARRAY:
      return p->example != HW_NONE &&
             (s->name[p->example] == w->reverse.reaction ||
              hw_string_is(s, s->name[p->example], "system / WeakCell") ||
              is_native_context(s, p->example));
    default:
      return p->example != HW_NONE;
  }
}

static bool accumulates(const why_t* w, const hw_place_t* p) {
  double growth = (double)growth_of(p);
  double count = (double)p->count[1] - (double)p->count[0];
  if (!is_item(w, p)) return false;
  bool large = growth >= 0.3 * (double)w->growth;
  return (count >= 8 && (count >= 0.04 * p->count[0] || large)) ||
         (count >= 3 && large);
}

/* Places come after their parents, so one pass finds which are open: whose
 * parents are, have enough of the growth and do not accumulate themselves. */
static int find_point(why_t* w) {
  const hw_trie_t* t = &w->trie;
  uint8_t* open = calloc((size_t)t->count + 1, 1);
  if (open == NULL) return HW_ENOMEM;
  int64_t most = 0;
  w->point = HW_NONE;
  open[0] = 1;
  for (uint32_t i = 1; i < t->count; i++) {
    const hw_place_t* p = &t->place[i];
    int64_t growth = growth_of(p);
    if (!open[p->parent] || (double)growth < 0.05 * (double)w->growth) continue;
    if (!accumulates(w, p)) {
      open[i] = 1;
    } else if (growth > most) {
      most = growth;
      w->point = i;
    }
  }
  free(open);
  return 0;
}

#define SINGLES 8

static int64_t own_growth_of(const hw_place_t* p) {
  return (int64_t)(p->own[1] - p->own[0]);
}

/* Whether instead it is the size of a few objects that grows, and more. */
static void find_single(why_t* w) {
  const hw_trie_t* t = &w->trie;
  int64_t most = w->point == HW_NONE ? 0 : growth_of(&t->place[w->point]);
  for (uint32_t i = 1; i < t->count; i++) {
    const hw_place_t* p = &t->place[i];
    int64_t growth = own_growth_of(p);
    if (p->example == HW_NONE || p->count[0] == 0 || p->count[1] >= SINGLES ||
        p->count[1] > p->count[0] || p->kind == HW_NODE_CODE ||
        p->kind == HW_NODE_SYNTHETIC ||
        (double)growth < 0.3 * (double)w->growth || growth <= most)
      continue;
    most = growth;
    w->point = i;
    w->single = true;
  }
}

/* What a growing piece of memory belongs to: the object that has a name. */
static uint32_t named_owner(const why_t* w, uint32_t node) {
  const hw_snapshot_t* s = w->newer.graph;
  for (unsigned depth = 0; depth < 4; depth++) {
    unsigned kind = hw_node_kind(s, node);
    uint32_t above = s->dominator[node];
    bool bare = kind == HW_NODE_NATIVE || kind == HW_NODE_ARRAY ||
                kind == HW_NODE_HIDDEN;
    if (!bare || above == s->root ||
        hw_node_kind(s, above) == HW_NODE_SYNTHETIC)
      break;
    node = above;
  }
  return node;
}

static bool is_generic(const why_t* w, uint32_t node) {
  static const char* const names[] = {"Object",     "Array",
                                      "Listener",   "system / Context",
                                      "Timeout",    "Promise",
                                      "Map",        "Set",
                                      "Immediate",  "AsyncContextFrame",
                                      "MessagePort"};
  const hw_snapshot_t* s = w->newer.graph;
  unsigned kind = hw_node_kind(s, node);
  if (kind != HW_NODE_OBJECT && kind != HW_NODE_NATIVE) return true;
  for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (hw_string_is(s, s->name[node], names[i])) return true;
  return false;
}

/* From the point down the branch with two fifths of the growth to the first
 * class that says something; the point itself if none does. */
static uint32_t find_payload(const why_t* w) {
  const hw_trie_t* t = &w->trie;
  uint32_t at = w->point;
  for (unsigned depth = 0; depth < 12; depth++) {
    if (!is_generic(w, t->place[at].example)) return at;
    uint32_t next = HW_NONE;
    for (uint32_t i = at + 1; i < t->count; i++)
      if (t->place[i].parent == at && t->place[i].example != HW_NONE &&
          growth_of(&t->place[i]) * 5 >= growth_of(&t->place[at]) * 2 &&
          (next == HW_NONE ||
           growth_of(&t->place[i]) > growth_of(&t->place[next])))
        next = i;
    if (next == HW_NONE) return w->point;
    at = next;
  }
  return w->point;
}

/* How many more contexts of their own (of vm.createContext) hang below the
 * point, if they are the better half of what grows there; 0 otherwise. Contexts
 * are told by what they weigh: whatever holds one, that is the leak. */
static uint32_t contexts_below(const why_t* w) {
  const hw_trie_t* t = &w->trie;
  uint8_t* below = calloc((size_t)t->count + 1, 1);
  uint32_t contexts = 0;
  int64_t growth = 0;
  if (below == NULL) return 0;
  below[w->point] = 1;
  for (uint32_t i = w->point; i < t->count; i++) {
    const hw_place_t* p = &t->place[i];
    if (i > w->point) below[i] = below[p->parent];
    if (!below[i] || !is_native_context(w->newer.graph, p->example)) continue;
    if (p->count[1] > p->count[0]) contexts += p->count[1] - p->count[0];
    growth += growth_of(p);
  }
  free(below);
  return growth * 2 >= growth_of(&t->place[w->point]) ? contexts : 0;
}

/* The newest nodes at a place: of the highest ids, since V8 counts up. */
static uint32_t newest(const why_t* w, uint32_t place, uint32_t* node) {
  const hw_snapshot_t* s = w->newer.graph;
  const hw_place_t* p = &w->trie.place[place];
  uint32_t added = p->count[1] > p->count[0] ? p->count[1] - p->count[0] : 0;
  uint32_t wanted = added < HW_HOLDERS_MAX ? added : HW_HOLDERS_MAX;
  uint32_t least = 0;
  uint32_t high = HW_NONE;
  while (least < high) { /* the id that `added` nodes have or exceed */
    uint32_t middle = least + (high - least) / 2 + 1;
    uint32_t above = 0;
    for (uint32_t n = 0; n < s->nodes; n++)
      above += w->of_node[n] == place && s->id[n] >= middle;
    if (above >= added)
      least = middle;
    else
      high = middle - 1;
  }
  uint32_t seen = 0;
  uint32_t count = 0;
  for (uint32_t n = 0; n < s->nodes && count < wanted; n++) {
    if (w->of_node[n] != place || s->id[n] < least) continue;
    if ((uint64_t)seen++ * wanted / added >= count) node[count++] = n;
  }
  return count;
}

static void add_class(const why_t* w, uint32_t place, hw_text_t* out) {
  const hw_snapshot_t* s = w->newer.graph;
  uint32_t node = w->trie.place[place].example;
  if (w->single) node = named_owner(w, node);
  uint32_t length;
  const uint8_t* raw = hw_string(s, s->name[node], &length);
  hw_text_quoted(out, raw, length, 200);
}

/* Timers and promises: whether they wait for something is told by how they
 * hold what they hold, not by what holds them. */
static bool is_waiting(const why_t* w) {
  const hw_snapshot_t* s = w->newer.graph;
  uint32_t name = s->name[w->trie.place[w->point].example];
  return name == w->reverse.timeout || name == w->reverse.immediate ||
         hw_string_is(s, name, "Promise");
}

static bool same_function(const hw_snapshot_t* s, uint32_t a, uint32_t b) {
  const hw_location_t* left = a == HW_NONE ? NULL : hw_location_find(s, a);
  const hw_location_t* right = b == HW_NONE ? NULL : hw_location_find(s, b);
  return left != NULL && right != NULL && left->script == right->script &&
         left->line == right->line && left->column == right->column;
}

/* The function of which most of a place's newest nodes are suspended calls, or
 * HW_NONE. */
static uint32_t suspended_function(const why_t* w, uint32_t place) {
  const hw_snapshot_t* s = w->newer.graph;
  uint32_t node[HW_HOLDERS_MAX];
  uint32_t best = HW_NONE;
  uint32_t most = 0;
  if (s->name[w->trie.place[place].example] != w->reverse.generator)
    return HW_NONE;
  uint32_t count = newest(w, place, node);
  for (uint32_t i = 0; i < count; i++)
    node[i] = hw_generator_closure(&w->reverse, node[i]);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t votes = 0;
    for (uint32_t k = 0; k < count; k++)
      votes += same_function(s, node[i], node[k]);
    if (votes <= most) continue;
    most = votes;
    best = node[i];
  }
  return most * 2 > count ? best : HW_NONE;
}

static int64_t added_to(const hw_place_t* p) {
  return (int64_t)p->count[1] - (int64_t)p->count[0];
}

/* The function of the program's own that most of what waits at the point has
 * suspended calls of: that Node.js or a library waits for it says less. */
static uint32_t waiting_function(const why_t* w) {
  const hw_trie_t* t = &w->trie;
  uint32_t best = HW_NONE;
  int64_t most = added_to(&t->place[w->point]) / 2;
  uint8_t* below = calloc((size_t)t->count + 1, 1);
  if (below == NULL) return HW_NONE;
  below[w->point] = 1;
  for (uint32_t i = w->point; i < t->count; i++) {
    const hw_place_t* p = &t->place[i];
    if (i > w->point) below[i] = below[p->parent];
    if (!below[i] || p->example == HW_NONE || added_to(p) <= most) continue;
    uint32_t closure = suspended_function(w, i);
    if (closure == HW_NONE ||
        !hw_url_is_own(w->newer.graph, hw_closure_url(&w->reverse, closure)))
      continue;
    most = added_to(p);
    best = closure;
  }
  free(below);
  return best;
}

static void add_suspended(const why_t* w, uint32_t place, hw_text_t* out) {
  uint32_t closure = is_waiting(w) ? waiting_function(w) : HW_NONE;
  if (closure == HW_NONE) closure = suspended_function(w, place);
  if (closure == HW_NONE) return;
  hw_text_string(out, ",\"suspended\":");
  hw_closure_json(&w->reverse, closure, out);
}

/* The place right below with the most growth; the place itself if none has. */
static uint32_t largest_below(const why_t* w, uint32_t place) {
  const hw_trie_t* t = &w->trie;
  uint32_t best = place;
  int64_t most = 0;
  for (uint32_t i = place + 1; i < t->count; i++)
    if (t->place[i].parent == place && t->place[i].example != HW_NONE &&
        growth_of(&t->place[i]) > most) {
      most = growth_of(&t->place[i]);
      best = i;
    }
  return best;
}

/* How many of the nodes are held as most are; 0 if there are none. */
static uint32_t agree(why_t* w, const uint32_t* node, uint32_t count,
                      hw_holding_t* h) {
  h->anchor = HW_ANCHOR_NONE;
  return count > 0 ? hw_holders_agree(&w->search, node, count, h) : 0;
}

static void add_point(why_t* w, hw_text_t* out) {
  const hw_place_t* p = &w->trie.place[w->point];
  uint32_t node[HW_HOLDERS_MAX];
  hw_holding_t h;
  uint32_t payload = w->single ? w->point : find_payload(w);
  uint32_t asked = w->point;
  if (!w->single && is_waiting(w))
    asked = payload != w->point ? payload : largest_below(w, w->point);
  uint32_t samples = 1;
  node[0] = named_owner(w, p->example);
  if (!w->single) samples = newest(w, asked, node);
  uint32_t votes = agree(w, node, samples, &h);
  if (!w->single && h.anchor == HW_ANCHOR_HANDLE && asked == w->point) {
    /* What an open handle does for the program is told by what it holds. */
    asked = payload != w->point ? payload : largest_below(w, w->point);
    samples = newest(w, asked, node);
    w->search.only = HW_ANCHOR_HANDLE;
    votes = agree(w, node, samples, &h);
    w->search.only = HW_ANCHOR_NONE;
  }
  bool known = votes * 2 >= samples && votes > 0 && h.anchor != HW_ANCHOR_NONE;
  if (known && !w->single) {
    hw_holders_collection(&w->search, node, samples, &h);
    hw_holders_waiting(&w->search, node, samples, &h);
  }
  known = known && hw_holding_tells(&w->reverse, &h);
  if (known) hw_search_owner(&w->search, &h);
  hw_holding_t map;
  bool weak = known && hw_holders_weak_map(&w->search, &h, &map);
  /* If the keys were what leaks, the point would be theirs. */
  bool by_map = weak && asked == w->point;
  uint32_t contexts = contexts_below(w);
  hw_text_format(out,
                 ",\"count\":[%" PRIu32 ",%" PRIu32 "],\"retained\":[%" PRIu64
                 ",%" PRIu64 "],\"item\":",
                 p->count[0], p->count[1], p->bytes[0], p->bytes[1]);
  add_class(w, w->point, out);
  if (w->single) hw_text_string(out, ",\"single\":true");
  hw_text_format(out,
                 ",\"itemType\":\"%s\",\"class\":", hw_node_kind_name(p->kind));
  add_class(w, payload, out);
  add_suspended(w, payload, out);
  if (contexts > 0) hw_text_format(out, ",\"contexts\":%" PRIu32, contexts);
  hw_cause_kind_t kind = contexts > 0 ? HW_CAUSE_CONTEXT
                         : by_map     ? map.kind
                                      : h.kind;
  hw_text_format(
      out, ",\"samples\":%" PRIu32 ",\"agree\":%" PRIu32 ",\"kind\":\"%s\"",
      samples, votes, hw_cause_kind_name(known ? kind : HW_CAUSE_UNKNOWN));
  if (!known) return;
  h.within = true;
  hw_text_string(out, ",\"heldBy\":\"");
  hw_holding_phrase(&w->reverse, &h, out);
  hw_text_string(out, "\",\"anchor\":");
  hw_holding_anchor(&w->reverse, &h, out);
  if (h.among) hw_text_string(out, ",\"among\":true");
  if (h.owner != HW_ANCHOR_NONE) {
    hw_text_string(out, ",\"owner\":");
    hw_holding_owner(&w->reverse, &h, out);
  }
  if (weak) {
    hw_text_string(out, ",\"weakMap\":{");
    if (by_map)
      hw_text_format(out, "\"kind\":\"%s\",", hw_cause_kind_name(map.kind));
    hw_text_string(out, "\"heldBy\":\"");
    hw_holding_phrase(&w->reverse, &map, out);
    hw_text_string(out, "\",\"anchor\":");
    hw_holding_anchor(&w->reverse, &map, out);
    hw_text_string(out, "}");
  }
  hw_holding_t second;
  if (!w->single && hw_holders_second(&w->search, node, samples, &h, &second)) {
    hw_text_format(out, ",\"also\":{\"kind\":\"%s\",\"heldBy\":\"",
                   hw_cause_kind_name(second.kind));
    hw_holding_phrase(&w->reverse, &second, out);
    hw_text_string(out, "\",\"anchor\":");
    hw_holding_anchor(&w->reverse, &second, out);
    hw_text_string(out, "}");
  }
  hw_text_string(out, ",\"path\":");
  hw_holding_path(&w->reverse, &h, out);
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
  if (status == 0) status = hw_trie_add(&w->trie, &names, 0, NULL);
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
  if (status == 0) {
    w->of_node = hw_array_new(s->nodes, sizeof(uint32_t));
    if (w->of_node == NULL) status = HW_ENOMEM;
  }
  if (status == 0) status = hw_trie_add(&w->trie, &w->reverse, 1, w->of_node);
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
    hw_trie_sum(&w.trie);
    w.growth = growth_of(&w.trie.place[0]);
    status = find_point(&w);
    if (status == 0) find_single(&w);
  }
  if (status == 0) {
    bool leaks = w.growth >= LEAST_GROWTH && w.point != HW_NONE;
    hw_text_format(out, "{\"leaks\":%s,\"growth\":%" PRId64,
                   leaks ? "true" : "false", w.growth);
    if (leaks) add_point(&w, out);
    hw_text_string(out, "}\n");
    if (out->failed) status = HW_ENOMEM;
  }
  hw_trie_close(&w.trie);
  hw_search_close(&w.search);
  hw_reverse_close(&w.reverse);
  hw_array_free(w.of_node);
  hw_opened_close(&w.newer);
  return status;
}
