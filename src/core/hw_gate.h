#ifndef HW_GATE_H_
#define HW_GATE_H_

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The gate before garbage collections, one for the whole process.
 *
 * A process is about to be forked, and the child will collect garbage. If any
 * isolate is inside a collection at that moment it may hold a lock that is
 * V8's for the whole process (cppgc's process mutex); in the child its thread
 * does not exist, and the lock is never let go. So the isolate that forks
 * closes the gate, waits until nobody else collects, forks, and opens it.
 *
 * Each isolate passes in the prologue of a collection and leaves in the
 * epilogue. Nobody may be held for ever: who has waited long enough goes
 * through all the same (hw_gate_force). The isolate that closed the gate
 * passes freely, since between closing and forking it may run JavaScript.
 *
 * In the child the gate is of no use, and hooks that would count or record a
 * collection must do nothing: hw_gate_in_child tells them.
 *
 * Atomic words only: every function is safe inside a GC and on any thread.
 * Isolates are told apart by any address that is theirs.
 */

/* Passes the gate: false if it is closed by another isolate, to be asked again
 * after a moment. After true, hw_gate_leave must follow. */
bool hw_gate_enter(const void* isolate);

/* Passes whether it is closed or not. */
void hw_gate_force(void);

void hw_gate_leave(void);

/* Closes the gate for all isolates but this one. False if another holds it. */
bool hw_gate_close(const void* isolate);

/* Opens it, if this isolate has closed it. */
void hw_gate_open(const void* isolate);

/* How many collections are going on. */
uint32_t hw_gate_collecting(void);

/* Notes that this process is the child that takes a snapshot. */
void hw_gate_mark_child(void);
bool hw_gate_in_child(void);

#ifdef __cplusplus
}
#endif

#endif /* HW_GATE_H_ */
