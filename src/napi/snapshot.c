/*
 * analyzeSnapshots(question, paths, settings, shared): the answers of
 * src/snapshot, off the main thread.
 *
 * `settings` is { limit, depth, leastShare, id, target, fd }, all but limit
 * optional. Returns a promise of a Buffer of JSON; of an empty one for the
 * question "nodes", whose lines go to the file descriptor `fd`.
 *
 * `shared` is a Uint8Array of HW_SHARED_BYTES through which the two threads
 * talk while it lasts, without either waiting for the other: byte 0, if
 * JavaScript sets it, cancels; byte 1 is how far the present stage is, in
 * percent; from byte 2 on is its name, ended by a zero. A torn name would be
 * shown for a moment: nothing but a progress line depends on it.
 */

#include "snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "core/hw_error.h"
#include "snapshot/hw_snapshot_run.h"

#define HW_SHARED_BYTES 64
#define PATHS_MAX 3

typedef enum {
  SUMMARY,
  NODES,
  DIFF,
  DOMINATORS,
  RETAINERS,
  WHY,
  QUESTIONS
} question_t;

static const char* const questions[QUESTIONS] = {
    "summary", "nodes", "diff", "dominators", "retainers", "why"};

typedef struct {
  napi_async_work work;
  napi_ref done; /* settles the promise */
  napi_ref shared_ref;
  volatile uint8_t* shared; /* owned by JavaScript, kept by the reference */
  question_t question;
  char* paths[PATHS_MAX];
  uint32_t path_count;
  char* target;
  int fd;
  hw_run_options_t options;
  hw_tree_options_t tree;
  hw_text_t out;
  hw_failure_t failure;
  int status;
} job_t;

static void destroy(napi_env env, job_t* job) {
  if (job->shared_ref != NULL) napi_delete_reference(env, job->shared_ref);
  if (job->done != NULL) napi_delete_reference(env, job->done);
  if (job->work != NULL) napi_delete_async_work(env, job->work);
  for (unsigned i = 0; i < PATHS_MAX; i++)
    free(job->paths[i]);
  free(job->target);
  hw_text_close(&job->out);
  free(job);
}

static int report(void* data, const char* stage, double fraction) {
  job_t* job = data;
  job->shared[1] = (uint8_t)(fraction * 100);
  size_t i = 0;
  for (; stage[i] != '\0' && i < HW_SHARED_BYTES - 3; i++)
    job->shared[2 + i] = (uint8_t)stage[i];
  job->shared[2 + i] = 0;
  return job->shared[0];
}

/* The descriptor may be one that Node.js has made non-blocking. */
static int write_lines(void* data, const char* bytes, size_t length) {
  job_t* job = data;
  while (length > 0) {
    if (job->shared[0]) return -1;
    ssize_t written = write(job->fd, bytes, length);
    if (written >= 0) {
      bytes += written;
      length -= (size_t)written;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      struct pollfd ready = {.fd = job->fd, .events = POLLOUT};
      poll(&ready, 1, 1000);
    } else if (errno != EINTR) {
      job->failure.system = errno;
      return -1;
    }
  }
  return 0;
}

static void execute(napi_env env, void* data) {
  (void)env;
  job_t* job = data;
  const hw_run_options_t* options = &job->options;
  const char* const* paths = (const char* const*)job->paths;
  switch (job->question) {
    case SUMMARY:
      job->status = hw_run_summary(paths[0], options, &job->out, &job->failure);
      break;
    case NODES:
      job->status =
          hw_run_nodes(paths[0], options, write_lines, job, &job->failure);
      break;
    case DIFF:
      job->status = hw_run_diff(paths, job->path_count, options, &job->out,
                                &job->failure);
      break;
    case DOMINATORS:
      job->status = hw_run_dominators(paths[0], options, &job->tree, &job->out,
                                      &job->failure);
      break;
    case RETAINERS:
      job->status = hw_run_retainers(paths[0], job->target, options, &job->out,
                                     &job->failure);
      break;
    case WHY:
      job->status = job->path_count != 2
                        ? HW_EINVAL
                        : hw_run_why(paths[0], paths[1], options, &job->out,
                                     &job->failure);
      break;
    case QUESTIONS:
      job->status = HW_EINVAL;
  }
}

static napi_value make_error(napi_env env, const job_t* job) {
  char text[512];
  const char* path = job->paths[job->failure.file];
  napi_value code, message, error;
  if (job->status == HW_EFORMAT)
    snprintf(text, sizeof(text),
             "%.300s is no whole heap snapshot: %s, byte %" PRIu64, path,
             job->failure.format.what, job->failure.format.offset);
  else if (job->failure.system != 0)
    snprintf(text, sizeof(text), "%.300s: %s",
             job->question == NODES && job->status == HW_ECANCELED
                 ? "writing the nodes"
                 : path,
             strerror(job->failure.system));
  else
    snprintf(text, sizeof(text), "%.300s: %s", path,
             hw_error_message(job->status));
  HW_NAPI(env, napi_create_string_utf8(env, hw_error_code(job->status),
                                       NAPI_AUTO_LENGTH, &code));
  HW_NAPI(env, napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message));
  HW_NAPI(env, napi_create_error(env, code, message, &error));
  if (job->status == HW_EFORMAT) {
    napi_value offset;
    HW_NAPI(env, napi_create_int64(env, (int64_t)job->failure.format.offset,
                                   &offset));
    HW_NAPI(env, napi_set_named_property(env, error, "offset", offset));
  }
  if (job->failure.system == EPIPE) {
    HW_NAPI(env,
            napi_create_string_utf8(env, "EPIPE", NAPI_AUTO_LENGTH, &code));
    HW_NAPI(env, napi_set_named_property(env, error, "code", code));
  }
  return error;
}

