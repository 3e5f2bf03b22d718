#ifndef HW_JSON_WRITER_H_
#define HW_JSON_WRITER_H_

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes JSON into memory of a fixed size, where printf may not be used: inside
 * a GC it must not allocate, and its numbers follow the locale.
 *
 *   hw_json_writer_t json = {.text = room, .size = sizeof(room)};
 *   hw_json_open(&json, NULL, '{');
 *   hw_json_put_number(&json, "ratio", 0.91);
 *   hw_json_close(&json, '}');
 *   if (!json.full) use(json.text, json.length);
 *
 * A key of NULL is for elements of an array and for the outermost value. Commas
 * are set as needed. What does not fit is left out and `full` set. Nothing here
 * allocates or makes a system call. One thread.
 */
typedef struct {
  char* text; /* not closed by a zero */
  size_t size;
  size_t length;
  bool full;
  bool more; /* a value came before, in the object or array that is open */
} hw_json_writer_t;

/* Opens or closes an object ('{', '}') or an array ('[', ']'). */
void hw_json_open(hw_json_writer_t* json, const char* key, char bracket);
void hw_json_close(hw_json_writer_t* json, char bracket);

/* A number, rounded to nine decimals, or to an integer from 2^53 on; null if it
 * is not finite. */
void hw_json_put_number(hw_json_writer_t* json, const char* key, double value);

void hw_json_put_null(hw_json_writer_t* json, const char* key);

/* A string of UTF-8, closed by a zero; what JSON wants escaped is. */
void hw_json_put_string(hw_json_writer_t* json, const char* key,
                        const char* value);

/* A value that is JSON already. */
void hw_json_put_raw(hw_json_writer_t* json, const char* key, const char* value,
                     size_t length);

#endif /* HW_JSON_WRITER_H_ */
