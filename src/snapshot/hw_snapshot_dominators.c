/*
 * Dominators and retained sizes.
 *
 * Lengauer and Tarjan, "A fast algorithm for finding dominators in a
 * flowgraph" (ACM TOPLAS 1, 1979), the simple version with path compression.
 * All of it works on depth-first numbers, from 1, not on ordinals: arrays are
 * walked in their order, and a vertex is linked into the forest exactly if
 * its number is at least that of the last one linked, so that the array of
 * parents serves as the forest's ancestors too.
 *
 * Vertices are taken from the last to the first, and what an array has to say
 * of those before the present one is not what it says of those after. So two
 * arrays are two each: predecessor lists before, semidominators after; buckets
 * before, labels after. (A bucket is empty when its vertex' turn comes: what
 * was in it lies below one of the vertex' children, and was seen to with that.)
 *
 * What the root doesn't reach: nodes without a retaining edge from another
 * node count as children of the root, in the order of the file, with all that
 * they reach. Whatever is left after that (cycles that hold themselves, and
 * what only those hold) hangs on the root, one by one, and holds nothing.
 */

#include "snapshot/hw_snapshot_graph.h"

typedef struct {
  hw_snapshot_t* s;
  uint32_t* number;   /* by ordinal: depth-first number, 0 if not reached */
  uint32_t* order;    /* by number: ordinal */
  uint32_t* ancestor; /* by number: parent, then ancestor in the forest */
  /* By number: the cursor of the search; then where in `predecessor` its list
   * begins, until its turn comes; from then on its semidominator. */
  uint32_t* semi;
  /* By number: the first in its bucket, that is whose semidominator it is; from
   * its turn on its label. */
  uint32_t* label;
  uint32_t* dominator; /* by number; before it is known, next in its bucket */
  uint32_t* predecessor;
  uint32_t count;
} flow_t;

static void search(flow_t* flow, uint32_t start, uint32_t parent) {
  const hw_snapshot_t* s = flow->s;
  uint32_t* cursor = flow->semi;
  uint32_t at = ++flow->count;
  flow->number[start] = at;
  flow->order[at] = start;
  flow->ancestor[at] = parent;
  cursor[at] = s->first_edge[start];
  while (at != parent) {
    uint32_t node = flow->order[at];
    uint32_t end = s->first_edge[node + 1];
    uint32_t e = cursor[at];
    while (e < end && (flow->number[hw_edge_target(s->edge[e])] != 0 ||
                       !hw_edge_retains(s, node, e)))
      e++;
    if (e == end) {
      at = flow->ancestor[at];
      continue;
    }
    cursor[at] = e + 1;
    uint32_t target = hw_edge_target(s->edge[e]);
    uint32_t next = ++flow->count;
    flow->number[target] = next;
    flow->order[next] = target;
    flow->ancestor[next] = at;
    cursor[next] = s->first_edge[target];
    at = next;
  }
}

/* Marks in `held` every node that a retaining edge leads to. */
static int find_held(const hw_snapshot_t* s, uint8_t* held) {
  for (uint32_t node = 0; node < s->nodes; node++)
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++)
      if (!held[hw_edge_target(s->edge[e])] && hw_edge_retains(s, node, e))
        held[hw_edge_target(s->edge[e])] = 1;
  return 0;
}

static int search_all(flow_t* flow) {
  const hw_snapshot_t* s = flow->s;
  search(flow, s->root, 0);
  if (flow->count == s->nodes) return 0;
  uint8_t* held = hw_array_new(s->nodes, 1);
  if (held == NULL) return HW_ENOMEM;
  find_held(s, held);
  for (uint32_t node = 0; node < s->nodes; node++)
    if (flow->number[node] == 0 && !held[node]) search(flow, node, 1);
  hw_array_free(held);
  return 0;
}

/* Whether an edge from number `from` belongs into a list: the parent is every
 * vertex' predecessor, and in none. */
