#include "environment.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "core/hw_error.h"
#include "heap_snapshot.h"

static void on_gc_begin(void* data, uint32_t type, const hw_gc_mark_t* now) {
  hw_environment_t* environment = data;
  hw_gc_begin(&environment->pairing, type, now);
}

#define NEXT_LINES (1 + HW_MONITOR_NEXT_LINES)
_Static_assert(NEXT_LINES <= HW_V8_NEXT_LINES, "there is room");

static void on_gc_end(void* data, uint32_t type, uint32_t flags,
                      const hw_gc_mark_t* now) {
  hw_environment_t* environment = data;
  hw_gc_event_t event;
  if (hw_gc_end(&environment->pairing, type, flags, now, &event) != 0) return;
  for (hw_member_t* m = environment->running; m != NULL; m = m->next)
    hw_monitor_gc(m->monitor, &event);
  hw_napi_sites_gc(environment, &event);
  /* Of one watch: as a rule there is no other. */
  const void* lines[NEXT_LINES];
  size_t count = 0;
  lines[count++] = &environment->sites.told_bytes;
  if (environment->running != NULL)
    count +=
        hw_monitor_next_lines(environment->running->monitor, lines + count);
  hw_v8_next_lines(environment->v8, lines, count);
}

/* Node.js waits for the removal of the hook, running the loop meanwhile. */
static void end_cleanup(hw_environment_t* environment) {
  napi_remove_async_cleanup_hook(environment->cleanup);
}

static void on_cleanup(napi_async_cleanup_hook_handle handle, void* data) {
  (void)handle;
  hw_environment_t* environment = data;
  environment->exiting = true;
  while (environment->running != NULL)
    environment->running->close(environment->running);
  hw_heap_snapshot_cancel(environment);
  napi_env env = environment->env;
  if (environment->memory_usage != NULL)
    napi_delete_reference(env, environment->memory_usage);
  if (environment->memory_names != NULL)
    napi_delete_reference(env, environment->memory_names);
  if (environment->transfer_ref != NULL)
    napi_delete_reference(env, environment->transfer_ref);
  if (environment->open == 0) end_cleanup(environment);
}

static void on_finalize(napi_env env, void* data, void* hint) {
  (void)env;
  (void)hint;
  hw_environment_t* environment = data;
  hw_v8_destroy(environment->v8);
  free(environment->sites.own_folder);
  free(environment);
}

bool hw_environment_init(napi_env env) {
  hw_environment_t* environment = calloc(1, sizeof(*environment));
  if (environment == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return false;
  }
  int error = hw_v8_create(&environment->v8, uv_hrtime);
  if (error != 0) {
    free(environment);
    hw_napi_throw(env, error);
    return false;
  }
  environment->env = env;
  if (napi_get_uv_event_loop(env, &environment->loop) != napi_ok ||
      napi_set_instance_data(env, environment, on_finalize, NULL) != napi_ok) {
    hw_napi_throw_last(env);
    on_finalize(env, environment, NULL);
    return false;
  }
  /* From here on the environment owns the memory. */
  if (napi_add_async_cleanup_hook(env, on_cleanup, environment,
                                  &environment->cleanup) != napi_ok) {
    hw_napi_throw_last(env);
    return false;
  }
  return true;
}

hw_environment_t* hw_environment_get(napi_env env) {
  void* data = NULL;
  if (napi_get_instance_data(env, &data) != napi_ok || data == NULL) {
    hw_napi_throw(env, HW_ESTATE);
    return NULL;
  }
  return data;
}

static napi_value keep_memory_usage(hw_environment_t* environment,
                                    napi_value process) {
  static const char* const names[] = {"rss", "arrayBuffers"};
  napi_env env = environment->env;
  napi_value function, list, name;
  HW_NAPI(env, napi_get_named_property(env, process, "memoryUsage", &function));
  HW_NAPI(env, napi_create_array_with_length(env, 2, &list));
  for (uint32_t i = 0; i < 2; i++) {
    HW_NAPI(env,
            napi_create_string_utf8(env, names[i], NAPI_AUTO_LENGTH, &name));
    HW_NAPI(env, napi_set_element(env, list, i, name));
  }
  HW_NAPI(env,
          napi_create_reference(env, function, 1, &environment->memory_usage));
  HW_NAPI(env, napi_create_reference(env, list, 1, &environment->memory_names));
  return list;
}

