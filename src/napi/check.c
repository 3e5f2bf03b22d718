#include "check.h"

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
