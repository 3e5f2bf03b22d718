#ifndef HW_NAPI_WRITE_H_
#define HW_NAPI_WRITE_H_

#include <node_api.h>
#include <stdbool.h>

/* Defines writeNow on `exports`. Returns false with an exception pending. */
bool hw_write_define(napi_env env, napi_value exports);

#endif /* HW_NAPI_WRITE_H_ */
