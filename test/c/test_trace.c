/*
 * The trace reader: what it accepts, what it refuses and with which words, and
 * that neither depends on how the bytes arrive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hw_trace.h"

typedef struct {
  int records;
  hw_trace_record_t last;
  int errors;
  uint64_t error_line;
  const char* reason;
} heard_t;

static void hear_record(void* context, const hw_trace_record_t* record) {
  heard_t* heard = context;
  heard->records++;
  heard->last = *record;
}

static void hear_error(void* context, uint64_t line, const char* reason) {
  heard_t* heard = context;
  heard->errors++;
  heard->error_line = line;
  heard->reason = reason;
}

static heard_t read_in_parts(const char* text, size_t size, size_t part) {
  heard_t heard = {0};
  hw_trace_handler_t handler = {hear_record, hear_error, &heard};
  hw_trace_t* reader;
  assert_int_equal(hw_trace_create(&handler, &reader), 0);
  for (size_t i = 0; i < size; i += part) {
    hw_trace_push(reader, text + i, size - i < part ? size - i : part);
  }
  hw_trace_finish(reader);
  hw_trace_destroy(reader);
  return heard;
}

static heard_t read_text(const char* text) {
  return read_in_parts(text, strlen(text), 1 << 20);
}

static hw_trace_record_t parse(const char* line) {
  hw_trace_record_t record;
  const char* wrong = hw_trace_parse(line, strlen(line), &record);
  if (wrong != NULL) fail_msg("%s: %s", line, wrong);
  return record;
}

static const char* refusal(const char* line) {
  hw_trace_record_t record;
  const char* wrong = hw_trace_parse(line, strlen(line), &record);
  return wrong != NULL ? wrong : "accepted";
}

static void the_three_kinds_of_line_are_read(void** unused) {
  (void)unused;
  hw_trace_record_t r = parse(
      "{\"t\":1500.25,\"type\":\"sample\",\"heapUsed\":5000000,"
      "\"heapTotal\":6000000,\"rss\":50000000,\"external\":1000,"
      "\"arrayBuffers\":17}");
  assert_int_equal(r.type, HW_TRACE_SAMPLE);
  assert_true(r.fields[HW_TRACE_T] == 1500.25);
  assert_true(r.fields[HW_TRACE_HEAP_USED] == 5000000);
  assert_true(r.fields[HW_TRACE_HEAP_TOTAL] == 6000000);
  assert_true(r.fields[HW_TRACE_RSS] == 50000000);
  assert_true(r.fields[HW_TRACE_EXTERNAL] == 1000);
  assert_true(r.fields[HW_TRACE_ARRAY_BUFFERS] == 17);
  assert_true(isnan(r.fields[HW_TRACE_NATIVE_CONTEXTS]));
  r = parse(
      "{\"t\":7,\"type\":\"gc\",\"kind\":\"major\",\"duration\":2.5,"
      "\"heapBefore\":9,\"heapAfter\":8}");
  assert_int_equal(r.type, HW_TRACE_GC);
  assert_int_equal(r.kind, HW_TRACE_MAJOR);
  assert_true(r.fields[HW_TRACE_HEAP_BEFORE] == 9);
  assert_true(r.fields[HW_TRACE_HEAP_AFTER] == 8);
  assert_true(r.fields[HW_TRACE_DURATION] == 2.5);
  r = parse("{\"type\":\"meta\",\"heapLimit\":1e9,\"memoryLimit\":null}");
  assert_int_equal(r.type, HW_TRACE_META);
  assert_true(r.fields[HW_TRACE_HEAP_LIMIT] == 1e9);
  assert_true(isnan(r.fields[HW_TRACE_MEMORY_LIMIT]));
}

static void kinds_of_collections_are_told_apart(void** unused) {
  (void)unused;
  assert_int_equal(parse("{\"t\":1,\"type\":\"gc\",\"kind\":\"minor\"}").kind,
                   HW_TRACE_MINOR);
  assert_int_equal(
      parse("{\"t\":1,\"type\":\"gc\",\"kind\":\"incremental\"}").kind,
      HW_TRACE_OTHER);
  assert_int_equal(parse("{\"t\":1,\"type\":\"gc\"}").kind, HW_TRACE_OTHER);
}

static void any_json_around_our_keys_is_skipped(void** unused) {
  (void)unused;
  hw_trace_record_t r = parse(
      " { \"a\" : [ ] , \"b\":{},\"c\":[1,[2,{\"d\":[[],{}]}],\"]\",\"}\"],"
      "\"e\":{\"t\":99,\"f\":{\"type\":\"gc\"}},\"\":true,\"n\":null,"
      "\"x\":false,\"type\":\"sample\",\"u\":\"\\u00e9\\ud83d\\ude00\\n\\\"\","
      "\"t\":3 } \r");
  assert_int_equal(r.type, HW_TRACE_SAMPLE);
  assert_true(r.fields[HW_TRACE_T] == 3);
}

static void names_may_be_escaped(void** unused) {
  (void)unused;
  hw_trace_record_t r =
      parse("{\"\\u0074\":4,\"t\\u0079pe\":\"s\\u0061mple\"}");
  assert_int_equal(r.type, HW_TRACE_SAMPLE);
  assert_true(r.fields[HW_TRACE_T] == 4);
}

static void numbers_come_in_any_form_of_json(void** unused) {
  (void)unused;
  static const struct {
    const char* text;
    double value;
  } numbers[] = {
      {"0", 0},
      {"-0", 0},
      {"1e3", 1000},
      {"1E+3", 1000},
      {"15e-1", 1.5},
      {"0.25", 0.25},
      {"9007199254740991", 9007199254740991.0},
      {"123456789012345678901234567890", 123456789012345678901234567890.0},
      {"0.000000000000000000000000000001", 1e-30},
      {"1e-400", 0},
      {"0e999999999999", 0},
      {"0.00000000000000000000000000000000000001e40", 100},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    char line[128];
    snprintf(line, sizeof line, "{\"type\":\"sample\",\"t\":%s}",
             numbers[i].text);
    double t = parse(line).fields[HW_TRACE_T];
    assert_true(fabs(t - numbers[i].value) <= 1e-14 * fabs(numbers[i].value));
  }
}

/* Against the C library's reader, bit for bit for integers. */
static void numbers_agree_with_strtod(void** unused) {
  (void)unused;
  uint64_t state = 3;
  for (int i = 0; i < 20000; i++) {
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    char text[64];
    int digits = (int)(state >> 60);
    double value = ldexp((double)(state >> 11), -(int)(state & 63));
    snprintf(text, sizeof text, i % 2 ? "%.*f" : "%.*e", digits, value);
    char line[128];
    snprintf(line, sizeof line, "{\"type\":\"sample\",\"t\":%s}", text);
    double t = parse(line).fields[HW_TRACE_T];
    double expected = strtod(text, NULL);
    assert_true(fabs(t - expected) <= 1e-14 * fabs(expected));
    if (strpbrk(text, ".e") == NULL && expected < 9007199254740992.0) {
      assert_true(t == expected);
    }
  }
}

