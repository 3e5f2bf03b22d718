#include "hw_error.h"

const char* hw_error_message(int error) {
  switch (error) {
#define XX(name, value, message) \
  case HW_##name:                \
    return message;
    HW_ERROR_MAP(XX)
#undef XX
    default:
      return "unknown error";
  }
}

const char* hw_error_code(int error) {
  switch (error) {
#define XX(name, value, message) \
  case HW_##name:                \
    return "ERR_HEAPWATCH_" #name;
    HW_ERROR_MAP(XX)
#undef XX
    default:
      return "ERR_HEAPWATCH_UNKNOWN";
  }
}
