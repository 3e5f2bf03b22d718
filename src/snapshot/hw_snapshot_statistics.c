/*
 * Bytes by kind, and strings that are there more than once.
 */

#include "snapshot/hw_snapshot_statistics.h"

#define CONS_UNITS 1024

/* An array's elements count with it if nothing else refers to them. */
static uint64_t array_bytes(const hw_snapshot_t* s, uint32_t node,
                            const uint8_t* referrers) {
  uint64_t bytes = hw_snapshot_shallow(s, node);
  const uint32_t* names = hw_edge_names(s, node);
  uint32_t first = s->first_edge[node];
  for (uint32_t e = first; names != NULL && e < s->first_edge[node + 1]; e++) {
    if (hw_edge_kind(s->edge[e]) != HW_EDGE_INTERNAL ||
        names[e - first] != s->known.elements)
      continue;
    uint32_t elements = hw_edge_target(s->edge[e]);
    if (referrers[elements] == 1) bytes += hw_snapshot_shallow(s, elements);
    break;
  }
  return bytes;
}

static void add_node(const hw_snapshot_t* s, uint32_t node,
                     const uint8_t* referrers, hw_statistics_t* sum) {
  uint64_t bytes = hw_snapshot_shallow(s, node);
  bool detached = (s->node[node] & HW_NODE_DETACHED) != 0;
  switch (hw_node_kind(s, node)) {
    case HW_NODE_HIDDEN:
      sum->system += bytes;
      break;
    case HW_NODE_NATIVE:
      sum->native += bytes;
      if (s->name[node] == s->known.array_buffer_data && !detached)
        sum->typed_arrays += bytes;
      break;
    case HW_NODE_CODE:
      sum->code += bytes;
      break;
    case HW_NODE_STRING:
    case HW_NODE_CONS_STRING:
    case HW_NODE_SLICED_STRING:
      sum->strings += bytes;
      break;
    default:
      if (s->name[node] == s->known.array)
        sum->arrays += array_bytes(s, node, referrers);
  }
}

int hw_statistics_compute(const hw_snapshot_t* s, hw_statistics_t* statistics) {
  uint8_t* referrers = hw_array_new(s->nodes, 1); /* 2 means two or more */
  if (referrers == NULL) return HW_ENOMEM;
  for (uint32_t e = 0; e < s->edges; e++) {
    uint32_t target = hw_edge_target(s->edge[e]);
    if (referrers[target] < 2) referrers[target]++;
  }
  hw_statistics_t sum;
  memset(&sum, 0, sizeof(sum));
  sum.native = s->extra_native_bytes;
  sum.total = hw_snapshot_total(s);
  for (uint32_t node = 0; node < s->nodes; node++)
    add_node(s, node, referrers, &sum);
  hw_array_free(referrers);
  *statistics = sum;
  return 0;
}

static uint32_t internal_target(const hw_snapshot_t* s, uint32_t node,
                                uint32_t name) {
  const uint32_t* names = hw_edge_names(s, node);
  uint32_t first = s->first_edge[node];
  for (uint32_t e = first; names != NULL && e < s->first_edge[node + 1]; e++)
    if (hw_edge_kind(s->edge[e]) == HW_EDGE_INTERNAL &&
        names[e - first] == name)
      return hw_edge_target(s->edge[e]);
  return HW_NONE;
}

static size_t count_units(const uint8_t* at, uint32_t length) {
  const uint8_t* end = at + length;
  size_t units = 0;
  uint32_t code;
  while (units < CONS_UNITS && hw_text_decode(&at, end, &code))
    units += code > 0xFFFF ? 2 : 1;
  return units;
}

void hw_string_text(const hw_snapshot_t* s, uint32_t node, hw_text_t* text) {
  uint32_t stack[64];
  unsigned depth = 0;
  size_t units = 0;
  uint32_t steps = 0;
  stack[depth++] = node;
  while (depth > 0 && units < CONS_UNITS) {
    uint32_t at = stack[--depth];
    if (hw_node_kind(s, at) != HW_NODE_CONS_STRING) {
      uint32_t length;
      const uint8_t* raw = hw_string(s, s->name[at], &length);
      hw_text_append(text, raw, length);
      units += count_units(raw, length);
      continue;
    }
    uint32_t first = internal_target(s, at, s->known.first);
    uint32_t second = internal_target(s, at, s->known.second);
    /* A string grown by its end leans to the left, as deep as it has parts:
     * of what comes after it, only so much is kept in mind. */
    if (second != HW_NONE) {
      if (depth == 62) {
        memmove(stack, stack + 1, (depth - 1) * sizeof(uint32_t));
        depth--;
      }
      stack[depth++] = second;
    }
    if (first != HW_NONE) stack[depth++] = first;
    if (++steps > 100000) return; /* parts that are parts of themselves */
  }
}

