/*
 * The decimating series: what it keeps of a second, an hour and a month.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "core/hw_series.h"

/* Too large for some stacks. */
static hw_series_t series;

static int read(int level, double since, bool open, hw_point_t* points) {
  return hw_series_read(&series, level, since, open, points);
}

static void a_bucket_keeps_its_lowest_point(void** unused) {
  (void)unused;
  hw_point_t points[HW_SERIES_POINTS];
  hw_series_init(&series, 10);
  static const double values[] = {7, 3, 5, 9, 8, 4};
  for (int i = 0; i < 6; i++)
    hw_series_push(&series, 100 + i * 4, values[i]);
  /* Buckets from 100, 110, 120: {7 3 5}, {9 8}, {4}. */
  assert_int_equal(read(0, -1, false, points), 2);
  assert_true(points[0].t == 104 && points[0].v == 3);
  assert_true(points[1].t == 116 && points[1].v == 8);
  assert_int_equal(read(0, -1, true, points), 3);
  assert_true(points[2].t == 120 && points[2].v == 4);
}

static void each_level_is_the_envelope_of_twice_the_width(void** unused) {
  (void)unused;
  static double values[1024];
  hw_series_init(&series, 1);
  srand(1);
  for (int i = 0; i < 1024; i++) {
    values[i] = rand() % 1000;
    hw_series_push(&series, i, values[i]);
  }
  for (int level = 0; level < 8; level++) {
    hw_point_t points[HW_SERIES_POINTS];
    int count = read(level, -1, false, points);
    int width = 1 << level;
    /* All but one or two buckets are closed; the last 32 of them are kept. */
    int kept = 1024 / width - 2 < 32 ? 1024 / width - 2 : 32;
    assert_in_range(count, kept, 32);
    for (int i = 0; i < count; i++) {
      int bucket = (int)points[i].t / width;
      double low = HUGE_VAL;
      for (int j = bucket * width; j < (bucket + 1) * width; j++) {
        low = fmin(low, values[j]);
      }
      assert_true(points[i].v == low);
      assert_true(values[(int)points[i].t] == low);
      if (i > 0) assert_true((int)points[i - 1].t / width == bucket - 1);
    }
  }
}

static void a_month_of_seconds_fits(void** unused) {
  (void)unused;
  hw_series_init(&series, 1);
  int seconds = 30 * 86400;
  for (int i = 0; i < seconds; i++) {
    /* One megabyte an hour, under garbage. */
    hw_series_push(&series, i, i / 3600.0 + (i % 101 * 79 % 101));
  }
  int levels = hw_series_levels(&series);
  assert_in_range(levels, 16, HW_SERIES_LEVELS);
  hw_point_t points[HW_SERIES_POINTS];
  int count = read(levels - 1, -1, true, points);
  assert_in_range(count, 10, HW_SERIES_POINTS);
  assert_true(points[0].t < seconds / 10.0);
  for (int i = 0; i < count; i++) {
    assert_true(fabs(points[i].v - points[i].t / 3600) < 1);
  }
  /* And the last half minute is there second by second. */
  count = read(0, seconds - 20, true, points);
  assert_int_equal(count, 20);
}

static void only_levels_that_show_more_are_worth_looking_at(void** unused) {
  (void)unused;
  hw_series_init(&series, 1);
  for (int i = 0; i < 32; i++)
    hw_series_push(&series, i, i);
  assert_int_equal(hw_series_levels(&series), 1);
  for (int i = 32; i < 40; i++)
    hw_series_push(&series, i, i);
  assert_int_equal(hw_series_levels(&series), 2);
}

static void sparse_points_are_kept_however_far_apart(void** unused) {
  (void)unused;
  hw_series_init(&series, 1000);
  for (int i = 0; i < 20; i++)
    hw_series_push(&series, i * 1e7, i);
  hw_point_t points[HW_SERIES_POINTS];
  assert_int_equal(read(0, -1, true, points), 20);
  assert_true(points[19].v == 19);
  assert_int_equal(read(0, 15e7, true, points), 5);
}

static void earlier_times_count_for_the_newest_bucket(void** unused) {
  (void)unused;
  hw_series_init(&series, 10);
  hw_series_push(&series, 100, 5);
  hw_series_push(&series, 50, 3);
  hw_point_t points[HW_SERIES_POINTS];
  assert_int_equal(read(0, -1, true, points), 1);
  assert_true(points[0].v == 3);
  hw_series_push(&series, 1e300, 4);
  hw_series_push(&series, 1e300, 2);
  assert_int_equal(read(0, -1, true, points), 2);
}

static void the_highest_envelope_before_a_time_is_remembered(void** unused) {
  (void)unused;
  hw_series_init(&series, 1);
  for (int i = 0; i < 5000; i++) {
    hw_series_push(&series, i, i == 1000 ? 77 : i % 10);
  }
  assert_true(hw_series_top_before(&series, -1) == -HUGE_VAL);
  assert_true(hw_series_top_before(&series, 4900) == 77);
  /* The bucket that holds it is wide by now, and may reach beyond. */
  assert_true(hw_series_top_before(&series, 900) < 77);
}

static void what_changed_is_told_by_level(void** unused) {
  (void)unused;
  hw_series_init(&series, 1);
  hw_series_push(&series, 0, 1);
  assert_int_equal(series.changed, 0);
  hw_series_push(&series, 1, 1);
  assert_int_equal(series.changed, 1);
  series.changed = 0;
  for (int i = 2; i < 6; i++)
    hw_series_push(&series, i, 1);
  assert_int_equal(series.changed, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_bucket_keeps_its_lowest_point),
      cmocka_unit_test(each_level_is_the_envelope_of_twice_the_width),
      cmocka_unit_test(a_month_of_seconds_fits),
      cmocka_unit_test(only_levels_that_show_more_are_worth_looking_at),
      cmocka_unit_test(sparse_points_are_kept_however_far_apart),
      cmocka_unit_test(earlier_times_count_for_the_newest_bucket),
      cmocka_unit_test(the_highest_envelope_before_a_time_is_remembered),
      cmocka_unit_test(what_changed_is_told_by_level),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
