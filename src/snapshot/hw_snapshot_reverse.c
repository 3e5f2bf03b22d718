#include "snapshot/hw_snapshot_reverse.h"

typedef struct {
  const char* text;
  size_t member;
} wanted_t;

#define WANTED(text, member) \
  { text, offsetof(hw_reverse_t, member) }
static const wanted_t wanted[] = {
    WANTED("context", context),
    WANTED("previous", previous),
    WANTED("scope_info", scope_info),
    WANTED("shared", shared),
    WANTED("script", script),
    WANTED("script_or_debug_info", script_old), /* Node.js 20 */
    WANTED("system / Context", context_node),
    WANTED("system / ScopeInfo", scope_info_node),
    WANTED("Module", module_node),
    WANTED("exports", exports),
    WANTED("filename", filename),
    WANTED("_events", events),
    WANTED("<symbol kEvents>", event_map),
    WANTED("_callbacks", callbacks),
    WANTED("<symbol context_frame>", async_context),
    WANTED("<symbol kResourceStore>", async_store), /* Node.js 20, 22 */
    WANTED("<symbol kAsyncContextFrame>", async_frame),
    WANTED("Timeout", timeout),
    WANTED("Immediate", immediate),
    WANTED("TimersList", timers_list),
    WANTED("_idleNext", idle_next),
    WANTED("_onTimeout", on_timeout),
    WANTED("_onImmediate", on_immediate),
    WANTED("_repeat", repeat),
    WANTED("system / PromiseReaction", reaction),
    WANTED("Generator", generator),
    WANTED("parameters_and_registers", registers),
    WANTED("listener", listener),
    WANTED("native_bind", bound),
    WANTED("bound_function", bound_function),
    WANTED("name_or_scope_info", name_or_scope_info),
    WANTED("extension", extension),
    WANTED("system / SourceTextModule", module_record),
    WANTED("system / Cell", cell),
    WANTED("value", value),
    WANTED("constructor", constructor),
    WANTED("function", generator_function),
};
#undef WANTED

static void find_strings(hw_reverse_t* r) {
  const unsigned count = sizeof(wanted) / sizeof(wanted[0]);
  for (unsigned k = 0; k < count; k++)
    *(uint32_t*)((char*)r + wanted[k].member) = HW_NONE;
  for (uint32_t i = 0; i < r->s->strings; i++) {
    uint32_t length;
    const uint8_t* text = hw_string(r->s, i, &length);
    if (length > 32 || length == 0) continue;
    for (unsigned k = 0; k < count; k++) {
      uint32_t* member = (uint32_t*)((char*)r + wanted[k].member);
      if (*member == HW_NONE && text[0] == (uint8_t)wanted[k].text[0] &&
          strlen(wanted[k].text) == length &&
          memcmp(text, wanted[k].text, length) == 0)
        *member = i;
    }
  }
}

/* There is one for each context of vm, too. The one of the program has most of
 * what there is, so that few nodes need be asked for their name. */
static void find_main_context(hw_reverse_t* r) {
  uint32_t most = 0;
  r->main_context = HW_NONE;
  for (uint32_t node = 0; node < r->s->nodes; node++) {
    uint32_t retainers = r->first[node + 1] - r->first[node];
    if (retainers <= most ||
        !hw_string_starts(r->s, r->s->name[node], "system / NativeContext"))
      continue;
    most = retainers;
    r->main_context = node;
  }
}

int hw_reverse_build(const hw_snapshot_t* s, hw_reverse_t* r) {
  memset(r, 0, sizeof(*r));
  r->s = s;
  find_strings(r);
  r->first = hw_array_new((size_t)s->nodes + 2, sizeof(uint32_t));
  if (r->first == NULL) return HW_ENOMEM;
  uint32_t* first = r->first;
  for (uint32_t node = 0; node < s->nodes; node++)
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++)
      first[hw_edge_target(s->edge[e])] += hw_edge_retains(s, node, e);
  uint32_t total = 0;
  for (uint32_t node = 0; node <= s->nodes; node++) {
    total += first[node];
    first[node] = total;
  }
  r->source = hw_array_new((size_t)total + 1, sizeof(uint32_t));
  r->edge = hw_array_new((size_t)total + 1, sizeof(uint32_t));
  if (r->source == NULL || r->edge == NULL) return HW_ENOMEM;
  /* From the last to the first, so that each list ends up in file order. */
  for (uint32_t node = s->nodes; node-- > 0;)
    for (uint32_t e = s->first_edge[node + 1]; e-- > s->first_edge[node];) {
      if (!hw_edge_retains(s, node, e)) continue;
      uint32_t at = --first[hw_edge_target(s->edge[e])];
      r->source[at] = node;
      r->edge[at] = e;
    }
  find_main_context(r);
  return 0;
}

