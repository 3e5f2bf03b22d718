#ifndef HW_SNAPSHOT_HOLDERS_H_
#define HW_SNAPSHOT_HOLDERS_H_

#include "snapshot/hw_snapshot_anchor.h"

/*
 * What many nodes, the newest of what leaks, are held by in common.
 */

#define HW_HOLDERS_MAX 60 /* nodes */

/* What holds most of `count` nodes, at most HW_HOLDERS_MAX and at least one, in
 * the same words, and how many. */
uint32_t hw_holders_agree(hw_search_t* search, const uint32_t* node,
                          uint32_t count, hw_holding_t* best);

/* One variable that all are held through is what holds them: that it is one of
 * a function which a timer or a listener keeps is how it lives on. */
void hw_holders_collection(hw_search_t* search, const uint32_t* node,
                           uint32_t count, hw_holding_t* h);

/* Are all held by one and the same timer? */
bool hw_holders_one_timer(hw_search_t* search, const uint32_t* node,
                          uint32_t count, const hw_holding_t* h);

/* One timer or listener that all are held by, through functions that wait, is
 * only what the last of them waits for. */
void hw_holders_waiting(hw_search_t* search, const uint32_t* node,
                        uint32_t count, hw_holding_t* h);

/* Timers of a library, or of Node.js: what of the program's own all of them
 * lead to, if it is the same function. */
void hw_holders_leads_to(hw_search_t* search, const uint32_t* node,
                         uint32_t count, hw_holding_t* h);

/* Of an AsyncLocalStorage's store, makes the owner the variable that has the
 * AsyncLocalStorage, if the program has but one. */
void hw_holders_storage(hw_search_t* search, hw_holding_t* h);

/* What else all that are asked are held by, if it is the same thing and not `h`
 * by another way: false if there is none. */
bool hw_holders_second(hw_search_t* search, const uint32_t* node,
                       uint32_t count, const hw_holding_t* h,
                       hw_holding_t* second);

/* If the way goes from a WeakMap's key to its value, what holds that WeakMap:
 * false if it does not, or if that is nothing of the program's own. */
bool hw_holders_weak_map(hw_search_t* search, const hw_holding_t* h,
                         hw_holding_t* map);

#endif /* HW_SNAPSHOT_HOLDERS_H_ */
