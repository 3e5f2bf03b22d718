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
  uint32_t* semi;     /* by number, and the cursor of the search before */
  uint32_t* label;
  uint32_t* dominator; /* by number; before it is known, next in its bucket */
  uint32_t* bucket;    /* by number: the first whose semidominator it is */
  uint32_t* first;     /* predecessors of a number: from first[n] on */
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
  uint8_t* held = calloc(s->nodes, 1);
  if (held == NULL) return HW_ENOMEM;
  find_held(s, held);
  for (uint32_t node = 0; node < s->nodes; node++)
    if (flow->number[node] == 0 && !held[node]) search(flow, node, 1);
  free(held);
  return 0;
}

/* Predecessor lists by counting sort. A vertex whose parent is the root for
 * want of any other has no list, and is seen to by its parent. */
static int list_predecessors(flow_t* flow) {
  const hw_snapshot_t* s = flow->s;
  uint32_t* first = flow->first;
  memset(first, 0, ((size_t)flow->count + 2) * sizeof(uint32_t));
  for (uint32_t i = 1; i <= flow->count; i++) {
    uint32_t node = flow->order[i];
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++)
      first[flow->number[hw_edge_target(s->edge[e])]] +=
          hw_edge_retains(s, node, e);
  }
  uint32_t total = 0;
  for (uint32_t i = 0; i <= flow->count + 1; i++) {
    total += first[i];
    first[i] = total;
  }
  flow->predecessor = malloc(((size_t)total + 1) * sizeof(uint32_t));
  if (flow->predecessor == NULL) return HW_ENOMEM;
  flow->predecessor[total] = 0; /* may be looked at ahead of time */
  for (uint32_t i = 1; i <= flow->count; i++) {
    uint32_t node = flow->order[i];
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++)
      if (hw_edge_retains(s, node, e))
        flow->predecessor[--first[flow->number[hw_edge_target(s->edge[e])]]] =
            i;
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

static void find_dominators(flow_t* flow) {
  uint32_t n = flow->count;
  for (uint32_t i = 0; i <= n; i++) {
    flow->semi[i] = i;
    flow->label[i] = i;
    flow->bucket[i] = 0;
    flow->dominator[i] = 0;
  }
  for (uint32_t w = n; w >= 2; w--) {
    /* What the predecessors of those that come soon lie in. */
    if (w > 8) __builtin_prefetch(&flow->predecessor[flow->first[w - 8]]);
    if (w > 4)
      __builtin_prefetch(
          &flow->ancestor[flow->predecessor[flow->first[w - 4]]]);
    uint32_t parent = flow->ancestor[w];
    uint32_t semi = w;
    uint32_t end = flow->first[w + 1];
    if (flow->first[w] == end) semi = 1;
    for (uint32_t i = flow->first[w]; i < end; i++) {
      uint32_t least = flow->semi[evaluate(flow, flow->predecessor[i], w + 1)];
      if (least < semi) semi = least;
    }
    flow->semi[w] = semi;
    flow->dominator[w] = flow->bucket[semi];
    flow->bucket[semi] = w;
    uint32_t v = flow->bucket[parent];
    flow->bucket[parent] = 0;
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
 * has the smaller number. */
static void sum_up(flow_t* flow) {
  hw_snapshot_t* s = flow->s;
  for (uint32_t node = 0; node < s->nodes; node++) {
    s->retained[node] = hw_snapshot_shallow(s, node);
    s->dominator[node] = s->root;
  }
  for (uint32_t i = flow->count; i >= 2; i--) {
    uint32_t node = flow->order[i];
    uint32_t above = flow->order[flow->dominator[i]];
    s->dominator[node] = above;
    s->retained[above] += s->retained[node];
  }
  for (uint32_t node = 0; flow->count < s->nodes && node < s->nodes; node++)
    if (flow->number[node] == 0) s->retained[s->root] += s->retained[node];
}

static int compute(flow_t* flow) {
  hw_snapshot_t* s = flow->s;
  int status = hw_progress(s, "searching depth first", 0);
  if (status == 0) status = search_all(flow);
  if (status == 0) status = hw_progress(s, "listing predecessors", 0);
  if (status == 0) status = list_predecessors(flow);
  if (status == 0) status = hw_progress(s, "finding dominators", 0);
  if (status != 0) return status;
  find_dominators(flow);
  free(flow->predecessor);
  flow->predecessor = NULL;
  s->retained = malloc((size_t)s->nodes * sizeof(uint64_t));
  s->dominator = malloc((size_t)s->nodes * sizeof(uint32_t));
  if (s->retained == NULL || s->dominator == NULL) return HW_ENOMEM;
  sum_up(flow);
  return 0;
}

int hw_snapshot_compute_dominators(hw_snapshot_t* s) {
  flow_t flow;
  memset(&flow, 0, sizeof(flow));
  flow.s = s;
  size_t bytes = ((size_t)s->nodes + 2) * sizeof(uint32_t);
  uint32_t** arrays[] = {&flow.order, &flow.ancestor,  &flow.semi,
                         &flow.label, &flow.dominator, &flow.bucket,
                         &flow.first};
  int status = 0;
  flow.number = calloc(1, bytes);
  if (flow.number == NULL) status = HW_ENOMEM;
  for (unsigned i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
    *arrays[i] = malloc(bytes);
    if (*arrays[i] == NULL) status = HW_ENOMEM;
  }
  if (status == 0) status = compute(&flow);
  for (unsigned i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
    free(*arrays[i]);
  free(flow.number);
  free(flow.predecessor);
  return status;
}
