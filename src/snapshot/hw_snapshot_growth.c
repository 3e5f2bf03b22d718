/*
 * Where it grows, and what it is that does.
 *
 * The growth is followed down the places of both dominator trees (see
 * hw_snapshot_trie.h) through those with at least 5 % of it, to where the
 * count of what hangs there grows: the items of a leak.
 *
 * A few objects whose own size grows, by a third of all growth or more, are
 * what leaks as well: a buffer, or a table of numbers, which have no nodes.
 */

#include "snapshot/hw_snapshot_growth.h"

static int64_t growth_of(const hw_place_t* p) {
  return (int64_t)(p->bytes[1] - p->bytes[0]);
}

static bool is_native_context(const hw_snapshot_t* s, uint32_t node) {
  return node != HW_NONE &&
         hw_string_starts(s, s->name[node], "system / NativeContext");
}

/* Never what a leak consists of: V8 makes and drops these as it likes. */
static bool is_item(const hw_growth_t* g, const hw_place_t* p) {
  const hw_snapshot_t* s = g->s;
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
             (s->name[p->example] == g->names->reaction ||
              hw_string_is(s, s->name[p->example], "system / WeakCell") ||
              is_native_context(s, p->example));
    default:
      return p->example != HW_NONE;
  }
}

static bool accumulates(const hw_growth_t* g, const hw_place_t* p) {
  double growth = (double)growth_of(p);
  double count = (double)p->count[1] - (double)p->count[0];
  if (!is_item(g, p)) return false;
  bool large = growth >= 0.3 * (double)g->growth;
  return (count >= 8 && (count >= 0.04 * p->count[0] || large)) ||
         (count >= 3 && large);
}

/* Places come after their parents, so one pass finds which are open: whose
 * parents are, have enough of the growth and do not accumulate themselves. */
