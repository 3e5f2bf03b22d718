#include "test.h"

#include <string.h>

#include "core/hw_error.h"
#include "core/hw_gc.h"

static hw_gc_mark_t mark(uint64_t time_ns, uint64_t heap, uint64_t external) {
  return (hw_gc_mark_t){.time_ns = time_ns,
                        .heap_bytes = heap,
                        .external_bytes = external,
                        .heap_limit_bytes = 1000 * MB};
}

static void begin(hw_gc_pairing_t* pairing, uint32_t type, uint64_t time_ns) {
  hw_gc_mark_t now = mark(time_ns, 7, 8);
  hw_gc_begin(pairing, type, &now);
}

static int end(hw_gc_pairing_t* pairing, uint32_t type, uint64_t time_ns,
               hw_gc_event_t* event) {
  hw_gc_mark_t now = mark(time_ns, 5, 6);
  return hw_gc_end(pairing, type, 0, &now, event);
}

static void a_pair_becomes_an_event_with_both_ends(void** state) {
  (void)state;
  hw_gc_pairing_t pairing = {0};
  hw_gc_event_t event;
  hw_gc_mark_t before = mark(100, 50 * MB, 3 * MB);
  hw_gc_mark_t after = mark(350, 20 * MB, 2 * MB);
  hw_gc_begin(&pairing, HW_GC_MARK_SWEEP_COMPACT, &before);
  assert_int_equal(hw_gc_end(&pairing, HW_GC_MARK_SWEEP_COMPACT,
                             HW_GC_FLAG_FORCED, &after, &event),
                   0);
  assert_int_equal(event.type, HW_GC_MARK_SWEEP_COMPACT);
  assert_int_equal(event.flags, HW_GC_FLAG_FORCED);
  assert_int_equal(event.start_ns, 100);
  assert_int_equal(event.duration_ns, 250);
  assert_int_equal(event.busy_ns, 250);
  assert_int_equal(event.heap_before_bytes, 50 * MB);
  assert_int_equal(event.heap_after_bytes, 20 * MB);
  assert_int_equal(event.external_before_bytes, 3 * MB);
  assert_int_equal(event.external_after_bytes, 2 * MB);
  assert_int_equal(event.heap_limit_bytes, 1000 * MB);
  assert_int_equal(pairing.unpaired, 0);
}

static void phases_that_overlap_are_paired_by_their_type(void** state) {
  (void)state;
  hw_gc_pairing_t pairing = {0};
  hw_gc_event_t event;
  begin(&pairing, HW_GC_INCREMENTAL_MARKING, 100);
  begin(&pairing, HW_GC_SCAVENGE, 200);
  assert_int_equal(end(&pairing, HW_GC_SCAVENGE, 230, &event), 0);
  assert_int_equal(event.start_ns, 200);
  assert_int_equal(event.duration_ns, 30);
  assert_int_equal(end(&pairing, HW_GC_INCREMENTAL_MARKING, 400, &event), 0);
  assert_int_equal(event.start_ns, 100);
  assert_int_equal(event.duration_ns, 300);
  assert_int_equal(pairing.unpaired, 0);
}

static void no_moment_is_busy_twice(void** state) {
  (void)state;
  hw_gc_pairing_t pairing = {0};
  hw_gc_event_t event;
  uint64_t busy = 0;
  begin(&pairing, HW_GC_MARK_SWEEP_COMPACT, 100);
  begin(&pairing, HW_GC_PROCESS_WEAK_CALLBACKS, 150);
  end(&pairing, HW_GC_PROCESS_WEAK_CALLBACKS, 160, &event);
  assert_int_equal(event.busy_ns, 0);
  end(&pairing, HW_GC_MARK_SWEEP_COMPACT, 200, &event);
  busy += event.busy_ns;
  /* Overlapping without one inside the other. */
  begin(&pairing, HW_GC_INCREMENTAL_MARKING, 1000);
  begin(&pairing, HW_GC_SCAVENGE, 1010);
  end(&pairing, HW_GC_INCREMENTAL_MARKING, 1020, &event);
  busy += event.busy_ns;
  end(&pairing, HW_GC_SCAVENGE, 1050, &event);
  busy += event.busy_ns;
  assert_int_equal(busy, 100 + 50);
}

