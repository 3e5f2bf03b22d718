#ifndef HW_NAPI_WATCH_H_
#define HW_NAPI_WATCH_H_

#include <node_api.h>
#include <stdbool.h>

#include "core/hw_monitor.h"
#include "environment.h"
#include "uv/hw_notifier.h"
#include "uv/hw_sampler.h"

/*
 * The class Watch: one running watch, converted to JavaScript and nothing
 * else.
 *
 * Its memory has two owners, the JavaScript object and the event loop, and is
 * freed when both have let go: the object when it is collected, the loop when
 * the last of the three handles has been closed. A running watch holds a
 * strong reference to its callback and so keeps its object alive; stopping
 * drops it.
 */
typedef struct {
  hw_member_t member; /* first, so that a member of ours is a watch */
  hw_environment_t* environment;
  hw_monitor_t* monitor;
  hw_sampler_t sampler;
  hw_notifier_t notifier;
  napi_ref callback; /* notify(sampled); NULL once stopped */
  napi_async_context async_context;
  bool wants_samples; /* somebody listens to "sample" */
  bool wants_leaks;   /* or to "leak" or "leakend" */
  int closing;        /* of sampler and notifier, those not yet closed */
  bool collected;     /* the JavaScript object is gone */
  bool closed;        /* the loop knows none of its handles */
} hw_watch_t;

/* JavaScript: new Watch(options, notify). */
napi_value hw_watch_construct(napi_env env, napi_callback_info info);

/* Stops a running watch, as stop() does. Not inside a GC. */
void hw_watch_close(hw_watch_t* watch);

/* Defines the class on `exports`. Returns false with an exception pending. */
bool hw_watch_define(napi_env env, napi_value exports);

#endif /* HW_NAPI_WATCH_H_ */
