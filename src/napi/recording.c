#include "recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/hw_error.h"
#include "core/hw_recorder.h"
#include "core/hw_recorder_reader.h"
#include "os/hw_recorder_file.h"

/* -- Life ---------------------------------------------------------------- */

static void close_recording(hw_recording_t* recording) {
  if (recording->fd < 0) return;
  hw_recorder_reader_destroy(recording->reader);
  hw_recorder_file_release(recording->fd);
  recording->reader = NULL;
  recording->fd = -1;
}

static void on_collected(napi_env env, void* data, void* hint) {
  (void)env;
  (void)hint;
  hw_recording_t* recording = data;
  close_recording(recording);
  free(recording->path);
  free(recording);
}

static int read_file(void* data, uint64_t offset, void* to, size_t length) {
  const hw_recording_t* recording = data;
  return hw_recorder_file_read(recording->fd, offset, to, length);
}

static void open_recording(napi_env env, hw_recording_t* recording,
                           bool writable) {
  const hw_recorder_source_t source = {read_file, recording};
  uint64_t bytes;
  uint32_t version = 0;
  int system_error = 0;
  char detail[64] = "";
  int error = hw_recorder_file_open(recording->path, writable, &recording->fd,
                                    &bytes, &system_error);
  if (error != 0) {
    hw_napi_throw_file(env, error, recording->path,
                       system_error != 0 ? strerror(system_error) : NULL);
    return;
  }
  error =
      hw_recorder_reader_create(&recording->reader, &source, bytes, &version);
  if (error == 0) return;
  close_recording(recording);
  if (error == HW_RECORDING_VERSION)
    snprintf(detail, sizeof(detail), "its version is %u, this one reads %u",
             version, HW_RECORDER_VERSION);
  hw_napi_throw_file(env, error, recording->path,
                     detail[0] != '\0' ? detail : NULL);
}

/* new Recording(path, writable) */
static napi_value construct(napi_env env, napi_callback_info info) {
  size_t argc = 2;
  napi_value argv[2], self;
  bool writable, pending;
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, argv, &self, NULL));
  HW_NAPI(env, napi_get_value_bool(env, argv[1], &writable));
  hw_recording_t* recording = calloc(1, sizeof(*recording));
  if (recording == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  recording->fd = -1;
  recording->path = hw_napi_get_string(env, argv[0], NULL);
  if (recording->path != NULL) open_recording(env, recording, writable);
  HW_NAPI(env, napi_is_exception_pending(env, &pending));
  if (pending ||
      napi_wrap(env, self, recording, on_collected, NULL, NULL) != napi_ok) {
    if (!pending) hw_napi_throw_last(env);
    on_collected(env, recording, NULL);
    return NULL;
  }
  return self;
}

/* The open recording a method was called on, or NULL with an exception. */
hw_recording_t* hw_recording_unwrap(napi_env env, napi_callback_info info,
                                    size_t argc, napi_value* argv) {
  napi_value self;
  void* data;
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, argv, &self, NULL));
  HW_NAPI(env, napi_unwrap(env, self, &data));
  hw_recording_t* recording = data;
  if (recording->fd >= 0 && !recording->loading && !recording->closing)
    return recording;
  hw_napi_throw(env, HW_ESTATE);
  return NULL;
}

bool hw_recording_check(napi_env env, const hw_recording_t* recording,
                        int error) {
  if (error != 0) hw_napi_throw_file(env, error, recording->path, NULL);
  return error == 0;
}

bool hw_recording_refresh(napi_env env, hw_recording_t* recording,
                          hw_recorder_section_t section) {
  return hw_recording_check(
      env, recording, hw_recorder_reader_refresh(recording->reader, section));
}

napi_value hw_recording_string(napi_env env, const char* text, size_t length) {
  napi_value string;
  HW_NAPI(env, napi_create_string_utf8(env, text, length, &string));
  return string;
}

/* -- Reading all of it on another thread ---------------------------------- */

typedef struct {
  hw_recording_t* recording;
  napi_ref self; /* keeps the recording while it is read */
  napi_async_work work;
  napi_ref done; /* settles the promise */
  int error;
} load_t;

static void free_load(napi_env env, load_t* load) {
  if (load->work != NULL) napi_delete_async_work(env, load->work);
  if (load->self != NULL) napi_delete_reference(env, load->self);
  if (load->done != NULL) napi_delete_reference(env, load->done);
  free(load);
}

