#include "snapshot/hw_snapshot_holders.h"

#define SHARED 8 /* nodes that are asked what all have in common */

/* The object by which it is held under a name: of a property, as global
 * variables are, or of an event. HW_NONE if by another. */
static uint32_t named_object(const hw_holding_t* h) {
  if (h->kind == HW_CAUSE_LISTENER && h->special != HW_NONE)
    return h->from[h->special];
  return h->anchor == HW_ANCHOR_GLOBAL || h->anchor == HW_ANCHOR_STATIC
             ? h->from[0]
             : HW_NONE;
}

/* What holds most under names of their own. */
static uint32_t agree_on_object(hw_search_t* search, const uint32_t* node,
                                uint32_t count, hw_holding_t* best) {
  uint32_t object[HW_HOLDERS_MAX];
  uint32_t votes[HW_HOLDERS_MAX] = {0};
  uint32_t which = 0;
  hw_holding_t h;
  for (uint32_t i = 0; i < count; i++) {
    hw_search_run(search, node[i], &h);
    object[i] = named_object(&h);
    uint32_t first = 0;
    while (object[first] != object[i])
      first++;
    if (object[i] != HW_NONE && ++votes[first] > votes[which]) which = first;
  }
  hw_search_run(search, node[which], best);
  best->among = votes[which] > 0;
  return votes[which];
}

uint32_t hw_holders_agree(hw_search_t* search, const uint32_t* node,
                          uint32_t count, hw_holding_t* best) {
  uint64_t hash[HW_HOLDERS_MAX];
  uint32_t votes[HW_HOLDERS_MAX] = {0};
  uint32_t which = 0;
  hw_text_t phrase = {NULL, 0, 0, false};
  hw_holding_t h;
  for (uint32_t i = 0; i < count; i++) {
    hw_search_run(search, node[i], &h);
    phrase.length = 0;
    hw_holding_phrase(search->r, &h, &phrase);
    hash[i] = 14695981039346656037u;
    for (size_t k = 0; k < phrase.length; k++)
      hash[i] = (hash[i] ^ (uint8_t)phrase.data[k]) * 1099511628211u;
    votes[i] = 0;
    uint32_t first = 0;
    while (hash[first] != hash[i])
      first++;
    if (++votes[first] > votes[which]) which = first;
  }
  hw_text_close(&phrase);
  if (votes[which] * 2 < count) {
    uint32_t same = agree_on_object(search, node, count, best);
    if (same * 2 >= count) return same;
  }
  hw_search_run(search, node[which], best);
  return votes[which];
}

void hw_holders_collection(hw_search_t* search, const uint32_t* node,
                           uint32_t count, hw_holding_t* h) {
  uint32_t step = hw_holding_variable(search->r, h);
  hw_holding_t other;
  if (step == HW_NONE || count < SHARED) return;
  if (h->special != HW_NONE && h->special > step) return;
  for (uint32_t i = 0; i < SHARED; i++) {
    hw_search_run(search, node[(uint64_t)i * count / SHARED], &other);
    uint32_t same = hw_holding_variable(search->r, &other);
    if (same == HW_NONE || other.from[same] != h->from[step] ||
        other.edge[same] != h->edge[step])
      return;
  }
  hw_holding_shorten(search->r, h, step);
}

/* The one timer, or listener, by which it is held; HW_NONE if by another. */
static uint32_t awaited(const hw_holding_t* h, hw_cause_kind_t kind,
                        const hw_snapshot_t* s) {
  if (h->length == 0 || h->kind != kind) return HW_NONE;
  if (kind == HW_CAUSE_TIMER) return h->from[0];
  if (kind != HW_CAUSE_LISTENER || h->special == HW_NONE ||
      h->special + 1 >= h->length)
    return HW_NONE;
  return hw_edge_target(s->edge[h->edge[h->special + 1]]);
}

/* Are all held by one and the same timer, or listener? */
static bool awaits_one(hw_search_t* search, const uint32_t* node,
                       uint32_t count, const hw_holding_t* h) {
  const hw_snapshot_t* s = search->r->s;
  uint32_t one = awaited(h, h->kind, s);
  hw_holding_t other;
  if (one == HW_NONE || count < SHARED) return false;
  for (uint32_t i = 0; i < SHARED; i++) {
    hw_search_run(search, node[(uint64_t)i * count / SHARED], &other);
    if (awaited(&other, h->kind, s) != one) return false;
  }
  return true;
}

bool hw_holders_one_timer(hw_search_t* search, const uint32_t* node,
                          uint32_t count, const hw_holding_t* h) {
  return h->kind == HW_CAUSE_TIMER && awaits_one(search, node, count, h);
}

