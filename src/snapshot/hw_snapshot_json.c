#include "hw_snapshot_json.h"

#include <string.h>

#include "core/hw_error.h"

int hw_json_fail(hw_json_t* json, uint64_t at, const char* what) {
  json->error->what = what;
  json->error->offset = at;
  return HW_EFORMAT;
}

int hw_json_peek(hw_json_t* json) {
  while (json->at < json->length) {
    uint8_t byte = json->text[json->at];
    if (byte != ' ' && byte != '\n' && byte != '\r' && byte != '\t')
      return byte;
    json->at++;
  }
  return -1;
}

int hw_json_expect(hw_json_t* json, char byte, const char* what) {
  int next = hw_json_peek(json);
  if (next < 0) return hw_json_fail(json, json->at, "the file ends too early");
  if (next != byte) return hw_json_fail(json, json->at, what);
  json->at++;
  return 0;
}

int hw_json_next(hw_json_t* json, char close, bool* first, bool* more) {
  int next = hw_json_peek(json);
  if (next < 0) return hw_json_fail(json, json->at, "the file ends too early");
  if (next == close) {
    json->at++;
    *more = false;
    return 0;
  }
  *more = true;
  if (*first) {
    *first = false;
    return 0;
  }
  return hw_json_expect(json, ',', "a comma or a closing bracket is missing");
}

static bool is_hex(uint8_t byte) {
  return (byte >= '0' && byte <= '9') ||
         ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

/* Takes the escape whose backslash is at `at`; returns the byte after it, or
 * 0 if it is none. */
static uint64_t escape(const hw_json_t* json, uint64_t at) {
  if (at + 1 >= json->length) return 0;
  uint8_t kind = json->text[at + 1];
  if (kind != 'u')
    return kind != 0 && strchr("\"\\/bfnrt", kind) != NULL ? at + 2 : 0;
  if (at + 6 > json->length) return 0;
  for (unsigned i = 2; i < 6; i++)
    if (!is_hex(json->text[at + i])) return 0;
  return at + 6;
}

/* The first byte from `at` on that a string cannot just contain: a quote, a
 * backslash or a control character. Eight bytes at a time. */
static uint64_t plain(const hw_json_t* json, uint64_t at) {
  const uint64_t ones = 0x0101010101010101u;
  const uint64_t high = 0x8080808080808080u;
  while (at + 8 <= json->length) {
    uint64_t word;
    memcpy(&word, json->text + at, 8);
    uint64_t quote = word ^ (ones * '"');
    uint64_t slash = word ^ (ones * '\\');
    uint64_t found = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                     ((word - ones * 0x20) & ~word);
    if (found & high) break;
    at += 8;
  }
  while (at < json->length && json->text[at] != '"' && json->text[at] != '\\' &&
         json->text[at] >= 0x20)
    at++;
  return at;
}

int hw_json_string(hw_json_t* json, hw_json_slice_t* slice) {
  int status = hw_json_expect(json, '"', "a string is missing");
  if (status != 0) return status;
  uint64_t start = json->at;
  uint64_t at = start;
  for (;;) {
    at = plain(json, at);
    if (at >= json->length)
      return hw_json_fail(json, start - 1, "a string has no end");
    if (json->text[at] == '"') break;
    if (json->text[at] != '\\')
      return hw_json_fail(json, at, "a control character within a string");
    uint64_t next = escape(json, at);
    if (next == 0) return hw_json_fail(json, at, "not an escape of JSON");
    at = next;
  }
  if (at - start >= UINT32_MAX)
    return hw_json_fail(json, start, "a string of 4 GB");
  slice->at = start;
  slice->length = (uint32_t)(at - start);
  json->at = at + 1;
  return 0;
}

int hw_json_member(hw_json_t* json, bool* first, bool* more,
                   hw_json_slice_t* key) {
  int status = hw_json_next(json, '}', first, more);
  if (status != 0 || !*more) return status;
  status = hw_json_string(json, key);
  return status != 0 ? status : hw_json_expect(json, ':', "a colon is missing");
}

int hw_json_number(hw_json_t* json, uint64_t* number) {
  if (hw_json_peek(json) < 0)
    return hw_json_fail(json, json->at, "the file ends too early");
  uint64_t start = json->at;
  uint64_t at = start;
  uint64_t value = 0;
  while (at < json->length && json->text[at] >= '0' && json->text[at] <= '9') {
    if (at - start >= 18)
      return hw_json_fail(json, start, "a number that is too large");
    value = value * 10 + (uint64_t)(json->text[at] - '0');
    at++;
  }
  if (at == start)
    return hw_json_fail(json, start, "a whole number is missing");
  json->at = at;
  *number = value;
  return 0;
}

static int skip_scalar(hw_json_t* json) {
  uint64_t start = json->at;
  while (json->at < json->length && json->text[json->at] != 0 &&
         strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE",
                json->text[json->at]) != NULL)
    json->at++;
  if (json->at == start) return hw_json_fail(json, start, "not a value");
  return 0;
}

int hw_json_skip(hw_json_t* json) {
  uint64_t depth = 0;
  do {
    int next = hw_json_peek(json);
    int status = 0;
    hw_json_slice_t ignored;
    if (next < 0)
      return hw_json_fail(json, json->at, "the file ends too early");
    if (next == '"') {
      status = hw_json_string(json, &ignored);
    } else if (next == '{' || next == '[') {
      depth++;
      json->at++;
    } else if (depth > 0 && (next == '}' || next == ']')) {
      depth--;
      json->at++;
    } else if (depth > 0 && (next == ',' || next == ':')) {
      json->at++;
    } else {
      status = skip_scalar(json);
    }
    if (status != 0) return status;
  } while (depth > 0);
  return 0;
}

bool hw_json_is(const hw_json_t* json, hw_json_slice_t slice,
                const char* literal) {
  return strlen(literal) == slice.length &&
         memcmp(json->text + slice.at, literal, slice.length) == 0;
}
