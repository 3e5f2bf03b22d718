#include "sites_heap.h"

/* What is kept of sites, and how it is told. */

static void bytes_without_a_script_count_for_the_nearest_caller(void** state) {
  (void)state;
  heap_t* heap = start();
  allocate(heap, PUSH, 500);
  allocate(heap, LEAKY, 300);
  tick(heap);
  hw_sites_ranked_t ranked[4];
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 4), 1);
  assert_string_equal(name_of(heap, ranked[0].top), "leaky");
  assert_near(ranked[0].bytes, 800, 1e-9);
  assert_int_equal(ranked[0].depth, 4);
  assert_string_equal(name_of(heap, ranked[0].stack[0]), "push");
  assert_string_equal(name_of(heap, ranked[0].stack[3]), "processImmediate");
  stop(heap);
}

static void bytes_that_no_javascript_allocated_are_nobody_s_site(void** state) {
  (void)state;
  heap_t* heap = start();
  allocate(heap, IDLE, 9000);
  allocate(heap, LEAKY, 300);
  tick(heap);
  hw_sites_ranked_t ranked[4];
  assert_int_equal(hw_sites_rank(heap->sites, ranked, 4), 1);
  assert_string_equal(name_of(heap, ranked[0].top), "leaky");
  hw_sites_summary_t summary;
  hw_sites_summary(heap->sites, &summary);
  assert_near(summary.lost_bytes, 9000, 1e-9);
  assert_near(summary.live_bytes, 9300, 1e-9);
  stop(heap);
}

static void a_library_s_site_names_the_application_that_called(void** state) {
  (void)state;
  heap_t* heap = start();
  allocate(heap, IN_LIBRARY, 500);
  tick(heap);
  hw_sites_ranked_t site = find(heap, "store");
  const hw_sites_function_t* top = hw_sites_function(heap->sites, site.top);
  assert_int_equal(top->kind, HW_SITES_LIBRARY);
  assert_int_equal(top->line, 60);
  assert_string_equal(name_of(heap, site.application), "handler");
  assert_false(site.inferred);
  stop(heap);
}

static void the_timeline_adds_up_and_covers_the_time_of_sampling(void** state) {
  (void)state;
  heap_t* heap = start();
  /* Enough seconds for intervals to be joined, twice and more. */
  for (int second = 0; second < 200; second++) {
    for (int i = 0; i < 5; i++)
      allocate(heap, LEAKY, 100);
    tick(heap);
  }
  hw_sites_summary_t summary;
  hw_sites_summary(heap->sites, &summary);
  assert_true(summary.intervals >= 8);
  assert_true(summary.intervals <= HW_SITES_INTERVALS);
  hw_sites_ranked_t site = find(heap, "leaky");
  double bytes = 0, end_ms = summary.start_ms, all = 0;
  for (uint32_t i = 0; i < summary.intervals; i++) {
    double next_ms = hw_sites_interval_end(heap->sites, i);
    assert_true(next_ms >= end_ms);
    /* A hundred bytes each 200 ms, whatever the interval's length. */
    assert_near(site.intervals[i], (next_ms - end_ms) / 200 * 100, 1e-6);
    end_ms = next_ms;
    bytes += (double)site.intervals[i];
    all += hw_sites_interval_bytes(heap->sites, i);
  }
  assert_near(end_ms, heap->time_ms, 1e-9);
  assert_near(bytes, 100000, 1e-6);
  assert_near(all, 100000, 1e-6);
  stop(heap);
}

static void samples_that_rise_from_the_dead_are_another_profiler_s(
    void** state) {
  (void)state;
  heap_t* heap = start();
  for (int i = 0; i < 10; i++) {
    allocate(heap, LEAKY, 100);
    tick(heap);
  }
  heap->samples[3].dead = true;
  heap->time_ms += 1000;
  assert_int_equal(read_sites(heap), 0);
  heap->samples[3].dead = false;
  heap->time_ms += 1000;
  assert_int_equal(read_sites(heap), HW_ESTATE);
  stop(heap);
}

