/*
 * Building classes, in one pass over the nodes: the name's number is found
 * through an array by string, or by type; then the class through an array by
 * name, or, with a place, in a hash table.
 *
 * A class's retained size counts each node that has none of its own class
 * above it in the dominator tree.
 */

#include "snapshot/hw_snapshot_classes.h"

typedef struct {
  const hw_snapshot_t* s;
  hw_classes_t* c;
  uint32_t* by_string;   /* names of strings: HW_NONE if not yet given */
  uint32_t* by_detached; /* the same, of detached nodes */
  uint32_t by_type[HW_NODE_TYPES_MAX];
  uint32_t* by_shape;
  uint32_t* class_of_name; /* classes without a place */
  uint32_t names_capacity;
  uint32_t* name_slot; /* hash tables: number + 1 */
  uint32_t name_mask;
  uint32_t* class_slot;
  uint32_t class_mask;
  uint32_t classes_capacity;
  uint32_t location; /* the next, as nodes are walked in their order */
} builder_t;

const char* hw_class_name(const hw_classes_t* c, uint32_t name,
                          uint32_t* length) {
  uint32_t start = name == 0 ? 0 : c->name_end[name - 1];
  *length = c->name_end[name] - start;
  return c->text.data + start;
}

static uint64_t hash_bytes(const void* data, size_t length) {
  const uint8_t* at = data;
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < length; i++)
    hash = (hash ^ at[i]) * 1099511628211u;
  return hash ^ hash >> 32;
}

static int grow_names(builder_t* b) {
  uint32_t capacity = b->names_capacity * 2 + 512;
  uint32_t* end = realloc(b->c->name_end, capacity * sizeof(uint32_t));
  if (end == NULL) return HW_ENOMEM;
  b->c->name_end = end;
  uint32_t* classes = realloc(b->class_of_name, capacity * sizeof(uint32_t));
  if (classes == NULL) return HW_ENOMEM;
  b->class_of_name = classes;
  uint32_t size = 1024;
  while (size < capacity * 2)
    size *= 2;
  uint32_t* slot = calloc(size, sizeof(uint32_t));
  if (slot == NULL) return HW_ENOMEM;
  for (uint32_t i = 0; i < b->c->names; i++) {
    uint32_t length;
    const char* name = hw_class_name(b->c, i, &length);
    uint32_t at = (uint32_t)hash_bytes(name, length) & (size - 1);
    while (slot[at] != 0)
      at = (at + 1) & (size - 1);
    slot[at] = i + 1;
  }
  free(b->name_slot);
  b->name_slot = slot;
  b->name_mask = size - 1;
  b->names_capacity = capacity;
  return 0;
}

/* The number of a name, new or not; HW_NONE without memory. */
static uint32_t name_number(builder_t* b, const void* name, size_t length) {
  hw_classes_t* c = b->c;
  if (c->names == b->names_capacity && grow_names(b) != 0) return HW_NONE;
  uint32_t at = (uint32_t)hash_bytes(name, length) & b->name_mask;
  for (; b->name_slot[at] != 0; at = (at + 1) & b->name_mask) {
    uint32_t other_length;
    uint32_t number = b->name_slot[at] - 1;
    const char* other = hw_class_name(c, number, &other_length);
    if (other_length == length && memcmp(other, name, length) == 0)
      return number;
  }
  hw_text_append(&c->text, name, length);
  if (c->text.failed || c->text.length > UINT32_MAX) return HW_NONE;
  c->name_end[c->names] = (uint32_t)c->text.length;
  b->class_of_name[c->names] = HW_NONE;
  b->name_slot[at] = c->names + 1;
  return c->names++;
}

