/*
 * Which shape an object has: the one with the most properties of those that
 * it has all of; of equals the more frequent one.
 *
 * Shapes, their properties sorted, make a trie. An object's properties, sorted
 * likewise, are run through it with all states that they can reach, since an
 * object may have properties that a shape lacks: a state stays until no
 * property that could lead on from it can come. Sorting is by the index of
 * the string; any order serves as long as it is the same for both.
 *
 * Objects mostly come in few kinds, so what was found for a list of
 * properties is remembered.
 */

#include "snapshot/hw_snapshot_shapes.h"

#define REMEMBERED_MAX 64 /* properties of a list that is remembered */

typedef struct {
  uint32_t shape;    /* that ends here, or HW_NONE */
  uint32_t greatest; /* string that leads on, 0 if none does */
  bool leads;
} state_t;

typedef struct {
  uint32_t from, string, to; /* from is HW_NONE in an empty slot */
} step_t;

typedef struct {
  uint32_t start, count, shape; /* of the pool; count 0 in an empty slot */
} known_t;

typedef struct {
  const hw_snapshot_t* s;
  const hw_shapes_t* shapes;
  state_t* state;
  uint32_t states;
  step_t* step; /* hash table */
  uint32_t step_mask;
  uint8_t* used; /* by string: does a shape have it? */
  uint32_t* list;
  uint32_t list_capacity;
  uint32_t* active; /* states */
  known_t* known;   /* hash table */
  uint32_t known_mask, known_count;
  uint32_t* pool;
  size_t pooled, pool_capacity;
} matcher_t;

static int by_value(const void* a, const void* b) {
  uint32_t left = *(const uint32_t*)a;
  uint32_t right = *(const uint32_t*)b;
  return left < right ? -1 : left > right;
}

static step_t* find_step(const matcher_t* m, uint32_t from, uint32_t string) {
  uint64_t hash = ((uint64_t)from << 32 | string) * 0x9E3779B97F4A7C15u;
  uint32_t at = (uint32_t)(hash >> 32) & m->step_mask;
  while (m->step[at].from != HW_NONE &&
         (m->step[at].from != from || m->step[at].string != string))
    at = (at + 1) & m->step_mask;
  return &m->step[at];
}

static void add_shape(matcher_t* m, uint32_t shape, uint32_t* strings,
                      uint32_t count) {
  uint32_t at = 0;
  qsort(strings, count, sizeof(uint32_t), by_value);
  for (uint32_t i = 0; i < count; i++) {
    step_t* step = find_step(m, at, strings[i]);
    m->used[strings[i]] = 1;
    if (step->from == HW_NONE) {
      step->from = at;
      step->string = strings[i];
      step->to = m->states;
      m->state[m->states].shape = HW_NONE;
      m->state[m->states].leads = false;
      m->states++;
      if (!m->state[at].leads || m->state[at].greatest < strings[i])
        m->state[at].greatest = strings[i];
      m->state[at].leads = true;
    }
    at = step->to;
  }
  if (m->state[at].shape == HW_NONE) m->state[at].shape = shape;
}

/* The strings of the snapshot that are properties of shapes: found by their
 * text, since the shapes may come from another snapshot. */
typedef struct {
  uint64_t hash;
  const char* text;
  uint32_t length;
  uint32_t string; /* HW_NONE if the snapshot has none such */
} property_t;

static uint64_t hash_text(const void* data, size_t length) {
  const uint8_t* at = data;
  uint64_t hash = 14695981039346656037u ^ length;
  for (size_t i = 0; i < length; i++)
    hash = (hash ^ at[i]) * 1099511628211u;
  return hash;
}

static property_t* find_property(property_t* table, uint32_t mask,
                                 const void* text, uint32_t length) {
  uint64_t hash = hash_text(text, length);
  uint32_t at = (uint32_t)hash & mask;
  while (table[at].text != NULL &&
         (table[at].hash != hash || table[at].length != length ||
          memcmp(table[at].text, text, length) != 0))
    at = (at + 1) & mask;
  table[at].hash = hash;
  return &table[at];
}