/* V8 keeps a concatenated string as one whose second part is empty once it
 * has been flattened: nobody's duplicate. */
static bool is_flat(const hw_snapshot_t* s, uint32_t node) {
  const uint32_t* names = hw_edge_names(s, node);
  uint32_t first = s->first_edge[node];
  for (uint32_t e = first; e < s->first_edge[node + 1]; e++) {
    if (hw_edge_kind(s->edge[e]) != HW_EDGE_INTERNAL ||
        (names[e - first] != s->known.first &&
         names[e - first] != s->known.second))
      continue;
    uint32_t target = hw_edge_target(s->edge[e]);
    uint32_t length;
    if (hw_node_kind(s, target) == HW_NODE_CONS_STRING) {
      hw_text_t text = {NULL, 0, 0, false};
      hw_string_text(s, target, &text);
      bool empty = text.length == 0;
      hw_text_close(&text);
      if (empty) return true;
      continue;
    }
    hw_string(s, s->name[target], &length);
    if (length == 0) return true;
  }
  return false;
}

/* Newer files cut strings and say so: then length and hash tell them apart.
 * Both are numbers, whose value is a string. */
static void append_identity(const hw_snapshot_t* s, uint32_t node,
                            hw_text_t* key) {
  if (s->known.truncated == HW_NONE) return;
  uint32_t flag = internal_target(s, node, s->known.truncated);
  if (flag == HW_NONE || s->name[flag] != s->known.boolean_name) return;
  uint32_t value = internal_target(s, flag, s->known.value);
  if (value == HW_NONE || s->name[value] != s->known.true_name) return;
  const uint32_t parts[] = {s->known.length, s->known.hash};
  hw_text_append(key, "", 1);
  for (unsigned i = 0; i < 2; i++) {
    uint32_t part = internal_target(s, node, parts[i]);
    uint32_t number =
        part == HW_NONE ? HW_NONE : internal_target(s, part, s->known.value);
    uint32_t length = 0;
    const uint8_t* raw = (const uint8_t*)"";
    if (number != HW_NONE) raw = hw_string(s, s->name[number], &length);
    hw_text_append(key, raw, length);
    hw_text_append(key, "", 1);
  }
}

/* Most strings have no equal: only those that have get a group. */
#define GROUPED (UINT32_C(1) << 31)
typedef struct {
  uint32_t hash[2]; /* of the text, for which 64 well mixed bits stand */
  uint32_t string;  /* the first's node; GROUPED and the number of the group
                     * once there is a second; HW_NONE in an empty slot */
} slot_t;

static bool is_hash(const slot_t* slot, uint64_t hash) {
  return slot->hash[0] == (uint32_t)hash &&
         slot->hash[1] == (uint32_t)(hash >> 32);
}

static uint64_t hash_key(const hw_text_t* key) {
  uint64_t hash = key->length * 0x9E3779B97F4A7C15u;
  size_t i = 0;
  for (; i + 8 <= key->length; i += 8) {
    uint64_t word;
    memcpy(&word, key->data + i, 8);
    hash = (hash ^ word) * 0xC2B2AE3D27D4EB4Fu;
    hash ^= hash >> 32;
  }
  for (; i < key->length; i++)
    hash = (hash ^ (uint8_t)key->data[i]) * 0x9E3779B97F4A7C15u;
  hash ^= hash >> 29;
  hash *= 0xBF58476D1CE4E5B9u;
  return hash ^ hash >> 32;
}

static int by_retained(const void* a, const void* b) {
  const hw_duplicate_t* left = a;
  const hw_duplicate_t* right = b;
  if (left->retained != right->retained)
    return left->retained > right->retained ? -1 : 1;
  return left->node < right->node ? -1 : 1;
}

