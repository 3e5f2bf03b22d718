#include "snapshot/hw_snapshot_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

/* What stands in front of an array; as long as a cache line. */
typedef union {
  size_t mapped; /* bytes of the mapping, 0 if it is the allocator's */
  char line[64];
} front_t;

/* From this length on an array is mapped. */
#define MAPPED ((size_t)1 << 20)

/* A multiple of every large page; Linux aligns a mapping to them if its length
 * is one. What is never touched costs nothing. */
#define LARGE ((size_t)2 << 20)

static front_t* map(size_t bytes) {
  size_t length = (bytes + LARGE - 1) / LARGE * LARGE;
  if (length < bytes) return NULL;
  void* memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
  /* Only advice, and only for what will be touched as a whole. */
  madvise(memory, bytes / LARGE * LARGE, MADV_HUGEPAGE);
#endif
  front_t* front = memory;
  front->mapped = length;
  return front;
}

void* hw_array_new(size_t count, size_t size) {
  if (size != 0 && count > (SIZE_MAX - sizeof(front_t)) / size) return NULL;
  size_t bytes = sizeof(front_t) + count * size;
  front_t* front = bytes >= MAPPED ? map(bytes) : calloc(1, bytes);
  return front == NULL ? NULL : front + 1;
}

void hw_array_free(void* array) {
  if (array == NULL) return;
  front_t* front = (front_t*)array - 1;
  if (front->mapped != 0)
    munmap(front, front->mapped);
  else
    free(front);
}