/* On a thread of libuv's pool. Nobody else touches the reader until
 * on_loaded: hw_recording_unwrap refuses, close waits. */
static void load_all(napi_env env, void* data) {
  (void)env;
  load_t* load = data;
  load->error = hw_recorder_reader_load(load->recording->reader);
}

static void settle(napi_env env, const load_t* load) {
  napi_value error = NULL;
  if (load->error != 0) {
    hw_napi_throw_file(env, load->error, load->recording->path, NULL);
    if (napi_get_and_clear_last_exception(env, &error) != napi_ok) return;
  }
  hw_napi_settle(env, load->done, error, NULL);
}

/* Also when the environment ends, which waits for the thread first; then
 * nobody is told. */
static void on_loaded(napi_env env, napi_status status, void* data) {
  load_t* load = data;
  hw_recording_t* recording = load->recording;
  napi_handle_scope scope;
  if (status == napi_cancelled) load->error = HW_ECANCELED;
  recording->loading = false;
  if (recording->closing) close_recording(recording);
  if (napi_open_handle_scope(env, &scope) == napi_ok) {
    settle(env, load);
    napi_close_handle_scope(env, scope);
  }
  free_load(env, load);
}

/* load(done): when done(error) is called, the other methods read what is new.
 */
static napi_value js_load(napi_env env, napi_callback_info info) {
  napi_value self, name, argv[1];
  hw_recording_t* recording = hw_recording_unwrap(env, info, 1, argv);
  if (recording == NULL) return NULL;
  load_t* load = calloc(1, sizeof(*load));
  if (load == NULL) {
    hw_napi_throw(env, HW_ENOMEM);
    return NULL;
  }
  load->recording = recording;
  if (napi_get_cb_info(env, info, NULL, NULL, &self, NULL) == napi_ok &&
      napi_create_reference(env, self, 1, &load->self) == napi_ok &&
      napi_create_string_utf8(env, "heapwatch.readRecording", NAPI_AUTO_LENGTH,
                              &name) == napi_ok &&
      napi_create_async_work(env, NULL, name, load_all, on_loaded, load,
                             &load->work) == napi_ok &&
      napi_create_reference(env, argv[0], 1, &load->done) == napi_ok &&
      napi_queue_async_work(env, load->work) == napi_ok) {
    recording->loading = true;
    return NULL;
  }
  hw_napi_throw_last(env);
  free_load(env, load);
  return NULL;
}

/* -- Whether it lives, and requests -------------------------------------- */

static napi_value js_alive(napi_env env, napi_callback_info info) {
  hw_recording_t* recording = hw_recording_unwrap(env, info, 0, NULL);
  napi_value alive;
  if (recording == NULL) return NULL;
  HW_NAPI(env, napi_get_boolean(env, hw_recorder_file_is_alive(recording->fd),
                                &alive));
  return alive;
}

/* isRecording(path): whether a watch writes the file now, be it of any version.
 * Throws if it cannot be opened. */
static napi_value js_is_recording(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1], result = NULL;
  int fd, system_error = 0;
  uint64_t bytes;
  HW_NAPI(env, napi_get_cb_info(env, info, &argc, argv, NULL, NULL));
  char* path = hw_napi_get_string(env, argv[0], NULL);
  if (path == NULL) return NULL;
  int error = hw_recorder_file_open(path, false, &fd, &bytes, &system_error);
  if (error != 0) {
    hw_napi_throw_file(env, error, path,
                       system_error != 0 ? strerror(system_error) : NULL);
  } else {
    bool alive = hw_recorder_file_is_alive(fd);
    hw_recorder_file_release(fd);
    if (napi_get_boolean(env, alive, &result) != napi_ok)
      hw_napi_throw_last(env);
  }
  free(path);
  return result;
}

