#ifndef HW_SNAPSHOT_SHAPES_H_
#define HW_SNAPSHOT_SHAPES_H_

#include "snapshot/hw_snapshot_graph.h"
#include "snapshot/hw_snapshot_text.h"

/*
 * Names for plain objects by their properties, such as `{id, user}`.
 *
 * A shape is a list of properties in the order in which objects have them. The
 * shapes that are common among a snapshot's plain objects become classes, and
 * an object belongs to the shape with the most properties that it has all of.
 *
 * Shapes hold their properties as text, so that those found in one snapshot
 * can be looked for in another, as a comparison does.
 */
typedef struct {
  hw_text_t name; /* as JSON has it within quotes: {a, b} */
  hw_text_t text; /* its properties' names, escaped, one after another */
  uint32_t* end;  /* where each ends in `text` */
  uint32_t properties;
} hw_shape_t;

typedef struct {
  hw_shape_t* shape; /* the most frequent first */
  uint32_t count;
} hw_shapes_t;

/* Finds the shapes of a snapshot. 0 or HW_ENOMEM; hw_shapes_close frees what
 * there is after either. */
int hw_shapes_infer(const hw_snapshot_t* s, hw_shapes_t* shapes);
void hw_shapes_close(hw_shapes_t* shapes);

/* For each node of `s`, in `of_node`, which must hold HW_NONE: the shape of
 * plain objects that have one. 0 or HW_ENOMEM. */
int hw_shapes_apply(const hw_snapshot_t* s, const hw_shapes_t* shapes,
                    uint32_t* of_node);

static inline bool hw_is_plain_object(const hw_snapshot_t* s, uint32_t node) {
  return s->name[node] == s->known.object &&
         hw_node_kind(s, node) == HW_NODE_OBJECT;
}

#endif /* HW_SNAPSHOT_SHAPES_H_ */
