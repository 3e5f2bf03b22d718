#include "hw_fork_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/hw_error.h"

#define MARK ".heapwatch-"
#define END ".tmp"

/* A draft is created first and locked then: a new one is left alone. */
#define LEAST_AGE_S 60

static bool is_draft(const char* name) {
  const char* mark = strstr(name, MARK);
  size_t length = strlen(name);
  return mark != NULL && length > sizeof(END) &&
         strcmp(name + length - strlen(END), END) == 0;
}

static void remove_if_dead(int directory, const char* name) {
  int fd =
      openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat about;
  if (fd < 0) return;
  if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
      about.st_uid == geteuid() && about.st_mtime + LEAST_AGE_S < time(NULL) &&
      flock(fd, LOCK_EX | LOCK_NB) == 0)
    unlinkat(directory, name, 0);
  close(fd);
}

/* Removes the drafts of processes that have died. */
static void sweep(const char* path) {
  char* directory = strdup(path);
  if (directory == NULL) return;
  char* slash = strrchr(directory, '/');
  if (slash != NULL) slash[slash == directory ? 1 : 0] = '\0';
  DIR* entries = opendir(slash != NULL ? directory : ".");
  free(directory);
  if (entries == NULL) return;
  struct dirent* entry;
  while ((entry = readdir(entries)) != NULL) {
    if (is_draft(entry->d_name)) remove_if_dead(dirfd(entries), entry->d_name);
  }
  closedir(entries);
}

static char* draft_name(const char* path) {
  static _Atomic unsigned last;
  size_t room = strlen(path) + sizeof(MARK) + sizeof(END) + 32;
  char* name = malloc(room);
  if (name != NULL)
    snprintf(name, room, "%s" MARK "%ld-%u" END, path, (long)getpid(),
             atomic_fetch_add(&last, 1));
  return name;
}

static int fail(hw_fork_file_t* file, int number, int* system_error) {
  *system_error = number;
  hw_fork_file_close(file);
  return HW_SNAPSHOT_FILE;
}

int hw_fork_file_open(hw_fork_file_t* file, const char* path,
                      int* system_error) {
  struct stat about;
  file->fd = -1;
  file->path = strdup(path);
  file->draft = draft_name(path);
  if (file->path == NULL || file->draft == NULL) {
    hw_fork_file_close(file);
    return HW_ENOMEM;
  }
  /* Better known now than after all the work. */
  if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
    return fail(file, S_ISDIR(about.st_mode) ? EISDIR : EEXIST, system_error);
  sweep(path);
  file->fd = open(file->draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file->fd < 0) return fail(file, errno, system_error);
  /* File systems without locks only lose the sweeping. */
  flock(file->fd, LOCK_EX | LOCK_NB);
  return 0;
}

int hw_fork_file_adopt(hw_fork_file_t* file, int fd, int* system_error) {
  file->path = file->draft = NULL;
  file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return file->fd < 0 ? fail(file, errno, system_error) : 0;
}

int hw_fork_file_reset(hw_fork_file_t* file) {
  if (ftruncate(file->fd, 0) != 0 || lseek(file->fd, 0, SEEK_SET) != 0)
    return errno;
  return 0;
}

int hw_fork_file_commit(hw_fork_file_t* file, uint64_t* bytes,
                        int* system_error) {
  struct stat about;
  if (fstat(file->fd, &about) != 0 ||
      (file->draft != NULL && rename(file->draft, file->path) != 0)) {
    *system_error = errno;
    return HW_SNAPSHOT_FILE;
  }
  *bytes = (uint64_t)about.st_size;
  close(file->fd);
  file->fd = -1;
  return 0;
}

void hw_fork_file_close(hw_fork_file_t* file) {
  if (file->fd >= 0) {
    if (file->draft != NULL) unlink(file->draft);
    close(file->fd);
  }
  free(file->path);
  free(file->draft);
  file->path = file->draft = NULL;
  file->fd = -1;
}
