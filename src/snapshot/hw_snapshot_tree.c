/*
 * hw_run_dominators: the dominator tree from the root down, by retained size.
 * What is not shown, because it is small or too deep, is counted.
 */

#include <inttypes.h>

#include "snapshot/hw_snapshot_classes.h"
#include "snapshot/hw_snapshot_describe.h"
#include "snapshot/hw_snapshot_open.h"

typedef struct {
  const hw_snapshot_t* s;
  const uint32_t* first; /* children in the dominator tree */
  const uint32_t* next;
  uint32_t limit;
  uint32_t depth;
  uint64_t least; /* bytes */
  hw_text_t* out;
} tree_t;

/* Collects the largest children, the largest first. Returns how many, and of
 * the rest their number and bytes. */
static uint32_t pick(const tree_t* t, uint32_t node, uint32_t* top,
                     uint32_t* rest, uint64_t* rest_bytes) {
  const uint64_t* retained = t->s->retained;
  uint32_t count = 0;
  *rest = 0;
  *rest_bytes = 0;
  for (uint32_t c = t->first[node]; c != HW_NONE; c = t->next[c]) {
    uint32_t out = c;
    if (retained[c] >= t->least) {
      uint32_t at = count;
      while (at > 0 && retained[top[at - 1]] < retained[c])
        at--;
      if (at < t->limit) {
        out = count == t->limit ? top[count - 1] : HW_NONE;
        uint32_t moved = (count == t->limit ? count - 1 : count) - at;
        memmove(top + at + 1, top + at, moved * sizeof(uint32_t));
        top[at] = c;
        if (count < t->limit) count++;
      }
    }
    if (out == HW_NONE) continue;
    *rest += 1;
    *rest_bytes += retained[out];
  }
  return count;
}

/* Recursion as deep as the tree is shown, which the caller limits. */
static int add_node(const tree_t* t, uint32_t node, uint32_t depth) {
  hw_text_string(t->out, "{");
  if (node != t->s->root) {
    uint32_t above = t->s->dominator[node];
    uint32_t edge = hw_best_edge(t->s, above, node);
    if (edge != HW_NONE) {
      hw_describe_edge(t->s, above, edge, t->out);
      hw_text_string(t->out, ",");
    }
  }
  hw_describe_node(t->s, node, t->out);
  uint32_t rest;
  uint64_t rest_bytes;
  uint32_t* top = malloc(((size_t)t->limit + 1) * sizeof(uint32_t));
  if (top == NULL) return HW_ENOMEM;
  uint32_t count = pick(t, node, top, &rest, &rest_bytes);
  if (depth == t->depth) {
    for (uint32_t i = 0; i < count; i++) {
      rest++;
      rest_bytes += t->s->retained[top[i]];
    }
    count = 0;
  }
  int status = 0;
  hw_text_string(t->out, ",\"children\":[");
  for (uint32_t i = 0; i < count && status == 0; i++) {
    if (i > 0) hw_text_string(t->out, ",\n");
    status = add_node(t, top[i], depth + 1);
  }
  hw_text_format(
      t->out, "],\"others\":{\"count\":%" PRIu32 ",\"retained\":%" PRIu64 "}}",
      rest, rest_bytes);
  free(top);
  return status;
}

int hw_run_dominators(const char* path, const hw_run_options_t* options,
                      const hw_tree_options_t* tree, hw_text_t* out,
                      hw_failure_t* failure) {
  hw_opened_t opened;
  failure->file = 0;
  if (tree->depth > HW_TREE_DEPTH_MAX || options->limit == 0) return HW_EINVAL;
  int status = hw_opened_open(path, HW_WANT_DOMINATORS | HW_WANT_NAMES, options,
                              &opened, failure);
  const hw_snapshot_t* s = opened.graph;
  uint32_t start = HW_NONE;
  uint32_t* first = NULL;
  uint32_t* next = NULL;
  if (status == 0) {
    start = tree->id == 0 ? s->root : hw_snapshot_find(s, tree->id);
    if (start == HW_NONE) status = HW_ENOTFOUND;
  }
  if (status == 0) {
    first = hw_array_new(s->nodes, sizeof(uint32_t));
    next = hw_array_new(s->nodes, sizeof(uint32_t));
    if (first == NULL || next == NULL) status = HW_ENOMEM;
  }
  if (status == 0) {
    hw_dominator_children(s, first, next);
    uint64_t least = (uint64_t)((double)s->retained[start] * tree->least_share);
    tree_t t = {s, first, next, options->limit, tree->depth, least, out};
    hw_text_format(out,
                   "{\"total\":%" PRIu64 ",\"tree\":", hw_snapshot_total(s));
    status = add_node(&t, start, 0);
    hw_text_string(out, "}\n");
  }
  if (status == 0 && out->failed) status = HW_ENOMEM;
  hw_array_free(first);
  hw_array_free(next);
  hw_opened_close(&opened);
  return status;
}
