#ifndef HW_FORK_CHILD_H_
#define HW_FORK_CHILD_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#include "hw_fork.h"

/*
 * What the child does: makes itself harmless, has the snapshot written, ends.
 */

/* How far the child is, in a page that it shares with the parent. */
typedef enum {
  HW_FORK_STARTING,
  HW_FORK_SETTING_UP,
  HW_FORK_TAKING,
  HW_FORK_WRITING,
  HW_FORK_WRITTEN /* all of it */
} hw_fork_phase_t;

typedef struct {
  _Atomic uint32_t phase;
  _Atomic int32_t system_error; /* errno's number of what failed */
  _Atomic uint64_t beats;       /* rises while there is progress */
  _Atomic uint64_t nodes;
} hw_fork_progress_t;

/* Exit codes of the child. */
enum {
  HW_FORK_EXIT_WHOLE = 0,
  HW_FORK_EXIT_ORPHAN = 90,
  HW_FORK_EXIT_SANDBOX = 91,
  HW_FORK_EXIT_WRITE = 92,
  HW_FORK_EXIT_NO_SNAPSHOT = 93
};

/* What it is born with. The descriptors are open already: nothing may fail in
 * the child for want of one. */
typedef struct {
  const hw_fork_engine_t* engine;
  void* engine_data;
  hw_fork_progress_t* progress;
  int output;
  int null; /* of /dev/null */
  int nice;
  unsigned timeout_s;
  pid_t parent;
} hw_fork_birth_t;

/* Everything, from the moment after the fork, with all signals blocked. */
noreturn void hw_fork_child_run(const hw_fork_birth_t* birth);

#endif /* HW_FORK_CHILD_H_ */
