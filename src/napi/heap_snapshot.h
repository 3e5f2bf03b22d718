#ifndef HW_NAPI_HEAP_SNAPSHOT_H_
#define HW_NAPI_HEAP_SNAPSHOT_H_

#include "environment.h"

/* Ends the snapshot that the environment is taking, if there is one, without
 * telling JavaScript. Not inside a GC. */
void hw_heap_snapshot_cancel(hw_environment_t* environment);

/* Defines takeSnapshot and cancelSnapshot on `exports`. Returns false with an
 * exception pending. */
bool hw_heap_snapshot_define(napi_env env, napi_value exports);

#endif /* HW_NAPI_HEAP_SNAPSHOT_H_ */
