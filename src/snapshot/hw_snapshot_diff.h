#ifndef HW_SNAPSHOT_DIFF_H_
#define HW_SNAPSHOT_DIFF_H_

#include "snapshot/hw_snapshot_classes.h"

/*
 * DevTools' Comparison of two snapshots of one process, by class: what is in
 * the newer and not in the older, and the other way round. An object is the
 * same if its id is, within its class.
 *
 * Only an extract of each snapshot is compared, 16 bytes a node, so that both
 * need not be in memory at once: read the newer, extract, destroy; the same
 * with the older, with the newer's shapes, which name both's plain objects.
 */
typedef struct {
  uint32_t id;
  uint32_t class; /* of hw_extract_t.classes */
  uint64_t shallow;
} hw_record_t;

typedef struct {
  hw_record_t* record; /* by id */
  uint32_t count;
  hw_classes_t classes; /* without of_node */
} hw_extract_t;

/* Takes an extract of a snapshot with shallow sizes. `shapes` names its plain
 * objects. 0 or HW_ENOMEM; hw_extract_close frees what there is. */
int hw_extract_take(hw_snapshot_t* s, const hw_shapes_t* shapes,
                    hw_extract_t* extract);
void hw_extract_close(hw_extract_t* extract);

typedef struct {
  uint32_t newer; /* class in the newer extract, or HW_NONE */
  uint32_t older;
  uint32_t added;
  uint32_t removed;
  uint64_t added_bytes;
  uint64_t removed_bytes;
} hw_difference_t;

typedef struct {
  hw_difference_t* item; /* by growth in bytes; only with a change */
  uint32_t count;
} hw_differences_t;

/* Compares. 0 or HW_ENOMEM; hw_differences_close frees what there is. */
int hw_differences_find(const hw_extract_t* older, const hw_extract_t* newer,
                        hw_differences_t* differences);
void hw_differences_close(hw_differences_t* differences);

/* Finds, for each class of `from`, the one of `to` with the same name and
 * place, or HW_NONE; `matching` has a place for each. 0 or HW_ENOMEM. */
int hw_classes_match(const hw_classes_t* from, const hw_classes_t* to,
                     uint32_t* matching);

#endif /* HW_SNAPSHOT_DIFF_H_ */
