/*
 * takeSnapshot(options, done): a heap snapshot of this isolate in a forked
 * child. cancelSnapshot() ends it, and done is not called then.
 *
 * `options` is { path or fd, maxPause, timeout, reserve, nice, ignoreOomGroup,
 * keepAlive }, times in ms, all given. Throws if it cannot begin; calls
 * done(error, bytes, pause) later, with undefined as the error if all is well.
 *
 * A timer polls the job of src/fork, so that it goes on when no JavaScript is
 * on the stack. The memory belongs to the loop, which gives it back when the
 * timer has been closed.
 */

#include "heap_snapshot.h"

#include <stdlib.h>

#include "check.h"
#include "core/hw_error.h"
#include "fork/hw_fork.h"
#include "v8/hw_v8_snapshot.h"

#define NS_PER_MS 1e6

typedef struct hw_heap_snapshot_s {
  hw_environment_t* environment;
  uv_timer_t timer;
  hw_fork_t* job;
  hw_v8_platform_t* platform;
  napi_ref done;
  napi_async_context async_context;
  uint64_t heap_bytes; /* used when it began */
} snapshot_t;

/* -- What src/fork asks of V8 --------------------------------------------- */

static unsigned engine_threads(void* data) {
  snapshot_t* snapshot = data;
  return hw_v8_worker_threads(snapshot->platform);
}

static int engine_post(void* data, unsigned count, void (*run)(void* argument),
                       void* argument) {
  snapshot_t* snapshot = data;
  return hw_v8_post(snapshot->platform, count, run, argument);
}

static int engine_write(void* data, const hw_fork_output_t* output) {
  (void)data;
  const hw_v8_output_t to = {output->beat, output->nodes, output->bytes,
                             output->data};
  return hw_v8_take_snapshot(&to);
}

static const hw_fork_engine_t engine = {engine_threads, engine_post,
                                        engine_write};

/* -- The end -------------------------------------------------------------- */

static void on_close(uv_handle_t* handle) {
  snapshot_t* snapshot = handle->data;
  hw_environment_t* environment = snapshot->environment;
  free(snapshot);
  hw_environment_closed(environment);
}

static void drop_callback(snapshot_t* snapshot) {
  napi_env env = snapshot->environment->env;
  if (snapshot->async_context != NULL)
    napi_async_destroy(env, snapshot->async_context);
  if (snapshot->done != NULL) napi_delete_reference(env, snapshot->done);
}

static void end(snapshot_t* snapshot) {
  snapshot->environment->snapshot = NULL;
  hw_fork_destroy(snapshot->job);
  drop_callback(snapshot);
  uv_close((uv_handle_t*)&snapshot->timer, on_close);
}

void hw_heap_snapshot_cancel(hw_environment_t* environment) {
  if (environment->snapshot != NULL) end(environment->snapshot);
}

static napi_value outcome(napi_env env, snapshot_t* snapshot, int error,
                          const hw_fork_result_t* result, napi_value* argv) {
  if (error != 0) {
    argv[0] = hw_napi_error(env, error, hw_fork_detail(snapshot->job));
    return argv[0];
  }
  HW_NAPI(env, napi_get_undefined(env, &argv[0]));
  HW_NAPI(env, napi_create_double(env, (double)result->bytes, &argv[1]));
  HW_NAPI(env, napi_create_double(env, (double)result->pause_ns / NS_PER_MS,
                                  &argv[2]));
  return argv[0];
}

/* The job is destroyed first: `done` may begin the next one. */
static void finish(snapshot_t* snapshot, int error,
                   const hw_fork_result_t* result) {
  hw_environment_t* environment = snapshot->environment;
  napi_env env = environment->env;
  napi_handle_scope scope;
  napi_value global, done, argv[3], thrown;
  if (error == 0) {
    environment->snapshot_nodes = result->nodes;
    environment->snapshot_heap_bytes = snapshot->heap_bytes;
  }
  if (napi_open_handle_scope(env, &scope) != napi_ok) {
    end(snapshot);
    return;
  }
  bool ready = outcome(env, snapshot, error, result, argv) != NULL &&
               napi_get_global(env, &global) == napi_ok &&
               napi_get_reference_value(env, snapshot->done, &done) == napi_ok;
  napi_async_context async_context = snapshot->async_context;
  snapshot->async_context = NULL;
  end(snapshot);
  if (ready &&
      napi_make_callback(env, async_context, global, done, error == 0 ? 3 : 1,
                         argv, NULL) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &thrown) == napi_ok)
    napi_fatal_exception(env, thrown);
  napi_async_destroy(env, async_context);
  napi_close_handle_scope(env, scope);
}

static void on_timer(uv_timer_t* timer) {
  snapshot_t* snapshot = timer->data;
  uint64_t delay_ms = 1;
  hw_fork_result_t result = {0};
  int status = hw_fork_poll(snapshot->job, &delay_ms, &result);
  if (status == HW_FORK_PENDING)
    uv_timer_start(timer, on_timer, delay_ms, 0);
  else
    finish(snapshot, status, &result);
}

/* -- The beginning -------------------------------------------------------- */

