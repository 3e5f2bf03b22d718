#ifndef HW_HEAP_H_
#define HW_HEAP_H_

#include <stdint.h>

/*
 * What V8 says of one isolate's heap (v8::HeapStatistics), as plain data. All
 * sizes are bytes.
 */
typedef struct {
  uint64_t used_heap_bytes;     /* live objects and garbage not yet collected */
  uint64_t total_heap_bytes;    /* what V8 has reserved for the heap */
  uint64_t physical_heap_bytes; /* of that, what is backed by memory */
  uint64_t available_bytes;     /* left before the limit */
  uint64_t heap_limit_bytes;    /* old and young generation together */
  uint64_t executable_bytes;    /* reserved for code */
  uint64_t malloced_bytes;      /* V8's own structures, by malloc */
  uint64_t peak_malloced_bytes; /* the highest that ever was */
  uint64_t external_bytes;      /* held by objects of the heap, outside of it */
  uint64_t global_handles_bytes; /* reserved for global handles */
  uint64_t used_global_handles_bytes;
  uint64_t native_contexts;   /* contexts alive */
  uint64_t detached_contexts; /* of those, detached and not yet collected */
} hw_heap_statistics_t;

/* One of V8's heap spaces (v8::HeapSpaceStatistics). `name` is V8's own
 * static string, such as "old_space". */
typedef struct {
  const char* name;
  uint64_t size_bytes;
  uint64_t used_bytes;
  uint64_t available_bytes;
  uint64_t physical_bytes;
} hw_heap_space_t;

#endif /* HW_HEAP_H_ */
