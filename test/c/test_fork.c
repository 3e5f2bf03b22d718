/* The parts of a fork that can be seen without V8: parking, the memory rule,
 * the file. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include "core/hw_error.h"
#include "fork/hw_fork_file.h"
#include "fork/hw_fork_memory.h"
#include "fork/hw_fork_park.h"
#include "fork/hw_fork_regions.h"
#include "fork/hw_fork_sandbox.h"
#include "test.h"

static char root[64];

static int make_root(void** state) {
  (void)state;
  strcpy(root, "/tmp/heapwatch-test-XXXXXX");
  return mkdtemp(root) == NULL ? -1 : 0;
}

static int remove_root(void** state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof(command), "rm -rf '%s'", root);
  return system(command);
}

/* Writes a file below the root, with the directories it needs. */
static void put(const char* path, const char* text) {
  char full[256];
  snprintf(full, sizeof(full), "%s%s", root, path);
  for (char* slash = strchr(full + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(full, 0700);
    *slash = '/';
  }
  FILE* file = fopen(full, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

/* -- Parking -------------------------------------------------------------- */

static void* park(void* ticket) {
  hw_fork_park_run(ticket);
  return NULL;
}

static void wait_for(uint32_t count) {
  for (int i = 0; i < 2000 && hw_fork_park_count() != count; i++)
    usleep(1000);
  assert_int_equal(hw_fork_park_count(), count);
}

static void parked_threads_are_held_until_the_end(void** state) {
  (void)state;
  pthread_t threads[3];
  void* ticket = hw_fork_park_begin(hw_fork_now() + 5000 * MS);
  for (int i = 0; i < 3; i++)
    pthread_create(&threads[i], NULL, park, ticket);
  wait_for(3);
  assert_false(hw_fork_park_hold(4));
  assert_true(hw_fork_park_hold(3));
  /* Whoever comes now comes too late, and does not stay. */
  hw_fork_park_run(ticket);
  assert_int_equal(hw_fork_park_count(), 3);
  hw_fork_park_end();
  for (int i = 0; i < 3; i++)
    pthread_join(threads[i], NULL);
}

static void parked_threads_free_themselves_at_the_deadline(void** state) {
  (void)state;
  pthread_t thread;
  void* ticket = hw_fork_park_begin(hw_fork_now() + 30 * MS);
  pthread_create(&thread, NULL, park, ticket);
  pthread_join(thread, NULL);
  assert_int_equal(hw_fork_park_count(), 0);
  assert_false(hw_fork_park_hold(1));
  assert_false(hw_fork_park_hold(0));
}

static void a_task_of_an_earlier_attempt_is_not_counted(void** state) {
  (void)state;
  void* old = hw_fork_park_begin(hw_fork_now() + 5000 * MS);
  hw_fork_park_end();
  hw_fork_park_begin(hw_fork_now() + 5000 * MS);
  hw_fork_park_run(old);
  assert_int_equal(hw_fork_park_count(), 0);
  hw_fork_park_end();
}

/* -- Memory --------------------------------------------------------------- */

static void put_machine(void) {
  put("/proc/self/status",
      "Name:\tnode\nVmRSS:\t  300000 kB\n"
      "RssAnon:\t  200000 kB\n");
  put("/proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n");
}

static void without_limits_what_is_available_is_free(void** state) {
  (void)state;
  hw_fork_memory_t memory;
  put_machine();
  put("/proc/self/cgroup", "0::/app\n");
  put("/sys/fs/cgroup/app/memory.max", "max\n");
  hw_fork_memory_read(root, &memory);
  assert_int_equal(memory.resident_bytes, UINT64_C(300000) * 1024);
  assert_int_equal(memory.anonymous_bytes, UINT64_C(200000) * 1024);
  assert_int_equal(memory.free_bytes, UINT64_C(4000000) * 1024);
  assert_false(memory.kills_group);
}

static void the_tightest_group_counts_and_cached_files_are_free(void** state) {
  (void)state;
  hw_fork_memory_t memory;
  put_machine();
  put("/proc/self/cgroup", "0::/pod/app\n");
  put("/sys/fs/cgroup/pod/app/memory.max", "900000000\n");
  put("/sys/fs/cgroup/pod/app/memory.current", "500000000\n");
  put("/sys/fs/cgroup/pod/app/memory.stat",
      "anon 1\ninactive_file 100000000\n");
  put("/sys/fs/cgroup/pod/memory.max", "700000000\n");
  put("/sys/fs/cgroup/pod/memory.current", "600000000\n");
  put("/sys/fs/cgroup/pod/memory.oom.group", "0\n");
  put("/sys/fs/cgroup/pod/app/memory.oom.group", "1\n");
  hw_fork_memory_read(root, &memory);
  assert_int_equal(memory.free_bytes, 100000000);
  assert_true(memory.kills_group);
}

static void groups_of_version_1_count_as_well(void** state) {
  (void)state;
  hw_fork_memory_t memory;
  put_machine();
  put("/proc/self/cgroup", "8:pids:/x\n4:cpu,memory:/app\n0::/\n");
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("/sys/fs/cgroup/memory/app/memory.limit_in_bytes", "800000000\n");
  put("/sys/fs/cgroup/memory/app/memory.usage_in_bytes", "300000000\n");
  put("/sys/fs/cgroup/memory/app/memory.stat",
      "inactive_file 7\ntotal_inactive_file 50000000\n");
  hw_fork_memory_read(root, &memory);
  assert_int_equal(memory.free_bytes, 550000000);
}

static void the_need_is_the_graph_and_every_page_once_more(void** state) {
  (void)state;
  const hw_fork_memory_t memory = {.anonymous_bytes = 100000000};
  assert_int_equal(hw_fork_memory_need(&memory, 1000000),
                   (UINT64_C(100000000) + 450000000) / 10 * 11);
  assert_int_equal(hw_fork_memory_nodes(45000), 1000);
}

/* -- Regions -------------------------------------------------------------- */

static void a_mark_is_taken_off_for_the_fork_and_put_on_again(void** state) {
  (void)state;
  hw_fork_regions_t regions;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char* memory = NULL;
  assert_int_equal(posix_memalign((void**)&memory, page, 8 * page), 0);
  memset(memory, 7, 8 * page);
  hw_fork_region_t mine = {(uintptr_t)memory, (uintptr_t)memory + 8 * page};
  hw_fork_regions_t one = {.list = &mine, .count = 1};
  hw_fork_regions_restore(&one);
  assert_int_equal(hw_fork_regions_read(&regions), 0);
  assert_true(regions.count >= 1);
  assert_int_equal(hw_fork_regions_inherit(&regions), 0);
  pid_t pid = fork();
  if (pid == 0) _exit(memory[3 * page] == 7 ? 0 : 1);
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
  hw_fork_regions_restore(&regions);
  size_t count = regions.count;
  hw_fork_regions_close(&regions);
  assert_int_equal(hw_fork_regions_read(&regions), 0);
  assert_int_equal(regions.count, count);
  assert_int_equal(hw_fork_regions_inherit(&regions), 0);
  hw_fork_regions_close(&regions);
  free(memory);
}

/* -- The sandbox ---------------------------------------------------------- */

static int in_sandbox(int output) {
  char text[] = "whole";
  if (hw_fork_sandbox_enter() != 0) return 1;
  if (write(output, text, sizeof(text)) != sizeof(text)) return 2;
  if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM) return 3;
  if (unlink("/tmp/heapwatch-none") == 0 || errno != EPERM) return 4;
  if (kill(getppid(), 0) == 0 || errno != EPERM) return 5;
  if (fork() != -1) return 6;
  if (malloc(1 << 20) == NULL) return 7;
  return 0;
}

static void in_the_sandbox_only_open_descriptors_are_of_use(void** state) {
  (void)state;
  if (!hw_fork_sandbox_available()) skip();
  int pipe_ends[2], status;
  assert_int_equal(pipe(pipe_ends), 0);
  pid_t pid = fork();
  if (pid == 0) _exit(in_sandbox(pipe_ends[1]));
  assert_int_equal(waitpid(pid, &status, 0), pid);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  assert_int_equal(status, 0);
}

static void an_abort_in_the_sandbox_is_one(void** state) {
  (void)state;
  if (!hw_fork_sandbox_available()) skip();
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    hw_fork_sandbox_enter();
    abort();
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* -- The file ------------------------------------------------------------- */

static void a_file_gets_its_name_when_it_is_whole(void** state) {
  (void)state;
  hw_fork_file_t file;
  int number = 0;
  uint64_t bytes;
  char path[128];
  snprintf(path, sizeof(path), "%s/a.heapsnapshot", root);
  assert_int_equal(hw_fork_file_open(&file, path, &number), 0);
  assert_int_equal(write(file.fd, "12345", 5), 5);
  assert_int_equal(hw_fork_file_reset(&file), 0);
  assert_int_equal(write(file.fd, "123", 3), 3);
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(hw_fork_file_commit(&file, &bytes, &number), 0);
  assert_int_equal(bytes, 3);
  hw_fork_file_close(&file);
  struct stat about;
  assert_int_equal(stat(path, &about), 0);
  assert_int_equal(about.st_mode & 0777, 0600);
}

static void what_is_not_committed_goes(void** state) {
  (void)state;
  hw_fork_file_t file;
  int number = 0;
  char path[128], draft[192];
  snprintf(path, sizeof(path), "%s/b.heapsnapshot", root);
  assert_int_equal(hw_fork_file_open(&file, path, &number), 0);
  snprintf(draft, sizeof(draft), "%s", file.draft);
  assert_int_equal(access(draft, F_OK), 0);
  hw_fork_file_close(&file);
  assert_int_equal(access(draft, F_OK), -1);
  assert_int_equal(hw_fork_file_open(&file, root, &number), HW_SNAPSHOT_FILE);
  assert_int_equal(number, EISDIR);
}

/* Draft `name`, an hour old. */
static void put_old(const char* name) {
  char path[160];
  struct utimbuf hour_ago = {time(NULL) - 3600, time(NULL) - 3600};
  put(name, "");
  snprintf(path, sizeof(path), "%s%s", root, name);
  assert_int_equal(utime(path, &hour_ago), 0);
}

static int has(const char* name) {
  char path[160];
  snprintf(path, sizeof(path), "%s%s", root, name);
  return access(path, F_OK) == 0;
}

static void drafts_of_the_dead_are_removed_and_no_others(void** state) {
  (void)state;
  hw_fork_file_t file;
  int number = 0;
  char path[160];
  put_old("/x.heapwatch-1-0.tmp");
  put_old("/held.heapwatch-1-0.tmp");
  put_old("/other.tmp");
  put("/young.heapwatch-1-0.tmp", "");
  snprintf(path, sizeof(path), "%s/held.heapwatch-1-0.tmp", root);
  int held = open(path, O_RDONLY);
  assert_int_equal(flock(held, LOCK_EX), 0);
  snprintf(path, sizeof(path), "%s/c.heapsnapshot", root);
  assert_int_equal(hw_fork_file_open(&file, path, &number), 0);
  hw_fork_file_close(&file);
  close(held);
  assert_false(has("/x.heapwatch-1-0.tmp"));
  assert_true(has("/held.heapwatch-1-0.tmp"));
  assert_true(has("/other.tmp"));
  assert_true(has("/young.heapwatch-1-0.tmp"));
}

int main(void) {
#define IN_ROOT(test) \
  cmocka_unit_test_setup_teardown(test, make_root, remove_root)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parked_threads_are_held_until_the_end),
      cmocka_unit_test(parked_threads_free_themselves_at_the_deadline),
      cmocka_unit_test(a_task_of_an_earlier_attempt_is_not_counted),
      IN_ROOT(without_limits_what_is_available_is_free),
      IN_ROOT(the_tightest_group_counts_and_cached_files_are_free),
      IN_ROOT(groups_of_version_1_count_as_well),
      cmocka_unit_test(the_need_is_the_graph_and_every_page_once_more),
      cmocka_unit_test(a_mark_is_taken_off_for_the_fork_and_put_on_again),
      cmocka_unit_test(in_the_sandbox_only_open_descriptors_are_of_use),
      cmocka_unit_test(an_abort_in_the_sandbox_is_one),
      IN_ROOT(a_file_gets_its_name_when_it_is_whole),
      IN_ROOT(what_is_not_committed_goes),
      IN_ROOT(drafts_of_the_dead_are_removed_and_no_others),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
