/*
 * Comparison. The older's classes are matched with the newer's by name and
 * place, both extracts sorted by id and walked side by side: an id that both
 * have, in classes that match, cancels out.
 */

#include "snapshot/hw_snapshot_diff.h"

static int by_id(const void* a, const void* b) {
  const hw_record_t* left = a;
  const hw_record_t* right = b;
  if (left->id != right->id) return left->id < right->id ? -1 : 1;
  return left->class < right->class ? -1 : left->class > right->class;
}

/* Radix sort by 16 bits at a time: qsort takes most of a comparison's time
 * otherwise. Falls back on qsort without memory. */
static void sort_records(hw_record_t* record, uint32_t count) {
  hw_record_t* other = hw_array_new(count, sizeof(hw_record_t));
  uint32_t* start = malloc(65537 * sizeof(uint32_t));
  if (other == NULL || start == NULL) {
    qsort(record, count, sizeof(hw_record_t), by_id);
  } else {
    for (unsigned shift = 0; shift < 32; shift += 16) {
      memset(start, 0, 65537 * sizeof(uint32_t));
      for (uint32_t i = 0; i < count; i++)
        start[((record[i].id >> shift) & 0xFFFF) + 1]++;
      for (uint32_t i = 0; i < 65536; i++)
        start[i + 1] += start[i];
      for (uint32_t i = 0; i < count; i++)
        other[start[(record[i].id >> shift) & 0xFFFF]++] = record[i];
      memcpy(record, other, (size_t)count * sizeof(hw_record_t));
    }
  }
  hw_array_free(other);
  free(start);
}

int hw_extract_take(hw_snapshot_t* s, const hw_shapes_t* shapes,
                    hw_extract_t* extract) {
  memset(extract, 0, sizeof(*extract));
  int status = hw_classes_build(s, shapes, &extract->classes);
  if (status != 0) return status;
  for (uint32_t node = 0; node < s->nodes; node++)
    extract->count += extract->classes.of_node[node] != HW_NONE;
  extract->record = hw_array_new(extract->count, sizeof(hw_record_t));
  if (extract->record == NULL) return HW_ENOMEM;
  uint32_t next = 0;
  for (uint32_t node = 0; node < s->nodes; node++) {
    if (extract->classes.of_node[node] == HW_NONE) continue;
    hw_record_t* record = &extract->record[next++];
    record->id = s->id[node];
    record->class = extract->classes.of_node[node];
    record->shallow = hw_snapshot_shallow(s, node);
  }
  hw_array_free(extract->classes.of_node);
  extract->classes.of_node = NULL;
  sort_records(extract->record, extract->count);
  return 0;
}

void hw_extract_close(hw_extract_t* extract) {
  hw_array_free(extract->record);
  hw_classes_close(&extract->classes);
  memset(extract, 0, sizeof(*extract));
}

static uint64_t hash_class(const hw_classes_t* c, const hw_class_t* k) {
  uint32_t length;
  const char* name = hw_class_name(c, k->name, &length);
  uint64_t hash = 14695981039346656037u;
  for (uint32_t i = 0; i < length; i++)
    hash = (hash ^ (uint8_t)name[i]) * 1099511628211u;
  if (!k->located) return hash;
  const int32_t place[] = {k->script, k->line, k->column};
  for (unsigned i = 0; i < 3; i++)
    hash = (hash ^ (uint32_t)place[i]) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 32;
}

static bool is_same(const hw_classes_t* a, const hw_class_t* k,
                    const hw_classes_t* b, const hw_class_t* l) {
  uint32_t length, other_length;
  const char* name = hw_class_name(a, k->name, &length);
  const char* other = hw_class_name(b, l->name, &other_length);
  if (length != other_length || k->located != l->located ||
      memcmp(name, other, length) != 0)
    return false;
  return !k->located || (k->script == l->script && k->line == l->line &&
                         k->column == l->column);
}

