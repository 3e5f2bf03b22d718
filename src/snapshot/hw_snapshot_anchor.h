#ifndef HW_SNAPSHOT_ANCHOR_H_
#define HW_SNAPSHOT_ANCHOR_H_

#include "snapshot/hw_snapshot_reverse.h"
#include "snapshot/hw_snapshot_text.h"

/*
 * Naming what holds a node in words of the program: the way to it from an
 * anchor, something that has a name in its source (a module's variable, a
 * global, a timer), and the kind of thing that the way goes through.
 *
 * The shortest way from a root is of little use: it runs through V8's stack,
 * its handles or Node's timers. So the search goes backwards from the node,
 * breadth first, and weighs anchors by how far they are and how much they say.
 */

typedef enum {
  HW_ANCHOR_NONE,
  HW_ANCHOR_MODULE,   /* a variable of a module */
  HW_ANCHOR_STATIC,   /* a property of a function or class */
  HW_ANCHOR_EXPORTS,  /* a module's exports */
  HW_ANCHOR_GLOBAL,   /* a global variable */
  HW_ANCHOR_FUNCTION, /* a variable of a function */
  HW_ANCHOR_TIMER,
  HW_ANCHOR_HANDLE, /* held from outside of the heap */
  HW_ANCHOR_STACK,
  HW_ANCHOR_ROOT
} hw_anchor_t;

typedef enum {
  HW_CAUSE_UNKNOWN,
  HW_CAUSE_GLOBAL,
  HW_CAUSE_MODULE,
  HW_CAUSE_CLOSURE,
  HW_CAUSE_TIMER,
  HW_CAUSE_LISTENER,
  HW_CAUSE_COLLECTION,
  HW_CAUSE_PROMISE,
  HW_CAUSE_ASYNC_CONTEXT,
  HW_CAUSE_CONTEXT
} hw_cause_kind_t;

/* Such as "async-context". Static. */
const char* hw_cause_kind_name(hw_cause_kind_t kind);

#define HW_PATH_MAX 64

typedef struct {
  hw_anchor_t anchor;
  hw_cause_kind_t kind;
  uint32_t holder; /* the node that the anchor names, or the anchor itself */
  uint32_t from[HW_PATH_MAX]; /* the way, from the anchor to the node */
  uint32_t edge[HW_PATH_MAX];
  unsigned length;
  unsigned folded;  /* edges left out in the middle, after the first half */
  uint32_t special; /* step of the way that decided the kind, or HW_NONE */
  bool among;       /* one of many: each has a property, or event, of its own */
  uint32_t leads_to; /* closure of the program's own, or HW_NONE */
  bool within;       /* to be told with the properties it is found by */
  hw_anchor_t owner; /* what of the program's own reaches a library's anchor */
  uint32_t owner_from;
  uint32_t owner_edge;
} hw_holding_t;

/* Room for searches in one graph. */
typedef struct {
  const hw_reverse_t* r;
  uint32_t* queue;
  uint32_t* via;   /* by node: the reverse entry it was reached by, + 1 */
  uint16_t* depth; /* by node */
  uint32_t visited;
  bool own_only;    /* looking for the program's own variables */
  uint32_t avoid;   /* node not to go through, or HW_NONE */
  hw_anchor_t only; /* what to look for alone, or HW_ANCHOR_NONE */
} hw_search_t;

int hw_search_init(const hw_reverse_t* r, hw_search_t* search);
void hw_search_close(hw_search_t* search);

/* Finds what holds `node`. Always succeeds; with HW_ANCHOR_NONE it found
 * nothing that has a name. */
void hw_search_run(hw_search_t* search, uint32_t node, hw_holding_t* holding);

/* What Node.js keeps for the program in a variable of its own. */
typedef struct {
  const char* variable;
  hw_cause_kind_t kind;
  const char* phrase;
} hw_kept_t;

/* Which of those holds it; NULL if none does. Static. */
const hw_kept_t* hw_holding_kept(const hw_reverse_t* r, const hw_holding_t* h);

/* Finds what else holds `node`, were the holder of `first` not there: a
 * variable of a module of the program's own, or a global. False if nothing
 * does. */
