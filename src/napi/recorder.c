#include "recorder.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/hw_error.h"

#define NS_PER_MS 1e6

/* What to add to uv_hrtime's milliseconds for those since 1970. */
static double epoch_offset_ms(void) {
  uv_timeval64_t now;
  uint64_t time_ns = uv_hrtime();
  if (uv_gettimeofday(&now) != 0) return 0;
  return (double)now.tv_sec * 1e3 + (double)now.tv_usec / 1e3 -
         (double)time_ns / NS_PER_MS;
}

typedef struct {
  char* directory;
  char* name;
  char* identity;
  size_t identity_length;
  bool private_directory;
  double bytes;
} record_options_t;

static void free_options(record_options_t* options) {
  free(options->directory);
  free(options->name);
  free(options->identity);
}

static char* get_text(napi_env env, napi_value object, const char* name,
                      size_t* length) {
  napi_value value;
  HW_NAPI(env, napi_get_named_property(env, object, name, &value));
  return hw_napi_get_string(env, value, length);
}

static bool get_options(napi_env env, napi_value object,
                        record_options_t* options) {
  napi_value private_directory;
  options->directory = get_text(env, object, "directory", NULL);
  if (options->directory == NULL) return false;
  options->name = get_text(env, object, "name", NULL);
  if (options->name == NULL) return false;
  options->identity =
      get_text(env, object, "identity", &options->identity_length);
  if (options->identity == NULL ||
      !hw_napi_get_number(env, object, "size", &options->bytes))
    return false;
  if (napi_get_named_property(env, object, "private", &private_directory) ==
          napi_ok &&
      napi_get_value_bool(env, private_directory,
                          &options->private_directory) == napi_ok)
    return true;
  hw_napi_throw_last(env);
  return false;
}

/* The file gets its name last, with everything in it that makes it valid. */
static int record(hw_watch_t* watch, const record_options_t* options,
                  int* system_error) {
  hw_recorder_file_t file;
  hw_recorder_t* recorder;
  double epoch_ms = epoch_offset_ms();
  int error = hw_recorder_file_create(&file, options->directory, options->name,
                                      (uint64_t)options->bytes,
                                      options->private_directory, system_error);
  if (error != 0) return error;
  error = hw_recorder_create(&recorder, file.memory, file.bytes,
                             options->identity, options->identity_length,
                             (double)uv_hrtime() / NS_PER_MS + epoch_ms);
  if (error != 0) {
    hw_recorder_file_close(&file);
    return error;
  }
  error = hw_monitor_record(watch->monitor, recorder, epoch_ms);
  if (error != 0) {
    hw_recorder_destroy(recorder);
    hw_recorder_file_close(&file);
    return error;
  }
  watch->recorder = recorder;
  watch->member.recording = true;
  watch->file = file;
  error = hw_recorder_file_publish(&watch->file, system_error);
  if (error != 0) hw_napi_record_end(watch);
  return error;
}

napi_value hw_napi_record(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  hw_watch_t* watch = hw_watch_unwrap(env, info, 1, argv);
  record_options_t options = {0};
  if (watch == NULL) return NULL;
  if (watch->callback == NULL || watch->recorder != NULL) {
    hw_napi_throw(env, HW_ESTATE);
    return NULL;
  }
  if (get_options(env, argv[0], &options)) {
    int system_error = 0;
    int error = record(watch, &options, &system_error);
    if (error != 0)
      hw_napi_throw_file(env, error, options.directory,
                         system_error != 0 ? strerror(system_error) : NULL);
  }
  free_options(&options);
  return NULL;
}

void hw_napi_record_end(hw_watch_t* watch) {
  if (watch->recorder == NULL) return;
  watch->member.recording = false;
  hw_monitor_stop_recording(watch->monitor, uv_hrtime());
  hw_recorder_destroy(watch->recorder);
  watch->recorder = NULL;
  hw_recorder_file_close(&watch->file);
}

napi_value hw_napi_answer(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  double number;
  bool ok;
  size_t length;
  hw_watch_t* watch = hw_watch_unwrap(env, info, 3, argv);
  if (watch == NULL || watch->recorder == NULL) return NULL;
  HW_NAPI(env, napi_get_value_double(env, argv[0], &number));
  HW_NAPI(env, napi_get_value_bool(env, argv[1], &ok));
  char* text = hw_napi_get_string(env, argv[2], &length);
  if (text == NULL) return NULL;
  hw_recorder_answer(watch->recorder, (uint64_t)number, ok ? 0 : HW_ESTATE,
                     (double)uv_hrtime() / NS_PER_MS + epoch_offset_ms(), text,
                     length);
  free(text);
  return NULL;
}

napi_value hw_napi_note_cause(napi_env env, napi_callback_info info) {
  napi_value argv[1], recorded;
  size_t length;
  hw_watch_t* watch = hw_watch_unwrap(env, info, 1, argv);
  if (watch == NULL) return NULL;
  char* text = hw_napi_get_string(env, argv[0], &length);
  if (text == NULL) return NULL;
  int error = watch->recorder == NULL
                  ? HW_ESTATE
                  : hw_recorder_note(
                        watch->recorder, HW_RECORDER_NOTE_CAUSE,
                        (double)uv_hrtime() / NS_PER_MS + epoch_offset_ms(),
                        text, length);
  free(text);
  HW_NAPI(env, napi_get_boolean(env, error == 0, &recorded));
  return recorded;
}

napi_value hw_napi_exiting(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int32_t code;
  hw_watch_t* watch = hw_watch_unwrap(env, info, 1, argv);
  if (watch == NULL) return NULL;
  HW_NAPI(env, napi_get_value_int32(env, argv[0], &code));
  hw_monitor_record_exit(watch->monitor, uv_hrtime(), code);
  return NULL;
}
