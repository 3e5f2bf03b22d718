#ifndef HW_REPLAY_H_
#define HW_REPLAY_H_

#include "hw_leak.h"
#include "hw_trace.h"

/*
 * Replay: a recorded trace (hw_trace.h) through the very detector that watches
 * live processes, at full speed.
 *
 * All memory is allocated by hw_replay_create. One thread. Not for use inside
 * a GC.
 */

/* Who is told what. `line` is the one read last. */
typedef struct {
  void (*verdict)(void* context, const hw_leak_verdict_t* verdict);
  void (*error)(void* context, uint64_t line, const char* reason);
  void* context;
} hw_replay_handler_t;

typedef struct hw_replay_s hw_replay_t;

/* Makes a replay; `options` as for hw_leak_create. HW_EINVAL, HW_ENOMEM. */
int hw_replay_create(const hw_leak_options_t* options,
                     const hw_replay_handler_t* handler, hw_replay_t** replay);

/* Frees a replay; NULL is ignored. */
void hw_replay_destroy(hw_replay_t* replay);

/* Reads on, cut anywhere; verdicts are told as they fall. */
void hw_replay_push(hw_replay_t* replay, const char* bytes, size_t size);

/* The trace ends. */
void hw_replay_finish(hw_replay_t* replay);

/* The detector, to ask for its state and faults. Owned by the replay. */
hw_leak_t* hw_replay_detector(hw_replay_t* replay);

/* Room that any verdict needs as JSON. */
#define HW_REPLAY_JSON 4096

/*
 * Writes a verdict as one line of JSON, without a newline:
 *
 *   {"event":"leak","t":61000,"metric":"heap","rate":181000,"rateLow":…,
 *    "rateHigh":…,"growth":…,"since":…,"duration":…,"confidence":0.98,
 *    "timeToLimit":…,"limit":…,"shape":"linear",
 *    "basis":"collections","evidence":[[t,bytes],…]}
 *
 * Times are milliseconds of the trace, rates per second, `timeToLimit`
 * milliseconds or null, `limit` bytes or null. `basis` is hw_leak_basis_name.
 * Returns the length, or HW_ERANGE if `size` is too small. Not dependent on the
 * locale. Pure.
 */
int hw_replay_json(const hw_leak_verdict_t* verdict, char* text, size_t size);

#endif /* HW_REPLAY_H_ */
