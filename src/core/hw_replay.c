#include "hw_replay.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hw_error.h"

/* What heap_size_limit has on top of the old space: three times the largest
 * semi-space, which is 16 MB in Node.js 20 and 22 and more later. A trace that
 * doesn't tell `oldLimit` gets the least of these. */
#define HW_REPLAY_YOUNG_BYTES (48.0 * 1024 * 1024)

struct hw_replay_s {
  hw_replay_handler_t handler;
  hw_leak_t* detector;
  hw_trace_t* reader;
  double old_limit; /* 0 if unknown */
  double memory_limit;
};

static uint64_t hw_replay_size(double value) {
  return value >= 0 && value < 0x1p60 ? (uint64_t)value : HW_LEAK_UNKNOWN;
}

static void hw_replay_limits(hw_replay_t* replay, const double* fields) {
  if (fields[HW_TRACE_OLD_LIMIT] >= 0) {
    replay->old_limit = fields[HW_TRACE_OLD_LIMIT];
  } else if (fields[HW_TRACE_HEAP_LIMIT] >= 0) {
    double limit = fields[HW_TRACE_HEAP_LIMIT];
    replay->old_limit = limit - fmin(HW_REPLAY_YOUNG_BYTES, limit / 2);
  }
  if (fields[HW_TRACE_MEMORY_LIMIT] >= 0) {
    replay->memory_limit = fields[HW_TRACE_MEMORY_LIMIT];
  }
}

static void hw_replay_sample(hw_replay_t* replay, const double* fields) {
  hw_leak_sample_t sample = {
      .time_ms = fields[HW_TRACE_T],
      .heap_used_bytes = hw_replay_size(fields[HW_TRACE_HEAP_USED]),
      .heap_total_bytes = hw_replay_size(fields[HW_TRACE_HEAP_TOTAL]),
      .physical_heap_bytes = hw_replay_size(fields[HW_TRACE_PHYSICAL_HEAP]),
      .rss_bytes = hw_replay_size(fields[HW_TRACE_RSS]),
      .external_bytes = hw_replay_size(fields[HW_TRACE_EXTERNAL]),
      .array_buffers_bytes = hw_replay_size(fields[HW_TRACE_ARRAY_BUFFERS]),
      .native_contexts = hw_replay_size(fields[HW_TRACE_NATIVE_CONTEXTS]),
      .old_limit_bytes = hw_replay_size(replay->old_limit),
      .memory_limit_bytes = hw_replay_size(replay->memory_limit),
  };
  hw_leak_sample(replay->detector, &sample);
}

static void hw_replay_record(void* context, const hw_trace_record_t* record) {
  hw_replay_t* replay = context;
  const double* fields = record->fields;
  switch (record->type) {
    case HW_TRACE_META:
      hw_replay_limits(replay, fields);
      return;
    case HW_TRACE_SAMPLE:
      hw_replay_limits(replay, fields);
      hw_replay_sample(replay, fields);
      break;
    case HW_TRACE_GC:
      /* The others, such as the start of a marking, free nothing. */
      if (record->kind == HW_TRACE_OTHER) return;
      hw_leak_gc(replay->detector, fields[HW_TRACE_T],
                 record->kind == HW_TRACE_MAJOR,
                 hw_replay_size(fields[HW_TRACE_HEAP_BEFORE]),
                 hw_replay_size(fields[HW_TRACE_HEAP_AFTER]));
      break;
  }
  hw_leak_verdict_t verdict;
  while (hw_leak_next(replay->detector, HW_LEAK_EVENTS, &verdict)) {
    replay->handler.verdict(replay->handler.context, &verdict);
  }
}

static void hw_replay_error(void* context, uint64_t line, const char* reason) {
  hw_replay_t* replay = context;
  replay->handler.error(replay->handler.context, line, reason);
}

