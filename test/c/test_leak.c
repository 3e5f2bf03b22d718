/*
 * The detector on simulated heaps. Real programs judge it elsewhere; here every
 * claim can be isolated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/hw_error.h"
#include "core/hw_leak.h"
#include "leak_programs.h"

static void a_steady_leak_is_announced_once_within_a_minute(void** unused) {
  (void)unused;
  program_t p = usual;
  p.live = line;
  p.a = 1;
  heard_t heard = run(p, 10 * MINUTE);
  assert_int_equal(heard.leaks, 1);
  assert_int_equal(heard.ends, 0);
  assert_true(heard.suspected_first);
  assert_true(heard.leak_at < 75);
  assert_int_equal(heard.leak.metric, HW_LEAK_HEAP);
  assert_true(fabs(heard.leak.rate - MB) < .15 * MB);
  assert_true(heard.leak.rate_low <= MB && MB <= heard.leak.rate_high);
  assert_true(heard.leak.confidence > .8 && heard.leak.confidence <= 1);
  assert_int_equal(heard.leak.basis, HW_LEAK_BY_COLLECTIONS);
  double left = (2048 - 20 - heard.leak_at) / 1 * 1000;
  assert_true(fabs(heard.leak.time_to_limit_ms - left) < .2 * left);
  assert_true(heard.leak.limit_bytes == 2048 * MB);
}

static void the_evidence_is_the_points_themselves(void** unused) {
  (void)unused;
  program_t p = usual;
  p.live = line;
  p.a = 1;
  heard_t heard = run(p, 2 * MINUTE);
  const hw_leak_verdict_t* leak = &heard.leak;
  assert_in_range(leak->count, 6, HW_TREND_MAX);
  assert_true(leak->evidence[0].t == leak->since_ms);
  assert_true(leak->evidence[leak->count - 1].t <= leak->time_ms);
  for (uint32_t i = 0; i < leak->count; i++) {
    double live = (20 + leak->evidence[i].t / 1000) * MB;
    assert_true(leak->evidence[i].v >= live - MB);
    assert_true(leak->evidence[i].v <= live + 2.1 * MB);
  }
}

static void healthy_programs_are_left_alone(void** unused) {
  (void)unused;
  static const struct {
    double (*live)(double, double, double);
    double a;
    double b;
  } healthy[] = {
      {flat, 0, 0},      {filling, 2, 15},   {filling, 1, 30},
      {filling, .5, 32}, {filling, .05, 48}, {warming, 60, 8},
      {warming, 200, 4}, {sawtooth, 1, 20},  {sawtooth, .5, 37},
      {wave, 30, 60},    {wave, 20, 40},     {stairs, 10, 14},
      {stairs, 6, 25},   {wave, 80, DAY},
  };
  for (size_t i = 0; i < sizeof healthy / sizeof *healthy; i++) {
    for (int variant = 0; variant < 6; variant++) {
      program_t p = usual;
      p.live = healthy[i].live;
      p.a = healthy[i].a;
      p.b = healthy[i].b;
      p.promoted = variant % 2 ? 1 : 6;
      p.floating = variant % 3;
      p.step = variant % 2 ? 1 : .25;
      heard_t heard = run(p, variant < 2 ? 2 * HOUR : 5 * MINUTE);
      if (heard.leaks > 0) {
        fail_msg("program %zu, variant %d at %f s", i, variant, heard.leak_at);
      }
    }
  }
}

static void leaks_are_found_through_what_bends_them(void** unused) {
  (void)unused;
  static const struct {
    double (*live)(double, double, double);
    double a;
    double b;
  } leaks[] = {
      {line, .2, 0},   {line, 5, 0},   {line, 1, 20},
      {bursts, .5, 5}, {bursts, 1, 8},
  };
  for (size_t i = 0; i < sizeof leaks / sizeof *leaks; i++) {
    for (int variant = 0; variant < 6; variant++) {
      program_t p = usual;
      p.live = leaks[i].live;
      p.a = leaks[i].a;
      p.b = leaks[i].b;
      p.promoted = variant % 2 ? 2 : 6;
      p.floating = variant % 3;
      p.step = variant % 2 ? 1 : .25;
      heard_t heard = run(p, 3 * MINUTE);
      if (heard.leaks != 1) {
        fail_msg("leak %zu, variant %d: %d", i, variant, heard.leaks);
      }
    }
  }
}

static void a_daily_wave_is_no_leak(void** unused) {
  (void)unused;
  program_t p = usual;
  p.live = wave;
  p.a = 60;
  p.b = DAY;
  p.step = 10;
  assert_int_equal(run(p, 4 * DAY).leaks, 0);
}

static void a_leak_of_a_megabyte_an_hour_is_found_in_days(void** unused) {
  (void)unused;
  program_t p = usual;
  p.live = line;
  p.a = 1 / HOUR;
  p.step = 10;
  heard_t heard = run(p, 4 * DAY);
  assert_int_equal(heard.leaks, 1);
  assert_true(heard.leak.rate > .7 / HOUR * MB);
  assert_true(heard.leak.rate < 1.4 / HOUR * MB);
}

static void a_leak_of_ten_megabytes_a_second_leaves_half_the_room(
    void** unused) {
  (void)unused;
  static const double rates[] = {2, 5, 10, 20, 40};
  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
    program_t p = usual;
    p.live = line;
    p.a = rates[i];
    p.step = .25;
    heard_t heard = run(p, 2000 / rates[i]);
    assert_int_equal(heard.leaks, 1);
    assert_true(heard.used_share < .5);
  }
}

static void a_leak_that_begins_after_a_day_is_found_in_time(void** unused) {
  (void)unused;
  program_t p = usual;
  p.live = line;
  p.a = 3;
  p.b = DAY;
  heard_t heard = run(p, DAY + 10 * MINUTE);
  assert_int_equal(heard.leaks, 1);
  /* A heap that grows by half from one collection to the next has few to show,
   * and a day of flat windows asks for surer ones. */
  assert_true(heard.used_share < .5);
  assert_true(heard.leak_at > DAY);
}

