/*
 * hw_snapshot_read: finds the parts of the file, then reads them in the order
 * in which they need each other.
 *
 * V8 writes the strings last, but which edges have names worth keeping, and
 * which belong to WeakMaps, the strings say. So at the nodes the strings are
 * looked for from the end and read first. In a file where that fails, or whose
 * parts come in another order, arrays are skipped at memchr's speed and read
 * when what they need is known.
 */

#include "snapshot/hw_snapshot_graph.h"

typedef struct {
  uint64_t snapshot, nodes, edges, locations, strings; /* 0 if not there */
  uint64_t strings_at, strings_end; /* of those read ahead; 0 if none were */
  bool nodes_read, edges_read, locations_read;
} parts_t;

/* An array of numbers. A window at a time, or the whole file would be resident.
 */
static int skip_flat(hw_json_t* json, const hw_snapshot_t* s) {
  int status = hw_json_expect(json, '[', "an array is missing");
  uint64_t released = json->at;
  while (status == 0) {
    uint64_t left = json->length - json->at;
    if (left == 0)
      return hw_json_fail(json, json->length, "the file ends within an array");
    uint64_t window = left < HW_RELEASE_EVERY ? left : HW_RELEASE_EVERY;
    const uint8_t* start = json->text + json->at;
    const uint8_t* end = memchr(start, ']', window);
    json->at += end != NULL ? (uint64_t)(end - start) + 1 : window;
    released = hw_release(s, released, json->at);
    if (end != NULL) break;
  }
  return status;
}

/* Where the value of the last member "strings" begins, or 0. Within a string
 * quotes are escaped, and behind one there is no colon: what is found is a
 * member's name. */
static uint64_t find_strings(const hw_json_t* json, const hw_snapshot_t* s) {
  static const char name[] = "\"strings\"";
  uint64_t length = sizeof(name) - 1;
  for (uint64_t end = json->length; end > json->at;) {
    uint64_t window = end - json->at;
    if (window > HW_RELEASE_EVERY) window = HW_RELEASE_EVERY;
    const uint8_t* stop = json->text + end;
    const uint8_t* at = stop - window;
    uint64_t found = 0;
    while ((at = memchr(at, ':', (size_t)(stop - at))) != NULL) {
      if ((uint64_t)(at - json->text) - json->at >= length &&
          memcmp(at - length, name, length) == 0)
        found = (uint64_t)(at - json->text) + 1;
      at++;
    }
    if (found != 0) return found;
    end -= window;
    hw_release(s, end, end + window);
  }
  return 0;
}

/* Reads the strings before what stands in front of them. Where there are none
 * nothing happens: whoever comes to the file's end says so. */
static int read_ahead(hw_json_t* json, hw_snapshot_t* s, parts_t* parts) {
  uint64_t here = json->at;
  parts->strings_at = find_strings(json, s);
  if (parts->strings_at == 0) return 0;
  json->at = parts->strings_at;
  int status = hw_strings_read(json, s);
  parts->strings_end = json->at;
  json->at = here;
  return status;
}

static int read_strings(hw_json_t* json, hw_snapshot_t* s, parts_t* parts) {
  if (parts->strings_at == 0) return hw_strings_read(json, s);
  /* White space may stand before the array, as it did for who read ahead. */
  if (json->at < parts->strings_at || json->at >= parts->strings_end)
    return hw_json_fail(json, json->at, "a part is there twice");
  json->at = parts->strings_end;
  return 0;
}

/* An array of numbers: read if what it needs has been, otherwise skipped. */
static int read_or_skip(hw_json_t* json, hw_snapshot_t* s, parts_t* parts,
                        const uint64_t* part, const hw_layout_t* layout) {
  if (part == &parts->nodes && parts->snapshot != 0) {
    int status = parts->strings == 0 ? read_ahead(json, s, parts) : 0;
    if (status != 0) return status;
    if (s->strings > 0) {
      parts->nodes_read = true;
      return hw_nodes_read(json, s, layout);
    }
  } else if (part == &parts->edges && parts->nodes_read) {
    parts->edges_read = true;
    return hw_edges_read(json, s, layout);
  } else if (part == &parts->locations && parts->nodes_read) {
    parts->locations_read = true;
    return hw_locations_read(json, s, layout);
  }
  return skip_flat(json, s);
}

