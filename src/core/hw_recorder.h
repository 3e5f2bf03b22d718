#ifndef HW_RECORDER_H_
#define HW_RECORDER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw_recorder_format.h"

/*
 * The writing half of the recorder: puts what a watch learns into memory that
 * it is handed, in the format that hw_recorder_format.h gives in full.
 *
 * The memory is the caller's, who maps a file of its size, filled with zeros
 * and with room for all of it on the disk, and unmaps it after the recorder is
 * destroyed. Where nothing else is said, functions do not allocate, lock or
 * make system calls, and may be called inside a GC and in V8's near-heap-limit
 * callback. All calls come from the thread of the watched isolate, and none
 * interrupts another.
 */

typedef struct hw_recorder_s hw_recorder_t;

/* Makes a recorder in `memory` of `bytes`, aligned to 8, and writes the head
 * and the identity: `length` bytes of JSON. Allocates. Returns 0, HW_EINVAL if
 * the size is not one of a file, HW_RECORDING_TOO_LARGE if the identity does
 * not fit, or HW_ENOMEM. The caller owns it. */
int hw_recorder_create(hw_recorder_t** recorder, void* memory, uint64_t bytes,
                       const char* identity, size_t length, double epoch_ms);

/* Frees the recorder, not its memory; NULL does nothing. Not inside a GC. */
void hw_recorder_destroy(hw_recorder_t* recorder);

/* What a watch counted before it was recorded. Not inside a GC: copies the
 * whole histogram. */
void hw_recorder_set_pauses(hw_recorder_t* recorder, hw_gc_kind_t kind,
                            const hw_histogram_t* histogram);

/* Records one collection. `epoch_ms` is what to add to uv_hrtime's milliseconds
 * for those since 1970. Returns whether it is time for hw_recorder_state, which
 * also counts it into the file's buckets. */
bool hw_recorder_gc(hw_recorder_t* recorder, const hw_gc_event_t* event,
                    hw_gc_kind_t kind, double epoch_ms);

/* Where the next collection will be written: puts up to
 * HW_RECORDER_NEXT_LINES addresses into `lines`, one in each cache line, and
 * returns how many. Whoever has the processor fetch them a moment before saves
 * the wait for them. */
#define HW_RECORDER_NEXT_LINES 4
size_t hw_recorder_next_lines(const hw_recorder_t* recorder,
                              const void** lines);

/* Records one sample and counts it into its minute. `live_heap_bytes` is what
 * the heap used after the last major collection. */
void hw_recorder_sample(hw_recorder_t* recorder, const hw_sample_t* sample,
                        uint64_t live_heap_bytes);

/* Records the counters; the numbers of collection and sample are filled in
 * here. */
void hw_recorder_state(hw_recorder_t* recorder,
                       const hw_recorder_state_t* state);

/* Records a note, `length` bytes of JSON in UTF-8 that happened at `epoch_ms`.
 * Returns 0, HW_EINVAL if there is no such kind, or HW_RECORDING_TOO_LARGE if
 * it is longer than hw_recorder_note_room. Nothing is recorded on an error. */
int hw_recorder_note(hw_recorder_t* recorder, hw_recorder_note_kind_t kind,
                     double epoch_ms, const char* json, size_t length);

/* The longest note of a kind in bytes: 480 for pressure, 16 KB for verdicts,
 * 32 KB for sites and timelines, less 32 bytes. 0 for no kind. Pure. */
size_t hw_recorder_note_room(hw_recorder_note_kind_t kind);

/* Takes a request that has not been taken yet: copies its text, closed by a
 * zero, to `text` of HW_RECORDER_REQUEST_ROOM + 1, and its number to `*number`.
 * One load when there is none. Requests may be anything: whoever may write the
 * file wrote them. Returns whether there was one. */
bool hw_recorder_next_request(hw_recorder_t* recorder, uint64_t* number,
                              char* text);

/* Answers request `number`: `error` is 0 or one of hw_error.h. Text that is too
 * long is cut. */
void hw_recorder_answer(hw_recorder_t* recorder, uint64_t number, int error,
                        double epoch_ms, const char* text, size_t length);

#endif /* HW_RECORDER_H_ */
