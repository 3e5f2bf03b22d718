#ifndef HW_NAPI_OBJECTS_H_
#define HW_NAPI_OBJECTS_H_

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/hw_buckets.h"
#include "core/hw_gc.h"
#include "core/hw_histogram.h"

/*
 * JavaScript objects that a watch and a recording have in common. All return
 * NULL with an exception pending if they fail.
 */

/* An object with a number for each name. */
napi_value hw_napi_numbers(napi_env env, const char* const* names,
                           const double* values, size_t count);

/* { minor, major, incremental, weakcb }, each with count, total, min, max, mean
 * and percentiles, in ms. `pauses` are HW_GC_KINDS of them. With `buckets`, as
 * many, each also has a list of { le, count }; NULL where they are not kept. */
napi_value hw_napi_pauses(napi_env env, const hw_histogram_t* const* pauses,
                          const hw_buckets_t* const* buckets);

/* The names of those reasons of pressure whose flag is set. */
napi_value hw_napi_pressure_names(napi_env env, const bool* active);

#endif /* HW_NAPI_OBJECTS_H_ */
