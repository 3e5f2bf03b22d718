#ifndef HW_FORK_H_
#define HW_FORK_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A heap snapshot that does not stop the process.
 *
 * The process forks. The child owns an image of the heap as it was in that
 * moment, for the price of copying the page tables; it takes the snapshot,
 * writes it and ends, while the parent goes on. What makes this more than a
 * fork is that V8 is not made for it:
 *
 *   memory       V8 marks its heap not to be inherited (hw_fork_regions.h)
 *   threads      only the forking thread exists in the child; V8's others must
 *                hold nothing at that moment (hw_fork_park.h), and no isolate
 *                may collect garbage (core/hw_gate.h)
 *   side effects a collection in the child runs finalizers of native objects
 *                (hw_fork_child.h, hw_fork_sandbox.h)
 *   cost         pause and memory are estimated first, and watched then
 *                (hw_fork_memory.h)
 *
 * Whatever happens to the child costs the parent nothing but another try: a
 * child that hangs is told by its CPU time, which has stood still for seconds
 * though it waits for nothing of the kernel's. Mere silence is no sign; V8
 * reports no progress for long stretches, and on a busy machine a child of low
 * priority may take minutes.
 *
 * A job is a state machine that its owner polls, on the thread of the isolate
 * and from the event loop: no JavaScript may be on the stack. There is one at
 * a time in a process. Where nothing else is said functions belong to that
 * thread and must not be called inside a GC.
 *
 * On systems other than Linux with glibc jobs are refused (hw_fork_other.c).
 */

/* What the child hands over, in this order. `beat` tells that it is alive. */
typedef struct {
  void (*beat)(void* data);
  void (*nodes)(void* data, uint64_t nodes);
  void (*bytes)(void* data, const char* bytes, size_t length);
  void* data;
} hw_fork_output_t;

/* What only V8 can do. */
typedef struct {
  /* The number of worker threads that V8's platform claims to have. */
  unsigned (*threads)(void* data);
  /* Has `run(argument)` called `count` times on worker threads, as soon as
   * possible. Returns 0 or an error of hw_error.h. */
  int (*post)(void* data, unsigned count, void (*run)(void* argument),
              void* argument);
  /* In the child: takes the snapshot and hands it over. */
  int (*write)(void* data, const hw_fork_output_t* output);
} hw_fork_engine_t;

typedef struct {
  const char* path; /* NULL: into `fd` */
  int fd;           /* a file of the caller's, who may close it any time */
  uint64_t max_pause_ns;
  uint64_t timeout_ns; /* for the child */
  uint64_t heap_used_bytes;
  uint64_t nodes;         /* expected; 0 if nothing is known */
  uint64_t reserve_bytes; /* memory to leave free besides */
  int nice;               /* of the child, 0 to 19; never below the parent's */
  bool ignore_group_kill;
} hw_fork_options_t;

typedef struct {
  uint64_t bytes;
  uint64_t nodes;
  uint64_t pause_ns;
} hw_fork_result_t;

typedef struct hw_fork_s hw_fork_t;

/* Room for what there is to say of an error besides its message. */
#define HW_FORK_DETAIL_BYTES 256

/* hw_fork_poll: not over yet. */
#define HW_FORK_PENDING 1

/* Whether snapshots can be taken on this system: 0 or HW_SNAPSHOT_UNSUPPORTED
 * or HW_SNAPSHOT_SANDBOX. Any thread. */
int hw_fork_supported(void);

/* Begins a job; `isolate` is any address that is the isolate's, as told to
 * hw_gate_enter. Everything given is copied but `engine` and `engine_data`,
 * which must outlive the job. Returns 0, HW_SNAPSHOT_BUSY if another is going
 * on in this process, HW_ENOMEM, or as hw_fork_supported. */
int hw_fork_start(hw_fork_t** job, const void* isolate,
                  const hw_fork_options_t* options,
                  const hw_fork_engine_t* engine, void* engine_data);

/* Goes on. Returns HW_FORK_PENDING, and in how many ms to call it again; 0 and
 * the result when the snapshot is in its place; or an error, with more of it
 * from hw_fork_detail. Not to be called after that. */
int hw_fork_poll(hw_fork_t* job, uint64_t* delay_ms, hw_fork_result_t* result);

/* What to say besides the error's message: never NULL, maybe "". */
const char* hw_fork_detail(const hw_fork_t* job);

/* Ends the job at any stage, waits for its child to be gone, removes its file
 * and frees it. NULL does nothing. */
void hw_fork_destroy(hw_fork_t* job);

#endif /* HW_FORK_H_ */
