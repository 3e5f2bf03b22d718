#ifndef HW_NAPI_WATCH_H_
#define HW_NAPI_WATCH_H_

#include <node_api.h>
#include <stdbool.h>

#include "core/hw_monitor.h"
#include "core/hw_recorder.h"
#include "environment.h"
#include "os/hw_recorder_file.h"
#include "uv/hw_notifier.h"
#include "uv/hw_sampler.h"

typedef enum {
  HW_WATCH_SITES_OFF,
  HW_WATCH_SITES_AUTO,
  HW_WATCH_SITES_ALWAYS
} hw_watch_sites_mode_t;

/* Whether and how a watch samples allocation sites: watch_sites.c. */
typedef struct {
  hw_watch_sites_mode_t mode;
  uint64_t interval_bytes; /* 0: the one that fits */
  int stack_depth;
  bool using;          /* the environment's sampling */
  bool pressed;        /* the heap is near its limit */
  uint64_t started_ns; /* the watch */
  uint64_t needed_ns;  /* when there was last a reason to sample */
} hw_watch_sites_t;

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
  hw_watch_sites_t sites;
  hw_recorder_t* recorder; /* NULL: nothing is recorded */
  hw_recorder_file_t file; /* of the recorder */
  napi_ref callback;       /* notify(sampled, ...); NULL once stopped */
  napi_async_context async_context;
  bool wants_samples; /* somebody listens to "sample" */
  bool wants_leaks;   /* or to "leak" or "leakend" */
  int closing;        /* of sampler and notifier, those not yet closed */
  bool collected;     /* the JavaScript object is gone */
  bool closed;        /* the loop knows none of its handles */
} hw_watch_t;

/* JavaScript: new Watch(options, notify). */
napi_value hw_watch_construct(napi_env env, napi_callback_info info);

/* The watch that a method was called on and its arguments, `argc` of them.
 * NULL with an exception pending if it is none. */
hw_watch_t* hw_watch_unwrap(napi_env env, napi_callback_info info, size_t argc,
                            napi_value* argv);

/* Stops a running watch, as stop() does. Not inside a GC. */
void hw_watch_close(hw_watch_t* watch);

/* Reads the options on sites. Returns false with an exception pending. */
bool hw_watch_sites_options(napi_env env, napi_value options,
                            hw_watch_sites_t* sites);

/* Begins with a new watch, judges anew with each reading, ends with the watch.
 * Not inside a GC. */
void hw_watch_sites_start(hw_watch_t* watch);
void hw_watch_sites_judge(hw_watch_t* watch, uint64_t now_ns);
void hw_watch_sites_close(hw_watch_t* watch);

/* A member's near_limit and note. */
void hw_watch_sites_near_limit(hw_member_t* member);
void hw_watch_sites_note(hw_member_t* member, bool timeline, const char* json,
                         size_t length);

/* A monitor's source of the sites of a verdict; `data` is the watch. */
const char* hw_watch_sites_of_verdict(void* data,
                                      const hw_leak_verdict_t* verdict,
                                      size_t* length);

/* JavaScript: sites(max, timeline) and heapProfile(), see sites.h. */
napi_value hw_watch_js_sites(napi_env env, napi_callback_info info);
napi_value hw_watch_js_heap_profile(napi_env env, napi_callback_info info);

/* Defines the class on `exports`. Returns false with an exception pending. */
bool hw_watch_define(napi_env env, napi_value exports);

#endif /* HW_NAPI_WATCH_H_ */
