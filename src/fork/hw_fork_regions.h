#ifndef HW_FORK_REGIONS_H_
#define HW_FORK_REGIONS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The mappings of this process, as far as a fork is concerned with them.
 *
 * V8 marks its heap MADV_DONTFORK, so that starting programs costs less; a
 * child would not have it at all. Before the fork the mark is taken off, after
 * it, it is put on again where it was. To find where takes longer than the
 * fork (5 to 10 ms for 100 MB of resident memory), because the kernel only
 * tells in smaps, with the size of everything counted: it is read beforehand,
 * on a thread of its own.
 */

typedef struct {
  uintptr_t start;
  uintptr_t end;
} hw_fork_region_t;

typedef struct {
  hw_fork_region_t* list; /* private anonymous memory marked DONTFORK */
  size_t count;
  size_t capacity;
  uintptr_t low;  /* of the first mapping */
  uintptr_t high; /* the start of the kernel's own mappings, the stack's too */
  bool foreign;   /* other memory is marked as well: a device's, for one */
} hw_fork_regions_t;

/* Reads /proc/self/smaps. Any thread. Returns 0, HW_ENOMEM, or
 * HW_SNAPSHOT_UNSUPPORTED if it cannot be read or says nothing of marks. The
 * caller closes it. */
int hw_fork_regions_read(hw_fork_regions_t* regions);

/* Takes the mark off: with one call for all memory there is, which also
 * reaches what V8 has mapped since, or region by region where that could touch
 * memory which must not be forked. Returns 0 or errno's number. */
int hw_fork_regions_inherit(const hw_fork_regions_t* regions);

/* Puts the mark on again. */
void hw_fork_regions_restore(const hw_fork_regions_t* regions);

/* Frees the list. */
void hw_fork_regions_close(hw_fork_regions_t* regions);

/* In the child: makes all memory that is shared with the parent unwritable,
 * but for the page at `except`. Returns 0 or errno's number. */
int hw_fork_protect_shared(const void* except);

#endif /* HW_FORK_REGIONS_H_ */
