#include "hw_gate.h"

#include <stdatomic.h>
#include <stddef.h>

/* Of the process, as what it guards is. */
static _Atomic(const void*) closed_by;
static _Atomic uint32_t collecting;
static _Atomic bool in_child;

static bool is_closed_to(const void* isolate) {
  const void* owner = atomic_load(&closed_by);
  return owner != NULL && owner != isolate;
}

/* Counted first and then looked again: whoever closes the gate looks at the
 * count after, so at least one of the two sees the other. */
bool hw_gate_enter(const void* isolate) {
  if (is_closed_to(isolate)) return false;
  atomic_fetch_add(&collecting, 1);
  if (!is_closed_to(isolate)) return true;
  atomic_fetch_sub(&collecting, 1);
  return false;
}

void hw_gate_force(void) {
  atomic_fetch_add(&collecting, 1);
}

void hw_gate_leave(void) {
  atomic_fetch_sub(&collecting, 1);
}

bool hw_gate_close(const void* isolate) {
  const void* nobody = NULL;
  return atomic_compare_exchange_strong(&closed_by, &nobody, isolate) ||
         nobody == isolate;
}

void hw_gate_open(const void* isolate) {
  const void* owner = isolate;
  atomic_compare_exchange_strong(&closed_by, &owner, NULL);
}

uint32_t hw_gate_collecting(void) {
  return atomic_load(&collecting);
}

void hw_gate_mark_child(void) {
  atomic_store(&in_child, true);
}

bool hw_gate_in_child(void) {
  return atomic_load_explicit(&in_child, memory_order_relaxed);
}
