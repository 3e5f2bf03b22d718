#ifndef HW_NAPI_ENVIRONMENT_H_
#define HW_NAPI_ENVIRONMENT_H_

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "core/hw_gc.h"
#include "core/hw_monitor.h"
#include "sites.h"
#include "v8/hw_v8.h"

/*
 * What all watches of one environment (the main thread's or a Worker's) share:
 * the bridge to V8, whose GC hooks are there while at least one watch runs,
 * and the array through which numbers cross to JavaScript.
 *
 * It is the environment's instance data. When the environment ends, the
 * asynchronous cleanup hook stops every watch; it is removed, which lets the
 * teardown go on, once the last handle of the last watch has been closed. Only
 * then may Node.js run finalizers, which free what the handles lie in: a
 * synchronous hook would let them run while the loop still knows the handles.
 */

/* What the environment knows of a watch that runs: where to tell of
 * collections, and how to end it. */
typedef struct hw_member_s {
  struct hw_member_s* next;
  hw_monitor_t* monitor;
  void (*close)(struct hw_member_s* member);
  /* The heap nears its limit. In an interrupt of JavaScript. */
  void (*near_limit)(struct hw_member_s* member);
  bool recording;
  /* Writes sites or a timeline of them down, JSON text, while recording. In an
   * interrupt, or in V8's callback at the limit of the heap. */
  void (*note)(struct hw_member_s* member, bool timeline, const char* json,
               size_t length);
} hw_member_t;

struct hw_heap_snapshot_s;

typedef struct hw_environment_s {
  hw_gc_pairing_t pairing; /* first: the bridge fetches it ahead */
  hw_v8_t* v8;
  hw_member_t* running; /* list of the watches that are told of GCs */
  napi_env env;
  uv_loop_t* loop;
  hw_napi_sites_t sites;
  size_t open; /* watches and snapshots with handles the loop still knows */
  struct hw_heap_snapshot_s* snapshot; /* being taken, or NULL */
  uint64_t snapshot_nodes;             /* of the last one; 0: none yet */
  uint64_t snapshot_heap_bytes;        /* how large the heap was then */
  bool exiting;
  napi_async_cleanup_hook_handle cleanup;

  napi_ref memory_usage; /* the function process.memoryUsage */
  /* ["rss", "arrayBuffers"]: names made anew would be garbage with every
   * sample, and Node-API keeps no references to strings. */
  napi_ref memory_names;
  napi_ref transfer_ref;
  double* transfer;      /* HW_TRANSFER_LENGTH numbers, owned by JavaScript */
  double time_origin_ns; /* uv_hrtime at performance.now() == 0 */
} hw_environment_t;

/* Enough for the largest single answer and for a batch of GC events. */
#define HW_TRANSFER_LENGTH 2048

/* Sets the instance data up. Returns false with an exception pending. */
bool hw_environment_init(napi_env env);

/* The instance data, or NULL with an exception pending. */
hw_environment_t* hw_environment_get(napi_env env);

/* JavaScript function setup(process, transfer, timeOrigin, folder): hands over
 * what only JavaScript has. `folder` is that of its scripts, with its
 * separator. Called once by lib/native.js. */
napi_value hw_environment_setup(napi_env env, napi_callback_info info);

/* Calls process.memoryUsage(), which allocates some 160 bytes on the JS heap.
 * `data` is the environment. Returns 0, or HW_ESTATE when JavaScript cannot
 * run or the answer makes no sense. */
int hw_environment_usage(hw_environment_t* environment, uint64_t* rss_bytes,
                         double* array_buffers_bytes);

/* Notes that a watch begins or ceases to be told of GCs, or that the last of
 * its handles has been closed. */
void hw_environment_add(hw_environment_t* environment, hw_member_t* member);
void hw_environment_remove(hw_environment_t* environment, hw_member_t* member);
void hw_environment_closed(hw_environment_t* environment);

#endif /* HW_NAPI_ENVIRONMENT_H_ */
