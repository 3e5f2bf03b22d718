#ifndef HW_ERROR_H_
#define HW_ERROR_H_

/*
 * Errors of the C layers.
 *
 * Functions that can fail return 0 or one of these, which are negative. On an
 * error no output has been touched. The map is the single list: it generates
 * the constants, the messages, and the codes that JavaScript sees
 * (`ERR_HEAPWATCH_` followed by the name).
 */

#define HW_ERROR_MAP(XX)                                         \
  XX(EINVAL, -1, "a value is out of its range")                  \
  XX(ENOMEM, -2, "not enough memory")                            \
  XX(ESTATE, -3, "not possible in the present state")            \
  XX(ERANGE, -4, "an index is beyond what is stored")            \
  XX(ELOOP, -5, "the event loop refused a handle")               \
  XX(EFORMAT, -20, "the file is not a whole heap snapshot")      \
  XX(EIO, -21, "the file cannot be read")                        \
  XX(ENOTFOUND, -22, "the snapshot has no such object or class") \
  XX(ECANCELED, -23, "canceled")

enum {
#define XX(name, value, message) HW_##name = value,
  HW_ERROR_MAP(XX)
#undef XX
};

/* The message of `error` in English, without a full stop: a static string,
 * never NULL; for a number that is not an error, "unknown error". Pure. */
const char* hw_error_message(int error);

/* The JavaScript code of `error`, such as "ERR_HEAPWATCH_EINVAL": a static
 * string, never NULL; for anything else "ERR_HEAPWATCH_UNKNOWN". Pure. */
const char* hw_error_code(int error);

#endif /* HW_ERROR_H_ */
