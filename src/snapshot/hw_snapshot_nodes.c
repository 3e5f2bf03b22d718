/*
 * The `nodes` and `locations` arrays.
 *
 * Before anything is allocated, the counts that the header gives are held
 * against the bytes there are: a row of f numbers needs at least 2 f bytes.
 */

#include "snapshot/hw_snapshot_rows.h"

/* Sizes of 4 GB and more that a snapshot can have: more than all memory that
 * a process can address. Files that claim more are not searched for them. */
#define LARGE_MAX 4096

int hw_size_set(hw_snapshot_t* s, uint32_t node, uint64_t bytes) {
  if (bytes < HW_SIZE_LARGE) {
    s->size[node] = (uint32_t)bytes;
    return 0;
  }
  if (s->size[node] == HW_SIZE_LARGE) {
    for (uint32_t i = 0; i < s->large_count; i++)
      if (s->large[i].node == node) s->large[i].bytes = bytes;
    return 0;
  }
  if (s->large_count == LARGE_MAX) {
    s->size[node] = HW_SIZE_LARGE - 1;
    return 0;
  }
  hw_large_size_t* grown =
      realloc(s->large, ((size_t)s->large_count + 1) * sizeof(*grown));
  if (grown == NULL) return HW_ENOMEM;
  grown[s->large_count].node = node;
  grown[s->large_count].bytes = bytes;
  s->large = grown;
  s->large_count++;
  s->size[node] = HW_SIZE_LARGE;
  return 0;
}

uint64_t hw_snapshot_shallow(const hw_snapshot_t* s, uint32_t node) {
  if (s->size[node] != HW_SIZE_LARGE) return s->size[node];
  for (uint32_t i = 0; i < s->large_count; i++)
    if (s->large[i].node == node) return s->large[i].bytes;
  return 0;
}

/* Which nodes' edges have names that classes, sizes or duplicate strings
 * depend on. */
static bool is_named(const hw_snapshot_t* s, unsigned kind, uint32_t name) {
  const hw_known_strings_t* known = &s->known;
  if (s->all_names) return true;
  if (kind == HW_NODE_OBJECT)
    return name == known->object || name == known->array;
  if (kind == HW_NODE_CONS_STRING) return true;
  if (kind == HW_NODE_STRING) return known->truncated != HW_NONE;
  if (kind == HW_NODE_NUMBER) return known->truncated != HW_NONE;
  if (kind == HW_NODE_HIDDEN) return name == known->native_context;
  if (kind == HW_NODE_ARRAY) return name == known->map_descriptors;
  return name == known->array && name != HW_NONE;
}

static int allocate(hw_snapshot_t* s) {
  size_t n = s->nodes;
  s->node = hw_array_new(n, 1);
  s->name = hw_array_new(n, sizeof(uint32_t));
  s->id = hw_array_new(n, sizeof(uint32_t));
  s->size = hw_array_new(n, sizeof(uint32_t));
  s->first_edge = hw_array_new(n + 1, sizeof(uint32_t));
  if (s->node == NULL || s->name == NULL || s->id == NULL || s->size == NULL ||
      s->first_edge == NULL)
    return HW_ENOMEM;
  return 0;
}

static int set_detachedness(hw_snapshot_t* s, uint32_t node, uint64_t value) {
  if (s->detachedness == NULL) {
    s->detachedness = hw_array_new(s->nodes, 1);
    if (s->detachedness == NULL) return HW_ENOMEM;
  }
  s->detachedness[node] = (uint8_t)(value & 3);
  return 0;
}

/* One row into the arrays. `*edges` counts the edges so far. */
static int store(hw_json_t* json, hw_snapshot_t* s, const hw_layout_t* layout,
                 uint32_t node, const uint64_t* row, uint64_t row_at,
                 uint64_t* edges) {
  uint64_t type = row[layout->node_type];
  uint64_t name = row[layout->node_name];
  uint64_t id = row[layout->node_id];
  if (type >= s->node_types)
    return hw_json_fail(json, row_at, "a node's type is out of range");
  if (name >= s->strings)
    return hw_json_fail(json, row_at, "a node's name is out of range");
  if (id > UINT32_MAX)
    return hw_json_fail(json, row_at, "a node's id is out of range");
  if (row[layout->node_size] >> 53 != 0)
    return hw_json_fail(json, row_at, "a node's size is out of range");
  s->node[node] = (uint8_t)type;
  s->name[node] = (uint32_t)name;
  s->id[node] = (uint32_t)id;
  s->size[node] = 0;
  s->first_edge[node] = (uint32_t)*edges;
  *edges += row[layout->node_edges];
  if (*edges > layout->edge_count || row[layout->node_edges] > UINT32_MAX)
    return hw_json_fail(json, row_at,
                        "the nodes have more edges than there are");
  if (is_named(s, s->node_kinds[type], (uint32_t)name))
    s->node[node] |= HW_NODE_NAMED;
  int status = hw_size_set(s, node, row[layout->node_size]);
  if (status == 0 && layout->node_detached >= 0 &&
      row[layout->node_detached] != 0)
    status = set_detachedness(s, node, row[layout->node_detached]);
  return status;
}

