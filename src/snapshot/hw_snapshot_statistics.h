#ifndef HW_SNAPSHOT_STATISTICS_H_
#define HW_SNAPSHOT_STATISTICS_H_

#include "snapshot/hw_snapshot_graph.h"
#include "snapshot/hw_snapshot_text.h"

/* Bytes by kind, as DevTools' Statistics counts them. */
typedef struct {
  uint64_t total;
  uint64_t native; /* typed arrays among them */
  uint64_t typed_arrays;
  uint64_t code;
  uint64_t strings;
  uint64_t arrays; /* JavaScript's, with their elements */
  uint64_t system; /* V8's own */
} hw_statistics_t;

/* Needs shallow sizes and dominators. 0 or HW_ENOMEM. */
int hw_statistics_compute(const hw_snapshot_t* s, hw_statistics_t* statistics);

/* Strings of equal text. Concatenated strings count with the text that they
 * stand for, cut at 1,024 characters or what the file itself cuts at. */
typedef struct {
  uint32_t node; /* the first */
  uint32_t count;
  uint64_t shallow;
  uint64_t retained;
} hw_duplicate_t;

typedef struct {
  hw_duplicate_t* item; /* by retained size, the largest first */
  uint32_t count;
} hw_duplicates_t;

/* Finds groups of at least two. Needs shallow sizes and dominators. 0 or
 * HW_ENOMEM; hw_duplicates_close frees what there is after either. */
int hw_duplicates_find(const hw_snapshot_t* s, hw_duplicates_t* duplicates);
void hw_duplicates_close(hw_duplicates_t* duplicates);

/* Appends the text of a string node, escaped; of a concatenated string the
 * parts, until there are 1,024 characters. */
void hw_string_text(const hw_snapshot_t* s, uint32_t node, hw_text_t* text);

#endif /* HW_SNAPSHOT_STATISTICS_H_ */
