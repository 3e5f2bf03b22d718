#include "leak.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/hw_error.h"
#include "core/hw_replay.h"

/* -- Options ------------------------------------------------------------- */

/* Each option's name in JavaScript and its place in the structure. */
#define HW_LEAK_OPTION_MAP(XX)                 \
  XX(alpha, "alpha")                           \
  XX(min_growth_bytes, "minGrowth")            \
  XX(min_growth_share, "minGrowthShare")       \
  XX(min_native_bytes, "minNativeGrowth")      \
  XX(min_native_share, "minNativeGrowthShare") \
  XX(min_contexts, "minContexts")              \
  XX(sustained, "sustained")                   \
  XX(evidence_ms, "evidence")                  \
  XX(headroom_share, "headroomShare")          \
  XX(min_evidence_ms, "minEvidence")           \
  XX(left_share, "leftShare")                  \
  XX(past_share, "pastShare")                  \
  XX(far_ms, "far")                            \
  XX(distant_ms, "distant")                    \
  XX(wave_ms, "wave")                          \
  XX(hold_share, "holdShare")                  \
  XX(hold_ms, "hold")                          \
  XX(withdraw_ms, "withdraw")                  \
  XX(few_steady, "fewSteady")                  \
  XX(few_unsteady, "fewUnsteady")              \
  XX(few_retained, "fewRetained")              \
  XX(fallback_ms, "fallback")                  \
  XX(fallback_heap_ms, "fallbackHeap")         \
  XX(fallback_growth, "fallbackGrowth")        \
  XX(fallback_retained, "fallbackRetained")    \
  XX(end_ms, "end")                            \
  XX(end_share, "endShare")                    \
  XX(bucket_ms, "bucket")                      \
  XX(envelope_ms, "envelope")                  \
  XX(assumed_headroom_bytes, "assumedHeadroom")

static const struct {
  const char* name;
  size_t offset;
} option_map[] = {
#define XX(field, name) {name, offsetof(hw_leak_options_t, field)},
    HW_LEAK_OPTION_MAP(XX)
#undef XX
};

static double* option_at(hw_leak_options_t* options, size_t i) {
  return (double*)((char*)options + option_map[i].offset);
}

#define OPTIONS (sizeof(option_map) / sizeof(option_map[0]))

/* The two that are counts. */
static const struct {
  const char* name;
  size_t offset;
} count_map[] = {
    {"minPoints", offsetof(hw_leak_options_t, min_points)},
    {"minEnvelopePoints", offsetof(hw_leak_options_t, min_envelope_points)},
};

static uint32_t* count_at(hw_leak_options_t* options, size_t i) {
  return (uint32_t*)((char*)options + count_map[i].offset);
}

#define COUNTS (sizeof(count_map) / sizeof(count_map[0]))

/* Reads a number if the object has one of this name. */
static bool get_if_there(napi_env env, napi_value object, const char* name,
                         double* number) {
  bool has = false;
  return napi_has_named_property(env, object, name, &has) != napi_ok || !has ||
         hw_napi_get_number(env, object, name, number);
}

bool hw_napi_get_leak_options(napi_env env, napi_value object,
                              hw_leak_options_t* options, bool* wanted) {
  napi_value given;
  napi_valuetype type;
  hw_leak_options_init(options);
  if (napi_get_named_property(env, object, "leak", &given) != napi_ok ||
      napi_typeof(env, given, &type) != napi_ok) {
    hw_napi_throw_last(env);
    return false;
  }
  *wanted = type == napi_object;
  for (size_t i = 0; *wanted && i < OPTIONS; i++) {
    if (!get_if_there(env, given, option_map[i].name, option_at(options, i)))
      return false;
  }
  for (size_t i = 0; *wanted && i < COUNTS; i++) {
    double count = *count_at(options, i);
    if (!get_if_there(env, given, count_map[i].name, &count)) return false;
    *count_at(options, i) = (uint32_t)count;
  }
  return true;
}

