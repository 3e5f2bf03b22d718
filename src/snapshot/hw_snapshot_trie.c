/*
 * Labels, as numbers: hashes of text, since string indexes and node numbers
 * mean nothing in another snapshot, nor do ids where both were taken by forked
 * children: V8 gives ids out while it takes a snapshot, and what a child has
 * given out is gone with it. Contexts are told apart by the names in their
 * scope and in those around it; closures by their name and where they are in a
 * source; strings, code, numbers and shapes are all alike. A property of an
 * object with more than 64 of them is one of a dictionary, and its name does
 * not count.
 */

#include "snapshot/hw_snapshot_trie.h"

#include "snapshot/hw_snapshot_classes.h"

#define FOLD_LEVELS 8
#define PASSING 63 /* beyond the labels of edges */

static uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 29;
}

/* Of a string's text, any digits alike if `digits` says so. */
static uint64_t hash_text(const hw_snapshot_t* s, uint32_t string,
                          bool digits) {
  uint32_t length;
  const uint8_t* text = hw_string(s, string, &length);
  uint64_t hash = 14695981039346656037u;
  for (uint32_t i = 0; i < length; i++) {
    bool digit = digits && text[i] >= '0' && text[i] <= '9';
    if (digit && i > 0 && text[i - 1] >= '0' && text[i - 1] <= '9') continue;
    hash = (hash ^ (digit ? '#' : text[i])) * 1099511628211u;
  }
  return hash;
}

typedef struct {
  const hw_reverse_t* names;
  hw_trie_t* trie;
  unsigned which;
  uint32_t* best;  /* by node: its edge from its dominator, or HW_NONE */
  uint32_t* place; /* by node */
  uint64_t* scope; /* by node: label of a scope, 0 if not yet known */
} adder_t;

#define SCOPE_LEVELS 6

/* Of the variables' names, the function's, and the same of scopes around. */
static uint64_t scope_label(const adder_t* a, uint32_t scope) {
  const hw_reverse_t* names = a->names;
  const hw_snapshot_t* s = names->s;
  uint64_t hash = 99;
  uint32_t first = scope;
  if (scope == HW_NONE) return hash;
  if (a->scope[first] != 0) return a->scope[first];
  for (unsigned level = 0; scope != HW_NONE && level < SCOPE_LEVELS; level++) {
    uint32_t outer = HW_NONE;
    for (uint32_t e = s->first_edge[scope]; e < s->first_edge[scope + 1]; e++) {
      uint32_t target = hw_edge_target(s->edge[e]);
      if (hw_edge_kind(s->edge[e]) != HW_EDGE_HIDDEN) continue;
      if (hw_node_kind(s, target) == HW_NODE_STRING)
        hash = mix(hash, hash_text(s, s->name[target], false));
      else if (s->name[target] == names->scope_info_node)
        outer = target;
    }
    hash = mix(hash, level);
    scope = outer == first ? HW_NONE : outer;
  }
  a->scope[first] = hash | 1;
  return hash | 1;
}

/* Of its name and its place. Not of its script: code that is made while the
 * program runs has one for each time, without a URL. */
static uint64_t closure_label(const adder_t* a, uint32_t node) {
  const hw_snapshot_t* s = a->names->s;
  const hw_location_t* at = hw_location_find(s, node);
  uint64_t hash = mix(hash_text(s, s->name[node], false), HW_NODE_CLOSURE);
  if (at == NULL) return hash;
  uint32_t url = hw_closure_url(a->names, node);
  if (url != HW_NONE) hash = mix(hash, hash_text(s, url, false));
  return mix(mix(hash, (uint32_t)at->line), (uint32_t)at->column);
}

static uint64_t class_label(const adder_t* a, uint32_t node) {
  const hw_reverse_t* names = a->names;
  const hw_snapshot_t* s = names->s;
  unsigned kind = hw_node_kind(s, node);
  uint32_t scope;
  switch (kind) {
    case HW_NODE_STRING:
    case HW_NODE_CONS_STRING:
    case HW_NODE_SLICED_STRING:
      return 1;
    case HW_NODE_CODE:
    case HW_NODE_NUMBER:
    case HW_NODE_SHAPE:
    case HW_NODE_BIGINT:
    case HW_NODE_SYMBOL:
      return 2 + kind;
    case HW_NODE_CLOSURE:
      return closure_label(a, node);
    default:
      if (!hw_is_context(names, node))
        return mix(hash_text(s, s->name[node], false), kind);
      scope = hw_target_of(s, node, HW_EDGE_INTERNAL, names->scope_info);
      return scope_label(a, scope);
  }
}

