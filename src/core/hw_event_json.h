#ifndef HW_EVENT_JSON_H_
#define HW_EVENT_JSON_H_

#include <stddef.h>

#include "hw_leak.h"
#include "hw_pressure.h"

/*
 * Events as JSON: the same objects that JavaScript's listeners get, for the
 * recorder, which cannot wait for JavaScript. Numbers are those of
 * hw_json_writer.h.
 *
 * Both write `size` bytes at most, not closed by a zero, and return the length,
 * or 0 if that is not enough. `epoch_ms` is what to add to the event's times
 * for milliseconds since 1970. Pure; safe inside a GC.
 */

/* A `leak` or `leakend`. `sites` of `sites_length` bytes is the value of the
 * property of that name, as JSON; NULL: it has none. */
size_t hw_event_leak_json(const hw_leak_verdict_t* verdict, double epoch_ms,
                          const char* sites, size_t sites_length, char* text,
                          size_t size);

/* A `pressure`, or the same of its end. */
size_t hw_event_pressure_json(const hw_pressure_event_t* event, double epoch_ms,
                              char* text, size_t size);

#endif /* HW_EVENT_JSON_H_ */
