#include "snapshot/hw_snapshot_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hw_text_close(hw_text_t* text) {
  free(text->data);
  memset(text, 0, sizeof(*text));
}

void hw_text_append(hw_text_t* text, const void* data, size_t length) {
  if (text->failed || length == 0) return;
  if (text->length + length > text->capacity) {
    size_t capacity = (text->length + length) * 2 + 256;
    char* grown = realloc(text->data, capacity);
    if (grown == NULL) {
      text->failed = true;
      return;
    }
    text->data = grown;
    text->capacity = capacity;
  }
  memcpy(text->data + text->length, data, length);
  text->length += length;
}

void hw_text_string(hw_text_t* text, const char* string) {
  hw_text_append(text, string, strlen(string));
}

void hw_text_format(hw_text_t* text, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  if (length < 0 || (size_t)length >= sizeof(line))
    text->failed = true;
  else
    hw_text_append(text, line, (size_t)length);
}

/* The bytes that the character or escape at `at` takes. */
static size_t step(const uint8_t* at, const uint8_t* end) {
  size_t length = 1;
  if (*at == '\\') {
    length = end - at > 1 && at[1] == 'u' ? 6 : 2;
  } else if (*at >= 0xC0) {
    length = *at >= 0xF0 ? 4 : *at >= 0xE0 ? 3 : 2;
  }
  return length > (size_t)(end - at) ? (size_t)(end - at) : length;
}

void hw_text_quoted(hw_text_t* text, const uint8_t* raw, size_t length,
                    size_t limit) {
  hw_text_string(text, "\"");
  if (length <= limit) {
    hw_text_append(text, raw, length);
  } else {
    size_t cut = 0;
    while (cut + step(raw + cut, raw + length) <= limit)
      cut += step(raw + cut, raw + length);
    hw_text_append(text, raw, cut);
    hw_text_string(text, "\u2026");
  }
  hw_text_string(text, "\"");
}

static unsigned hex(uint8_t digit) {
  return digit <= '9' ? digit - (unsigned)'0' : (digit | 0x20u) - 'a' + 10;
}

static uint32_t decode_escape(const uint8_t* at, size_t length) {
  if (length == 6)
    return hex(at[2]) << 12 | hex(at[3]) << 8 | hex(at[4]) << 4 | hex(at[5]);
  switch (at[length - 1]) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return at[length - 1];
  }
}

bool hw_text_decode(const uint8_t** at, const uint8_t* end, uint32_t* code) {
  const uint8_t* byte = *at;
  if (byte >= end) return false;
  size_t length = step(byte, end);
  if (*byte == '\\') {
    *code = decode_escape(byte, length);
  } else if (length == 1) {
    *code = *byte;
  } else {
    uint32_t value = *byte & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++)
      value = value << 6 | (byte[i] & 0x3F);
    *code = value;
  }
  *at += length;
  return true;
}

static void encode_utf8(hw_text_t* text, uint32_t code) {
  uint8_t bytes[4];
  size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  if (length == 1) {
    bytes[0] = (uint8_t)code;
  } else {
    for (size_t i = length - 1; i > 0; i--) {
      bytes[i] = (uint8_t)(0x80 | (code & 0x3F));
      code >>= 6;
    }
    bytes[0] = (uint8_t)((0xF00u >> length) | code);
  }
  hw_text_append(text, bytes, length);
}

void hw_text_encode(hw_text_t* text, uint32_t code) {
  static const char letters[] = "btn\0fr"; /* from 8 on, without 11 */
  if (code == '"' || code == '\\')
    hw_text_format(text, "\\%c", (char)code);
  else if (code >= 8 && code <= 13 && code != 11)
    hw_text_format(text, "\\%c", letters[code - 8]);
  else if (code < 0x20 || (code >= 0xD800 && code < 0xE000))
    hw_text_format(text, "\\u%04x", (unsigned)code);
  else
    encode_utf8(text, code);
}
