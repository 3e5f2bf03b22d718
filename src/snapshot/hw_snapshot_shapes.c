/*
 * Finding shapes. Candidates are the property names of every plain object, in
 * order, without `__proto__`, up to a length of 120 characters of the name
 * that they make, and at least one. Kept are those that two objects have, and
 * one in a thousand, ordered by how many have them; equals as they were met.
 *
 * Lengths are those of JavaScript strings, in 16-bit units. A property whose
 * name has commas, quotes or braces is quoted in the shape's name.
 */

#include "snapshot/hw_snapshot_shapes.h"

#define NAME_MAX_UNITS 120
#define LIST_MAX 128 /* properties: each takes 3 units, the first 1 */

typedef struct {
  uint32_t start; /* of its properties in the pool */
  uint32_t properties;
  uint32_t objects;
  uint32_t order; /* as met */
} candidate_t;

typedef struct {
  const hw_snapshot_t* s;
  uint8_t* units; /* by string: length of a property's name, 0 if not known */
  uint32_t* pool;
  size_t pooled;
  size_t pool_capacity;
  candidate_t* candidate;
  uint32_t candidates;
  uint32_t capacity;
  uint32_t* slot; /* hash table of candidates, number + 1 */
  uint32_t mask;
  uint32_t objects;
} finder_t;

static bool needs_quotes(const uint8_t* at, const uint8_t* end) {
  uint32_t code;
  while (hw_text_decode(&at, end, &code))
    if (code == ',' || code == '\'' || code == '"' || code == '{' ||
        code == '}')
      return true;
  return false;
}

static unsigned units_of(uint32_t code, bool quoted, uint32_t next) {
  bool high = code >= 0xD800 && code < 0xDC00;
  bool low = code >= 0xDC00 && code < 0xE000;
  if (code > 0xFFFF) return 2;
  if (!quoted) return 1;
  if (code == '"' || code == '\\') return 2;
  if (code < 0x20) return code >= 8 && code <= 13 && code != 11 ? 2 : 6;
  if (high && next >= 0xDC00 && next < 0xE000) return 1;
  return high || low ? 6 : 1;
}

/* The units that a property takes in a shape's name; at most 255, which is
 * more than any but the first may have. */
static unsigned count_units(const hw_snapshot_t* s, uint32_t string) {
  uint32_t length;
  const uint8_t* at = hw_string(s, string, &length);
  const uint8_t* end = at + length;
  bool quoted = needs_quotes(at, end);
  unsigned units = quoted ? 2 : 0;
  uint32_t code;
  bool paired = false;
  while (units < 255 && hw_text_decode(&at, end, &code)) {
    const uint8_t* ahead = at;
    uint32_t next = 0;
    if (!hw_text_decode(&ahead, end, &next)) next = 0;
    unsigned own = units_of(code, quoted, next);
    units += paired ? 1 : own;
    paired = !paired && code >= 0xD800 && code < 0xDC00 && next >= 0xDC00 &&
             next < 0xE000;
  }
  return units < 255 ? units : 255;
}

/* Caches lengths + 1, so that 0 means unknown. */
static unsigned units(finder_t* f, uint32_t string) {
  if (f->units[string] == 0) {
    unsigned found = count_units(f->s, string) + 1;
    f->units[string] = (uint8_t)(found < 255 ? found : 255);
  }
  return f->units[string] - 1u;
}

static uint32_t properties_of(finder_t* f, uint32_t node, uint32_t* list) {
  const hw_snapshot_t* s = f->s;
  const uint32_t* names = hw_edge_names(s, node);
  uint32_t first = s->first_edge[node];
  uint32_t count = 0;
  unsigned length = 1; /* the brace */
  for (uint32_t e = first; e < s->first_edge[node + 1]; e++) {
    uint32_t name = names[e - first];
    if (hw_edge_kind(s->edge[e]) != HW_EDGE_PROPERTY || name == s->known.proto)
      continue;
    unsigned own = units(f, name);
    if ((length > 1 && length + own > NAME_MAX_UNITS) || count == LIST_MAX)
      break;
    length += own + (length != 1 ? 2 : 0);
    list[count++] = name;
  }
  return count;
}

