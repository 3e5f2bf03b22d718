#include "test.h"

#include <string.h>

#include "core/hw_error.h"

static void every_error_has_a_message_and_a_code_of_its_own(void** state) {
  (void)state;
  static const int errors[] = {
#define XX(name, value, message) HW_##name,
      HW_ERROR_MAP(XX)
#undef XX
  };
  for (size_t i = 0; i < COUNT_OF(errors); i++) {
    assert_true(errors[i] < 0);
    assert_string_not_equal(hw_error_message(errors[i]), "unknown error");
    assert_memory_equal(hw_error_code(errors[i]), "ERR_HEAPWATCH_", 14);
    for (size_t j = 0; j < i; j++) {
      assert_int_not_equal(errors[i], errors[j]);
      assert_string_not_equal(hw_error_code(errors[i]),
                              hw_error_code(errors[j]));
    }
  }
}

static void a_number_that_is_no_error_is_said_to_be_unknown(void** state) {
  (void)state;
  assert_string_equal(hw_error_message(0), "unknown error");
  assert_string_equal(hw_error_message(-9999), "unknown error");
  assert_string_equal(hw_error_code(17), "ERR_HEAPWATCH_UNKNOWN");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_error_has_a_message_and_a_code_of_its_own),
      cmocka_unit_test(a_number_that_is_no_error_is_said_to_be_unknown),
  };
  return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
