/*
 * hw_run_retainers: what holds an object, or the objects of a class.
 *
 * Of a class, up to SAMPLES objects are looked at, spread evenly over all of
 * its objects in the order of the file, which is about that of their
 * allocation. Those that are held in the same words count as one cause.
 *
 * Beside the causes there are the shortest ways from the roots: each begins
 * with another of the object's direct retainers, the nearest to a root first,
 * and goes on by whatever retainer is nearest.
 */

#include <inttypes.h>

#include "snapshot/hw_snapshot_anchor.h"
#include "snapshot/hw_snapshot_classes.h"
#include "snapshot/hw_snapshot_describe.h"
#include "snapshot/hw_snapshot_open.h"

#define SAMPLES 200
#define WAYS_MAX 20
#define WAY_LENGTH_MAX 200

typedef struct {
  hw_snapshot_t* s;
  hw_reverse_t reverse;
  hw_search_t search;
  uint32_t* node; /* the objects in question */
  uint32_t count;
} asked_t;

typedef struct {
  uint32_t node; /* the first of those held so */
  uint32_t samples;
  uint64_t hash; /* of the phrase */
} cause_t;

static uint64_t hash_phrase(const hw_reverse_t* r, const hw_holding_t* h,
                            hw_text_t* scratch) {
  uint64_t hash = 14695981039346656037u;
  scratch->length = 0;
  hw_holding_phrase(r, h, scratch);
  for (size_t i = 0; i < scratch->length; i++)
    hash = (hash ^ (uint8_t)scratch->data[i]) * 1099511628211u;
  return hash;
}

static int by_samples(const void* a, const void* b) {
  const cause_t* left = a;
  const cause_t* right = b;
  if (left->samples != right->samples)
    return left->samples > right->samples ? -1 : 1;
  return left->node < right->node ? -1 : left->node > right->node;
}

static uint32_t find_causes(asked_t* a, cause_t* cause, uint32_t* samples) {
  hw_text_t scratch = {NULL, 0, 0, false};
  hw_holding_t h;
  uint32_t causes = 0;
  *samples = a->count < SAMPLES ? a->count : SAMPLES;
  for (uint32_t i = 0; i < *samples; i++) {
    uint32_t node = a->node[(uint64_t)i * a->count / *samples];
    hw_search_run(&a->search, node, &h);
    uint64_t hash = hash_phrase(&a->reverse, &h, &scratch);
    uint32_t k = 0;
    while (k < causes && cause[k].hash != hash)
      k++;
    if (k == causes) {
      cause[causes].node = node;
      cause[causes].samples = 0;
      cause[causes++].hash = hash;
    }
    cause[k].samples++;
  }
  hw_text_close(&scratch);
  qsort(cause, causes, sizeof(cause_t), by_samples);
  return causes;
}

static void add_causes(asked_t* a, uint32_t limit, hw_text_t* out) {
  cause_t cause[SAMPLES];
  uint32_t samples;
  uint32_t causes = find_causes(a, cause, &samples);
  hw_text_format(out, ",\"samples\":%" PRIu32 ",\"causes\":[", samples);
  for (uint32_t i = 0; i < causes && i < limit; i++) {
    hw_holding_t h;
    hw_search_run(&a->search, cause[i].node, &h);
    hw_text_format(
        out, "%s{\"kind\":\"%s\",\"samples\":%" PRIu32 ",\"heldBy\":\"",
        i > 0 ? ",\n" : "", hw_cause_kind_name(h.kind), cause[i].samples);
    hw_holding_phrase(&a->reverse, &h, out);
    hw_text_string(out, "\",\"anchor\":");
    hw_holding_anchor(&a->reverse, &h, out);
    hw_text_string(out, ",\"path\":");
    hw_holding_path(&a->reverse, &h, out);
    hw_text_string(out, "}");
  }
  hw_text_string(out, "]");
}

/* The entry in the reverse lists of the retainer nearest to a root, of those
 * that are nearer than `than`; HW_NONE if there is none. */
static uint32_t nearest(const asked_t* a, uint32_t node, int32_t than) {
  const hw_reverse_t* r = &a->reverse;
  uint32_t best = HW_NONE;
  for (uint32_t i = r->first[node]; i < r->first[node + 1]; i++) {
    int32_t distance = a->s->distance[r->source[i]];
    if (distance < 0 || distance >= than) continue;
    than = distance;
    best = i;
  }
  return best;
}

static void add_way(const asked_t* a, uint32_t entry, hw_text_t* out) {
  const hw_reverse_t* r = &a->reverse;
  const hw_snapshot_t* s = a->s;
  uint32_t way[WAY_LENGTH_MAX];
  unsigned length = 0;
  bool whole = false;
  while (entry != HW_NONE && length < WAY_LENGTH_MAX) {
    way[length++] = entry;
    uint32_t from = r->source[entry];
    whole = s->distance[from] <= 1 || from == s->root;
    entry = whole ? HW_NONE : nearest(a, from, s->distance[from]);
  }
  hw_text_format(out, "{\"whole\":%s,\"steps\":[{", whole ? "true" : "false");
  hw_describe_node(s, r->source[way[length - 1]], out);
  hw_text_string(out, "}");
  for (unsigned i = length; i-- > 0;) {
    hw_text_string(out, ",\n{");
    hw_describe_edge(s, r->source[way[i]], r->edge[way[i]], out);
    hw_text_string(out, ",");
    hw_describe_node(s, hw_edge_target(s->edge[r->edge[way[i]]]), out);
    hw_text_string(out, "}");
  }
  hw_text_string(out, "]}");
}

