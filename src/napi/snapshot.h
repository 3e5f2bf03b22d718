#ifndef HW_NAPI_SNAPSHOT_H_
#define HW_NAPI_SNAPSHOT_H_

#include <node_api.h>
#include <stdbool.h>

/* Exports `analyzeSnapshots`; see snapshot.c. False with an exception pending.
 */
bool hw_snapshot_define(napi_env env, napi_value exports);

#endif /* HW_NAPI_SNAPSHOT_H_ */