bool hw_search_second(hw_search_t* search, uint32_t node,
                      const hw_holding_t* first, hw_holding_t* second);

/* Does it name something that the program's author knows? Node.js's own
 * variables and callbacks, V8, and timers of libraries tell nobody what to do.
 * Once the owner has been looked for. */
bool hw_holding_tells(const hw_reverse_t* r, const hw_holding_t* h);

/* The step nearest to the node at which a variable of a function holds
 * something that is not the node itself, or HW_NONE. */
uint32_t hw_holding_variable(const hw_reverse_t* r, const hw_holding_t* h);

/* Makes that step the anchor: what many nodes are held by through one and the
 * same variable is a collection, whatever it is that keeps the function. */
void hw_holding_shorten(const hw_reverse_t* r, hw_holding_t* h, uint32_t step);

/* Is it that of a file of the program's own, not Node.js's or a library's? */
bool hw_url_is_own(const hw_snapshot_t* s, uint32_t url);
static inline bool hw_url_is_of_node(const hw_snapshot_t* s, uint32_t url) {
  return url != HW_NONE && hw_string_starts(s, url, "node:");
}

/* Is it a variable that every module has? By those any leads to any other, and
 * seldom do they hold a leak. */
bool hw_is_of_every_module(const hw_snapshot_t* s, uint32_t name);

/* The script of what an anchor's name stands in, or HW_NONE. */
uint32_t hw_anchor_url(const hw_reverse_t* r, hw_anchor_t anchor,
                       uint32_t from);

/* The script of the callback of the timer that holds it; HW_NONE if none does.
 */
uint32_t hw_holding_timer_url(const hw_reverse_t* r, const hw_holding_t* h);

/* The nearest function of the program's own that `node` leads to, or HW_NONE:
 * what a library will call in the end. */
uint32_t hw_search_forward(hw_search_t* search, uint32_t node);

/* If it is one of many, the string index of what it is under: of a property, or
 * an event; else HW_NONE. */
uint32_t hw_holding_example(const hw_reverse_t* r, const hw_holding_t* h);

/* Of listeners, can the event be told? */
bool hw_holding_names_event(const hw_reverse_t* r, const hw_holding_t* h);

/* Is it a variable of a module that is Node.js's own: nobody's but Node's? */
bool hw_holding_is_of_node(const hw_reverse_t* r, const hw_holding_t* h);

/* Does a promise's reaction, or a suspended function, hold by this edge? */
bool hw_step_waits(const hw_reverse_t* r, uint32_t from, uint32_t edge);

/* Are the listeners of an emitter kept by this step of the way? */
bool hw_step_listens(const hw_reverse_t* r, const hw_holding_t* h,
                     unsigned step);

/* Of an anchor within a library, finds the module's variable or global of the
 * program's own that leads to it, if there is one near. */
void hw_search_owner(hw_search_t* search, hw_holding_t* h);

/* Of a symbol, "<symbol name>" in the file, its name; false of anything else.
 */
bool hw_symbol_name(const hw_snapshot_t* s, uint32_t string,
                    const uint8_t** name, uint32_t* length);

/* Appends what holds it, as a phrase that goes after "held by", escaped as
 * within JSON's quotes. */
void hw_holding_phrase(const hw_reverse_t* r, const hw_holding_t* holding,
                       hw_text_t* out);

/* Appends a function as a JSON object: `{ name, url?, line?, column? }`. */
void hw_closure_json(const hw_reverse_t* r, uint32_t closure, hw_text_t* out);

/* Appends the anchor as a JSON object: `{ kind, name, url, function }`. */
void hw_holding_anchor(const hw_reverse_t* r, const hw_holding_t* holding,
                       hw_text_t* out);

/* Appends the owner likewise; there must be one. */
void hw_holding_owner(const hw_reverse_t* r, const hw_holding_t* holding,
                      hw_text_t* out);

/* Appends the way as a JSON array: the anchor, then an object per step. */
void hw_holding_path(const hw_reverse_t* r, const hw_holding_t* holding,
                     hw_text_t* out);

#endif /* HW_SNAPSHOT_ANCHOR_H_ */
