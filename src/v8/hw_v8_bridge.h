#ifndef HW_V8_BRIDGE_H_
#define HW_V8_BRIDGE_H_

#include <stddef.h>
#include <stdint.h>

#include <v8.h>

#include "hw_v8.h"

/*
 * The inside of a bridge, shared by hw_v8.cc (the heap and its collections)
 * and hw_v8_sites.cc (who allocates what).
 */

struct hw_v8_s {
  v8::Isolate* isolate;
  uint64_t (*clock)(void);
  hw_v8_gc_hooks_t hooks;
  void* data;
  bool hooked;
  size_t lines; /* of `line`, see hw_v8_next_lines */
  const void* line[HW_V8_NEXT_LINES];

  bool sampling; /* V8's profiler is ours */
  bool reading;  /* a profile is being built: V8 may call back into us */
  char* texts;   /* room for the name and the address of one function */

  hw_v8_s* next; /* of all that live, of whichever isolate */
  bool interrupt_asked;
  void (*interrupt)(void* data);
  void* interrupt_data;

  void (*near_limit)(void* data); /* NULL: the hook is not there */
  void* near_limit_data;
  bool near_limit_running;
  size_t nested_limit; /* what was returned from within, 0: nothing */
};

/* V8 cannot be told to forget an interrupt that it was asked for: one that
 * comes finds its bridge among those that live, or nothing to do. */
void hw_v8_link_bridge(hw_v8_t* bridge);
void hw_v8_unlink_bridge(hw_v8_t* bridge);

#endif /* HW_V8_BRIDGE_H_ */