static napi_value defaults(napi_env env) {
  hw_leak_options_t options;
  napi_value object;
  hw_leak_options_init(&options);
  HW_NAPI(env, napi_create_object(env, &object));
  for (size_t i = 0; i < OPTIONS; i++) {
    if (!hw_napi_set_number(env, object, option_map[i].name,
                            *option_at(&options, i)))
      return NULL;
  }
  for (size_t i = 0; i < COUNTS; i++) {
    if (!hw_napi_set_number(env, object, count_map[i].name,
                            *count_at(&options, i)))
      return NULL;
  }
  return object;
}

/* -- Verdicts ------------------------------------------------------------ */

static napi_value evidence_of(napi_env env, const hw_leak_verdict_t* verdict,
                              double epoch_ms) {
  napi_value list, point;
  HW_NAPI(env, napi_create_array_with_length(env, verdict->count, &list));
  for (uint32_t i = 0; i < verdict->count; i++) {
    HW_NAPI(env, napi_create_object(env, &point));
    if (!hw_napi_set_number(env, point, "time",
                            verdict->evidence[i].t + epoch_ms) ||
        !hw_napi_set_number(env, point, "value", verdict->evidence[i].v))
      return NULL;
    HW_NAPI(env, napi_set_element(env, list, i, point));
  }
  return list;
}

/* A number that may be unknown: null in JavaScript if it is. */
static bool set_known(napi_env env, napi_value object, const char* name,
                      bool known, double number) {
  napi_value null;
  if (known) return hw_napi_set_number(env, object, name, number);
  if (napi_get_null(env, &null) == napi_ok &&
      napi_set_named_property(env, object, name, null) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}

napi_value hw_napi_leak_object(napi_env env, const hw_leak_verdict_t* v,
                               double epoch_ms) {
  napi_value leak, over;
  HW_NAPI(env, napi_create_object(env, &leak));
  napi_value evidence = evidence_of(env, v, epoch_ms);
  if (evidence == NULL ||
      !hw_napi_set_string(env, leak, "metric",
                          hw_leak_metric_name(v->metric)) ||
      !hw_napi_set_number(env, leak, "time", v->time_ms + epoch_ms) ||
      !hw_napi_set_number(env, leak, "since", v->since_ms + epoch_ms) ||
      !hw_napi_set_number(env, leak, "duration", v->duration_ms) ||
      !hw_napi_set_number(env, leak, "rate", v->rate) ||
      !hw_napi_set_number(env, leak, "rateLow", v->rate_low) ||
      !hw_napi_set_number(env, leak, "rateHigh", v->rate_high) ||
      !hw_napi_set_number(env, leak, "growth", v->growth) ||
      !hw_napi_set_number(env, leak, "confidence", v->confidence) ||
      !set_known(env, leak, "timeToLimit", v->time_to_limit_ms >= 0,
                 v->time_to_limit_ms) ||
      !set_known(env, leak, "limit", v->limit_bytes > 0, v->limit_bytes) ||
      !hw_napi_set_string(env, leak, "basis", hw_leak_basis_name(v->basis)) ||
      !hw_napi_set_string(env, leak, "shape", hw_trend_shape_name(v->shape)))
    return NULL;
  HW_NAPI(env, napi_get_boolean(env, v->over, &over));
  HW_NAPI(env, napi_set_named_property(env, leak, "over", over));
  HW_NAPI(env, napi_set_named_property(env, leak, "evidence", evidence));
  return leak;
}

/* -- Replay -------------------------------------------------------------- */

/* One run of a trace. What falls is kept in `events` until push or finish
 * returns it: the handlers run in C, called back by the reader. */
typedef struct {
  hw_replay_t* replay;
  napi_env env;
  napi_value events; /* only while a call runs */
  uint32_t length;
  bool failed; /* an exception is pending */
} replay_t;

static void on_collected(napi_env env, void* data, void* hint) {
  (void)env;
  (void)hint;
  replay_t* replay = data;
  hw_replay_destroy(replay->replay);
  free(replay);
}

static void add_event(replay_t* replay, napi_value event) {
  if (event == NULL || napi_set_element(replay->env, replay->events,
                                        replay->length++, event) != napi_ok)
    replay->failed = true;
}

static void on_verdict(void* context, const hw_leak_verdict_t* verdict) {
  replay_t* replay = context;
  if (!replay->failed)
    add_event(replay, hw_napi_leak_object(replay->env, verdict, 0));
}

static void on_error(void* context, uint64_t line, const char* reason) {
  replay_t* replay = context;
  napi_env env = replay->env;
  napi_value event;
  if (replay->failed) return;
  if (napi_create_object(env, &event) != napi_ok ||
      !hw_napi_set_number(env, event, "line", (double)line) ||
      !hw_napi_set_string(env, event, "reason", reason))
    event = NULL;
  add_event(replay, event);
}

/* new Replay(options): `options.leak` as for a watch. */
static napi_value construct(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1], self;
  hw_leak_options_t options;
  bool wanted;
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, argv, &self, NULL));
  if (!hw_napi_get_leak_options(env, argv[0], &options, &wanted)) return NULL;
  replay_t* replay = calloc(1, sizeof(*replay));
  if (replay == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  const hw_replay_handler_t handler = {on_verdict, on_error, replay};
  int error = hw_replay_create(&options, &handler, &replay->replay);
  if (error != 0) {
    free(replay);
    hw_napi_throw(env, error);
    return NULL;
  }
  replay->env = env;
  if (napi_wrap(env, self, replay, on_collected, NULL, NULL) != napi_ok) {
    hw_napi_throw_last(env);
    on_collected(env, replay, NULL);
    return NULL;
  }
  return self;
}