static bool get_flag(napi_env env, napi_value object, const char* name,
                     bool* flag) {
  napi_value value;
  if (napi_get_named_property(env, object, name, &value) == napi_ok &&
      napi_get_value_bool(env, value, flag) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}

/* Where to: the text of `path`, to be freed, or the number `fd`. */
static bool get_target(napi_env env, napi_value object,
                       hw_fork_options_t* options, char** path) {
  napi_value value;
  napi_valuetype type;
  double fd;
  *path = NULL;
  if (napi_get_named_property(env, object, "path", &value) != napi_ok ||
      napi_typeof(env, value, &type) != napi_ok) {
    hw_napi_throw_last(env);
    return false;
  }
  if (type == napi_undefined) {
    if (!hw_napi_get_number(env, object, "fd", &fd)) return false;
    options->fd = (int)fd;
    return true;
  }
  *path = hw_napi_get_string(env, value, NULL);
  options->path = *path;
  return *path != NULL;
}

/* JavaScript has checked the values. */
static bool get_options(napi_env env, napi_value object,
                        hw_fork_options_t* options, bool* keep_alive) {
  double max_pause, timeout, reserve, nice;
  if (!hw_napi_get_number(env, object, "maxPause", &max_pause) ||
      !hw_napi_get_number(env, object, "timeout", &timeout) ||
      !hw_napi_get_number(env, object, "reserve", &reserve) ||
      !hw_napi_get_number(env, object, "nice", &nice) ||
      !get_flag(env, object, "ignoreOomGroup", &options->ignore_group_kill) ||
      !get_flag(env, object, "keepAlive", keep_alive))
    return false;
  options->max_pause_ns = (uint64_t)(max_pause * NS_PER_MS);
  options->timeout_ns = (uint64_t)(timeout * NS_PER_MS);
  options->reserve_bytes = (uint64_t)reserve;
  options->nice = (int)nice;
  return true;
}

static void expect(hw_environment_t* environment, hw_fork_options_t* options) {
  hw_heap_statistics_t heap;
  hw_v8_heap_statistics(environment->v8, &heap);
  options->heap_used_bytes = heap.used_heap_bytes;
  if (environment->snapshot_nodes > 0 && environment->snapshot_heap_bytes > 0)
    options->nodes = (uint64_t)((double)environment->snapshot_nodes /
                                (double)environment->snapshot_heap_bytes *
                                (double)heap.used_heap_bytes);
}

static snapshot_t* create(hw_environment_t* environment, napi_value done) {
  napi_env env = environment->env;
  napi_value name;
  snapshot_t* snapshot = calloc(1, sizeof(*snapshot));
  if (snapshot == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  snapshot->environment = environment;
  snapshot->timer.data = snapshot;
  snapshot->platform = hw_v8_platform();
  if (snapshot->platform == NULL) {
    hw_napi_throw(env, HW_ESTATE);
  } else if (napi_create_string_utf8(env, "HEAPWATCH", NAPI_AUTO_LENGTH,
                                     &name) != napi_ok ||
             napi_create_reference(env, done, 1, &snapshot->done) != napi_ok ||
             napi_async_init(env, NULL, name, &snapshot->async_context) !=
                 napi_ok) {
    hw_napi_throw_last(env);
  } else {
    return snapshot;
  }
  drop_callback(snapshot);
  free(snapshot);
  return NULL;
}

/* Returns 0, or an error after which nothing is left. */
static int start(snapshot_t* snapshot, const hw_fork_options_t* options,
                 bool keep_alive) {
  hw_environment_t* environment = snapshot->environment;
  snapshot->heap_bytes = options->heap_used_bytes;
  int error = hw_fork_start(&snapshot->job, environment->v8, options, &engine,
                            snapshot);
  if (error == 0 && uv_timer_init(environment->loop, &snapshot->timer) != 0)
    error = HW_ELOOP;
  if (error != 0) {
    hw_fork_destroy(snapshot->job);
    drop_callback(snapshot);
    free(snapshot);
    return error;
  }
  if (!keep_alive) uv_unref((uv_handle_t*)&snapshot->timer);
  environment->snapshot = snapshot;
  environment->open++;
  uv_timer_start(&snapshot->timer, on_timer, 1, 0);
  return 0;
}

static napi_value js_take(napi_env env, napi_callback_info info) {
  hw_environment_t* environment = hw_environment_get(env);
  size_t argc = 2;
  napi_value argv[2];
  char* path;
  hw_fork_options_t options = {0};
  bool keep_alive;
  if (environment == NULL) return NULL;
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, argv, NULL, NULL));
  if (!get_options(env, argv[0], &options, &keep_alive)) return NULL;
  if (environment->exiting || environment->snapshot != NULL) {
    hw_napi_throw(env, environment->exiting ? HW_ESTATE : HW_SNAPSHOT_BUSY);
    return NULL;
  }
  expect(environment, &options);
  if (!get_target(env, argv[0], &options, &path)) return NULL;
  snapshot_t* snapshot = create(environment, argv[1]);
  int error = snapshot != NULL ? start(snapshot, &options, keep_alive) : 0;
  free(path);
  if (error != 0) hw_napi_throw(env, error);
  return NULL;
}

static napi_value js_cancel(napi_env env, napi_callback_info info) {
  (void)info;
  hw_environment_t* environment = hw_environment_get(env);
  if (environment != NULL) hw_heap_snapshot_cancel(environment);
  return NULL;
}

static bool define(napi_env env, napi_value exports, const char* name,
                   napi_callback callback) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL,
                           &function) == napi_ok &&
      napi_set_named_property(env, exports, name, function) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}

bool hw_heap_snapshot_define(napi_env env, napi_value exports) {
  return define(env, exports, "takeSnapshot", js_take) &&
         define(env, exports, "cancelSnapshot", js_cancel);
}
