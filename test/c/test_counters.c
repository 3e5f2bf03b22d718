#include "test.h"

#include "core/hw_counters.h"

static hw_gc_event_t event(uint32_t type, uint64_t before, uint64_t after) {
  return (hw_gc_event_t){.type = type,
                         .heap_before_bytes = before,
                         .heap_after_bytes = after,
                         .duration_ns = 5,
                         .busy_ns = 5};
}

static void gc(hw_counters_t* counters, uint32_t type, uint64_t before,
               uint64_t after) {
  hw_gc_event_t e = event(type, before, after);
  hw_counters_gc(counters, &e);
}

static void allocation_is_what_the_heap_grew_by_between_collections(
    void** state) {
  (void)state;
  hw_counters_t c;
  hw_counters_init(&c, 10 * MB);
  gc(&c, HW_GC_SCAVENGE, 26 * MB, 12 * MB);           /* 16 */
  gc(&c, HW_GC_SCAVENGE, 28 * MB, 14 * MB);           /* 16 */
  gc(&c, HW_GC_MARK_SWEEP_COMPACT, 17 * MB, 11 * MB); /* 3 */
  assert_int_equal(c.allocated_bytes, 35 * MB);
  assert_int_equal(hw_counters_allocated(&c, 15 * MB), 39 * MB);
}

static void a_heap_that_shrank_by_sweeping_has_allocated_nothing(void** state) {
  (void)state;
  hw_counters_t c;
  hw_counters_init(&c, 10 * MB);
  gc(&c, HW_GC_SCAVENGE, 9 * MB, 8 * MB);
  assert_int_equal(c.allocated_bytes, 0);
  assert_int_equal(hw_counters_allocated(&c, 7 * MB), 0);
}

static void collections_are_counted_by_kind(void** state) {
  (void)state;
  hw_counters_t c;
  hw_counters_init(&c, 0);
  gc(&c, HW_GC_SCAVENGE, 1, 1);
  gc(&c, HW_GC_MINOR_MARK_SWEEP, 1, 1);
  gc(&c, HW_GC_MARK_SWEEP_COMPACT, 1, 1);
  gc(&c, HW_GC_INCREMENTAL_MARKING, 1, 1);
  gc(&c, 999, 1, 1);
  assert_int_equal(c.gc_count[HW_GC_MINOR], 2);
  assert_int_equal(c.gc_count[HW_GC_MAJOR], 1);
  assert_int_equal(c.gc_count[HW_GC_INCREMENTAL], 1);
  assert_int_equal(c.gc_count[HW_GC_WEAKCB], 0);
  assert_int_equal(c.gc_busy_ns, 20);
}

static void only_a_major_collection_tells_what_is_live(void** state) {
  (void)state;
  hw_counters_t c;
  hw_counters_init(&c, 10 * MB);
  gc(&c, HW_GC_SCAVENGE, 10 * MB, 9 * MB);
  assert_int_equal(c.live_heap_bytes, 0);
  gc(&c, HW_GC_MARK_SWEEP_COMPACT, 9 * MB, 6 * MB);
  gc(&c, HW_GC_SCAVENGE, 10 * MB, 9 * MB);
  assert_int_equal(c.live_heap_bytes, 6 * MB);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(allocation_is_what_the_heap_grew_by_between_collections),
      cmocka_unit_test(a_heap_that_shrank_by_sweeping_has_allocated_nothing),
      cmocka_unit_test(collections_are_counted_by_kind),
      cmocka_unit_test(only_a_major_collection_tells_what_is_live),
  };
  return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
