#include "test.h"

#include <math.h>
#include <string.h>

#include "core/hw_error.h"
#include "core/hw_monitor.h"

static const hw_monitor_options_t options = {
    .history = 4,
    .gc_capacity = 8,
    .pressure = {.threshold = {0.85, 0.9, 0.3},
                 .release = 0.9,
                 .window_ns = 10 * SECOND,
                 .young_reserve_bytes = 48 * MB}};

static hw_reading_t reading(uint64_t time_ns, uint64_t used) {
  return (hw_reading_t){
      .time_ns = time_ns,
      .epoch_ms = (double)time_ns / 1e6,
      .heap = {.used_heap_bytes = used, .heap_limit_bytes = 148 * MB},
      .rss_bytes = 3 * used,
      .array_buffers_bytes = NAN};
}

static hw_monitor_t* start(void) {
  hw_monitor_t* monitor = NULL;
  hw_reading_t first = reading(100 * SECOND, 10 * MB);
  assert_int_equal(hw_monitor_create(&monitor, &options, &first), 0);
  return monitor;
}

static hw_sample_t append(hw_monitor_t* monitor, uint64_t time_ns,
                          uint64_t used) {
  hw_sample_t sample;
  hw_reading_t now = reading(time_ns, used);
  hw_monitor_append(monitor, &now, 0, &sample);
  return sample;
}

static void gc(hw_monitor_t* monitor, uint32_t type, uint64_t start_ns,
               uint64_t duration_ns, uint64_t before, uint64_t after) {
  hw_gc_event_t event = {.type = type,
                         .start_ns = start_ns,
                         .duration_ns = duration_ns,
                         .busy_ns = duration_ns,
                         .heap_before_bytes = before,
                         .heap_after_bytes = after,
                         .heap_limit_bytes = 148 * MB};
  hw_monitor_gc(monitor, &event);
}

static hw_monitor_stats_t stats_of(hw_monitor_t* monitor) {
  hw_monitor_stats_t stats;
  hw_monitor_stats(monitor, &stats);
  return stats;
}

static void a_sample_carries_its_reading_and_the_rates_of_its_interval(
    void** state) {
  (void)state;
  hw_monitor_t* m = start();
  gc(m, HW_GC_SCAVENGE, 100 * SECOND + 100 * MS, 50 * MS, 26 * MB, 12 * MB);
  gc(m, HW_GC_SCAVENGE, 101 * SECOND, 150 * MS, 20 * MB, 14 * MB);
  hw_reading_t now = {.time_ns = 102 * SECOND,
                      .epoch_ms = 1234.5,
                      .heap = {.used_heap_bytes = 16 * MB,
                               .total_heap_bytes = 40 * MB,
                               .physical_heap_bytes = 39 * MB,
                               .heap_limit_bytes = 148 * MB,
                               .malloced_bytes = 11,
                               .external_bytes = 12,
                               .used_global_handles_bytes = 13,
                               .native_contexts = 2,
                               .detached_contexts = 1},
                      .rss_bytes = 90 * MB,
                      .array_buffers_bytes = 77,
                      .memory_limit_bytes = 512 * MB,
                      .loop_delay_ns = 3 * MS};
  hw_sample_t s;
  hw_monitor_append(m, &now, 0, &s);
  assert_true(s.time == 1234.5);
  assert_true(s.heap_used == 16 * MB && s.heap_total == 40 * MB);
  assert_true(s.physical_heap == 39 * MB && s.heap_limit == 148 * MB);
  assert_true(s.rss == 90 * MB && s.memory_limit == 512 * MB);
  assert_true(s.external == 12 && s.array_buffers == 77);
  assert_true(s.malloced_memory == 11 && s.global_handles == 13);
  assert_true(s.native_contexts == 2 && s.detached_contexts == 1);
  assert_true(s.loop_delay == 3);
  assert_near(s.gc_time, 200, 1e-9);
  assert_near(s.gc_load, 0.1, 1e-9);
  /* 16 + 8 MB before the collections and 2 since, in two seconds. */
  assert_near(s.allocation_rate, 13.0 * MB, 1e-9);
  hw_monitor_destroy(m);
}