static void lines_that_are_not_json_are_refused(void** unused) {
  (void)unused;
  static const char* const lines[] = {
      "{",
      "}",
      "[]",
      "nonsense",
      "{\"t\":1,\"type\":\"sample\"",
      "{\"t\":1,\"type\":\"sample\"}}",
      "{\"t\":1,\"type\":\"sample\",}",
      "{\"t\":1 \"type\":\"sample\"}",
      "{\"t\" 1,\"type\":\"sample\"}",
      "{t:1,\"type\":\"sample\"}",
      "{\"t\":01,\"type\":\"sample\"}",
      "{\"t\":1.,\"type\":\"sample\"}",
      "{\"t\":.5,\"type\":\"sample\"}",
      "{\"t\":+1,\"type\":\"sample\"}",
      "{\"t\":1e,\"type\":\"sample\"}",
      "{\"t\":-,\"type\":\"sample\"}",
      "{\"t\":NaN,\"type\":\"sample\"}",
      "{\"t\":Infinity,\"type\":\"sample\"}",
      "{\"t\":1,\"type\":\"sam",
      "{\"t\":1,\"type\":\"sample\",\"x\":\"\\q\"}",
      "{\"t\":1,\"type\":\"sample\",\"x\":\"\\u12g4\"}",
      "{\"t\":1,\"type\":\"sample\",\"x\":\"\t\"}",
      "{\"t\":1,\"type\":\"sample\",\"x\":[1,]}",
      "{\"t\":1,\"type\":\"sample\",\"x\":[1}",
      "{\"t\":1,\"type\":\"sample\",\"x\":{\"y\"}}",
      "{\"t\":1,\"type\":\"sample\",\"x\":{1:2}}",
      "{\"t\":1,\"type\":\"sample\",\"x\":{\"y\":1,}}",
      "{\"t\":1,\"type\":\"sample\",\"x\":tru}",
      "{\"t\":1,\"type\":\"sample\",\"x\":nul}",
      "{\"t\":1,\"type\":\"sample\"} {}",
  };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    const char* reason = refusal(lines[i]);
    if (strcmp(reason, "accepted") == 0 || *reason == '\0') {
      fail_msg("accepted: %s", lines[i]);
    }
  }
}

