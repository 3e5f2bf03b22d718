#ifndef HW_NAPI_RECORDING_H_
#define HW_NAPI_RECORDING_H_

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/hw_recorder_reader.h"

/*
 * The class Recording: the reader of one file, converted to JavaScript.
 * Records come as a Float64Array, one after the other, oldest first; lib/
 * recorder.js makes objects of them. What is asked for is read anew each time.
 *
 * recording.c has its life, and load(), which reads the whole file on another
 * thread; recording_read.c what is read. A recording belongs to its JavaScript
 * object and to the thread that reads it, one at a time: while `loading`, no
 * method but close() does anything, and that waits.
 */
typedef struct {
  int fd; /* -1 once closed */
  char* path;
  hw_recorder_reader_t* reader;
  bool loading; /* another thread has the reader */
  bool closing; /* once that is done */
} hw_recording_t;

/* Defines the class on `exports`. Returns false with an exception pending. */
bool hw_recording_define(napi_env env, napi_value exports);

/* The open recording a method was called on, or NULL with an exception. */
hw_recording_t* hw_recording_unwrap(napi_env env, napi_callback_info info,
                                    size_t argc, napi_value* argv);

/* Return false with an exception pending if there is an error. */
bool hw_recording_check(napi_env env, const hw_recording_t* recording,
                        int error);
bool hw_recording_refresh(napi_env env, hw_recording_t* recording,
                          hw_recorder_section_t section);

/* NULL with an exception pending if it cannot be made. */
napi_value hw_recording_string(napi_env env, const char* text, size_t length);

/* Methods: what lib/recorder.js says of each. */
napi_value hw_recording_js_identity(napi_env env, napi_callback_info info);
napi_value hw_recording_js_notes(napi_env env, napi_callback_info info);
napi_value hw_recording_js_samples(napi_env env, napi_callback_info info);
napi_value hw_recording_js_gcs(napi_env env, napi_callback_info info);
napi_value hw_recording_js_minutes(napi_env env, napi_callback_info info);
napi_value hw_recording_js_peaks(napi_env env, napi_callback_info info);
napi_value hw_recording_js_state(napi_env env, napi_callback_info info);
napi_value hw_recording_js_pauses(napi_env env, napi_callback_info info);

#endif /* HW_NAPI_RECORDING_H_ */
