/*
 * A command line around hw_snapshot_run.h, without Node.js: what the tests
 * compare with DevTools, what a profiler and the sanitizers run.
 *
 *   snapshot_tool summary FILE
 *   snapshot_tool nodes FILE
 *   snapshot_tool diff FILE FILE [FILE]
 *   snapshot_tool dominators FILE
 *   snapshot_tool retainers FILE ID|CLASS
 *   snapshot_tool why FILE FILE
 *
 * Exits with 0, or with 2 after a message that names the byte.
 */

#include <stdio.h>
#include <string.h>

#include "core/hw_error.h"
#include "snapshot/hw_snapshot_run.h"

static int write_out(void* data, const char* bytes, size_t length) {
  return fwrite(bytes, 1, length, data) == length ? 0 : -1;
}

static int run(int argc, char** argv, hw_text_t* out, hw_failure_t* failure) {
  const hw_run_options_t options = {NULL, NULL, 50};
  const hw_tree_options_t tree = {0, 4, 0.01};
  const char* const* paths = (const char* const*)argv + 2;
  if (argc == 3 && strcmp(argv[1], "summary") == 0)
    return hw_run_summary(argv[2], &options, out, failure);
  if (argc == 3 && strcmp(argv[1], "nodes") == 0)
    return hw_run_nodes(argv[2], &options, write_out, stdout, failure);
  if ((argc == 4 || argc == 5) && strcmp(argv[1], "diff") == 0)
    return hw_run_diff(paths, (unsigned)argc - 2, &options, out, failure);
  if (argc == 3 && strcmp(argv[1], "dominators") == 0)
    return hw_run_dominators(argv[2], &options, &tree, out, failure);
  if (argc == 4 && strcmp(argv[1], "retainers") == 0)
    return hw_run_retainers(argv[2], argv[3], &options, out, failure);
  if (argc == 4 && strcmp(argv[1], "why") == 0)
    return hw_run_why(argv[2], argv[3], &options, out, failure);
  return HW_EINVAL;
}

int main(int argc, char** argv) {
  hw_text_t out;
  hw_failure_t failure;
  memset(&out, 0, sizeof(out));
  memset(&failure, 0, sizeof(failure));
  int status = run(argc, argv, &out, &failure);
  if (status == 0) {
    fwrite(out.data, 1, out.length, stdout);
  } else if (status == HW_EFORMAT) {
    fprintf(stderr, "%s: byte %llu: %s\n", argv[2 + failure.file],
            (unsigned long long)failure.format.offset, failure.format.what);
  } else {
    fprintf(stderr, "%s%s%s\n", hw_error_message(status),
            status == HW_EIO ? ": " : "",
            status == HW_EIO ? strerror(failure.system) : "");
  }
  hw_text_close(&out);
  return status == 0 ? 0 : 2;
}
