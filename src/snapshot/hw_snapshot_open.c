#include "snapshot/hw_snapshot_open.h"

#include <errno.h>

static int compute(hw_snapshot_t* s, unsigned want) {
  int status = hw_snapshot_compute_shallow(s);
  /* First what takes most memory while it runs. */
  if (status == 0 && want & HW_WANT_DOMINATORS)
    status = hw_snapshot_compute_dominators(s);
  if (status == 0 && want & HW_WANT_DISTANCES)
    status = hw_snapshot_compute_distances(s);
  return status;
}

int hw_opened_open(const char* path, unsigned want,
                   const hw_run_options_t* options, hw_opened_t* opened,
                   hw_failure_t* failure) {
  memset(opened, 0, sizeof(*opened));
  int status = hw_snapshot_file_open(path, &opened->file);
  if (status != 0) {
    failure->system = errno;
    return status;
  }
  hw_snapshot_options_t reading = {
      .flags = want & HW_WANT_NAMES ? HW_SNAPSHOT_NAMES : 0,
      .progress = options->progress,
      .progress_data = options->progress_data,
      .release = hw_snapshot_file_release,
      .release_data = &opened->file};
  status = hw_snapshot_read(opened->file.text, opened->file.length, &reading,
                            &opened->graph, &failure->format);
  return status == 0 ? compute(opened->graph, want) : status;
}

void hw_opened_close(hw_opened_t* opened) {
  hw_snapshot_destroy(opened->graph);
  hw_snapshot_file_close(&opened->file);
  opened->graph = NULL;
}
