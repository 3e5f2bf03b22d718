/*
 * Where Node.js enters: refuses a process that the binary was not built for,
 * then sets the environment up and exports the binding that lib/native.js
 * wraps. Runs once in the main thread and once in each Worker that loads it.
 */

#include <node_api.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "core/hw_monitor.h"
#include "environment.h"
#include "heap_snapshot.h"
#include "leak.h"
#include "recording.h"
#include "snapshot.h"
#include "v8/hw_v8.h"
#include "watch.h"
#include "write.h"

/* The ABI of the running Node.js, process.versions.modules; 0 if it cannot be
 * told. */
static int running_abi(napi_env env) {
  char text[16] = "";
  napi_value global, process, versions, modules;
  if (napi_get_global(env, &global) != napi_ok ||
      napi_get_named_property(env, global, "process", &process) != napi_ok ||
      napi_get_named_property(env, process, "versions", &versions) != napi_ok ||
      napi_get_named_property(env, versions, "modules", &modules) != napi_ok ||
      napi_get_value_string_utf8(env, modules, text, sizeof(text), NULL) !=
          napi_ok)
    return 0;
  return atoi(text);
}

/* Node-API promises one ABI for all versions, and so Node.js loads whatever
 * says it uses it. V8 promises none, and we use that as well. */
static bool check_abi(napi_env env) {
  int running = running_abi(env);
  if (running == hw_v8_abi()) return true;
  char message[160];
  snprintf(message, sizeof(message),
           "the binary was built for Node.js ABI %d, this Node.js has ABI %d",
           hw_v8_abi(), running);
  napi_throw_error(env, "ERR_HEAPWATCH_ABI", message);
  return false;
}

static napi_value sample_fields(napi_env env) {
  static const char* const names[] = {
#define XX(field, name) name,
      HW_SAMPLE_MAP(XX)
#undef XX
  };
  napi_value list, name;
  HW_NAPI(env, napi_create_array(env, &list));
  for (uint32_t i = 0; i < HW_SAMPLE_FIELDS; i++) {
    HW_NAPI(env,
            napi_create_string_utf8(env, names[i], NAPI_AUTO_LENGTH, &name));
    HW_NAPI(env, napi_set_element(env, list, i, name));
  }
  return list;
}

static napi_value export_all(napi_env env, napi_value exports) {
  napi_value setup, length, fields, version;
  /* Node.js loads any binary of its ABI: lib/native.js compares this with the
   * version of the package before it uses anything else. */
  HW_NAPI(env,
          napi_create_string_utf8(env, HW_VERSION, NAPI_AUTO_LENGTH, &version));
  HW_NAPI(env,
          napi_set_named_property(env, exports, "heapwatchVersion", version));
  HW_NAPI(env, napi_create_function(env, "setup", NAPI_AUTO_LENGTH,
                                    hw_environment_setup, NULL, &setup));
  HW_NAPI(env, napi_set_named_property(env, exports, "setup", setup));
  HW_NAPI(env, napi_create_uint32(env, HW_TRANSFER_LENGTH, &length));
  HW_NAPI(env, napi_set_named_property(env, exports, "transferLength", length));
  fields = sample_fields(env);
  if (fields == NULL) return NULL;
  HW_NAPI(env, napi_set_named_property(env, exports, "sampleFields", fields));
  return hw_watch_define(env, exports) && hw_napi_leak_define(env, exports) &&
                 hw_recording_define(env, exports) &&
                 hw_snapshot_define(env, exports) &&
                 hw_heap_snapshot_define(env, exports) &&
                 hw_write_define(env, exports)
             ? exports
             : NULL;
}

NAPI_MODULE_INIT() {
  if (!check_abi(env) || !hw_environment_init(env)) return NULL;
  return export_all(env, exports);
}
