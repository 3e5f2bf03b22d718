/*
 * Replay: from the bytes of a trace to verdicts as JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hw_error.h"
#include "core/hw_replay.h"

typedef struct {
  int leaks;
  int ends;
  hw_leak_verdict_t leak;
  uint64_t bad_line;
} heard_t;

static void hear_verdict(void* context, const hw_leak_verdict_t* verdict) {
  heard_t* heard = context;
  if (verdict->over) {
    heard->ends++;
  } else {
    heard->leaks++;
    heard->leak = *verdict;
  }
}

static void hear_error(void* context, uint64_t line, const char* reason) {
  (void)reason;
  ((heard_t*)context)->bad_line = line;
}

/* Two minutes of a leak of `rate` MB a second, as text. The caller frees. */
static char* write_trace(double rate, const char* meta) {
  char* text = malloc(1 << 16);
  char* at = text + sprintf(text, "%s", meta);
  for (int t = 0; t < 120; t++) {
    double live = (20 + rate * t) * 1048576;
    if (t % 5 == 0) {
      at += sprintf(at,
                    "{\"t\":%d,\"type\":\"gc\",\"kind\":\"major\","
                    "\"duration\":3,\"heapBefore\":%.0f,\"heapAfter\":%.0f}\n",
                    t * 1000, live + 9e6, live);
    }
    at += sprintf(at,
                  "{\"t\":%d,\"type\":\"sample\",\"heapUsed\":%.0f,"
                  "\"heapTotal\":%.0f,\"rss\":%.0f,\"external\":2000000,"
                  "\"arrayBuffers\":100000}\n",
                  t * 1000 + 10, live + 5e6, live + 2e7, live + 8e7);
  }
  return text;
}

static heard_t replay_text(const char* text, size_t part) {
  heard_t heard = {0};
  hw_replay_handler_t handler = {hear_verdict, hear_error, &heard};
  hw_replay_t* replay;
  assert_int_equal(hw_replay_create(NULL, &handler, &replay), 0);
  size_t size = strlen(text);
  for (size_t i = 0; i < size; i += part) {
    hw_replay_push(replay, text + i, size - i < part ? size - i : part);
  }
  hw_replay_finish(replay);
  assert_true(hw_leak_suspected(hw_replay_detector(replay)) ==
              (heard.leaks > heard.ends));
  hw_replay_destroy(replay);
  return heard;
}

static void a_recorded_leak_is_announced(void** unused) {
  (void)unused;
  char* text = write_trace(
      1, "{\"type\":\"meta\",\"heapLimit\":587202560,\"memoryLimit\":0}\n");
  heard_t heard = replay_text(text, 4096);
  assert_int_equal(heard.leaks, 1);
  assert_int_equal(heard.ends, 0);
  assert_int_equal(heard.bad_line, 0);
  /* 560 MB less the least young reserve, 48. */
  assert_true(heard.leak.limit_bytes == 512 * 1048576.0);
  free(text);
}

static void a_recorded_old_limit_goes_before_the_guess(void** unused) {
  (void)unused;
  char* text = write_trace(1,
                           "{\"type\":\"meta\",\"heapLimit\":587202560,"
                           "\"oldLimit\":400000000}\n");
  assert_true(replay_text(text, 4096).leak.limit_bytes == 400000000);
  free(text);
}

static void a_trace_without_meta_has_no_time_to_the_limit(void** unused) {
  (void)unused;
  char* text = write_trace(1, "");
  heard_t heard = replay_text(text, 4096);
  assert_int_equal(heard.leaks, 1);
  assert_true(heard.leak.time_to_limit_ms < 0);
  free(text);
}

static void a_flat_trace_is_silent(void** unused) {
  (void)unused;
  char* text = write_trace(0, "");
  assert_int_equal(replay_text(text, 4096).leaks, 0);
  free(text);
}

