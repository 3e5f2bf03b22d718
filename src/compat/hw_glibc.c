/* Empty where binding.gyp does not include hw_glibc.h. */
#ifdef HW_GLIBC_OLDEST

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Before 2.33 glibc had no functions fstat and stat, only inline ones. The
 * system call is the same on every Linux, and on 64 bits so is what it writes.
 * Hidden, as all of the binary is: they take the place of glibc's for our own
 * calls alone. Compiled with the same _FILE_OFFSET_BITS as they are, they have
 * the same names, which may be fstat64 and stat64. */
int fstat(int fd, struct stat* status) {
  return (int)syscall(SYS_fstat, fd, status);
}

int stat(const char* path, struct stat* status) {
  return (int)syscall(SYS_newfstatat, AT_FDCWD, path, status, 0);
}

#else

/* C has no empty files. */
typedef int hw_glibc_unused_t;

#endif
