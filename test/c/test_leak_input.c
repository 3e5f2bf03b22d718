/*
 * The detector on input that is wrong: clocks that go back or nowhere, gaps,
 * limits that jump, sizes that aren't known, one sample only. No verdict
 * without evidence, and no crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/hw_error.h"
#include "core/hw_evidence.h"
#include "core/hw_leak.h"
#include "core/hw_leak_internal.h"

#define MB 1048576.0

static hw_leak_t* create(void) {
  hw_leak_t* detector;
  assert_int_equal(hw_leak_create(NULL, &detector), 0);
  return detector;
}

static hw_leak_sample_t sample_at(double t, double live) {
  hw_leak_sample_t sample = {
      .time_ms = t * 1000,
      .heap_used_bytes = (uint64_t)((live + 5) * MB),
      .heap_total_bytes = (uint64_t)((live + 20) * MB),
      .physical_heap_bytes = HW_LEAK_UNKNOWN,
      .rss_bytes = (uint64_t)((live + 80) * MB),
      .external_bytes = (uint64_t)(2 * MB),
      .array_buffers_bytes = (uint64_t)MB,
      .native_contexts = 1,
      .old_limit_bytes = (uint64_t)(2048 * MB),
      .memory_limit_bytes = 0,
  };
  return sample;
}

/* A second of a process whose live heap is `live` MB, with a major collection
 * every fifth. */
static void second(hw_leak_t* detector, int t, double live) {
  if (t % 5 == 0) {
    hw_leak_gc(detector, t * 1000.0, true, (uint64_t)((live + 9) * MB),
               (uint64_t)(live * MB));
  }
  hw_leak_sample_t sample = sample_at(t, live);
  hw_leak_sample(detector, &sample);
}

static int leaks_in(hw_leak_t* detector) {
  hw_leak_verdict_t verdict;
  int leaks = 0;
  while (hw_leak_next(detector, HW_LEAK_EVENTS, &verdict)) {
    assert_true(isfinite(verdict.rate) && isfinite(verdict.growth));
    leaks += !verdict.over;
  }
  return leaks;
}

/* A process with little to do, whose live heap grows by `growth` MB a minute
 * and its garbage by 10 more: V8 collects every other minute, three times in a
 * row but for the first. */
static int leaks_in_quiet_process(double growth) {
  hw_leak_t* detector = create();
  int leaks = 0;
  for (int t = 0; t < 480; t++) {
    double live = 20 + growth * t / 60;
    double garbage = 10 * (t % 120) / 60.0;
    int phase = t % 120;
    if (phase == 12 || (t > 120 && (phase == 7 || phase == 9))) {
      hw_leak_gc(detector, t * 1000.0, true,
                 (uint64_t)((live + (phase == 7 ? 20 : 1)) * MB),
                 (uint64_t)((live + (phase == 12 ? 0.1 : 1)) * MB));
    }
    hw_leak_sample_t sample = sample_at(t, live + garbage);
    hw_leak_sample(detector, &sample);
    leaks += leaks_in(detector);
  }
  hw_leak_destroy(detector);
  return leaks;
}

static void collections_that_come_together_are_one(void** unused) {
  (void)unused;
  assert_int_equal(leaks_in_quiet_process(10), 1);
  assert_int_equal(leaks_in_quiet_process(0), 0);
  static const hw_point_t points[] = {{4, 12},   {8, 21},   {116, 41},
                                      {119, 40}, {225, 57}, {226, 56},
                                      {230, 58}, {331, 70}};
  hw_point_t merged[8];
  assert_int_equal(hw_evidence_merge(points, 8, HW_LEAK_TOGETHER, merged), 5);
  assert_true(merged[2].t == 116 && merged[2].v == 40);
  assert_true(merged[3].t == 225 && merged[3].v == 56);
  assert_true(merged[4].t == 331 && merged[4].v == 70);
  /* Those that come at their pace stay as they are. */
  assert_int_equal(hw_evidence_merge(points, 2, HW_LEAK_TOGETHER, merged), 2);
  assert_int_equal(hw_evidence_merge(points, 0, HW_LEAK_TOGETHER, merged), 0);
}

