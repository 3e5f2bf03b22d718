#ifndef HW_SNAPSHOT_TRIE_H_
#define HW_SNAPSHOT_TRIE_H_

#include "snapshot/hw_snapshot_reverse.h"

/*
 * Two dominator trees laid over each other.
 *
 * Nodes with the same label under the same parent become one place, with a
 * count and a sum of sizes for each snapshot. A label is how the node hangs on
 * its dominator and what class it is of, so that ordinary traffic, whose
 * objects are new but as many at the same places, cancels out. A leak is where
 * the count grows.
 *
 * Lists are folded: a node joins the nearest of eight places above it that has
 * its label below the same label. A linked list, or a chain of closures, is one
 * place with a count that grows, not a branch that gets deeper.
 *
 * Global variables that only one of the two has are passing ones: those of one
 * class are one place, as a dictionary's are.
 */
typedef struct {
  uint64_t label;
  uint32_t parent;
  uint32_t count[2];
  uint32_t example;  /* a node of the newer snapshot, HW_NONE if it has none */
  uint8_t kind;      /* hw_node_type_t of the first node */
  bool loose;        /* no edge leads here from the dominator itself */
  uint32_t passing;  /* a global variable's: its class's place, below; or 0 */
  uint64_t own[2];   /* shallow sizes */
  uint64_t bytes[2]; /* with all places below */
} hw_place_t;

typedef struct {
  hw_place_t* place; /* parents before their children; the root is 0 */
  uint32_t count;
  uint32_t capacity;
  uint32_t* slot; /* hash table by parent and label: number + 1 */
  uint32_t mask;
} hw_trie_t;

/* Lays a snapshot's dominator tree in: `which` is 0 for the older, which comes
 * first, 1 for the newer. Needs shallow sizes, dominators and all names.
 * `of_node`, if not NULL, gets each node's place. 0 or HW_ENOMEM;
 * hw_trie_close frees what there is. */
int hw_trie_add(hw_trie_t* trie, const hw_reverse_t* names, unsigned which,
                uint32_t* of_node);

/* Sums sizes up, once both are in. */
void hw_trie_sum(hw_trie_t* trie);
void hw_trie_close(hw_trie_t* trie);

#endif /* HW_SNAPSHOT_TRIE_H_ */