int hw_classes_match(const hw_classes_t* from, const hw_classes_t* to,
                     uint32_t* matching) {
  uint32_t size = 64;
  while (size < to->count * 2)
    size *= 2;
  uint32_t* slot = calloc(size, sizeof(uint32_t));
  if (slot == NULL) return HW_ENOMEM;
  for (uint32_t i = 0; i < to->count; i++) {
    uint32_t at = (uint32_t)hash_class(to, &to->item[i]) & (size - 1);
    while (slot[at] != 0)
      at = (at + 1) & (size - 1);
    slot[at] = i + 1;
  }
  for (uint32_t i = 0; i < from->count; i++) {
    uint32_t at = (uint32_t)hash_class(from, &from->item[i]) & (size - 1);
    matching[i] = HW_NONE;
    for (; slot[at] != 0; at = (at + 1) & (size - 1)) {
      if (!is_same(from, &from->item[i], to, &to->item[slot[at] - 1])) continue;
      matching[i] = slot[at] - 1;
      break;
    }
  }
  free(slot);
  return 0;
}

/* A difference for each class of the newer, then for each of the older that
 * the newer lacks; `of_older` says which. */
static int prepare(const hw_extract_t* older, const hw_extract_t* newer,
                   uint32_t* of_older, hw_differences_t* d) {
  size_t most = (size_t)newer->classes.count + older->classes.count + 1;
  d->item = calloc(most, sizeof(hw_difference_t));
  if (d->item == NULL) return HW_ENOMEM;
  for (uint32_t i = 0; i < newer->classes.count; i++) {
    d->item[i].newer = i;
    d->item[i].older = HW_NONE;
  }
  d->count = newer->classes.count;
  int status = hw_classes_match(&older->classes, &newer->classes, of_older);
  for (uint32_t i = 0; i < older->classes.count && status == 0; i++) {
    if (of_older[i] == HW_NONE) {
      d->item[d->count].newer = HW_NONE;
      of_older[i] = d->count++;
    }
    d->item[of_older[i]].older = i;
  }
  return status;
}

static void remove_one(hw_difference_t* d, const hw_record_t* record) {
  d->removed++;
  d->removed_bytes += record->shallow;
}

static void add_one(hw_difference_t* d, const hw_record_t* record) {
  d->added++;
  d->added_bytes += record->shallow;
}

static void compare(const hw_extract_t* older, const hw_extract_t* newer,
                    const uint32_t* of_older, hw_differences_t* d) {
  uint32_t i = 0;
  uint32_t j = 0;
  while (i < older->count || j < newer->count) {
    const hw_record_t* a = i < older->count ? &older->record[i] : NULL;
    const hw_record_t* b = j < newer->count ? &newer->record[j] : NULL;
    if (b == NULL || (a != NULL && a->id < b->id)) {
      remove_one(&d->item[of_older[a->class]], a);
      i++;
    } else if (a == NULL || b->id < a->id) {
      add_one(&d->item[b->class], b);
      j++;
    } else {
      if (of_older[a->class] != b->class) {
        remove_one(&d->item[of_older[a->class]], a);
        add_one(&d->item[b->class], b);
      }
      i++;
      j++;
    }
  }
}

static int by_growth(const void* a, const void* b) {
  const hw_difference_t* left = a;
  const hw_difference_t* right = b;
  int64_t l = (int64_t)(left->added_bytes - left->removed_bytes);
  int64_t r = (int64_t)(right->added_bytes - right->removed_bytes);
  if (l != r) return l > r ? -1 : 1;
  if (left->added_bytes != right->added_bytes)
    return left->added_bytes > right->added_bytes ? -1 : 1;
  if (left->newer != right->newer) return left->newer < right->newer ? -1 : 1;
  return left->older < right->older ? -1 : left->older > right->older;
}

int hw_differences_find(const hw_extract_t* older, const hw_extract_t* newer,
                        hw_differences_t* differences) {
  memset(differences, 0, sizeof(*differences));
  uint32_t* of_older =
      malloc(((size_t)older->classes.count + 1) * sizeof(uint32_t));
  if (of_older == NULL) return HW_ENOMEM;
  int status = prepare(older, newer, of_older, differences);
  if (status == 0) compare(older, newer, of_older, differences);
  free(of_older);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < differences->count && status == 0; i++)
    if (differences->item[i].added > 0 || differences->item[i].removed > 0)
      differences->item[kept++] = differences->item[i];
  differences->count = kept;
  if (status == 0)
    qsort(differences->item, kept, sizeof(hw_difference_t), by_growth);
  return status;
}

void hw_differences_close(hw_differences_t* differences) {
  free(differences->item);
  memset(differences, 0, sizeof(*differences));
}
