#ifndef HW_V8_H_
#define HW_V8_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/hw_gc.h"
#include "core/hw_heap.h"
#include "core/hw_sites.h"

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

/* Adds the hooks to V8, for all GC types. Collections then pass the gate of
 * core/hw_gate.h, under the bridge's address; in the child of a snapshot the
 * hooks are not called. They stay until removed, which must
 * be before the environment ends: V8 would call into a library that may have
 * been unloaded. Adding twice does nothing. */
void hw_v8_add_gc_hooks(hw_v8_t* bridge, const hw_v8_gc_hooks_t* hooks,
                        void* data);
void hw_v8_remove_gc_hooks(hw_v8_t* bridge);

/* Says what the next end of a collection will write to: up to
 * HW_V8_NEXT_LINES addresses, at least one in each cache line. A collection
 * leaves the caches cold; the processor then fetches these lines while V8 is
 * asked for its statistics, not one after the other when they are needed. Only
 * a hint: the addresses need not be valid. Safe inside a GC. */
#define HW_V8_NEXT_LINES 8
void hw_v8_next_lines(hw_v8_t* bridge, const void* const* lines, size_t count);

/* Reads v8::HeapStatistics, 0.2 µs. Allocates nothing on the JS heap. Safe
 * inside a GC. */
void hw_v8_heap_statistics(hw_v8_t* bridge, hw_heap_statistics_t* heap);

/* The number of heap spaces of this V8. */
size_t hw_v8_heap_space_count(hw_v8_t* bridge);

/* Reads the statistics of one space, `index` below the count. Returns 0 or
 * HW_ERANGE. */
int hw_v8_heap_space(hw_v8_t* bridge, size_t index, hw_heap_space_t* space);

/* -- Allocation sites: hw_v8_sites.cc -------------------------------------- */

/* Starts V8's sampling heap profiler: on average a sample for each
 * `interval_bytes` allocated, with up to `stack_depth` frames. An isolate has
 * one, and DevTools and other tools use it, too. Returns 0, also if it was
 * started here before; HW_EBUSY if it is somebody else's. Not inside a GC. */
int hw_v8_sites_start(hw_v8_t* bridge, uint64_t interval_bytes,
                      int stack_depth);

/* Stops the profiler if it was started here: before the environment ends, or
 * Node.js 24 crashes at its exit. Not inside a GC. */
void hw_v8_sites_stop(hw_v8_t* bridge);

/* Forgets that the profiler was started here, and lets it run. */
void hw_v8_sites_abandon(hw_v8_t* bridge);

/* Reads what is sampled into `sites`, at `time_ms` of its clock. V8 allocates
 * by malloc for it, and on the JS heap only what it has not kept from the
 * reading before: a garbage collection may run in here. Returns 0; HW_ESTATE
 * if nothing is sampled any more, because somebody else has stopped it, or if
 * it is called from within itself; or what hw_sites_end returns. Not inside a
 * GC, but in an interrupt or near the heap's limit. */
int hw_v8_sites_read(hw_v8_t* bridge, hw_sites_t* sites, double time_ms);

/* Takes text as it is written; returns whether to go on. */
typedef bool (*hw_v8_write_cb)(void* data, const char* text, size_t length);

/* Writes what is sampled as a .heapprofile of Chrome DevTools, all of it.
 * Returns 0; HW_ESTATE as above; or HW_ECANCELED if `write` said so. */
int hw_v8_sites_write_profile(hw_v8_t* bridge, hw_v8_write_cb write,
                              void* data);

/* -- Moments in which V8 can be asked -------------------------------------- */

/* Has `run` called at the next moment in which JavaScript could be
 * interrupted: within microseconds in a loop, and not before it ends in a long
 * builtin such as JSON.parse. Safe inside a GC. While one is asked for, asking
 * again does nothing. `run` may use V8's heap; it must not run JavaScript. */
void hw_v8_request_interrupt(hw_v8_t* bridge, void (*run)(void* data),
                             void* data);

/*
 * Has `run` called when the heap is about to reach its limit and the process
 * to die of it. It may read sites.
 *
 * V8 asks only the callback added last. After `run` the hook takes itself
 * away and raises the limit by next to nothing, so that V8 asks the next one
 * at once: a Worker still ends with ERR_WORKER_OUT_OF_MEMORY, and a snapshot
 * that Node.js was told to write is written. So `run` is called once; if the
 * process lives on, the hook must be added again.
 */
void hw_v8_add_near_limit_hook(hw_v8_t* bridge, void (*run)(void* data),
                               void* data);
void hw_v8_remove_near_limit_hook(hw_v8_t* bridge);
bool hw_v8_has_near_limit_hook(const hw_v8_t* bridge);

#ifdef __cplusplus
}
#endif

#endif /* HW_V8_H_ */