static void one_sample_says_nothing(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  assert_int_equal(leaks_in(detector), 0);
  second(detector, 0, 50);
  assert_int_equal(leaks_in(detector), 0);
  assert_false(hw_leak_suspected(detector));
  for (int i = 0; i < HW_LEAK_METRICS; i++) {
    hw_leak_verdict_t verdict;
    assert_int_equal(hw_leak_state(detector, (hw_leak_metric_t)i),
                     HW_LEAK_NONE);
    assert_int_equal(hw_leak_current(detector, (hw_leak_metric_t)i, &verdict),
                     HW_ESTATE);
  }
  hw_leak_destroy(detector);
}

static void times_that_are_no_numbers_are_refused_and_counted(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  static const double times[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300};
  for (int i = 0; i < 5; i++) {
    hw_leak_sample_t sample = sample_at(0, 50);
    sample.time_ms = times[i];
    hw_leak_sample(detector, &sample);
    hw_leak_gc(detector, times[i], true, 100, 100);
  }
  hw_leak_faults_t faults;
  hw_leak_faults(detector, &faults);
  assert_int_equal(faults.bad_times, 10);
  assert_int_equal(leaks_in(detector), 0);
  hw_leak_destroy(detector);
}

static void a_leak_is_found_among_times_that_go_back(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  int leaks = 0;
  for (int t = 0; t < 120; t++) {
    second(detector, t, 20 + t);
    /* Queued collections come a little late; others are nonsense. */
    hw_leak_gc(detector, t * 1000.0 - 700, false, (uint64_t)(300 * MB),
               (uint64_t)((26 + t) * MB));
    hw_leak_sample_t early = sample_at(t - 60, 900);
    hw_leak_sample(detector, &early);
    leaks += leaks_in(detector);
  }
  assert_int_equal(leaks, 1);
  hw_leak_faults_t faults;
  hw_leak_faults(detector, &faults);
  assert_int_equal(faults.bad_times, 120);
  assert_int_equal(faults.restarts, 0);
  hw_leak_destroy(detector);
}

static void a_clock_set_back_for_good_starts_anew(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  for (int t = 5000; t < 5120; t++)
    second(detector, t, t - 4980);
  assert_int_equal(leaks_in(detector), 1);
  /* An hour back, and flat from now on. */
  for (int t = 1400; t < 1700; t++)
    second(detector, t, 140);
  hw_leak_faults_t faults;
  hw_leak_faults(detector, &faults);
  assert_int_equal(faults.restarts, 1);
  hw_leak_verdict_t verdict;
  assert_true(hw_leak_next(detector, HW_LEAK_EVENTS, &verdict));
  assert_true(verdict.over);
  assert_int_equal(leaks_in(detector), 0);
  assert_false(hw_leak_suspected(detector));
  hw_leak_destroy(detector);
}

/* SIGSTOP for a minute, then SIGCONT: the minute is no evidence. */
static void a_suspended_process_is_not_watched_meanwhile(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  /* Growing for 30 s, stopped for a minute, and growing for 10 s more: forty
   * seconds have been seen, not a hundred. */
  for (int t = 0; t < 30; t++)
    second(detector, t, 20 + t);
  for (int t = 90; t < 100; t++)
    second(detector, t, 20 + t - 60);
  assert_int_equal(leaks_in(detector), 0);
  for (int t = 100; t < 140; t++)
    second(detector, t, 20 + t - 60);
  assert_int_equal(leaks_in(detector), 1);
  hw_leak_faults_t faults;
  hw_leak_faults(detector, &faults);
  assert_int_equal(faults.gaps, 1);
  hw_leak_destroy(detector);
}

static void a_flat_process_may_be_suspended_at_any_time(void** unused) {
  (void)unused;
  for (int at = 1; at < 100; at += 7) {
    hw_leak_t* detector = create();
    for (int t = 0; t < 100; t++)
      second(detector, t < at ? t : t + 60, 30);
    assert_int_equal(leaks_in(detector), 0);
    assert_false(hw_leak_suspected(detector));
    hw_leak_destroy(detector);
  }
}

