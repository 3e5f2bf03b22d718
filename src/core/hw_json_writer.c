#include "hw_json_writer.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define DECIMALS 9
#define DECIMALS_SCALE 1e9

static void put(hw_json_writer_t* json, const char* text, size_t length) {
  if (json->full || length > json->size - json->length) {
    json->full = true;
    return;
  }
  memcpy(json->text + json->length, text, length);
  json->length += length;
}

static void put_char(hw_json_writer_t* json, char c) {
  put(json, &c, 1);
}

static void put_string(hw_json_writer_t* json, const char* value) {
  static const char digits[] = "0123456789abcdef";
  put_char(json, '"');
  for (const unsigned char* c = (const unsigned char*)value; *c != '\0'; c++) {
    if (*c < 0x20) {
      const char escape[] = {'\\',           'u', '0', '0', digits[*c >> 4],
                             digits[*c & 15]};
      put(json, escape, sizeof(escape));
      continue;
    }
    if (*c == '"' || *c == '\\') put_char(json, '\\');
    put_char(json, (char)*c);
  }
  put_char(json, '"');
}

static void begin(hw_json_writer_t* json, const char* key) {
  if (json->more) put_char(json, ',');
  json->more = true;
  if (key == NULL) return;
  put_string(json, key);
  put_char(json, ':');
}

void hw_json_open(hw_json_writer_t* json, const char* key, char bracket) {
  begin(json, key);
  put_char(json, bracket);
  json->more = false;
}

void hw_json_close(hw_json_writer_t* json, char bracket) {
  put_char(json, bracket);
  json->more = true;
}

/* At least `width` digits. */
static void put_digits(hw_json_writer_t* json, uint64_t value, int width) {
  char digits[20];
  int at = sizeof(digits);
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
    width--;
  } while (value > 0 || width > 0);
  put(json, digits + at, sizeof(digits) - (size_t)at);
}

/* Beyond 64 bits no size or time is; such a number keeps its magnitude. */
static void put_large(hw_json_writer_t* json, double value) {
  int zeros = 0;
  for (; value >= 1e18; zeros++)
    value /= 10;
  put_digits(json, (uint64_t)value, 1);
  while (zeros-- > 0)
    put_char(json, '0');
}

void hw_json_put_number(hw_json_writer_t* json, const char* key, double value) {
  if (!isfinite(value)) {
    hw_json_put_null(json, key);
    return;
  }
  begin(json, key);
  if (value < 0) put_char(json, '-');
  value = fabs(value);
  if (value >= 0x1p53) {
    put_large(json, value);
    return;
  }
  uint64_t whole = (uint64_t)value;
  uint64_t part = (uint64_t)((value - (double)whole) * DECIMALS_SCALE + 0.5);
  if (part >= (uint64_t)DECIMALS_SCALE) {
    whole++;
    part = 0;
  }
  put_digits(json, whole, 1);
  if (part == 0) return;
  int width = DECIMALS;
  for (; part % 10 == 0; part /= 10)
    width--;
  put_char(json, '.');
  put_digits(json, part, width);
}

void hw_json_put_null(hw_json_writer_t* json, const char* key) {
  begin(json, key);
  put(json, "null", 4);
}

void hw_json_put_string(hw_json_writer_t* json, const char* key,
                        const char* value) {
  begin(json, key);
  put_string(json, value);
}

void hw_json_put_raw(hw_json_writer_t* json, const char* key, const char* value,
                     size_t length) {
  begin(json, key);
  put(json, value, length);
}