static void bursts_of_a_process_that_runs_for_long_are_forgiven(void** unused) {
  (void)unused;
  /* Every hour something fills for two minutes and lets go. */
  program_t p = usual;
  p.live = hourly;
  p.a = 1;
  p.b = 120;
  heard_t heard = run(p, 12 * HOUR);
  assert_int_equal(heard.leaks, 0);
}

static void each_metric_is_named(void** unused) {
  (void)unused;
  program_t p = usual;
  p.external = 1;
  heard_t heard = run(p, 3 * MINUTE);
  assert_int_equal(heard.leaks, 1);
  assert_int_equal(heard.leak.metric, HW_LEAK_EXTERNAL);
  p.external = 0;
  p.buffers = 1;
  heard = run(p, 3 * MINUTE);
  assert_int_equal(heard.leaks, 1);
  assert_int_equal(heard.leak.metric, HW_LEAK_ARRAY_BUFFERS);
  assert_true(heard.leak.limit_bytes == 8192 * MB);
  p.buffers = 0;
  p.native = 1;
  heard = run(p, 3 * MINUTE);
  assert_int_equal(heard.leaks, 1);
  assert_int_equal(heard.leak.metric, HW_LEAK_NATIVE);
  p.native = 0;
  p.contexts = .5;
  heard = run(p, 3 * MINUTE);
  assert_int_equal(heard.leaks, 1);
  assert_int_equal(heard.leak.metric, HW_LEAK_CONTEXTS);
  assert_true(fabs(heard.leak.rate - .5) < .1);
}

static void memory_freed_but_not_given_back_is_not_native(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  heard_t heard = {0};
  program_t p = usual;
  for (int t = 0; t < 300; t++) {
    /* The heap shrinks from 300 MB bit by bit and rss stays where it was. */
    hw_leak_sample_t sample = sample_of(&p, t, 300 - t * .8);
    sample.rss_bytes = (uint64_t)(400 * MB);
    hw_leak_sample(detector, &sample);
    listen(detector, t, &heard);
  }
  assert_int_equal(heard.leaks, 0);
  hw_leak_destroy(detector);
}

/* A collection frees `dropped` MB at second `at` that V8 doesn't give back, nor
 * use again: rss goes on growing with the heap. */
static void drop_without_return(double at, double dropped) {
  hw_leak_t* detector = create();
  program_t p = usual;
  for (int t = 0; t < 240; t++) {
    double grown = 110 + 2.4 * t;
    double heap = t < at ? grown : grown - dropped;
    hw_leak_sample_t sample = sample_of(&p, t, heap);
    sample.physical_heap_bytes = (uint64_t)(heap * MB);
    sample.rss_bytes = (uint64_t)((65 + .05 * t + grown) * MB);
    hw_leak_sample(detector, &sample);
    hw_leak_verdict_t verdict;
    while (hw_leak_next(detector, HW_LEAK_EVENTS, &verdict)) {
      assert_int_not_equal(verdict.metric, HW_LEAK_NATIVE);
    }
  }
  hw_leak_destroy(detector);
}

