#ifndef HW_LEAK_INTERNAL_H_
#define HW_LEAK_INTERNAL_H_

#include "hw_evidence.h"
#include "hw_leak.h"
#include "hw_series.h"

/*
 * The inside of a detector, shared by hw_leak.c (what comes in),
 * hw_leak_window.c (what a window of it says) and hw_leak_judge.c (what follows
 * from that).
 */

#define HW_LEAK_GAPS 8
/* Major collections are together if the time between them is this many times
 * shorter than the time before. */
#define HW_LEAK_TOGETHER 8
#define HW_LEAK_ALL_HEARERS ((1u << HW_LEAK_HEARERS) - 1)

/* A size that a cycle or a sample may not have told. */
typedef struct {
  bool known;
  double t;
  double v;
} hw_leak_low_t;

/* Where a window's points come from. */
typedef enum {
  HW_LEAK_CYCLES,   /* the lowest from one major collection to the next */
  HW_LEAK_ENVELOPE, /* the lowest of each few seconds */
  HW_LEAK_SOURCES
} hw_leak_source_t;

/* One metric: its signal and its episode. */
typedef struct {
  hw_leak_low_t low; /* the lowest since the last major collection */
  double newest;     /* the newest value */
  double base; /* the lowest of the cycle before that collection, or before
                * those that it came together with */
  double peak; /* and the newest when it came */
  hw_leak_state_t state;
  double floor_ms;       /* points before this belong to an episode over */
  double suspected_ms;   /* since when */
  double suspected_span; /* what had been seen by then */
  double passed_ms;      /* when a window last grew */
  hw_leak_source_t passed_source; /* which one did */
  int passed_level;
  double failed_ms; /* when the same with newer points last didn't */
  double passed_span;
  double checked_ms; /* how far growth has been found to go on */
  hw_leak_source_t source;
  uint8_t announce;     /* hearers that `verdict` waits for, a bit each */
  uint8_t announce_end; /* and `end` */
  hw_leak_verdict_t verdict;
  hw_leak_verdict_t end;
  hw_series_t series[HW_LEAK_SOURCES];
} hw_leak_track_t;

typedef struct {
  double start_ms; /* the last sign of life before it */
  double length_ms;
} hw_leak_gap_t;

struct hw_leak_s {
  hw_leak_options_t options;
  uint64_t gap_count;
  bool started;
  double start_ms;
  double now_ms;
  double step_ms; /* a running mean of the time between samples */
  double sampled_ms;
  double major_ms;     /* the last major collection, or the first of those that
                        * came together with it */
  double major_gap_ms; /* and the time from the one before */
  uint64_t majors;     /* so far, those together counted once */
  uint32_t late;       /* inputs in a row that were before now */
  double explained_peak; /* the most heap and external there has been */
  double rss;            /* newest; negative if unknown */
  double old_limit;      /* newest; 0 if unknown */
  double memory_limit;
  uint32_t turn; /* whose turn it is to be judged */
  hw_leak_faults_t faults;
  hw_leak_gap_t gaps[HW_LEAK_GAPS]; /* a ring */
  hw_series_t ceiling; /* native's upper bound; its lower bound is judged */
  hw_leak_track_t tracks[HW_LEAK_METRICS];
};

/* A window as read, with what it says. */
typedef struct {
  hw_leak_metric_t metric;
  hw_leak_source_t source;
  hw_leak_basis_t basis;
  int level;
  hw_point_t points[HW_SERIES_POINTS];
  int count;
  bool few; /* to be judged as few collections */
  double min_growth;
  hw_evidence_t evidence;
} hw_leak_window_t;

/* The parts of a level's points that are windows, in the order in which they
 * are tried: all; without the oldest quarter or half, which may be a warm-up;
 * and the last few collections. */
#define HW_LEAK_PARTS 5

/* The time from `from` until now in which the process ran, in ms. */
double hw_leak_active(const hw_leak_t* detector, double from);

/* Reads the points of one level since `since` into `points`, room for
 * HW_SERIES_POINTS; the newest of them stay if there are more. Returns how
 * many. */
int hw_leak_read(const hw_leak_t* detector, hw_leak_metric_t metric,
                 hw_leak_source_t source, int level, double since,
                 hw_point_t* points);

/* Of what had come since the last collection but one, the share that outlived
 * the last. */
double hw_leak_retained(const hw_leak_track_t* track);

/* Cuts one part of `count` points out; false if there is none that differs from
 * those before. */
bool hw_leak_part(const hw_leak_t* detector, hw_leak_window_t* window,
                  const hw_point_t* all, int count, int part);

/* Finds what a window says: its basis and its evidence. */
void hw_leak_assess(const hw_leak_t* detector, hw_leak_window_t* window);

/* Ends a metric's episode: back to none, `leakend` to be told, and what was
 * seen so far is no evidence of the next one. */
void hw_leak_finish(hw_leak_track_t* track, double now_ms);

/* Judges what has changed, as much as one update may cost: windows that don't
 * grow cost next to nothing, and of those that have to be looked at pair by
 * pair one metric's at a time; the rest waits for the next update. */
void hw_leak_judge(hw_leak_t* detector);

#endif /* HW_LEAK_INTERNAL_H_ */
