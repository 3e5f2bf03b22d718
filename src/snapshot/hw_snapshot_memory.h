#ifndef HW_SNAPSHOT_MEMORY_H_
#define HW_SNAPSHOT_MEMORY_H_

#include <stddef.h>

/*
 * Arrays as long as a snapshot has nodes, edges or strings. Each large one is a
 * mapping of its own: freed, it is the system's again at once, which an
 * allocator shared with the rest of a process cannot promise, and its pages may
 * be large ones, which saves a page fault for each 4 KB.
 */

/* An array of `count` zeroed items of `size` bytes each, aligned for any type;
 * a valid one of no items where either is 0. NULL if there is no memory, or if
 * the product overflows. To be freed with hw_array_free and with nothing else.
 */
void* hw_array_new(size_t count, size_t size);

/* Frees it; NULL does nothing. */
void hw_array_free(void* array);

#endif /* HW_SNAPSHOT_MEMORY_H_ */
