#ifndef HW_SNAPSHOT_CLASSES_H_
#define HW_SNAPSHOT_CLASSES_H_

#include "snapshot/hw_snapshot_shapes.h"

/*
 * Classes: what DevTools' Summary and Comparison group nodes by.
 *
 * hidden is `(system)`, code `(compiled code)`, closures `Function`, regular
 * expressions `RegExp`; objects and native nodes have their own names, DOM
 * nodes without their attributes; plain objects the names of their shapes;
 * the rest the name of their type in parentheses. Objects whose constructor's
 * place is known are kept apart by that place. Nodes of no size have none.
 */
typedef struct {
  uint32_t name; /* of hw_class_name */
  int32_t script;
  int32_t line;
  int32_t column;
  bool located; /* the three above mean something */
  uint32_t count;
  int32_t distance; /* the least; only with distances */
  uint64_t shallow;
  uint64_t retained; /* by all together; only with dominators */
} hw_class_t;

typedef struct {
  hw_class_t* item;
  uint32_t count;
  uint32_t* of_node;  /* HW_NONE for nodes of no size */
  hw_text_t text;     /* the names, escaped as within JSON's quotes */
  uint32_t* name_end; /* where each ends in `text` */
  uint32_t names;
} hw_classes_t;

/* Groups the nodes of a snapshot with shallow sizes. `shapes` names the plain
 * objects. 0 or HW_ENOMEM; hw_classes_close frees what there is after
 * either. Retained sizes are filled in if there are dominators, which are
 * changed meanwhile and then as they were. */
int hw_classes_build(hw_snapshot_t* s, const hw_shapes_t* shapes,
                     hw_classes_t* classes);
void hw_classes_close(hw_classes_t* classes);

/* A class's name, as it stands between quotes in JSON. */
const char* hw_class_name(const hw_classes_t* classes, uint32_t name,
                          uint32_t* length);

/* The dominator tree the other way round: each node's first child, and its
 * next sibling, HW_NONE at the end. Siblings in the order of the file. Both
 * arrays have a place per node. */
void hw_dominator_children(const hw_snapshot_t* s, uint32_t* first,
                           uint32_t* next);

#endif /* HW_SNAPSHOT_CLASSES_H_ */