static uint32_t name_of_type(builder_t* b, unsigned type) {
  static const char* const fixed[HW_NODE_OTHER + 1] = {
      [HW_NODE_HIDDEN] = "(system)",
      [HW_NODE_CODE] = "(compiled code)",
      [HW_NODE_CLOSURE] = "Function",
      [HW_NODE_REGEXP] = "RegExp"};
  const hw_snapshot_t* s = b->s;
  const char* known = fixed[s->node_kinds[type]];
  if (known != NULL) return name_number(b, known, strlen(known));
  hw_text_t text = {NULL, 0, 0, false};
  hw_json_slice_t name = s->node_type_names[type];
  hw_text_string(&text, "(");
  hw_text_append(&text, s->text + name.at, name.length);
  hw_text_string(&text, ")");
  uint32_t number =
      text.failed ? HW_NONE : name_number(b, text.data, text.length);
  hw_text_close(&text);
  return number;
}

/* Objects and native nodes: `<div id="a">` is `<div>`. */
static uint32_t name_of_string(builder_t* b, uint32_t string, bool detached) {
  uint32_t length;
  const uint8_t* raw = hw_string(b->s, string, &length);
  hw_text_t text = {NULL, 0, 0, false};
  if (detached) hw_text_string(&text, "Detached ");
  hw_text_append(&text, raw, length);
  size_t from = 0;
  if (text.length >= 10 && memcmp(text.data, "Detached <", 10) == 0) from = 10;
  if (text.length > 0 && !text.failed && (from > 0 || text.data[0] == '<')) {
    const char* space = memchr(text.data + from, ' ', text.length - from);
    if (space != NULL) {
      text.length = (size_t)(space - text.data);
      hw_text_string(&text, ">");
    }
  }
  uint32_t number =
      text.failed ? HW_NONE : name_number(b, text.data, text.length);
  hw_text_close(&text);
  return number;
}

static uint32_t name_of_node(builder_t* b, uint32_t node, uint32_t shape) {
  const hw_snapshot_t* s = b->s;
  unsigned kind = hw_node_kind(s, node);
  uint32_t string = s->name[node];
  if (shape != HW_NONE) return b->by_shape[shape];
  if (kind != HW_NODE_OBJECT && kind != HW_NODE_NATIVE)
    return b->by_type[s->node[node] & HW_NODE_TYPE_MASK];
  bool detached = (s->node[node] & HW_NODE_DETACHED) != 0;
  uint32_t* cache = detached ? b->by_detached : b->by_string;
  if (cache[string] == HW_NONE)
    cache[string] = name_of_string(b, string, detached);
  return cache[string];
}

static const hw_location_t* next_location(builder_t* b, uint32_t node) {
  const hw_snapshot_t* s = b->s;
  while (b->location < s->locations && s->location[b->location].node < node)
    b->location++;
  const hw_location_t* found = NULL;
  uint32_t at = b->location;
  while (at < s->locations && s->location[at].node == node)
    found = &s->location[at++]; /* of several, the last */
  return found;
}

static int grow_classes(builder_t* b) {
  uint32_t capacity = b->classes_capacity * 2 + 512;
  hw_class_t* item = realloc(b->c->item, capacity * sizeof(hw_class_t));
  if (item == NULL) return HW_ENOMEM;
  b->c->item = item;
  uint32_t size = 1024;
  while (size < capacity * 2)
    size *= 2;
  uint32_t* slot = calloc(size, sizeof(uint32_t));
  if (slot == NULL) return HW_ENOMEM;
  for (uint32_t i = 0; i < b->c->count; i++) {
    const hw_class_t* k = &b->c->item[i];
    uint32_t key[4] = {k->name, (uint32_t)k->script, (uint32_t)k->line,
                       (uint32_t)k->column};
    if (!k->located) continue;
    uint32_t at = (uint32_t)hash_bytes(key, sizeof(key)) & (size - 1);
    while (slot[at] != 0)
      at = (at + 1) & (size - 1);
    slot[at] = i + 1;
  }
  free(b->class_slot);
  b->class_slot = slot;
  b->class_mask = size - 1;
  b->classes_capacity = capacity;
  return 0;
}