static int find_count(hw_growth_t* g) {
  const hw_trie_t* t = &g->trie;
  uint8_t* open = calloc((size_t)t->count + 1, 1);
  if (open == NULL) return HW_ENOMEM;
  int64_t most = 0;
  g->point = HW_NONE;
  open[0] = 1;
  for (uint32_t i = 1; i < t->count; i++) {
    const hw_place_t* p = &t->place[i];
    int64_t growth = growth_of(p);
    if (!open[p->parent] || (double)growth < 0.05 * (double)g->growth) continue;
    if (!accumulates(g, p)) {
      open[i] = 1;
    } else if (growth > most) {
      most = growth;
      g->point = i;
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
static void find_single(hw_growth_t* g) {
  const hw_trie_t* t = &g->trie;
  int64_t most = g->point == HW_NONE ? 0 : growth_of(&t->place[g->point]);
  for (uint32_t i = 1; i < t->count; i++) {
    const hw_place_t* p = &t->place[i];
    int64_t growth = own_growth_of(p);
    if (p->example == HW_NONE || p->count[0] == 0 || p->count[1] >= SINGLES ||
        p->count[1] > p->count[0] || p->kind == HW_NODE_CODE ||
        p->kind == HW_NODE_SYNTHETIC ||
        (double)growth < 0.3 * (double)g->growth || growth <= most)
      continue;
    most = growth;
    g->point = i;
    g->single = true;
  }
}

uint32_t hw_growth_owner(const hw_growth_t* g, uint32_t node) {
  const hw_snapshot_t* s = g->s;
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

static bool is_generic(const hw_growth_t* g, uint32_t node) {
  static const char* const names[] = {"Object",     "Array",
                                      "Listener",   "system / Context",
                                      "Timeout",    "Promise",
                                      "Map",        "Set",
                                      "Immediate",  "AsyncContextFrame",
                                      "MessagePort"};
  const hw_snapshot_t* s = g->s;
  unsigned kind = hw_node_kind(s, node);
  if (kind != HW_NODE_OBJECT && kind != HW_NODE_NATIVE) return true;
  for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (hw_string_is(s, s->name[node], names[i])) return true;
  return false;
}

uint32_t hw_growth_payload(const hw_growth_t* g) {
  const hw_trie_t* t = &g->trie;
  uint32_t at = g->point;
  for (unsigned depth = 0; depth < 12; depth++) {
    if (!is_generic(g, t->place[at].example)) return at;
    uint32_t next = HW_NONE;
    for (uint32_t i = at + 1; i < t->count; i++)
      if (t->place[i].parent == at && t->place[i].example != HW_NONE &&
          growth_of(&t->place[i]) * 5 >= growth_of(&t->place[at]) * 2 &&
          (next == HW_NONE ||
           growth_of(&t->place[i]) > growth_of(&t->place[next])))
        next = i;
    if (next == HW_NONE) return g->point;
    at = next;
  }
  return g->point;
}

uint32_t hw_growth_contexts(const hw_growth_t* g) {
  const hw_trie_t* t = &g->trie;
  uint8_t* below = calloc((size_t)t->count + 1, 1);
  uint32_t contexts = 0;
  int64_t growth = 0;
  if (below == NULL) return 0;
  below[g->point] = 1;
  for (uint32_t i = g->point; i < t->count; i++) {
    const hw_place_t* p = &t->place[i];
    if (i > g->point) below[i] = below[p->parent];
    if (!below[i] || !is_native_context(g->s, p->example)) continue;
    if (p->count[1] > p->count[0]) contexts += p->count[1] - p->count[0];
    growth += growth_of(p);
  }
  free(below);
  return growth * 2 >= growth_of(&t->place[g->point]) ? contexts : 0;
}

uint32_t hw_growth_newest(const hw_growth_t* g, uint32_t place,
                          uint32_t* node) {
  const hw_snapshot_t* s = g->s;
  const hw_place_t* p = &g->trie.place[place];
  uint32_t added = p->count[1] > p->count[0] ? p->count[1] - p->count[0] : 0;
  uint32_t wanted = added < HW_HOLDERS_MAX ? added : HW_HOLDERS_MAX;
  uint32_t least = 0;
  uint32_t high = HW_NONE;
  while (least < high) { /* the id that `added` nodes have or exceed */
    uint32_t middle = least + (high - least) / 2 + 1;
    uint32_t above = 0;
    for (uint32_t n = 0; n < s->nodes; n++)
      above += g->of_node[n] == place && s->id[n] >= middle;
    if (above >= added)
      least = middle;
    else
      high = middle - 1;
  }
  uint32_t seen = 0;
  uint32_t count = 0;
  for (uint32_t n = 0; n < s->nodes && count < wanted; n++) {
    if (g->of_node[n] != place || s->id[n] < least) continue;
    if ((uint64_t)seen++ * wanted / added >= count) node[count++] = n;
  }
  return count;
}

bool hw_growth_waits(const hw_growth_t* g) {
  const hw_snapshot_t* s = g->s;
  uint32_t name = s->name[g->trie.place[g->point].example];
  return name == g->names->timeout || name == g->names->immediate ||
         hw_string_is(s, name, "Promise");
}

/* Is it an instance of a class of a library? */
static bool is_of_library(const hw_growth_t* g, uint32_t node) {
  const hw_snapshot_t* s = g->s;
  uint32_t proto = hw_target_of(s, node, HW_EDGE_PROPERTY, s->known.proto);
  uint32_t made_by = proto == HW_NONE ? HW_NONE
                                      : hw_target_of(s, proto, HW_EDGE_PROPERTY,
                                                     g->names->constructor);
  if (made_by == HW_NONE || hw_node_kind(s, made_by) != HW_NODE_CLOSURE)
    return false;
  uint32_t url = hw_closure_url(g->names, made_by);
  return url != HW_NONE && !hw_url_is_own(s, url) && !hw_url_is_of_node(s, url);
}

bool hw_growth_wakes(const hw_growth_t* g, uint32_t holder) {
  uint32_t example = g->trie.place[g->point].example;
  return hw_node_kind(g->s, example) == HW_NODE_CLOSURE ||
         g->s->name[example] == g->names->reaction ||
         (is_of_library(g, example) && is_of_library(g, holder));
}

/* The function whose suspended calls retain half or more of what those of a
 * place's newest nodes do: of the program's own alone, or of all. */
static uint32_t suspended(const hw_growth_t* g, uint32_t place, bool own) {
  const hw_snapshot_t* s = g->s;
  uint32_t node[HW_HOLDERS_MAX];
  uint32_t function[HW_HOLDERS_MAX];
  uint32_t best = HW_NONE;
  uint32_t calls = 0;
  uint64_t most = 0;
  uint64_t total = 0;
  if (s->name[g->trie.place[place].example] != g->names->generator)
    return HW_NONE;
  uint32_t count = hw_growth_newest(g, place, node);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t closure = hw_generator_closure(g->names, node[i]);
    if (closure == HW_NONE ||
        (own && !hw_url_is_own(s, hw_closure_url(g->names, closure))))
      continue;
    node[calls] = node[i];
    function[calls++] = closure;
    total += s->retained[node[i]];
  }
  for (uint32_t i = 0; i < calls; i++) {
    uint64_t bytes = 0;
    for (uint32_t k = 0; k < calls; k++)
      if (hw_closure_same(s, function[i], function[k]))
        bytes += s->retained[node[k]];
    if (bytes <= most) continue;
    most = bytes;
    best = function[i];
  }
  return most * 2 >= total && calls * 4 >= count ? best : HW_NONE;
}

uint32_t hw_growth_suspended(const hw_growth_t* g, uint32_t place) {
  return suspended(g, place, false);
}

static int64_t added_to(const hw_place_t* p) {
  return (int64_t)p->count[1] - (int64_t)p->count[0];
}

uint32_t hw_growth_waiting(const hw_growth_t* g) {
  const hw_trie_t* t = &g->trie;
  const hw_place_t* point = &t->place[g->point];
  uint32_t best = HW_NONE;
  int64_t most = 0;
  uint8_t* below = calloc((size_t)t->count + 1, 1);
  if (below == NULL) return HW_NONE;
  below[g->point] = 1;
  for (uint32_t i = g->point; i < t->count; i++) {
    const hw_place_t* p = &t->place[i];
    if (i > g->point) below[i] = below[p->parent];
    if (!below[i] || p->example == HW_NONE || added_to(p) <= most ||
        (added_to(p) * 2 <= added_to(point) &&
         growth_of(p) * 2 <= growth_of(point)))
      continue;
    uint32_t closure = suspended(g, i, true);
    if (closure == HW_NONE) continue;
    most = added_to(p);
    best = closure;
  }
  free(below);
  return best;
}

uint32_t hw_growth_largest_below(const hw_growth_t* g, uint32_t place) {
  const hw_trie_t* t = &g->trie;
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

int hw_growth_find(hw_growth_t* g) {
  g->growth = growth_of(&g->trie.place[0]);
  int status = find_count(g);
  if (status == 0) find_single(g);
  return status;
}