/* Runs the reader over `bytes`, or to its end if that is NULL, and returns
 * what fell: verdicts, and { line, reason } for each bad line. */
static napi_value read_on(napi_env env, replay_t* replay, const char* bytes,
                          size_t size) {
  HW_NAPI(env, napi_create_array(env, &replay->events));
  replay->length = 0;
  replay->failed = false;
  if (bytes != NULL)
    hw_replay_push(replay->replay, bytes, size);
  else
    hw_replay_finish(replay->replay);
  if (replay->failed) {
    hw_napi_throw_last(env);
    return NULL;
  }
  return replay->events;
}

/* push(Uint8Array) */
static napi_value js_push(napi_env env, napi_callback_info info) {
  size_t argc = 1, size;
  napi_value argv[1], self;
  void *replay, *bytes;
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, argv, &self, NULL));
  HW_NAPI(env, napi_unwrap(env, self, &replay));
  HW_NAPI(env, napi_get_buffer_info(env, argv[0], &bytes, &size));
  return read_on(env, replay, bytes != NULL ? bytes : "", size);
}

/* finish() */
static napi_value js_finish(napi_env env, napi_callback_info info) {
  size_t argc = 0;
  napi_value self;
  void* replay;
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, NULL, &self, NULL));
  HW_NAPI(env, napi_unwrap(env, self, &replay));
  return read_on(env, replay, NULL, 0);
}

bool hw_napi_leak_define(napi_env env, napi_value exports) {
  static const napi_property_descriptor methods[] = {
      {"push", NULL, js_push, NULL, NULL, NULL, napi_default_method, NULL},
      {"finish", NULL, js_finish, NULL, NULL, NULL, napi_default_method, NULL},
  };
  napi_value constructor;
  napi_value object = defaults(env);
  if (object != NULL &&
      napi_set_named_property(env, exports, "leakDefaults", object) ==
          napi_ok &&
      napi_define_class(env, "Replay", NAPI_AUTO_LENGTH, construct, NULL,
                        sizeof(methods) / sizeof(methods[0]), methods,
                        &constructor) == napi_ok &&
      napi_set_named_property(env, exports, "Replay", constructor) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}
