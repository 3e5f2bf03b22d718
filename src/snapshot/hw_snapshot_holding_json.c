/*
 * What holds a node, as JSON.
 */

#include <inttypes.h>
#include <string.h>

#include "snapshot/hw_snapshot_anchor.h"
#include "snapshot/hw_snapshot_describe.h"

#define SYMBOL_LIMIT 80 /* bytes of a symbol's name */

bool hw_symbol_name(const hw_snapshot_t* s, uint32_t string,
                    const uint8_t** name, uint32_t* length) {
  const uint32_t start = sizeof("<symbol ") - 1;
  *name = hw_string(s, string, length) + start;
  if (!hw_string_starts(s, string, "<symbol ") || *length == start)
    return false;
  *length -= start + 1;
  return true;
}

static uint32_t anchor_name(const hw_reverse_t* r, const hw_holding_t* h) {
  return hw_variable_name(r, h->from[0], h->edge[0]);
}

static const char* anchor_kind(hw_anchor_t anchor) {
  static const char* const names[] = {"none",   "module",   "static", "exports",
                                      "global", "function", "timer",  "handle",
                                      "stack",  "root"};
  return names[anchor];
}

static void add_string(const hw_snapshot_t* s, const char* key, uint32_t string,
                       hw_text_t* out) {
  if (string == HW_NONE) return;
  uint32_t length;
  const uint8_t* raw = hw_string(s, string, &length);
  hw_text_format(out, ",\"%s\":", key);
  hw_text_quoted(out, raw, length, 4096);
}

void hw_holding_anchor(const hw_reverse_t* r, const hw_holding_t* h,
                       hw_text_t* out) {
  const hw_snapshot_t* s = r->s;
  hw_text_format(out, "{\"kind\":\"%s\"", anchor_kind(h->anchor));
  if (h->anchor == HW_ANCHOR_MODULE || h->anchor == HW_ANCHOR_FUNCTION) {
    add_string(s, "name", anchor_name(r, h), out);
    add_string(s, "url", hw_variable_url(r, h->from[0]), out);
    if (h->anchor == HW_ANCHOR_FUNCTION)
      add_string(s, "function", hw_context_function(r, h->from[0]), out);
  } else if (h->anchor == HW_ANCHOR_STATIC) {
    add_string(s, "name", anchor_name(r, h), out);
    add_string(s, "url", hw_closure_url(r, h->from[0]), out);
    add_string(s, "function", s->name[h->from[0]], out);
  } else if (h->anchor == HW_ANCHOR_GLOBAL) {
    const uint8_t* symbol;
    uint32_t length;
    if (hw_symbol_name(s, anchor_name(r, h), &symbol, &length) &&
        length <= SYMBOL_LIMIT) {
      hw_text_string(out, ",\"name\":\"Symbol(");
      hw_text_append(out, symbol, length);
      hw_text_string(out, ")\"");
    } else {
      add_string(s, "name", anchor_name(r, h), out);
    }
  } else if (h->anchor == HW_ANCHOR_EXPORTS) {
    uint32_t file = hw_target_of(s, h->from[0], HW_EDGE_PROPERTY, r->filename);
    if (file != HW_NONE) add_string(s, "url", s->name[file], out);
  }
  hw_text_string(out, "}");
}

static void add_source(const hw_reverse_t* r, uint32_t closure,
                       hw_text_t* out) {
  const hw_location_t* at = hw_location_find(r->s, closure);
  add_string(r->s, "url", hw_closure_url(r, closure), out);
  if (at != NULL)
    hw_text_format(out, ",\"line\":%" PRId32 ",\"column\":%" PRId32,
                   at->line + 1, at->column + 1);
}

void hw_closure_json(const hw_reverse_t* r, uint32_t closure, hw_text_t* out) {
  uint32_t length;
  const uint8_t* raw = hw_string(r->s, r->s->name[closure], &length);
  hw_text_string(out, "{\"name\":");
  hw_text_quoted(out, raw, length, 200);
  add_source(r, closure, out);
  hw_text_string(out, "}");
}

static void add_step(const hw_reverse_t* r, uint32_t node, hw_text_t* out) {
  const hw_snapshot_t* s = r->s;
  hw_describe_node(s, node, out);
  if (hw_node_kind(s, node) == HW_NODE_CLOSURE) {
    add_source(r, node, out);
  } else if (hw_is_context(r, node)) {
    add_string(s, "url", hw_context_url(r, node), out);
    add_string(s, "function", hw_context_function(r, node), out);
  }
}

void hw_holding_owner(const hw_reverse_t* r, const hw_holding_t* h,
                      hw_text_t* out) {
  hw_holding_t owner = {.anchor = h->owner, .length = 1};
  owner.from[0] = h->owner_from;
  owner.edge[0] = h->owner_edge;
  hw_holding_anchor(r, &owner, out);
}

void hw_holding_path(const hw_reverse_t* r, const hw_holding_t* h,
                     hw_text_t* out) {
  const hw_snapshot_t* s = r->s;
  hw_text_string(out, "[");
  for (unsigned i = 0; i < h->length; i++) {
    if (i == 0) {
      hw_text_string(out, "{");
      add_step(r, h->from[0], out);
      hw_text_string(out, "}");
    }
    hw_text_string(out, ",\n{");
    if (h->folded > 0 && i == HW_PATH_MAX / 2)
      hw_text_format(out, "\"skipped\":%u,", h->folded);
    hw_describe_edge(s, h->from[i], h->edge[i], out);
    hw_text_string(out, ",");
    add_step(r, hw_edge_target(s->edge[h->edge[i]]), out);
    hw_text_string(out, "}");
  }
  hw_text_string(out, "]");
}
