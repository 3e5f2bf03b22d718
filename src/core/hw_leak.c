#include "hw_leak_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hw_error.h"

#define HW_LEAK_SECOND 1000.0
#define HW_LEAK_MINUTE (60 * HW_LEAK_SECOND)
#define HW_LEAK_HOUR (60 * HW_LEAK_MINUTE)
#define HW_LEAK_MIB (1024.0 * 1024.0)

/* A silence of so many times the usual step is a gap, if it is also this long:
 * the process was stopped, or the machine slept. */
#define HW_LEAK_GAP_STEPS 8
#define HW_LEAK_GAP_MS (10 * HW_LEAK_SECOND)

/* An input at most this much earlier than the newest is one that was queued,
 * such as a collection told after a sample. */
#define HW_LEAK_SLACK_MS (2 * HW_LEAK_SECOND)

/* After so many inputs in a row from an earlier time the clock is believed. */
#define HW_LEAK_LATE 16

void hw_leak_options_init(hw_leak_options_t* options) {
  *options = (hw_leak_options_t){
      .alpha = 0.01,
      .min_points = 6,
      .min_envelope_points = 10,
      .min_growth_bytes = 2 * HW_LEAK_MIB,
      .min_growth_share = 0.02,
      .min_native_bytes = 16 * HW_LEAK_MIB,
      .min_native_share = 0.15,
      .min_contexts = 8,
      .sustained = 0.5,
      .evidence_ms = 42 * HW_LEAK_SECOND,
      .headroom_share = 0.3,
      .min_evidence_ms = 15 * HW_LEAK_SECOND,
      .left_share = 0.1,
      .past_share = 0.1,
      .far_ms = 8 * HW_LEAK_HOUR,
      .distant_ms = 24 * HW_LEAK_HOUR,
      .wave_ms = 36 * HW_LEAK_HOUR,
      .hold_share = 0.1,
      .hold_ms = 8 * HW_LEAK_SECOND,
      .withdraw_ms = 12 * HW_LEAK_SECOND,
      .few_steady = 0.75,
      .few_unsteady = 3,
      .few_retained = 0.06,
      .fallback_ms = 40 * HW_LEAK_SECOND,
      .fallback_heap_ms = 5 * HW_LEAK_MINUTE,
      .fallback_growth = 2,
      .fallback_retained = 0.8,
      .end_ms = 30 * HW_LEAK_SECOND,
      .end_share = 0.2,
      .bucket_ms = HW_LEAK_SECOND,
      .envelope_ms = 3 * HW_LEAK_SECOND,
      .assumed_headroom_bytes = 2048 * HW_LEAK_MIB,
  };
}

static bool hw_leak_is_share(double value) {
  return value >= 0 && value <= 1;
}

static bool hw_leak_is_size(double value) {
  return value >= 0 && value <= 0x1p60;
}

static bool hw_leak_options_valid(const hw_leak_options_t* o) {
  const double shares[] = {o->min_growth_share, o->min_native_share,
                           o->headroom_share,   o->left_share,
                           o->past_share,       o->end_share};
  const double sizes[] = {o->min_growth_bytes,
                          o->min_native_bytes,
                          o->min_contexts,
                          o->evidence_ms,
                          o->min_evidence_ms,
                          o->distant_ms,
                          o->wave_ms,
                          o->hold_share,
                          o->hold_ms,
                          o->withdraw_ms,
                          o->fallback_ms,
                          o->end_ms,
                          o->sustained,
                          o->few_steady,
                          o->few_unsteady,
                          o->few_retained,
                          o->fallback_growth,
                          o->fallback_heap_ms,
                          o->fallback_retained,
                          o->assumed_headroom_bytes,
                          o->far_ms};
  for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
    if (!hw_leak_is_share(shares[i])) return false;
  }
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    if (!hw_leak_is_size(sizes[i])) return false;
  }
  return o->alpha > 0 && o->alpha < 1 && o->min_points >= 4 &&
         o->min_points <= HW_TREND_MAX && o->min_envelope_points >= 4 &&
         o->min_envelope_points <= HW_TREND_MAX && o->bucket_ms >= 1 &&
         o->bucket_ms <= HW_LEAK_HOUR && o->envelope_ms >= 1 &&
         o->envelope_ms <= HW_LEAK_HOUR;
}