/* Ten times as many places as there is room for, over time: those of which
 * nothing lives make room, and what finds none is counted. */
static void many_sites_come_and_go_and_none_is_lost_silently(void** state) {
  (void)state;
  hw_sites_t* sites;
  assert_int_equal(hw_sites_create(&sites, 0, 1000, 32), 0);
  char name[32];
  for (int32_t round = 0; round < 30; round++) {
    hw_sites_begin(sites, round * 1000, 1 * MB);
    for (int32_t i = 0; i < 1000; i++) {
      int32_t script = 1 + round * 500 + i; /* half of them live on */
      snprintf(name, sizeof(name), "f%d", script);
      uint32_t f = hw_sites_find(sites, script, 0, name, strlen(name));
      const hw_sites_function_t added = {
          .name = name, .url = "/a.js", .script = script, .line = 1};
      if (f == HW_SITES_NONE) f = hw_sites_add(sites, &added, strlen(name), 5);
      hw_sites_enter(sites, f);
      hw_sites_node(sites, (uint32_t)script, 100);
      hw_sites_leave(sites);
    }
    for (int32_t i = 0; i < 1000; i++) {
      int32_t script = 1 + round * 500 + i;
      hw_sites_sample(sites, (uint32_t)script, (uint64_t)script, 100, 1);
    }
    assert_int_equal(hw_sites_end(sites), 0);
    hw_sites_summary_t summary;
    hw_sites_summary(sites, &summary);
    assert_true(summary.sites >= 1000);
    assert_near(summary.live_bytes, 100000, 1e-9);
    assert_true(summary.lost_bytes == 0);
  }
  hw_sites_destroy(sites);
}

static void a_sample_of_an_unknown_call_counts_as_lost(void** state) {
  (void)state;
  heap_t* heap = start();
  hw_sites_begin(heap->sites, 2000, 1 * MB);
  hw_sites_sample(heap->sites, 77, 1, 123, 1);
  assert_int_equal(hw_sites_end(heap->sites), 0);
  hw_sites_summary_t summary;
  hw_sites_summary(heap->sites, &summary);
  assert_near(summary.lost_bytes, 123, 1e-9);
  stop(heap);
}

static void long_texts_keep_both_ends_and_whole_characters(void** state) {
  (void)state;
  heap_t* heap = start();
  char url[10001];
  for (size_t i = 0; i < 10000; i += 2)
    memcpy(url + i, "\xc3\xa9", 2); /* é */
  memcpy(url, "/start", 6);
  memcpy(url + 9994, "end.js", 6);
  const hw_sites_function_t added = {.name = "f", .url = url, .script = 90};
  uint32_t f = hw_sites_add(heap->sites, &added, 1, 10000);
  const char* kept = hw_sites_function(heap->sites, f)->url;
  assert_true(strlen(kept) <= HW_SITES_TEXT);
  assert_memory_equal(kept, "/start", 6);
  assert_string_equal(kept + strlen(kept) - 6, "end.js");
  assert_non_null(strstr(kept, "\xc3\xa9\xe2\x80\xa6\xc3\xa9"));
  stop(heap);
}

static void whose_code_it_is_is_told_by_its_address(void** state) {
  (void)state;
  heap_t* heap = start();
  static const struct {
    int32_t script;
    const char* url;
    hw_sites_kind_t kind;
  } cases[] = {
      {31, "/srv/app.js", HW_SITES_APPLICATION},
      {32, "file:///srv/app.mjs", HW_SITES_APPLICATION},
      {33, "", HW_SITES_APPLICATION},
      {34, "node:internal/timers", HW_SITES_INTERNAL},
      {35, "/srv/node_modules/x/y.js", HW_SITES_LIBRARY},
      {36, "C:\\srv\\node_modules\\x\\y.js", HW_SITES_LIBRARY},
      {37, "/srv/my_node_modules/y.js", HW_SITES_APPLICATION},
      {0, "", HW_SITES_NATIVE},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const hw_sites_function_t added = {
        .name = "f", .url = cases[i].url, .script = cases[i].script};
    uint32_t f = hw_sites_add(heap->sites, &added, 1, strlen(cases[i].url));
    assert_int_equal(hw_sites_function(heap->sites, f)->kind, cases[i].kind);
  }
  stop(heap);
}

