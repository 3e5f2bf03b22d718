#include "hw_sites.h"

#include <stdlib.h>
#include <string.h>

#include "hw_error.h"
#include "hw_sites_internal.h"

/* Intervals and the steps of the history begin this short, and double. */
#define FIRST_STEP_MS 100

/* -- Life ---------------------------------------------------------------- */

int hw_sites_create(hw_sites_t** sites, double time_ms,
                    uint64_t sample_interval_bytes, uint32_t stack_depth) {
  hw_sites_t* s = calloc(1, sizeof(*s));
  if (s == NULL) return HW_ENOMEM;
  s->functions = calloc(HW_SITES_FUNCTIONS, sizeof(*s->functions));
  s->function_index = calloc(HW_SITES_FUNCTIONS * 2, sizeof(uint32_t));
  s->texts = malloc(HW_SITES_TEXTS);
  s->sites = calloc(HW_SITES_CAPACITY, sizeof(*s->sites));
  s->buckets = calloc(HW_SITES_CAPACITY, sizeof(uint32_t));
  s->nodes = calloc(HW_SITES_NODES, sizeof(*s->nodes));
  if (s->functions == NULL || s->function_index == NULL || s->texts == NULL ||
      s->sites == NULL || s->buckets == NULL || s->nodes == NULL) {
    hw_sites_destroy(s);
    return HW_ENOMEM;
  }
  s->start_ms = time_ms;
  s->time_ms = time_ms;
  s->sample_interval_bytes = sample_interval_bytes;
  s->stack_depth = stack_depth;
  s->free_site = HW_SITES_NONE;
  s->edge_ms = FIRST_STEP_MS;
  s->history_step_ms = FIRST_STEP_MS;
  s->functions[0] =
      (hw_sites_function_t){.name = "", .url = "", .kind = HW_SITES_NATIVE};
  s->function_count = 1;
  *sites = s;
  return 0;
}

void hw_sites_destroy(hw_sites_t* sites) {
  if (sites == NULL) return;
  free(sites->functions);
  free(sites->function_index);
  free(sites->texts);
  free(sites->sites);
  free(sites->buckets);
  free(sites->nodes);
  free(sites);
}

size_t hw_sites_own_bytes(const hw_sites_t* sites) {
  return sizeof(*sites) + HW_SITES_FUNCTIONS * sizeof(*sites->functions) +
         HW_SITES_FUNCTIONS * 2 * sizeof(uint32_t) + HW_SITES_TEXTS +
         HW_SITES_CAPACITY * (sizeof(*sites->sites) + sizeof(uint32_t)) +
         HW_SITES_NODES * sizeof(*sites->nodes);
}

void hw_sites_disown(hw_sites_t* sites, const char* folder) {
  sites->own_folder = folder;
}

void hw_sites_collected(hw_sites_t* sites, uint64_t live_bytes) {
  sites->collections++;
  sites->heap_bytes = (double)live_bytes;
}

/* -- Sites --------------------------------------------------------------- */

static void unlink_site(hw_sites_t* sites, uint32_t number) {
  hw_site_t* site = &sites->sites[number];
  uint32_t* link = &sites->buckets[site->key % HW_SITES_CAPACITY];
  while (*link != number + 1)
    link = &sites->sites[*link - 1].next;
  *link = site->next;
  site->next = sites->free_site;
  sites->free_site = number;
  sites->live_sites--;
}

/* Makes room for new sites by forgetting those of which nothing lives. */
static void forget_dead(hw_sites_t* sites) {
  for (uint32_t i = 0; i < sites->site_count; i++) {
    hw_site_t* site = &sites->sites[i];
    if (site->key == 0 || site->bytes > 0) continue;
    unlink_site(sites, i);
    site->key = 0;
  }
}

static uint32_t take_site(hw_sites_t* sites) {
  uint32_t number = sites->free_site;
  if (number != HW_SITES_NONE) {
    sites->free_site = sites->sites[number].next;
    return number;
  }
  return sites->site_count < HW_SITES_CAPACITY ? sites->site_count++
                                               : HW_SITES_NONE;
}