static int find_part(hw_json_t* json, hw_snapshot_t* s, parts_t* parts,
                     uint64_t* part, bool flat, hw_layout_t* layout) {
  if (*part != 0) return hw_json_fail(json, json->at, "a part is there twice");
  if (hw_json_peek(json) < 0)
    return hw_json_fail(json, json->at, "the file ends too early");
  *part = json->at;
  if (part == &parts->snapshot) return hw_header_read(json, s, layout);
  if (part == &parts->strings) return read_strings(json, s, parts);
  return flat ? read_or_skip(json, s, parts, part, layout) : hw_json_skip(json);
}

static int find_parts(hw_json_t* json, hw_snapshot_t* s, parts_t* parts,
                      hw_layout_t* layout) {
  int status = hw_json_expect(json, '{', "not a JSON object");
  bool first = true;
  bool more = true;
  while (status == 0) {
    hw_json_slice_t key;
    status = hw_json_member(json, &first, &more, &key);
    if (status != 0 || !more) break;
    if (hw_json_is(json, key, "snapshot"))
      status = find_part(json, s, parts, &parts->snapshot, false, layout);
    else if (hw_json_is(json, key, "nodes"))
      status = find_part(json, s, parts, &parts->nodes, true, layout);
    else if (hw_json_is(json, key, "edges"))
      status = find_part(json, s, parts, &parts->edges, true, layout);
    else if (hw_json_is(json, key, "locations"))
      status = find_part(json, s, parts, &parts->locations, true, layout);
    else if (hw_json_is(json, key, "strings"))
      status = find_part(json, s, parts, &parts->strings, false, layout);
    else
      status = hw_json_skip(json);
  }
  if (status == 0 && hw_json_peek(json) >= 0)
    status = hw_json_fail(json, json->at, "something follows the snapshot");
  if (status == 0 && (parts->snapshot == 0 || parts->nodes == 0 ||
                      parts->edges == 0 || parts->strings == 0))
    status = hw_json_fail(json, json->at,
                          "snapshot, nodes, edges or strings is missing");
  return status;
}

/* DOM nodes. Attached and detached spread from embedder node to embedder node,
 * attached first, and a detached one's name is said to be so. */
static int spread_detached(hw_snapshot_t* s) {
  if (s->detachedness == NULL) return 0;
  uint32_t* list = hw_array_new(s->nodes, sizeof(uint32_t));
  uint8_t* seen = hw_array_new(s->nodes, 1);
  int status = list == NULL || seen == NULL ? HW_ENOMEM : 0;
  for (unsigned state = 1; status == 0 && state <= 2; state++) {
    uint32_t count = 0;
    for (uint32_t node = 0; node < s->nodes; node++) {
      if (s->detachedness[node] != state || seen[node]) continue;
      seen[node] = 1;
      if (hw_node_kind(s, node) == HW_NODE_NATIVE) list[count++] = node;
    }
    while (count > 0) {
      uint32_t node = list[--count];
      for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++) {
        unsigned kind = hw_edge_kind(s->edge[e]);
        uint32_t target = hw_edge_target(s->edge[e]);
        if (kind == HW_EDGE_HIDDEN || kind == HW_EDGE_WEAK || seen[target])
          continue;
        /* What the file itself calls detached stays so: it was met first. */
        if (state == 1 && s->detachedness[target] == 2) continue;
        seen[target] = 1;
        if (hw_node_kind(s, target) != HW_NODE_NATIVE) continue;
        s->detachedness[target] = (uint8_t)state;
        list[count++] = target;
      }
    }
  }
  for (uint32_t node = 0; status == 0 && node < s->nodes; node++)
    if (s->detachedness[node] == 2 && hw_node_kind(s, node) == HW_NODE_NATIVE)
      s->node[node] |= HW_NODE_DETACHED;
  hw_array_free(list);
  hw_array_free(seen);
  return status;
}

