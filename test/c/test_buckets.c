#include "test.h"

#include "core/hw_buckets.h"
#include "core/hw_monitor.h"

static void bounds_ascend_from_50_us_to_10_s(void** state) {
  (void)state;
  assert_int_equal(hw_buckets_bound(0), 50000);
  assert_int_equal(hw_buckets_bound(HW_BUCKETS_BOUNDS - 1),
                   UINT64_C(10000000000));
  for (size_t i = 1; i < HW_BUCKETS_BOUNDS; i++)
    assert_true(hw_buckets_bound(i) > hw_buckets_bound(i - 1));
}

static void a_value_on_a_bound_counts_at_it_and_one_above_does_not(
    void** state) {
  (void)state;
  for (size_t i = 0; i < HW_BUCKETS_BOUNDS; i++) {
    hw_buckets_t b = {0};
    hw_buckets_record(&b, hw_buckets_bound(i));
    hw_buckets_record(&b, hw_buckets_bound(i) + 1);
    if (i > 0) assert_int_equal(hw_buckets_cumulative(&b, i - 1), 0);
    assert_int_equal(hw_buckets_cumulative(&b, i), 1);
    assert_int_equal(hw_buckets_cumulative(&b, i + 1), 2);
  }
}

static void values_below_and_above_all_bounds_are_counted(void** state) {
  (void)state;
  hw_buckets_t b = {0};
  hw_buckets_record(&b, 0);
  hw_buckets_record(&b, UINT64_MAX);
  assert_int_equal(hw_buckets_cumulative(&b, 0), 1);
  assert_int_equal(hw_buckets_cumulative(&b, HW_BUCKETS_BOUNDS - 1), 1);
  assert_int_equal(hw_buckets_cumulative(&b, HW_BUCKETS_BOUNDS), 2);
}

static void a_monitor_counts_each_pause_under_its_kind(void** state) {
  (void)state;
  hw_monitor_t* monitor;
  const hw_monitor_options_t options = {
      .history = 1,
      .gc_capacity = 1,
      /* Events of shorter pauses are not kept; they are counted. */
      .gc_threshold_ns = UINT64_C(1000000000)};
  const hw_reading_t first = {0};
  assert_int_equal(hw_monitor_create(&monitor, &options, &first), 0);
  hw_gc_event_t event = {.type = HW_GC_SCAVENGE, .duration_ns = 50000};
  hw_monitor_gc(monitor, &event);
  event.duration_ns = 50001;
  hw_monitor_gc(monitor, &event);
  event.type = HW_GC_MARK_SWEEP_COMPACT;
  hw_monitor_gc(monitor, &event);

  const hw_buckets_t* minor = hw_monitor_buckets(monitor, HW_GC_MINOR);
  assert_int_equal(hw_buckets_cumulative(minor, 0), 1);
  assert_int_equal(hw_buckets_cumulative(minor, HW_BUCKETS_BOUNDS), 2);
  const hw_buckets_t* major = hw_monitor_buckets(monitor, HW_GC_MAJOR);
  assert_int_equal(hw_buckets_cumulative(major, 0), 0);
  assert_int_equal(hw_buckets_cumulative(major, 1), 1);
  hw_monitor_destroy(monitor);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bounds_ascend_from_50_us_to_10_s),
      cmocka_unit_test(a_value_on_a_bound_counts_at_it_and_one_above_does_not),
      cmocka_unit_test(values_below_and_above_all_bounds_are_counted),
      cmocka_unit_test(a_monitor_counts_each_pause_under_its_kind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
