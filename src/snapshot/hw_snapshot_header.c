/*
 * The `snapshot` object: how the rest of the file is laid out, and how much
 * of it there should be.
 */

#include "snapshot/hw_snapshot_describe.h"
#include "snapshot/hw_snapshot_graph.h"

typedef struct {
  hw_json_slice_t item[HW_FIELDS_MAX];
  unsigned count;
} list_t;

static int read_list(hw_json_t* json, list_t* list) {
  int status = hw_json_expect(json, '[', "a list of names is missing");
  bool first = true;
  bool more = true;
  list->count = 0;
  while (status == 0) {
    status = hw_json_next(json, ']', &first, &more);
    if (status != 0 || !more) break;
    if (list->count == HW_FIELDS_MAX)
      return hw_json_fail(json, json->at, "too many fields or types");
    status = hw_json_string(json, &list->item[list->count]);
    list->count++;
  }
  return status;
}

/* The lists of `node_types` and `edge_types` hold one list, of the names of
 * the types, where the fields hold "type"; the rest are strings. */
static int read_types(hw_json_t* json, list_t* types) {
  int status = hw_json_expect(json, '[', "a list of types is missing");
  bool first = true;
  bool more = true;
  bool found = false;
  while (status == 0) {
    status = hw_json_next(json, ']', &first, &more);
    if (status != 0 || !more) break;
    if (!found && hw_json_peek(json) == '[') {
      found = true;
      status = read_list(json, types);
    } else {
      status = hw_json_skip(json);
    }
  }
  if (status == 0 && !found)
    status = hw_json_fail(json, json->at, "the types have no names");
  return status;
}

static int position(const hw_json_t* json, const list_t* fields,
                    const char* name) {
  for (unsigned i = 0; i < fields->count; i++)
    if (hw_json_is(json, fields->item[i], name)) return (int)i;
  return -1;
}

static unsigned node_kind(const hw_json_t* json, hw_json_slice_t name) {
  unsigned kind = 0;
  while (kind < HW_NODE_OTHER &&
         !hw_json_is(json, name, hw_node_kind_name(kind)))
    kind++;
  return kind;
}

/* Beyond HW_EDGE_WEAK if there is no such kind. */
static unsigned edge_kind(const hw_json_t* json, hw_json_slice_t name) {
  unsigned kind = 0;
  while (kind <= HW_EDGE_WEAK &&
         !hw_json_is(json, name, hw_edge_kind_name(kind)))
    kind++;
  return kind;
}

typedef struct {
  list_t node_fields, node_types, edge_fields, edge_types, location_fields;
} meta_t;

static int read_meta(hw_json_t* json, meta_t* meta) {
  int status = hw_json_expect(json, '{', "meta is not an object");
  bool first = true;
  bool more = true;
  while (status == 0) {
    hw_json_slice_t key;
    status = hw_json_member(json, &first, &more, &key);
    if (status != 0 || !more) break;
    if (hw_json_is(json, key, "node_fields"))
      status = read_list(json, &meta->node_fields);
    else if (hw_json_is(json, key, "edge_fields"))
      status = read_list(json, &meta->edge_fields);
    else if (hw_json_is(json, key, "location_fields"))
      status = read_list(json, &meta->location_fields);
    else if (hw_json_is(json, key, "node_types"))
      status = read_types(json, &meta->node_types);
    else if (hw_json_is(json, key, "edge_types"))
      status = read_types(json, &meta->edge_types);
    else
      status = hw_json_skip(json);
  }
  return status;
}

static int apply_nodes(hw_json_t* json, const meta_t* meta, hw_snapshot_t* s,
                       hw_layout_t* layout) {
  const list_t* fields = &meta->node_fields;
  layout->node_fields = fields->count;
  layout->node_type = position(json, fields, "type");
  layout->node_name = position(json, fields, "name");
  layout->node_id = position(json, fields, "id");
  layout->node_size = position(json, fields, "self_size");
  layout->node_edges = position(json, fields, "edge_count");
  layout->node_detached = position(json, fields, "detachedness");
  if (layout->node_type < 0 || layout->node_name < 0 || layout->node_id < 0 ||
      layout->node_size < 0 || layout->node_edges < 0)
    return hw_json_fail(json, json->at, "node_fields lacks a field");
  s->node_types = meta->node_types.count;
  if (s->node_types == 0)
    return hw_json_fail(json, json->at, "node_types is missing");
  for (unsigned i = 0; i < s->node_types; i++) {
    s->node_type_names[i] = meta->node_types.item[i];
    s->node_kinds[i] = (uint8_t)node_kind(json, meta->node_types.item[i]);
  }
  return 0;
}

