#ifndef HW_RECORDER_READER_H_
#define HW_RECORDER_READER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw_recorder_format.h"

/*
 * The reading half of the recorder: what a file holds, by the rule of
 * hw_recorder_format.h, whoever has written it and whether or not it is being
 * written.
 *
 * A reader keeps a copy of each section that was asked for and judges only
 * copies. It never trusts a number of the file to be an index, a size or a
 * pointer without having held it against the file's size. The file itself is
 * behind a function, so that it is read, not mapped: memory that is mapped ends
 * the process when somebody cuts the file short.
 *
 * One thread. Allocates; not for use inside a GC.
 */

typedef struct {
  /* Copies `length` bytes from `offset` on. Returns 0 or an error. */
  int (*read)(void* data, uint64_t offset, void* to, size_t length);
  void* data;
} hw_recorder_source_t;

typedef struct hw_recorder_reader_s hw_recorder_reader_t;

/* A record of text. Not closed by a zero; valid until the next refresh. */
typedef struct {
  double epoch_ms;
  uint32_t kind;
  size_t length;
  const char* text;
} hw_recorder_text_t;

/* Makes a reader of a file of `bytes` bytes. Returns 0, what
 * hw_recorder_read_head or the source returns, or HW_ENOMEM; `*version` is set
 * with HW_RECORDING_VERSION. The source is copied; what it points to must
 * outlive the reader. The caller owns the reader. */
int hw_recorder_reader_create(hw_recorder_reader_t** reader,
                              const hw_recorder_source_t* source,
                              uint64_t bytes, uint32_t* version);

/* Frees the reader; NULL does nothing. */
void hw_recorder_reader_destroy(hw_recorder_reader_t* reader);

/* Reads what a section has got since it was last read: little, if that was not
 * long ago. Returns 0, what the source returns, or HW_ENOMEM; then what was
 * there before is still there. */
int hw_recorder_reader_refresh(hw_recorder_reader_t* reader,
                               hw_recorder_section_t section);

/* The same for all sections: hundreds of milliseconds where the disk is slow.
 * After that, asking for anything reads little. May be called on another
 * thread, if no other function is meanwhile. */
int hw_recorder_reader_load(hw_recorder_reader_t* reader);

/* The numbers of the newest record of a section as last read, 0 if it has
 * none, and of the oldest that may still be there. */
uint64_t hw_recorder_reader_newest(const hw_recorder_reader_t* reader,
                                   hw_recorder_section_t section);
uint64_t hw_recorder_reader_oldest(const hw_recorder_reader_t* reader,
                                   hw_recorder_section_t section);

/* The content of the record of a number, as it was last read: NULL if there is
 * none or it is not valid. Valid until the next refresh. */
const uint64_t* hw_recorder_reader_record(const hw_recorder_reader_t* reader,
                                          hw_recorder_section_t section,
                                          uint64_t number);

/* The same for a record of text. Returns whether there is one. */
bool hw_recorder_reader_text(const hw_recorder_reader_t* reader,
                             hw_recorder_section_t section, uint64_t number,
                             hw_recorder_text_t* text);

/* Reads the counters as they are now: those of the last state, and the
 * collections since. Returns 0, HW_RECORDING_DAMAGED if the file has no valid
 * state, or what a refresh returns. */
int hw_recorder_reader_state(hw_recorder_reader_t* reader,
                             hw_recorder_state_t* state);

/* Reads the pauses of all kinds as they are now, `histograms` of HW_GC_KINDS.
 * Returns what hw_recorder_reader_state does. */
int hw_recorder_reader_pauses(hw_recorder_reader_t* reader,
                              hw_histogram_t* histograms);

/* Makes the record of a request, with a number one above the newest of its
 * section, in `words`, a slot's 1024 bytes. Returns 0 or
 * HW_RECORDING_TOO_LARGE. Pure. */
int hw_recorder_make_request(uint64_t number, double epoch_ms, const char* text,
                             size_t length, uint64_t* words);

/* The present layout, to look at. */
const hw_recorder_layout_t* hw_recorder_reader_layout(
    const hw_recorder_reader_t* reader);

#endif /* HW_RECORDER_READER_H_ */
