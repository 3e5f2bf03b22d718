#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hw_error.h"

void hw_napi_throw_last(napi_env env) {
  /* Read first: any other call overwrites it. */
  const napi_extended_error_info* info = NULL;
  napi_get_last_error_info(env, &info);
  const char* message = info != NULL && info->error_message != NULL
                            ? info->error_message
                            : "Node-API call failed";
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, "ERR_HEAPWATCH_NAPI", message);
}

void hw_napi_throw(napi_env env, int error) {
  napi_throw_error(env, hw_error_code(error), hw_error_message(error));
}

napi_value hw_napi_error(napi_env env, int error, const char* detail) {
  char text[512];
  napi_value code, message, object;
  snprintf(text, sizeof(text), *detail != '\0' ? "%s (%s)" : "%s",
           hw_error_message(error), detail);
  HW_NAPI(env, napi_create_string_utf8(env, hw_error_code(error),
                                       NAPI_AUTO_LENGTH, &code));
  HW_NAPI(env, napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message));
  HW_NAPI(env, napi_create_error(env, code, message, &object));
  return object;
}

void hw_napi_throw_file(napi_env env, int error, const char* path,
                        const char* detail) {
  const char* what = hw_error_message(error);
  size_t size =
      strlen(path) + strlen(what) + (detail != NULL ? strlen(detail) : 0) + 8;
  char* message = malloc(size);
  if (message == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return;
  }
  snprintf(message, size, detail != NULL ? "%s: %s (%s)" : "%s: %s", path, what,
           detail);
  napi_throw_error(env, hw_error_code(error), message);
  free(message);
}

char* hw_napi_get_string(napi_env env, napi_value value, size_t* length) {
  size_t size;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) {
    hw_napi_throw_last(env);
    return NULL;
  }
  char* text = malloc(size + 1);
  if (text == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  if (napi_get_value_string_utf8(env, value, text, size + 1, &size) !=
      napi_ok) {
    hw_napi_throw_last(env);
    free(text);
    return NULL;
  }
  if (length != NULL) *length = size;
  return text;
}

bool hw_napi_get_number(napi_env env, napi_value object, const char* name,
                        double* number) {
  napi_value value;
  if (napi_get_named_property(env, object, name, &value) == napi_ok &&
      napi_get_value_double(env, value, number) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}

bool hw_napi_set_number(napi_env env, napi_value object, const char* name,
                        double number) {
  napi_value value;
  if (napi_create_double(env, number, &value) == napi_ok &&
      napi_set_named_property(env, object, name, value) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}

bool hw_napi_set_string(napi_env env, napi_value object, const char* name,
                        const char* string) {
  napi_value value;
  if (napi_create_string_utf8(env, string, NAPI_AUTO_LENGTH, &value) ==
          napi_ok &&
      napi_set_named_property(env, object, name, value) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}

void hw_napi_settle(napi_env env, napi_ref done, napi_value error,
                    napi_value value) {
  napi_value function, nothing, argv[2];
  if (napi_get_reference_value(env, done, &function) != napi_ok ||
      napi_get_undefined(env, &nothing) != napi_ok)
    return;
  argv[0] = error != NULL ? error : nothing;
  argv[1] = value != NULL ? value : nothing;
  napi_call_function(env, nothing, function, 2, argv, NULL);
}