static bool is_counted(const hw_snapshot_t* s, uint32_t node) {
  unsigned kind = hw_node_kind(s, node);
  return (kind == HW_NODE_STRING || kind == HW_NODE_CONS_STRING) &&
         hw_snapshot_shallow(s, node) > 0 &&
         (kind == HW_NODE_STRING || !is_flat(s, node));
}

static void add_string(const hw_snapshot_t* s, uint32_t node,
                       hw_duplicate_t* group) {
  group->count++;
  group->shallow += hw_snapshot_shallow(s, node);
  group->retained += s->retained[node];
}

/* Makes the group of a slot that has one string so far. */
static int open_group(const hw_snapshot_t* s, slot_t* slot,
                      hw_duplicates_t* duplicates) {
  hw_duplicate_t* all = hw_room_for_one(duplicates->item, duplicates->count,
                                        sizeof(hw_duplicate_t));
  if (all == NULL) return HW_ENOMEM;
  duplicates->item = all;
  hw_duplicate_t* group = &duplicates->item[duplicates->count];
  memset(group, 0, sizeof(*group));
  group->node = slot->string;
  add_string(s, slot->string, group);
  slot->string = GROUPED | duplicates->count++;
  return 0;
}

/* Slots are for strings that may have an equal: those whose text the file has
 * once but whose node is there again, and all if some are concatenated, since
 * their texts are not among the file's. */
static int collect(const hw_snapshot_t* s, const uint8_t* seen, slot_t* slot,
                   uint64_t mask, hw_duplicates_t* duplicates) {
  hw_text_t key = {NULL, 0, 0, false};
  int status = 0;
  for (uint32_t node = 0; status == 0 && node < s->nodes; node++) {
    if (!is_counted(s, node)) continue;
    if (seen != NULL && seen[s->name[node]] < 2) continue;
    key.length = 0;
    hw_string_text(s, node, &key);
    append_identity(s, node, &key);
    uint64_t hash = hash_key(&key);
    uint64_t at = hash & mask;
    while (slot[at].string != HW_NONE && !is_hash(&slot[at], hash))
      at = (at + 1) & mask;
    if (slot[at].string == HW_NONE) {
      slot[at] = (slot_t){{(uint32_t)hash, (uint32_t)(hash >> 32)}, node};
      continue;
    }
    if ((slot[at].string & GROUPED) == 0)
      status = open_group(s, &slot[at], duplicates);
    if (status == 0)
      add_string(s, node, &duplicates->item[slot[at].string & ~GROUPED]);
  }
  if (key.failed) status = HW_ENOMEM;
  hw_text_close(&key);
  return status;
}

int hw_duplicates_find(const hw_snapshot_t* s, hw_duplicates_t* duplicates) {
  uint64_t strings = 0;
  uint64_t concatenated = 0;
  uint64_t size = 64;
  memset(duplicates, 0, sizeof(*duplicates));
  uint8_t* seen = hw_array_new(s->strings, 1); /* 2 means two or more */
  if (seen == NULL) return HW_ENOMEM;
  for (uint32_t node = 0; node < s->nodes; node++) {
    unsigned kind = hw_node_kind(s, node);
    if (kind != HW_NODE_STRING && kind != HW_NODE_CONS_STRING) continue;
    concatenated += kind == HW_NODE_CONS_STRING;
    strings++;
    if (seen[s->name[node]] < 2) seen[s->name[node]]++;
  }
  if (concatenated == 0) {
    strings = 0;
    for (uint32_t i = 0; i < s->strings; i++)
      strings += seen[i] > 1;
  }
  while (size < strings + strings / 4)
    size *= 2;
  slot_t* slot = hw_array_new(size, sizeof(slot_t));
  int status = slot == NULL ? HW_ENOMEM : 0;
  if (status == 0) {
    memset(slot, 0xFF, size * sizeof(slot_t)); /* HW_NONE everywhere */
    status =
        collect(s, concatenated == 0 ? seen : NULL, slot, size - 1, duplicates);
  }
  hw_array_free(slot);
  hw_array_free(seen);
  if (status == 0 && duplicates->count > 0)
    qsort(duplicates->item, duplicates->count, sizeof(hw_duplicate_t),
          by_retained);
  return status;
}

void hw_duplicates_close(hw_duplicates_t* duplicates) {
  free(duplicates->item);
  memset(duplicates, 0, sizeof(*duplicates));
}
