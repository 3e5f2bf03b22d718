#ifndef HW_SNAPSHOT_GRAPH_H_
#define HW_SNAPSHOT_GRAPH_H_

#include <stdlib.h>
#include <string.h>

#include "core/hw_error.h"
#include "snapshot/hw_snapshot.h"
#include "snapshot/hw_snapshot_memory.h"

/*
 * The graph from inside, for the files of this directory only.
 */

#define HW_TARGET_BITS 29
#define HW_TARGET_MASK ((1u << HW_TARGET_BITS) - 1)
#define HW_NODE_TYPES_MAX 32
#define HW_FIELDS_MAX 32

/* The byte of a node: its type as the file numbers them, and flags. */
#define HW_NODE_TYPE_MASK 31u
#define HW_NODE_PAGE 32u     /* owned by the page, see hw_snapshot_own.c */
#define HW_NODE_DETACHED 64u /* its name begins with "Detached " as well */
#define HW_NODE_NAMED 128u   /* the names of its edges are kept */

/* A size that does not fit into 32 bits stands in a list of its own. */
#define HW_SIZE_LARGE UINT32_MAX

typedef struct {
  uint32_t node;
  uint64_t bytes;
} hw_large_size_t;

/* Where a function, or an object's constructor, is. From 0. */
typedef struct {
  uint32_t node;
  int32_t script;
  int32_t line;
  int32_t column;
} hw_location_t;

/* A WeakMap's half of a pair, in the order of the edges. */
typedef struct {
  uint32_t edge;
  uint32_t name;
} hw_ephemeron_t;

/* Strings that mean something, by their index, HW_NONE if there is none. */
typedef struct {
  uint32_t object;
  uint32_t array;
  uint32_t proto;
  uint32_t first;
  uint32_t second;
  uint32_t elements;
  uint32_t truncated;
  uint32_t length;
  uint32_t hash;
  uint32_t value;
  uint32_t native_context;
  uint32_t sloppy_function_map;
  uint32_t map_descriptors;
  uint32_t external_string_data;
  uint32_t array_buffer_data;
  uint32_t dom_trees;
  uint32_t boolean_name;
  uint32_t true_name;
  uint32_t int_name;
} hw_known_strings_t;

struct hw_snapshot {
  const uint8_t* text;
  uint64_t text_length;
  hw_snapshot_options_t options;

  uint32_t strings;
  uint64_t* string_at; /* the byte after each one's opening quote; one more */
  hw_known_strings_t known;
  uint32_t* ephemeron_names; /* string indexes, ascending */
  uint32_t ephemeron_name_count;

  unsigned node_types;
  hw_json_slice_t node_type_names[HW_NODE_TYPES_MAX];
  uint8_t node_kinds[HW_NODE_TYPES_MAX]; /* hw_node_type_t */

  uint32_t nodes;
  uint32_t edges;
  uint32_t root;
  uint64_t extra_native_bytes;
  uint8_t* node;
  uint32_t* name;
  uint32_t* id;
  uint32_t* size;       /* self size as read, then shallow */
  uint32_t* first_edge; /* one more than nodes */
  uint32_t* edge;
  uint8_t* detachedness; /* of the file; NULL if all are unknown */

  uint32_t* edge_name; /* string index, or the index of an element */
  uint64_t edge_names;
  uint32_t* name_start; /* by rank of the node among the named */
  uint32_t* name_rank;  /* of every 64th node */
  uint64_t* name_bits;  /* which of the 64 from there on are named */
  bool all_names;

  hw_large_size_t* large;
  uint32_t large_count;
  hw_location_t* location; /* ascending by node */
  uint32_t locations;
  hw_ephemeron_t* ephemeron;
  uint32_t ephemerons;

  int32_t* distance;
  uint32_t* dominator;
  uint64_t* retained;
};

static inline unsigned hw_node_kind(const hw_snapshot_t* s, uint32_t node) {
  return s->node_kinds[s->node[node] & HW_NODE_TYPE_MASK];
}

static inline unsigned hw_edge_kind(uint32_t edge) {
  return edge >> HW_TARGET_BITS;
}

static inline uint32_t hw_edge_target(uint32_t edge) {
  return edge & HW_TARGET_MASK;
}

/* A string between its quotes, still escaped. Its end is found from where the
 * next one begins: only white space and a comma lie between. */
static inline const uint8_t* hw_string(const hw_snapshot_t* s, uint32_t index,
                                       uint32_t* length) {
  uint64_t start = s->string_at[index];
  uint64_t end = s->string_at[(size_t)index + 1] - 2;
  while (s->text[end] != '"')
    end--;
  *length = (uint32_t)(end - start);
  return s->text + start;
}

