#include "hw_memory.h"

#include <uv.h>

uint64_t hw_memory_rss(void) {
  size_t rss = 0;
  return uv_resident_set_memory(&rss) == 0 ? rss : 0;
}

uint64_t hw_memory_limit(void) {
  /* "No limit" is 0 or UINT64_MAX depending on libuv's version, and a number
   * just below 2^63 under cgroup version 1. A limit that the machine does not
   * have the memory to reach is none either. */
  uint64_t limit = uv_get_constrained_memory();
  return limit < uv_get_total_memory() ? limit : 0;
}