int hw_replay_create(const hw_leak_options_t* options,
                     const hw_replay_handler_t* handler, hw_replay_t** replay) {
  hw_replay_t* created = calloc(1, sizeof *created);
  if (created == NULL) return HW_ENOMEM;
  created->handler = *handler;
  hw_trace_handler_t inner = {hw_replay_record, hw_replay_error, created};
  int error = hw_leak_create(options, &created->detector);
  if (error == 0) error = hw_trace_create(&inner, &created->reader);
  if (error != 0) {
    hw_replay_destroy(created);
    return error;
  }
  *replay = created;
  return 0;
}

void hw_replay_destroy(hw_replay_t* replay) {
  if (replay == NULL) return;
  hw_trace_destroy(replay->reader);
  hw_leak_destroy(replay->detector);
  free(replay);
}

void hw_replay_push(hw_replay_t* replay, const char* bytes, size_t size) {
  hw_trace_push(replay->reader, bytes, size);
}

void hw_replay_finish(hw_replay_t* replay) {
  hw_trace_finish(replay->reader);
}

hw_leak_t* hw_replay_detector(hw_replay_t* replay) {
  return replay->detector;
}

/* Text that grows to the right. */
typedef struct {
  char* text;
  size_t size;
  size_t length;
} hw_replay_text_t;

__attribute__((format(printf, 2, 3))) static void hw_replay_print(
    hw_replay_text_t* out, const char* format, ...) {
  if (out->length >= out->size) return;
  va_list arguments;
  va_start(arguments, format);
  int wrote = vsnprintf(out->text + out->length, out->size - out->length,
                        format, arguments);
  va_end(arguments);
  out->length += wrote > 0 ? (size_t)wrote : 0;
}

/* A number without a fraction, which would need the locale's point. */
static void hw_replay_print_number(hw_replay_text_t* out, const char* key,
                                   double value, bool known) {
  if (known && isfinite(value)) {
    hw_replay_print(out, ",\"%s\":%.0f", key, value);
  } else {
    hw_replay_print(out, ",\"%s\":null", key);
  }
}

int hw_replay_json(const hw_leak_verdict_t* verdict, char* text, size_t size) {
  hw_replay_text_t out = {text, size, 0};
  int thousandths = (int)lround(verdict->confidence * 1000);
  hw_replay_print(&out, "{\"event\":\"%s\"",
                  verdict->over ? "leakend" : "leak");
  hw_replay_print_number(&out, "t", verdict->time_ms, true);
  hw_replay_print(&out, ",\"metric\":\"%s\"",
                  hw_leak_metric_name(verdict->metric));
  hw_replay_print_number(&out, "rate", verdict->rate, true);
  hw_replay_print_number(&out, "rateLow", verdict->rate_low, true);
  hw_replay_print_number(&out, "rateHigh", verdict->rate_high, true);
  hw_replay_print_number(&out, "growth", verdict->growth, true);
  hw_replay_print_number(&out, "since", verdict->since_ms, true);
  hw_replay_print_number(&out, "duration", verdict->duration_ms, true);
  hw_replay_print(&out, ",\"confidence\":%d.%03d", thousandths / 1000,
                  thousandths % 1000);
  hw_replay_print_number(&out, "timeToLimit", verdict->time_to_limit_ms,
                         verdict->time_to_limit_ms >= 0);
  hw_replay_print_number(&out, "limit", verdict->limit_bytes,
                         verdict->limit_bytes > 0);
  hw_replay_print(&out, ",\"shape\":\"%s\",\"basis\":\"%s\",\"evidence\":[",
                  hw_trend_shape_name(verdict->shape),
                  hw_leak_basis_name(verdict->basis));
  for (uint32_t i = 0; i < verdict->count; i++) {
    hw_replay_print(&out, "%s[%.0f,%.0f]", i > 0 ? "," : "",
                    verdict->evidence[i].t, verdict->evidence[i].v);
  }
  hw_replay_print(&out, "]}");
  return out.length < size ? (int)out.length : HW_ERANGE;
}
