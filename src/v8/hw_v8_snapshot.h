#ifndef HW_V8_SNAPSHOT_H_
#define HW_V8_SNAPSHOT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a snapshot in a forked child needs of V8: its worker threads, and the
 * snapshot itself. All calls come from the thread of the isolate, which must
 * have been entered.
 */

/* The platform that Node.js runs V8 on, shared by all its isolates. */
typedef struct hw_v8_platform_s hw_v8_platform_t;

/* Where a snapshot goes. */
typedef struct {
  void (*beat)(void* data); /* there is progress */
  void (*nodes)(void* data, uint64_t nodes);
  void (*bytes)(void* data, const char* bytes, size_t length);
  void* data;
} hw_v8_output_t;

/* Finds the platform: to be called from a function that JavaScript has called.
 * NULL if there is none. Lives as long as the process. */
hw_v8_platform_t* hw_v8_platform(void);

/* How many worker threads it claims to have, some of which may be of another
 * kind. */
unsigned hw_v8_worker_threads(hw_v8_platform_t* platform);

/* Has `run(argument)` called `count` times on worker threads, before other
 * tasks. It may be dropped if the process ends. Returns 0 or HW_ENOMEM. */
int hw_v8_post(hw_v8_platform_t* platform, unsigned count,
               void (*run)(void* argument), void* argument);

/* Takes a snapshot of the isolate and hands it over as JSON, 1 MB at a time.
 * The heap's limit is raised as V8 asks for more: only for a process that is
 * about to end. Returns 0, or HW_ESTATE if V8 gives none. */
int hw_v8_take_snapshot(const hw_v8_output_t* output);

#ifdef __cplusplus
}
#endif

#endif /* HW_V8_SNAPSHOT_H_ */
