#ifndef HW_SNAPSHOT_JSON_H_
#define HW_SNAPSHOT_JSON_H_

#include <stdbool.h>
#include <stdint.h>

/*
 * A reader of JSON text in memory, for one pass from front to back.
 *
 * It makes no tree. The caller asks for what should come next, and anything
 * else is an error that names the byte: a snapshot is too large to search by
 * eye. It never reads beyond `length`. Functions return 0 or HW_EFORMAT; after
 * an error the position means nothing. Any thread, one at a time.
 */

/* What is wrong and where. `what` is a static string. */
typedef struct {
  const char* what;
  uint64_t offset; /* bytes from the start of the text */
} hw_snapshot_error_t;

typedef struct {
  const uint8_t* text;
  uint64_t length;
  uint64_t at; /* the next byte to read */
  hw_snapshot_error_t* error;
} hw_json_t;

/* A string as it is in the text: what is between its quotes, still escaped. */
typedef struct {
  uint64_t at;
  uint32_t length;
} hw_json_slice_t;

/* Notes an error at byte `at` and returns HW_EFORMAT. */
int hw_json_fail(hw_json_t* json, uint64_t at, const char* what);

/* Skips white space and returns the byte after it without taking it, or -1
 * at the end. */
int hw_json_peek(hw_json_t* json);

/* Takes `byte` after white space; otherwise fails, saying `what`. */
int hw_json_expect(hw_json_t* json, char byte, const char* what);

/* Steps to the next member of an array or object that `close` ends. The first
 * call comes right after the opening bracket, with `*first` true. `*more` is
 * false once the bracket has been taken. */
int hw_json_next(hw_json_t* json, char close, bool* first, bool* more);

/* The same in an object, and takes the member's key and colon; `*key` is set
 * if there is one more. */
int hw_json_member(hw_json_t* json, bool* first, bool* more,
                   hw_json_slice_t* key);

/* Takes a string and checks its escapes. Strings of 4 GB fail. */
int hw_json_string(hw_json_t* json, hw_json_slice_t* slice);

/* Takes a whole number from 0 to 2^63 - 1. */
int hw_json_number(hw_json_t* json, uint64_t* number);

/* Skips a value of any kind. Inside, only strings and the balance of brackets
 * are checked, without recursion: depth costs nothing. */
int hw_json_skip(hw_json_t* json);

/* True if the slice, unescaped as it is, equals `literal`. */
bool hw_json_is(const hw_json_t* json, hw_json_slice_t slice,
                const char* literal);

#endif /* HW_SNAPSHOT_JSON_H_ */
