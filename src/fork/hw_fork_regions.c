#include "hw_fork_regions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/hw_error.h"

/* One mapping as maps and smaps give it. */
typedef struct {
  hw_fork_region_t region;
  char modes[5]; /* such as "rw-p" */
  bool anonymous;
  bool special; /* the kernel's, or the stack */
} mapping_t;

/* Reads a line "start-end modes offset device inode name". False if it is
 * none. The kernel gives names in brackets to memory that has no file. */
static bool read_mapping(const char* line, mapping_t* mapping) {
  unsigned long inode = 0;
  int name = 0;
  if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu %n",
             &mapping->region.start, &mapping->region.end, mapping->modes,
             &inode, &name) < 4)
    return false;
  const char* text = line + name;
  mapping->anonymous =
      inode == 0 && (*text == '\n' || *text == '\0' || *text == '[');
  mapping->special = strncmp(text, "[stack", 6) == 0 ||
                     strncmp(text, "[v", 2) == 0 ||
                     strncmp(text, "[uprobes", 8) == 0;
  return true;
}

static int append(hw_fork_regions_t* regions, hw_fork_region_t region) {
  if (regions->count == regions->capacity) {
    size_t capacity = regions->capacity == 0 ? 256 : regions->capacity * 2;
    hw_fork_region_t* list =
        realloc(regions->list, capacity * sizeof(*regions->list));
    if (list == NULL) return HW_ENOMEM;
    regions->list = list;
    regions->capacity = capacity;
  }
  regions->list[regions->count++] = region;
  return 0;
}

/* Whether the line of flags has "dc": do not copy on fork. */
static bool is_marked(const char* flags) {
  return strstr(flags, " dc") != NULL;
}

static int take(hw_fork_regions_t* regions, const mapping_t* mapping,
                const char* flags) {
  if (regions->low == 0) regions->low = mapping->region.start;
  if (mapping->special) {
    if (mapping->region.start < regions->high)
      regions->high = mapping->region.start;
    return 0;
  }
  if (!is_marked(flags)) return 0;
  if (mapping->anonymous && mapping->modes[3] == 'p')
    return append(regions, mapping->region);
  regions->foreign = true;
  return 0;
}

int hw_fork_regions_read(hw_fork_regions_t* regions) {
  FILE* file = fopen("/proc/self/smaps", "re");
  if (file == NULL) return HW_SNAPSHOT_UNSUPPORTED;
  memset(regions, 0, sizeof(*regions));
  regions->high = UINTPTR_MAX;
  mapping_t mapping = {0};
  char* line = NULL;
  size_t room = 0;
  bool told = false;
  int error = 0;
  while (error == 0 && getline(&line, &room, file) >= 0) {
    if (strncmp(line, "VmFlags:", 8) == 0) {
      told = true;
      error = take(regions, &mapping, line + 8);
    } else {
      mapping_t next;
      if (read_mapping(line, &next)) mapping = next;
    }
  }
  free(line);
  fclose(file);
  if (error == 0 && !told) error = HW_SNAPSHOT_UNSUPPORTED;
  if (error != 0) hw_fork_regions_close(regions);
  return error;
}

static int advise(uintptr_t start, uintptr_t end, int advice) {
  return madvise((void*)start, end - start, advice) == 0 ? 0 : errno;
}

/* ENOMEM only says that there are holes: what lies between them is done. */
static bool inherit_all(const hw_fork_regions_t* regions) {
  if (regions->foreign || regions->high == UINTPTR_MAX) return false;
  int error = advise(regions->low, regions->high, MADV_DOFORK);
  return error == 0 || error == ENOMEM;
}

int hw_fork_regions_inherit(const hw_fork_regions_t* regions) {
  bool all = inherit_all(regions);
  for (size_t i = 0; i < regions->count; i++) {
    hw_fork_region_t region = regions->list[i];
    if (all && region.end <= regions->high) continue;
    int error = advise(region.start, region.end, MADV_DOFORK);
    if (error != 0 && error != ENOMEM) return error;
  }
  return 0;
}

void hw_fork_regions_restore(const hw_fork_regions_t* regions) {
  for (size_t i = 0; i < regions->count; i++)
    advise(regions->list[i].start, regions->list[i].end, MADV_DONTFORK);
}

void hw_fork_regions_close(hw_fork_regions_t* regions) {
  free(regions->list);
  memset(regions, 0, sizeof(*regions));
}

/* Memory of devices may refuse: it is not written by a collection either. */
int hw_fork_protect_shared(const void* except) {
  FILE* file = fopen("/proc/self/maps", "re");
  if (file == NULL) return errno;
  char* line = NULL;
  size_t room = 0;
  while (getline(&line, &room, file) >= 0) {
    mapping_t mapping;
    if (!read_mapping(line, &mapping) || mapping.special ||
        mapping.modes[1] != 'w' || mapping.modes[3] != 's' ||
        mapping.region.start == (uintptr_t)except)
      continue;
    mprotect((void*)mapping.region.start,
             mapping.region.end - mapping.region.start, PROT_READ);
  }
  free(line);
  fclose(file);
  return 0;
}