static uint32_t new_class(builder_t* b, uint32_t name,
                          const hw_location_t* at) {
  hw_class_t* k = &b->c->item[b->c->count];
  memset(k, 0, sizeof(*k));
  k->name = name;
  k->located = at != NULL;
  k->distance = INT32_MAX;
  if (at != NULL) {
    k->script = at->script;
    k->line = at->line;
    k->column = at->column;
  }
  return b->c->count++;
}

static uint32_t class_number(builder_t* b, uint32_t name,
                             const hw_location_t* at) {
  if (b->c->count == b->classes_capacity && grow_classes(b) != 0)
    return HW_NONE;
  if (at == NULL) {
    if (b->class_of_name[name] == HW_NONE)
      b->class_of_name[name] = new_class(b, name, NULL);
    return b->class_of_name[name];
  }
  uint32_t key[4] = {name, (uint32_t)at->script, (uint32_t)at->line,
                     (uint32_t)at->column};
  uint32_t slot = (uint32_t)hash_bytes(key, sizeof(key)) & b->class_mask;
  for (; b->class_slot[slot] != 0; slot = (slot + 1) & b->class_mask) {
    const hw_class_t* k = &b->c->item[b->class_slot[slot] - 1];
    if (k->name == name && k->script == at->script && k->line == at->line &&
        k->column == at->column)
      return b->class_slot[slot] - 1;
  }
  b->class_slot[slot] = b->c->count + 1;
  return new_class(b, name, at);
}

static int place(builder_t* b, uint32_t node) {
  const hw_snapshot_t* s = b->s;
  uint32_t shape = b->c->of_node[node];
  b->c->of_node[node] = HW_NONE;
  uint64_t bytes = hw_snapshot_shallow(s, node);
  if (bytes == 0) return 0;
  uint32_t name = name_of_node(b, node, shape);
  if (name == HW_NONE) return HW_ENOMEM;
  const hw_location_t* at = NULL;
  if (hw_node_kind(s, node) == HW_NODE_OBJECT) at = next_location(b, node);
  uint32_t number = class_number(b, name, at);
  if (number == HW_NONE) return HW_ENOMEM;
  hw_class_t* k = &b->c->item[number];
  k->count++;
  k->shallow += bytes;
  if (s->distance != NULL && s->distance[node] < k->distance)
    k->distance = s->distance[node];
  b->c->of_node[node] = number;
  return 0;
}

void hw_dominator_children(const hw_snapshot_t* s, uint32_t* first,
                           uint32_t* next) {
  memset(first, 0xFF, (size_t)s->nodes * sizeof(uint32_t));
  for (uint32_t node = s->nodes; node-- > 0;) {
    if (node == s->root) continue;
    next[node] = first[s->dominator[node]];
    first[s->dominator[node]] = node;
  }
  next[s->root] = HW_NONE;
}

/* Threads the dominator tree through `dominator`, where each node's place is:
 * from a child to the next, and from the last back to whose children they are.
 * `first` becomes the first child of each. */
#define LAST_CHILD (UINT32_C(1) << 31)

static void thread_tree(hw_snapshot_t* s, uint32_t* first) {
  uint32_t* link = s->dominator;
  memset(first, 0xFF, (size_t)s->nodes * sizeof(uint32_t));
  for (uint32_t node = s->nodes; node-- > 0;) {
    if (node == s->root) continue;
    uint32_t above = link[node];
    link[node] = first[above] == HW_NONE ? above | LAST_CHILD : first[above];
    first[above] = node;
  }
}

static void unthread_tree(hw_snapshot_t* s, const uint32_t* first) {
  uint32_t* link = s->dominator;
  for (uint32_t node = 0; node < s->nodes; node++) {
    bool more = first[node] != HW_NONE;
    for (uint32_t child = first[node]; more;) {
      uint32_t next = link[child];
      link[child] = node;
      more = (next & LAST_CHILD) == 0;
      child = next;
    }
  }
}