/* With an hour between samples, an hour's silence is no gap. */
static void slow_sampling_is_not_taken_for_gaps(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  for (int i = 0; i < 48; i++) {
    hw_leak_sample_t sample = sample_at(i * 3600.0, 30);
    hw_leak_sample(detector, &sample);
  }
  hw_leak_faults_t faults;
  hw_leak_faults(detector, &faults);
  assert_int_equal(faults.gaps, 0);
  hw_leak_destroy(detector);
}

static void an_hour_without_a_major_collection_is_no_end(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  for (int t = 0; t < 120; t++)
    second(detector, t, 20 + t);
  assert_int_equal(leaks_in(detector), 1);
  for (int t = 120; t < 3720; t++) {
    hw_leak_sample_t sample = sample_at(t, 140);
    hw_leak_sample(detector, &sample);
  }
  hw_leak_verdict_t verdict;
  assert_false(hw_leak_next(detector, HW_LEAK_EVENTS, &verdict));
  assert_int_equal(hw_leak_state(detector, HW_LEAK_HEAP), HW_LEAK_ESTABLISHED);
  /* The collections come back and show that nothing has grown. */
  for (int t = 3720; t < 6000; t++)
    second(detector, t, 140);
  assert_true(hw_leak_next(detector, HW_LEAK_EVENTS, &verdict));
  assert_true(verdict.over);
  hw_leak_destroy(detector);
}

static void an_hour_without_collections_of_a_flat_process_is_nothing(
    void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  for (int t = 0; t < 3600; t++) {
    hw_leak_sample_t sample = sample_at(t, 40 + t % 7);
    hw_leak_sample(detector, &sample);
    assert_int_equal(leaks_in(detector), 0);
  }
  hw_leak_destroy(detector);
}

static void a_limit_that_jumps_is_followed(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  for (int t = 0; t < 200; t++) {
    if (t % 5 == 0) {
      hw_leak_gc(detector, t * 1000.0, true, (uint64_t)((29 + t) * MB),
                 (uint64_t)((20 + t) * MB));
    }
    hw_leak_sample_t sample = sample_at(t, 20 + t);
    static const double limits[] = {0, 256, 1, 4096, 1e12};
    sample.old_limit_bytes = (uint64_t)(limits[t / 40] * MB);
    hw_leak_sample(detector, &sample);
  }
  assert_int_equal(leaks_in(detector), 1);
  hw_leak_verdict_t verdict;
  assert_int_equal(hw_leak_current(detector, HW_LEAK_HEAP, &verdict), 0);
  assert_true(verdict.time_to_limit_ms > 0);
  hw_leak_destroy(detector);
}

static void without_a_limit_no_time_to_it_is_told(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  for (int t = 0; t < 120; t++) {
    if (t % 5 == 0) {
      hw_leak_gc(detector, t * 1000.0, true, HW_LEAK_UNKNOWN,
                 (uint64_t)((20 + t) * MB));
    }
    hw_leak_sample_t sample = sample_at(t, 20 + t);
    sample.old_limit_bytes = HW_LEAK_UNKNOWN;
    sample.memory_limit_bytes = HW_LEAK_UNKNOWN;
    hw_leak_sample(detector, &sample);
  }
  hw_leak_verdict_t verdict;
  assert_true(hw_leak_next(detector, HW_LEAK_EVENTS, &verdict));
  assert_true(verdict.time_to_limit_ms < 0);
  assert_true(verdict.limit_bytes == 0);
  hw_leak_destroy(detector);
}

static void sizes_not_known_or_absurd_are_left_out(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  for (int t = 0; t < 300; t++) {
    hw_leak_sample_t sample;
    memset(&sample, 0xff, sizeof sample);
    sample.time_ms = t * 1000;
    if (t % 2) sample.heap_used_bytes = UINT64_C(1) << 61;
    hw_leak_sample(detector, &sample);
    hw_leak_gc(detector, t * 1000.0, true, HW_LEAK_UNKNOWN, HW_LEAK_UNKNOWN);
    hw_leak_gc(detector, t * 1000.0, true, 5, UINT64_MAX - 1);
  }
  assert_int_equal(leaks_in(detector), 0);
  hw_leak_faults_t faults;
  hw_leak_faults(detector, &faults);
  assert_int_equal(faults.bad_values, 150 + 300);
  hw_leak_destroy(detector);
}

