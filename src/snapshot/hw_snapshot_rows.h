#ifndef HW_SNAPSHOT_ROWS_H_
#define HW_SNAPSHOT_ROWS_H_

#include "snapshot/hw_snapshot_graph.h"

/*
 * Reading the flat arrays of numbers, which are nine tenths of a file: eight
 * digits at a time in a register, with the exact reader of hw_snapshot_json.c
 * for whatever is unusual (white space between, the file's last bytes, long
 * numbers, errors).
 */

/* How many of the 8 bytes are digits before the first that is not. */
static inline unsigned hw_digits(uint64_t word) {
  uint64_t value = word ^ 0x3030303030303030u;
  uint64_t other =
      ((value & 0x7F7F7F7F7F7F7F7Fu) + 0x7676767676767676u) | value;
  other &= 0x8080808080808080u;
  return other == 0 ? 8 : (unsigned)__builtin_ctzll(other) >> 3;
}

/* The value of eight digits, the first in the lowest byte. */
static inline uint64_t hw_eight(uint64_t word) {
  word = (word & 0x0F0F0F0F0F0F0F0Fu) * 2561 >> 8;
  word = (word & 0x00FF00FF00FF00FFu) * 6553601 >> 16;
  return (word & 0x0000FFFF0000FFFFu) * 42949672960001u >> 32;
}

/* Takes the number that comes next and what separates it from the one after:
 * a comma, or the array's bracket if it is the `last`. */
static inline int hw_row_number(hw_json_t* json, bool last, uint64_t* number) {
  const uint8_t* at = json->text + json->at;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if (!last && json->at + 16 <= json->length) {
    uint64_t word;
    memcpy(&word, at, 8);
    if ((word & 0xFF) == '\n') { /* a row's line end comes before its comma */
      at++;
      memcpy(&word, at, 8);
    }
    unsigned count = hw_digits(word);
    if (count > 0 && count < 8) {
      if (at[count] == ',') {
        *number = hw_eight(word << (64 - 8 * count));
        json->at = (uint64_t)(at - json->text) + count + 1;
        return 0;
      }
      if (at[count] == '\n' && at[count + 1] == ',') {
        *number = hw_eight(word << (64 - 8 * count));
        json->at = (uint64_t)(at - json->text) + count + 2;
        return 0;
      }
    }
  }
#endif
  int status = hw_json_number(json, number);
  if (status != 0) return status;
  return last ? hw_json_expect(json, ']', "the array has more than it should")
              : hw_json_expect(json, ',', "the array has less than it should");
}

#endif /* HW_SNAPSHOT_ROWS_H_ */