int hw_nodes_read(hw_json_t* json, hw_snapshot_t* s,
                  const hw_layout_t* layout) {
  int status = hw_json_expect(json, '[', "nodes is not an array");
  if (status != 0) return status;
  if (layout->node_count >
      (json->length - json->at) / (2 * layout->node_fields))
    return hw_json_fail(json, json->at, "node_count is more than there are");
  s->nodes = (uint32_t)layout->node_count;
  status = allocate(s);
  uint64_t edges = 0;
  uint64_t released = json->at;
  uint64_t row[HW_FIELDS_MAX];
  for (uint32_t node = 0; status == 0 && node < s->nodes; node++) {
    uint64_t row_at = json->at;
    bool last = node == s->nodes - 1;
    for (unsigned i = 0; status == 0 && i < layout->node_fields; i++)
      status =
          hw_row_number(json, last && i == layout->node_fields - 1, &row[i]);
    if (status == 0) status = store(json, s, layout, node, row, row_at, &edges);
    if (json->at - released >= HW_RELEASE_EVERY && status == 0) {
      released = hw_release(s, released, json->at);
      status = hw_progress(s, "reading nodes", (double)node / s->nodes);
    }
  }
  if (status == 0 && edges != layout->edge_count)
    status = hw_json_fail(json, json->at,
                          "the nodes have fewer edges than there are");
  if (status == 0) s->first_edge[s->nodes] = (uint32_t)edges;
  hw_release(s, released, json->at);
  return status;
}

/* Numbers of `locations` can be negative: of scripts that have none. */
static int read_signed(hw_json_t* json, int64_t* number) {
  uint64_t value;
  bool negative = hw_json_peek(json) == '-';
  if (negative) json->at++;
  int status = hw_json_number(json, &value);
  if (status == 0 && value > INT32_MAX * (uint64_t)HW_FIELDS_MAX)
    status = hw_json_fail(json, json->at, "a location is out of range");
  if (status == 0) *number = negative ? -(int64_t)value : (int64_t)value;
  return status;
}

static int by_node(const void* a, const void* b) {
  const hw_location_t* left = a;
  const hw_location_t* right = b;
  return left->node < right->node ? -1 : left->node > right->node;
}

static int store_location(hw_json_t* json, hw_snapshot_t* s,
                          const hw_layout_t* layout, const int64_t* row,
                          size_t* capacity) {
  int64_t index = row[layout->location_node];
  if (index < 0 || index % layout->node_fields != 0 ||
      index / layout->node_fields >= s->nodes)
    return hw_json_fail(json, json->at, "a location of no node");
  if (s->locations == *capacity) {
    *capacity = *capacity * 2 + 256;
    hw_location_t* grown =
        realloc(s->location, *capacity * sizeof(hw_location_t));
    if (grown == NULL) return HW_ENOMEM;
    s->location = grown;
  }
  hw_location_t* location = &s->location[s->locations++];
  location->node = (uint32_t)(index / layout->node_fields);
  location->script = (int32_t)row[layout->location_script];
  location->line = (int32_t)row[layout->location_line];
  location->column = (int32_t)row[layout->location_column];
  return 0;
}

int hw_locations_read(hw_json_t* json, hw_snapshot_t* s,
                      const hw_layout_t* layout) {
  int status = hw_json_expect(json, '[', "locations is not an array");
  bool first = true;
  bool more = true;
  bool sorted = true;
  unsigned field = 0;
  size_t capacity = 0;
  int64_t row[HW_FIELDS_MAX];
  if (layout->location_fields == 0 || status != 0) return status;
  while (status == 0) {
    status = hw_json_next(json, ']', &first, &more);
    if (status != 0 || !more) break;
    status = read_signed(json, &row[field]);
    if (status != 0 || ++field < layout->location_fields) continue;
    field = 0;
    status = store_location(json, s, layout, row, &capacity);
    if (status == 0 && s->locations > 1 &&
        s->location[s->locations - 2].node >=
            s->location[s->locations - 1].node)
      sorted = false;
  }
  if (status == 0 && field != 0)
    status = hw_json_fail(json, json->at, "a location lacks numbers");
  if (status == 0 && !sorted)
    qsort(s->location, s->locations, sizeof(hw_location_t), by_node);
  return status;
}

const hw_location_t* hw_location_find(const hw_snapshot_t* s, uint32_t node) {
  uint32_t low = 0;
  uint32_t high = s->locations;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (s->location[middle].node < node)
      low = middle + 1;
    else
      high = middle;
  }
  return low < s->locations && s->location[low].node == node ? &s->location[low]
                                                             : NULL;
}
