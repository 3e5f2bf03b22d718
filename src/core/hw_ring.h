#ifndef HW_RING_H_
#define HW_RING_H_

#include <stddef.h>
#include <stdint.h>

/*
 * A ring of records of one size. When it is full the newest record overwrites
 * the oldest, and what was overwritten unread is counted.
 *
 * One thread. A push may come at any moment of that thread, also from a GC
 * callback that interrupts its reader between two calls, so each call leaves
 * the ring whole, and only hw_ring_init allocates.
 */
typedef struct {
  unsigned char* records;
  size_t record_bytes;
  size_t capacity;
  size_t first; /* position of the oldest record */
  size_t count;
  uint64_t overwritten;
} hw_ring_t;

/* Makes an empty ring that owns room for `capacity` records of `record_bytes`
 * each; its pages are touched only as they are used. Returns 0, HW_EINVAL if
 * either is 0 or their product overflows, or HW_ENOMEM. */
int hw_ring_init(hw_ring_t* ring, size_t capacity, size_t record_bytes);

/* Frees the records. The ring then is as one of capacity 0: pushes are
 * ignored. May be called again, and on a ring that is all zero. */
void hw_ring_close(hw_ring_t* ring);

/* Copies `record` in. Safe inside a GC. */
void hw_ring_push(hw_ring_t* ring, const void* record);

/* Moves the oldest record out into `record`. Returns 0, or HW_ERANGE if there
 * is none. */
int hw_ring_shift(hw_ring_t* ring, void* record);

/* The record at `index`, 0 being the oldest: valid until the next push, shift
 * or close. NULL if there is none. */
const void* hw_ring_at(const hw_ring_t* ring, size_t index);

/* Gives back the room that holds no record, for a ring that will not be
 * pushed to any more. If memory for the copy is short, nothing changes. */
void hw_ring_trim(hw_ring_t* ring);

#endif /* HW_RING_H_ */
