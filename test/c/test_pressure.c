#include "test.h"

#include "core/hw_pressure.h"

static hw_pressure_t start(void) {
  static const hw_pressure_options_t options = {.threshold = {0.85, 0.9, 0.3},
                                                .release = 0.9,
                                                .window_ns = 10 * SECOND,
                                                .young_reserve_bytes = 48 * MB};
  hw_pressure_t pressure;
  hw_pressure_init(&pressure, &options, 100 * SECOND);
  return pressure;
}

static void major(hw_pressure_t* pressure, uint64_t time_ns, uint64_t live) {
  hw_gc_event_t event = {.type = HW_GC_MARK_SWEEP_COMPACT,
                         .start_ns = time_ns,
                         .heap_after_bytes = live,
                         .heap_limit_bytes = 148 * MB};
  hw_pressure_gc(pressure, &event);
}

static void pause_of(hw_pressure_t* pressure, uint64_t start_ns,
                     uint64_t duration_ns) {
  hw_gc_event_t event = {.type = HW_GC_SCAVENGE,
                         .start_ns = start_ns,
                         .duration_ns = duration_ns,
                         .busy_ns = duration_ns};
  hw_pressure_gc(pressure, &event);
}

static int taken(hw_pressure_t* pressure, hw_pressure_event_t* event) {
  int count = 0;
  while (hw_pressure_next(pressure, event))
    count++;
  return count;
}

static void live_heap_is_held_against_the_old_space_alone(void** state) {
  (void)state;
  hw_pressure_t p = start();
  hw_pressure_event_t event;
  /* 84 MB is 84 % of the old space's 100 MB, 57 % of heap_size_limit. */
  major(&p, 101 * SECOND, 84 * MB);
  assert_false(hw_pressure_pending(&p));
  major(&p, 102 * SECOND, 86 * MB);
  assert_true(hw_pressure_pending(&p));
  assert_int_equal(taken(&p, &event), 1);
  assert_int_equal(event.reason, HW_PRESSURE_HEAP_LIMIT);
  assert_near(event.ratio, 0.86, 1e-9);
  assert_int_equal(event.used_bytes, 86 * MB);
  assert_int_equal(event.limit_bytes, 100 * MB);
  assert_int_equal(event.time_ns, 102 * SECOND);
}

static void a_scavenge_says_nothing_of_the_live_heap(void** state) {
  (void)state;
  hw_pressure_t p = start();
  hw_gc_event_t event = {.type = HW_GC_SCAVENGE,
                         .start_ns = 101 * SECOND,
                         .heap_after_bytes = 99 * MB,
                         .heap_limit_bytes = 148 * MB};
  hw_pressure_gc(&p, &event);
  assert_false(hw_pressure_pending(&p));
}

static void an_episode_is_told_once_and_ends_below_its_release(void** state) {
  (void)state;
  hw_pressure_t p = start();
  hw_pressure_event_t event;
  static const uint64_t live[] = {86, 90, 84, 77, 86, 99};
  for (size_t i = 0; i < COUNT_OF(live); i++)
    major(&p, (101 + i) * SECOND, live[i] * MB);
  assert_int_equal(taken(&p, &event), 1);
  assert_near(event.ratio, 0.86, 1e-9);
  major(&p, 120 * SECOND, 76 * MB); /* below 0.85 * 0.9 = 76.5 % */
  assert_false(p.active[HW_PRESSURE_HEAP_LIMIT]);
  major(&p, 121 * SECOND, 95 * MB);
  assert_int_equal(taken(&p, &event), 1);
  assert_near(event.ratio, 0.95, 1e-9);
}

static void the_recorder_hears_of_beginnings_and_ends(void** state) {
  (void)state;
  hw_pressure_t p = start();
  hw_pressure_event_t event;
  bool begins;
  assert_false(hw_pressure_changed(&p, &event, &begins));
  major(&p, 101 * SECOND, 86 * MB);
  assert_int_equal(taken(&p, &event), 1); /* a listener takes nothing away */
  assert_true(hw_pressure_changed(&p, &event, &begins));
  assert_true(begins);
  assert_int_equal(event.time_ns, 101 * SECOND);
  assert_false(hw_pressure_changed(&p, &event, &begins));
  major(&p, 102 * SECOND, 80 * MB); /* above the release */
  assert_false(hw_pressure_changed(&p, &event, &begins));
  major(&p, 103 * SECOND, 50 * MB);
  assert_true(hw_pressure_changed(&p, &event, &begins));
  assert_false(begins);
  assert_near(event.ratio, 0.5, 1e-9);
  assert_int_equal(event.time_ns, 103 * SECOND);
}

static void rss_is_held_against_the_containers_limit(void** state) {
  (void)state;
  hw_pressure_t p = start();
  hw_pressure_event_t event;
  hw_pressure_sample(&p, 101 * SECOND, 500 * MB, 0);
  assert_false(hw_pressure_pending(&p));
  hw_pressure_sample(&p, 102 * SECOND, 461 * MB, 512 * MB);
  assert_int_equal(taken(&p, &event), 1);
  assert_int_equal(event.reason, HW_PRESSURE_MEMORY_LIMIT);
  assert_int_equal(event.limit_bytes, 512 * MB);
}

