#ifndef HW_SNAPSHOT_TEXT_H_
#define HW_SNAPSHOT_TEXT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text that grows, and JSON's escapes.
 *
 * Strings of a snapshot are handled as they are in the file, escaped: cut out
 * and joined, they can go into JSON again without having been decoded.
 *
 * A text owns its bytes. Once memory has run out it stays as it is, and
 * `failed` says so: callers check once, at the end.
 */
typedef struct {
  char* data; /* not ended by a zero */
  size_t length;
  size_t capacity;
  bool failed;
} hw_text_t;

void hw_text_close(hw_text_t* text);
void hw_text_append(hw_text_t* text, const void* data, size_t length);
void hw_text_string(hw_text_t* text, const char* string);

/* Appends as printf does; what is formatted must be below 512 bytes. */
void hw_text_format(hw_text_t* text, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends escaped text between quotes; if it has more than `limit` bytes it
 * is cut, never within an escape or a character, and ends in an ellipsis. */
void hw_text_quoted(hw_text_t* text, const uint8_t* raw, size_t length,
                    size_t limit);

/* Decodes one character of escaped text: a code point, or half a surrogate
 * pair where the text has it escaped. Bytes that are no UTF-8 come as they
 * are. False at the end. */
bool hw_text_decode(const uint8_t** at, const uint8_t* end, uint32_t* code);

/* Appends a character as JSON.stringify escapes it. */
void hw_text_encode(hw_text_t* text, uint32_t code);

#endif /* HW_SNAPSHOT_TEXT_H_ */