static uint64_t hash_of(const uint32_t* list, uint32_t count) {
  uint64_t hash = count;
  for (uint32_t i = 0; i < count; i++) {
    hash = (hash ^ list[i]) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return hash;
}

static int grow(finder_t* f) {
  uint32_t size = f->mask == 0 ? 1024 : (f->mask + 1) * 2;
  uint32_t* slot = calloc(size, sizeof(uint32_t));
  if (slot == NULL) return HW_ENOMEM;
  for (uint32_t i = 0; i < f->candidates; i++) {
    const candidate_t* c = &f->candidate[i];
    uint32_t at =
        (uint32_t)hash_of(f->pool + c->start, c->properties) & (size - 1);
    while (slot[at] != 0)
      at = (at + 1) & (size - 1);
    slot[at] = i + 1;
  }
  free(f->slot);
  f->slot = slot;
  f->mask = size - 1;
  candidate_t* grown =
      realloc(f->candidate, (size_t)size / 2 * sizeof(candidate_t));
  if (grown == NULL) return HW_ENOMEM;
  f->candidate = grown;
  f->capacity = size / 2;
  return 0;
}

static int add(finder_t* f, const uint32_t* list, uint32_t count,
               uint32_t* slot) {
  if (f->pooled + count > f->pool_capacity) {
    f->pool_capacity = f->pool_capacity * 2 + 4096;
    uint32_t* pool = realloc(f->pool, f->pool_capacity * sizeof(uint32_t));
    if (pool == NULL) return HW_ENOMEM;
    f->pool = pool;
  }
  memcpy(f->pool + f->pooled, list, count * sizeof(uint32_t));
  candidate_t* c = &f->candidate[f->candidates];
  c->start = (uint32_t)f->pooled;
  c->properties = count;
  c->objects = 1;
  c->order = f->candidates;
  f->pooled += count;
  *slot = ++f->candidates;
  return 0;
}

static int count_object(finder_t* f, uint32_t node) {
  uint32_t list[LIST_MAX];
  uint32_t count = properties_of(f, node, list);
  f->objects++;
  if (count == 0) return 0;
  if (f->candidates == f->capacity && grow(f) != 0) return HW_ENOMEM;
  uint32_t at = (uint32_t)hash_of(list, count) & f->mask;
  for (; f->slot[at] != 0; at = (at + 1) & f->mask) {
    candidate_t* c = &f->candidate[f->slot[at] - 1];
    if (c->properties != count ||
        memcmp(f->pool + c->start, list, count * sizeof(uint32_t)) != 0)
      continue;
    c->objects++;
    return 0;
  }
  return add(f, list, count, &f->slot[at]);
}

static int by_objects(const void* a, const void* b) {
  const candidate_t* left = a;
  const candidate_t* right = b;
  if (left->objects != right->objects)
    return left->objects > right->objects ? -1 : 1;
  return left->order < right->order ? -1 : 1;
}

/* Appends a property as it stands in a shape's name. */
static void name_property(hw_text_t* name, const uint8_t* at, uint32_t length) {
  const uint8_t* end = at + length;
  if (!needs_quotes(at, end)) {
    hw_text_append(name, at, length);
    return;
  }
  hw_text_t once = {NULL, 0, 0, false};
  uint32_t code;
  hw_text_string(&once, "\"");
  while (hw_text_decode(&at, end, &code))
    hw_text_encode(&once, code);
  hw_text_string(&once, "\"");
  /* And once more, since shapes' names are escaped like all others. */
  for (size_t i = 0; i < once.length; i++) {
    if (once.data[i] == '"' || once.data[i] == '\\') hw_text_string(name, "\\");
    hw_text_append(name, &once.data[i], 1);
  }
  name->failed |= once.failed;
  hw_text_close(&once);
}

static int make(const hw_snapshot_t* s, const uint32_t* list, uint32_t count,
                hw_shape_t* shape) {
  shape->end = malloc(count * sizeof(uint32_t));
  if (shape->end == NULL) return HW_ENOMEM;
  hw_text_string(&shape->name, "{");
  for (uint32_t i = 0; i < count; i++) {
    uint32_t length;
    const uint8_t* text = hw_string(s, list[i], &length);
    if (shape->name.length != 1) hw_text_string(&shape->name, ", ");
    name_property(&shape->name, text, length);
    hw_text_append(&shape->text, text, length);
    shape->end[i] = (uint32_t)shape->text.length;
  }
  hw_text_string(&shape->name, "}");
  shape->properties = count;
  return shape->name.failed || shape->text.failed ? HW_ENOMEM : 0;
}

static int keep_common(finder_t* f, hw_shapes_t* shapes) {
  if (f->candidates > 0)
    qsort(f->candidate, f->candidates, sizeof(candidate_t), by_objects);
  uint32_t kept = 0;
  while (kept < f->candidates && f->candidate[kept].objects >= 2 &&
         (uint64_t)f->candidate[kept].objects * 1000 >= f->objects)
    kept++;
  shapes->shape = calloc((size_t)kept + 1, sizeof(hw_shape_t));
  if (shapes->shape == NULL) return HW_ENOMEM;
  int status = 0;
  for (uint32_t i = 0; i < kept && status == 0; i++) {
    const candidate_t* c = &f->candidate[i];
    shapes->count = i + 1;
    status = make(f->s, f->pool + c->start, c->properties, &shapes->shape[i]);
  }
  return status;
}

int hw_shapes_infer(const hw_snapshot_t* s, hw_shapes_t* shapes) {
  finder_t f;
  memset(&f, 0, sizeof(f));
  memset(shapes, 0, sizeof(*shapes));
  f.s = s;
  f.units = hw_array_new(s->strings, 1);
  int status = f.units == NULL ? HW_ENOMEM : 0;
  for (uint32_t node = 0; node < s->nodes && status == 0; node++)
    if (hw_is_plain_object(s, node)) status = count_object(&f, node);
  if (status == 0) status = keep_common(&f, shapes);
  hw_array_free(f.units);
  free(f.pool);
  free(f.candidate);
  free(f.slot);
  return status;
}

void hw_shapes_close(hw_shapes_t* shapes) {
  for (uint32_t i = 0; i < shapes->count; i++) {
    hw_text_close(&shapes->shape[i].name);
    hw_text_close(&shapes->shape[i].text);
    free(shapes->shape[i].end);
  }
  free(shapes->shape);
  memset(shapes, 0, sizeof(*shapes));
}
