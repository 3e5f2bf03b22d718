/* Where there is no copy-on-write snapshot: jobs are refused. */

#include "core/hw_error.h"
#include "hw_fork.h"

int hw_fork_supported(void) {
  return HW_SNAPSHOT_UNSUPPORTED;
}

int hw_fork_start(hw_fork_t** job, const void* isolate,
                  const hw_fork_options_t* options,
                  const hw_fork_engine_t* engine, void* engine_data) {
  (void)job;
  (void)isolate;
  (void)options;
  (void)engine;
  (void)engine_data;
  return HW_SNAPSHOT_UNSUPPORTED;
}

int hw_fork_poll(hw_fork_t* job, uint64_t* delay_ms, hw_fork_result_t* result) {
  (void)job;
  (void)delay_ms;
  (void)result;
  return HW_SNAPSHOT_UNSUPPORTED;
}

const char* hw_fork_detail(const hw_fork_t* job) {
  (void)job;
  return "";
}

void hw_fork_destroy(hw_fork_t* job) {
  (void)job;
}
