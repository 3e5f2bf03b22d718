/*
 * Distances from the roots, breadth first.
 *
 * First from the root's children that are not synthetic, which are at 1; then
 * from the root, at HW_DISTANCE_SYSTEM, for what is left. Left out are weak
 * edges; what would give V8's own structure for distance: the map of sloppy
 * functions in a native context, and the keys in arrays of descriptors, which
 * maps share; and the half of a WeakMap's pair that is met first, so that the
 * value's distance comes from whichever of table and key is further away.
 *
 * The order in which nodes are met decides which half comes first, so it is
 * DevTools' order: a queue, edges as in the file, a child of the root that is
 * there twice taken twice.
 */

#include "snapshot/hw_snapshot_graph.h"

/* Which pairs' first halves have been met: a hash table of what both halves'
 * names share, by the halves' indexes in s->ephemeron, open addressing. */
typedef struct {
  uint32_t* slot;
  uint32_t mask;
} pairs_t;

static const uint8_t* shared_name(const hw_snapshot_t* s, uint32_t name,
                                  uint32_t* length) {
  uint32_t table;
  uint32_t shared = 0;
  const uint8_t* text = hw_string(s, name, length);
  hw_ephemeron_parse(text, *length, &table, &shared);
  *length -= shared;
  return text + shared;
}

/* Whether one half of the pair that `name` belongs to has been met and is
 * waiting for the other. A slot holds the name of one half, then that. */
static uint32_t* find_pair(const hw_snapshot_t* s, const pairs_t* pairs,
                           uint32_t name) {
  uint32_t length;
  const uint8_t* text = shared_name(s, name, &length);
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (uint32_t i = 0; i < length; i++)
    hash = (hash ^ text[i]) * 16777619u;
  for (uint32_t at = hash & pairs->mask;; at = (at + 1) & pairs->mask) {
    uint32_t found = pairs->slot[2 * (size_t)at];
    uint32_t other_length;
    if (found == HW_NONE) {
      pairs->slot[2 * (size_t)at] = name;
      pairs->slot[2 * (size_t)at + 1] = 0;
      return &pairs->slot[2 * (size_t)at + 1];
    }
    const uint8_t* other = shared_name(s, found, &other_length);
    if (other_length == length && memcmp(other, text, length) == 0)
      return &pairs->slot[2 * (size_t)at + 1];
  }
}

static int prepare_pairs(const hw_snapshot_t* s, pairs_t* pairs) {
  uint32_t size = 16;
  while (size < 2 * (uint64_t)s->ephemeron_name_count)
    size *= 2;
  pairs->slot = malloc(2 * (size_t)size * sizeof(uint32_t));
  if (pairs->slot == NULL) return HW_ENOMEM;
  memset(pairs->slot, 0xFF, 2 * (size_t)size * sizeof(uint32_t));
  pairs->mask = size - 1;
  return 0;
}

/* The number that an edge's name begins with, as JavaScript's parseInt reads
 * it; -1 if there is none. */
static int64_t leading_number(const hw_snapshot_t* s, unsigned kind,
                              uint32_t name) {
  if (kind == HW_EDGE_ELEMENT || kind == HW_EDGE_HIDDEN) return name;
  uint32_t length;
  const uint8_t* text = hw_string(s, name, &length);
  int64_t number = -1;
  for (uint32_t i = 0; i < length && i < 10; i++) {
    if (text[i] < '0' || text[i] > '9') break;
    number = (number < 0 ? 0 : number * 10) + (text[i] - '0');
  }
  return number;
}

static bool follows(const hw_snapshot_t* s, const pairs_t* pairs, uint32_t node,
                    uint32_t edge) {
  unsigned kind = hw_edge_kind(s->edge[edge]);
  unsigned from = hw_node_kind(s, node);
  if (from == HW_NODE_HIDDEN && s->name[node] == s->known.native_context &&
      kind != HW_EDGE_ELEMENT && kind != HW_EDGE_HIDDEN) {
    const uint32_t* names = hw_edge_names(s, node);
    if (names != NULL &&
        names[edge - s->first_edge[node]] == s->known.sloppy_function_map)
      return false;
  }
  if (from == HW_NODE_ARRAY && s->name[node] == s->known.map_descriptors) {
    const uint32_t* names = hw_edge_names(s, node);
    if (names == NULL) return true;
    int64_t index = leading_number(s, kind, names[edge - s->first_edge[node]]);
    return index < 0 || index < 2 || index % 3 != 1;
  }
  if (kind == HW_EDGE_EPHEMERON) {
    uint32_t* waiting = find_pair(s, pairs, hw_ephemeron_name(s, edge));
    *waiting = !*waiting;
    return *waiting == 0;
  }
  return true;
}

static void visit(hw_snapshot_t* s, const pairs_t* pairs, uint32_t* queue,
                  uint32_t count) {
  for (uint32_t next = 0; next < count; next++) {
    uint32_t node = queue[next];
    int32_t distance = s->distance[node] + 1;
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++) {
      uint32_t target = hw_edge_target(s->edge[e]);
      if (hw_edge_kind(s->edge[e]) == HW_EDGE_WEAK ||
          s->distance[target] != HW_DISTANCE_NONE ||
          !follows(s, pairs, node, e))
        continue;
      s->distance[target] = distance;
      queue[count++] = target;
    }
  }
}

int hw_snapshot_compute_distances(hw_snapshot_t* s) {
  pairs_t pairs = {NULL, 0};
  uint32_t count = 0;
  uint32_t children = s->first_edge[s->root + 1] - s->first_edge[s->root];
  int status = hw_progress(s, "measuring distances", 0);
  if (status != 0) return status;
  uint32_t* queue =
      hw_array_new((size_t)s->nodes + children + 1, sizeof(uint32_t));
  s->distance = hw_array_new(s->nodes, sizeof(int32_t));
  if (queue == NULL || s->distance == NULL || prepare_pairs(s, &pairs) != 0) {
    hw_array_free(queue);
    return HW_ENOMEM;
  }
  for (uint32_t node = 0; node < s->nodes; node++)
    s->distance[node] = HW_DISTANCE_NONE;
  for (uint32_t e = s->first_edge[s->root]; e < s->first_edge[s->root + 1];
       e++) {
    uint32_t target = hw_edge_target(s->edge[e]);
    if (hw_node_kind(s, target) == HW_NODE_SYNTHETIC &&
        s->name[target] != s->known.dom_trees)
      continue;
    s->distance[target] = 1;
    queue[count++] = target;
  }
  bool user_roots = count > 0;
  visit(s, &pairs, queue, count);
  s->distance[s->root] = user_roots ? HW_DISTANCE_SYSTEM : 0;
  queue[0] = s->root;
  visit(s, &pairs, queue, 1);
  hw_array_free(queue);
  free(pairs.slot);
  return 0;
}
