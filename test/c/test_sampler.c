#include "test.h"

#include <math.h>
#include <uv.h>

#include "core/hw_error.h"
#include "uv/hw_memory.h"
#include "uv/hw_sampler.h"

/* A real loop and the real clock; only V8 and Node.js are played. */
typedef struct {
  uv_loop_t loop;
  hw_sampler_t sampler;
  uv_timer_t other; /* referenced, so it keeps the loop alive */
  hw_reading_t readings[64];
  uint64_t missed[64];
  int count;
  int wanted;
  int usage_error;
  int closed;
} fixture_t;

static void heap_probe(void* data, hw_heap_statistics_t* heap) {
  (void)data;
  heap->used_heap_bytes = 7 * MB;
}

static int usage_probe(void* data, uint64_t* rss, double* array_buffers) {
  fixture_t* f = data;
  if (f->usage_error != 0) return f->usage_error;
  *rss = 11 * MB;
  *array_buffers = 13;
  return 0;
}

static void on_closed(void* data) {
  fixture_t* f = data;
  f->closed++;
}

static void on_reading(void* data, const hw_reading_t* reading,
                       uint64_t missed) {
  fixture_t* f = data;
  f->readings[f->count] = *reading;
  f->missed[f->count] = missed;
  if (++f->count == f->wanted) uv_stop(&f->loop);
}

static int setup(void** state) {
  static const hw_sampler_probes_t probes = {heap_probe, usage_probe};
  static fixture_t fixture;
  fixture = (fixture_t){.wanted = 5};
  assert_int_equal(uv_loop_init(&fixture.loop), 0);
  assert_int_equal(uv_timer_init(&fixture.loop, &fixture.other), 0);
  assert_int_equal(hw_sampler_init(&fixture.sampler, &fixture.loop, &probes,
                                   on_reading, &fixture),
                   0);
  *state = &fixture;
  return 0;
}

static int teardown(void** state) {
  fixture_t* f = *state;
  if (!uv_is_closing((uv_handle_t*)&f->sampler.timer))
    hw_sampler_close(&f->sampler, on_closed);
  uv_close((uv_handle_t*)&f->other, NULL);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->closed, 1);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  return 0;
}

static void no_op(uv_timer_t* timer) {
  (void)timer;
}

static void keep_alive(fixture_t* f) {
  uv_timer_start(&f->other, no_op, 60000, 0);
}

static void readings_come_at_their_interval_and_never_early(void** state) {
  fixture_t* f = *state;
  keep_alive(f);
  uint64_t start_ns = uv_hrtime();
  assert_int_equal(hw_sampler_start(&f->sampler, 10), 0);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->count, 5);
  uint64_t due = 0;
  for (int i = 0; i < 5; i++) {
    due += f->missed[i] + 1;
    assert_true(f->readings[i].time_ns >= start_ns + due * 10 * MS);
  }
}

static void a_reading_holds_what_the_probes_say(void** state) {
  fixture_t* f = *state;
  hw_reading_t reading;
  hw_sampler_read(&f->sampler, &reading);
  assert_int_equal(reading.heap.used_heap_bytes, 7 * MB);
  assert_int_equal(reading.rss_bytes, 11 * MB);
  assert_true(reading.array_buffers_bytes == 13);
  assert_int_equal(reading.memory_limit_bytes, hw_memory_limit());
  assert_int_equal(reading.loop_delay_ns, 0);
  uv_timeval64_t now;
  uv_gettimeofday(&now);
  assert_true(fabs(reading.epoch_ms - (double)now.tv_sec * 1e3) < 60e3);
}

static void rss_comes_from_the_system_when_node_will_not_say(void** state) {
  fixture_t* f = *state;
  hw_reading_t reading;
  f->usage_error = HW_ESTATE;
  hw_sampler_read(&f->sampler, &reading);
  assert_true(reading.rss_bytes > MB / 4);
  assert_true(isnan(reading.array_buffers_bytes));
}

static void a_sampler_never_keeps_a_loop_alive(void** state) {
  fixture_t* f = *state;
  assert_int_equal(hw_sampler_start(&f->sampler, 10), 0);
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(f->count, 0);
}

static void block(uv_timer_t* timer) {
  uint64_t end_ns = uv_hrtime() + 75 * MS;
  while (uv_hrtime() < end_ns) {
  }
  uv_timer_start(timer, no_op, 60000, 0);
}

static void a_blocked_loop_is_told_as_delay_and_missed_readings(void** state) {
  fixture_t* f = *state;
  f->wanted = 1;
  uv_timer_start(&f->other, block, 5, 0);
  assert_int_equal(hw_sampler_start(&f->sampler, 20), 0);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  /* Due at 20 ms, taken at 80 or later: 40, 60 and maybe 80 were missed. */
  assert_int_equal(f->count, 1);
  assert_true(f->readings[0].loop_delay_ns >= 50 * MS);
  assert_true(f->missed[0] >= 2);
  assert_int_equal(f->missed[0], f->readings[0].loop_delay_ns / (20 * MS));
}

static void lateness_does_not_move_the_readings_that_follow(void** state) {
  fixture_t* f = *state;
  keep_alive(f);
  f->wanted = 20;
  assert_int_equal(hw_sampler_start(&f->sampler, 10), 0);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  /* Taken at due + delay: each due time is a whole number of intervals after
   * the first, and the missed ones account for every one between. */
  uint64_t first = f->readings[0].time_ns - f->readings[0].loop_delay_ns;
  uint64_t number = f->missed[0];
  for (int i = 1; i < f->count; i++) {
    uint64_t due = f->readings[i].time_ns - f->readings[i].loop_delay_ns;
    number++;
    assert_int_equal(due, first + number * 10 * MS);
    number += f->missed[i];
  }
}

static void close_in_the_middle_of_a_reading(void* data,
                                             const hw_reading_t* reading,
                                             uint64_t missed) {
  (void)reading;
  (void)missed;
  fixture_t* f = data;
  f->count++;
  hw_sampler_close(&f->sampler, on_closed);
  uv_timer_stop(&f->other);
}

static void a_sampler_may_be_closed_from_its_own_callback(void** state) {
  fixture_t* f = *state;
  keep_alive(f);
  f->sampler.reading_cb = close_in_the_middle_of_a_reading;
  assert_int_equal(hw_sampler_start(&f->sampler, 10), 0);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->count, 1);
  assert_int_equal(f->closed, 1);
}

static void an_interval_of_zero_is_refused(void** state) {
  fixture_t* f = *state;
  assert_int_equal(hw_sampler_start(&f->sampler, 0), HW_EINVAL);
  assert_int_equal(hw_sampler_start(&f->sampler, UINT64_MAX), HW_EINVAL);
}

static void memory_of_this_process_is_believable(void** state) {
  (void)state;
  uint64_t limit = hw_memory_limit();
  assert_true(hw_memory_rss() > MB / 4);
  assert_true(hw_memory_rss() < uv_get_total_memory());
  assert_true(limit == 0 || limit < uv_get_total_memory());
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(readings_come_at_their_interval_and_never_early),
      TEST(a_reading_holds_what_the_probes_say),
      TEST(rss_comes_from_the_system_when_node_will_not_say),
      TEST(a_sampler_never_keeps_a_loop_alive),
      TEST(a_blocked_loop_is_told_as_delay_and_missed_readings),
      TEST(lateness_does_not_move_the_readings_that_follow),
      TEST(a_sampler_may_be_closed_from_its_own_callback),
      TEST(an_interval_of_zero_is_refused),
      cmocka_unit_test(memory_of_this_process_is_believable),
  };
#undef TEST
  return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
