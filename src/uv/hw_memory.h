#ifndef HW_MEMORY_H_
#define HW_MEMORY_H_

#include <stdint.h>

/*
 * The memory of this process as the operating system sees it, through libuv.
 * Any thread; neither function may run inside a GC, both make system calls.
 */

/* The resident set size in bytes (uv_resident_set_memory, on Linux some 3 to
 * 20 µs). 0 if the system would not say. */
uint64_t hw_memory_rss(void);

/* The memory this process may use, in bytes, when something less than the
 * machine sets it: on Linux its cgroup, version 1 or 2. 0 if nothing does.
 * Reads several files, so ask seldom. */
uint64_t hw_memory_limit(void);

#endif /* HW_MEMORY_H_ */
