#ifndef HW_NAPI_LEAK_H_
#define HW_NAPI_LEAK_H_

#include <node_api.h>
#include <stdbool.h>

#include "core/hw_leak.h"

/*
 * The leak detector's options and verdicts, converted; and the class Replay,
 * which runs a recorded trace through the same detector.
 */

/* Reads the property "leak" of `object`: false, or an object with any of the
 * detector's options. The others have their defaults. Returns false with an
 * exception pending. */
bool hw_napi_get_leak_options(napi_env env, napi_value object,
                              hw_leak_options_t* options, bool* wanted);

/* A verdict as the events leak and leakend carry it; `epoch_ms` is added to
 * its times. NULL with an exception pending. */
napi_value hw_napi_leak_object(napi_env env, const hw_leak_verdict_t* verdict,
                               double epoch_ms);

/* Defines `leakDefaults` and the class Replay on `exports`. Returns false with
 * an exception pending. */
bool hw_napi_leak_define(napi_env env, napi_value exports);

#endif /* HW_NAPI_LEAK_H_ */