bool hw_string_is(const hw_snapshot_t* s, uint32_t index, const char* literal);
bool hw_string_starts(const hw_snapshot_t* s, uint32_t index,
                      const char* literal);

/* The kept names of a node's edges, in their order, or NULL. */
const uint32_t* hw_edge_names(const hw_snapshot_t* s, uint32_t node);

/* The name of a WeakMap's half pair: a string index. */
uint32_t hw_ephemeron_name(const hw_snapshot_t* s, uint32_t edge);

/* Takes a name apart: "N / part of key (K @1) -> value (V @2) pair in WeakMap
 * (table @3)". Returns false for any other; `*table` is the table's id and
 * `*shared` the offset at which both halves' names begin to be the same. */
bool hw_ephemeron_parse(const uint8_t* name, uint32_t length, uint32_t* table,
                        uint32_t* shared);

/* Is this the half of a WeakMap's pair that comes from its own table? */
bool hw_is_table_half(const hw_snapshot_t* s, uint32_t from, uint32_t edge);

/* True if the edge keeps its target alive; see hw_snapshot_own.c. Inline,
 * since dominators ask it several times of every edge. */
static inline bool hw_edge_retains(const hw_snapshot_t* s, uint32_t from,
                                   uint32_t edge) {
  unsigned kind = hw_edge_kind(s->edge[edge]);
  uint32_t target = hw_edge_target(s->edge[edge]);
  if (kind == HW_EDGE_WEAK || target == from) return false;
  if (kind == HW_EDGE_EPHEMERON && hw_is_table_half(s, from, edge))
    return false;
  if (from == s->root) return true;
  if (kind == HW_EDGE_SHORTCUT) return false;
  return (s->node[from] & HW_NODE_PAGE) != 0 ||
         (s->node[target] & HW_NODE_PAGE) == 0;
}

/* Sets a shallow size. HW_ENOMEM if a large one finds no place. */
int hw_size_set(hw_snapshot_t* s, uint32_t node, uint64_t bytes);

/* Where a node is, or NULL. */
const hw_location_t* hw_location_find(const hw_snapshot_t* s, uint32_t node);

/* Reports progress. 0 or HW_ECANCELED. */
static inline int hw_progress(const hw_snapshot_t* s, const char* stage,
                              double fraction) {
  if (s->options.progress == NULL) return 0;
  return s->options.progress(s->options.progress_data, stage, fraction) == 0
             ? 0
             : HW_ECANCELED;
}

/* Text is let go of in pieces of so many bytes, once it has been read. */
#define HW_RELEASE_EVERY (UINT64_C(1) << 22)

/* Lets go of the text between two offsets; it may be read again. Returns `to`,
 * from where on nothing has been let go of. */
static inline uint64_t hw_release(const hw_snapshot_t* s, uint64_t from,
                                  uint64_t to) {
  if (s->options.release != NULL)
    s->options.release(s->options.release_data, from, to - from);
  return to;
}

/* Room for one more in an array of `count`, which grows at 2^n - 1: it, where
 * it is now, or NULL if there is none, and then it is as before. */
static inline void* hw_room_for_one(void* array, uint32_t count, size_t size) {
  if ((count & (count + 1)) != 0) return array;
  return realloc(array, ((size_t)count + 1) * 2 * size);
}

/* The parts of hw_snapshot_read. */
typedef struct {
  unsigned node_fields;
  int node_type, node_name, node_id, node_size, node_edges, node_detached;
  unsigned edge_fields;
  int edge_type, edge_name, edge_to;
  unsigned edge_types;
  uint8_t edge_kinds[8];
  unsigned location_fields;
  int location_node, location_script, location_line, location_column;
  uint64_t node_count;
  uint64_t edge_count;
  uint64_t root_index;
} hw_layout_t;

int hw_header_read(hw_json_t* json, hw_snapshot_t* s, hw_layout_t* layout);
int hw_strings_read(hw_json_t* json, hw_snapshot_t* s);
int hw_nodes_read(hw_json_t* json, hw_snapshot_t* s, const hw_layout_t* layout);
int hw_edges_read(hw_json_t* json, hw_snapshot_t* s, const hw_layout_t* layout);
int hw_locations_read(hw_json_t* json, hw_snapshot_t* s,
                      const hw_layout_t* layout);

#endif /* HW_SNAPSHOT_GRAPH_H_ */