/* Of the first object asked for. */
static void add_ways(const asked_t* a, uint32_t limit, hw_text_t* out) {
  const hw_reverse_t* r = &a->reverse;
  uint32_t node = a->node[0];
  uint32_t entry[WAYS_MAX];
  uint32_t count = 0;
  if (limit > WAYS_MAX) limit = WAYS_MAX;
  for (uint32_t i = r->first[node]; i < r->first[node + 1]; i++) {
    int32_t distance = a->s->distance[r->source[i]];
    if (distance < 0 || limit == 0) continue;
    uint32_t at = count < limit ? count++ : count;
    if (at == limit) {
      at--;
      if (a->s->distance[r->source[entry[at]]] <= distance) continue;
    }
    while (at > 0 && a->s->distance[r->source[entry[at - 1]]] > distance) {
      entry[at] = entry[at - 1];
      at--;
    }
    entry[at] = i;
  }
  hw_text_string(out, ",\"paths\":[");
  for (uint32_t i = 0; i < count; i++) {
    if (i > 0) hw_text_string(out, ",\n");
    add_way(a, entry[i], out);
  }
  hw_text_string(out, "]");
}

/* `@123` or `123` is an id; anything else a class. */
static bool is_id(const char* target, uint32_t* id) {
  char* end;
  if (*target == '@') target++;
  if (*target < '0' || *target > '9') return false;
  unsigned long number = strtoul(target, &end, 10);
  if (*end != '\0' || number > UINT32_MAX) return false;
  *id = (uint32_t)number;
  return true;
}

/* Class names are escaped; what is asked for comes as it is. */
static bool is_named(const hw_classes_t* c, uint32_t number,
                     const char* wanted) {
  uint32_t length;
  const uint8_t* at =
      (const uint8_t*)hw_class_name(c, c->item[number].name, &length);
  const uint8_t* end = at + length;
  const uint8_t* other = (const uint8_t*)wanted;
  const uint8_t* other_end = other + strlen(wanted);
  uint32_t code;
  while (hw_text_decode(&at, end, &code)) {
    hw_text_t one = {NULL, 0, 0, false};
    if (code == '"' || code == '\\') {
      uint8_t plain = (uint8_t)code;
      hw_text_append(&one, &plain, 1);
    } else {
      hw_text_encode(&one, code);
    }
    bool same = (size_t)(other_end - other) >= one.length && !one.failed &&
                memcmp(other, one.data, one.length) == 0;
    other += one.length;
    hw_text_close(&one);
    if (!same) return false;
  }
  return other == other_end;
}

static int find_class(asked_t* a, const char* target) {
  hw_shapes_t shapes;
  hw_classes_t classes;
  memset(&classes, 0, sizeof(classes));
  int status = hw_shapes_infer(a->s, &shapes);
  if (status == 0) status = hw_classes_build(a->s, &shapes, &classes);
  uint8_t* wanted = calloc((size_t)classes.count + 1, 1);
  if (wanted == NULL) status = HW_ENOMEM;
  uint64_t count = 0;
  for (uint32_t i = 0; status == 0 && i < classes.count; i++) {
    wanted[i] = is_named(&classes, i, target);
    if (wanted[i]) count += classes.item[i].count;
  }
  if (status == 0 && count == 0) status = HW_ENOTFOUND;
  a->node = malloc((size_t)(count + 1) * sizeof(uint32_t));
  if (a->node == NULL) status = HW_ENOMEM;
  for (uint32_t node = 0; status == 0 && node < a->s->nodes; node++)
    if (classes.of_node[node] != HW_NONE && wanted[classes.of_node[node]])
      a->node[a->count++] = node;
  free(wanted);
  hw_classes_close(&classes);
  hw_shapes_close(&shapes);
  return status;
}

static int find_target(asked_t* a, const char* target) {
  uint32_t id;
  if (!is_id(target, &id)) return find_class(a, target);
  a->node = malloc(sizeof(uint32_t));
  if (a->node == NULL) return HW_ENOMEM;
  a->node[0] = hw_snapshot_find(a->s, id);
  a->count = 1;
  return a->node[0] == HW_NONE ? HW_ENOTFOUND : 0;
}

static void add_target(const asked_t* a, hw_text_t* out) {
  uint64_t shallow = 0;
  for (uint32_t i = 0; i < a->count; i++)
    shallow += hw_snapshot_shallow(a->s, a->node[i]);
  hw_text_format(out,
                 "{\"count\":%" PRIu32 ",\"shallow\":%" PRIu64 ",\"first\":{",
                 a->count, shallow);
  hw_describe_node(a->s, a->node[0], out);
  hw_text_string(out, "}");
}

int hw_run_retainers(const char* path, const char* target,
                     const hw_run_options_t* options, hw_text_t* out,
                     hw_failure_t* failure) {
  hw_opened_t opened;
  asked_t a;
  memset(&a, 0, sizeof(a));
  failure->file = 0;
  int status = hw_opened_open(
      path, HW_WANT_DISTANCES | HW_WANT_DOMINATORS | HW_WANT_NAMES, options,
      &opened, failure);
  a.s = opened.graph;
  if (status == 0) status = find_target(&a, target);
  if (status == 0) status = hw_progress(a.s, "reversing edges", 0);
  if (status == 0) status = hw_reverse_build(a.s, &a.reverse);
  if (status == 0) status = hw_search_init(&a.reverse, &a.search);
  if (status == 0) status = hw_progress(a.s, "looking for what holds it", 0);
  if (status == 0) {
    add_target(&a, out);
    add_causes(&a, options->limit, out);
    add_ways(&a, options->limit, out);
    hw_text_string(out, "}\n");
    if (out->failed) status = HW_ENOMEM;
  }
  hw_search_close(&a.search);
  hw_reverse_close(&a.reverse);
  free(a.node);
  hw_opened_close(&opened);
  return status;
}
