#ifndef HW_LEAK_H_
#define HW_LEAK_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw_evidence.h"
#include "hw_trend.h"

/*
 * The leak detector: from what a process uses to the verdict that it leaks.
 *
 * Signals. Each is a lower envelope, because what is measured is live memory
 * plus garbage and so errs upwards only:
 *
 *   heap          used heap right after each major collection: live objects
 *                 and what was allocated while marking ran
 *   external      external memory less ArrayBuffers, the lowest between two
 *                 major collections: buffers die only in those
 *   arrayBuffers  the same for ArrayBuffers, Buffers among them
 *   native        rss that heap and external don't explain. What V8 has freed
 *                 and not yet given back lies between two bounds: rss less
 *                 the present heap, and rss less the largest there ever was.
 *                 Both must grow
 *   contexts      native contexts alive, detached ones among them
 *
 * Where major collections don't come (six of them in the window), the lowest
 * of each few seconds stands in for them after a while. It is less sure, since
 * garbage promoted to the old space looks the same, and the verdict says so.
 *
 * Verdict. Each signal is none, suspected, established or over:
 *
 *   none -> suspected       one window of hw_evidence grows; of windows there
 *                           are the levels of hw_series and their newer parts
 *   suspected -> none       new points, and no window has grown for a while:
 *                           withdrawn
 *   suspected -> established  it has grown for as long as patience asks, and
 *                           the suspicion has been held for a while: `leak`
 *   established -> none     growth has stopped, or memory came back: `leakend`
 *
 * Patience is what separates a leak from a cache that fills: their points look
 * the same, until the cache is full. So growth must have been watched for a
 * time in proportion to the time left until the limit, at least for
 * `evidence_ms`, unless a good part of the headroom is gone already. And a
 * process with a long past must outgrow the highest it has held before.
 *
 * Time is an argument, in milliseconds of any clock that does not go back. All
 * memory is allocated by hw_leak_create. One thread. hw_leak_gc and
 * hw_leak_sample don't allocate, lock or call out, and so may run inside a GC.
 */

/* A size that isn't known. Any size from 2^60 on is taken for it. */
#define HW_LEAK_UNKNOWN UINT64_MAX

typedef enum {
  HW_LEAK_HEAP,
  HW_LEAK_EXTERNAL,
  HW_LEAK_ARRAY_BUFFERS,
  HW_LEAK_NATIVE,
  HW_LEAK_CONTEXTS,
  HW_LEAK_METRICS
} hw_leak_metric_t;

typedef enum {
  HW_LEAK_NONE,
  HW_LEAK_SUSPECTED,
  HW_LEAK_ESTABLISHED
} hw_leak_state_t;

/* Thresholds. hw_leak_options_init sets the defaults given in parentheses. */
typedef struct {
  /* Highest chance that a rise is chance (0.01), divided by the number of such
   * windows the process has lived through. Lower: fewer false alarms in noisy
   * processes; leaks need more collections. Six points can't go below .0014. */
  double alpha;
  /* Fewest points of a window (6), and of one without major collections (10).
   * Lower: earlier, and more often wrong. */
  uint32_t min_points;
  uint32_t min_envelope_points;
  /* Least growth over a window: bytes (2 MiB) and share of the size (0.02) for
   * heap, external and arrayBuffers, whichever is more. Lower: slower leaks are
   * found sooner; slow warm-ups too. */
  double min_growth_bytes;
  double min_growth_share;
  /* The same for native, whose noise is the allocator's (16 MiB, 0.15). */
  double min_native_bytes;
  double min_native_share;
  /* Least growth of contexts, in contexts (8). */
  double min_contexts;
  /* Least slope of a window's last half, relative to its first (0.5). Higher:
   * caches that fill are told earlier; leaks that come in bursts are lost. */
  double sustained;
  /* Patience: growth must have been watched for this long (42 s). Lower: faster
   * verdicts; each warm-up or cache that takes as long to fill is an alarm. */
  double evidence_ms;
  /* But once this share of the headroom at the start of the growth is used up
   * (0.3), only `min_evidence_ms` (15 s): lower warns earlier of a heap that
   * fills in a minute, and more often of one that only fills. */
  double headroom_share;
  double min_evidence_ms;
  /* And longer where there is time: this share of the time left until the limit
   * (0.1), as far as the past is long too: of it, this share (0.1). Higher:
   * bursts of a process that has run for long are forgiven. */
  double left_share;
  double past_share;
  /* Beyond this time to the limit (8 h) `evidence_ms` grows in proportion to
   * it: what fills slowly looks like a leak for long, and there is time to see.
   * 0 leaves it as it is. */
  double far_ms;
  /* Beyond this time to the limit (24 h) all of left_share counts, whatever the
   * past, up to `wave_ms` (36 h): a wave of a day's traffic isn't a leak. */
  double distant_ms;
  double wave_ms;
  /* A suspicion is held for this share of its evidence (0.1) and at least this
   * long (8 s) before it is a verdict. */
  double hold_share;
  double hold_ms;
  /* A suspicion no window has borne out for this long (12 s), or a quarter of
   * its evidence, is withdrawn. */
  double withdraw_ms;
  /* Fewer collections than min_points, down to 3, serve if each is above the
   * last, the last interval rose at between this share (0.75) and this multiple
   * (3) of the rate before, and of what came since the last collection but one
   * at least this share (0.06) was still there after the last; twice that for
   * each collection fewer still. Wider: more leaks of quiet processes; more
   * caches that fill. */
  double few_steady;
  double few_unsteady;
  double few_retained;
  /* Without even those, the envelope's evidence must be this long (40 s; 5 min
   * for heap) and its growth this many times the least (2). Lower: quiet leaks
   * are found earlier; garbage that waits for its collection is taken for one,
   * which in the heap is what every program has. But where of all that came
   * before the last collection at least this share (0.8) outlived it, there is
   * next to no garbage, and the heap is trusted like the rest. */
  double fallback_ms;
  double fallback_heap_ms;
  double fallback_growth;
  double fallback_retained;
  /* An established leak is over when for this long (30 s), or half of its
   * evidence, it grows at less than `end_share` (0.2) of its rate. */
  double end_ms;
  double end_share;
  /* Width of the finest buckets: major collections (1 s), envelope (3 s). */
  double bucket_ms;
  double envelope_ms;
  /* Headroom taken for granted where no limit is known (2 GiB). It serves
   * patience only; no time to limit is told. */
  double assumed_headroom_bytes;
} hw_leak_options_t;

