/* For SCHED_BATCH. */
#define _GNU_SOURCE

#include "hw_fork_child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/hw_gate.h"
#include "hw_fork_regions.h"
#include "hw_fork_sandbox.h"

#define IDLE_CLASS (3 << 13) /* of ioprio_set */

static noreturn void give_up(const hw_fork_birth_t* birth, int code,
                             int system_error) {
  atomic_store(&birth->progress->system_error, system_error);
  _exit(code);
}

/* Handlers are the parent's: libuv's would write into the parent's signal
 * pipe, and a SIGTERM to the child would be the parent's. */
static void reset_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; number++)
    sigaction(number, &action, NULL);
  /* A file size limit is an error to tell, not a death. */
  action.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &action, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* No longer than the parent, nor than allowed, and no core files. */
static void tie_to_parent(const hw_fork_birth_t* birth) {
  struct rlimit none = {0, 0};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != birth->parent) _exit(HW_FORK_EXIT_ORPHAN);
  alarm(birth->timeout_s);
  setrlimit(RLIMIT_CORE, &none);
}

/* First to be killed when memory is short, last to get CPU and disk. */
static void step_back(int nice) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    ssize_t written = write(fd, "1000", 4);
    (void)written;
    close(fd);
  }
  struct sched_param parameter = {0};
  if (nice > getpriority(PRIO_PROCESS, 0)) setpriority(PRIO_PROCESS, 0, nice);
  sched_setscheduler(0, SCHED_BATCH, &parameter);
  syscall(SYS_ioprio_set, 1, 0, IDLE_CLASS);
}

/* Left open, descriptors would keep clients' connections and the listening
 * port alive. Closed, V8's tasks would meet EBADF (which libuv takes for a bug
 * and aborts), and a number used again could be the snapshot's. */
static int detach_descriptors(int output, int null) {
  DIR* entries = opendir("/proc/self/fd");
  if (entries == NULL) return errno;
  int own = dirfd(entries);
  struct dirent* entry;
  while ((entry = readdir(entries)) != NULL) {
    int fd = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == output || fd == null || fd == own)
      continue;
    dup2(null, fd);
  }
  closedir(entries);
  return 0;
}

static void enter_sandbox(const hw_fork_birth_t* birth) {
  int error = hw_fork_protect_shared(birth->progress);
  if (error == 0) error = detach_descriptors(birth->output, birth->null);
  if (error == 0) error = hw_fork_sandbox_enter();
  if (error != 0) give_up(birth, HW_FORK_EXIT_SANDBOX, error);
}

/* -- What the engine calls ------------------------------------------------ */

static void on_beat(void* data) {
  const hw_fork_birth_t* birth = data;
  atomic_fetch_add(&birth->progress->beats, 1);
}

static void on_nodes(void* data, uint64_t nodes) {
  const hw_fork_birth_t* birth = data;
  atomic_store(&birth->progress->nodes, nodes);
  atomic_store(&birth->progress->phase, HW_FORK_WRITING);
}

static void on_bytes(void* data, const char* bytes, size_t length) {
  const hw_fork_birth_t* birth = data;
  while (length > 0) {
    ssize_t written = write(birth->output, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) give_up(birth, HW_FORK_EXIT_WRITE, errno);
    bytes += written;
    length -= (size_t)written;
    on_beat(data);
  }
}

/* -- The order matters ---------------------------------------------------- */

void hw_fork_child_run(const hw_fork_birth_t* birth) {
  hw_gate_mark_child();
  /* At once: the parent may be waiting for this CPU. */
  step_back(birth->nice);
  reset_signals();
  tie_to_parent(birth);
  atomic_store(&birth->progress->phase, HW_FORK_SETTING_UP);
  enter_sandbox(birth);
  atomic_store(&birth->progress->phase, HW_FORK_TAKING);
  const hw_fork_output_t output = {on_beat, on_nodes, on_bytes, (void*)birth};
  if (birth->engine->write(birth->engine_data, &output) != 0)
    give_up(birth, HW_FORK_EXIT_NO_SNAPSHOT, 0);
  atomic_store(&birth->progress->phase, HW_FORK_WRITTEN);
  _exit(HW_FORK_EXIT_WHOLE);
}