void hw_reverse_close(hw_reverse_t* r) {
  hw_array_free(r->first);
  hw_array_free(r->source);
  hw_array_free(r->edge);
  memset(r, 0, sizeof(*r));
}

uint32_t hw_target_of(const hw_snapshot_t* s, uint32_t node, unsigned kind,
                      uint32_t name) {
  const uint32_t* names = hw_edge_names(s, node);
  uint32_t first = s->first_edge[node];
  for (uint32_t e = first; name != HW_NONE && e < s->first_edge[node + 1]; e++)
    if (hw_edge_kind(s->edge[e]) == kind && names[e - first] == name)
      return hw_edge_target(s->edge[e]);
  return HW_NONE;
}

static uint32_t script_node(const hw_reverse_t* r, uint32_t shared) {
  uint32_t script = hw_target_of(r->s, shared, HW_EDGE_INTERNAL, r->script);
  return script != HW_NONE
             ? script
             : hw_target_of(r->s, shared, HW_EDGE_INTERNAL, r->script_old);
}

/* A script's node is named after its URL. */
static uint32_t script_of(const hw_reverse_t* r, uint32_t shared) {
  uint32_t script = script_node(r, shared);
  return script == HW_NONE ? HW_NONE : r->s->name[script];
}

uint32_t hw_unbound(const hw_reverse_t* r, uint32_t closure) {
  const hw_snapshot_t* s = r->s;
  for (unsigned depth = 0; depth < 8 && s->name[closure] == r->bound; depth++) {
    uint32_t target =
        hw_target_of(s, closure, HW_EDGE_INTERNAL, r->bound_function);
    if (target == HW_NONE || hw_node_kind(s, target) != HW_NODE_CLOSURE) break;
    closure = target;
  }
  return closure;
}

bool hw_closure_same(const hw_snapshot_t* s, uint32_t a, uint32_t b) {
  const hw_location_t* left = a == HW_NONE ? NULL : hw_location_find(s, a);
  const hw_location_t* right = b == HW_NONE ? NULL : hw_location_find(s, b);
  return left != NULL && right != NULL && left->script == right->script &&
         left->line == right->line && left->column == right->column;
}

uint32_t hw_closure_url(const hw_reverse_t* r, uint32_t closure) {
  uint32_t shared = hw_target_of(r->s, closure, HW_EDGE_INTERNAL, r->shared);
  return shared == HW_NONE ? HW_NONE : script_of(r, shared);
}

bool hw_is_context(const hw_reverse_t* r, uint32_t node) {
  return r->s->name[node] == r->context_node &&
         hw_node_kind(r->s, node) != HW_NODE_STRING;
}

#define CONTEXT_HEADER \
  32 /* bytes: shape, length, scope and the context around */

/* At most so many: a context can have one more slot, for what sloppy eval()
 * declares or a module. A variable that has no value yet has no edge. */
static uint64_t variables_of(const hw_reverse_t* r, uint32_t context) {
  uint64_t size = hw_snapshot_shallow(r->s, context);
  uint64_t slots = size > CONTEXT_HEADER ? (size - CONTEXT_HEADER) / 8 : 0;
  bool extended =
      hw_target_of(r->s, context, HW_EDGE_INTERNAL, r->extension) != HW_NONE;
  return slots - (slots > 0 && extended);
}