/* If the environment is ending, nobody is left to know. */
static void complete(napi_env env, napi_status cancelled, void* data) {
  job_t* job = data;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) == napi_ok) {
    napi_value value = NULL, error = NULL;
    if (cancelled == napi_cancelled) job->status = HW_ECANCELED;
    if (job->status == 0 &&
        napi_create_buffer_copy(env, job->out.length, job->out.data, NULL,
                                &value) != napi_ok)
      job->status = HW_ENOMEM;
    if (job->status != 0) error = make_error(env, job);
    if (job->status == 0 || error != NULL)
      hw_napi_settle(env, job->done, error, value);
    napi_close_handle_scope(env, scope);
  }
  destroy(env, job);
}

/* A string that the caller frees, or NULL with an exception pending. */
static char* get_string(napi_env env, napi_value value) {
  size_t length;
  HW_NAPI(env, napi_get_value_string_utf8(env, value, NULL, 0, &length));
  char* string = malloc(length + 1);
  if (string == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  if (napi_get_value_string_utf8(env, value, string, length + 1, &length) !=
      napi_ok) {
    free(string);
    hw_napi_throw_last(env);
    return NULL;
  }
  return string;
}

/* The member `name`, if it is there and has a value. */
static bool get_member(napi_env env, napi_value object, const char* name,
                       napi_value* member) {
  napi_valuetype type;
  return napi_get_named_property(env, object, name, member) == napi_ok &&
         napi_typeof(env, *member, &type) == napi_ok &&
         type != napi_undefined && type != napi_null;
}

static bool get_settings(napi_env env, napi_value settings, job_t* job) {
  napi_value member;
  job->fd = -1;
  job->tree.depth = 4;
  job->tree.least_share = 0.01;
  bool ok = get_member(env, settings, "limit", &member) &&
            napi_get_value_uint32(env, member, &job->options.limit) == napi_ok;
  if (get_member(env, settings, "depth", &member))
    ok &= napi_get_value_uint32(env, member, &job->tree.depth) == napi_ok;
  if (get_member(env, settings, "leastShare", &member))
    ok &= napi_get_value_double(env, member, &job->tree.least_share) == napi_ok;
  if (get_member(env, settings, "id", &member))
    ok &= napi_get_value_uint32(env, member, &job->tree.id) == napi_ok;
  if (get_member(env, settings, "fd", &member))
    ok &= napi_get_value_int32(env, member, &job->fd) == napi_ok;
  if (ok && get_member(env, settings, "target", &member)) {
    job->target = get_string(env, member);
    if (job->target == NULL) return false;
  }
  ok &= job->question != RETAINERS || job->target != NULL;
  if (!ok) hw_napi_throw(env, HW_EINVAL);
  return ok;
}

static bool get_paths(napi_env env, napi_value list, job_t* job) {
  uint32_t count;
  if (napi_get_array_length(env, list, &count) != napi_ok || count == 0 ||
      count > PATHS_MAX) {
    hw_napi_throw(env, HW_EINVAL);
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_value path;
    if (napi_get_element(env, list, i, &path) != napi_ok) return false;
    job->paths[i] = get_string(env, path);
    if (job->paths[i] == NULL) return false;
  }
  job->path_count = count;
  return true;
}

static bool get_question(napi_env env, napi_value value, job_t* job) {
  char* name = get_string(env, value);
  if (name == NULL) return false;
  unsigned found = 0;
  while (found < QUESTIONS && strcmp(questions[found], name) != 0)
    found++;
  free(name);
  job->question = (question_t)found;
  if (found == QUESTIONS) hw_napi_throw(env, HW_EINVAL);
  return found < QUESTIONS;
}

static bool get_shared(napi_env env, napi_value value, job_t* job) {
  napi_typedarray_type type;
  size_t length;
  void* bytes;
  if (napi_get_typedarray_info(env, value, &type, &length, &bytes, NULL,
                               NULL) != napi_ok ||
      type != napi_uint8_array || length < HW_SHARED_BYTES) {
    hw_napi_throw(env, HW_EINVAL);
    return false;
  }
  job->shared = bytes;
  return napi_create_reference(env, value, 1, &job->shared_ref) == napi_ok;
}

static bool start(napi_env env, job_t* job, napi_value done) {
  napi_value name;
  return napi_create_string_utf8(env, "heapwatch.analyzeSnapshots",
                                 NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_create_async_work(env, NULL, name, execute, complete, job,
                                &job->work) == napi_ok &&
         napi_create_reference(env, done, 1, &job->done) == napi_ok &&
         napi_queue_async_work(env, job->work) == napi_ok;
}

static napi_value js_analyze(napi_env env, napi_callback_info info) {
  size_t argc = 5;
  napi_value argv[5];
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, argv, NULL, NULL));
  job_t* job = calloc(1, sizeof(*job));
  if (job == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  job->options.progress = report;
  job->options.progress_data = job;
  if (get_question(env, argv[0], job) && get_paths(env, argv[1], job) &&
      get_settings(env, argv[2], job) && get_shared(env, argv[3], job)) {
    if (start(env, job, argv[4])) return NULL;
    hw_napi_throw_last(env);
  }
  destroy(env, job);
  return NULL;
}

bool hw_snapshot_define(napi_env env, napi_value exports) {
  napi_value function;
  if (napi_create_function(env, "analyzeSnapshots", NAPI_AUTO_LENGTH,
                           js_analyze, NULL, &function) == napi_ok &&
      napi_set_named_property(env, exports, "analyzeSnapshots", function) ==
          napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}
