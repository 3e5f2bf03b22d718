#include "check.h"

#include <stdbool.h>

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