static void lines_that_mean_nothing_say_why(void** unused) {
  (void)unused;
  assert_string_equal(refusal("{}"), "no type");
  assert_string_equal(refusal("{\"t\":1}"), "no type");
  assert_string_equal(refusal("{\"type\":\"sample\"}"), "no time");
  assert_string_equal(refusal("{\"type\":\"gc\",\"t\":null}"), "no time");
  assert_string_equal(refusal("{\"type\":\"sample\",\"t\":1,\"rss\":-5}"),
                      "a negative size");
  assert_string_equal(refusal("{\"type\":\"sample\",\"t\":1,\"rss\":\"5\"}"),
                      "a number was expected");
  assert_string_equal(refusal("{\"type\":\"sample\",\"t\":1,\"rss\":1e999}"),
                      "a number beyond all range");
  assert_string_equal(refusal("{\"type\":\"pressure\",\"t\":1}"), "");
  assert_string_equal(refusal("   "), "");
}

static void nesting_is_bounded(void** unused) {
  (void)unused;
  char line[4096];
  for (int depth = HW_TRACE_DEPTH; depth <= HW_TRACE_DEPTH + 1; depth++) {
    char* at = line + sprintf(line, "{\"type\":\"sample\",\"t\":1,\"x\":");
    for (int i = 0; i < depth; i++)
      *at++ = '[';
    for (int i = 0; i < depth; i++)
      *at++ = ']';
    strcpy(at, "}");
    assert_string_equal(refusal(line), depth > HW_TRACE_DEPTH
                                           ? "nested too deeply"
                                           : "accepted");
  }
}

static void bad_lines_are_numbered_and_the_rest_is_read(void** unused) {
  (void)unused;
  heard_t heard = read_text(
      "\xef\xbb\xbf{\"type\":\"meta\"}\n"
      "\r\n"
      "{\"type\":\"sample\",\"t\":1}\r\n"
      "oops\n"
      "{\"type\":\"sample\",\"t\":2}\n");
  assert_int_equal(heard.records, 3);
  assert_int_equal(heard.last.line, 5);
  assert_true(heard.last.fields[HW_TRACE_T] == 2);
  assert_int_equal(heard.errors, 1);
  assert_int_equal(heard.error_line, 4);
  assert_string_equal(heard.reason, "not an object");
}

