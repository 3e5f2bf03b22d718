#ifndef HW_FORK_MEMORY_H_
#define HW_FORK_MEMORY_H_

#include <stdbool.h>
#include <stdint.h>

/*
 * How much memory there is, and whether it is enough for a child that takes a
 * heap snapshot.
 *
 * The child costs two things. V8's graph of the heap with the names in it, 250
 * to 450 bytes a node. And the copies of pages that either process writes to:
 * each page exists at most twice, so no more than the parent's anonymous
 * memory. What is free is what the kernel calls available, or what the control
 * group has left if that is less; files in its cache that have not been used
 * lately count as free.
 */

typedef struct {
  uint64_t resident_bytes;
  uint64_t anonymous_bytes;
  uint64_t free_bytes; /* the least of machine and control groups */
  bool kills_group;    /* an out-of-memory kill takes the whole group */
} hw_fork_memory_t;

/* Reads it all from /proc and /sys below `root`, "" for the system's. What
 * cannot be read counts as 0, as unlimited for groups. Some 100 µs. Any thread;
 * not inside a GC. */
void hw_fork_memory_read(const char* root, hw_fork_memory_t* memory);

/* What a snapshot of `nodes` needs at most, with a tenth to spare. Pure. */
uint64_t hw_fork_memory_need(const hw_fork_memory_t* memory, uint64_t nodes);

/* The number of nodes of a heap of which nothing is known but its size: V8's
 * smallest common objects make it high. Pure. */
uint64_t hw_fork_memory_nodes(uint64_t heap_used_bytes);

#endif /* HW_FORK_MEMORY_H_ */