static unsigned rank(unsigned kind) {
  static const uint8_t ranks[8] = {
      [HW_EDGE_PROPERTY] = 6, [HW_EDGE_CONTEXT] = 6,  [HW_EDGE_SHORTCUT] = 6,
      [HW_EDGE_ELEMENT] = 5,  [HW_EDGE_INTERNAL] = 3, [HW_EDGE_EPHEMERON] = 2,
      [HW_EDGE_HIDDEN] = 1};
  return ranks[kind];
}

static void find_best_edges(adder_t* a) {
  const hw_snapshot_t* s = a->names->s;
  memset(a->best, 0xFF, (size_t)s->nodes * sizeof(uint32_t));
  for (uint32_t node = 0; node < s->nodes; node++)
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++) {
      uint32_t target = hw_edge_target(s->edge[e]);
      if (s->dominator[target] != node || target == node) continue;
      uint32_t now = a->best[target];
      unsigned own = rank(hw_edge_kind(s->edge[e]));
      if (own > (now == HW_NONE ? 0 : rank(hw_edge_kind(s->edge[now]))))
        a->best[target] = e;
    }
}

static uint64_t edge_label(const adder_t* a, uint32_t from, uint32_t node,
                           bool dictionary) {
  const hw_snapshot_t* s = a->names->s;
  uint32_t edge = a->best[node];
  if (edge == HW_NONE) return 0;
  unsigned kind = hw_edge_kind(s->edge[edge]);
  uint32_t name = hw_name_of(s, from, edge);
  if (kind == HW_EDGE_ELEMENT || kind == HW_EDGE_HIDDEN ||
      kind == HW_EDGE_EPHEMERON || (kind == HW_EDGE_PROPERTY && dictionary))
    return kind + 1;
  return mix(hash_text(s, name, kind == HW_EDGE_INTERNAL), kind + 1);
}

static int grow(hw_trie_t* t) {
  uint32_t capacity = t->capacity == 0 ? 4096 : t->capacity * 2;
  hw_place_t* place = realloc(t->place, (size_t)capacity * sizeof(hw_place_t));
  if (place == NULL) return HW_ENOMEM;
  t->place = place;
  uint32_t* slot = calloc((size_t)capacity * 2, sizeof(uint32_t));
  if (slot == NULL) return HW_ENOMEM;
  for (uint32_t i = 0; i < t->count; i++) {
    uint32_t at =
        (uint32_t)mix(place[i].label, place[i].parent) & (capacity * 2 - 1);
    while (slot[at] != 0)
      at = (at + 1) & (capacity * 2 - 1);
    slot[at] = i + 1;
  }
  free(t->slot);
  t->slot = slot;
  t->mask = capacity * 2 - 1;
  t->capacity = capacity;
  return 0;
}

/* The place with a label below a parent, or HW_NONE; `slot` is where it is, or
 * where it would be. */
static uint32_t known_place(const hw_trie_t* t, uint32_t parent, uint64_t label,
                            uint32_t* slot) {
  uint32_t at = (uint32_t)mix(label, parent) & t->mask;
  for (; t->slot[at] != 0; at = (at + 1) & t->mask) {
    const hw_place_t* p = &t->place[t->slot[at] - 1];
    if (p->label == label && p->parent == parent) return t->slot[at] - 1;
  }
  *slot = at;
  return HW_NONE;
}

/* The place with a label below a parent, new or not; HW_NONE without
 * memory. */
static uint32_t find_place(hw_trie_t* t, uint32_t parent, uint64_t label,
                           unsigned kind, bool loose) {
  uint32_t above = parent;
  for (unsigned i = 0; i < FOLD_LEVELS && above != 0 && above != HW_NONE; i++) {
    const hw_place_t* p = &t->place[above];
    if (p->label == label && p->parent != HW_NONE &&
        t->place[p->parent].label == t->place[parent].label)
      return above;
    above = p->parent;
  }
  if (t->count == t->capacity && grow(t) != 0) return HW_NONE;
  uint32_t at;
  uint32_t known = known_place(t, parent, label, &at);
  if (known != HW_NONE) return known;
  hw_place_t* made = &t->place[t->count];
  memset(made, 0, sizeof(*made));
  made->label = label;
  made->parent = parent;
  made->example = HW_NONE;
  made->kind = (uint8_t)kind;
  made->loose = loose;
  t->slot[at] = t->count + 1;
  return t->count++;
}

/* How the names of an object's properties count. */
typedef enum { NAMED, DICTIONARY, GLOBALS } names_t;

/* Of a global variable. What the older snapshot has is by its name, and by its
 * class beside it; what it has not is by its class alone. */
