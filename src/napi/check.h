#ifndef HW_NAPI_CHECK_H_
#define HW_NAPI_CHECK_H_

#include <node_api.h>
#include <stdbool.h>

/*
 * Checks for Node-API calls in functions that JavaScript has called: on a
 * failure they return NULL with an exception pending.
 */

/* Throws what the last failed call left as its error, unless an exception is
 * pending already: that one says more. */
void hw_napi_throw_last(napi_env env);

/* Throws the heapwatch error `error`, one of hw_error.h. */
void hw_napi_throw(napi_env env, int error);

/* An Error for `error`, with `detail` in parentheses unless that is "". NULL
 * with an exception pending if it cannot be made. */
napi_value hw_napi_error(napi_env env, int error, const char* detail);

/* The number that is property `name` of `object`. Returns false with an
 * exception pending if it is none. */
bool hw_napi_get_number(napi_env env, napi_value object, const char* name,
                        double* number);

/* Sets a property of `object`. Return false with an exception pending. */
bool hw_napi_set_number(napi_env env, napi_value object, const char* name,
                        double number);
bool hw_napi_set_string(napi_env env, napi_value object, const char* name,
                        const char* string);

/* Throws `error` for a file: "path: what is wrong (detail)". `detail` may be
 * NULL. */
void hw_napi_throw_file(napi_env env, int error, const char* path,
                        const char* detail);

/* The string that `value` is, in UTF-8, closed by a zero and to be freed; its
 * length goes to `*length` unless that is NULL. NULL with an exception pending
 * if it is none. */
char* hw_napi_get_string(napi_env env, napi_value value, size_t* length);

/* Calls the function done(error, value) that `done` refers to; either may be
 * NULL, for undefined. A promise that is Node-API's own cannot be freed once
 * the environment ends: so JavaScript makes it, and gives this to settle it.
 * Does nothing if no JavaScript runs any more. */
void hw_napi_settle(napi_env env, napi_ref done, napi_value error,
                    napi_value value);

#define HW_NAPI(env, call)     \
  do {                         \
    if ((call) != napi_ok) {   \
      hw_napi_throw_last(env); \
      return NULL;             \
    }                          \
  } while (0)

#define HW_CHECK(env, call)          \
  do {                               \
    int hw_error_ = (call);          \
    if (hw_error_ != 0) {            \
      hw_napi_throw(env, hw_error_); \
      return NULL;                   \
    }                                \
  } while (0)

#endif /* HW_NAPI_CHECK_H_ */