static inline bool is_listed(const flow_t* flow, uint32_t from, uint32_t node,
                             uint32_t e, uint32_t to) {
  return flow->ancestor[to] != from && hw_edge_retains(flow->s, node, e);
}

/* Predecessor lists by counting sort. */
static int list_predecessors(flow_t* flow) {
  const hw_snapshot_t* s = flow->s;
  uint32_t* first = flow->semi;
  memset(first, 0, ((size_t)flow->count + 2) * sizeof(uint32_t));
  for (uint32_t i = 1; i <= flow->count; i++) {
    uint32_t node = flow->order[i];
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++) {
      uint32_t to = flow->number[hw_edge_target(s->edge[e])];
      first[to] += is_listed(flow, i, node, e, to);
    }
  }
  uint32_t total = 0;
  for (uint32_t i = 0; i <= flow->count + 1; i++) {
    total += first[i];
    first[i] = total;
  }
  flow->predecessor = hw_array_new((size_t)total + 1, sizeof(uint32_t));
  if (flow->predecessor == NULL) return HW_ENOMEM;
  flow->predecessor[total] = 0; /* may be looked at ahead of time */
  for (uint32_t i = 1; i <= flow->count; i++) {
    uint32_t node = flow->order[i];
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++) {
      uint32_t to = flow->number[hw_edge_target(s->edge[e])];
      if (is_listed(flow, i, node, e, to)) flow->predecessor[--first[to]] = i;
    }
  }
  return 0;
}

/* The vertex of least semidominator on the way from `v` up to, but without,
 * the root of its tree; `linked` is the least number linked so far. Paths are
 * compressed without recursion: going up, each vertex's ancestor is replaced
 * by the one it was come from, and put right on the way back. */
static uint32_t evaluate(flow_t* flow, uint32_t v, uint32_t linked) {
  uint32_t* ancestor = flow->ancestor;
  uint32_t* label = flow->label;
  const uint32_t* semi = flow->semi;
  if (v < linked) return v;
  uint32_t below = 0;
  uint32_t at = v;
  while (ancestor[at] >= linked) {
    uint32_t up = ancestor[at];
    ancestor[at] = below;
    below = at;
    at = up;
  }
  uint32_t top = ancestor[at];
  while (below != 0) {
    uint32_t down = ancestor[below];
    if (semi[label[at]] < semi[label[below]]) label[below] = label[at];
    ancestor[below] = top;
    at = below;
    below = down;
  }
  return label[v];
}

/* The least of the semidominators that come with the predecessors of `w`: its
 * parent, and those in the list from `start` to `end`. */
static uint32_t find_semidominator(flow_t* flow, uint32_t w, uint32_t start,
                                   uint32_t end) {
  uint32_t semi = flow->ancestor[w];
  for (uint32_t i = start; i < end; i++) {
    uint32_t v = flow->predecessor[i];
    uint32_t least = v > w ? flow->semi[evaluate(flow, v, w + 1)] : v;
    if (least < semi) semi = least;
  }
  return semi;
}

static void find_dominators(flow_t* flow) {
  uint32_t n = flow->count;
  uint32_t* first = flow->semi;
  uint32_t* bucket = flow->label;
  uint32_t end = first[n + 1];
  memset(bucket, 0, ((size_t)n + 1) * sizeof(uint32_t));
  for (uint32_t w = n; w >= 2; w--) {
    /* What the predecessors of those that come soon lie in. */
    if (w > 8) __builtin_prefetch(&flow->predecessor[first[w - 8]]);
    if (w > 4)
      __builtin_prefetch(&flow->ancestor[flow->predecessor[first[w - 4]]]);
    uint32_t parent = flow->ancestor[w];
    uint32_t start = first[w];
    uint32_t semi = find_semidominator(flow, w, start, end);
    end = start;
    flow->semi[w] = semi;
    flow->label[w] = w;
    flow->dominator[w] = bucket[semi];
    bucket[semi] = w;
    uint32_t v = bucket[parent];
    bucket[parent] = 0;
    while (v != 0) {
      uint32_t next = flow->dominator[v];
      uint32_t u = evaluate(flow, v, w);
      flow->dominator[v] = flow->semi[u] < flow->semi[v] ? u : parent;
      v = next;
    }
  }
  flow->dominator[1] = 1;
  for (uint32_t w = 2; w <= n; w++)
    if (flow->dominator[w] != flow->semi[w])
      flow->dominator[w] = flow->dominator[flow->dominator[w]];
}