static void rates_start_anew_with_each_sample(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  gc(m, HW_GC_SCAVENGE, 100 * SECOND, 500 * MS, 20 * MB, 10 * MB);
  append(m, 101 * SECOND, 10 * MB);
  hw_sample_t s = append(m, 102 * SECOND, 11 * MB);
  assert_true(s.gc_time == 0 && s.gc_load == 0);
  assert_near(s.allocation_rate, 1.0 * MB, 1e-9);
  hw_monitor_destroy(m);
}

static void a_peek_changes_nothing(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  hw_sample_t peeked, appended;
  hw_reading_t now = reading(101 * SECOND, 12 * MB);
  gc(m, HW_GC_SCAVENGE, 100 * SECOND, 500 * MS, 20 * MB, 10 * MB);
  hw_monitor_peek(m, &now, &peeked);
  hw_monitor_peek(m, &now, &peeked);
  assert_int_equal(stats_of(m).samples, 0);
  hw_monitor_append(m, &now, 0, &appended);
  assert_memory_equal(&peeked, &appended, sizeof(peeked));
  hw_monitor_destroy(m);
}

static void readings_without_time_between_them_give_no_rates(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  hw_sample_t s = append(m, 100 * SECOND, 30 * MB);
  assert_true(s.gc_load == 0 && s.allocation_rate == 0);
  s = append(m, 90 * SECOND, 40 * MB); /* a clock gone backwards */
  assert_true(s.gc_load == 0 && s.allocation_rate == 0);
  hw_monitor_destroy(m);
}

static void sweeping_between_samples_is_no_negative_allocation(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  append(m, 101 * SECOND, 30 * MB);
  hw_sample_t s = append(m, 102 * SECOND, 20 * MB);
  assert_true(s.allocation_rate == 0);
  hw_monitor_destroy(m);
}

static void history_keeps_the_newest(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  for (uint64_t i = 1; i <= 7; i++)
    append(m, (100 + i) * SECOND, i * MB);
  for (size_t i = 0; i < 4; i++)
    assert_true(hw_monitor_sample_at(m, i)->heap_used == (4 + i) * MB);
  assert_null(hw_monitor_sample_at(m, 4));
  assert_int_equal(stats_of(m).samples, 7);
  assert_int_equal(stats_of(m).history, 4);
  hw_monitor_destroy(m);
}

static void gcs_become_events_only_while_somebody_wants_them(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  hw_gc_event_t event;
  gc(m, HW_GC_SCAVENGE, 1, 1, 1, 1);
  assert_false(hw_monitor_pending(m));
  assert_int_equal(hw_monitor_keep_gcs(m, true), 0);
  gc(m, HW_GC_SCAVENGE, 2, 1, 1, 1);
  gc(m, HW_GC_MARK_SWEEP_COMPACT, 3, 1, 1, 1);
  assert_true(hw_monitor_pending(m));
  assert_true(hw_monitor_next_gc(m, &event));
  assert_int_equal(event.start_ns, 2);
  assert_int_equal(hw_monitor_keep_gcs(m, false), 0);
  assert_false(hw_monitor_pending(m));
  assert_false(hw_monitor_next_gc(m, &event));
  assert_int_equal(hw_monitor_pauses(m, HW_GC_MINOR)->count, 2);
  assert_int_equal(hw_monitor_pauses(m, HW_GC_MAJOR)->count, 1);
  hw_monitor_destroy(m);
}

/* Two monitors see the same; one is asked after each collection, the other only
 * at the end. */
static void collections_that_wait_change_no_answer(void** state) {
  (void)state;
  hw_monitor_t* asked = start();
  hw_monitor_t* left = start();
  hw_monitor_keep_pressure(asked, true);
  hw_monitor_keep_pressure(left, true);
  uint64_t now = 100 * SECOND;
  for (uint64_t i = 0; i < 3 * HW_MONITOR_WAITING + 7; i++) {
    uint32_t type = i % 50 == 49   ? HW_GC_MARK_SWEEP_COMPACT
                    : i % 50 == 40 ? HW_GC_INCREMENTAL_MARKING
                                   : HW_GC_SCAVENGE;
    now += 100 * MS;
    gc(asked, type, now, 60 * MS + i, 26 * MB + i, 12 * MB + i);
    gc(left, type, now, 60 * MS + i, 26 * MB + i, 12 * MB + i);
    assert_int_equal(stats_of(asked).counters.gc_count[HW_GC_MINOR] +
                         stats_of(asked).counters.gc_count[HW_GC_MAJOR] +
                         stats_of(asked).counters.gc_count[HW_GC_INCREMENTAL],
                     i + 1);
  }
  for (int kind = 0; kind < HW_GC_KINDS; kind++) {
    assert_memory_equal(hw_monitor_pauses(asked, kind),
                        hw_monitor_pauses(left, kind), sizeof(hw_histogram_t));
    assert_memory_equal(hw_monitor_buckets(asked, kind),
                        hw_monitor_buckets(left, kind), sizeof(hw_buckets_t));
  }
  hw_monitor_stats_t of_asked = stats_of(asked);
  hw_monitor_stats_t of_left = stats_of(left);
  assert_memory_equal(&of_asked.counters, &of_left.counters,
                      sizeof(of_asked.counters));
  assert_true(of_left.pressure[HW_PRESSURE_GC_LOAD]);
  hw_pressure_event_t first, second;
  assert_true(hw_monitor_next_pressure(asked, &first));
  assert_true(hw_monitor_next_pressure(left, &second));
  assert_int_equal(first.time_ns, second.time_ns);
  hw_monitor_destroy(asked);
  hw_monitor_destroy(left);
}

