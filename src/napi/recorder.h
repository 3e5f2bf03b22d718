#ifndef HW_NAPI_RECORDER_H_
#define HW_NAPI_RECORDER_H_

#include <node_api.h>

#include "watch.h"

/*
 * A watch's recorder: methods of the class Watch, and its life.
 */

/* JavaScript: watch.record({ directory, name, private, size, identity }):
 * begins to record into a new file. Throws ERR_HEAPWATCH_RECORDING_*. */
napi_value hw_napi_record(napi_env env, napi_callback_info info);

/* JavaScript: watch.answer(number, ok, text): answers a request that the
 * watch's callback was called with. */
napi_value hw_napi_answer(napi_env env, napi_callback_info info);

/* JavaScript: watch.noteCause(json): records why something leaks. Returns
 * whether it is in the file: false without a recorder, or if it is too long. */
napi_value hw_napi_note_cause(napi_env env, napi_callback_info info);

/* JavaScript: watch.exiting(code): says that the process exits. */
napi_value hw_napi_exiting(napi_env env, napi_callback_info info);

/* Ends the recording of a watch whose monitor has finished. */
void hw_napi_record_end(hw_watch_t* watch);

#endif /* HW_NAPI_RECORDER_H_ */