void hw_leak_finish(hw_leak_track_t* track, double now_ms) {
  track->end = track->verdict;
  track->end.over = true;
  track->end.time_ms = now_ms;
  track->end.duration_ms = now_ms - track->end.since_ms;
  track->announce_end = HW_LEAK_ALL_HEARERS;
  track->state = HW_LEAK_NONE;
  track->floor_ms = now_ms;
}

/* Forgets everything but options, faults and verdicts not yet handed out. */
static void hw_leak_reset(hw_leak_t* detector) {
  for (int i = 0; i < HW_LEAK_METRICS; i++) {
    hw_leak_track_t* track = &detector->tracks[i];
    hw_series_init(&track->series[HW_LEAK_CYCLES], detector->options.bucket_ms);
    hw_series_init(&track->series[HW_LEAK_ENVELOPE],
                   detector->options.envelope_ms);
    track->low.known = false;
    if (track->state == HW_LEAK_ESTABLISHED) {
      hw_leak_finish(track, detector->now_ms);
    }
    track->state = HW_LEAK_NONE;
    track->floor_ms = -HUGE_VAL;
  }
  hw_series_init(&detector->ceiling, detector->options.envelope_ms);
  detector->gap_count = 0;
  detector->started = false;
  detector->step_ms = 0;
  detector->late = 0;
  detector->explained_peak = 0;
}

int hw_leak_create(const hw_leak_options_t* options, hw_leak_t** detector) {
  hw_leak_options_t defaults;
  hw_leak_options_init(&defaults);
  if (options == NULL) options = &defaults;
  if (!hw_leak_options_valid(options)) return HW_EINVAL;
  hw_leak_t* created = calloc(1, sizeof *created);
  if (created == NULL) return HW_ENOMEM;
  created->options = *options;
  created->rss = -1;
  hw_leak_reset(created);
  *detector = created;
  return 0;
}

size_t hw_leak_own_bytes(void) {
  return sizeof(hw_leak_t);
}

void hw_leak_destroy(hw_leak_t* detector) {
  free(detector);
}

/* Takes the time of an input. Returns whether the input may be used; `time_ms`
 * is then at or after all before it. */
static bool hw_leak_advance(hw_leak_t* detector, double* time_ms) {
  if (!isfinite(*time_ms) || fabs(*time_ms) > 0x1p60) {
    detector->faults.bad_times++;
    return false;
  }
  if (detector->started && *time_ms < detector->now_ms) {
    if (detector->now_ms - *time_ms > HW_LEAK_SLACK_MS) {
      detector->faults.bad_times++;
      if (++detector->late < HW_LEAK_LATE) return false;
      hw_leak_reset(detector);
      detector->faults.restarts++;
    } else {
      *time_ms = detector->now_ms;
    }
  }
  if (!detector->started) {
    detector->started = true;
    detector->start_ms = *time_ms;
    detector->major_ms = *time_ms;
    detector->major_gap_ms = 0;
    detector->majors = 0;
    detector->sampled_ms = *time_ms;
    detector->now_ms = *time_ms;
  }
  detector->late = 0;
  double silence = *time_ms - detector->now_ms;
  double usual = detector->step_ms * HW_LEAK_GAP_STEPS;
  if (silence > HW_LEAK_GAP_MS && detector->step_ms > 0 && silence > usual) {
    detector->gaps[detector->gap_count++ % HW_LEAK_GAPS] =
        (hw_leak_gap_t){detector->now_ms, silence};
    detector->faults.gaps++;
    detector->sampled_ms = *time_ms;
  }
  detector->now_ms = *time_ms;
  return true;
}

/* A size, or -1 if it isn't known or absurd. */
static double hw_leak_size(hw_leak_t* detector, uint64_t bytes) {
  if (bytes < UINT64_C(1) << 60) return (double)bytes;
  if (bytes != HW_LEAK_UNKNOWN) detector->faults.bad_values++;
  return -1;
}