/* Pressure is told although nobody samples. */
static void pressure_does_not_wait_for_a_sample(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  hw_monitor_keep_pressure(m, true);
  uint64_t now = 100 * SECOND;
  for (int i = 0; i < 200 && !hw_monitor_pending(m); i++)
    gc(m, HW_GC_SCAVENGE, now += 100 * MS, 60 * MS, 26 * MB, 12 * MB);
  hw_pressure_event_t event;
  assert_true(hw_monitor_next_pressure(m, &event));
  assert_int_equal(event.reason, HW_PRESSURE_GC_LOAD);
  hw_monitor_destroy(m);
}

static void events_beyond_the_capacity_are_counted_as_dropped(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  hw_gc_event_t event;
  assert_int_equal(hw_monitor_keep_gcs(m, true), 0);
  for (uint64_t i = 0; i < 13; i++)
    gc(m, HW_GC_SCAVENGE, i, 1, 1, 1);
  assert_int_equal(stats_of(m).dropped, 5);
  assert_int_equal(stats_of(m).pending, 8);
  for (uint64_t i = 5; i < 13; i++) {
    assert_true(hw_monitor_next_gc(m, &event));
    assert_int_equal(event.start_ns, i);
  }
  /* The count outlives the room it was counted in. */
  hw_monitor_keep_gcs(m, false);
  hw_monitor_keep_gcs(m, true);
  assert_int_equal(stats_of(m).dropped, 5);
  hw_monitor_destroy(m);
}

static void pauses_below_the_threshold_are_counted_but_no_events(void** state) {
  (void)state;
  hw_monitor_options_t strict = options;
  hw_reading_t first = reading(0, 1);
  hw_monitor_t* m;
  hw_gc_event_t event;
  strict.gc_threshold_ns = 10 * MS;
  assert_int_equal(hw_monitor_create(&m, &strict, &first), 0);
  hw_monitor_keep_gcs(m, true);
  gc(m, HW_GC_SCAVENGE, 1, 10 * MS - 1, 1, 1);
  gc(m, HW_GC_SCAVENGE, 2, 10 * MS, 1, 1);
  assert_true(hw_monitor_next_gc(m, &event));
  assert_int_equal(event.start_ns, 2);
  assert_false(hw_monitor_next_gc(m, &event));
  assert_int_equal(hw_monitor_pauses(m, HW_GC_MINOR)->count, 2);
  hw_monitor_destroy(m);
}

static void an_event_of_no_known_type_changes_nothing(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  hw_monitor_keep_gcs(m, true);
  gc(m, 1u << 20, 1, 1, 1, 1);
  assert_false(hw_monitor_pending(m));
  assert_int_equal(stats_of(m).counters.gc_busy_ns, 0);
  hw_monitor_destroy(m);
}

static void who_begins_to_listen_is_told_of_pressure_that_lasts(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  hw_pressure_event_t event;
  gc(m, HW_GC_MARK_SWEEP_COMPACT, 101 * SECOND, 1, 99 * MB, 95 * MB);
  assert_true(stats_of(m).pressure[HW_PRESSURE_HEAP_LIMIT]);
  assert_false(hw_monitor_pending(m));
  assert_false(hw_monitor_next_pressure(m, &event));
  hw_monitor_keep_pressure(m, true);
  assert_true(hw_monitor_pending(m));
  assert_true(hw_monitor_next_pressure(m, &event));
  assert_int_equal(event.time_ns, 101 * SECOND + 1);
  hw_monitor_keep_pressure(m, true); /* asked again: nothing is told twice */
  assert_false(hw_monitor_next_pressure(m, &event));
  hw_monitor_destroy(m);
}

