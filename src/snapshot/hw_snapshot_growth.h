#ifndef HW_SNAPSHOT_GROWTH_H_
#define HW_SNAPSHOT_GROWTH_H_

#include "snapshot/hw_snapshot_holders.h"
#include "snapshot/hw_snapshot_trie.h"

/*
 * What grows between two snapshots.
 */
typedef struct {
  const hw_snapshot_t* s;    /* the newer */
  const hw_reverse_t* names; /* of it */
  hw_trie_t trie;            /* both */
  uint32_t* of_node;         /* its place, by node of the newer */
  int64_t growth;            /* bytes, all of it */
  uint32_t point;            /* place whose count grows, or HW_NONE */
  bool single;               /* its count is small, and its own size grows */
} hw_growth_t;

/* Finds the growth, its point and whether that is single, once both snapshots
 * are in the trie and their sizes summed up. 0 or HW_ENOMEM. What follows needs
 * a point. */
int hw_growth_find(hw_growth_t* growth);

/* What a growing piece of memory belongs to: the object that has a name. */
uint32_t hw_growth_owner(const hw_growth_t* growth, uint32_t node);

/* From the point down the branch with two fifths of the growth to the first
 * class that says something; the point itself if none does. */
uint32_t hw_growth_payload(const hw_growth_t* growth);

/* How many more contexts of their own (of vm.createContext) hang below the
 * point, if they are the better half of what grows there; 0 otherwise. Contexts
 * are told by what they weigh: whatever holds one, that is the leak. */
uint32_t hw_growth_contexts(const hw_growth_t* growth);

/* The newest nodes at a place: of the highest ids, since V8 counts up. Fills
 * in at most HW_HOLDERS_MAX, and returns how many. */
uint32_t hw_growth_newest(const hw_growth_t* growth, uint32_t place,
                          uint32_t* node);

/* Timers and promises: whether they wait for something is told by how they
 * hold what they hold, not by what holds them. */
bool hw_growth_waits(const hw_growth_t* growth);

/* Are the items there to wake somebody up: functions, reactions of a promise,
 * or what an object of a library has of the library's own? */
bool hw_growth_wakes(const hw_growth_t* growth, uint32_t holder);

/* The function whose suspended calls retain half or more of what a place's
 * newest nodes do (one often waits for another), or HW_NONE. */
uint32_t hw_growth_suspended(const hw_growth_t* growth, uint32_t place);

/* The function of the program's own that most of what waits at the point, or of
 * its growth, has suspended calls of: that Node.js or a library waits for it
 * says less. */
uint32_t hw_growth_waiting(const hw_growth_t* growth);

/* The place right below with the most growth; the place itself if none has. */
uint32_t hw_growth_largest_below(const hw_growth_t* growth, uint32_t place);

#endif /* HW_SNAPSHOT_GROWTH_H_ */