static void json_that_does_not_fit_has_fewer_sites_and_stays_whole(
    void** state) {
  (void)state;
  heap_t* heap = start();
  serve(heap);
  const hw_sites_json_t options = {.reason = "last-words",
                                   .epoch_ms = 1e12,
                                   .max_sites = 5,
                                   .max_frames = 12};
  char text[8192];
  size_t whole = hw_sites_write_json(heap->sites, &options, text, sizeof(text));
  assert_true(whole > 0);
  text[whole] = '\0';
  assert_memory_equal(text, "{\"reason\":\"last-words\",", 23);
  assert_non_null(strstr(text, "\"functionName\":\"cache\""));
  size_t least = 0;
  for (size_t size = 0; size < whole; size++) {
    memset(text, '#', sizeof(text));
    size_t length = hw_sites_write_json(heap->sites, &options, text, size);
    assert_true(length <= size);
    assert_int_equal(text[size], '#');
    if (length == 0) continue;
    if (least == 0) least = size;
    assert_memory_equal(text + length - 2, "]}", 2);
    text[length] = '\0';
    assert_null(strstr(text, ",]"));
  }
  assert_true(least > 100 && least < whole / 2);
  stop(heap);
}

static void what_the_watch_allocates_is_no_site_but_what_it_calls(
    void** state) {
  (void)state;
  heap_t* heap = start();
  hw_sites_disown(heap->sites, "/app/node_modules/heapwatch/lib/");
  for (int i = 0; i < 100; i++) {
    allocate(heap, OWN, 4096);
    allocate(heap, LISTENER, 1024);
    allocate(heap, IN_LIBRARY, 512);
  }
  heap->time_ms += 1000;
  assert_int_equal(read_sites(heap), 0);
  hw_sites_ranked_t ranked[HW_SITES_RANKED];
  assert_int_equal(hw_sites_rank(heap->sites, ranked, HW_SITES_RANKED), 2);
  const hw_sites_function_t* first =
      hw_sites_function(heap->sites, ranked[0].top);
  assert_string_equal(first->name, "onLeak");
  const hw_sites_function_t* caller =
      hw_sites_function(heap->sites, ranked[0].stack[1]);
  assert_string_equal(hw_sites_kind_name(caller->kind), "library");
  hw_sites_summary_t summary;
  hw_sites_summary(heap->sites, &summary);
  assert_true(summary.lost_bytes == 100 * 4096);
  stop(heap);
}

static void destroying_nothing_does_nothing(void** state) {
  (void)state;
  hw_sites_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_without_a_script_count_for_the_nearest_caller),
      cmocka_unit_test(bytes_that_no_javascript_allocated_are_nobody_s_site),
      cmocka_unit_test(a_library_s_site_names_the_application_that_called),
      cmocka_unit_test(the_timeline_adds_up_and_covers_the_time_of_sampling),
      cmocka_unit_test(samples_that_rise_from_the_dead_are_another_profiler_s),
      cmocka_unit_test(many_sites_come_and_go_and_none_is_lost_silently),
      cmocka_unit_test(a_sample_of_an_unknown_call_counts_as_lost),
      cmocka_unit_test(long_texts_keep_both_ends_and_whole_characters),
      cmocka_unit_test(whose_code_it_is_is_told_by_its_address),
      cmocka_unit_test(json_that_does_not_fit_has_fewer_sites_and_stays_whole),
      cmocka_unit_test(what_the_watch_allocates_is_no_site_but_what_it_calls),
      cmocka_unit_test(destroying_nothing_does_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