static void the_cut_of_the_bytes_changes_nothing(void** unused) {
  (void)unused;
  char* text = write_trace(2, "junk\n");
  heard_t whole = replay_text(text, 1 << 20);
  for (size_t part = 1; part < 400; part = part * 3 + 1) {
    heard_t parts = replay_text(text, part);
    assert_int_equal(parts.leaks, whole.leaks);
    assert_int_equal(parts.bad_line, 1);
    assert_memory_equal(&parts.leak.time_ms, &whole.leak.time_ms,
                        sizeof(double));
  }
  free(text);
}

static void a_verdict_is_one_line_of_json(void** unused) {
  (void)unused;
  hw_leak_verdict_t verdict = {
      .metric = HW_LEAK_NATIVE,
      .basis = HW_LEAK_BY_FEW,
      .time_ms = 61000.4,
      .since_ms = 1000,
      .duration_ms = 60000,
      .rate = 1234.5,
      .rate_low = 1000,
      .rate_high = 2000,
      .growth = 74000,
      .confidence = .9876,
      .time_to_limit_ms = -1,
      .shape = HW_SHAPE_LINEAR,
      .count = 2,
      .evidence = {{1000, 5}, {61000, 74005}},
  };
  /* Locales that write a comma must not show. */
  setlocale(LC_ALL, "de_DE.UTF-8");
  char text[HW_REPLAY_JSON];
  int length = hw_replay_json(&verdict, text, sizeof text);
  assert_int_equal(length, strlen(text));
  assert_string_equal(
      text,
      "{\"event\":\"leak\",\"t\":61000,\"metric\":\"native\",\"rate\":1234,"
      "\"rateLow\":1000,\"rateHigh\":2000,\"growth\":74000,\"since\":1000,"
      "\"duration\":60000,\"confidence\":0.988,\"timeToLimit\":null,"
      "\"limit\":null,\"shape\":\"linear\",\"basis\":\"few-collections\","
      "\"evidence\":[[1000,5],[61000,74005]]}");
  verdict.over = true;
  verdict.time_to_limit_ms = 5000;
  verdict.limit_bytes = 9;
  assert_true(hw_replay_json(&verdict, text, sizeof text) > 0);
  assert_non_null(strstr(text, "\"event\":\"leakend\""));
  assert_non_null(strstr(text, "\"timeToLimit\":5000,\"limit\":9"));
}

static void the_largest_verdict_fits_and_less_room_is_an_error(void** unused) {
  (void)unused;
  hw_leak_verdict_t verdict = {.count = HW_TREND_MAX, .limit_bytes = 1e18};
  verdict.time_ms = verdict.since_ms = verdict.duration_ms = -1e18;
  verdict.rate = verdict.rate_low = verdict.rate_high = verdict.growth = -1e18;
  for (int i = 0; i < HW_TREND_MAX; i++) {
    verdict.evidence[i] = (hw_point_t){-1e18, -1e18};
  }
  char text[HW_REPLAY_JSON];
  int length = hw_replay_json(&verdict, text, sizeof text);
  assert_true(length > 0);
  for (size_t size = 0; size <= (size_t)length; size += 37) {
    assert_int_equal(hw_replay_json(&verdict, text, size), HW_ERANGE);
  }
}

static void options_reach_the_detector(void** unused) {
  (void)unused;
  hw_leak_options_t options;
  hw_leak_options_init(&options);
  options.alpha = 7;
  heard_t heard;
  hw_replay_handler_t handler = {hear_verdict, hear_error, &heard};
  hw_replay_t* replay;
  assert_int_equal(hw_replay_create(&options, &handler, &replay), HW_EINVAL);
  hw_replay_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_recorded_leak_is_announced),
      cmocka_unit_test(a_recorded_old_limit_goes_before_the_guess),
      cmocka_unit_test(a_trace_without_meta_has_no_time_to_the_limit),
      cmocka_unit_test(a_flat_trace_is_silent),
      cmocka_unit_test(the_cut_of_the_bytes_changes_nothing),
      cmocka_unit_test(a_verdict_is_one_line_of_json),
      cmocka_unit_test(the_largest_verdict_fits_and_less_room_is_an_error),
      cmocka_unit_test(options_reach_the_detector),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
