/*
 * Fuzzes all that reads a snapshot's bytes: whatever the input, there must be
 * a graph or an error whose offset lies within it, and every question must be
 * answered without a byte read or written out of place.
 *
 * `make -C test/c fuzz_snapshot SECONDS=300`
 */

#include <stdlib.h>
#include <string.h>

#include "core/hw_error.h"
#include "snapshot/hw_snapshot_anchor.h"
#include "snapshot/hw_snapshot_classes.h"
#include "snapshot/hw_snapshot_diff.h"
#include "snapshot/hw_snapshot_statistics.h"
#include "snapshot/hw_snapshot_trie.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

static void check(int status) {
  if (status != 0 && status != HW_ENOMEM) abort();
}

static void ask(hw_snapshot_t* s) {
  hw_shapes_t shapes;
  hw_extract_t extract;
  hw_differences_t differences;
  hw_classes_t classes;
  hw_statistics_t statistics;
  hw_duplicates_t duplicates;
  check(hw_snapshot_compute_shallow(s));
  check(hw_snapshot_compute_distances(s));
  check(hw_snapshot_compute_dominators(s));
  uint64_t all = 0;
  for (uint32_t i = 0; i < hw_snapshot_nodes(s); i++)
    all += hw_snapshot_shallow(s, i);
  if (all != hw_snapshot_retained(s, hw_snapshot_root(s))) abort();
  check(hw_shapes_infer(s, &shapes));
  check(hw_classes_build(s, &shapes, &classes));
  check(hw_extract_take(s, &shapes, &extract));
  check(hw_differences_find(&extract, &extract, &differences));
  check(hw_statistics_compute(s, &statistics));
  check(hw_duplicates_find(s, &duplicates));
  hw_duplicates_close(&duplicates);
  hw_differences_close(&differences);
  hw_extract_close(&extract);
  hw_classes_close(&classes);
  hw_shapes_close(&shapes);
}

/* What needs the names of all edges. */
static void ask_names(hw_snapshot_t* s) {
  hw_reverse_t reverse;
  hw_search_t search;
  hw_holding_t holding;
  hw_trie_t trie;
  hw_text_t text = {NULL, 0, 0, false};
  memset(&trie, 0, sizeof(trie));
  check(hw_reverse_build(s, &reverse));
  check(hw_search_init(&reverse, &search));
  for (uint32_t node = 0; node < hw_snapshot_nodes(s); node++) {
    hw_search_run(&search, node, &holding);
    hw_holding_phrase(&reverse, &holding, &text);
    hw_holding_anchor(&reverse, &holding, &text);
    hw_holding_path(&reverse, &holding, &text);
    text.length = 0;
  }
  check(hw_trie_add(&trie, &reverse, 0, NULL));
  check(hw_trie_add(&trie, &reverse, 1, NULL));
  hw_trie_sum(&trie);
  /* The same snapshot twice: nothing may have grown. */
  for (uint32_t i = 0; i < trie.count; i++)
    if (trie.place[i].bytes[0] != trie.place[i].bytes[1]) abort();
  hw_trie_close(&trie);
  hw_search_close(&search);
  hw_reverse_close(&reverse);
  hw_text_close(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hw_snapshot_t* s = NULL;
  hw_snapshot_error_t error = {NULL, UINT64_MAX};
  const hw_snapshot_options_t options = {.flags = HW_SNAPSHOT_NAMES};
  int status =
      hw_snapshot_read(data, size, size & 1 ? &options : NULL, &s, &error);
  if (status == HW_EFORMAT && (error.offset > size || error.what == NULL))
    abort();
  if (status != 0) {
    if (status != HW_EFORMAT && status != HW_ENOMEM) abort();
    return 0;
  }
  ask(s);
  if (size & 1) ask_names(s);
  hw_snapshot_destroy(s);
  return 0;
}
