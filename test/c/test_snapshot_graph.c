#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/hw_error.h"
#include "snapshot/hw_snapshot_classes.h"
#include "snapshot/hw_snapshot_diff.h"
#include "snapshot/hw_snapshot_statistics.h"
#include "snapshot_builder.h"

static unsigned object(builder_t* b, const char* name) {
  return add_node(b, HW_NODE_OBJECT, name, 10);
}

/* The flowgraph of Lengauer and Tarjan's paper, figure 1; R is the root. */
static void dominators_are_those_of_the_paper(void** state) {
  (void)state;
  static const char* const edges[] = {"RA", "RB", "RC", "AD", "BA", "BD", "BE",
                                      "CF", "CG", "DL", "EH", "FI", "GI", "GJ",
                                      "HE", "HK", "IK", "JI", "KI", "KR", "LH"};
  static const char nodes[] = "RABCDEFGHIJKL";
  static const char dominators[] = "RRRRRRCCRRGRD";
  builder_t* b = new_builder();
  for (unsigned i = 1; i < 13; i++)
    object(b, "o");
  for (unsigned n = 0; n < 13; n++)
    for (unsigned i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
      if (edges[i][0] == nodes[n])
        add_edge(b, n, n == 0 ? HW_EDGE_SHORTCUT : HW_EDGE_PROPERTY, "e",
                 (unsigned)(strchr(nodes, edges[i][1]) - nodes));
  hw_snapshot_t* s = compute_built(b);
  for (unsigned n = 1; n < 13; n++)
    assert_int_equal(nodes[hw_snapshot_dominator(s, n)], dominators[n]);
  assert_int_equal(hw_snapshot_retained(s, 0), 120);
  assert_int_equal(hw_snapshot_retained(s, 3), 40); /* C, F, G, J */
  hw_snapshot_destroy(s);
  built_close(b);
}

/* A generator of its own: the same graphs on every machine. */
static uint32_t next_random(uint32_t* seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

/* Marks what `from` reaches through retaining edges, without `without`. */
static void reach(const hw_snapshot_t* s, uint32_t from, uint32_t without,
                  uint8_t* seen) {
  uint32_t list[512];
  uint32_t count = 0;
  if (from == without || seen[from]) return;
  seen[from] = 1;
  list[count++] = from;
  while (count > 0) {
    uint32_t node = list[--count];
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++) {
      uint32_t target = hw_edge_target(s->edge[e]);
      if (target == without || seen[target] || !hw_edge_retains(s, node, e))
        continue;
      seen[target] = 1;
      list[count++] = target;
    }
  }
}

/* By definition: d dominates v if without d there is no way to v. `roots` are
 * the root and what counts as its children. */
static void reach_all(const hw_snapshot_t* s, const uint8_t* roots,
                      uint32_t without, uint8_t* seen) {
  memset(seen, 0, 512);
  for (uint32_t i = 0; i < s->nodes; i++)
    if (roots[i]) reach(s, i, without, seen);
}

static void find_roots(const hw_snapshot_t* s, uint8_t* roots) {
  uint8_t held[512] = {0};
  for (uint32_t node = 0; node < s->nodes; node++)
    for (uint32_t e = s->first_edge[node]; e < s->first_edge[node + 1]; e++)
      if (hw_edge_retains(s, node, e)) held[hw_edge_target(s->edge[e])] = 1;
  for (uint32_t i = 0; i < s->nodes; i++)
    roots[i] = i == s->root || !held[i];
}

static void compare_with_definition(const hw_snapshot_t* s) {
  uint8_t roots[512], reached[512], seen[512];
  uint32_t dominators[512]; /* how many dominate it, and the nearest */
  uint64_t retained[512];
  find_roots(s, roots);
  reach_all(s, roots, HW_NONE, reached);
  for (uint32_t v = 0; v < s->nodes; v++) {
    dominators[v] = 0;
    retained[v] = hw_snapshot_shallow(s, v);
  }
  uint8_t dominates[96][96] = {{0}};
  for (uint32_t d = 0; d < s->nodes; d++) {
    reach_all(s, roots, d, seen);
    for (uint32_t v = 0; v < s->nodes; v++) {
      dominates[d][v] = d != v && reached[v] && d != s->root && !seen[v];
      if (d == s->root && v != d) dominates[d][v] = 1;
      if (!dominates[d][v]) continue;
      dominators[v]++;
      retained[d] += hw_snapshot_shallow(s, v);
    }
  }
  for (uint32_t v = 0; v < s->nodes; v++) {
    if (v == s->root) continue;
    uint32_t idom = hw_snapshot_dominator(s, v);
    assert_true(dominates[idom][v]);
    assert_int_equal(dominators[idom] + 1, dominators[v]);
    assert_int_equal(hw_snapshot_retained(s, v), retained[v]);
  }
  assert_int_equal(hw_snapshot_retained(s, s->root), retained[s->root]);
}

static void random_graph(uint32_t* seed) {
  static const unsigned kinds[] = {HW_EDGE_PROPERTY, HW_EDGE_INTERNAL,
                                   HW_EDGE_WEAK,     HW_EDGE_SHORTCUT,
                                   HW_EDGE_ELEMENT,  HW_EDGE_CONTEXT};
  builder_t* b = new_builder();
  unsigned nodes = 2 + next_random(seed) % 60;
  unsigned degree = 1 + next_random(seed) % 4;
  for (unsigned i = 1; i < nodes; i++)
    add_node(b, HW_NODE_OBJECT, "o", 1 + next_random(seed) % 100);
  for (unsigned i = 0; i < nodes; i++) {
    unsigned edges = next_random(seed) % (degree * 2);
    for (unsigned k = 0; k < edges; k++)
      add_edge(b, i, kinds[next_random(seed) % 6], "7",
               next_random(seed) % nodes);
  }
  hw_snapshot_t* s = compute_built(b);
  compare_with_definition(s);
  hw_snapshot_destroy(s);
  built_close(b);
}

/* Among them are many with nodes that nothing reaches, cycles that hold
 * themselves, nodes that are not page-owned. */
static void dominators_are_those_of_the_definition(void** state) {
  (void)state;
  uint32_t seed = 1;
  for (unsigned i = 0; i < 3000; i++)
    random_graph(&seed);
}

/* A chain so deep that recursion would end the process. */
static void deep_graphs_need_no_stack(void** state) {
  (void)state;
  hw_text_t t = {NULL, 0, 0, false};
  const unsigned n = 1000000;
  hw_text_string(&t, built_header());
  hw_text_format(&t, "\"node_count\":%u,\"edge_count\":%u},\"nodes\":[", n,
                 n - 1);
  for (unsigned i = 0; i < n; i++)
    hw_text_format(&t, "%s3,0,%u,1,%u,0", i > 0 ? "," : "", 2 * i + 1,
                   i + 1 < n);
  hw_text_string(&t, "],\"edges\":[");
  for (unsigned i = 1; i < n; i++)
    hw_text_format(&t, "%s%u,0,%u", i > 1 ? "," : "", i == 1 ? 5 : 2, i * 6);
  hw_text_string(&t, "],\"strings\":[\"o\"]}");
  hw_snapshot_t* s = NULL;
  assert_int_equal(
      hw_snapshot_read((const uint8_t*)t.data, t.length, NULL, &s, NULL), 0);
  assert_int_equal(hw_snapshot_compute_shallow(s), 0);
  assert_int_equal(hw_snapshot_compute_distances(s), 0);
  assert_int_equal(hw_snapshot_compute_dominators(s), 0);
  assert_int_equal(hw_snapshot_dominator(s, n - 1), n - 2);
  assert_int_equal(hw_snapshot_retained(s, 1), n - 1);
  assert_int_equal(hw_snapshot_distance(s, n - 1), (int)n - 1);
  hw_snapshot_destroy(s);
  hw_text_close(&t);
}

/* key and table both refer to the value; the key holds it. */
static void a_weak_maps_value_is_held_by_its_key(void** state) {
  (void)state;
  builder_t* b = new_builder();
  unsigned map = object(b, "Map");     /* 3 */
  unsigned table = object(b, "Table"); /* 5 */
  unsigned key = object(b, "Key");     /* 7 */
  unsigned value = object(b, "Value"); /* 9 */
  add_edge(b, 0, HW_EDGE_SHORTCUT, "m", map);
  add_edge(b, 0, HW_EDGE_SHORTCUT, "k", key);
  add_edge(b, map, HW_EDGE_INTERNAL, "table", table);
  add_edge(b, table, HW_EDGE_INTERNAL,
           "2 / part of key (Key @7) -> value (Value @9) pair in WeakMap "
           "(table @5)",
           value);
  add_edge(b, key, HW_EDGE_INTERNAL,
           "1 / part of key (Key @7) -> value (Value @9) pair in WeakMap "
           "(table @5)",
           value);
  hw_snapshot_t* s = compute_built(b);
  assert_int_equal(hw_snapshot_dominator(s, value), key);
  assert_int_equal(hw_snapshot_retained(s, key), 20);
  assert_int_equal(hw_snapshot_retained(s, table), 10);
  assert_int_equal(hw_snapshot_distance(s, value), 3); /* the further way */
  hw_snapshot_destroy(s);
  built_close(b);
}

static void names_that_only_look_like_a_weak_map_are_none(void** state) {
  (void)state;
  static const char good[] =
      "1 / part of key (a @7) -> value (b @9) pair in WeakMap (table @5)";
  static const char* const bad[] = {
      " / part of key (a @7) -> value (b @9) pair in WeakMap (table @5)",
      "1 / part of key (a @7) -> value (b @9) pair in WeakMap (table @)",
      "1 / part of key (a @7) -> value (b 9) pair in WeakMap (table @5)",
      "1 / part of key (a 7) -> value (b @9) pair in WeakMap (table @5)",
      "1 / part of key (a\\n @7) -> value (b @9) pair in WeakMap (table @5)",
      "1 / part of key (a @7) -> value (b @9) pair in WeakMap (table @5) ",
      "1 / part of key (",
      "1",
      "1 / part of key (a @7) -> value (b @9)"};
  uint32_t table, shared;
  assert_true(hw_ephemeron_parse((const uint8_t*)good, sizeof(good) - 1, &table,
                                 &shared));
  assert_int_equal(table, 5);
  assert_int_equal(shared, 1);
  for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_false(hw_ephemeron_parse((const uint8_t*)bad[i],
                                    (uint32_t)strlen(bad[i]), &table, &shared));
}

static void arrays_give_their_size_to_their_only_owner(void** state) {
  (void)state;
  builder_t* b = new_builder();
  unsigned owner = object(b, "Owner");
  unsigned other = object(b, "Other");
  unsigned own = add_node(b, HW_NODE_ARRAY, "own", 100);
  unsigned below = add_node(b, HW_NODE_HIDDEN, "below", 1000);
  unsigned both = add_node(b, HW_NODE_ARRAY, "both", 7);
  add_edge(b, 0, HW_EDGE_SHORTCUT, "a", owner);
  add_edge(b, 0, HW_EDGE_SHORTCUT, "b", other);
  add_edge(b, owner, HW_EDGE_INTERNAL, "elements", own);
  add_edge(b, owner, HW_EDGE_INTERNAL, "both", both);
  add_edge(b, other, HW_EDGE_INTERNAL, "both", both);
  add_edge(b, own, HW_EDGE_INTERNAL, "x", below);
  hw_snapshot_t* s = compute_built(b);
  assert_int_equal(hw_snapshot_shallow(s, owner), 1110);
  assert_int_equal(hw_snapshot_shallow(s, own), 0);
  assert_int_equal(hw_snapshot_shallow(s, below), 0);
  assert_int_equal(hw_snapshot_shallow(s, both), 7);
  assert_int_equal(hw_snapshot_shallow(s, other), 10);
  hw_snapshot_destroy(s);
  built_close(b);
}

static bool class_is(const hw_classes_t* c, uint32_t number, const char* name) {
  uint32_t length;
  if (number == HW_NONE) return false;
  const char* own = hw_class_name(c, c->item[number].name, &length);
  return length == strlen(name) && memcmp(own, name, length) == 0;
}

static void classes_are_named_as_devtools_names_them(void** state) {
  (void)state;
  builder_t* b = new_builder();
  static const struct {
    unsigned type;
    const char *name, *class;
  } nodes[] = {{HW_NODE_HIDDEN, "x", "(system)"},
               {HW_NODE_CODE, "x", "(compiled code)"},
               {HW_NODE_CLOSURE, "f", "Function"},
               {HW_NODE_REGEXP, "/x/", "RegExp"},
               {HW_NODE_OBJECT, "Order", "Order"},
               {HW_NODE_NATIVE, "<div id=\\\"a\\\">", "<div>"},
               {HW_NODE_NATIVE, "Detached <p class=x>", "Detached <p>"},
               {HW_NODE_STRING, "s", "(string)"},
               {HW_NODE_CONS_STRING, "s", "(concatenated string)"},
               {HW_NODE_SHAPE, "s", "(object shape)"}};
  const unsigned count = sizeof(nodes) / sizeof(nodes[0]);
  for (unsigned i = 0; i < count; i++)
    add_node(b, nodes[i].type, nodes[i].name, 5);
  unsigned empty = add_node(b, HW_NODE_OBJECT, "Empty", 0);
  hw_snapshot_t* s = compute_built(b);
  hw_shapes_t none = {NULL, 0};
  hw_classes_t c;
  assert_int_equal(hw_classes_build(s, &none, &c), 0);
  for (unsigned i = 0; i < count; i++)
    assert_true(class_is(&c, c.of_node[1 + i], nodes[i].class));
  assert_int_equal(c.of_node[empty], HW_NONE);
  hw_classes_close(&c);
  hw_snapshot_destroy(s);
  built_close(b);
}

static unsigned plain(builder_t* b) {
  return object(b, "Object");
}

static void plain_objects_are_named_by_the_best_shape(void** state) {
  (void)state;
  builder_t* b = new_builder();
  unsigned o[6];
  for (unsigned i = 0; i < 6; i++)
    o[i] = plain(b);
  static const char* const properties[6][4] = {
      {"a", "b", NULL},        {"a", "b", NULL},      {"a", "b", "c,d", NULL},
      {"a", "b", "c,d", NULL}, {"b", "z", "a", NULL}, {"only", NULL}};
  for (unsigned i = 0; i < 6; i++)
    for (unsigned p = 0; properties[i][p] != NULL; p++)
      add_edge(b, o[i], HW_EDGE_PROPERTY, properties[i][p], o[0]);
  hw_snapshot_t* s = compute_built(b);
  hw_shapes_t shapes;
  hw_classes_t c;
  assert_int_equal(hw_shapes_infer(s, &shapes), 0);
  assert_int_equal(shapes.count, 2);
  assert_int_equal(hw_classes_build(s, &shapes, &c), 0);
  assert_true(class_is(&c, c.of_node[o[0]], "{a, b}"));
  assert_true(class_is(&c, c.of_node[o[3]], "{a, b, \\\"c,d\\\"}"));
  assert_true(class_is(&c, c.of_node[o[4]], "{a, b}")); /* and a z */
  assert_true(class_is(&c, c.of_node[o[5]], "Object"));
  assert_int_equal(c.item[c.of_node[o[0]]].count, 3);
  hw_classes_close(&c);
  hw_shapes_close(&shapes);
  hw_snapshot_destroy(s);
  built_close(b);
}

static void a_class_retains_each_node_once(void** state) {
  (void)state;
  builder_t* b = new_builder();
  unsigned outer = object(b, "List");
  unsigned inner = object(b, "List");
  unsigned leaf = object(b, "Leaf");
  add_edge(b, 0, HW_EDGE_SHORTCUT, "a", outer);
  add_edge(b, outer, HW_EDGE_PROPERTY, "next", inner);
  add_edge(b, inner, HW_EDGE_PROPERTY, "next", leaf);
  hw_snapshot_t* s = compute_built(b);
  hw_shapes_t none = {NULL, 0};
  hw_classes_t c;
  assert_int_equal(hw_classes_build(s, &none, &c), 0);
  assert_int_equal(c.item[c.of_node[outer]].retained, 30);
  assert_int_equal(c.item[c.of_node[leaf]].distance, 3);
  hw_classes_close(&c);
  hw_snapshot_destroy(s);
  built_close(b);
}

static builder_t* with_places(const char* name, unsigned objects, int line,
                              uint64_t first_id) {
  builder_t* b = new_builder();
  for (unsigned i = 0; i < objects; i++) {
    unsigned node = object(b, name);
    b->node[node].id = first_id + 2 * i;
    int place[4] = {(int)node, 7, line, 1};
    memcpy(b->location[b->locations++], place, sizeof(place));
  }
  return b;
}

static void comparison_is_by_id_and_place(void** state) {
  (void)state;
  builder_t* one = with_places("Order", 3, 10, 101); /* 101 103 105 */
  builder_t* two = with_places("Order", 4, 10, 103); /* 103 .. 109 */
  builder_t* moved = with_places("Order", 3, 11, 101);
  hw_shapes_t none = {NULL, 0};
  hw_snapshot_t* s[] = {compute_built(one), compute_built(two),
                        compute_built(moved)};
  hw_extract_t e[3];
  for (unsigned i = 0; i < 3; i++)
    assert_int_equal(hw_extract_take(s[i], &none, &e[i]), 0);
  hw_differences_t d;
  assert_int_equal(hw_differences_find(&e[0], &e[1], &d), 0);
  assert_int_equal(d.count, 1);
  assert_int_equal(d.item[0].added, 2);
  assert_int_equal(d.item[0].removed, 1);
  assert_int_equal(d.item[0].added_bytes, 20);
  hw_differences_close(&d);
  assert_int_equal(hw_differences_find(&e[0], &e[2], &d), 0);
  assert_int_equal(d.count, 2); /* a class there and one here */
  assert_int_equal(d.item[0].added + d.item[1].added, 3);
  assert_int_equal(d.item[0].removed + d.item[1].removed, 3);
  hw_differences_close(&d);
  for (unsigned i = 0; i < 3; i++) {
    hw_extract_close(&e[i]);
    hw_snapshot_destroy(s[i]);
  }
  built_close(one);
  built_close(two);
  built_close(moved);
}

static void duplicate_strings_include_concatenated_ones(void** state) {
  (void)state;
  builder_t* b = new_builder();
  unsigned whole = add_node(b, HW_NODE_STRING, "ab", 20);
  unsigned left = add_node(b, HW_NODE_STRING, "a", 20);
  unsigned right = add_node(b, HW_NODE_STRING, "b", 20);
  unsigned nothing = add_node(b, HW_NODE_STRING, "", 12);
  unsigned cons = add_node(b, HW_NODE_CONS_STRING, "c", 32);
  unsigned flat = add_node(b, HW_NODE_CONS_STRING, "f", 32);
  unsigned all[] = {whole, left, right, nothing, cons, flat};
  for (unsigned i = 0; i < 6; i++)
    add_edge(b, 0, HW_EDGE_SHORTCUT, "x", all[i]);
  add_edge(b, cons, HW_EDGE_INTERNAL, "first", left);
  add_edge(b, cons, HW_EDGE_INTERNAL, "second", right);
  add_edge(b, flat, HW_EDGE_INTERNAL, "first", whole);
  add_edge(b, flat, HW_EDGE_INTERNAL, "second", nothing);
  hw_snapshot_t* s = compute_built(b);
  hw_duplicates_t d;
  assert_int_equal(hw_duplicates_find(s, &d), 0);
  assert_int_equal(d.count, 1);
  assert_int_equal(d.item[0].count, 2);
  assert_int_equal(d.item[0].shallow, 52);
  hw_duplicates_close(&d);
  hw_snapshot_destroy(s);
  built_close(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dominators_are_those_of_the_paper),
      cmocka_unit_test(dominators_are_those_of_the_definition),
      cmocka_unit_test(deep_graphs_need_no_stack),
      cmocka_unit_test(a_weak_maps_value_is_held_by_its_key),
      cmocka_unit_test(names_that_only_look_like_a_weak_map_are_none),
      cmocka_unit_test(arrays_give_their_size_to_their_only_owner),
      cmocka_unit_test(classes_are_named_as_devtools_names_them),
      cmocka_unit_test(plain_objects_are_named_by_the_best_shape),
      cmocka_unit_test(a_class_retains_each_node_once),
      cmocka_unit_test(comparison_is_by_id_and_place),
      cmocka_unit_test(duplicate_strings_include_concatenated_ones),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