/* From numbers back to ordinals, and sizes summed upwards: whoever dominates
 * has the smaller number. What has none is left with its own. */
static void sum_up(flow_t* flow) {
  hw_snapshot_t* s = flow->s;
  for (uint32_t node = 0; node < s->nodes; node++) {
    s->retained[node] = hw_snapshot_shallow(s, node);
    s->dominator[node] = HW_NONE;
  }
  s->dominator[s->root] = s->root;
  for (uint32_t i = flow->count; i >= 2; i--) {
    uint32_t node = flow->order[i];
    uint32_t above = flow->order[flow->dominator[i]];
    s->dominator[node] = above;
    s->retained[above] += s->retained[node];
  }
  if (flow->count == s->nodes) return;
  for (uint32_t node = 0; node < s->nodes; node++) {
    if (s->dominator[node] != HW_NONE) continue;
    s->dominator[node] = s->root;
    s->retained[s->root] += s->retained[node];
  }
}

static void let_go(uint32_t** array) {
  hw_array_free(*array);
  *array = NULL;
}

static int compute(flow_t* flow) {
  hw_snapshot_t* s = flow->s;
  int status = hw_progress(s, "searching depth first", 0);
  flow->ancestor[0] = 0; /* asked of what has no number */
  if (status == 0) status = search_all(flow);
  if (status == 0) status = hw_progress(s, "listing predecessors", 0);
  if (status == 0) status = list_predecessors(flow);
  if (status == 0) status = hw_progress(s, "finding dominators", 0);
  if (status != 0) return status;
  let_go(&flow->number); /* `order` has it the other way round */
  size_t bytes = ((size_t)flow->count + 2) * sizeof(uint32_t);
  flow->label = hw_array_new(1, bytes);
  flow->dominator = hw_array_new(1, bytes);
  if (flow->label == NULL || flow->dominator == NULL) return HW_ENOMEM;
  find_dominators(flow);
  let_go(&flow->label);
  let_go(&flow->predecessor);
  let_go(&flow->ancestor);
  let_go(&flow->semi);
  s->retained = hw_array_new(s->nodes, sizeof(uint64_t));
  s->dominator = hw_array_new(s->nodes, sizeof(uint32_t));
  if (s->retained == NULL || s->dominator == NULL) return HW_ENOMEM;
  sum_up(flow);
  return 0;
}

int hw_snapshot_compute_dominators(hw_snapshot_t* s) {
  flow_t flow;
  memset(&flow, 0, sizeof(flow));
  flow.s = s;
  size_t bytes = ((size_t)s->nodes + 2) * sizeof(uint32_t);
  flow.number = hw_array_new(1, bytes);
  flow.order = hw_array_new(1, bytes);
  flow.ancestor = hw_array_new(1, bytes);
  flow.semi = hw_array_new(1, bytes);
  int status = HW_ENOMEM;
  if (flow.number != NULL && flow.order != NULL && flow.ancestor != NULL &&
      flow.semi != NULL)
    status = compute(&flow);
  hw_array_free(flow.number);
  hw_array_free(flow.order);
  hw_array_free(flow.ancestor);
  hw_array_free(flow.semi);
  hw_array_free(flow.label);
  hw_array_free(flow.dominator);
  hw_array_free(flow.predecessor);
  return status;
}