static void an_end_without_a_beginning_is_counted_and_no_event(void** state) {
  (void)state;
  hw_gc_pairing_t pairing = {0};
  hw_gc_event_t event, untouched;
  memset(&event, 0xab, sizeof(event));
  untouched = event;
  assert_int_equal(end(&pairing, HW_GC_SCAVENGE, 10, &event), HW_ESTATE);
  assert_memory_equal(&event, &untouched, sizeof(event));
  assert_int_equal(pairing.unpaired, 1);
}

static void a_second_beginning_replaces_the_first(void** state) {
  (void)state;
  hw_gc_pairing_t pairing = {0};
  hw_gc_event_t event;
  begin(&pairing, HW_GC_SCAVENGE, 10);
  begin(&pairing, HW_GC_SCAVENGE, 50);
  assert_int_equal(end(&pairing, HW_GC_SCAVENGE, 60, &event), 0);
  assert_int_equal(event.start_ns, 50);
  assert_int_equal(event.busy_ns, 10);
  assert_int_equal(pairing.unpaired, 1);
}

static void types_that_are_none_are_counted_and_ignored(void** state) {
  (void)state;
  static const uint32_t types[] = {0, 3, 1u << HW_GC_TYPES, 1u << 31,
                                   UINT32_MAX};
  hw_gc_pairing_t pairing = {0};
  hw_gc_event_t event;
  for (size_t i = 0; i < COUNT_OF(types); i++) {
    begin(&pairing, types[i], 10);
    assert_int_equal(end(&pairing, types[i], 20, &event), HW_ESTATE);
    assert_int_equal(hw_gc_kind(types[i]), HW_GC_KINDS);
  }
  assert_int_equal(pairing.unpaired, 2 * COUNT_OF(types));
  assert_int_equal(pairing.open, 0);
}

static void a_clock_that_goes_backwards_gives_no_duration(void** state) {
  (void)state;
  hw_gc_pairing_t pairing = {0};
  hw_gc_event_t event;
  begin(&pairing, HW_GC_SCAVENGE, 100);
  assert_int_equal(end(&pairing, HW_GC_SCAVENGE, 40, &event), 0);
  assert_int_equal(event.duration_ns, 0);
  assert_int_equal(event.busy_ns, 0);
}

static void every_type_has_a_kind(void** state) {
  (void)state;
  assert_int_equal(hw_gc_kind(HW_GC_SCAVENGE), HW_GC_MINOR);
  assert_int_equal(hw_gc_kind(HW_GC_MINOR_MARK_SWEEP), HW_GC_MINOR);
  assert_int_equal(hw_gc_kind(HW_GC_MARK_SWEEP_COMPACT), HW_GC_MAJOR);
  assert_int_equal(hw_gc_kind(HW_GC_INCREMENTAL_MARKING), HW_GC_INCREMENTAL);
  assert_int_equal(hw_gc_kind(HW_GC_PROCESS_WEAK_CALLBACKS), HW_GC_WEAKCB);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pair_becomes_an_event_with_both_ends),
      cmocka_unit_test(phases_that_overlap_are_paired_by_their_type),
      cmocka_unit_test(no_moment_is_busy_twice),
      cmocka_unit_test(an_end_without_a_beginning_is_counted_and_no_event),
      cmocka_unit_test(a_second_beginning_replaces_the_first),
      cmocka_unit_test(types_that_are_none_are_counted_and_ignored),
      cmocka_unit_test(a_clock_that_goes_backwards_gives_no_duration),
      cmocka_unit_test(every_type_has_a_kind),
  };
  return cmocka_run_group_tests_name("gc", tests, NULL, NULL);
}