uint32_t hw_context_function(const hw_reverse_t* r, uint32_t context) {
  const hw_snapshot_t* s = r->s;
  uint32_t info = hw_target_of(s, context, HW_EDGE_INTERNAL, r->scope_info);
  if (info == HW_NONE) return HW_NONE;
  /* The scope's variables come first, then the name of the function. */
  uint32_t last = HW_NONE;
  uint64_t names = 0;
  for (uint32_t e = s->first_edge[info]; e < s->first_edge[info + 1]; e++) {
    uint32_t target = hw_edge_target(s->edge[e]);
    if (hw_edge_kind(s->edge[e]) == HW_EDGE_HIDDEN &&
        hw_node_kind(s, target) == HW_NODE_STRING) {
      last = s->name[target];
      names++;
    }
  }
  if (last == HW_NONE || names <= variables_of(r, context)) return HW_NONE;
  /* A scope without a function's name ends in one of its variables. */
  return hw_target_of(s, context, HW_EDGE_CONTEXT, last) == HW_NONE ? last
                                                                    : HW_NONE;
}

/* The number of a function within its script, by which the script keeps it:
 * 0 is the script's own. -1 if it is not kept. */
static long function_number(const hw_snapshot_t* s, uint32_t script,
                            uint32_t shared) {
  for (uint32_t e = s->first_edge[script]; e < s->first_edge[script + 1]; e++) {
    uint32_t list = hw_edge_target(s->edge[e]);
    if (hw_node_kind(s, list) != HW_NODE_CODE) continue;
    for (uint32_t k = s->first_edge[list]; k < s->first_edge[list + 1]; k++) {
      if (hw_edge_kind(s->edge[k]) != HW_EDGE_WEAK ||
          hw_edge_target(s->edge[k]) != shared)
        continue;
      uint32_t length;
      const uint8_t* digits = hw_string(s, hw_name_of(s, list, k), &length);
      long number = 0;
      for (uint32_t i = 0; i < length && i < 9; i++)
        number = number * 10 + (digits[i] - '0');
      return number;
    }
  }
  return -1;
}

/* A module that has no variables of its own has no context, and that of a
 * function right within it looks like one. */
static bool is_inner_function(const hw_reverse_t* r, uint32_t context) {
  const hw_snapshot_t* s = r->s;
  uint32_t info = hw_target_of(s, context, HW_EDGE_INTERNAL, r->scope_info);
  if (info == HW_NONE) return false;
  for (uint32_t i = r->first[info]; i < r->first[info + 1]; i++) {
    uint32_t shared = r->source[i];
    if (hw_node_kind(s, shared) != HW_NODE_CODE ||
        hw_edge_kind(s->edge[r->edge[i]]) != HW_EDGE_INTERNAL ||
        hw_name_of(s, shared, r->edge[i]) != r->name_or_scope_info)
      continue;
    uint32_t script = script_node(r, shared);
    if (script != HW_NONE && function_number(s, script, shared) > 1)
      return true;
  }
  return false;
}

bool hw_is_module_context(const hw_reverse_t* r, uint32_t context) {
  const hw_snapshot_t* s = r->s;
  uint32_t record = hw_target_of(s, context, HW_EDGE_INTERNAL, r->extension);
  if (record != HW_NONE && s->name[record] == r->module_record) return true;
  uint32_t above = hw_target_of(s, context, HW_EDGE_INTERNAL, r->previous);
  if (above == HW_NONE ||
      !hw_string_starts(s, s->name[above], "system / NativeContext"))
    return false;
  uint32_t name = hw_context_function(r, context);
  uint32_t length = 0;
  if (name != HW_NONE) hw_string(s, name, &length);
  return length == 0 && !is_inner_function(r, context);
}

uint32_t hw_generator_closure(const hw_reverse_t* r, uint32_t generator) {
  return hw_target_of(r->s, generator, HW_EDGE_INTERNAL, r->generator_function);
}

/* A function's shared part refers to the scope around it, so that the scope
 * leads to a function of its script whether or not a closure of it is left. */
