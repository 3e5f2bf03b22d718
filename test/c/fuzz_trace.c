/*
 * libFuzzer target: any bytes, cut anywhere, through the trace reader and the
 * detector behind it. `make fuzz SECONDS=60`.
 *
 * The first byte of the input chooses the cut. Beyond what the sanitizers see,
 * it is checked that every line gives at most one answer, that lines are
 * counted upwards, and that verdicts are finite.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/hw_replay.h"

static void check(int holds) {
  if (!holds) abort();
}

typedef struct {
  uint64_t line;
} heard_t;

static void hear_record(void* context, const hw_trace_record_t* record) {
  heard_t* heard = context;
  check(record->line > heard->line);
  heard->line = record->line;
  check(record->type == HW_TRACE_META || isfinite(record->fields[HW_TRACE_T]));
  for (int i = 0; i < HW_TRACE_FIELDS; i++) {
    check(i == HW_TRACE_T || !(record->fields[i] < 0));
  }
}

static void hear_error(void* context, uint64_t line, const char* reason) {
  heard_t* heard = context;
  check(line > heard->line && reason != NULL && *reason != '\0');
  heard->line = line;
}

static void hear_bad_line(void* context, uint64_t line, const char* reason) {
  (void)context;
  (void)line;
  (void)reason;
}

static void hear_verdict(void* context, const hw_leak_verdict_t* verdict) {
  (void)context;
  char text[HW_REPLAY_JSON];
  check(hw_replay_json(verdict, text, sizeof text) > 0);
  check(isfinite(verdict->rate) && isfinite(verdict->growth));
  check(verdict->confidence >= 0 && verdict->confidence <= 1);
  check(verdict->count > 0 && verdict->count <= HW_TREND_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  size_t part = data[0] == 0 ? size : data[0];
  const char* text = (const char*)data + 1;
  size--;
  heard_t heard = {0};
  hw_trace_handler_t handler = {hear_record, hear_error, &heard};
  hw_replay_handler_t replay_handler = {hear_verdict, hear_bad_line, NULL};
  hw_trace_t* reader;
  hw_replay_t* replay;
  check(hw_trace_create(&handler, &reader) == 0);
  check(hw_replay_create(NULL, &replay_handler, &replay) == 0);
  for (size_t i = 0; i < size; i += part) {
    size_t length = size - i < part ? size - i : part;
    hw_trace_push(reader, text + i, length);
    hw_replay_push(replay, text + i, length);
  }
  hw_trace_finish(reader);
  hw_replay_finish(replay);
  hw_trace_destroy(reader);
  hw_replay_destroy(replay);
  return 0;
}