static void all_at_one_time_is_no_evidence(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  for (int i = 0; i < 1000; i++) {
    hw_leak_gc(detector, 5000, true, (uint64_t)(i * 2 * MB),
               (uint64_t)(i * MB));
    hw_leak_sample_t sample = sample_at(5, i);
    hw_leak_sample(detector, &sample);
  }
  assert_int_equal(leaks_in(detector), 0);
  hw_leak_destroy(detector);
}

static void senseless_options_are_refused(void** unused) {
  (void)unused;
  hw_leak_t* detector = NULL;
  hw_leak_options_t options;
#define REFUSED(name, value)                                        \
  hw_leak_options_init(&options);                                   \
  options.name = value;                                             \
  assert_int_equal(hw_leak_create(&options, &detector), HW_EINVAL); \
  assert_null(detector)
  REFUSED(alpha, 0);
  REFUSED(alpha, 1);
  REFUSED(alpha, NAN);
  REFUSED(min_points, 3);
  REFUSED(min_points, HW_TREND_MAX + 1);
  REFUSED(min_envelope_points, 0);
  REFUSED(min_growth_bytes, -1);
  REFUSED(min_growth_share, 1.5);
  REFUSED(evidence_ms, NAN);
  REFUSED(evidence_ms, INFINITY);
  REFUSED(headroom_share, -.1);
  REFUSED(bucket_ms, 0);
  REFUSED(envelope_ms, 1e12);
  REFUSED(few_retained, NAN);
#undef REFUSED
  hw_leak_options_init(&options);
  assert_int_equal(hw_leak_create(&options, &detector), 0);
  hw_leak_destroy(detector);
  hw_leak_destroy(NULL);
}

static void names_are_those_of_the_events(void** unused) {
  (void)unused;
  assert_string_equal(hw_leak_metric_name(HW_LEAK_HEAP), "heap");
  assert_string_equal(hw_leak_metric_name(HW_LEAK_EXTERNAL), "external");
  assert_string_equal(hw_leak_metric_name(HW_LEAK_ARRAY_BUFFERS),
                      "arrayBuffers");
  assert_string_equal(hw_leak_metric_name(HW_LEAK_NATIVE), "native");
  assert_string_equal(hw_leak_metric_name(HW_LEAK_CONTEXTS), "contexts");
  assert_string_equal(hw_leak_metric_name((hw_leak_metric_t)77), "unknown");
  assert_string_equal(hw_leak_basis_name(HW_LEAK_BY_FEW), "few-collections");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(collections_that_come_together_are_one),
      cmocka_unit_test(one_sample_says_nothing),
      cmocka_unit_test(times_that_are_no_numbers_are_refused_and_counted),
      cmocka_unit_test(a_leak_is_found_among_times_that_go_back),
      cmocka_unit_test(a_clock_set_back_for_good_starts_anew),
      cmocka_unit_test(a_suspended_process_is_not_watched_meanwhile),
      cmocka_unit_test(a_flat_process_may_be_suspended_at_any_time),
      cmocka_unit_test(slow_sampling_is_not_taken_for_gaps),
      cmocka_unit_test(an_hour_without_a_major_collection_is_no_end),
      cmocka_unit_test(
          an_hour_without_collections_of_a_flat_process_is_nothing),
      cmocka_unit_test(a_limit_that_jumps_is_followed),
      cmocka_unit_test(without_a_limit_no_time_to_it_is_told),
      cmocka_unit_test(sizes_not_known_or_absurd_are_left_out),
      cmocka_unit_test(all_at_one_time_is_no_evidence),
      cmocka_unit_test(senseless_options_are_refused),
      cmocka_unit_test(names_are_those_of_the_events),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