static int apply_edges(hw_json_t* json, const meta_t* meta,
                       hw_layout_t* layout) {
  const list_t* fields = &meta->edge_fields;
  layout->edge_fields = fields->count;
  layout->edge_type = position(json, fields, "type");
  layout->edge_name = position(json, fields, "name_or_index");
  layout->edge_to = position(json, fields, "to_node");
  if (layout->edge_type < 0 || layout->edge_name < 0 || layout->edge_to < 0)
    return hw_json_fail(json, json->at, "edge_fields lacks a field");
  layout->edge_types = meta->edge_types.count;
  if (layout->edge_types == 0 || layout->edge_types > 8)
    return hw_json_fail(json, json->at, "edge_types has an unknown number");
  for (unsigned i = 0; i < layout->edge_types; i++) {
    unsigned kind = edge_kind(json, meta->edge_types.item[i]);
    if (kind > HW_EDGE_WEAK)
      return hw_json_fail(json, meta->edge_types.item[i].at,
                          "an edge type that is not known");
    layout->edge_kinds[i] = (uint8_t)kind;
  }
  return 0;
}

static int apply(hw_json_t* json, const meta_t* meta, hw_snapshot_t* s,
                 hw_layout_t* layout) {
  int status = apply_nodes(json, meta, s, layout);
  if (status == 0) status = apply_edges(json, meta, layout);
  if (status != 0) return status;
  const list_t* fields = &meta->location_fields;
  layout->location_fields = fields->count;
  layout->location_node = position(json, fields, "object_index");
  layout->location_script = position(json, fields, "script_id");
  layout->location_line = position(json, fields, "line");
  layout->location_column = position(json, fields, "column");
  if (layout->location_node < 0 || layout->location_script < 0 ||
      layout->location_line < 0 || layout->location_column < 0)
    layout->location_fields = 0;
  if (layout->node_count == 0)
    return hw_json_fail(json, json->at, "node_count is missing or 0");
  if (layout->node_count > HW_TARGET_MASK || layout->edge_count >= UINT32_MAX)
    return hw_json_fail(json, json->at,
                        "more than 536 million nodes or 4 billion edges");
  if (layout->root_index % layout->node_fields != 0 ||
      layout->root_index / layout->node_fields >= layout->node_count)
    return hw_json_fail(json, json->at, "root_index is not a node");
  s->root = (uint32_t)(layout->root_index / layout->node_fields);
  return 0;
}

int hw_header_read(hw_json_t* json, hw_snapshot_t* s, hw_layout_t* layout) {
  meta_t meta;
  memset(&meta, 0, sizeof(meta));
  int status = hw_json_expect(json, '{', "snapshot is not an object");
  bool first = true;
  bool more = true;
  while (status == 0) {
    hw_json_slice_t key;
    status = hw_json_member(json, &first, &more, &key);
    if (status != 0 || !more) break;
    if (hw_json_is(json, key, "meta"))
      status = read_meta(json, &meta);
    else if (hw_json_is(json, key, "node_count"))
      status = hw_json_number(json, &layout->node_count);
    else if (hw_json_is(json, key, "edge_count"))
      status = hw_json_number(json, &layout->edge_count);
    else if (hw_json_is(json, key, "root_index"))
      status = hw_json_number(json, &layout->root_index);
    else if (hw_json_is(json, key, "extra_native_bytes"))
      status = hw_json_number(json, &s->extra_native_bytes);
    else
      status = hw_json_skip(json);
  }
  return status == 0 ? apply(json, &meta, s, layout) : status;
}
