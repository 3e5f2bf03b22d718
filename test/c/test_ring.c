#include "test.h"

#include <string.h>

#include "core/hw_error.h"
#include "core/hw_ring.h"

static void push(hw_ring_t* ring, int value) {
  hw_ring_push(ring, &value);
}

static int at(const hw_ring_t* ring, size_t index) {
  const int* value = hw_ring_at(ring, index);
  assert_non_null(value);
  return *value;
}

static void ring_keeps_records_in_the_order_of_their_arrival(void** state) {
  (void)state;
  hw_ring_t ring;
  assert_int_equal(hw_ring_init(&ring, 4, sizeof(int)), 0);
  assert_null(hw_ring_at(&ring, 0));
  push(&ring, 10);
  push(&ring, 11);
  assert_int_equal(ring.count, 2);
  assert_int_equal(at(&ring, 0), 10);
  assert_int_equal(at(&ring, 1), 11);
  assert_null(hw_ring_at(&ring, 2));
  hw_ring_close(&ring);
}

static void ring_overwrites_oldest_when_full_and_counts_it(void** state) {
  (void)state;
  hw_ring_t ring;
  assert_int_equal(hw_ring_init(&ring, 3, sizeof(int)), 0);
  for (int i = 0; i < 10; i++)
    push(&ring, i);
  assert_int_equal(ring.count, 3);
  assert_int_equal(ring.overwritten, 7);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(at(&ring, i), 7 + (int)i);
  hw_ring_close(&ring);
}

static void shift_gives_each_record_once_whatever_is_pushed_between(
    void** state) {
  (void)state;
  hw_ring_t ring;
  assert_int_equal(hw_ring_init(&ring, 5, sizeof(int)), 0);
  int next = 0, expected = 0, value;
  for (int round = 0; round < 100; round++) {
    for (int i = 0; i <= round % 5; i++)
      push(&ring, next++);
    while (hw_ring_shift(&ring, &value) == 0)
      assert_int_equal(value, expected++);
  }
  assert_int_equal(expected, next);
  assert_int_equal(ring.overwritten, 0);
  hw_ring_close(&ring);
}

static void shift_of_an_empty_ring_leaves_the_output_untouched(void** state) {
  (void)state;
  hw_ring_t ring;
  int value = 42;
  assert_int_equal(hw_ring_init(&ring, 1, sizeof(int)), 0);
  assert_int_equal(hw_ring_shift(&ring, &value), HW_ERANGE);
  assert_int_equal(value, 42);
  hw_ring_close(&ring);
}

static void sizes_that_cannot_be_are_refused(void** state) {
  (void)state;
  hw_ring_t ring = {0};
  assert_int_equal(hw_ring_init(&ring, 0, 8), HW_EINVAL);
  assert_int_equal(hw_ring_init(&ring, 8, 0), HW_EINVAL);
  assert_int_equal(hw_ring_init(&ring, SIZE_MAX / 2, 8), HW_EINVAL);
  assert_int_equal(hw_ring_init(&ring, SIZE_MAX / 16, 8), HW_ENOMEM);
  assert_null(ring.records);
}

static void a_closed_ring_ignores_pushes_and_may_be_closed_again(void** state) {
  (void)state;
  hw_ring_t ring = {0};
  hw_ring_close(&ring);
  assert_int_equal(hw_ring_init(&ring, 2, sizeof(int)), 0);
  push(&ring, 1);
  hw_ring_close(&ring);
  push(&ring, 2);
  assert_int_equal(ring.count, 0);
  hw_ring_close(&ring);
}

static void trim_keeps_the_records_and_gives_back_the_rest(void** state) {
  (void)state;
  hw_ring_t ring;
  assert_int_equal(hw_ring_init(&ring, 8, sizeof(int)), 0);
  for (int i = 0; i < 11; i++)
    push(&ring, i);
  int value;
  for (int i = 0; i < 5; i++)
    assert_int_equal(hw_ring_shift(&ring, &value), 0);
  hw_ring_trim(&ring);
  assert_int_equal(ring.capacity, 3);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(at(&ring, i), 8 + (int)i);
  while (hw_ring_shift(&ring, &value) == 0) {
  }
  hw_ring_trim(&ring);
  assert_int_equal(ring.capacity, 0);
  hw_ring_close(&ring);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ring_keeps_records_in_the_order_of_their_arrival),
      cmocka_unit_test(ring_overwrites_oldest_when_full_and_counts_it),
      cmocka_unit_test(shift_gives_each_record_once_whatever_is_pushed_between),
      cmocka_unit_test(shift_of_an_empty_ring_leaves_the_output_untouched),
      cmocka_unit_test(sizes_that_cannot_be_are_refused),
      cmocka_unit_test(a_closed_ring_ignores_pushes_and_may_be_closed_again),
      cmocka_unit_test(trim_keeps_the_records_and_gives_back_the_rest),
  };
  return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