/* Without it, as where there is no memory, our own scripts are as others. */
static napi_status keep_folder(hw_environment_t* environment,
                               napi_value folder) {
  size_t length;
  napi_status status =
      napi_get_value_string_utf8(environment->env, folder, NULL, 0, &length);
  if (status != napi_ok) return status;
  char* text = malloc(length + 1);
  environment->sites.own_folder = text;
  if (text == NULL) return napi_ok;
  return napi_get_value_string_utf8(environment->env, folder, text, length + 1,
                                    NULL);
}

napi_value hw_environment_setup(napi_env env, napi_callback_info info) {
  hw_environment_t* environment = hw_environment_get(env);
  if (environment == NULL) return NULL;
  size_t argc = 4;
  napi_value argv[4];
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, argv, NULL, NULL));
  napi_typedarray_type type;
  size_t length;
  void* transfer;
  HW_NAPI(env, napi_get_typedarray_info(env, argv[1], &type, &length, &transfer,
                                        NULL, NULL));
  if (type != napi_float64_array || length != HW_TRANSFER_LENGTH ||
      environment->transfer != NULL) {
    hw_napi_throw(env, HW_EINVAL);
    return NULL;
  }
  HW_NAPI(env,
          napi_get_value_double(env, argv[2], &environment->time_origin_ns));
  HW_NAPI(env, keep_folder(environment, argv[3]));
  if (keep_memory_usage(environment, argv[0]) == NULL) return NULL;
  HW_NAPI(env,
          napi_create_reference(env, argv[1], 1, &environment->transfer_ref));
  environment->transfer = transfer;
  return NULL;
}

/* The number that `usage` has under the name at `index`. */
static napi_status read_number(napi_env env, napi_value usage, napi_value names,
                               uint32_t index, double* number) {
  napi_value name, value;
  napi_status status = napi_get_element(env, names, index, &name);
  if (status == napi_ok) status = napi_get_property(env, usage, name, &value);
  if (status == napi_ok) status = napi_get_value_double(env, value, number);
  return status;
}

static napi_status read_usage(hw_environment_t* environment, double* rss,
                              double* array_buffers) {
  napi_env env = environment->env;
  napi_value function, names, usage;
  napi_status status =
      napi_get_reference_value(env, environment->memory_usage, &function);
  if (status == napi_ok)
    status = napi_get_reference_value(env, environment->memory_names, &names);
  if (status == napi_ok)
    status = napi_call_function(env, function, function, 0, NULL, &usage);
  if (status == napi_ok) status = read_number(env, usage, names, 0, rss);
  if (status == napi_ok)
    status = read_number(env, usage, names, 1, array_buffers);
  return status;
}

int hw_environment_usage(hw_environment_t* environment, uint64_t* rss_bytes,
                         double* array_buffers_bytes) {
  napi_env env = environment->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return HW_ESTATE;
  double rss = NAN;
  double array_buffers = NAN;
  napi_status status = read_usage(environment, &rss, &array_buffers);
  if (status == napi_pending_exception) {
    /* Whatever went wrong in there is not the app's: it must not surface in
     * whichever call of the app comes next. */
    napi_value ignored;
    napi_get_and_clear_last_exception(env, &ignored);
  }
  napi_close_handle_scope(env, scope);
  if (status != napi_ok || !(rss >= 0) || !(array_buffers >= 0))
    return HW_ESTATE;
  *rss_bytes = (uint64_t)rss;
  *array_buffers_bytes = array_buffers;
  return 0;
}

void hw_environment_add(hw_environment_t* environment, hw_member_t* member) {
  static const hw_v8_gc_hooks_t hooks = {on_gc_begin, on_gc_end};
  member->next = environment->running;
  environment->running = member;
  environment->open++;
  hw_v8_add_gc_hooks(environment->v8, &hooks, environment);
}

void hw_environment_remove(hw_environment_t* environment, hw_member_t* member) {
  hw_member_t** link = &environment->running;
  while (*link != member)
    link = &(*link)->next;
  *link = member->next;
  if (environment->running == NULL) hw_v8_remove_gc_hooks(environment->v8);
}

void hw_environment_closed(hw_environment_t* environment) {
  environment->open--;
  if (environment->exiting && environment->open == 0) end_cleanup(environment);
}