/* What could not be read when it was come to. */
static int read_parts(hw_json_t* json, hw_snapshot_t* s, parts_t* parts,
                      const hw_layout_t* layout) {
  int status = 0;
  if (!parts->nodes_read) {
    json->at = parts->nodes;
    status = hw_nodes_read(json, s, layout);
  }
  if (status == 0 && !parts->edges_read) {
    json->at = parts->edges;
    status = hw_edges_read(json, s, layout);
  }
  if (status == 0 && parts->locations != 0 && !parts->locations_read) {
    json->at = parts->locations;
    status = hw_locations_read(json, s, layout);
  }
  return status == 0 ? spread_detached(s) : status;
}

int hw_snapshot_read(const uint8_t* text, uint64_t length,
                     const hw_snapshot_options_t* options,
                     hw_snapshot_t** snapshot, hw_snapshot_error_t* error) {
  hw_snapshot_t* s = calloc(1, sizeof(*s));
  if (s == NULL) return HW_ENOMEM;
  s->text = text;
  s->text_length = length;
  if (options != NULL) s->options = *options;
  s->all_names = (s->options.flags & HW_SNAPSHOT_NAMES) != 0;
  hw_snapshot_error_t ignored;
  hw_json_t json = {text, length, 0, error != NULL ? error : &ignored};
  hw_layout_t layout;
  parts_t parts;
  memset(&layout, 0, sizeof(layout));
  memset(&parts, 0, sizeof(parts));
  int status = find_parts(&json, s, &parts, &layout);
  if (status == 0) status = read_parts(&json, s, &parts, &layout);
  if (status != 0) {
    hw_snapshot_destroy(s);
    return status;
  }
  *snapshot = s;
  return 0;
}

void hw_snapshot_destroy(hw_snapshot_t* s) {
  if (s == NULL) return;
  free(s->string_at);
  free(s->ephemeron_names);
  hw_array_free(s->node);
  hw_array_free(s->name);
  hw_array_free(s->id);
  hw_array_free(s->size);
  hw_array_free(s->first_edge);
  hw_array_free(s->edge);
  hw_array_free(s->detachedness);
  hw_array_free(s->edge_name);
  hw_array_free(s->name_start);
  hw_array_free(s->name_rank);
  hw_array_free(s->name_bits);
  free(s->large);
  free(s->location);
  free(s->ephemeron);
  hw_array_free(s->distance);
  hw_array_free(s->dominator);
  hw_array_free(s->retained);
  free(s);
}

uint32_t hw_snapshot_nodes(const hw_snapshot_t* s) {
  return s->nodes;
}

uint32_t hw_snapshot_edges(const hw_snapshot_t* s) {
  return s->edges;
}

uint32_t hw_snapshot_root(const hw_snapshot_t* s) {
  return s->root;
}

uint32_t hw_snapshot_id(const hw_snapshot_t* s, uint32_t node) {
  return s->id[node];
}

uint64_t hw_snapshot_retained(const hw_snapshot_t* s, uint32_t node) {
  return s->retained[node];
}

uint32_t hw_snapshot_dominator(const hw_snapshot_t* s, uint32_t node) {
  return s->dominator[node];
}

int32_t hw_snapshot_distance(const hw_snapshot_t* s, uint32_t node) {
  return s->distance[node];
}

uint32_t hw_snapshot_find(const hw_snapshot_t* s, uint32_t id) {
  for (uint32_t node = 0; node < s->nodes; node++)
    if (s->id[node] == id) return node;
  return HW_NONE;
}

uint64_t hw_snapshot_total(const hw_snapshot_t* s) {
  return s->retained[s->root] + s->extra_native_bytes;
}