/* Walks the threaded tree without a stack. `inside` counts, by class, the nodes
 * on the way down. */
static void sum_retained(const hw_snapshot_t* s, hw_classes_t* c,
                         const uint32_t* first, uint32_t* inside) {
  uint32_t at = s->root;
  bool down = true;
  for (;;) {
    uint32_t k = c->of_node[at];
    if (down && k != HW_NONE && inside[k]++ == 0)
      c->item[k].retained += s->retained[at];
    if (down && first[at] != HW_NONE) {
      at = first[at];
      continue;
    }
    if (k != HW_NONE) inside[k]--;
    if (at == s->root) return;
    down = (s->dominator[at] & LAST_CHILD) == 0;
    at = s->dominator[at] & ~LAST_CHILD;
  }
}

static int add_retained(hw_snapshot_t* s, hw_classes_t* c) {
  uint32_t* first = hw_array_new(s->nodes, sizeof(uint32_t));
  uint32_t* inside = calloc((size_t)c->count + 1, sizeof(uint32_t));
  int status = HW_ENOMEM;
  if (first != NULL && inside != NULL) {
    thread_tree(s, first);
    sum_retained(s, c, first, inside);
    unthread_tree(s, first);
    status = 0;
  }
  hw_array_free(first);
  free(inside);
  return status;
}

static int prepare(builder_t* b, const hw_shapes_t* shapes) {
  const hw_snapshot_t* s = b->s;
  hw_classes_t* c = b->c;
  size_t strings = (size_t)s->strings * sizeof(uint32_t);
  c->of_node = hw_array_new(s->nodes, sizeof(uint32_t));
  b->by_string = hw_array_new(1, strings);
  b->by_shape = malloc(((size_t)shapes->count + 1) * sizeof(uint32_t));
  if (c->of_node == NULL || b->by_string == NULL || b->by_shape == NULL)
    return HW_ENOMEM;
  memset(c->of_node, 0xFF, (size_t)s->nodes * sizeof(uint32_t));
  memset(b->by_string, 0xFF, strings);
  if (s->detachedness != NULL) {
    b->by_detached = hw_array_new(1, strings);
    if (b->by_detached == NULL) return HW_ENOMEM;
    memset(b->by_detached, 0xFF, strings);
  }
  for (unsigned i = 0; i < s->node_types; i++) {
    b->by_type[i] = name_of_type(b, i);
    if (b->by_type[i] == HW_NONE) return HW_ENOMEM;
  }
  for (uint32_t i = 0; i < shapes->count; i++) {
    const hw_text_t* name = &shapes->shape[i].name;
    b->by_shape[i] = name_number(b, name->data, name->length);
    if (b->by_shape[i] == HW_NONE) return HW_ENOMEM;
  }
  return hw_shapes_apply(s, shapes, c->of_node);
}

int hw_classes_build(hw_snapshot_t* s, const hw_shapes_t* shapes,
                     hw_classes_t* classes) {
  builder_t b;
  memset(&b, 0, sizeof(b));
  memset(classes, 0, sizeof(*classes));
  b.s = s;
  b.c = classes;
  int status = hw_progress(s, "grouping by class", 0);
  if (status == 0) status = prepare(&b, shapes);
  for (uint32_t node = 0; node < s->nodes && status == 0; node++)
    status = place(&b, node);
  hw_array_free(b.by_string);
  hw_array_free(b.by_detached);
  free(b.by_shape);
  free(b.class_of_name);
  free(b.name_slot);
  free(b.class_slot);
  if (status == 0 && s->retained != NULL) status = add_retained(s, classes);
  return status;
}

void hw_classes_close(hw_classes_t* classes) {
  free(classes->item);
  hw_array_free(classes->of_node);
  free(classes->name_end);
  hw_text_close(&classes->text);
  memset(classes, 0, sizeof(*classes));
}