/* Whether the watch itself allocates here. What it calls is not its own. */
static bool is_own(const hw_sites_t* sites, uint32_t depth) {
  for (uint32_t i = depth; i-- > 0;) {
    hw_sites_kind_t kind = sites->functions[sites->path[i]].kind;
    if (kind == HW_SITES_OWN) return true;
    if (kind == HW_SITES_LIBRARY || kind == HW_SITES_APPLICATION) return false;
  }
  return false;
}

/* The innermost functions of the application on the path, each once. Returns
 * how many; `*top` is the function that the site is named after, HW_SITES_NONE
 * where none has a script: collections, idle time, V8's own calls. */
static uint32_t callers(const hw_sites_t* sites, uint32_t depth,
                        uint16_t list[HW_SITES_CALLERS], uint32_t* top) {
  uint32_t count = 0;
  *top = HW_SITES_NONE;
  for (uint32_t i = depth; i-- > 0 && count < HW_SITES_CALLERS;) {
    uint16_t function = sites->path[i];
    hw_sites_kind_t kind = sites->functions[function].kind;
    if (kind == HW_SITES_NATIVE) continue;
    if (*top == HW_SITES_NONE) *top = function;
    bool known = kind != HW_SITES_APPLICATION;
    for (uint32_t k = 0; k < count && !known; k++)
      known = list[k] == function;
    if (!known) list[count++] = function;
  }
  return count;
}

/* The site of the present path, made if there is none; HW_SITES_NONE if there
 * is no room for it, or nobody to name. */
static uint32_t site_of_path(hw_sites_t* sites, uint32_t depth) {
  uint16_t list[HW_SITES_CALLERS];
  uint32_t top;
  uint32_t count = callers(sites, depth, list, &top);
  if (top == HW_SITES_NONE || is_own(sites, depth)) return HW_SITES_NONE;
  uint64_t key = hw_sites_mix(0, top);
  for (uint32_t i = 0; i < count; i++)
    key = hw_sites_mix(key, list[i]);
  key |= 1; /* 0 marks a free place */
  uint32_t* bucket = &sites->buckets[key % HW_SITES_CAPACITY];
  for (uint32_t n = *bucket; n != 0; n = sites->sites[n - 1].next) {
    if (sites->sites[n - 1].key == key) return n - 1;
  }
  uint32_t number = take_site(sites);
  if (number == HW_SITES_NONE) return number;
  hw_site_t* site = &sites->sites[number];
  *site = (hw_site_t){.key = key,
                      .next = *bucket,
                      .top = top,
                      .application = count > 0 ? list[0] : HW_SITES_NONE,
                      .callers = count};
  memcpy(site->caller, list, count * sizeof(list[0]));
  *bucket = number + 1;
  sites->live_sites++;
  return number;
}

static void keep_stack(const hw_sites_t* sites, hw_site_t* site,
                       uint32_t depth) {
  site->depth = depth < HW_SITES_STACK ? depth : HW_SITES_STACK;
  for (uint32_t i = 0; i < site->depth; i++)
    site->stack[i] = sites->path[depth - 1 - i];
}

/* -- Reading ------------------------------------------------------------- */

void hw_sites_begin(hw_sites_t* sites, double time_ms, uint64_t heap_bytes) {
  sites->readings++;
  sites->time_ms = time_ms > sites->time_ms ? time_ms : sites->time_ms;
  sites->used_bytes = (double)heap_bytes;
  sites->depth = 0;
  sites->node_count = 0;
  sites->live_bytes = 0;
  sites->lost_bytes = 0;
  sites->largest_id = sites->last_id;
  memset(sites->live, 0, sizeof(sites->live));
  memset(sites->live_by_interval, 0, sizeof(sites->live_by_interval));
  if (sites->live_sites > HW_SITES_CAPACITY / 2) forget_dead(sites);
  for (uint32_t i = 0; i < sites->site_count; i++) {
    hw_site_t* site = &sites->sites[i];
    site->stack_bytes = 0;
    site->bytes = 0;
    site->count = 0;
    memset(site->intervals, 0, sizeof(site->intervals));
  }
}

