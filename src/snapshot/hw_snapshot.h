#ifndef HW_SNAPSHOT_H_
#define HW_SNAPSHOT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot/hw_snapshot_json.h"

/*
 * Heap snapshots of V8 (.heapsnapshot), read into a graph.
 *
 * The file is one JSON object: `snapshot`, which says how the rest is laid
 * out; `nodes` and `edges`, two flat arrays of whole numbers with a row per
 * node or edge; `locations`, which says where functions and constructors are
 * in their scripts; `strings`, which the numbers of names point into; and
 * traces of allocations, which nothing here uses. Field sets differ between
 * versions of V8, so positions come from `snapshot.meta`. A node's edges are
 * the next `edge_count` rows of `edges`, in the order of the nodes.
 *
 * Shape of the graph. Arrays by field, indexed by a node's ordinal (its row)
 * and by an edge's ordinal. An edge is 4 bytes: 3 of type and 29 of target,
 * which is enough for 536 million nodes. Names of edges are kept of the nodes
 * whose classes depend on them, or of all if HW_SNAPSHOT_NAMES asks for it.
 * Strings stay in the file's text: the graph has only where each begins.
 *
 * Ownership: the caller owns the text and keeps it unchanged and mapped as
 * long as the graph lives. The graph owns its arrays.
 *
 * Threads: any one thread at a time; nothing here touches V8.
 *
 * What the numbers mean (retaining edges, shallow sizes, distances, classes)
 * follows the model of Chrome DevTools, so that both name the same sizes; the
 * tests compare every node with it.
 */

typedef enum {
  HW_NODE_HIDDEN,
  HW_NODE_ARRAY,
  HW_NODE_STRING,
  HW_NODE_OBJECT,
  HW_NODE_CODE,
  HW_NODE_CLOSURE,
  HW_NODE_REGEXP,
  HW_NODE_NUMBER,
  HW_NODE_NATIVE,
  HW_NODE_SYNTHETIC,
  HW_NODE_CONS_STRING,
  HW_NODE_SLICED_STRING,
  HW_NODE_SYMBOL,
  HW_NODE_BIGINT,
  HW_NODE_SHAPE,
  HW_NODE_OTHER /* a type that V8 has added since */
} hw_node_type_t;

typedef enum {
  HW_EDGE_CONTEXT,
  HW_EDGE_ELEMENT,
  HW_EDGE_PROPERTY,
  HW_EDGE_INTERNAL,
  HW_EDGE_HIDDEN,
  HW_EDGE_SHORTCUT,
  HW_EDGE_WEAK,
  HW_EDGE_EPHEMERON /* internal in the file: half of a WeakMap's pair */
} hw_edge_type_t;

/* No node, string or class. */
#define HW_NONE UINT32_MAX

/* Distances: of a node that nothing reaches, and what is added to those that
 * only the root's synthetic children reach. DevTools' own numbers. */
#define HW_DISTANCE_NONE (-5)
#define HW_DISTANCE_SYSTEM 100000000

/* Flags of hw_snapshot_read. */
#define HW_SNAPSHOT_NAMES 1u /* keep the names of all edges */

/* Called now and then with what is being done, a static string, and how far
 * it is (0 to 1). A return other than 0 cancels: HW_ECANCELED. */
typedef int (*hw_snapshot_progress_cb)(void* data, const char* stage,
                                       double fraction);

/* Told that the text from byte `at` on for `length` bytes will not be needed
 * for now, so that its pages may be given back. They are still readable. */
typedef void (*hw_snapshot_release_cb)(void* data, uint64_t at,
                                       uint64_t length);

typedef struct {
  unsigned flags;
  hw_snapshot_progress_cb progress; /* may be NULL */
  void* progress_data;
  hw_snapshot_release_cb release; /* may be NULL */
  void* release_data;
} hw_snapshot_options_t;

typedef struct hw_snapshot hw_snapshot_t;

/* Reads `length` bytes of `text`. On success `*snapshot` is the caller's, to
 * be given to hw_snapshot_destroy. Errors: HW_EFORMAT with `error` filled in;
 * HW_ENOMEM; HW_ECANCELED. `options` may be NULL. */
int hw_snapshot_read(const uint8_t* text, uint64_t length,
                     const hw_snapshot_options_t* options,
                     hw_snapshot_t** snapshot, hw_snapshot_error_t* error);

/* Frees the graph and all that was computed of it. NULL does nothing. */
void hw_snapshot_destroy(hw_snapshot_t* snapshot);

/* Computes what a graph lacks after reading: shallow sizes, distances,
 * dominators and retained sizes, in this order. Each may be called once; the
 * accessors below need their own. Return 0, HW_ENOMEM or HW_ECANCELED. */
int hw_snapshot_compute_shallow(hw_snapshot_t* snapshot);
int hw_snapshot_compute_distances(hw_snapshot_t* snapshot);
int hw_snapshot_compute_dominators(hw_snapshot_t* snapshot);

/* Accessors. `node` and `edge` are ordinals below the counts. */
uint32_t hw_snapshot_nodes(const hw_snapshot_t* snapshot);
uint32_t hw_snapshot_edges(const hw_snapshot_t* snapshot);
uint32_t hw_snapshot_root(const hw_snapshot_t* snapshot);
uint32_t hw_snapshot_id(const hw_snapshot_t* snapshot, uint32_t node);
uint64_t hw_snapshot_shallow(const hw_snapshot_t* snapshot, uint32_t node);
uint64_t hw_snapshot_retained(const hw_snapshot_t* snapshot, uint32_t node);
uint32_t hw_snapshot_dominator(const hw_snapshot_t* snapshot, uint32_t node);
int32_t hw_snapshot_distance(const hw_snapshot_t* snapshot, uint32_t node);

/* The node with an id, or HW_NONE. A search through all nodes. */
uint32_t hw_snapshot_find(const hw_snapshot_t* snapshot, uint32_t id);

/* All bytes: the root's retained size and what the file says V8's embedder
 * has besides. */
uint64_t hw_snapshot_total(const hw_snapshot_t* snapshot);

#endif /* HW_SNAPSHOT_H_ */