static uint32_t global_place(adder_t* a, uint32_t node, uint32_t parent,
                             uint64_t label) {
  hw_trie_t* t = a->trie;
  unsigned kind = hw_node_kind(a->names->s, node);
  uint64_t of_class = mix(class_label(a, node), PASSING);
  uint32_t slot;
  if (a->which == 1 && known_place(t, parent, label, &slot) == HW_NONE)
    return find_place(t, parent, of_class, kind, false);
  uint32_t passing = find_place(t, parent, of_class, kind, false);
  if (passing == HW_NONE) return HW_NONE;
  uint32_t place = find_place(t, parent, label, kind, false);
  if (place != HW_NONE && place > passing) t->place[place].passing = passing;
  return place;
}

static int put(adder_t* a, uint32_t node, names_t how) {
  const hw_snapshot_t* s = a->names->s;
  uint32_t above = s->dominator[node];
  bool root = node == s->root;
  uint64_t label = root ? 0
                        : mix(class_label(a, node),
                              edge_label(a, above, node, how == DICTIONARY));
  bool loose = !root && a->best[node] == HW_NONE;
  uint32_t place;
  if (how == GLOBALS && !loose &&
      hw_edge_kind(s->edge[a->best[node]]) == HW_EDGE_PROPERTY)
    place = global_place(a, node, a->place[above], label);
  else
    place = find_place(a->trie, root ? HW_NONE : a->place[above], label,
                       hw_node_kind(s, node), loose);
  if (place == HW_NONE) return HW_ENOMEM;
  hw_place_t* p = &a->trie->place[place];
  a->place[node] = place;
  p->count[a->which]++;
  p->own[a->which] += hw_snapshot_shallow(s, node);
  if (a->which == 1) p->example = node;
  return 0;
}

/* Down the dominator tree, without a stack: the way up is the dominator. */
static int walk(adder_t* a, const uint32_t* first, const uint32_t* next) {
  const hw_snapshot_t* s = a->names->s;
  uint32_t at = s->root;
  int status = put(a, at, NAMED);
  bool down = true;
  while (status == 0) {
    if (down && first[at] != HW_NONE) {
      /* All children at once, so that a dictionary is looked at but once. */
      names_t how = hw_is_global(a->names, at)       ? GLOBALS
                    : hw_is_dictionary(a->names, at) ? DICTIONARY
                                                     : NAMED;
      for (uint32_t c = first[at]; c != HW_NONE && status == 0; c = next[c])
        status = put(a, c, how);
      at = first[at];
      continue;
    }
    if (at == s->root) break;
    down = next[at] != HW_NONE;
    at = down ? next[at] : s->dominator[at];
  }
  return status;
}

int hw_trie_add(hw_trie_t* trie, const hw_reverse_t* names, unsigned which,
                uint32_t* of_node) {
  const hw_snapshot_t* s = names->s;
  adder_t a = {names, trie, which, NULL, of_node, NULL};
  size_t bytes = (size_t)s->nodes * sizeof(uint32_t);
  uint32_t* first = hw_array_new(1, bytes);
  uint32_t* next = hw_array_new(1, bytes);
  uint32_t* own = of_node == NULL ? hw_array_new(1, bytes) : NULL;
  int status = HW_ENOMEM;
  a.best = hw_array_new(1, bytes);
  a.scope = hw_array_new(s->nodes, sizeof(uint64_t));
  if (of_node == NULL) a.place = own;
  if (first != NULL && next != NULL && a.best != NULL && a.place != NULL &&
      a.scope != NULL) {
    find_best_edges(&a);
    hw_dominator_children(s, first, next);
    status = walk(&a, first, next);
  }
  hw_array_free(first);
  hw_array_free(next);
  hw_array_free(own);
  hw_array_free(a.best);
  hw_array_free(a.scope);
  return status;
}

void hw_trie_sum(hw_trie_t* t) {
  for (uint32_t i = 1; i < t->count; i++) {
    hw_place_t* p = &t->place[i];
    if (p->passing == 0 || p->count[1] > 0) continue;
    p->parent = p->passing;
    t->place[p->passing].count[0] += p->count[0];
  }
  for (uint32_t i = 0; i < t->count; i++)
    for (unsigned k = 0; k < 2; k++)
      t->place[i].bytes[k] = t->place[i].own[k];
  for (uint32_t i = t->count; i-- > 1;)
    for (unsigned k = 0; k < 2; k++)
      t->place[t->place[i].parent].bytes[k] += t->place[i].bytes[k];
}

void hw_trie_close(hw_trie_t* t) {
  free(t->place);
  free(t->slot);
  memset(t, 0, sizeof(*t));
}