void hw_sites_enter(hw_sites_t* sites, uint32_t function) {
  if (sites->depth < HW_SITES_PATH)
    sites->path[sites->depth] = (uint16_t)function;
  sites->depth++;
}

void hw_sites_leave(hw_sites_t* sites) {
  sites->depth--;
}

/* Where the call is in the table, or the place it would have: one that no call
 * of this reading has taken. */
static hw_sites_node_t* place_of(const hw_sites_t* sites, uint32_t node_id) {
  uint64_t at = hw_sites_mix(0, node_id);
  for (;; at++) {
    hw_sites_node_t* node = &sites->nodes[at % HW_SITES_NODES];
    if (node->reading != sites->readings || node->node_id == node_id)
      return node;
  }
}

void hw_sites_node(hw_sites_t* sites, uint32_t node_id, double bytes) {
  uint32_t depth = sites->depth < HW_SITES_PATH ? sites->depth : HW_SITES_PATH;
  if (sites->node_count >= HW_SITES_NODES / 4 * 3) return;
  uint32_t number = site_of_path(sites, depth);
  if (number == HW_SITES_NONE) return;
  *place_of(sites, node_id) = (hw_sites_node_t){
      .node_id = node_id, .site = number, .reading = sites->readings};
  sites->node_count++;
  hw_site_t* site = &sites->sites[number];
  if (bytes < site->stack_bytes) return;
  site->stack_bytes = bytes;
  keep_stack(sites, site, depth);
}

