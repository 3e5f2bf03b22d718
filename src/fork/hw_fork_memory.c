#include "hw_fork_memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_PER_NODE 450
#define HEAP_BYTES_PER_NODE 45

#define PATH_BYTES 1024

/* Where a kind of control group keeps what we ask. */
typedef struct {
  const char* mount;
  const char* limit;
  const char* usage;
  const char* inactive; /* the field of memory.stat */
} group_kind_t;

static const group_kind_t version1 = {
    "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
    "total_inactive_file "};
static const group_kind_t version2 = {"/sys/fs/cgroup", "memory.max",
                                      "memory.current", "inactive_file "};

static FILE* open_file(const char* root, const char* directory,
                       const char* name) {
  char path[2 * PATH_BYTES];
  if (snprintf(path, sizeof(path), "%s%s/%s", root, directory, name) >=
      (int)sizeof(path))
    return NULL;
  return fopen(path, "re");
}

/* The number after `field` at the beginning of a line; `missing` without. */
static uint64_t read_field(const char* root, const char* directory,
                           const char* name, const char* field,
                           uint64_t missing) {
  FILE* file = open_file(root, directory, name);
  if (file == NULL) return missing;
  char line[256];
  uint64_t value = missing;
  size_t length = strlen(field);
  while (fgets(line, sizeof(line), file) != NULL) {
    if (strncmp(line, field, length) != 0) continue;
    if (sscanf(line + length, "%" SCNu64, &value) != 1) value = missing;
    break;
  }
  fclose(file);
  return value;
}

/* What is left of one group; unlimited ones say "max" or some enormous
 * number. */
static uint64_t group_free(const char* root, const group_kind_t* kind,
                           const char* directory) {
  uint64_t limit = read_field(root, directory, kind->limit, "", UINT64_MAX);
  if (limit >= UINT64_C(1) << 60) return UINT64_MAX;
  uint64_t usage = read_field(root, directory, kind->usage, "", 0);
  uint64_t inactive =
      read_field(root, directory, "memory.stat", kind->inactive, 0);
  uint64_t used = usage > inactive ? usage - inactive : 0;
  return limit > used ? limit - used : 0;
}

/* Limits hold for a group and all below: from its directory up to the mount.
 * In a container the path may be one that only the host has. */
static void read_groups(const char* root, const group_kind_t* kind,
                        const char* path, hw_fork_memory_t* memory) {
  char directory[PATH_BYTES];
  if (snprintf(directory, sizeof(directory), "%s%s", kind->mount, path) >=
      (int)sizeof(directory))
    return;
  size_t mount = strlen(kind->mount);
  for (;;) {
    size_t length = strlen(directory);
    while (length > mount && directory[length - 1] == '/')
      directory[--length] = '\0';
    uint64_t left = group_free(root, kind, directory);
    if (left < memory->free_bytes) memory->free_bytes = left;
    if (kind == &version2 &&
        read_field(root, directory, "memory.oom.group", "", 0) == 1)
      memory->kills_group = true;
    if (length <= mount) return;
    *strrchr(directory, '/') = '\0';
  }
}

static bool has_memory(const char* controllers) {
  const char* found = strstr(controllers, "memory");
  return found != NULL && (found == controllers || found[-1] == ',') &&
         (found[6] == '\0' || found[6] == ',');
}

void hw_fork_memory_read(const char* root, hw_fork_memory_t* memory) {
  memset(memory, 0, sizeof(*memory));
  memory->resident_bytes =
      read_field(root, "/proc/self", "status", "VmRSS:", 0) * 1024;
  memory->anonymous_bytes =
      read_field(root, "/proc/self", "status", "RssAnon:", 0) * 1024;
  memory->free_bytes =
      read_field(root, "/proc", "meminfo", "MemAvailable:", 0) * 1024;
  FILE* file = open_file(root, "/proc/self", "cgroup");
  if (file == NULL) return;
  char line[PATH_BYTES];
  while (fgets(line, sizeof(line), file) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    char* controllers = strchr(line, ':');
    char* path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (path == NULL) continue;
    *path++ = '\0';
    if (strncmp(line, "0:", 2) == 0)
      read_groups(root, &version2, path, memory);
    else if (has_memory(controllers + 1))
      read_groups(root, &version1, path, memory);
  }
  fclose(file);
}

uint64_t hw_fork_memory_need(const hw_fork_memory_t* memory, uint64_t nodes) {
  uint64_t need = memory->anonymous_bytes + BYTES_PER_NODE * nodes;
  return need + need / 10;
}

uint64_t hw_fork_memory_nodes(uint64_t heap_used_bytes) {
  return heap_used_bytes / HEAP_BYTES_PER_NODE;
}
