/*
 * hw_run_summary and hw_run_nodes.
 */

#include <inttypes.h>
#include <stdio.h>

#include "snapshot/hw_snapshot_classes.h"
#include "snapshot/hw_snapshot_open.h"
#include "snapshot/hw_snapshot_statistics.h"

#define TEXT_LIMIT 200 /* bytes of a string that are shown */

static void add_counts(const hw_snapshot_t* s, hw_text_t* out) {
  hw_text_format(
      out, "{\"nodes\":%" PRIu32 ",\"edges\":%" PRIu32 ",\"total\":%" PRIu64,
      s->nodes, s->edges, hw_snapshot_total(s));
}

static int add_statistics(const hw_snapshot_t* s, hw_text_t* out) {
  hw_statistics_t sum;
  int status = hw_statistics_compute(s, &sum);
  if (status != 0) return status;
  hw_text_format(out,
                 ",\"statistics\":{\"total\":%" PRIu64 ",\"native\":%" PRIu64
                 ",\"typedArrays\":%" PRIu64 ",\"code\":%" PRIu64
                 ",\"strings\":%" PRIu64 ",\"arrays\":%" PRIu64
                 ",\"system\":%" PRIu64 "}",
                 sum.total, sum.native, sum.typed_arrays, sum.code, sum.strings,
                 sum.arrays, sum.system);
  return 0;
}

typedef struct {
  uint64_t key;
  uint32_t item;
} ranked_t;

static int by_key(const void* a, const void* b) {
  const ranked_t* left = a;
  const ranked_t* right = b;
  if (left->key != right->key) return left->key > right->key ? -1 : 1;
  return left->item < right->item ? -1 : 1;
}

static void add_class(const hw_classes_t* classes, const hw_class_t* k,
                      hw_text_t* out) {
  uint32_t length;
  const char* name = hw_class_name(classes, k->name, &length);
  hw_text_string(out, "{\"name\":");
  hw_text_quoted(out, (const uint8_t*)name, length, SIZE_MAX);
  hw_text_format(out,
                 ",\"count\":%" PRIu32 ",\"shallow\":%" PRIu64
                 ",\"retained\":%" PRIu64 ",\"distance\":%" PRId32,
                 k->count, k->shallow, k->retained, k->distance);
  if (k->located)
    hw_text_format(
        out, ",\"script\":%" PRId32 ",\"line\":%" PRId32 ",\"column\":%" PRId32,
        k->script, k->line, k->column);
  hw_text_string(out, "}");
}

static int add_classes(hw_snapshot_t* s, hw_text_t* out) {
  hw_shapes_t shapes;
  hw_classes_t classes;
  memset(&classes, 0, sizeof(classes));
  int status = hw_shapes_infer(s, &shapes);
  if (status == 0) status = hw_classes_build(s, &shapes, &classes);
  ranked_t* order = NULL;
  if (status == 0) {
    order = malloc(((size_t)classes.count + 1) * sizeof(ranked_t));
    if (order == NULL) status = HW_ENOMEM;
  }
  for (uint32_t i = 0; status == 0 && i < classes.count; i++) {
    order[i].key = classes.item[i].retained;
    order[i].item = i;
  }
  if (status == 0) {
    qsort(order, classes.count, sizeof(ranked_t), by_key);
    hw_text_string(out, ",\"classes\":[");
    for (uint32_t i = 0; i < classes.count; i++) {
      if (i > 0) hw_text_string(out, ",\n");
      add_class(&classes, &classes.item[order[i].item], out);
    }
    hw_text_string(out, "]");
  }
  free(order);
  hw_classes_close(&classes);
  hw_shapes_close(&shapes);
  return status;
}

static void add_string(const hw_snapshot_t* s, uint32_t node,
                       hw_text_t* scratch, hw_text_t* out) {
  scratch->length = 0;
  hw_string_text(s, node, scratch);
  hw_text_string(out, "\"text\":");
  hw_text_quoted(out, (const uint8_t*)scratch->data, scratch->length,
                 TEXT_LIMIT);
}

/* Keeps the `limit` strings of the greatest shallow size: a heap whose first
 * is the least of them would be quicker, but few are wanted. */
static uint32_t find_largest(const hw_snapshot_t* s, ranked_t* top,
                             uint32_t limit) {
  uint32_t count = 0;
  for (uint32_t node = 0; node < s->nodes; node++) {
    unsigned kind = hw_node_kind(s, node);
    if (kind != HW_NODE_STRING && kind != HW_NODE_CONS_STRING &&
        kind != HW_NODE_SLICED_STRING)
      continue;
    uint64_t bytes = hw_snapshot_shallow(s, node);
    if (bytes == 0 || (count == limit && bytes <= top[count - 1].key)) continue;
    uint32_t at = count < limit ? count++ : count - 1;
    for (; at > 0 && top[at - 1].key < bytes; at--)
      top[at] = top[at - 1];
    top[at].key = bytes;
    top[at].item = node;
  }
  return count;
}

