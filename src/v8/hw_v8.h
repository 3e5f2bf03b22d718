#ifndef HW_V8_H_
#define HW_V8_H_

#include <stddef.h>
#include <stdint.h>

#include "core/hw_gc.h"
#include "core/hw_heap.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A plain C face of what heapwatch needs of V8, which has no C API. One bridge
 * serves one isolate, and all calls come from that isolate's thread.
 *
 * The layout of V8's classes changes between Node.js versions: this part is
 * compiled for one ABI, and hw_v8_abi tells which.
 */

typedef struct hw_v8_s hw_v8_t;

/* What is called when a phase of garbage collection begins and ends. Both run
 * inside the collector: no JavaScript, no handles of V8 or Node-API, no
 * allocation, no locks, no input or output. */
typedef struct {
  void (*begin)(void* data, uint32_t type, const hw_gc_mark_t* now);
  void (*end)(void* data, uint32_t type, uint32_t flags,
              const hw_gc_mark_t* now);
} hw_v8_gc_hooks_t;

/* The NODE_MODULE_VERSION this was compiled for. Touches nothing of V8, so it
 * is safe to call in a Node.js of any other. */
int hw_v8_abi(void);

/* Creates a bridge to the isolate of the calling thread, which must have been
 * entered. `clock` gives the time of GC marks in ns, and must be safe inside a
 * GC. Returns 0, HW_ESTATE if there is no isolate, or HW_ENOMEM. */
int hw_v8_create(hw_v8_t** bridge, uint64_t (*clock)(void));

/* Frees the bridge, its GC hooks first. While the isolate is alive; NULL does
 * nothing. */
void hw_v8_destroy(hw_v8_t* bridge);

/* Adds the hooks to V8, for all GC types. They stay until removed, which must
 * be before the environment ends: V8 would call into a library that may have
 * been unloaded. Adding twice does nothing. */
void hw_v8_add_gc_hooks(hw_v8_t* bridge, const hw_v8_gc_hooks_t* hooks,
                        void* data);
void hw_v8_remove_gc_hooks(hw_v8_t* bridge);

/* Reads v8::HeapStatistics, 0.2 µs. Allocates nothing on the JS heap. Safe
 * inside a GC. */
void hw_v8_heap_statistics(hw_v8_t* bridge, hw_heap_statistics_t* heap);

/* The number of heap spaces of this V8. */
size_t hw_v8_heap_space_count(hw_v8_t* bridge);

/* Reads the statistics of one space, `index` below the count. Returns 0 or
 * HW_ERANGE. */
int hw_v8_heap_space(hw_v8_t* bridge, size_t index, hw_heap_space_t* space);

#ifdef __cplusplus
}
#endif

#endif /* HW_V8_H_ */