/* Takes one value of a sample into a metric's signal. */
static void hw_leak_take(hw_leak_t* detector, hw_leak_metric_t metric,
                         double value) {
  hw_leak_track_t* track = &detector->tracks[metric];
  hw_leak_low_t* low = &track->low;
  track->newest = value;
  if (!low->known || value <= low->v) {
    *low = (hw_leak_low_t){true, detector->now_ms, value};
  }
  hw_series_t* envelope = &track->series[HW_LEAK_ENVELOPE];
  hw_series_push(envelope, detector->now_ms, value);
  /* Few collections mean more the longer they stand alone: look again. */
  hw_series_t* cycles = &track->series[HW_LEAK_CYCLES];
  if ((envelope->changed & 1) != 0 &&
      detector->majors < detector->options.min_points) {
    cycles->changed |= 1;
  }
}

static void hw_leak_end_cycle(hw_leak_track_t* track, bool together) {
  if (!together) {
    track->base = track->low.v;
    track->peak = track->newest;
  }
  track->low.known = false;
}

/* Whether a major collection belongs to the one before: V8 collects an idle
 * process two or three times within seconds, and then not for minutes. What
 * the later ones leave has outlived nothing but seconds. */
static bool hw_leak_together(hw_leak_t* detector, double time_ms) {
  double gap = time_ms - detector->major_ms;
  if (gap < detector->major_gap_ms / HW_LEAK_TOGETHER) return true;
  detector->major_ms = time_ms;
  detector->major_gap_ms = gap;
  detector->majors++;
  return false;
}

void hw_leak_gc(hw_leak_t* detector, double time_ms, bool major,
                uint64_t heap_before_bytes, uint64_t heap_after_bytes) {
  if (!hw_leak_advance(detector, &time_ms)) return;
  double before = hw_leak_size(detector, heap_before_bytes);
  double live = hw_leak_size(detector, heap_after_bytes);
  if (live < 0) return;
  hw_leak_track_t* heap = &detector->tracks[HW_LEAK_HEAP];
  hw_series_push(&heap->series[HW_LEAK_ENVELOPE], time_ms, live);
  if (major) {
    /* The heap's cycle is at its lowest at once. Others have theirs when it is
     * over, for V8 frees dead buffers only in the time after. */
    if (before >= 0) heap->newest = before;
    bool together = hw_leak_together(detector, time_ms);
    hw_leak_end_cycle(heap, together);
    heap->low = (hw_leak_low_t){true, time_ms, live};
    hw_series_push(&heap->series[HW_LEAK_CYCLES], time_ms, live);
    for (int i = HW_LEAK_HEAP + 1; i < HW_LEAK_METRICS; i++) {
      hw_leak_track_t* track = &detector->tracks[i];
      if (!track->low.known) continue;
      hw_series_push(&track->series[HW_LEAK_CYCLES], track->low.t,
                     track->low.v);
      hw_leak_end_cycle(track, together);
    }
    /* Level 0 is judged at each collection, not when its bucket closes, which
     * is at the next one. */
    for (int i = 0; i < HW_LEAK_METRICS; i++) {
      detector->tracks[i].series[HW_LEAK_CYCLES].changed |= 1;
    }
  }
  hw_leak_judge(detector);
}

static void hw_leak_take_native(hw_leak_t* detector, double heap,
                                double external) {
  if (detector->rss < 0 || heap < 0) return;
  double explained = heap + (external > 0 ? external : 0);
  detector->explained_peak = fmax(detector->explained_peak, explained);
  hw_leak_take(detector, HW_LEAK_NATIVE,
               detector->rss - detector->explained_peak);
  hw_series_push(&detector->ceiling, detector->now_ms,
                 detector->rss - explained);
}

/* Keeps the mean step between samples, by which gaps are told. */
static void hw_leak_pace(hw_leak_t* detector) {
  double step = detector->now_ms - detector->sampled_ms;
  detector->sampled_ms = detector->now_ms;
  if (step <= 0) return;
  detector->step_ms = detector->step_ms > 0
                          ? detector->step_ms + (step - detector->step_ms) / 8
                          : step;
}