static void gc_load_is_the_share_of_the_window(void** state) {
  (void)state;
  hw_pressure_t p = start();
  hw_pressure_event_t event;
  /* 250 ms of every second: 25 %, for 30 s; then 400 ms of every second. */
  for (uint64_t s = 100; s < 130; s++)
    pause_of(&p, s * SECOND, 250 * MS);
  assert_near(hw_pressure_gc_load(&p, 130 * SECOND), 0.25, 0.06);
  assert_false(hw_pressure_pending(&p));
  for (uint64_t s = 130; s < 145; s++)
    pause_of(&p, s * SECOND, 400 * MS);
  assert_near(hw_pressure_gc_load(&p, 145 * SECOND), 0.4, 0.06);
  assert_int_equal(taken(&p, &event), 1);
  assert_int_equal(event.reason, HW_PRESSURE_GC_LOAD);
  assert_true(event.ratio > 0.3);
  assert_true(event.time_ns < 142 * SECOND);
}

static void the_window_forgets(void** state) {
  (void)state;
  hw_pressure_t p = start();
  for (uint64_t s = 100; s < 120; s++)
    pause_of(&p, s * SECOND, 500 * MS);
  assert_true(p.active[HW_PRESSURE_GC_LOAD]);
  hw_pressure_sample(&p, 125 * SECOND, 1, 0);
  /* 2 s of the 9.5 s that whole slots cover. */
  assert_near(hw_pressure_gc_load(&p, 125 * SECOND), 2 / 9.5, 0.01);
  hw_pressure_sample(&p, 140 * SECOND, 1, 0);
  assert_true(hw_pressure_gc_load(&p, 140 * SECOND) == 0);
  assert_false(p.active[HW_PRESSURE_GC_LOAD]);
}

static void the_first_window_of_a_process_is_no_evidence(void** state) {
  (void)state;
  hw_pressure_t p = start();
  pause_of(&p, 100 * SECOND, 9 * SECOND);
  hw_pressure_sample(&p, 109 * SECOND + 900 * MS, 1, 0);
  assert_false(hw_pressure_pending(&p));
  hw_pressure_sample(&p, 110 * SECOND + 1 * MS, 1, 0);
  assert_true(hw_pressure_pending(&p));
}

static void a_pause_longer_than_the_window_fills_it_and_no_more(void** state) {
  (void)state;
  hw_pressure_t p = start();
  pause_of(&p, 100 * SECOND, 60 * SECOND);
  assert_near(hw_pressure_gc_load(&p, 160 * SECOND), 1, 0.06);
  assert_true(hw_pressure_gc_load(&p, 160 * SECOND) <= 1);
}

static void a_threshold_of_zero_is_not_watched(void** state) {
  (void)state;
  const hw_pressure_options_t options = {.release = 0.9,
                                         .window_ns = 10 * SECOND};
  hw_pressure_t p;
  hw_pressure_init(&p, &options, 0);
  major(&p, 20 * SECOND, 148 * MB);
  hw_pressure_sample(&p, 21 * SECOND, 512 * MB, 512 * MB);
  pause_of(&p, 22 * SECOND, 9 * SECOND);
  assert_false(hw_pressure_pending(&p));
}

static void a_limit_below_the_reserve_is_no_limit(void** state) {
  (void)state;
  hw_pressure_t p = start();
  assert_int_equal(hw_pressure_old_space_limit(&p, 40 * MB), 0);
  hw_gc_event_t event = {.type = HW_GC_MARK_SWEEP_COMPACT,
                         .start_ns = 101 * SECOND,
                         .heap_after_bytes = 99 * MB,
                         .heap_limit_bytes = 40 * MB};
  hw_pressure_gc(&p, &event);
  assert_false(hw_pressure_pending(&p));
}

static void a_clock_that_goes_backwards_does_no_harm(void** state) {
  (void)state;
  hw_pressure_t p = start();
  pause_of(&p, 120 * SECOND, 1 * SECOND);
  pause_of(&p, 50 * SECOND, 1 * SECOND);
  hw_pressure_sample(&p, 10 * SECOND, 1, 0);
  assert_true(hw_pressure_gc_load(&p, 10 * SECOND) == 0);
  assert_false(hw_pressure_pending(&p));
}

static void every_reason_has_a_name(void** state) {
  (void)state;
  assert_string_equal(hw_pressure_reason_name(HW_PRESSURE_HEAP_LIMIT),
                      "heap-limit");
  assert_string_equal(hw_pressure_reason_name(HW_PRESSURE_MEMORY_LIMIT),
                      "memory-limit");
  assert_string_equal(hw_pressure_reason_name(HW_PRESSURE_GC_LOAD), "gc-load");
  assert_string_equal(hw_pressure_reason_name(HW_PRESSURE_REASONS), "unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(live_heap_is_held_against_the_old_space_alone),
      cmocka_unit_test(a_scavenge_says_nothing_of_the_live_heap),
      cmocka_unit_test(an_episode_is_told_once_and_ends_below_its_release),
      cmocka_unit_test(the_recorder_hears_of_beginnings_and_ends),
      cmocka_unit_test(rss_is_held_against_the_containers_limit),
      cmocka_unit_test(gc_load_is_the_share_of_the_window),
      cmocka_unit_test(the_window_forgets),
      cmocka_unit_test(the_first_window_of_a_process_is_no_evidence),
      cmocka_unit_test(a_pause_longer_than_the_window_fills_it_and_no_more),
      cmocka_unit_test(a_threshold_of_zero_is_not_watched),
      cmocka_unit_test(a_limit_below_the_reserve_is_no_limit),
      cmocka_unit_test(a_clock_that_goes_backwards_does_no_harm),
      cmocka_unit_test(every_reason_has_a_name),
  };
  return cmocka_run_group_tests_name("pressure", tests, NULL, NULL);
}