static void a_truncated_trace_is_used_to_its_end(void** unused) {
  (void)unused;
  heard_t heard =
      read_text("{\"type\":\"sample\",\"t\":1}\n{\"type\":\"sample\",\"t\":2");
  assert_int_equal(heard.records, 1);
  assert_int_equal(heard.errors, 1);
  assert_int_equal(heard.error_line, 2);
  heard =
      read_text("{\"type\":\"sample\",\"t\":1}\n{\"type\":\"sample\",\"t\":2}");
  assert_int_equal(heard.records, 2);
  assert_int_equal(heard.errors, 0);
}

static void endless_lines_are_skipped(void** unused) {
  (void)unused;
  size_t size = 3 * HW_TRACE_LINE;
  char* text = malloc(size + 64);
  memset(text, 'x', size);
  strcpy(text + size, "\n{\"type\":\"sample\",\"t\":9}\n");
  heard_t heard = read_in_parts(text, strlen(text), 1000);
  assert_int_equal(heard.errors, 1);
  assert_int_equal(heard.error_line, 1);
  assert_int_equal(heard.records, 1);
  assert_int_equal(heard.last.line, 2);
  free(text);
}

static void a_line_as_long_as_allowed_is_read(void** unused) {
  (void)unused;
  for (int over = 0; over <= 1; over++) {
    char* text = malloc(HW_TRACE_LINE + 8);
    memset(text, ' ', HW_TRACE_LINE + 8);
    memcpy(text, "{\"type\":\"sample\",\"t\":9}", 23);
    text[HW_TRACE_LINE + over] = '\n';
    heard_t heard = read_in_parts(text, HW_TRACE_LINE + 1u + (size_t)over, 777);
    assert_int_equal(heard.records, 1 - over);
    assert_int_equal(heard.errors, over);
    free(text);
  }
}

static void the_cut_of_the_bytes_does_not_matter(void** unused) {
  (void)unused;
  static const char text[] =
      "{\"type\":\"meta\",\"heapLimit\":5}\nbad\n\n"
      "{\"type\":\"sample\",\"t\":1,\"rss\":1e2}\n{\"t\":2";
  for (size_t part = 1; part < sizeof text; part++) {
    heard_t heard = read_in_parts(text, sizeof text - 1, part);
    assert_int_equal(heard.records, 2);
    assert_int_equal(heard.errors, 2);
    assert_int_equal(heard.error_line, 5);
    assert_true(heard.last.fields[HW_TRACE_RSS] == 100);
  }
}

static void bytes_of_zero_are_refused(void** unused) {
  (void)unused;
  static const char line[] = "{\"type\":\"sample\",\"t\":1,\"x\":\"\\\0\"}";
  hw_trace_record_t record;
  assert_non_null(hw_trace_parse(line, sizeof line - 1, &record));
  assert_non_null(hw_trace_parse("\0", 1, &record));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_three_kinds_of_line_are_read),
      cmocka_unit_test(kinds_of_collections_are_told_apart),
      cmocka_unit_test(any_json_around_our_keys_is_skipped),
      cmocka_unit_test(names_may_be_escaped),
      cmocka_unit_test(numbers_come_in_any_form_of_json),
      cmocka_unit_test(numbers_agree_with_strtod),
      cmocka_unit_test(lines_that_are_not_json_are_refused),
      cmocka_unit_test(lines_that_mean_nothing_say_why),
      cmocka_unit_test(nesting_is_bounded),
      cmocka_unit_test(bad_lines_are_numbered_and_the_rest_is_read),
      cmocka_unit_test(a_truncated_trace_is_used_to_its_end),
      cmocka_unit_test(endless_lines_are_skipped),
      cmocka_unit_test(a_line_as_long_as_allowed_is_read),
      cmocka_unit_test(the_cut_of_the_bytes_does_not_matter),
      cmocka_unit_test(bytes_of_zero_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
