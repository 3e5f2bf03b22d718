#ifndef HW_SNAPSHOT_RUN_H_
#define HW_SNAPSHOT_RUN_H_

#include "snapshot/hw_snapshot.h"
#include "snapshot/hw_snapshot_text.h"

/*
 * Whole answers: from the paths of snapshots to JSON.
 *
 * Each function maps its files, reads and computes what its answer needs,
 * appends the answer to `out`, and frees everything else. They block for as
 * long as it takes (seconds a gigabyte): call them off the main thread.
 *
 * Return 0 or an error; `failure` then says more. Any thread.
 */

typedef struct {
  unsigned file;              /* which of the paths, from 0 */
  int system;                 /* errno, with HW_EIO */
  hw_snapshot_error_t format; /* with HW_EFORMAT */
} hw_failure_t;

/* Takes some bytes of output. A return other than 0 ends it: HW_ECANCELED. */
typedef int (*hw_write_cb)(void* data, const char* bytes, size_t length);

typedef struct {
  hw_snapshot_progress_cb progress; /* may be NULL */
  void* progress_data;
  uint32_t limit; /* of lists of objects and strings; classes are all there */
} hw_run_options_t;

/* `{ nodes, edges, total, statistics, classes, largestStrings,
 * duplicateStrings, nativeContexts }`. Sizes in bytes. */
int hw_run_summary(const char* path, const hw_run_options_t* options,
                   hw_text_t* out, hw_failure_t* failure);

/* A line for each node, in the order of the file: its id, shallow size,
 * retained size, dominator's id and distance. */
int hw_run_nodes(const char* path, const hw_run_options_t* options,
                 hw_write_cb write, void* data, hw_failure_t* failure);

/* Of two or three paths, the oldest first: `{ classes }`, the comparison of
 * the first and the last; of three also `grown`: the classes with more
 * objects after each step. */
int hw_run_diff(const char* const* paths, unsigned count,
                const hw_run_options_t* options, hw_text_t* out,
                hw_failure_t* failure);

#define HW_TREE_DEPTH_MAX 64

typedef struct {
  uint32_t id;        /* where to begin; 0 for the root */
  uint32_t depth;     /* below it, at most HW_TREE_DEPTH_MAX */
  double least_share; /* of the beginning's retained size, to be shown */
} hw_tree_options_t;

/* `{ total, tree }`, the dominator tree: each node with the `children` that
 * retain most, `limit` at most, and what the `others` have. HW_ENOTFOUND if
 * no node has the id. */
int hw_run_dominators(const char* path, const hw_run_options_t* options,
                      const hw_tree_options_t* tree, hw_text_t* out,
                      hw_failure_t* failure);

/* What holds an object (`target` is its id, with or without an @) or the
 * objects of a class (its name): `{ count, shallow, first, samples, causes:
 * [{ kind, samples, heldBy, anchor, path }], paths }`; see
 * hw_snapshot_retainers.c. HW_ENOTFOUND if there is neither. */
int hw_run_retainers(const char* path, const char* target,
                     const hw_run_options_t* options, hw_text_t* out,
                     hw_failure_t* failure);

/* What grows between two snapshots of one process and what holds it:
 * `{ leaks, growth, count, retained, item, itemType, class, samples, agree,
 * kind, heldBy, anchor, path }`, from `count` on only if something leaks, from
 * `heldBy` on only if it can be told. See hw_snapshot_why.c. */
int hw_run_why(const char* older, const char* newer,
               const hw_run_options_t* options, hw_text_t* out,
               hw_failure_t* failure);

#endif /* HW_SNAPSHOT_RUN_H_ */
