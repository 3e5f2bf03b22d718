/*
 * Who owns what: page ownership, the edges that retain, shallow sizes.
 *
 * Page-owned is what can be reached, through edges that are not weak, from
 * the root's shortcuts (the program's global objects) and its list of DOM
 * trees. The rest belongs to V8, Node.js or a debugger.
 *
 * An edge retains unless it is weak; leads to its own node; is the table's
 * half of a WeakMap's pair, whose other half comes from the key (without the
 * key the value would go, so the key is what holds it); or, out of any node
 * but the root, is a shortcut or leads from a node that is not page-owned to
 * one that is.
 *
 * Shallow sizes: V8 keeps an object's properties, elements and tables in
 * arrays of their own, which nobody who looks for a leak wants to see. Nodes
 * of type hidden and array, and the data of external strings, hand their size
 * to the one node that owns them. Owners spread along edges that are not weak
 * from all other nodes; who is reached by two owners is owned by none.
 */

#include "snapshot/hw_snapshot_graph.h"

static int mark_page_owned(hw_snapshot_t* s) {
  uint32_t* list = hw_array_new(s->nodes, sizeof(uint32_t));
  uint32_t count = 0;
  if (list == NULL) return HW_ENOMEM;
  for (uint32_t e = s->first_edge[s->root]; e < s->first_edge[s->root + 1];
       e++) {
    unsigned kind = hw_edge_kind(s->edge[e]);
    uint32_t target = hw_edge_target(s->edge[e]);
    bool trees = kind == HW_EDGE_ELEMENT &&
                 hw_node_kind(s, target) == HW_NODE_SYNTHETIC &&
                 s->name[target] == s->known.dom_trees;
    if ((kind != HW_EDGE_SHORTCUT && !trees) || s->node[target] & HW_NODE_PAGE)
      continue;
    s->node[target] |= HW_NODE_PAGE;
    list[count++] = target;
  }
  while (count > 0) {
    uint32_t node = list[--count];
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++) {
      uint32_t target = hw_edge_target(s->edge[e]);
      if (hw_edge_kind(s->edge[e]) == HW_EDGE_WEAK ||
          s->node[target] & HW_NODE_PAGE)
        continue;
      s->node[target] |= HW_NODE_PAGE;
      list[count++] = target;
    }
  }
  hw_array_free(list);
  return 0;
}

bool hw_is_table_half(const hw_snapshot_t* s, uint32_t from, uint32_t edge) {
  uint32_t length, table, shared;
  uint32_t name = hw_ephemeron_name(s, edge);
  const uint8_t* text = hw_string(s, name, &length);
  return hw_ephemeron_parse(text, length, &table, &shared) &&
         table == s->id[from];
}

#define UNVISITED HW_NONE
#define SEVERAL (HW_NONE - 1)

/* A snapshot with V8's internals exposed has no child of the root that is not
 * synthetic: there, sizes stay as they are. */
static bool has_user_roots(const hw_snapshot_t* s) {
  for (uint32_t e = s->first_edge[s->root]; e < s->first_edge[s->root + 1];
       e++) {
    uint32_t target = hw_edge_target(s->edge[e]);
    if (hw_node_kind(s, target) != HW_NODE_SYNTHETIC ||
        s->name[target] == s->known.dom_trees)
      return true;
  }
  return false;
}

static bool gives_away(const hw_snapshot_t* s, uint32_t node) {
  unsigned kind = hw_node_kind(s, node);
  return kind == HW_NODE_HIDDEN || kind == HW_NODE_ARRAY ||
         (kind == HW_NODE_NATIVE && (s->node[node] & HW_NODE_DETACHED) == 0 &&
          s->name[node] == s->known.external_string_data);
}

static void spread(const hw_snapshot_t* s, uint32_t* owner, uint32_t* list,
                   uint32_t node) {
  uint32_t count = 0;
  list[count++] = node;
  while (count > 0) {
    node = list[--count];
    uint32_t mine = owner[node];
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++) {
      uint32_t target = hw_edge_target(s->edge[e]);
      uint32_t theirs = owner[target];
      if (hw_edge_kind(s->edge[e]) == HW_EDGE_WEAK || theirs == target ||
          theirs == mine || theirs == SEVERAL)
        continue;
      owner[target] = theirs == UNVISITED ? mine : SEVERAL;
      list[count++] = target;
    }
  }
}

/* Each node's place in the list: it comes there once when it gets an owner
 * and once more when it gets a second, and nodes that own themselves are
 * started from one by one. */
static int find_owners(hw_snapshot_t* s, uint32_t* owner) {
  uint32_t* list = hw_array_new((size_t)s->nodes * 2 + 1, sizeof(uint32_t));
  if (list == NULL) return HW_ENOMEM;
  for (uint32_t node = 0; node < s->nodes; node++)
    owner[node] = gives_away(s, node) ? UNVISITED : node;
  for (uint32_t node = 0; node < s->nodes; node++)
    if (owner[node] == node) spread(s, owner, list, node);
  hw_array_free(list);
  return 0;
}

int hw_snapshot_compute_shallow(hw_snapshot_t* s) {
  int status = hw_progress(s, "finding owners", 0);
  if (status == 0) status = mark_page_owned(s);
  if (status != 0 || !has_user_roots(s)) return status;
  uint32_t* owner = hw_array_new(s->nodes, sizeof(uint32_t));
  if (owner == NULL) return HW_ENOMEM;
  status = find_owners(s, owner);
  for (uint32_t node = 0; status == 0 && node < s->nodes; node++) {
    uint32_t to = owner[node];
    if (to == node || to == UNVISITED || to == SEVERAL || to == s->root ||
        hw_node_kind(s, to) == HW_NODE_SYNTHETIC)
      continue;
    uint64_t bytes = hw_snapshot_shallow(s, node);
    if (bytes == 0) continue;
    status = hw_size_set(s, to, hw_snapshot_shallow(s, to) + bytes);
    if (status == 0) status = hw_size_set(s, node, 0);
  }
  hw_array_free(owner);
  return status;
}