static void who_begins_to_listen_is_not_told_of_pressure_that_is_over(
    void** state) {
  (void)state;
  hw_monitor_t* m = start();
  gc(m, HW_GC_MARK_SWEEP_COMPACT, 101 * SECOND, 1, 99 * MB, 95 * MB);
  gc(m, HW_GC_MARK_SWEEP_COMPACT, 102 * SECOND, 1, 99 * MB, 50 * MB);
  hw_monitor_keep_pressure(m, true);
  assert_false(hw_monitor_pending(m));
  hw_monitor_destroy(m);
}

static void a_finished_monitor_still_answers(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  hw_monitor_keep_gcs(m, true);
  append(m, 101 * SECOND, 5 * MB);
  append(m, 102 * SECOND, 6 * MB);
  gc(m, HW_GC_SCAVENGE, 1, 1, 1, 1);
  size_t before = stats_of(m).own_bytes;
  hw_monitor_finish(m);
  assert_true(stats_of(m).own_bytes < before);
  assert_true(hw_monitor_sample_at(m, 1)->heap_used == 6 * MB);
  assert_int_equal(hw_monitor_pauses(m, HW_GC_MINOR)->count, 1);
  assert_false(hw_monitor_pending(m));
  gc(m, HW_GC_SCAVENGE, 2, 1, 1, 1);
  assert_false(hw_monitor_pending(m));
  hw_monitor_destroy(m);
}

static void the_old_spaces_limit_follows_the_heaps(void** state) {
  (void)state;
  hw_monitor_t* m = start();
  assert_int_equal(stats_of(m).old_space_limit_bytes, 100 * MB);
  hw_reading_t now = reading(101 * SECOND, 1 * MB);
  hw_sample_t sample;
  now.heap.heap_limit_bytes = 248 * MB;
  hw_monitor_append(m, &now, 3, &sample);
  assert_int_equal(stats_of(m).old_space_limit_bytes, 200 * MB);
  assert_int_equal(stats_of(m).missed, 3);
  hw_monitor_destroy(m);
}

static void sizes_of_zero_are_refused(void** state) {
  (void)state;
  hw_monitor_options_t none = options;
  hw_reading_t first = reading(0, 1);
  hw_monitor_t* m = NULL;
  none.history = 0;
  assert_int_equal(hw_monitor_create(&m, &none, &first), HW_EINVAL);
  none = options;
  none.gc_capacity = 0;
  assert_int_equal(hw_monitor_create(&m, &none, &first), HW_EINVAL);
  none.history = SIZE_MAX / 1024;
  none.gc_capacity = 1;
  assert_int_equal(hw_monitor_create(&m, &none, &first), HW_ENOMEM);
  assert_null(m);
  hw_monitor_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(
          a_sample_carries_its_reading_and_the_rates_of_its_interval),
      cmocka_unit_test(rates_start_anew_with_each_sample),
      cmocka_unit_test(a_peek_changes_nothing),
      cmocka_unit_test(readings_without_time_between_them_give_no_rates),
      cmocka_unit_test(sweeping_between_samples_is_no_negative_allocation),
      cmocka_unit_test(history_keeps_the_newest),
      cmocka_unit_test(gcs_become_events_only_while_somebody_wants_them),
      cmocka_unit_test(collections_that_wait_change_no_answer),
      cmocka_unit_test(pressure_does_not_wait_for_a_sample),
      cmocka_unit_test(events_beyond_the_capacity_are_counted_as_dropped),
      cmocka_unit_test(pauses_below_the_threshold_are_counted_but_no_events),
      cmocka_unit_test(an_event_of_no_known_type_changes_nothing),
      cmocka_unit_test(who_begins_to_listen_is_told_of_pressure_that_lasts),
      cmocka_unit_test(
          who_begins_to_listen_is_not_told_of_pressure_that_is_over),
      cmocka_unit_test(a_finished_monitor_still_answers),
      cmocka_unit_test(the_old_spaces_limit_follows_the_heaps),
      cmocka_unit_test(sizes_of_zero_are_refused),
  };
  return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
