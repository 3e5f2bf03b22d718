#ifndef HW_TEST_H_
#define HW_TEST_H_

/* What cmocka wants before itself, in its order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)
#define SECOND (UINT64_C(1000) * MS)
#define MB (UINT64_C(1) << 20)

/* Fails unless `actual` is within `tolerance`, a ratio, of `expected`. */
#define assert_near(actual, expected, tolerance)                           \
  do {                                                                     \
    double actual_ = (double)(actual);                                     \
    double expected_ = (double)(expected);                                 \
    double off_ =                                                          \
        actual_ > expected_ ? actual_ - expected_ : expected_ - actual_;   \
    if (!(off_ <= (tolerance) * (expected_ < 0 ? -expected_ : expected_))) \
      fail_msg("%s is %.17g, not within %g of %.17g", #actual, actual_,    \
               (double)(tolerance), expected_);                            \
  } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif /* HW_TEST_H_ */
