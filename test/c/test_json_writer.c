#include "test.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hw_event_json.h"
#include "core/hw_json_writer.h"

static const char* number(double value) {
  static char text[400];
  hw_json_writer_t json = {.text = text, .size = sizeof(text) - 1};
  hw_json_put_number(&json, NULL, value);
  assert_false(json.full);
  text[json.length] = '\0';
  return text;
}

static void numbers_are_exact_to_nine_decimals(void** state) {
  (void)state;
  assert_string_equal(number(0), "0");
  assert_string_equal(number(1), "1");
  assert_string_equal(number(-17), "-17");
  assert_string_equal(number(0.5), "0.5");
  assert_string_equal(number(0.000000001), "0.000000001");
  assert_string_equal(number(0.9999999999), "1");
  assert_string_equal(number(12.030), "12.03");
  assert_string_equal(number(1795541443663.25), "1795541443663.25");
  assert_string_equal(number(9007199254740991), "9007199254740991");
  assert_string_equal(number(1e18), "1000000000000000000");
  assert_string_equal(number(NAN), "null");
  assert_string_equal(number(-INFINITY), "null");
  assert_near(strtod(number(1.7e308), NULL), 1.7e308, 1e-14);
  srand(1);
  for (int i = 0; i < 100000; i++) {
    double value = ldexp(rand() / (double)RAND_MAX, rand() % 60) * 3;
    double read = strtod(number(value), NULL);
    assert_true(fabs(read - value) <= 5.1e-10 + value * 1e-15);
  }
}

static void strings_are_escaped(void** state) {
  (void)state;
  char text[100];
  hw_json_writer_t json = {.text = text, .size = sizeof(text)};
  hw_json_put_string(&json, NULL, "a\"\\\n\x1f/\xc3\xa9");
  assert_memory_equal(text, "\"a\\\"\\\\\\u000a\\u001f/\xc3\xa9\"",
                      json.length);
  assert_int_equal(json.length, 22);
}

static void commas_stand_between_values_and_nowhere_else(void** state) {
  (void)state;
  char text[200];
  hw_json_writer_t json = {.text = text, .size = sizeof(text)};
  hw_json_open(&json, NULL, '{');
  hw_json_put_number(&json, "a", 1);
  hw_json_open(&json, "b", '[');
  hw_json_open(&json, NULL, '{');
  hw_json_close(&json, '}');
  hw_json_put_null(&json, NULL);
  hw_json_open(&json, NULL, '[');
  hw_json_close(&json, ']');
  hw_json_close(&json, ']');
  hw_json_put_raw(&json, "c", "true", 4);
  hw_json_close(&json, '}');
  static const char expected[] = "{\"a\":1,\"b\":[{},null,[]],\"c\":true}";
  assert_int_equal(json.length, sizeof(expected) - 1);
  assert_memory_equal(text, expected, sizeof(expected) - 1);
}

static void what_does_not_fit_is_said_and_never_written(void** state) {
  (void)state;
  char text[64];
  for (size_t size = 0; size < 30; size++) {
    memset(text, '#', sizeof(text));
    hw_json_writer_t json = {.text = text, .size = size};
    hw_json_open(&json, NULL, '{');
    hw_json_put_string(&json, "key", "a value");
    hw_json_put_number(&json, "n", 1234.5);
    hw_json_close(&json, '}');
    assert_int_equal(json.full, size < 28);
    for (size_t i = size; i < sizeof(text); i++)
      assert_int_equal(text[i], '#');
  }
}

static void a_leak_has_the_fields_of_the_event(void** state) {
  (void)state;
  static hw_leak_verdict_t verdict = {.metric = HW_LEAK_ARRAY_BUFFERS,
                                      .basis = HW_LEAK_BY_FEW,
                                      .shape = HW_SHAPE_LINEAR,
                                      .time_ms = 5000,
                                      .since_ms = 1000,
                                      .duration_ms = 4000,
                                      .rate = 1.5,
                                      .rate_low = 1,
                                      .rate_high = 2,
                                      .growth = 6000,
                                      .confidence = 0.99,
                                      .time_to_limit_ms = -1,
                                      .count = 1,
                                      .evidence = {{1000, 7}}};
  char text[4096];
  size_t length =
      hw_event_leak_json(&verdict, 100, "[1]", 3, text, sizeof(text));
  text[length] = '\0';
  assert_string_equal(
      text,
      "{\"metric\":\"arrayBuffers\",\"time\":5100,\"since\":1100,"
      "\"duration\":4000,\"rate\":1.5,\"rateLow\":1,\"rateHigh\":2,"
      "\"growth\":6000,\"confidence\":0.99,\"timeToLimit\":null,"
      "\"limit\":null,\"basis\":\"few-collections\",\"shape\":\"linear\","
      "\"evidence\":[{\"time\":1100,\"value\":7}],\"sites\":[1]}");
  assert_int_equal(
      hw_event_leak_json(&verdict, 100, "[1]", 3, text, length - 1), 0);
}

static void any_verdict_fits_into_its_slot(void** state) {
  (void)state;
  static hw_leak_verdict_t verdict = {.metric = HW_LEAK_ARRAY_BUFFERS,
                                      .basis = HW_LEAK_BY_FEW,
                                      .count = HW_TREND_MAX};
  double* figures[] = {&verdict.time_ms,     &verdict.since_ms,
                       &verdict.rate,        &verdict.rate_low,
                       &verdict.rate_high,   &verdict.growth,
                       &verdict.limit_bytes, &verdict.time_to_limit_ms};
  for (size_t i = 0; i < COUNT_OF(figures); i++)
    *figures[i] = 9007199254740.123456789;
  for (int i = 0; i < HW_TREND_MAX; i++)
    verdict.evidence[i] = (hw_point_t){1e12 + 0.123456789, 1e15 + 0.123456789};
  char text[4096];
  assert_true(hw_event_leak_json(&verdict, 1e12, NULL, 0, text, sizeof(text)) >
              1000);
}

static void a_pressure_has_the_fields_of_the_event(void** state) {
  (void)state;
  hw_pressure_event_t event = {.reason = HW_PRESSURE_HEAP_LIMIT,
                               .time_ns = 2000000,
                               .ratio = 0.9,
                               .threshold = 0.85,
                               .used_bytes = 90,
                               .limit_bytes = 100};
  char text[480];
  size_t length = hw_event_pressure_json(&event, 1, text, sizeof(text));
  text[length] = '\0';
  assert_string_equal(text,
                      "{\"reason\":\"heap-limit\",\"time\":3,\"ratio\":0.9,"
                      "\"threshold\":0.85,\"used\":90,\"limit\":100}");
  event = (hw_pressure_event_t){
      .reason = HW_PRESSURE_GC_LOAD, .ratio = 0.5, .threshold = 0.3};
  length = hw_event_pressure_json(&event, 1, text, sizeof(text));
  text[length] = '\0';
  assert_string_equal(text,
                      "{\"reason\":\"gc-load\",\"time\":1,\"ratio\":0.5,"
                      "\"threshold\":0.3}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_are_exact_to_nine_decimals),
      cmocka_unit_test(strings_are_escaped),
      cmocka_unit_test(commas_stand_between_values_and_nowhere_else),
      cmocka_unit_test(what_does_not_fit_is_said_and_never_written),
      cmocka_unit_test(a_leak_has_the_fields_of_the_event),
      cmocka_unit_test(any_verdict_fits_into_its_slot),
      cmocka_unit_test(a_pressure_has_the_fields_of_the_event),
  };
  return cmocka_run_group_tests_name("json_writer", tests, NULL, NULL);
}
