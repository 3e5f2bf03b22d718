#include "hw_fork_sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* System calls have different numbers on different machines, and on x86-64 a
 * second set of them: a filter is only good for the one it was made for. */
#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#define SECOND_SET 0x40000000u
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#define SECOND_SET 0xffffffffu
#endif

/* Those with another name, or none, somewhere. */
#ifdef SYS_time
#define IF_TIME(XX) XX(SYS_time)
#else
#define IF_TIME(XX)
#endif
#ifdef SYS_pkey_mprotect
#define IF_PKEY(XX) XX(SYS_pkey_mprotect) XX(SYS_pkey_alloc)
#else
#define IF_PKEY(XX)
#endif

#define ALLOWED_MAP(XX)     \
  XX(SYS_write)             \
  XX(SYS_read)              \
  XX(SYS_writev)            \
  XX(SYS_lseek)             \
  XX(SYS_futex)             \
  XX(SYS_mmap)              \
  XX(SYS_munmap)            \
  XX(SYS_mremap)            \
  XX(SYS_mprotect)          \
  XX(SYS_madvise)           \
  XX(SYS_brk)               \
  XX(SYS_mincore)           \
  XX(SYS_clock_gettime)     \
  XX(SYS_clock_getres)      \
  XX(SYS_clock_nanosleep)   \
  XX(SYS_nanosleep)         \
  XX(SYS_gettimeofday)      \
  XX(SYS_getrusage)         \
  XX(SYS_getrandom)         \
  XX(SYS_getcpu)            \
  XX(SYS_getpid)            \
  XX(SYS_gettid)            \
  XX(SYS_sched_yield)       \
  XX(SYS_sched_getaffinity) \
  XX(SYS_membarrier)        \
  XX(SYS_restart_syscall)   \
  XX(SYS_rt_sigaction)      \
  XX(SYS_rt_sigprocmask)    \
  XX(SYS_rt_sigreturn)      \
  XX(SYS_sigaltstack)       \
  XX(SYS_exit)              \
  XX(SYS_exit_group)        \
  IF_TIME(XX)               \
  IF_PKEY(XX)

#ifdef MACHINE

#define LOAD(field) \
  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SAME(value, then, otherwise) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (then), (otherwise))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define ALLOW(number) SAME(number, 0, 1), RETURN(SECCOMP_RET_ALLOW),

static int install(uint32_t pid) {
  struct sock_filter steps[] = {
      LOAD(arch),
      SAME(MACHINE, 1, 0),
      RETURN(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SECOND_SET, 0, 1),
      RETURN(SECCOMP_RET_ERRNO | EPERM),
      ALLOWED_MAP(ALLOW)
      /* abort() raises a signal, which must reach nobody but us. */
      SAME(SYS_tgkill, 0, 3),
      LOAD(args[0]),
      SAME(pid, 0, 1),
      RETURN(SECCOMP_RET_ALLOW),
      RETURN(SECCOMP_RET_ERRNO | EPERM),
  };
  struct sock_fprog filter = {
      .len = (unsigned short)(sizeof(steps) / sizeof(steps[0])),
      .filter = steps};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) return errno;
  return 0;
}

bool hw_fork_sandbox_available(void) {
  uint32_t action = SECCOMP_RET_ERRNO;
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int hw_fork_sandbox_enter(void) {
  return install((uint32_t)getpid());
}

#else

bool hw_fork_sandbox_available(void) {
  return false;
}

int hw_fork_sandbox_enter(void) {
  return ENOSYS;
}

#endif
