/*
 * Replays traces through the leak detector: `replay [FILE]`, or standard input
 * (`zcat trace.jsonl.gz | replay`). Prints verdicts as JSON lines; lines that
 * can't be read go to standard error. `-o name=value` sets an option.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hw_error.h"
#include "core/hw_replay.h"

static void print_verdict(void* context, const hw_leak_verdict_t* verdict) {
  (void)context;
  char text[HW_REPLAY_JSON];
  if (hw_replay_json(verdict, text, sizeof text) > 0) puts(text);
}

static void print_error(void* context, uint64_t line, const char* reason) {
  (void)context;
  fprintf(stderr, "line %llu: %s\n", (unsigned long long)line, reason);
}

/* Options that are doubles, by name. */
#define OPTION(name) \
  { #name, offsetof(hw_leak_options_t, name) }
static const struct {
  const char* name;
  size_t offset;
} doubles[] = {
    OPTION(alpha),
    OPTION(min_growth_bytes),
    OPTION(min_growth_share),
    OPTION(min_native_bytes),
    OPTION(min_native_share),
    OPTION(min_contexts),
    OPTION(sustained),
    OPTION(evidence_ms),
    OPTION(headroom_share),
    OPTION(min_evidence_ms),
    OPTION(left_share),
    OPTION(past_share),
    OPTION(far_ms),
    OPTION(distant_ms),
    OPTION(wave_ms),
    OPTION(hold_share),
    OPTION(hold_ms),
    OPTION(withdraw_ms),
    OPTION(fallback_ms),
    OPTION(end_ms),
    OPTION(end_share),
    OPTION(bucket_ms),
    OPTION(envelope_ms),
    OPTION(assumed_headroom_bytes),
    OPTION(few_steady),
    OPTION(few_retained),
    OPTION(few_unsteady),
    OPTION(fallback_growth),
    OPTION(fallback_heap_ms),
    OPTION(fallback_retained),
};

static int set_option(hw_leak_options_t* options, const char* text) {
  const char* equals = strchr(text, '=');
  if (equals == NULL) return -1;
  size_t length = (size_t)(equals - text);
  double value = strtod(equals + 1, NULL);
  for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
    if (strlen(doubles[i].name) != length) continue;
    if (strncmp(doubles[i].name, text, length) != 0) continue;
    *(double*)((char*)options + doubles[i].offset) = value;
    return 0;
  }
  if (strncmp(text, "min_points=", 11) == 0) {
    options->min_points = (uint32_t)value;
  } else if (strncmp(text, "min_envelope_points=", 20) == 0) {
    options->min_envelope_points = (uint32_t)value;
  } else {
    return -1;
  }
  return 0;
}

int main(int argc, char** argv) {
  hw_leak_options_t options;
  hw_leak_options_init(&options);
  const char* path = NULL;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) {
      if (set_option(&options, argv[++i]) != 0) {
        fprintf(stderr, "unknown option: %s\n", argv[i]);
        return 2;
      }
    } else {
      path = argv[i];
    }
  }
  FILE* file = path == NULL ? stdin : fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    return 1;
  }
  hw_replay_handler_t handler = {print_verdict, print_error, NULL};
  hw_replay_t* replay;
  int error = hw_replay_create(&options, &handler, &replay);
  if (error != 0) {
    fprintf(stderr, "%s\n", hw_error_message(error));
    return 1;
  }
  static char bytes[1 << 16];
  size_t size;
  while ((size = fread(bytes, 1, sizeof bytes, file)) > 0) {
    hw_replay_push(replay, bytes, size);
  }
  hw_replay_finish(replay);
  hw_replay_destroy(replay);
  if (file != stdin) fclose(file);
  return 0;
}
