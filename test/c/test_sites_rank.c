#include "sites_heap.h"

/* Which sites are said to leak. */

static void a_leak_ranks_above_a_full_cache_and_churn_with_more_bytes(
    void** state) {
  (void)state;
  heap_t* heap = start();
  serve(heap);
  hw_sites_ranked_t ranked[3];
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 3), 2);
  assert_string_equal(name_of(heap, ranked[0].top), "leaky");
  assert_string_equal(name_of(heap, ranked[1].top), "cache");
  assert_true(ranked[1].bytes > 5 * ranked[0].bytes);
  assert_int_equal(ranked[0].trend, HW_SITES_GROWING);
  assert_int_equal(ranked[1].trend, HW_SITES_LEVEL);
  assert_near(ranked[0].growth_rate, 1000, 0.05);
  assert_true(ranked[0].share > 0.9);
  assert_true(ranked[0].spread > 0.9);
  assert_true(ranked[1].spread < 0.3);
  assert_near(ranked[0].bytes, 30000, 1e-9);
  assert_near(ranked[0].count, 300, 1e-9);
  stop(heap);
}

static void what_lives_for_a_few_seconds_is_churn(void** state) {
  (void)state;
  heap_t* heap = start();
  for (int second = 0; second < 60; second++) {
    for (int i = 0; i < 10; i++)
      allocate(heap, CHURN, 1000);
    for (uint64_t i = 0; i + 80 < heap->count; i++)
      heap->samples[i].dead = true;
    tick(heap);
  }
  hw_sites_ranked_t churn = find(heap, "churn");
  assert_int_equal(churn.trend, HW_SITES_CHURN);
  assert_true(churn.spread < 0.4);
  stop(heap);
}

/* Once optimized, what `inlined` allocates counts for processImmediate. */
static void an_inlined_function_is_one_with_what_it_became(void** state) {
  (void)state;
  heap_t* heap = start();
  for (int second = 0; second < 32; second++) {
    for (int i = 0; i < 10; i++)
      allocate(heap, second < 12 ? INLINED : ENTRY, 100);
    tick(heap);
  }
  hw_sites_ranked_t ranked[4];
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 4), 1);
  assert_string_equal(name_of(heap, ranked[0].top), "inlined");
  assert_near(ranked[0].bytes, 32000, 1e-9);
  assert_int_equal(ranked[0].trend, HW_SITES_GROWING);
  assert_true(ranked[0].spread > 0.9);
  stop(heap);
}

/* `count` seconds of a leak, of which the first six are at `before`. */
static heap_t* leak_at(int before, int after, int count, int each) {
  heap_t* heap = start();
  for (int second = 0; second < count; second++) {
    for (int i = 0; i < each; i++)
      allocate(heap, second < 6 ? before : after, 1000);
    tick(heap);
  }
  return heap;
}

static void a_function_inlined_into_another_of_the_application_is_still_named(
    void** state) {
  (void)state;
  heap_t* heap = leak_at(IN_QUERY, IN_HANDLER, 32, 5);
  hw_sites_ranked_t ranked[4];
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 4), 1);
  assert_string_equal(name_of(heap, ranked[0].top), "row");
  assert_string_equal(name_of(heap, ranked[0].stack[1]), "query");
  assert_near(ranked[0].bytes, 160000, 1e-9);
  assert_int_equal(ranked[0].trend, HW_SITES_GROWING);
  assert_near(ranked[0].growth_rate, 5000, 0.05);
  stop(heap);
  /* The one that allocates itself. */
  heap = leak_at(LEAKY, HANDLER, 32, 5);
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 4), 1);
  assert_string_equal(name_of(heap, ranked[0].top), "leaky");
  assert_near(ranked[0].bytes, 160000, 1e-9);
  stop(heap);
}

static void what_is_called_in_two_ways_is_not_inlined(void** state) {
  (void)state;
  heap_t* heap = start();
  for (int second = 0; second < 32; second++) {
    for (int i = 0; i < 5; i++) {
      allocate(heap, second < 20 ? IN_QUERY : CHURN, 1000);
      allocate(heap, IN_HANDLER, 1000);
    }
    tick(heap);
  }
  hw_sites_ranked_t ranked[4];
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 4), 3);
  assert_string_equal(name_of(heap, ranked[0].stack[1]), "handler");
  stop(heap);
  /* Nor what is called by others, nor what has too few samples to tell. */
  heap = leak_at(CACHE, IN_HANDLER, 32, 5);
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 4), 2);
  stop(heap);
  heap = start();
  allocate(heap, IN_QUERY, 1000);
  for (int second = 0; second < 32; second++) {
    for (int i = 0; i < 5; i++)
      allocate(heap, IN_HANDLER, 1000);
    tick(heap);
  }
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 4), 2);
  stop(heap);
}

static void an_internal_site_beside_one_that_goes_on_infers_its_caller(
    void** state) {
  (void)state;
  heap_t* heap = start();
  for (int second = 0; second < 16; second++) {
    allocate(heap, ENTRY, 100);
    allocate(heap, INLINED, 100);
    tick(heap);
  }
  hw_sites_ranked_t site = find(heap, "processImmediate");
  assert_true(site.inferred);
  assert_string_equal(name_of(heap, site.application), "inlined");
  assert_near(site.bytes, 1600, 1e-9);
  stop(heap);
}

/* `parse` is also called by handler, but nothing was inlined into parse. */
static void what_a_library_allocates_infers_who_calls_it_from_there(
    void** state) {
  (void)state;
  heap_t* heap = start();
  for (int second = 0; second < 16; second++) {
    allocate(heap, PARSE, 1000);
    allocate(heap, INLINED, 200);
    allocate(heap, HANDLER_PARSE, 100);
    tick(heap);
  }
  hw_sites_ranked_t site = find(heap, "parse");
  assert_near(site.bytes, 16000, 1e-9);
  assert_true(site.inferred);
  assert_string_equal(name_of(heap, site.application), "inlined");
  stop(heap);
}

