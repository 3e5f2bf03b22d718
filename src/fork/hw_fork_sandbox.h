#ifndef HW_FORK_SANDBOX_H_
#define HW_FORK_SANDBOX_H_

#include <stdbool.h>

/*
 * The filter of system calls (seccomp) that the child runs under.
 *
 * Taking a snapshot collects garbage, and collecting runs the finalizers of
 * native objects that are unreachable: a database that was dropped would close
 * in the child, with its files, locks and shared memory, which are the
 * parent's. So the child may use its memory, write to descriptors that are
 * open, read clocks, and end; everything else fails with EPERM.
 */

/* Whether this kernel and machine can do it. Any thread. */
bool hw_fork_sandbox_available(void);

/* Puts the calling thread, the only one, under the filter; for ever. Returns 0
 * or errno's number. */
int hw_fork_sandbox_enter(void);

#endif /* HW_FORK_SANDBOX_H_ */
