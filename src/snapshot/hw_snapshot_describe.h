#ifndef HW_SNAPSHOT_DESCRIBE_H_
#define HW_SNAPSHOT_DESCRIBE_H_

#include "snapshot/hw_snapshot_graph.h"
#include "snapshot/hw_snapshot_text.h"

/*
 * Nodes and edges as JSON.
 */

/* The name of a type, such as "closure"; of edges, "property". Static. */
const char* hw_node_kind_name(unsigned kind);
const char* hw_edge_kind_name(unsigned kind);

/* Appends `"id":…,"type":…,"name":…,"shallow":…,"retained":…`; the last only
 * with dominators. */
void hw_describe_node(const hw_snapshot_t* s, uint32_t node, hw_text_t* out);

/* Appends `"edge":…,"edgeType":…`: a name, or an index as a number. Needs the
 * names of edges. */
void hw_describe_edge(const hw_snapshot_t* s, uint32_t from, uint32_t edge,
                      hw_text_t* out);

/* The edge out of `from` that says best how it holds `node`: a property or a
 * variable before an element, that before anything internal; HW_NONE if none
 * that retains leads there directly. */
uint32_t hw_best_edge(const hw_snapshot_t* s, uint32_t from, uint32_t node);

#endif /* HW_SNAPSHOT_DESCRIBE_H_ */