static int add_strings(const hw_snapshot_t* s, uint32_t limit, hw_text_t* out) {
  hw_duplicates_t duplicates;
  hw_text_t scratch = {NULL, 0, 0, false};
  int status = hw_progress(s, "comparing strings", 0);
  ranked_t* top = malloc(((size_t)limit + 1) * sizeof(ranked_t));
  if (status == 0) status = top == NULL ? HW_ENOMEM : 0;
  if (status != 0) {
    free(top);
    return status;
  }
  uint32_t count = limit > 0 ? find_largest(s, top, limit) : 0;
  hw_text_string(out, ",\"largestStrings\":[");
  for (uint32_t i = 0; i < count; i++) {
    hw_text_format(out, "%s{\"id\":%" PRIu32 ",\"shallow\":%" PRIu64 ",",
                   i > 0 ? ",\n" : "", s->id[top[i].item], top[i].key);
    add_string(s, top[i].item, &scratch, out);
    hw_text_string(out, "}");
  }
  free(top);
  status = hw_duplicates_find(s, &duplicates);
  hw_text_string(out, "],\"duplicateStrings\":[");
  for (uint32_t i = 0; i < duplicates.count && i < limit; i++) {
    const hw_duplicate_t* d = &duplicates.item[i];
    hw_text_format(out,
                   "%s{\"count\":%" PRIu32 ",\"shallow\":%" PRIu64
                   ",\"retained\":%" PRIu64 ",",
                   i > 0 ? ",\n" : "", d->count, d->shallow, d->retained);
    add_string(s, d->node, &scratch, out);
    hw_text_string(out, "}");
  }
  hw_text_string(out, "]");
  hw_duplicates_close(&duplicates);
  hw_text_close(&scratch);
  return status;
}

static void add_contexts(const hw_snapshot_t* s, hw_text_t* out) {
  bool first = true;
  hw_text_string(out, ",\"nativeContexts\":[");
  for (uint32_t node = 0; node < s->nodes; node++) {
    uint32_t name = s->name[node];
    unsigned kind = hw_node_kind(s, node);
    if (kind == HW_NODE_STRING || kind == HW_NODE_CONS_STRING) continue;
    bool detached = hw_string_starts(s, name, "Detached system / NativeCont");
    if (!detached && !hw_string_is(s, name, "system / NativeContext") &&
        !hw_string_starts(s, name, "system / NativeContext / "))
      continue;
    uint32_t length;
    const uint8_t* raw = hw_string(s, name, &length);
    hw_text_format(out, "%s{\"id\":%" PRIu32 ",\"name\":", first ? "" : ",",
                   s->id[node]);
    hw_text_quoted(out, raw, length, TEXT_LIMIT);
    hw_text_format(out,
                   ",\"shallow\":%" PRIu64 ",\"retained\":%" PRIu64
                   ",\"detached\":%s}",
                   hw_snapshot_shallow(s, node), s->retained[node],
                   detached ? "true" : "false");
    first = false;
  }
  hw_text_string(out, "]");
}

int hw_run_summary(const char* path, const hw_run_options_t* options,
                   hw_text_t* out, hw_failure_t* failure) {
  hw_opened_t opened;
  failure->file = 0;
  int status = hw_opened_open(path, HW_WANT_DISTANCES | HW_WANT_DOMINATORS,
                              options, &opened, failure);
  hw_snapshot_t* s = opened.graph;
  if (status == 0) {
    add_counts(s, out);
    status = add_statistics(s, out);
  }
  if (status == 0) status = add_classes(s, out);
  if (status == 0) status = add_strings(s, options->limit, out);
  if (status == 0) {
    add_contexts(s, out);
    hw_text_string(out, "}\n");
    if (out->failed) status = HW_ENOMEM;
  }
  hw_opened_close(&opened);
  return status;
}

int hw_run_nodes(const char* path, const hw_run_options_t* options,
                 hw_write_cb write, void* data, hw_failure_t* failure) {
  hw_opened_t opened;
  hw_text_t lines = {NULL, 0, 0, false};
  failure->file = 0;
  int status = hw_opened_open(path, HW_WANT_DISTANCES | HW_WANT_DOMINATORS,
                              options, &opened, failure);
  const hw_snapshot_t* s = opened.graph;
  for (uint32_t node = 0; status == 0 && node < s->nodes; node++) {
    hw_text_format(
        &lines, "%" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRId32 "\n",
        s->id[node], hw_snapshot_shallow(s, node), s->retained[node],
        s->id[s->dominator[node]], s->distance[node]);
    if (lines.length < 65000 && node + 1 < s->nodes) continue;
    if (lines.failed) status = HW_ENOMEM;
    if (status == 0 && write(data, lines.data, lines.length) != 0)
      status = HW_ECANCELED;
    lines.length = 0;
  }
  hw_text_close(&lines);
  hw_opened_close(&opened);
  return status;
}
