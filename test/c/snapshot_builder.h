#ifndef SNAPSHOT_BUILDER_H_
#define SNAPSHOT_BUILDER_H_

/*
 * Writes small snapshots for the tests, in V8's own layout.
 *
 * Nodes are numbered from 0, the root; edges must be added in the order of
 * the nodes they come from. Names are JSON, escaped already, and each is there
 * once however often it is used.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/hw_snapshot.h"
#include "snapshot/hw_snapshot_text.h"

typedef struct {
  unsigned type, name, edges;
  uint64_t id, size, detached;
} built_node_t;

typedef struct {
  unsigned type, to;
  uint64_t name;
} built_edge_t;

typedef struct {
  built_node_t node[4096];
  built_edge_t edge[32768];
  const char* string[4096];
  int location[64][4];
  unsigned nodes, edges, strings, locations;
  hw_text_t text;
} builder_t;

static inline unsigned built_string(builder_t* b, const char* string) {
  for (unsigned i = 0; i < b->strings; i++)
    if (strcmp(b->string[i], string) == 0) return i;
  b->string[b->strings] = string;
  return b->strings++;
}

static inline unsigned add_node(builder_t* b, unsigned type, const char* name,
                                uint64_t size) {
  built_node_t* node = &b->node[b->nodes];
  memset(node, 0, sizeof(*node));
  node->type = type;
  node->name = built_string(b, name);
  node->id = 2 * (uint64_t)b->nodes + 1;
  node->size = size;
  return b->nodes++;
}

static inline void add_edge(builder_t* b, unsigned from, unsigned type,
                            const char* name, unsigned to) {
  built_edge_t* edge = &b->edge[b->edges++];
  edge->type = type;
  edge->to = to;
  edge->name = type == HW_EDGE_ELEMENT || type == HW_EDGE_HIDDEN
                   ? strtoull(name, NULL, 10)
                   : built_string(b, name);
  b->node[from].edges++;
}

static inline const char* built_header(void) {
  return "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\","
         "\"self_size\",\"edge_count\",\"detachedness\"],\"node_types\":[["
         "\"hidden\",\"array\",\"string\",\"object\",\"code\",\"closure\","
         "\"regexp\",\"number\",\"native\",\"synthetic\","
         "\"concatenated string\",\"sliced string\",\"symbol\",\"bigint\","
         "\"object shape\"],\"string\",\"number\",\"number\",\"number\","
         "\"number\"],\"edge_fields\":[\"type\",\"name_or_index\","
         "\"to_node\"],\"edge_types\":[[\"context\",\"element\",\"property\","
         "\"internal\",\"hidden\",\"shortcut\",\"weak\"],"
         "\"string_or_number\",\"node\"],\"location_fields\":["
         "\"object_index\",\"script_id\",\"line\",\"column\"]},";
}

/* Writes the text; it stays the builder's, until built_close. */
static inline void build_text(builder_t* b) {
  hw_text_t* t = &b->text;
  hw_text_close(t);
  hw_text_string(t, built_header());
  hw_text_format(t, "\"node_count\":%u,\"edge_count\":%u},\n\"nodes\":[",
                 b->nodes, b->edges);
  for (unsigned i = 0; i < b->nodes; i++) {
    const built_node_t* n = &b->node[i];
    hw_text_format(t, "%s%u,%u,%" PRIu64 ",%" PRIu64 ",%u,%" PRIu64 "\n",
                   i > 0 ? "," : "", n->type, n->name, n->id, n->size, n->edges,
                   n->detached);
  }
  hw_text_string(t, "],\n\"edges\":[");
  for (unsigned i = 0; i < b->edges; i++)
    hw_text_format(t, "%s%u,%" PRIu64 ",%u\n", i > 0 ? "," : "",
                   b->edge[i].type, b->edge[i].name, b->edge[i].to * 6);
  hw_text_string(t, "],\n\"locations\":[");
  for (unsigned i = 0; i < b->locations; i++)
    hw_text_format(t, "%s%d,%d,%d,%d", i > 0 ? "," : "", b->location[i][0] * 6,
                   b->location[i][1], b->location[i][2], b->location[i][3]);
  hw_text_string(t, "],\n\"strings\":[");
  for (unsigned i = 0; i < b->strings; i++) {
    hw_text_string(t, i > 0 ? ",\n\"" : "\"");
    hw_text_string(t, b->string[i]);
    hw_text_string(t, "\"");
  }
  hw_text_string(t, "]}\n");
}

static inline int read_built(builder_t* b, hw_snapshot_t** snapshot,
                             hw_snapshot_error_t* error) {
  build_text(b);
  return hw_snapshot_read((const uint8_t*)b->text.data, b->text.length, NULL,
                          snapshot, error);
}

/* Reads it and computes all there is. Aborts if that fails. */
static inline hw_snapshot_t* compute_built(builder_t* b) {
  hw_snapshot_t* s = NULL;
  hw_snapshot_error_t error = {"", 0};
  if (read_built(b, &s, &error) != 0 || hw_snapshot_compute_shallow(s) != 0 ||
      hw_snapshot_compute_distances(s) != 0 ||
      hw_snapshot_compute_dominators(s) != 0) {
    fprintf(stderr, "%s at byte %" PRIu64 "\n", error.what, error.offset);
    abort();
  }
  return s;
}

static inline builder_t* new_builder(void) {
  builder_t* b = calloc(1, sizeof(*b));
  if (b == NULL) abort();
  add_node(b, HW_NODE_SYNTHETIC, "", 0);
  return b;
}

static inline void built_close(builder_t* b) {
  hw_text_close(&b->text);
  free(b);
}

#endif /* SNAPSHOT_BUILDER_H_ */
