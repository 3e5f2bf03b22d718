#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/hw_histogram.h"

/* A fixed pseudo-random sequence: Marsaglia's xorshift64. */
static uint64_t random_next(uint64_t* seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

static int compare(const void* a, const void* b) {
  uint64_t x = *(const uint64_t*)a, y = *(const uint64_t*)b;
  return x < y ? -1 : x > y;
}

static void an_empty_histogram_answers_zero(void** state) {
  (void)state;
  hw_histogram_t h = {0};
  assert_int_equal(hw_histogram_value_at_percentile(&h, 50), 0);
  assert_true(hw_histogram_mean(&h) == 0);
}

static void one_value_comes_back_exactly(void** state) {
  (void)state;
  hw_histogram_t h = {0};
  hw_histogram_record(&h, 1234567);
  static const double percentiles[] = {0, 1, 50, 99.9, 100};
  for (size_t i = 0; i < COUNT_OF(percentiles); i++)
    assert_int_equal(hw_histogram_value_at_percentile(&h, percentiles[i]),
                     1234567);
}

/* The value under test is the median of three whose others are far away, so
 * that neither the exact minimum nor the exact maximum can hide its bucket. */
static void a_value_is_at_most_one_percent_off_from_1_us_to_100_s(
    void** state) {
  (void)state;
  for (double value = 1e3; value <= 100e9; value *= 1.0007) {
    hw_histogram_t h = {0};
    hw_histogram_record(&h, 1);
    hw_histogram_record(&h, (uint64_t)value);
    hw_histogram_record(&h, UINT64_C(1) << 40);
    assert_near(hw_histogram_value_at_percentile(&h, 50), floor(value), 0.01);
  }
}

static void bucket_edges_are_where_octaves_meet(void** state) {
  (void)state;
  for (int bit = 3; bit < HW_HISTOGRAM_TOP_BITS; bit++) {
    for (int offset = -1; offset <= 1; offset++) {
      uint64_t value = (UINT64_C(1) << bit) + (uint64_t)offset;
      hw_histogram_t h = {0};
      hw_histogram_record(&h, 0);
      hw_histogram_record(&h, value);
      hw_histogram_record(&h, UINT64_MAX);
      uint64_t reported = hw_histogram_value_at_percentile(&h, 50);
      double off = fabs((double)reported - (double)value);
      assert_true(off <= 4 || off <= (double)value / 128);
    }
  }
}

static void percentiles_agree_with_those_of_the_sorted_values(void** state) {
  (void)state;
  enum { COUNT = 20000 };
  static uint64_t values[COUNT];
  static const double percentiles[] = {1, 10, 25, 50, 75, 90, 99, 99.9, 99.99};
  uint64_t seed = 88172645463325252u;
  hw_histogram_t h = {0};
  for (int i = 0; i < COUNT; i++) {
    /* Log-uniform between 1 µs and 100 s. */
    double u = (double)(random_next(&seed) >> 11) / (double)(1ull << 53);
    values[i] = (uint64_t)(1e3 * pow(1e8, u));
    hw_histogram_record(&h, values[i]);
  }
  qsort(values, COUNT, sizeof(values[0]), compare);
  for (size_t i = 0; i < COUNT_OF(percentiles); i++) {
    size_t rank = (size_t)ceil(percentiles[i] / 100 * COUNT);
    assert_near(hw_histogram_value_at_percentile(&h, percentiles[i]),
                values[rank - 1], 0.01);
  }
  assert_int_equal(hw_histogram_value_at_percentile(&h, 0), values[0]);
  assert_int_equal(hw_histogram_value_at_percentile(&h, 100),
                   values[COUNT - 1]);
}

static void count_sum_minimum_and_maximum_are_exact(void** state) {
  (void)state;
  hw_histogram_t h = {0};
  uint64_t sum = 0;
  for (uint64_t i = 1; i <= 1000; i++) {
    hw_histogram_record(&h, i * 12345);
    sum += i * 12345;
  }
  assert_int_equal(h.count, 1000);
  assert_int_equal(h.sum_ns, sum);
  assert_int_equal(h.min_ns, 12345);
  assert_int_equal(h.max_ns, 12345000);
  assert_near(hw_histogram_mean(&h), (double)sum / 1000, 1e-12);
}

static void values_beyond_the_last_bucket_are_counted_in_it(void** state) {
  (void)state;
  hw_histogram_t h = {0};
  hw_histogram_record(&h, UINT64_C(1) << HW_HISTOGRAM_TOP_BITS);
  hw_histogram_record(&h, UINT64_MAX / 2);
  assert_int_equal(h.buckets[HW_HISTOGRAM_BUCKETS - 1], 2);
  assert_int_equal(hw_histogram_value_at_percentile(&h, 100), UINT64_MAX / 2);
}

static void percentiles_out_of_range_are_clamped(void** state) {
  (void)state;
  hw_histogram_t h = {0};
  hw_histogram_record(&h, 10000);
  hw_histogram_record(&h, 90000);
  assert_int_equal(hw_histogram_value_at_percentile(&h, -5), 10000);
  assert_int_equal(hw_histogram_value_at_percentile(&h, NAN), 10000);
  assert_int_equal(hw_histogram_value_at_percentile(&h, 500), 90000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_histogram_answers_zero),
      cmocka_unit_test(one_value_comes_back_exactly),
      cmocka_unit_test(a_value_is_at_most_one_percent_off_from_1_us_to_100_s),
      cmocka_unit_test(bucket_edges_are_where_octaves_meet),
      cmocka_unit_test(percentiles_agree_with_those_of_the_sorted_values),
      cmocka_unit_test(count_sum_minimum_and_maximum_are_exact),
      cmocka_unit_test(values_beyond_the_last_bucket_are_counted_in_it),
      cmocka_unit_test(percentiles_out_of_range_are_clamped),
  };
  return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
