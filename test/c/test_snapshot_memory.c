#include "test.h"

#include <string.h>

#include "snapshot/hw_snapshot_memory.h"

static void assert_zero_and_writable(size_t count, size_t size) {
  unsigned char* array = hw_array_new(count, size);
  assert_non_null(array);
  assert_int_equal((uintptr_t)array % _Alignof(max_align_t), 0);
  for (size_t i = 0; i < count * size; i++)
    assert_int_equal(array[i], 0);
  memset(array, 0xA5, count * size);
  hw_array_free(array);
}

/* Around where arrays become mappings, and where large pages end. */
static void arrays_of_any_length_are_zero_and_writable(void** state) {
  (void)state;
  static const size_t lengths[] = {
      0,       1,           4095,        MB - 65,     MB - 64,
      MB - 63, 2 * MB - 65, 2 * MB - 64, 2 * MB - 63, 4 * MB + 1};
  for (size_t i = 0; i < COUNT_OF(lengths); i++)
    assert_zero_and_writable(lengths[i], 1);
  assert_zero_and_writable(3 * MB / 8, 8);
  assert_zero_and_writable(7, 0);
}

static void what_does_not_fit_is_refused(void** state) {
  (void)state;
  assert_null(hw_array_new(SIZE_MAX / 8 + 1, 8));
  assert_null(hw_array_new(SIZE_MAX, 1));
  assert_null(hw_array_new(SIZE_MAX - 64, 1));
  assert_null(hw_array_new(SIZE_MAX / 16, 8));
  hw_array_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arrays_of_any_length_are_zero_and_writable),
      cmocka_unit_test(what_does_not_fit_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
