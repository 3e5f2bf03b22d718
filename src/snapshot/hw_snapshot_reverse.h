#ifndef HW_SNAPSHOT_REVERSE_H_
#define HW_SNAPSHOT_REVERSE_H_

#include "snapshot/hw_snapshot_graph.h"

/*
 * The graph backwards: for each node, the edges that retain it. 8 bytes an
 * edge. And questions about the nodes in which V8 and Node.js keep functions,
 * variables and scripts, answered by the names of edges: the graph must have
 * been read with HW_SNAPSHOT_NAMES.
 */
typedef struct {
  const hw_snapshot_t* s;
  uint32_t* first;  /* by node, one more */
  uint32_t* source; /* the node that each comes from */
  uint32_t* edge;
  /* Strings, HW_NONE if the snapshot has none such. */
  uint32_t context, previous, scope_info, shared, script, script_old;
  uint32_t context_node, scope_info_node, module_node, exports, filename;
  uint32_t events, event_map, callbacks, async_context, async_store,
      async_frame;
  uint32_t extension, module_record, cell, value, generator_function;
  uint32_t timeout, immediate, timers_list, idle_next, on_timeout, on_immediate,
      repeat;
  uint32_t reaction, generator, registers, listener, bound, bound_function;
  uint32_t name_or_scope_info, constructor;
  uint32_t main_context; /* node: V8's own objects of the main program */
} hw_reverse_t;

/* Builds it. 0 or HW_ENOMEM; hw_reverse_close frees what there is. */
int hw_reverse_build(const hw_snapshot_t* s, hw_reverse_t* reverse);
void hw_reverse_close(hw_reverse_t* reverse);

/* The target of the first edge of that kind and name, or HW_NONE. */
uint32_t hw_target_of(const hw_snapshot_t* s, uint32_t node, unsigned kind,
                      uint32_t name);

/* An edge's name, or index. */
static inline uint32_t hw_name_of(const hw_snapshot_t* s, uint32_t from,
                                  uint32_t edge) {
  return hw_edge_names(s, from)[edge - s->first_edge[from]];
}

/* The function that a bound one calls; any other is its own. */
uint32_t hw_unbound(const hw_reverse_t* r, uint32_t closure);

/* Are they made of the same function? */
bool hw_closure_same(const hw_snapshot_t* s, uint32_t a, uint32_t b);

/* The string index of a closure's script's URL, or HW_NONE. */
uint32_t hw_closure_url(const hw_reverse_t* r, uint32_t closure);

/* The function of which a generator is a call (a suspended one of an async
 * function, too): a closure, or HW_NONE. */
uint32_t hw_generator_closure(const hw_reverse_t* r, uint32_t generator);

/* Is the node a context: what holds a function's or module's variables? */
bool hw_is_context(const hw_reverse_t* r, uint32_t node);

/* Is it one of a CommonJS or ES module's own scope? */
bool hw_is_module_context(const hw_reverse_t* r, uint32_t context);

/* Tables of V8 have each key right before its value, and the array of exports
 * each name before its cell: that string of what is at `cell`, or HW_NONE. */
uint32_t hw_name_before(const hw_snapshot_t* s, uint32_t array, uint32_t cell);

/* What an ES module exports is not in its context but in a cell. The string
 * index of the name that a cell is exported by, and where it is from: the
 * module's record. HW_NONE if it is none of a module's. */
uint32_t hw_export_name(const hw_reverse_t* r, uint32_t cell, uint32_t* record);

/* The string index of the URL of a module's record, or HW_NONE. */
uint32_t hw_record_url(const hw_reverse_t* r, uint32_t record);

/* The string index of the URL of the script that a context belongs to. */
uint32_t hw_context_url(const hw_reverse_t* r, uint32_t context);

/* The same of what holds a module's or function's variable: its context or, of
 * an exported one, its cell. */
uint32_t hw_variable_url(const hw_reverse_t* r, uint32_t from);

/* The name of the variable by which `from` holds something: that of the edge,
 * or of an exported cell. */
uint32_t hw_variable_name(const hw_reverse_t* r, uint32_t from, uint32_t edge);

/* The string index of the name of the function that a context belongs to;
 * HW_NONE if it cannot be told. */
uint32_t hw_context_function(const hw_reverse_t* r, uint32_t context);

/* Is it the global object of a context? */
bool hw_is_global(const hw_reverse_t* r, uint32_t node);

/* Has it so many properties that their names are keys? */
bool hw_is_dictionary(const hw_reverse_t* r, uint32_t node);

#endif /* HW_SNAPSHOT_REVERSE_H_ */