static const char* property_text(const hw_shape_t* shape, uint32_t i,
                                 uint32_t* length) {
  uint32_t start = i == 0 ? 0 : shape->end[i - 1];
  *length = shape->end[i] - start;
  /* A shape of one empty property has no text at all. */
  return shape->text.data == NULL ? "" : shape->text.data + start;
}

static int build(matcher_t* m, uint32_t total) {
  uint32_t size = 64;
  uint32_t longest = 0;
  while (size < 2 * (uint64_t)total)
    size *= 2;
  property_t* table = calloc(size, sizeof(property_t));
  if (table == NULL) return HW_ENOMEM;
  for (uint32_t i = 0; i < m->shapes->count; i++) {
    const hw_shape_t* shape = &m->shapes->shape[i];
    for (uint32_t p = 0; p < shape->properties; p++) {
      uint32_t length;
      const char* text = property_text(shape, p, &length);
      property_t* property = find_property(table, size - 1, text, length);
      property->text = text;
      property->length = length;
      property->string = HW_NONE;
      if (length > longest) longest = length;
    }
  }
  for (uint32_t i = 0; i < m->s->strings; i++) {
    uint32_t length;
    const uint8_t* text = hw_string(m->s, i, &length);
    if (length > longest) continue;
    property_t* property = find_property(table, size - 1, text, length);
    if (property->text != NULL && property->string == HW_NONE)
      property->string = i;
  }
  for (uint32_t i = 0; i < m->shapes->count; i++) {
    const hw_shape_t* shape = &m->shapes->shape[i];
    uint32_t strings[256];
    uint32_t p = 0;
    for (; p < shape->properties; p++) {
      uint32_t length;
      const char* text = property_text(shape, p, &length);
      strings[p] = find_property(table, size - 1, text, length)->string;
      if (strings[p] == HW_NONE) break;
    }
    if (p == shape->properties) add_shape(m, i, strings, p);
  }
  free(table);
  return 0;
}

static bool is_better(const matcher_t* m, uint32_t shape, uint32_t than) {
  if (shape == HW_NONE || than == HW_NONE) return than == HW_NONE;
  uint32_t own = m->shapes->shape[shape].properties;
  uint32_t other = m->shapes->shape[than].properties;
  return own != other ? own > other : shape < than;
}

static uint32_t run(matcher_t* m, uint32_t count) {
  uint32_t best = HW_NONE;
  uint32_t active = 1;
  m->active[0] = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t string = m->list[i];
    uint32_t stay = 0;
    uint32_t before = active;
    /* States reached now come behind those there were; both move up. */
    for (uint32_t k = 0; k < before; k++) {
      uint32_t at = m->active[k];
      const step_t* step = find_step(m, at, string);
      if (m->state[at].leads && string < m->state[at].greatest)
        m->active[stay++] = at;
      if (step->from == HW_NONE) continue;
      m->active[active++] = step->to;
      if (is_better(m, m->state[step->to].shape, best))
        best = m->state[step->to].shape;
    }
    for (uint32_t k = before; k < active; k++) {
      bool there = false; /* a property that is there twice */
      for (uint32_t j = 0; i > 0 && string == m->list[i - 1] && j < stay; j++)
        there |= m->active[j] == m->active[k];
      if (!there) m->active[stay++] = m->active[k];
    }
    active = stay;
  }
  return best;
}

/* Writes the object's properties that shapes know, as in the file. */
static int collect(matcher_t* m, uint32_t node, uint32_t* count) {
  const hw_snapshot_t* s = m->s;
  const uint32_t* names = hw_edge_names(s, node);
  uint32_t first = s->first_edge[node];
  uint32_t edges = s->first_edge[node + 1] - first;
  if (edges > m->list_capacity) {
    uint32_t* list = realloc(m->list, (size_t)edges * 2 * sizeof(uint32_t));
    if (list == NULL) return HW_ENOMEM;
    m->list = list;
    m->list_capacity = edges * 2;
  }
  *count = 0;
  for (uint32_t e = 0; e < edges; e++)
    if (hw_edge_kind(s->edge[first + e]) == HW_EDGE_PROPERTY &&
        m->used[names[e]])
      m->list[(*count)++] = names[e];
  return 0;
}

