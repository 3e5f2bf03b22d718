/*
 * The `edges` array, and the names that are kept of it.
 *
 * An edge names its target by the index of the target's first number, a
 * multiple of the number of fields. Instead of dividing, the index is shifted
 * by the fields' power of two and multiplied by the inverse, modulo 2^64, of
 * what is left: the product of a multiple is the quotient, that of anything
 * else is beyond every quotient. (Warren, Hacker's Delight, 10-17.)
 *
 * Names are kept densely, of some nodes only, so a node's first is found by
 * its rank among those: a count at every 64th node, and a bit for each of the
 * 64 from there on.
 */

#include "snapshot/hw_snapshot_rows.h"

typedef struct {
  unsigned shift;
  uint64_t inverse;
} exact_t;

static exact_t exact(uint64_t divisor) {
  exact_t made = {(unsigned)__builtin_ctzll(divisor), 1};
  divisor >>= made.shift;
  for (unsigned i = 0; i < 6; i++) /* Newton: the right bits double */
    made.inverse *= 2 - divisor * made.inverse;
  return made;
}

/* The quotient, or something of at least 2^29 if there is a remainder. */
static inline uint64_t divide(exact_t by, uint64_t number) {
  if (number & ((UINT64_C(1) << by.shift) - 1)) return UINT64_MAX;
  return (number >> by.shift) * by.inverse;
}

static int prepare_names(hw_snapshot_t* s) {
  size_t blocks = (size_t)s->nodes / 64 + 1;
  uint64_t total = 0;
  uint32_t rank = 0;
  s->name_rank = hw_array_new(blocks, sizeof(uint32_t));
  s->name_bits = hw_array_new(blocks, sizeof(uint64_t));
  if (s->name_rank == NULL || s->name_bits == NULL) return HW_ENOMEM;
  for (uint32_t node = 0; node < s->nodes; node++) {
    if (node % 64 == 0) s->name_rank[node / 64] = rank;
    if ((s->node[node] & HW_NODE_NAMED) == 0) continue;
    rank++;
    s->name_bits[node / 64] |= UINT64_C(1) << node % 64;
    total += s->first_edge[node + 1] - s->first_edge[node];
  }
  s->name_start = hw_array_new((size_t)rank + 1, sizeof(uint32_t));
  s->edge_name = hw_array_new((size_t)(total + 1), sizeof(uint32_t));
  if (s->name_start == NULL || s->edge_name == NULL) return HW_ENOMEM;
  uint32_t start = 0;
  rank = 0;
  for (uint32_t node = 0; node < s->nodes; node++) {
    if ((s->node[node] & HW_NODE_NAMED) == 0) continue;
    s->name_start[rank++] = start;
    start += s->first_edge[node + 1] - s->first_edge[node];
  }
  s->edge_names = total;
  return 0;
}

const uint32_t* hw_edge_names(const hw_snapshot_t* s, uint32_t node) {
  if ((s->node[node] & HW_NODE_NAMED) == 0) return NULL;
  if (s->all_names) return s->edge_name + s->first_edge[node];
  uint64_t before = s->name_bits[node / 64] & ((UINT64_C(1) << node % 64) - 1);
  uint32_t rank =
      s->name_rank[node / 64] + (uint32_t)__builtin_popcountll(before);
  return s->edge_name + s->name_start[rank];
}

static bool is_ephemeron(const hw_snapshot_t* s, uint32_t name) {
  uint32_t low = 0;
  uint32_t high = s->ephemeron_name_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (s->ephemeron_names[middle] < name)
      low = middle + 1;
    else
      high = middle;
  }
  return low < s->ephemeron_name_count && s->ephemeron_names[low] == name;
}

static int note_ephemeron(hw_snapshot_t* s, uint32_t edge, uint32_t name) {
  hw_ephemeron_t* all =
      hw_room_for_one(s->ephemeron, s->ephemerons, sizeof(hw_ephemeron_t));
  if (all == NULL) return HW_ENOMEM;
  s->ephemeron = all;
  s->ephemeron[s->ephemerons].edge = edge;
  s->ephemeron[s->ephemerons].name = name;
  s->ephemerons++;
  return 0;
}

