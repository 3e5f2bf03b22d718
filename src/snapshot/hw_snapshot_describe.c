#include "snapshot/hw_snapshot_describe.h"

#include <inttypes.h>

#include "snapshot/hw_snapshot_statistics.h"

#define TEXT_LIMIT 120 /* bytes of a name that are shown */

const char* hw_node_kind_name(unsigned kind) {
  static const char* const names[] = {"hidden",
                                      "array",
                                      "string",
                                      "object",
                                      "code",
                                      "closure",
                                      "regexp",
                                      "number",
                                      "native",
                                      "synthetic",
                                      "concatenated string",
                                      "sliced string",
                                      "symbol",
                                      "bigint",
                                      "object shape",
                                      "other"};
  return names[kind <= HW_NODE_OTHER ? kind : HW_NODE_OTHER];
}

const char* hw_edge_kind_name(unsigned kind) {
  static const char* const names[] = {"context",  "element", "property",
                                      "internal", "hidden",  "shortcut",
                                      "weak",     "internal"};
  return names[kind & 7];
}

void hw_describe_node(const hw_snapshot_t* s, uint32_t node, hw_text_t* out) {
  hw_text_format(out,
                 "\"id\":%" PRIu32 ",\"type\":\"%s\",\"name\":", s->id[node],
                 hw_node_kind_name(hw_node_kind(s, node)));
  if (hw_node_kind(s, node) == HW_NODE_CONS_STRING) {
    hw_text_t text = {NULL, 0, 0, false};
    hw_string_text(s, node, &text);
    hw_text_quoted(out, (const uint8_t*)text.data, text.length, TEXT_LIMIT);
    hw_text_close(&text);
  } else {
    uint32_t length;
    const uint8_t* raw = hw_string(s, s->name[node], &length);
    hw_text_quoted(out, raw, length, TEXT_LIMIT);
  }
  hw_text_format(out, ",\"shallow\":%" PRIu64, hw_snapshot_shallow(s, node));
  if (s->retained != NULL)
    hw_text_format(out, ",\"retained\":%" PRIu64, s->retained[node]);
}

void hw_describe_edge(const hw_snapshot_t* s, uint32_t from, uint32_t edge,
                      hw_text_t* out) {
  unsigned kind = hw_edge_kind(s->edge[edge]);
  uint32_t name = hw_edge_names(s, from)[edge - s->first_edge[from]];
  hw_text_string(out, "\"edge\":");
  if (kind == HW_EDGE_ELEMENT || kind == HW_EDGE_HIDDEN) {
    hw_text_format(out, "%" PRIu32, name);
  } else {
    uint32_t length;
    const uint8_t* raw = hw_string(s, name, &length);
    hw_text_quoted(out, raw, length, TEXT_LIMIT);
  }
  hw_text_format(out, ",\"edgeType\":\"%s\"", hw_edge_kind_name(kind));
}

uint32_t hw_best_edge(const hw_snapshot_t* s, uint32_t from, uint32_t node) {
  static const uint8_t ranks[8] = {
      [HW_EDGE_PROPERTY] = 6, [HW_EDGE_CONTEXT] = 6,  [HW_EDGE_ELEMENT] = 5,
      [HW_EDGE_SHORTCUT] = 4, [HW_EDGE_INTERNAL] = 3, [HW_EDGE_EPHEMERON] = 2,
      [HW_EDGE_HIDDEN] = 1};
  uint32_t best = HW_NONE;
  unsigned rank = 0;
  for (uint32_t e = s->first_edge[from]; e < s->first_edge[from + 1]; e++) {
    unsigned own = ranks[hw_edge_kind(s->edge[e])];
    if (hw_edge_target(s->edge[e]) != node || own <= rank ||
        !hw_edge_retains(s, from, e))
      continue;
    best = e;
    rank = own;
  }
  return best;
}