uint32_t hw_context_url(const hw_reverse_t* r, uint32_t context) {
  const hw_snapshot_t* s = r->s;
  for (uint32_t i = r->first[context]; i < r->first[context + 1]; i++) {
    uint32_t node = r->source[i];
    if (hw_node_kind(s, node) != HW_NODE_CLOSURE) continue;
    if (hw_name_of(s, node, r->edge[i]) != r->context) continue;
    uint32_t url = hw_closure_url(r, node);
    if (url != HW_NONE) return url;
  }
  uint32_t info = hw_target_of(s, context, HW_EDGE_INTERNAL, r->scope_info);
  for (unsigned depth = 0; info != HW_NONE && depth < 8; depth++) {
    uint32_t inner = HW_NONE;
    for (uint32_t i = r->first[info]; i < r->first[info + 1]; i++) {
      uint32_t node = r->source[i];
      if (hw_node_kind(s, node) != HW_NODE_CODE) continue;
      uint32_t url = script_of(r, node);
      if (url != HW_NONE) return url;
      if (s->name[node] == r->scope_info_node && inner == HW_NONE) inner = node;
    }
    info = inner;
  }
  return HW_NONE;
}

uint32_t hw_name_before(const hw_snapshot_t* s, uint32_t array, uint32_t cell) {
  for (uint32_t e = s->first_edge[array] + 1; e < s->first_edge[array + 1];
       e++) {
    uint32_t before = hw_edge_target(s->edge[e - 1]);
    if (hw_edge_target(s->edge[e]) == cell &&
        hw_node_kind(s, before) == HW_NODE_STRING)
      return s->name[before];
  }
  return HW_NONE;
}

uint32_t hw_export_name(const hw_reverse_t* r, uint32_t cell,
                        uint32_t* record) {
  const hw_snapshot_t* s = r->s;
  for (uint32_t i = r->first[cell]; i < r->first[cell + 1]; i++) {
    uint32_t array = r->source[i];
    uint32_t name = hw_name_before(s, array, cell);
    if (name == HW_NONE) continue;
    for (uint32_t k = r->first[array]; k < r->first[array + 1]; k++) {
      if (s->name[r->source[k]] != r->module_record) continue;
      *record = r->source[k];
      return name;
    }
  }
  return HW_NONE;
}

uint32_t hw_record_url(const hw_reverse_t* r, uint32_t record) {
  const hw_snapshot_t* s = r->s;
  for (uint32_t e = s->first_edge[record]; e < s->first_edge[record + 1]; e++) {
    uint32_t part = hw_edge_target(s->edge[e]);
    uint32_t url = HW_NONE;
    if (s->name[part] == r->generator) part = hw_generator_closure(r, part);
    if (part == HW_NONE) continue;
    if (hw_node_kind(s, part) == HW_NODE_CLOSURE)
      url = hw_closure_url(r, part);
    else if (hw_node_kind(s, part) == HW_NODE_CODE)
      url = script_of(r, part);
    if (url != HW_NONE) return url;
  }
  return HW_NONE;
}

uint32_t hw_variable_url(const hw_reverse_t* r, uint32_t from) {
  uint32_t record;
  if (r->s->name[from] != r->cell) return hw_context_url(r, from);
  return hw_export_name(r, from, &record) == HW_NONE ? HW_NONE
                                                     : hw_record_url(r, record);
}

uint32_t hw_variable_name(const hw_reverse_t* r, uint32_t from, uint32_t edge) {
  uint32_t record;
  uint32_t name =
      r->s->name[from] == r->cell ? hw_export_name(r, from, &record) : HW_NONE;
  return name != HW_NONE ? name : hw_name_of(r->s, from, edge);
}

bool hw_is_global(const hw_reverse_t* r, uint32_t node) {
  const hw_snapshot_t* s = r->s;
  if (hw_node_kind(s, node) != HW_NODE_OBJECT) return false;
  return hw_string_is(s, s->name[node], "global") ||
         hw_string_starts(s, s->name[node], "global (") ||
         hw_string_starts(s, s->name[node], "global / ");
}

#define DICTIONARY 64

bool hw_is_dictionary(const hw_reverse_t* r, uint32_t node) {
  const hw_snapshot_t* s = r->s;
  uint32_t count = 0;
  if (s->first_edge[node + 1] - s->first_edge[node] <= DICTIONARY) return false;
  for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++)
    count += hw_edge_kind(s->edge[e]) == HW_EDGE_PROPERTY;
  return count > DICTIONARY && !hw_is_global(r, node) &&
         !hw_string_is(s, s->name[node], "process");
}
