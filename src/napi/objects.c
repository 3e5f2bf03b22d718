#include "objects.h"

#include <math.h>
#include <stdint.h>

#include "check.h"
#include "core/hw_pressure.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NS_PER_MS 1e6

napi_value hw_napi_numbers(napi_env env, const char* const* names,
                           const double* values, size_t count) {
  napi_value object;
  HW_NAPI(env, napi_create_object(env, &object));
  for (size_t i = 0; i < count; i++) {
    if (!hw_napi_set_number(env, object, names[i], values[i])) return NULL;
  }
  return object;
}

static napi_value pauses_of(napi_env env, const hw_histogram_t* histogram) {
  static const char* const names[] = {"count", "total", "min", "max", "mean",
                                      "p50",   "p90",   "p99", "p999"};
  static const double percentiles[] = {50, 90, 99, 99.9};
  double values[COUNT_OF(names)] = {(double)histogram->count,
                                    (double)histogram->sum_ns / NS_PER_MS,
                                    (double)histogram->min_ns / NS_PER_MS,
                                    (double)histogram->max_ns / NS_PER_MS,
                                    hw_histogram_mean(histogram) / NS_PER_MS};
  for (size_t i = 0; i < COUNT_OF(percentiles); i++)
    values[5 + i] =
        (double)hw_histogram_value_at_percentile(histogram, percentiles[i]) /
        NS_PER_MS;
  return hw_napi_numbers(env, names, values, COUNT_OF(names));
}

/* The last bound, above all others, is Infinity. */
static napi_value buckets_of(napi_env env, const hw_buckets_t* buckets) {
  static const char* const names[] = {"le", "count"};
  napi_value list;
  HW_NAPI(env,
          napi_create_array_with_length(env, HW_BUCKETS_BOUNDS + 1, &list));
  for (uint32_t i = 0; i <= HW_BUCKETS_BOUNDS; i++) {
    const double values[] = {i < HW_BUCKETS_BOUNDS
                                 ? (double)hw_buckets_bound(i) / NS_PER_MS
                                 : INFINITY,
                             (double)hw_buckets_cumulative(buckets, i)};
    napi_value one = hw_napi_numbers(env, names, values, COUNT_OF(names));
    if (one == NULL) return NULL;
    HW_NAPI(env, napi_set_element(env, list, i, one));
  }
  return list;
}

napi_value hw_napi_pauses(napi_env env, const hw_histogram_t* const* pauses,
                          const hw_buckets_t* const* buckets) {
  static const char* const kinds[HW_GC_KINDS] = {"minor", "major",
                                                 "incremental", "weakcb"};
  napi_value result;
  HW_NAPI(env, napi_create_object(env, &result));
  for (int kind = 0; kind < HW_GC_KINDS; kind++) {
    napi_value one = pauses_of(env, pauses[kind]);
    if (one == NULL) return NULL;
    if (buckets != NULL) {
      napi_value list = buckets_of(env, buckets[kind]);
      if (list == NULL) return NULL;
      HW_NAPI(env, napi_set_named_property(env, one, "buckets", list));
    }
    HW_NAPI(env, napi_set_named_property(env, result, kinds[kind], one));
  }
  return result;
}

napi_value hw_napi_pressure_names(napi_env env, const bool* active) {
  napi_value list, name;
  uint32_t length = 0;
  HW_NAPI(env, napi_create_array(env, &list));
  for (int reason = 0; reason < HW_PRESSURE_REASONS; reason++) {
    if (!active[reason]) continue;
    HW_NAPI(env, napi_create_string_utf8(env, hw_pressure_reason_name(reason),
                                         NAPI_AUTO_LENGTH, &name));
    HW_NAPI(env, napi_set_element(env, list, length++, name));
  }
  return list;
}
