#ifndef HW_SAMPLE_H_
#define HW_SAMPLE_H_

/*
 * One sample, the fields in the order in which JavaScript reads them. Doubles
 * throughout, so that a sample can be copied into a Float64Array as it is.
 * Sizes are bytes, times milliseconds, rates per second.
 */
#define HW_SAMPLE_MAP(XX)                                          \
  XX(time, "time") /* since 1970 */                                \
  XX(heap_used, "heapUsed")                                        \
  XX(heap_total, "heapTotal")                                      \
  XX(heap_limit, "heapLimit")                                      \
  XX(rss, "rss")                                                   \
  XX(external, "external")                                         \
  XX(array_buffers, "arrayBuffers")                                \
  XX(malloced_memory, "mallocedMemory")                            \
  XX(physical_heap, "physicalHeap")                                \
  XX(global_handles, "globalHandles") /* bytes in use */           \
  XX(native_contexts, "nativeContexts")                            \
  XX(detached_contexts, "detachedContexts")                        \
  XX(gc_time, "gcTime")                 /* in GC, this interval */ \
  XX(gc_load, "gcLoad")                 /* its share, 0 ... 1 */   \
  XX(allocation_rate, "allocationRate") /* on the JS heap */       \
  XX(loop_delay, "loopDelay")                                      \
  XX(memory_limit, "memoryLimit") /* 0: none */

typedef struct {
#define XX(field, name) double field;
  HW_SAMPLE_MAP(XX)
#undef XX
} hw_sample_t;

#define HW_SAMPLE_FIELDS (sizeof(hw_sample_t) / sizeof(double))

#endif /* HW_SAMPLE_H_ */
