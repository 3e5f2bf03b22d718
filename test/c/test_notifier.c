#include "test.h"

#include <uv.h>

#include "uv/hw_notifier.h"

typedef struct {
  uv_loop_t loop;
  hw_notifier_t notifier;
  uv_timer_t other;
  int noted; /* what a GC callback would have noted */
  int deliveries;
  int delivered;
  int closed;
} fixture_t;

static int pending(void* data) {
  fixture_t* f = data;
  return f->noted > 0;
}

static void on_closed(void* data) {
  fixture_t* f = data;
  f->closed++;
}

static void deliver(void* data) {
  fixture_t* f = data;
  f->deliveries++;
  f->delivered += f->noted;
  f->noted = 0;
}

static int setup(void** state) {
  static fixture_t fixture;
  fixture = (fixture_t){0};
  assert_int_equal(uv_loop_init(&fixture.loop), 0);
  assert_int_equal(uv_timer_init(&fixture.loop, &fixture.other), 0);
  assert_int_equal(hw_notifier_init(&fixture.notifier, &fixture.loop, pending,
                                    deliver, &fixture),
                   0);
  *state = &fixture;
  return 0;
}

static int teardown(void** state) {
  fixture_t* f = *state;
  if (!uv_is_closing((uv_handle_t*)&f->notifier.timer))
    hw_notifier_close(&f->notifier, on_closed);
  uv_close((uv_handle_t*)&f->other, NULL);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->closed, 1);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  return 0;
}

static void note(uv_timer_t* timer) {
  fixture_t* f = timer->data;
  f->noted++;
}

static void stop(uv_timer_t* timer) {
  fixture_t* f = timer->data;
  uv_stop(&f->loop);
}

/* Runs the loop for a while, kept alive by a timer of the app's. */
static void run(fixture_t* f, uint64_t ms) {
  f->other.data = f;
  uv_update_time(&f->loop);
  uv_timer_start(&f->other, stop, ms, 0);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  uv_timer_stop(&f->other);
}

static void what_was_noted_is_delivered_in_one_call(void** state) {
  fixture_t* f = *state;
  assert_int_equal(hw_notifier_enable(&f->notifier, 1), 0);
  f->noted = 17;
  run(f, 4 * HW_NOTIFIER_DELAY_MS);
  assert_int_equal(f->deliveries, 1);
  assert_int_equal(f->delivered, 17);
}

static void a_busy_loop_is_woken_at_most_once_in_the_delay(void** state) {
  fixture_t* f = *state;
  assert_int_equal(hw_notifier_enable(&f->notifier, 1), 0);
  f->other.data = f;
  uint64_t start_ns = uv_hrtime();
  uv_timer_start(&f->other, note, 1, 1);
  while (uv_hrtime() - start_ns < 300 * MS)
    uv_run(&f->loop, UV_RUN_ONCE);
  uint64_t took_ms = (uv_hrtime() - start_ns) / MS;
  assert_true(f->deliveries >= 1);
  assert_true((uint64_t)f->deliveries <= took_ms / HW_NOTIFIER_DELAY_MS + 1);
  assert_true(f->delivered >= f->deliveries);
}

static void nothing_noted_wakes_nothing(void** state) {
  fixture_t* f = *state;
  assert_int_equal(hw_notifier_enable(&f->notifier, 1), 0);
  run(f, 2 * HW_NOTIFIER_DELAY_MS);
  assert_int_equal(f->deliveries, 0);
  assert_false(uv_is_active((uv_handle_t*)&f->notifier.timer));
}

static void a_notifier_that_is_off_delivers_nothing(void** state) {
  fixture_t* f = *state;
  f->noted = 3;
  run(f, 2 * HW_NOTIFIER_DELAY_MS);
  assert_int_equal(f->deliveries, 0);
  assert_int_equal(hw_notifier_enable(&f->notifier, 1), 0);
  run(f, 1);
  assert_int_equal(hw_notifier_enable(&f->notifier, 0), 0);
  run(f, 2 * HW_NOTIFIER_DELAY_MS);
  assert_int_equal(f->deliveries, 0);
}

static void a_notifier_never_keeps_a_loop_alive(void** state) {
  fixture_t* f = *state;
  assert_int_equal(hw_notifier_enable(&f->notifier, 1), 0);
  f->noted = 1;
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
}

static void close_while_delivering(void* data) {
  fixture_t* f = data;
  deliver(data);
  hw_notifier_close(&f->notifier, on_closed);
}

static void a_notifier_may_be_closed_from_its_own_callback(void** state) {
  fixture_t* f = *state;
  f->notifier.deliver = close_while_delivering;
  assert_int_equal(hw_notifier_enable(&f->notifier, 1), 0);
  f->noted = 1;
  run(f, 4 * HW_NOTIFIER_DELAY_MS);
  assert_int_equal(f->deliveries, 1);
  assert_int_equal(f->closed, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(what_was_noted_is_delivered_in_one_call),
      TEST(a_busy_loop_is_woken_at_most_once_in_the_delay),
      TEST(nothing_noted_wakes_nothing),
      TEST(a_notifier_that_is_off_delivers_nothing),
      TEST(a_notifier_never_keeps_a_loop_alive),
      TEST(a_notifier_may_be_closed_from_its_own_callback),
  };
#undef TEST
  return cmocka_run_group_tests_name("notifier", tests, NULL, NULL);
}