/* One sample. Sizes that aren't known are HW_LEAK_UNKNOWN; limits that aren't
 * known are that or 0. */
typedef struct {
  double time_ms;
  uint64_t heap_used_bytes;
  uint64_t heap_total_bytes;
  uint64_t physical_heap_bytes;
  uint64_t rss_bytes;
  uint64_t external_bytes; /* with array buffers, as Node.js counts */
  uint64_t array_buffers_bytes;
  uint64_t native_contexts;
  uint64_t old_limit_bytes;    /* heap_size_limit less the young reserve */
  uint64_t memory_limit_bytes; /* of the container or the machine */
} hw_leak_sample_t;

/* What a verdict rests on, surest first. */
typedef enum {
  HW_LEAK_BY_COLLECTIONS, /* min_points major collections or more */
  HW_LEAK_BY_FEW,         /* fewer of them */
  HW_LEAK_BY_ENVELOPE     /* the lowest of each few seconds */
} hw_leak_basis_t;

/* A leak, or its end. Rates are per second: bytes, or contexts. */
typedef struct {
  hw_leak_metric_t metric;
  bool over; /* leakend; the rest is the episode's last state */
  hw_leak_basis_t basis;
  double time_ms;     /* of the verdict */
  double since_ms;    /* of the first evidence */
  double duration_ms; /* from then to the verdict */
  double rate;        /* now: of the last half of the evidence */
  double rate_low;    /* 90 % interval of the rate over all the evidence */
  double rate_high;
  double growth;           /* bytes or contexts, over the evidence */
  double confidence;       /* 0 to 1 */
  double time_to_limit_ms; /* at that rate; negative if no limit is known */
  double limit_bytes;      /* 0 if none is known */
  hw_shape_t shape;
  uint32_t count;
  hw_point_t evidence[HW_TREND_MAX]; /* time in ms, bytes or contexts */
} hw_leak_verdict_t;

/* What was refused. */
typedef struct {
  uint64_t bad_times;  /* NaN, infinite, or before what was known */
  uint64_t bad_values; /* sizes no machine has */
  uint64_t gaps;       /* the process was suspended, or the clock jumped */
  uint64_t restarts;   /* the clock went back for good: all was forgotten */
} hw_leak_faults_t;

typedef struct hw_leak_s hw_leak_t;

/* The defaults. */
void hw_leak_options_init(hw_leak_options_t* options);

/* Makes a detector, about 250 KB. `options` may be NULL for the defaults and
 * is copied. The caller owns it. HW_EINVAL if an option is NaN, negative or
 * otherwise senseless; HW_ENOMEM. */
int hw_leak_create(const hw_leak_options_t* options, hw_leak_t** detector);

/* The memory of a detector in bytes. Pure. */
size_t hw_leak_own_bytes(void);

/* Frees a detector; NULL is ignored. */
void hw_leak_destroy(hw_leak_t* detector);

/* Takes a collection that has ended: used heap in bytes before and after it,
 * and whether it was a major one. Minor ones help the envelope. */
void hw_leak_gc(hw_leak_t* detector, double time_ms, bool major,
                uint64_t heap_before_bytes, uint64_t heap_after_bytes);

/* Takes a sample. The structure is not kept. */
void hw_leak_sample(hw_leak_t* detector, const hw_leak_sample_t* sample);

/* Who is told of verdicts, each of all of them. */
typedef enum {
  HW_LEAK_EVENTS, /* JavaScript's listeners, a replay */
  HW_LEAK_RECORD, /* the recorder */
  HW_LEAK_HEARERS
} hw_leak_hearer_t;

/* Hands out the next verdict this hearer has not been told of, a leak or the
 * end of one. Returns whether there was one. To be called until false after
 * every hw_leak_gc and hw_leak_sample: of each metric only the newest is kept.
 */
bool hw_leak_next(hw_leak_t* detector, hw_leak_hearer_t hearer,
                  hw_leak_verdict_t* verdict);

/* Whether hw_leak_next has a verdict to hand out. */
bool hw_leak_pending(const hw_leak_t* detector, hw_leak_hearer_t hearer);

/* The state of one metric. */
hw_leak_state_t hw_leak_state(const hw_leak_t* detector,
                              hw_leak_metric_t metric);

/* Whether anything is at least suspected: time to sample sites. */
bool hw_leak_suspected(const hw_leak_t* detector);

/* The established leak of a metric as it stands now. HW_ESTATE if there is
 * none. */
int hw_leak_current(const hw_leak_t* detector, hw_leak_metric_t metric,
                    hw_leak_verdict_t* verdict);

/* What has been refused so far. */
void hw_leak_faults(const hw_leak_t* detector, hw_leak_faults_t* faults);

/* "collections", "few-collections" or "envelope": static, never NULL. */
const char* hw_leak_basis_name(hw_leak_basis_t basis);

/* DESIGN's name of a metric, such as "arrayBuffers": static, never NULL. */
const char* hw_leak_metric_name(hw_leak_metric_t metric);

#endif /* HW_LEAK_H_ */