/* request(text, time): asks the watch for something; returns the number. */
static napi_value js_request(napi_env env, napi_callback_info info) {
  napi_value argv[2], result;
  hw_recording_t* recording = hw_recording_unwrap(env, info, 2, argv);
  uint64_t words[HW_RECORDER_REQUEST_BYTES / sizeof(uint64_t)];
  double epoch_ms;
  size_t length;
  if (recording == NULL) return NULL;
  HW_NAPI(env, napi_get_value_double(env, argv[1], &epoch_ms));
  if (!hw_recording_refresh(env, recording, HW_RECORDER_REQUEST)) return NULL;
  uint64_t number =
      hw_recorder_reader_newest(recording->reader, HW_RECORDER_REQUEST) + 1;
  char* text = hw_napi_get_string(env, argv[0], &length);
  if (text == NULL) return NULL;
  int error = hw_recorder_make_request(number, epoch_ms, text, length, words);
  free(text);
  const hw_recorder_area_t* area =
      &hw_recorder_reader_layout(recording->reader)->area[HW_RECORDER_REQUEST];
  /* The number, which is the first word, comes last. */
  if (error == 0)
    error = hw_recorder_file_write(recording->fd, area->offset + 8, words + 1,
                                   area->slot_bytes - 8);
  if (error == 0)
    error = hw_recorder_file_write(recording->fd, area->offset, words, 8);
  if (!hw_recording_check(env, recording, error)) return NULL;
  HW_NAPI(env, napi_create_double(env, (double)number, &result));
  return result;
}

/* answer(): the newest, { number, time, ok, text }, or undefined. */
static napi_value js_answer(napi_env env, napi_callback_info info) {
  hw_recording_t* recording = hw_recording_unwrap(env, info, 0, NULL);
  hw_recorder_text_t text;
  uint64_t number;
  napi_value answer, string, ok;
  if (recording == NULL ||
      !hw_recording_refresh(env, recording, HW_RECORDER_ANSWER) ||
      !hw_recorder_reader_text(
          recording->reader, HW_RECORDER_ANSWER,
          hw_recorder_reader_newest(recording->reader, HW_RECORDER_ANSWER),
          &text) ||
      text.length < sizeof(number))
    return NULL;
  memcpy(&number, text.text, sizeof(number));
  HW_NAPI(env, napi_create_object(env, &answer));
  string = hw_recording_string(env, text.text + sizeof(number),
                               text.length - sizeof(number));
  if (string == NULL ||
      !hw_napi_set_number(env, answer, "number", (double)number) ||
      !hw_napi_set_number(env, answer, "time", text.epoch_ms))
    return NULL;
  HW_NAPI(env, napi_get_boolean(env, text.kind == 0, &ok));
  HW_NAPI(env, napi_set_named_property(env, answer, "ok", ok));
  HW_NAPI(env, napi_set_named_property(env, answer, "text", string));
  return answer;
}

/* close(): may be called again. */
static napi_value js_close(napi_env env, napi_callback_info info) {
  napi_value self;
  void* data;
  HW_NAPI(env, napi_get_cb_info(env, info, NULL, NULL, &self, NULL));
  HW_NAPI(env, napi_unwrap(env, self, &data));
  hw_recording_t* recording = data;
  if (recording->loading)
    recording->closing = true;
  else
    close_recording(recording);
  return NULL;
}

bool hw_recording_define(napi_env env, napi_value exports) {
#define METHOD(name, function) \
  { name, NULL, function, NULL, NULL, NULL, napi_default_method, NULL }
  static const napi_property_descriptor methods[] = {
      METHOD("identity", hw_recording_js_identity),
      METHOD("alive", js_alive),
      METHOD("state", hw_recording_js_state),
      METHOD("samples", hw_recording_js_samples),
      METHOD("gcs", hw_recording_js_gcs),
      METHOD("minutes", hw_recording_js_minutes),
      METHOD("peaks", hw_recording_js_peaks),
      METHOD("pauses", hw_recording_js_pauses),
      METHOD("notes", hw_recording_js_notes),
      METHOD("request", js_request),
      METHOD("answer", js_answer),
      METHOD("load", js_load),
      METHOD("close", js_close),
  };
#undef METHOD
  napi_value constructor, function;
  if (napi_create_function(env, "isRecording", NAPI_AUTO_LENGTH,
                           js_is_recording, NULL, &function) == napi_ok &&
      napi_set_named_property(env, exports, "isRecording", function) ==
          napi_ok &&
      napi_define_class(env, "Recording", NAPI_AUTO_LENGTH, construct, NULL,
                        sizeof(methods) / sizeof(methods[0]), methods,
                        &constructor) == napi_ok &&
      napi_set_named_property(env, exports, "Recording", constructor) ==
          napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}