/* The interval in which a sample was allocated. */
static uint32_t interval_of(const hw_sites_t* sites, uint64_t sample_id) {
  uint32_t low = 0, high = sites->edge_count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (sites->edges[middle].sample_id < sample_id)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

void hw_sites_sample(hw_sites_t* sites, uint32_t node_id, uint64_t sample_id,
                     double bytes, double count) {
  uint32_t interval = interval_of(sites, sample_id);
  sites->live[interval]++;
  sites->live_bytes += bytes;
  sites->live_by_interval[interval] += bytes;
  if (sample_id > sites->largest_id) sites->largest_id = sample_id;
  const hw_sites_node_t* node = place_of(sites, node_id);
  if (node->reading != sites->readings) {
    sites->lost_bytes += bytes;
    return;
  }
  hw_site_t* site = &sites->sites[node->site];
  site->bytes += bytes;
  site->count += count;
  site->intervals[interval] += (float)bytes;
}

/* Joins intervals two by two: 1 and 2, 3 and 4, and so on. */
static void join_intervals(hw_sites_t* sites) {
  uint32_t pairs = sites->edge_count / 2;
  for (uint32_t i = 0; i < pairs; i++) {
    hw_sites_edge_t joined = sites->edges[2 * i + 1];
    joined.live += sites->edges[2 * i].live;
    sites->edges[i] = joined;
    sites->live_by_interval[i] =
        sites->live_by_interval[2 * i] + sites->live_by_interval[2 * i + 1];
  }
  for (uint32_t n = 0; n < sites->site_count; n++) {
    float* bytes = sites->sites[n].intervals;
    for (uint32_t i = 0; i < pairs; i++)
      bytes[i] = bytes[2 * i] + bytes[2 * i + 1];
    memset(bytes + pairs, 0, (HW_SITES_INTERVALS + 1 - pairs) * sizeof(*bytes));
  }
  sites->edge_count = pairs;
  sites->edge_ms *= 2;
}

/* Closes the open interval, unless it is too short yet. */
static void close_interval(hw_sites_t* sites) {
  uint32_t count = sites->edge_count;
  double since_ms =
      count > 0 ? sites->edges[count - 1].time_ms : sites->start_ms;
  if (sites->time_ms - since_ms < sites->edge_ms) return;
  sites->edges[count] = (hw_sites_edge_t){.time_ms = sites->time_ms,
                                          .sample_id = sites->largest_id,
                                          .collections = sites->collections,
                                          .live = sites->live[count]};
  sites->edge_count++;
  if (sites->edge_count == HW_SITES_INTERVALS) join_intervals(sites);
}

uint32_t hw_sites_settled(const hw_sites_t* sites) {
  uint32_t count = sites->edge_count;
  while (count > 0 && sites->edges[count - 1].collections >= sites->collections)
    count--;
  for (uint32_t i = 0; i < count; i++)
    if (sites->live[i] > 0) return count;
  return 0;
}

static void thin_history(hw_sites_t* sites) {
  uint32_t half = sites->history_count / 2;
  for (uint32_t i = 0; i < half; i++)
    sites->history_ms[i] = sites->history_ms[2 * i + 1];
  for (uint32_t n = 0; n < sites->site_count; n++) {
    float* history = sites->sites[n].history;
    for (uint32_t i = 0; i < half; i++)
      history[i] = history[2 * i + 1];
  }
  sites->history_count = half;
  sites->history_step_ms *= 2;
}

/* Notes what each site has settled, once after each major collection. */
static void note_history(hw_sites_t* sites, uint32_t settled) {
  uint32_t count = sites->history_count;
  double since_ms = count > 0 ? sites->history_ms[count - 1] : sites->start_ms;
  if (settled == 0 || sites->history_collections == sites->collections ||
      sites->time_ms - since_ms < sites->history_step_ms)
    return;
  if (count == HW_SITES_HISTORY) {
    thin_history(sites);
    count = sites->history_count;
  }
  sites->history_collections = sites->collections;
  /* What is settled was allocated before the end of its last interval. */
  sites->history_ms[count] = sites->edges[settled - 1].time_ms;
  for (uint32_t n = 0; n < sites->site_count; n++)
    sites->sites[n].history[count] = (float)sites->sites[n].settled;
  sites->history_count++;
}

/* Samples only die: if more of an interval live than did before, they are
 * another profiler's. */
static bool is_later(const hw_sites_t* sites) {
  for (uint32_t i = 0; i < sites->edge_count; i++) {
    if (sites->live[i] > sites->edges[i].live) return false;
  }
  return true;
}

int hw_sites_end(hw_sites_t* sites) {
  if (!is_later(sites)) return HW_ESTATE;
  for (uint32_t i = 0; i < sites->edge_count; i++)
    sites->edges[i].live = sites->live[i];
  uint32_t settled = hw_sites_settled(sites);
  uint32_t counted = settled > 0 ? settled : sites->edge_count + 1;
  for (uint32_t n = 0; n < sites->site_count; n++) {
    hw_site_t* site = &sites->sites[n];
    site->settled = 0;
    for (uint32_t i = 0; i < counted; i++)
      site->settled += site->intervals[i];
  }
  note_history(sites, settled);
  close_interval(sites);
  sites->last_id = sites->largest_id;
  sites->good_readings++;
  return 0;
}

/* -- Answers ------------------------------------------------------------- */

void hw_sites_summary(const hw_sites_t* sites, hw_sites_summary_t* summary) {
  *summary = (hw_sites_summary_t){
      .start_ms = sites->start_ms,
      .time_ms = sites->time_ms,
      .live_bytes = sites->live_bytes,
      .heap_bytes =
          sites->heap_bytes > 0 ? sites->heap_bytes : sites->used_bytes,
      .sample_interval_bytes = sites->sample_interval_bytes,
      .stack_depth = sites->stack_depth,
      .collections = sites->collections,
      .readings = sites->good_readings,
      .intervals = sites->edge_count + 1,
      .sites = sites->live_sites,
      .lost_bytes = sites->lost_bytes};
}

double hw_sites_interval_end(const hw_sites_t* sites, uint32_t index) {
  return index < sites->edge_count ? sites->edges[index].time_ms
                                   : sites->time_ms;
}

double hw_sites_interval_bytes(const hw_sites_t* sites, uint32_t index) {
  return index < HW_SITES_INTERVALS + 1 ? sites->live_by_interval[index] : 0;
}