void hw_leak_sample(hw_leak_t* detector, const hw_leak_sample_t* sample) {
  double time_ms = sample->time_ms;
  if (!hw_leak_advance(detector, &time_ms)) return;
  hw_leak_pace(detector);
  double used = hw_leak_size(detector, sample->heap_used_bytes);
  double heap = hw_leak_size(detector, sample->physical_heap_bytes);
  double total = hw_leak_size(detector, sample->heap_total_bytes);
  double external = hw_leak_size(detector, sample->external_bytes);
  double buffers = hw_leak_size(detector, sample->array_buffers_bytes);
  double contexts = hw_leak_size(detector, sample->native_contexts);
  detector->rss = hw_leak_size(detector, sample->rss_bytes);
  detector->old_limit = hw_leak_size(detector, sample->old_limit_bytes);
  detector->memory_limit = hw_leak_size(detector, sample->memory_limit_bytes);
  if (used >= 0) hw_leak_take(detector, HW_LEAK_HEAP, used);
  if (external >= 0) {
    hw_leak_take(detector, HW_LEAK_EXTERNAL,
                 buffers >= 0 ? fmax(external - buffers, 0) : external);
  }
  if (buffers >= 0) hw_leak_take(detector, HW_LEAK_ARRAY_BUFFERS, buffers);
  if (contexts >= 0) hw_leak_take(detector, HW_LEAK_CONTEXTS, contexts);
  hw_leak_take_native(detector, heap >= 0 ? heap : total, external);
  hw_leak_judge(detector);
}

bool hw_leak_pending(const hw_leak_t* detector, hw_leak_hearer_t hearer) {
  uint8_t pending = 0;
  for (int i = 0; i < HW_LEAK_METRICS; i++) {
    const hw_leak_track_t* track = &detector->tracks[i];
    pending |= track->announce | track->announce_end;
  }
  return (pending & 1u << hearer) != 0;
}

bool hw_leak_next(hw_leak_t* detector, hw_leak_hearer_t hearer,
                  hw_leak_verdict_t* verdict) {
  const uint8_t bit = (uint8_t)(1u << hearer);
  for (int i = 0; i < HW_LEAK_METRICS; i++) {
    hw_leak_track_t* track = &detector->tracks[i];
    bool start = (track->announce & bit) != 0;
    bool end = (track->announce_end & bit) != 0;
    /* An end is told before the start of the next episode, and after that of
     * its own. */
    if (end && (!start || track->end.time_ms < track->verdict.time_ms)) {
      track->announce_end &= (uint8_t)~bit;
      *verdict = track->end;
      return true;
    }
    if (start) {
      track->announce &= (uint8_t)~bit;
      *verdict = track->verdict;
      return true;
    }
  }
  return false;
}

hw_leak_state_t hw_leak_state(const hw_leak_t* detector,
                              hw_leak_metric_t metric) {
  return (unsigned)metric < HW_LEAK_METRICS ? detector->tracks[metric].state
                                            : HW_LEAK_NONE;
}

bool hw_leak_suspected(const hw_leak_t* detector) {
  for (int i = 0; i < HW_LEAK_METRICS; i++) {
    if (detector->tracks[i].state != HW_LEAK_NONE) return true;
  }
  return false;
}

int hw_leak_current(const hw_leak_t* detector, hw_leak_metric_t metric,
                    hw_leak_verdict_t* verdict) {
  if (hw_leak_state(detector, metric) != HW_LEAK_ESTABLISHED) return HW_ESTATE;
  *verdict = detector->tracks[metric].verdict;
  return 0;
}

void hw_leak_faults(const hw_leak_t* detector, hw_leak_faults_t* faults) {
  *faults = detector->faults;
}

const char* hw_leak_metric_name(hw_leak_metric_t metric) {
  static const char* const names[HW_LEAK_METRICS] = {
      "heap", "external", "arrayBuffers", "native", "contexts"};
  return (unsigned)metric < HW_LEAK_METRICS ? names[metric] : "unknown";
}

const char* hw_leak_basis_name(hw_leak_basis_t basis) {
  switch (basis) {
    case HW_LEAK_BY_COLLECTIONS:
      return "collections";
    case HW_LEAK_BY_FEW:
      return "few-collections";
    case HW_LEAK_BY_ENVELOPE:
      return "envelope";
  }
  return "unknown";
}