static void where_nothing_is_settled_what_there_is_has_to_do(void** state) {
  (void)state;
  heap_t* heap = start();
  for (int second = 0; second < 3; second++)
    tick(heap);
  for (int i = 0; i < 10; i++)
    allocate(heap, LEAKY, 1000);
  heap->time_ms += 1000;
  assert_int_equal(read_sites(heap), 0);
  assert_near(find(heap, "leaky").bytes, 10000, 1e-9);
  stop(heap);
}

static void what_came_since_the_last_collection_is_not_settled(void** state) {
  (void)state;
  heap_t* heap = start();
  for (int i = 0; i < 10; i++) {
    allocate(heap, LEAKY, 100);
    tick(heap);
  }
  /* Garbage by the load, and no collection yet. */
  for (int i = 0; i < 1000; i++)
    allocate(heap, CHURN, 1000);
  heap->time_ms += 1000;
  assert_int_equal(read_sites(heap), 0);
  hw_sites_ranked_t ranked[2];
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 2), 1);
  assert_string_equal(name_of(heap, ranked[0].top), "leaky");
  hw_sites_summary_t summary;
  hw_sites_summary(heap->sites, &summary);
  assert_near(summary.live_bytes, 1001000, 1e-9);
  stop(heap);
}

/* Texts in flight, held for four seconds, and a leak of 1000 bytes a second:
 * `collections` of them, each five seconds after the last. */
static void serve_slow_clients(heap_t* heap, int collections) {
  for (int second = 1; second <= collections * 5 + 1; second++) {
    for (int i = 0; i < 10; i++)
      allocate(heap, LEAKY, 100);
    for (int i = 0; i < 10; i++)
      allocate(heap, CHURN, 1000);
    if (second % 5 == 0) {
      for (uint64_t i = 0; i + 80 < heap->count; i++)
        heap->samples[i].dead = heap->samples[i].call == CHURN;
      hw_sites_collected(heap->sites, 64 * MB);
    }
    heap->time_ms += 1000;
    assert_int_equal(read_sites(heap), 0);
  }
}

static void what_outgrows_the_leak_is_not_it_while_observations_are_few(
    void** state) {
  (void)state;
  heap_t* heap = start();
  hw_sites_ranked_t ranked[2];
  serve_slow_clients(heap, 1);
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 2), 2);
  assert_string_equal(name_of(heap, ranked[0].top), "churn");
  hw_sites_expect(heap->sites, 1000);
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 2), 2);
  assert_string_equal(name_of(heap, ranked[0].top), "leaky");
  assert_string_equal(name_of(heap, ranked[1].top), "churn");
  assert_true(ranked[1].growth_rate > ranked[0].growth_rate);
  char text[4096];
  const hw_sites_json_t options = {
      .max_sites = 1, .max_frames = 1, .list_only = true, .leak_rate = 1000};
  hw_sites_expect(heap->sites, 0);
  size_t length =
      hw_sites_write_json(heap->sites, &options, text, sizeof(text) - 1);
  text[length] = '\0';
  assert_non_null(strstr(text, "\"leaky\""));
  assert_null(strstr(text, "\"churn\""));
  /* One that fits the rate is not held back. */
  hw_sites_expect(heap->sites, 20000);
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 2), 2);
  assert_string_equal(name_of(heap, ranked[0].top), "churn");
  stop(heap);
}

static void with_enough_observations_growth_is_taken_as_it_is(void** state) {
  (void)state;
  heap_t* heap = start();
  hw_sites_ranked_t with[2], without[2];
  serve_slow_clients(heap, 6);
  assert_int_equal(hw_sites_rank(heap->sites, without, 2), 2);
  hw_sites_expect(heap->sites, 100);
  assert_int_equal(hw_sites_rank(heap->sites, with, 2), 2);
  assert_string_equal(name_of(heap, with[0].top), "leaky");
  assert_int_equal(with[0].top, without[0].top);
  stop(heap);
}

static void before_any_collection_all_bytes_have_to_do(void** state) {
  (void)state;
  heap_t* heap = start();
  allocate(heap, LEAKY, 100);
  heap->time_ms += 50;
  assert_int_equal(read_sites(heap), 0);
  hw_sites_ranked_t site = find(heap, "leaky");
  assert_near(site.bytes, 100, 1e-9);
  assert_near(site.share, 1, 1e-9);
  stop(heap);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(
          a_leak_ranks_above_a_full_cache_and_churn_with_more_bytes),
      cmocka_unit_test(what_lives_for_a_few_seconds_is_churn),
      cmocka_unit_test(an_inlined_function_is_one_with_what_it_became),
      cmocka_unit_test(where_nothing_is_settled_what_there_is_has_to_do),
      cmocka_unit_test(what_a_library_allocates_infers_who_calls_it_from_there),
      cmocka_unit_test(
          a_function_inlined_into_another_of_the_application_is_still_named),
      cmocka_unit_test(what_is_called_in_two_ways_is_not_inlined),
      cmocka_unit_test(
          an_internal_site_beside_one_that_goes_on_infers_its_caller),
      cmocka_unit_test(what_came_since_the_last_collection_is_not_settled),
      cmocka_unit_test(
          what_outgrows_the_leak_is_not_it_while_observations_are_few),
      cmocka_unit_test(with_enough_observations_growth_is_taken_as_it_is),
      cmocka_unit_test(before_any_collection_all_bytes_have_to_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
