/* The gate before collections: who passes, who waits, who is let through. */

#include "core/hw_gate.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static const int a, b;

static void an_open_gate_lets_everybody_through(void** state) {
  (void)state;
  assert_true(hw_gate_enter(&a));
  assert_true(hw_gate_enter(&b));
  assert_int_equal(hw_gate_collecting(), 2);
  hw_gate_leave();
  hw_gate_leave();
  assert_int_equal(hw_gate_collecting(), 0);
}

static void a_closed_gate_holds_the_others_and_not_its_owner(void** state) {
  (void)state;
  assert_true(hw_gate_close(&a));
  assert_false(hw_gate_enter(&b));
  assert_int_equal(hw_gate_collecting(), 0);
  assert_true(hw_gate_enter(&a));
  hw_gate_leave();
  hw_gate_open(&a);
  assert_true(hw_gate_enter(&b));
  hw_gate_leave();
}

static void only_its_owner_opens_the_gate(void** state) {
  (void)state;
  assert_true(hw_gate_close(&a));
  assert_true(hw_gate_close(&a));
  assert_false(hw_gate_close(&b));
  hw_gate_open(&b);
  assert_false(hw_gate_enter(&b));
  hw_gate_open(&a);
  assert_true(hw_gate_close(&b));
  hw_gate_open(&b);
}

static void who_has_waited_enough_goes_through_and_is_counted(void** state) {
  (void)state;
  assert_true(hw_gate_close(&a));
  hw_gate_force();
  assert_int_equal(hw_gate_collecting(), 1);
  hw_gate_leave();
  hw_gate_open(&a);
}

static _Atomic int inside;
static _Atomic int collisions;

/* Collects all the time: nobody may be forking meanwhile. */
static void* collect(void* stop) {
  while (!*(_Atomic int*)stop) {
    if (!hw_gate_enter(&b)) continue;
    inside = 1;
    inside = 0;
    hw_gate_leave();
  }
  return NULL;
}

static void nobody_collects_once_the_gate_is_closed_and_empty(void** state) {
  (void)state;
  _Atomic int stop = 0;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, collect, &stop), 0);
  for (int i = 0; i < 20000; i++) {
    assert_true(hw_gate_close(&a));
    if (hw_gate_collecting() == 0) {
      for (int k = 0; k < 20; k++)
        collisions += inside;
    }
    hw_gate_open(&a);
  }
  stop = 1;
  pthread_join(thread, NULL);
  assert_int_equal(collisions, 0);
}

static void only_the_child_is_the_child(void** state) {
  (void)state;
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    hw_gate_mark_child();
    _exit(hw_gate_in_child() ? 0 : 1);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
  assert_false(hw_gate_in_child());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_open_gate_lets_everybody_through),
      cmocka_unit_test(a_closed_gate_holds_the_others_and_not_its_owner),
      cmocka_unit_test(only_its_owner_opens_the_gate),
      cmocka_unit_test(who_has_waited_enough_goes_through_and_is_counted),
      cmocka_unit_test(nobody_collects_once_the_gate_is_closed_and_empty),
      cmocka_unit_test(only_the_child_is_the_child),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