uint32_t hw_ephemeron_name(const hw_snapshot_t* s, uint32_t edge) {
  uint32_t low = 0;
  uint32_t high = s->ephemerons;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (s->ephemeron[middle].edge < edge)
      low = middle + 1;
    else
      high = middle;
  }
  return low < s->ephemerons && s->ephemeron[low].edge == edge
             ? s->ephemeron[low].name
             : HW_NONE;
}

static int store(hw_json_t* json, hw_snapshot_t* s, const hw_layout_t* layout,
                 exact_t fields, uint32_t edge, const uint64_t* row,
                 uint64_t row_at, uint32_t** name) {
  uint64_t type = row[layout->edge_type];
  uint64_t label = row[layout->edge_name];
  uint64_t target = divide(fields, row[layout->edge_to]);
  if (type >= layout->edge_types)
    return hw_json_fail(json, row_at, "an edge's type is out of range");
  if (target >= s->nodes)
    return hw_json_fail(json, row_at, "an edge leads to no node");
  unsigned kind = layout->edge_kinds[type];
  if (kind == HW_EDGE_ELEMENT || kind == HW_EDGE_HIDDEN) {
    if (label > UINT32_MAX)
      return hw_json_fail(json, row_at, "an edge's index is out of range");
  } else if (label >= s->strings) {
    return hw_json_fail(json, row_at, "an edge's name is out of range");
  }
  if (kind == HW_EDGE_INTERNAL && s->ephemeron_name_count > 0 &&
      is_ephemeron(s, (uint32_t)label)) {
    int status = note_ephemeron(s, edge, (uint32_t)label);
    if (status != 0) return status;
    kind = HW_EDGE_EPHEMERON;
  }
  s->edge[edge] = kind << HW_TARGET_BITS | (uint32_t)target;
  if (*name != NULL) *(*name)++ = (uint32_t)label;
  return 0;
}

int hw_edges_read(hw_json_t* json, hw_snapshot_t* s,
                  const hw_layout_t* layout) {
  int status = hw_json_expect(json, '[', "edges is not an array");
  if (status != 0) return status;
  if (layout->edge_count >
      (json->length - json->at) / (2 * layout->edge_fields))
    return hw_json_fail(json, json->at, "edge_count is more than there are");
  s->edges = (uint32_t)layout->edge_count;
  s->edge = hw_array_new((size_t)s->edges + 1, sizeof(uint32_t));
  if (s->edge == NULL) return HW_ENOMEM;
  status = prepare_names(s);
  if (status == 0 && s->edges == 0)
    return hw_json_expect(json, ']', "the array has more than it should");
  const exact_t fields = exact(layout->node_fields);
  uint32_t* next_name = s->edge_name;
  uint64_t released = json->at;
  uint64_t row[HW_FIELDS_MAX];
  uint32_t edge = 0;
  for (uint32_t node = 0; status == 0 && node < s->nodes; node++) {
    bool named = (s->node[node] & HW_NODE_NAMED) != 0;
    for (; status == 0 && edge < s->first_edge[node + 1]; edge++) {
      uint64_t row_at = json->at;
      uint32_t* no_name = NULL;
      bool last = edge == s->edges - 1;
      for (unsigned i = 0; status == 0 && i < layout->edge_fields; i++)
        status =
            hw_row_number(json, last && i == layout->edge_fields - 1, &row[i]);
      if (status == 0)
        status = store(json, s, layout, fields, edge, row, row_at,
                       named ? &next_name : &no_name);
    }
    if (json->at - released >= HW_RELEASE_EVERY && status == 0) {
      released = hw_release(s, released, json->at);
      status = hw_progress(s, "reading edges", (double)edge / s->edges);
    }
  }
  hw_release(s, released, json->at);
  return status;
}
