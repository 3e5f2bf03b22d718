#ifndef LEAK_PROGRAMS_H_
#define LEAK_PROGRAMS_H_

/*
 * Programs whose heaps are simulated: live memory by a function of time,
 * garbage promoted to the old space, major collections when it has grown by a
 * factor, floating garbage in what they leave. A detector watches them.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/hw_leak.h"
#include "chance.h"

#define MB 1048576.0
#define MINUTE 60.0
#define HOUR 3600.0
#define DAY 86400.0

/* A program. Sizes in MB, times in seconds. */
typedef struct {
  double (*live)(double t, double a, double b);
  double a;
  double b;
  double base;     /* live at the start */
  double promoted; /* garbage into the old space, a second */
  double factor;   /* growth between major collections */
  double floating; /* the most garbage a collection leaves */
  double old_limit;
  double memory_limit;
  double step; /* between samples */
  /* Growth of the others, a second. */
  double external;
  double buffers;
  double native;
  double contexts;
} program_t;

static double flat(double t, double a, double b) {
  return 0 * (t + a + b);
}
static double line(double t, double rate, double from) {
  return rate * fmax(t - from, 0);
}
static double filling(double t, double rate, double until) {
  return rate * fmin(t, until);
}
static double warming(double t, double size, double constant) {
  return size * (1 - exp(-t / constant));
}
static double sawtooth(double t, double rate, double period) {
  return rate * fmod(t, period);
}
static double wave(double t, double height, double period) {
  return height * (1 - cos(2 * M_PI * t / period)) / 2;
}
static double stairs(double t, double height, double each) {
  double stair = fmin(floor(t / each), 2);
  return height * stair;
}
static double bursts(double t, double rate, double period) {
  return rate * period * floor(t / period);
}
static double hourly(double t, double rate, double lasts) {
  double since = fmod(t + HOUR / 2, HOUR);
  return t > HOUR / 2 && since < lasts ? rate * since : 0;
}
static double returned(double t, double rate, double until) {
  return t < until ? rate * t : 0;
}

static const program_t usual = {
    .live = flat,
    .base = 20,
    .promoted = 2,
    .factor = 1.5,
    .floating = 1,
    .old_limit = 2048,
    .memory_limit = 8192,
    .step = 1,
};

/* What was heard. */
typedef struct {
  int leaks;
  int ends;
  int suspected_first; /* whether a suspicion was seen before the leak */
  double leak_at;
  double end_at;
  double used_share; /* of the headroom, when the leak was announced */
  hw_leak_verdict_t leak;
  hw_leak_verdict_t end;
} heard_t;

static void listen(hw_leak_t* detector, double now, heard_t* heard) {
  hw_leak_verdict_t verdict;
  while (hw_leak_next(detector, HW_LEAK_EVENTS, &verdict)) {
    if (verdict.over) {
      heard->ends++;
      heard->end = verdict;
      heard->end_at = now;
    } else {
      heard->leaks++;
      heard->leak = verdict;
      heard->leak_at = now;
    }
  }
}

static hw_leak_t* create(void) {
  hw_leak_t* detector;
  assert_int_equal(hw_leak_create(NULL, &detector), 0);
  return detector;
}

/* A collector's memory between calls. */
typedef struct {
  double garbage;
  double trigger;
  double before;
} heap_t;

static hw_leak_sample_t sample_of(const program_t* p, double t, double used) {
  double external = 2 + (p->external + p->buffers) * t;
  double total = 8 + 1.1 * used;
  hw_leak_sample_t sample = {
      .time_ms = t * 1000,
      .heap_used_bytes = (uint64_t)(used * MB),
      .heap_total_bytes = (uint64_t)(total * MB),
      .physical_heap_bytes = HW_LEAK_UNKNOWN,
      .rss_bytes = (uint64_t)((40 + total + external + p->native * t) * MB),
      .external_bytes = (uint64_t)(external * MB),
      .array_buffers_bytes = (uint64_t)((1 + p->buffers * t) * MB),
      .native_contexts = (uint64_t)(1 + p->contexts * t),
      .old_limit_bytes = (uint64_t)(p->old_limit * MB),
      .memory_limit_bytes = (uint64_t)(p->memory_limit * MB),
  };
  return sample;
}

/* Runs the program from second `from` to `until`. */
static void play(hw_leak_t* detector, const program_t* p, heap_t* heap,
                 double from, double until, heard_t* heard) {
  for (double t = from; t < until; t += p->step) {
    double live = p->base + p->live(t, p->a, p->b);
    if (live < heap->before) heap->garbage += heap->before - live;
    heap->before = live;
    heap->garbage += p->promoted * p->step;
    if (heap->trigger == 0) heap->trigger = live * 1.2;
    if (live + heap->garbage > heap->trigger) {
      double before = live + heap->garbage;
      heap->garbage = fmin(heap->garbage, p->floating * chance());
      double after = live + heap->garbage;
      heap->trigger = after * p->factor;
      hw_leak_gc(detector, t * 1000 - 1, true, (uint64_t)(before * MB),
                 (uint64_t)(after * MB));
      listen(detector, t, heard);
    }
    double used = live + heap->garbage + 4 * chance();
    hw_leak_sample_t sample = sample_of(p, t, used);
    hw_leak_sample(detector, &sample);
    if (heard->leaks == 0 && hw_leak_suspected(detector)) {
      heard->suspected_first = 1;
    }
    int before = heard->leaks;
    listen(detector, t, heard);
    if (heard->leaks > before) {
      heard->used_share = (live - p->base) / fmax(p->old_limit - p->base, 1);
    }
  }
}

static heard_t run(program_t p, double seconds) {
  hw_leak_t* detector = create();
  heap_t heap = {0};
  heard_t heard = {0};
  state = 1;
  play(detector, &p, &heap, 0, seconds, &heard);
  hw_leak_destroy(detector);
  return heard;
}

#endif /* LEAK_PROGRAMS_H_ */