static known_t* find_known(const matcher_t* m, uint32_t count) {
  uint64_t hash = count;
  for (uint32_t i = 0; i < count; i++) {
    hash = (hash ^ m->list[i]) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  uint32_t at = (uint32_t)hash & m->known_mask;
  while (m->known[at].count != 0 &&
         (m->known[at].count != count ||
          memcmp(m->pool + m->known[at].start, m->list,
                 count * sizeof(uint32_t)) != 0))
    at = (at + 1) & m->known_mask;
  return &m->known[at];
}

/* Remembers a list as long as there is room: what is forgotten is only done
 * again. */
static void remember(matcher_t* m, known_t* slot, uint32_t count) {
  if (m->known_count > m->known_mask / 2 ||
      m->pooled + count > m->pool_capacity)
    return;
  memcpy(m->pool + m->pooled, m->list, count * sizeof(uint32_t));
  slot->start = (uint32_t)m->pooled;
  slot->count = count;
  m->pooled += count;
  m->known_count++;
}

static int match(matcher_t* m, uint32_t node, uint32_t* shape) {
  uint32_t count;
  if (collect(m, node, &count) != 0) return HW_ENOMEM;
  if (count == 0) return 0;
  known_t* slot = count <= REMEMBERED_MAX ? find_known(m, count) : NULL;
  if (slot != NULL && slot->count != 0) {
    *shape = slot->shape;
    return 0;
  }
  if (slot != NULL) remember(m, slot, count);
  qsort(m->list, count, sizeof(uint32_t), by_value);
  *shape = run(m, count);
  if (slot != NULL && slot->count != 0) slot->shape = *shape;
  return 0;
}

static int prepare(matcher_t* m) {
  uint32_t total = 1;
  uint32_t steps = 64;
  for (uint32_t i = 0; i < m->shapes->count; i++)
    total += m->shapes->shape[i].properties;
  while (steps < 2 * (uint64_t)total)
    steps *= 2;
  m->step_mask = steps - 1;
  uint32_t room = 64;
  while (room < 1u << 16 && room < m->s->nodes)
    room *= 2;
  m->known_mask = room - 1;
  m->pool_capacity = (size_t)room * 16;
  m->state = malloc((size_t)(total + 1) * sizeof(state_t));
  m->active = malloc((size_t)(total + 1) * 2 * sizeof(uint32_t));
  m->step = malloc((size_t)steps * sizeof(step_t));
  m->used = calloc(m->s->strings, 1);
  m->known = calloc((size_t)m->known_mask + 1, sizeof(known_t));
  m->pool = malloc(m->pool_capacity * sizeof(uint32_t));
  if (m->state == NULL || m->active == NULL || m->step == NULL ||
      m->used == NULL || m->known == NULL || m->pool == NULL)
    return HW_ENOMEM;
  memset(m->step, 0xFF, (size_t)steps * sizeof(step_t));
  m->state[0].shape = HW_NONE;
  m->state[0].leads = false;
  m->states = 1;
  return build(m, total);
}

int hw_shapes_apply(const hw_snapshot_t* s, const hw_shapes_t* shapes,
                    uint32_t* of_node) {
  matcher_t m;
  memset(&m, 0, sizeof(m));
  m.s = s;
  m.shapes = shapes;
  int status = prepare(&m);
  for (uint32_t node = 0; node < s->nodes && status == 0; node++)
    if (hw_is_plain_object(s, node)) status = match(&m, node, &of_node[node]);
  free(m.state);
  free(m.active);
  free(m.step);
  free(m.used);
  free(m.list);
  free(m.known);
  free(m.pool);
  return status;
}
