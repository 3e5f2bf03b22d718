#ifndef HW_NOTIFIER_H_
#define HW_NOTIFIER_H_

#include <uv.h>

/*
 * Brings to JavaScript what a GC callback has noted, where nothing can be
 * called.
 *
 * Before the loop goes to sleep the notifier looks whether something is
 * pending, and if so starts a short timer; when that fires everything noted
 * by then is delivered in one call. An idle process is never woken, a busy one
 * at most once in HW_NOTIFIER_DELAY_MS, and while the notifier is off it is no
 * part of the loop. Both handles are unreferenced.
 *
 * All calls come from the loop's thread, none inside a GC.
 */

#define HW_NOTIFIER_DELAY_MS 50

typedef struct {
  uv_prepare_t prepare;
  uv_timer_t timer;
  int (*pending)(void* data);
  void (*deliver)(void* data);
  void (*close_cb)(void* data);
  void* data;
  int open_handles;
} hw_notifier_t;

/* Prepares the caller's notifier: `pending` returns whether there is something
 * to deliver, and `deliver` delivers it; it may turn the notifier off or close
 * it. Returns 0 or HW_ELOOP. After success it must be closed. */
int hw_notifier_init(hw_notifier_t* notifier, uv_loop_t* loop,
                     int (*pending)(void* data), void (*deliver)(void* data),
                     void* data);

/* Turns it on or off. Returns 0 or HW_ELOOP. */
int hw_notifier_enable(hw_notifier_t* notifier, int enable);

/* Stops, and calls `close_cb` from the loop once the memory of the notifier is
 * the caller's again. To be called once. */
void hw_notifier_close(hw_notifier_t* notifier, void (*close_cb)(void* data));

#endif /* HW_NOTIFIER_H_ */