static void memory_freed_and_replaced_is_not_native(void** unused) {
  (void)unused;
  for (double at = 10; at < 100; at += 5) {
    for (double dropped = 20; dropped <= 200; dropped += 20) {
      drop_without_return(at, dropped);
    }
  }
}

static void a_leak_ends_when_growth_stops(void** unused) {
  (void)unused;
  program_t p = usual;
  p.live = filling;
  p.a = 1;
  p.b = 120;
  heard_t heard = run(p, 10 * MINUTE);
  assert_int_equal(heard.leaks, 1);
  assert_int_equal(heard.ends, 1);
  assert_int_equal(heard.end.metric, HW_LEAK_HEAP);
  assert_true(heard.end.over);
  assert_true(heard.end_at > 120 && heard.end_at < 280);
  assert_true(heard.end.since_ms == heard.leak.since_ms);
}

static void a_leak_ends_when_memory_comes_back(void** unused) {
  (void)unused;
  program_t p = usual;
  p.live = returned;
  p.a = 1;
  p.b = 120;
  heard_t heard = run(p, 4 * MINUTE);
  assert_int_equal(heard.leaks, 1);
  assert_int_equal(heard.ends, 1);
  assert_true(heard.end_at < 170);
}

static void a_second_episode_is_a_second_event(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  heap_t heap = {0};
  heard_t heard = {0};
  state = 5;
  program_t p = usual;
  p.live = filling;
  p.a = 1;
  p.b = 120;
  play(detector, &p, &heap, 0, 400, &heard);
  assert_int_equal(heard.leaks, 1);
  assert_int_equal(heard.ends, 1);
  hw_leak_verdict_t current;
  assert_int_equal(hw_leak_current(detector, HW_LEAK_HEAP, &current),
                   HW_ESTATE);
  p.base += 120;
  p.live = line;
  p.b = 400;
  play(detector, &p, &heap, 400, 700, &heard);
  assert_int_equal(heard.leaks, 2);
  assert_int_equal(heard.ends, 1);
  assert_true(heard.leak.since_ms >= heard.end.time_ms);
  assert_int_equal(hw_leak_current(detector, HW_LEAK_HEAP, &current), 0);
  assert_int_equal(hw_leak_state(detector, HW_LEAK_HEAP), HW_LEAK_ESTABLISHED);
  hw_leak_destroy(detector);
}

static void a_suspicion_is_withdrawn_when_a_cache_is_full(void** unused) {
  (void)unused;
  hw_leak_t* detector = create();
  heap_t heap = {0};
  heard_t heard = {0};
  state = 3;
  program_t p = usual;
  p.live = filling;
  p.a = 2;
  p.b = 30;
  play(detector, &p, &heap, 0, 120, &heard);
  assert_true(heard.suspected_first);
  assert_int_equal(heard.leaks, 0);
  assert_false(hw_leak_suspected(detector));
  hw_leak_destroy(detector);
}

static void without_collections_there_is_no_quick_verdict(void** unused) {
  (void)unused;
  program_t p = usual;
  p.live = line;
  p.a = .2;
  p.factor = 1e9; /* never again after the first */
  heard_t heard = run(p, 3 * MINUTE);
  assert_int_equal(heard.leaks, 0);
  heard = run(p, HOUR);
  assert_int_equal(heard.leaks, 1);
  assert_int_equal(heard.leak.basis, HW_LEAK_BY_ENVELOPE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_steady_leak_is_announced_once_within_a_minute),
      cmocka_unit_test(the_evidence_is_the_points_themselves),
      cmocka_unit_test(healthy_programs_are_left_alone),
      cmocka_unit_test(leaks_are_found_through_what_bends_them),
      cmocka_unit_test(a_daily_wave_is_no_leak),
      cmocka_unit_test(a_leak_of_a_megabyte_an_hour_is_found_in_days),
      cmocka_unit_test(a_leak_of_ten_megabytes_a_second_leaves_half_the_room),
      cmocka_unit_test(a_leak_that_begins_after_a_day_is_found_in_time),
      cmocka_unit_test(bursts_of_a_process_that_runs_for_long_are_forgiven),
      cmocka_unit_test(each_metric_is_named),
      cmocka_unit_test(memory_freed_but_not_given_back_is_not_native),
      cmocka_unit_test(memory_freed_and_replaced_is_not_native),
      cmocka_unit_test(a_leak_ends_when_growth_stops),
      cmocka_unit_test(a_leak_ends_when_memory_comes_back),
      cmocka_unit_test(a_second_episode_is_a_second_event),
      cmocka_unit_test(a_suspicion_is_withdrawn_when_a_cache_is_full),
      cmocka_unit_test(without_collections_there_is_no_quick_verdict),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
