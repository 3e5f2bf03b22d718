#ifndef HW_FORK_PARK_H_
#define HW_FORK_PARK_H_

#include <stdbool.h>
#include <stdint.h>

/*
 * Parking of V8's worker threads, for the moment of a fork.
 *
 * A worker thread that is parked is inside a task of ours: in no job of V8's,
 * with none of its locks, and waiting on no condition variable. Idle ones wait
 * on the platform's, and a child that signals it waits for waiters that it
 * does not have: half of all forks hung so.
 *
 * A parked thread sleeps and looks at one word: the ticket of the present
 * attempt, its phase, and how many are parked. A deadline is part of it. The
 * platform may have to wait for its threads (at an exit, at the end of a
 * Worker), so a parked thread frees itself when the deadline has passed,
 * whatever becomes of whoever parked it. Tasks hold nothing but the ticket:
 * one that starts too late finds another and ends.
 *
 * One attempt at a time in a process.
 */

/* Begins an attempt that ends at `deadline_ns` of the monotonic clock, and
 * returns the argument for hw_fork_park_run. */
void* hw_fork_park_begin(uint64_t deadline_ns);

/* The task: returns when the attempt is over. Any thread. */
void hw_fork_park_run(void* ticket);

/* How many threads are parked; 0 after the deadline. */
uint32_t hw_fork_park_count(void);

/* Holds the parked threads beyond the deadline, for the fork itself. False if
 * not exactly `count` are parked. */
bool hw_fork_park_hold(uint32_t count);

/* Ends the attempt, if there is one; the threads are free at once. */
void hw_fork_park_end(void);

/* The monotonic clock in ns. */
uint64_t hw_fork_now(void);

#endif /* HW_FORK_PARK_H_ */
