/*
 * What one update of the leak detector costs, in nanoseconds, for a process
 * that is flat, one whose heap comes and goes, and one that leaks in every
 * metric at once, over a day of samples a second apart and a major collection
 * every three seconds. And how long a day's trace takes to replay.
 *
 *   make -C test/c cost
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/hw_leak.h"
#include "core/hw_replay.h"

#define MB 1048576.0
#define DAY 86400

static double now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Of this process, so that others on the machine don't count. */
static double cpu_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int ascending(const void* a, const void* b) {
  double x = *(const double*)a;
  double y = *(const double*)b;
  return (x > y) - (x < y);
}

static void report(const char* name, double* costs, size_t count) {
  qsort(costs, count, sizeof *costs, ascending);
  double sum = 0;
  for (size_t i = 0; i < count; i++)
    sum += costs[i];
  printf(
      "%-22s %8zu updates  median %6.0f  mean %6.0f  p99 %7.0f  max %8.0f ns\n",
      name, count, costs[count / 2], sum / (double)count,
      costs[count * 99 / 100], costs[count - 1]);
}

/* Live heap in MB at second `t`. */
static double flat(double t) {
  return 100 + fmod(t * 7.3, 3);
}
static double coming(double t) {
  return 100 + 60 * sin(t / 300) + 20 * sin(t / 17) + fmod(t * 7.3, 3);
}
static double leaking(double t) {
  return 100 + t * .01 + fmod(t * 7.3, 3);
}

static void measure(const char* name, double (*live)(double), double others) {
  hw_leak_t* detector;
  if (hw_leak_create(NULL, &detector) != 0) abort();
  size_t most = DAY + DAY / 3 + 1;
  double* costs = malloc(most * sizeof *costs);
  if (costs == NULL) abort();
  size_t count = 0;
  hw_leak_verdict_t verdict;
  for (int t = 0; t < DAY; t++) {
    double heap = live(t);
    if (t % 3 == 0) {
      double start = now_ns();
      hw_leak_gc(detector, t * 1000.0, true, (uint64_t)((heap + 20) * MB),
                 (uint64_t)(heap * MB));
      costs[count++] = now_ns() - start;
    }
    double other = others * t;
    hw_leak_sample_t sample = {
        .time_ms = t * 1000.0 + 1,
        .heap_used_bytes = (uint64_t)((heap + fmod(t * 3.7, 20)) * MB),
        .heap_total_bytes = (uint64_t)((heap + 40) * MB),
        .physical_heap_bytes = HW_LEAK_UNKNOWN,
        .rss_bytes = (uint64_t)((heap + 100 + 3 * other) * MB),
        .external_bytes = (uint64_t)((5 + 2 * other) * MB),
        .array_buffers_bytes = (uint64_t)((3 + other) * MB),
        .native_contexts = (uint64_t)(1 + other * 10),
        .old_limit_bytes = (uint64_t)(4096 * MB),
        .memory_limit_bytes = (uint64_t)(16384 * MB),
    };
    double start = now_ns();
    hw_leak_sample(detector, &sample);
    while (hw_leak_next(detector, HW_LEAK_EVENTS, &verdict))
      continue;
    costs[count++] = now_ns() - start;
  }
  report(name, costs, count);
  free(costs);
  hw_leak_destroy(detector);
}

static void hear_verdict(void* context, const hw_leak_verdict_t* verdict) {
  (void)verdict;
  ++*(int*)context;
}

static void hear_error(void* context, uint64_t line, const char* reason) {
  (void)context;
  (void)line;
  (void)reason;
}

/* A day as text: a sample a second, a collection each second, one in three of
 * them a major one. */
static void measure_replay(void) {
  size_t room = (size_t)DAY * 400;
  char* text = malloc(room);
  if (text == NULL) abort();
  size_t size = 0;
  size_t lines = 0;
  for (int t = 0; t < DAY; t++) {
    double heap = coming(t) * MB;
    size += (size_t)snprintf(
        text + size, room - size,
        "{\"t\":%d,\"type\":\"gc\",\"kind\":\"%s\",\"duration\":3.25,"
        "\"heapBefore\":%.0f,\"heapAfter\":%.0f}\n"
        "{\"t\":%d,\"type\":\"sample\",\"heapUsed\":%.0f,\"heapTotal\":%.0f,"
        "\"rss\":%.0f,\"external\":2345678,\"arrayBuffers\":123456}\n",
        t * 1000, t % 3 == 0 ? "major" : "minor", heap + 2e7, heap,
        t * 1000 + 400, heap + 5e6, heap + 4e7, heap + 1e8);
    lines += 2;
  }
  int verdicts = 0;
  hw_replay_handler_t handler = {hear_verdict, hear_error, &verdicts};
  double best = HUGE_VAL;
  for (int round = 0; round < 5; round++) {
    hw_replay_t* replay;
    if (hw_replay_create(NULL, &handler, &replay) != 0) abort();
    double start = cpu_ns();
    for (size_t i = 0; i < size; i += 65536) {
      hw_replay_push(replay, text + i, size - i < 65536 ? size - i : 65536);
    }
    hw_replay_finish(replay);
    best = fmin(best, cpu_ns() - start);
    hw_replay_destroy(replay);
  }
  printf("replay of a day        %8zu lines    %.0f ms of CPU, the best of 5\n",
         lines, best / 1e6);
  free(text);
}

int main(void) {
  measure("flat", flat, 0);
  measure("coming and going", coming, 0);
  measure("leaking everywhere", leaking, .01);
  measure_replay();
  return 0;
}
