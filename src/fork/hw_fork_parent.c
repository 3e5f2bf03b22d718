/* The fork itself, and the child as its parent sees it. */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/hw_error.h"
#include "core/hw_gate.h"
#include "hw_fork_internal.h"
#include "hw_fork_park.h"

#define MS UINT64_C(1000000)

/* No sign of life for so long: it hangs. While it writes it may well wait for
 * the disk. */
#define HANG_NS (2000 * MS)
#define HANG_WRITING_NS (60000 * MS)

#define MEMORY_EVERY_NS (500 * MS)
/* What must stay free while the child runs, of what was free at first. */
#define RESERVE_SHARE 20

/* -- The fork ------------------------------------------------------------- */

static hw_fork_birth_t birth_of(const hw_fork_t* job) {
  uint64_t timeout_s = (job->options.timeout_ns + 999 * MS) / (1000 * MS);
  return (hw_fork_birth_t){.engine = job->engine,
                           .engine_data = job->engine_data,
                           .progress = job->progress,
                           .output = job->file.fd,
                           .null = job->null,
                           .nice = job->options.nice,
                           /* We are to end it; the alarm is for when we
                            * cannot, because the loop does not turn. */
                           .timeout_s = (unsigned)timeout_s + 60,
                           .parent = getpid()};
}

/* The calling thread stands still from here until it returns: the pause. */
int hw_fork_now_fork(hw_fork_t* job) {
  const hw_fork_birth_t birth = birth_of(job);
  sigset_t all, before;
  memset(job->progress, 0, sizeof(*job->progress));
  uint64_t start_ns = hw_fork_now();
  int number = hw_fork_regions_inherit(&job->regions);
  pid_t pid = -1;
  if (number == 0) {
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) hw_fork_child_run(&birth);
    number = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  /* The threads go on while the marks are put back. */
  hw_gate_open(job->isolate);
  hw_fork_park_end();
  hw_fork_regions_restore(&job->regions);
  if (pid < 0)
    return hw_fork_fail(job, HW_SNAPSHOT_FORK, "%s", strerror(number));
  job->child = pid;
  job->pause_ns = hw_fork_now() - start_ns;
  job->alive_ns = job->memory_ns = hw_fork_now();
  job->beats = job->ticks = 0;
  job->kill_error = 0;
  return 0;
}

/* -- The end of the child ------------------------------------------------- */

static int judge_exit(hw_fork_t* job, int code) {
  int number = atomic_load(&job->progress->system_error);
  switch (code) {
    case HW_FORK_EXIT_WHOLE:
      return 0;
    case HW_FORK_EXIT_WRITE:
      return hw_fork_fail(job, HW_SNAPSHOT_FILE, "%s", strerror(number));
    case HW_FORK_EXIT_SANDBOX:
      return hw_fork_fail(job, HW_SNAPSHOT_SANDBOX, "%s", strerror(number));
    case HW_FORK_EXIT_ORPHAN:
      return hw_fork_fail(job, HW_SNAPSHOT_CRASHED, "it was left alone");
    case HW_FORK_EXIT_NO_SNAPSHOT:
      return hw_fork_fail(job, HW_SNAPSHOT_CRASHED, "V8 gave no snapshot");
    default:
      return hw_fork_fail(job, HW_SNAPSHOT_CRASHED, "exit code %d", code);
  }
}

static int judge_end(hw_fork_t* job, pid_t found, int status) {
  job->child = 0;
  if (job->kill_error != 0) return job->kill_error;
  /* Somebody else has waited for it, or nobody may (SIGCHLD is ignored): what
   * it wrote last is all that is known. */
  if (found < 0)
    return atomic_load(&job->progress->phase) == HW_FORK_WRITTEN
               ? 0
               : hw_fork_fail(job, HW_SNAPSHOT_CRASHED, "nobody knows how");
  if (WIFEXITED(status)) return judge_exit(job, WEXITSTATUS(status));
  return hw_fork_fail(job, HW_SNAPSHOT_CRASHED, "by %s",
                      strsignal(WTERMSIG(status)));
}

void hw_fork_kill(hw_fork_t* job, int error) {
  if (job->child <= 0) return;
  kill(job->child, SIGKILL);
  job->kill_error = error;
  hw_fork_enter(job, HW_FORK_KILLING);
}

/* -- While it lives ------------------------------------------------------- */

/* State and CPU time of the child; false if it cannot be read. The name, in
 * parentheses, may hold anything. */
static bool read_stat(pid_t pid, char* state, uint64_t* ticks) {
  char path[32], line[512];
  snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
  FILE* file = fopen(path, "re");
  if (file == NULL) return false;
  size_t length = fread(line, 1, sizeof(line) - 1, file);
  fclose(file);
  line[length] = '\0';
  const char* rest = strrchr(line, ')');
  uint64_t user, system;
  if (rest == NULL ||
      sscanf(rest + 1,
             " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
             state, &user, &system) != 3)
    return false;
  *ticks = user + system;
  return true;
}

static bool hangs(hw_fork_t* job, uint64_t now_ns) {
  uint64_t beats = atomic_load(&job->progress->beats);
  uint64_t ticks;
  char state;
  if (!read_stat(job->child, &state, &ticks)) return false;
  /* Whoever is not asleep is about to go on: it runs, or waits for a CPU or
   * for the disk. Or it has been stopped (T), and will wait for a debugger. */
  if (beats != job->beats || ticks != job->ticks || state != 'S') {
    job->beats = beats;
    job->ticks = ticks;
    job->alive_ns = now_ns;
    return false;
  }
  bool writing = atomic_load(&job->progress->phase) == HW_FORK_WRITING;
  return now_ns - job->alive_ns > (writing ? HANG_WRITING_NS : HANG_NS);
}

static bool is_short_of_memory(hw_fork_t* job, uint64_t now_ns) {
  if (now_ns - job->memory_ns < MEMORY_EVERY_NS) return false;
  uint64_t reserve =
      job->memory.free_bytes / RESERVE_SHARE + job->options.reserve_bytes;
  hw_fork_memory_t now;
  hw_fork_memory_read("", &now);
  job->memory_ns = now_ns;
  return now.free_bytes < reserve;
}

static void end_if_wrong(hw_fork_t* job) {
  uint64_t now_ns = hw_fork_now();
  int error = 0;
  if (now_ns - job->since_ns > job->options.timeout_ns)
    error = hw_fork_fail(job, HW_SNAPSHOT_TIMEOUT, "%.0f s",
                         (double)job->options.timeout_ns / 1e9);
  else if (hangs(job, now_ns))
    error = hw_fork_fail(job, HW_SNAPSHOT_HUNG, "stage %u",
                         (unsigned)atomic_load(&job->progress->phase));
  else if (is_short_of_memory(job, now_ns))
    error = hw_fork_fail(job, HW_SNAPSHOT_MEMORY,
                         "it ran low while the snapshot was taken");
  if (error != 0) hw_fork_kill(job, error);
}

int hw_fork_watch(hw_fork_t* job) {
  int status = 0;
  pid_t found = waitpid(job->child, &status, WNOHANG);
  if (found == 0 || (found < 0 && errno == EINTR)) {
    if (job->stage == HW_FORK_CHILD) end_if_wrong(job);
    return HW_FORK_PENDING;
  }
  return judge_end(job, found, status);
}