void hw_holders_waiting(hw_search_t* search, const uint32_t* node,
                        uint32_t count, hw_holding_t* h) {
  if (!awaits_one(search, node, count, h)) return;
  unsigned after = h->kind == HW_CAUSE_TIMER ? 0 : h->special + 1;
  for (unsigned i = after; i < h->length; i++) {
    if (!hw_step_waits(search->r, h->from[i], h->edge[i])) continue;
    h->kind = HW_CAUSE_PROMISE;
    h->special = i;
    return;
  }
}

void hw_holders_leads_to(hw_search_t* search, const uint32_t* node,
                         uint32_t count, hw_holding_t* h) {
  const hw_snapshot_t* s = search->r->s;
  uint32_t asked = count < SHARED ? count : SHARED;
  hw_holding_t other;
  for (uint32_t i = 0; i < asked; i++) {
    hw_search_run(search, node[(uint64_t)i * count / asked], &other);
    if (other.kind != HW_CAUSE_TIMER || other.length == 0) break;
    uint32_t closure = hw_search_forward(search, other.from[0]);
    if (closure == HW_NONE) break;
    if (i == 0) h->leads_to = closure;
    if (!hw_closure_same(s, closure, h->leads_to)) break;
    if (i + 1 == asked) return;
  }
  h->leads_to = HW_NONE;
}

static bool is_same(const hw_text_t* a, const hw_text_t* b) {
  return !a->failed && !b->failed && a->length == b->length &&
         memcmp(a->data, b->data, a->length) == 0;
}

/* By another way from what was named already. */
static bool is_anchor_of(const hw_holding_t* h, const hw_holding_t* second) {
  return (second->from[0] == h->from[0] && second->edge[0] == h->edge[0]) ||
         (h->owner != HW_ANCHOR_NONE && second->from[0] == h->owner_from &&
          second->edge[0] == h->owner_edge);
}

bool hw_holders_second(hw_search_t* search, const uint32_t* node,
                       uint32_t count, const hw_holding_t* h,
                       hw_holding_t* second) {
  hw_text_t first = {NULL, 0, 0, false};
  hw_text_t phrase[2] = {first, first};
  uint32_t same = 0;
  uint32_t asked = count < SHARED ? count : SHARED;
  hw_holding_phrase(search->r, h, &first);
  for (uint32_t i = 0; i < asked; i++) {
    uint32_t sample = node[(uint64_t)i * count / asked];
    if (!hw_search_second(search, sample, h, second)) break;
    if (is_anchor_of(h, second)) break;
    hw_text_t* own = &phrase[i > 0];
    own->length = 0;
    hw_holding_phrase(search->r, second, own);
    if (is_same(own, &first) || (i > 0 && !is_same(own, &phrase[0]))) break;
    same++;
  }
  hw_text_close(&first);
  hw_text_close(&phrase[0]);
  hw_text_close(&phrase[1]);
  return same == asked && asked > 0;
}

static uint32_t node_of_id(const hw_snapshot_t* s, uint32_t id) {
  for (uint32_t node = 0; node < s->nodes; node++)
    if (s->id[node] == id) return node;
  return HW_NONE;
}

bool hw_holders_weak_map(hw_search_t* search, const hw_holding_t* h,
                         hw_holding_t* map) {
  const hw_reverse_t* r = search->r;
  const hw_snapshot_t* s = r->s;
  for (unsigned i = h->length; i-- > 0;) {
    uint32_t id;
    uint32_t shared;
    uint32_t length;
    if (hw_edge_kind(s->edge[h->edge[i]]) != HW_EDGE_EPHEMERON) continue;
    const uint8_t* name =
        hw_string(s, hw_ephemeron_name(s, h->edge[i]), &length);
    if (!hw_ephemeron_parse(name, length, &id, &shared)) continue;
    uint32_t table = node_of_id(s, id);
    if (table == HW_NONE || r->first[table] == r->first[table + 1])
      return false;
    hw_search_run(search, r->source[r->first[table]], map);
    return map->anchor != HW_ANCHOR_NONE && hw_holding_tells(r, map);
  }
  return false;
}

void hw_holders_storage(hw_search_t* search, hw_holding_t* h) {
  const hw_snapshot_t* s = search->r->s;
  hw_holding_t found;
  hw_holding_t only;
  unsigned count = 0;
  for (uint32_t node = 0; node < s->nodes && count < 2; node++) {
    if (hw_node_kind(s, node) != HW_NODE_OBJECT ||
        !hw_string_is(s, s->name[node], "AsyncLocalStorage"))
      continue;
    search->own_only = true;
    hw_search_run(search, node, &found);
    search->own_only = false;
    if (found.anchor == HW_ANCHOR_NONE || found.holder != node) continue;
    only = found;
    count++;
  }
  if (count != 1) return;
  h->owner = only.anchor;
  h->owner_from = only.from[0];
  h->owner_edge = only.edge[0];
}
