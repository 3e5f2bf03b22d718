/*
 * What the detector's signals mean: which windows are looked at, and how their
 * evidence moves a metric from none to suspected to established and back.
 */
#include <math.h>
#include <string.h>

#include "hw_leak_internal.h"

/* What a context with a little in it costs; patience only. */
#define HW_LEAK_CONTEXT_BYTES 1048576.0

/* What is left before the metric's limit; `limit` is 0 if none is known, and
 * the room an assumption. */
static double hw_leak_headroom(const hw_leak_t* detector,
                               const hw_leak_window_t* window, double* limit) {
  double used = window->points[window->count - 1].v;
  *limit = 0;
  if (window->metric == HW_LEAK_CONTEXTS) {
    return detector->options.assumed_headroom_bytes / HW_LEAK_CONTEXT_BYTES;
  }
  if (window->metric == HW_LEAK_HEAP) {
    *limit = fmax(detector->old_limit, 0);
  } else if (detector->rss >= 0) {
    *limit = fmax(detector->memory_limit, 0);
    used = detector->rss;
  }
  if (*limit <= 0) return detector->options.assumed_headroom_bytes;
  return fmax(*limit - used, 0);
}

/* How long growth must have been watched. `left` is the time until the limit
 * at the present speed. */
static double hw_leak_patience(const hw_leak_t* detector, double left,
                               bool early, double since) {
  const hw_leak_options_t* options = &detector->options;
  double past = since - detector->start_ms;
  double need = options->evidence_ms;
  need =
      fmax(need, fmin(options->left_share * left, options->past_share * past));
  if (options->far_ms > 0) {
    double slow = options->evidence_ms * left / options->far_ms;
    need = fmax(need, fmin(slow, options->wave_ms));
  }
  double beyond = options->left_share * (left - options->distant_ms);
  need = fmax(need, fmin(beyond, options->wave_ms));
  /* Waiting is for those who have the time. */
  return early ? fmin(need, options->min_evidence_ms) : need;
}

/* A number for dashboards, of three doubts: that the rise is chance, that it
 * is garbage, and that it will level off. */
static double hw_leak_confidence(const hw_leak_window_t* window) {
  const hw_evidence_t* evidence = &window->evidence;
  double confidence = 1 - evidence->test.p;
  if (window->basis != HW_LEAK_BY_COLLECTIONS) confidence *= 0.8;
  double pace = evidence->last_slope / evidence->slope.slope;
  confidence *= 0.7 + 0.3 * fmin(pace, 1);
  if (evidence->shape == HW_SHAPE_SATURATING) confidence *= 0.9;
  return fmin(fmax(confidence, 0), 1);
}

static void hw_leak_write(const hw_leak_t* detector,
                          const hw_leak_window_t* window,
                          hw_leak_verdict_t* verdict) {
  const hw_evidence_t* evidence = &window->evidence;
  double limit;
  double headroom = hw_leak_headroom(detector, window, &limit);
  *verdict = (hw_leak_verdict_t){
      .metric = window->metric,
      .basis = window->basis,
      .time_ms = detector->now_ms,
      .since_ms = window->points[0].t,
      .duration_ms = detector->now_ms - window->points[0].t,
      .rate = evidence->last_slope * 1000,
      .rate_low = evidence->slope.low * 1000,
      .rate_high = evidence->slope.high * 1000,
      .growth = evidence->growth,
      .confidence = hw_leak_confidence(window),
      .time_to_limit_ms = limit > 0 ? headroom / evidence->last_slope : -1,
      .limit_bytes = limit,
      .shape = evidence->shape,
      .count = (uint32_t)window->count,
  };
  memcpy(verdict->evidence, window->points,
         (size_t)window->count * sizeof *window->points);
}

/* How long growth has been watched. What came after the last point counts as
 * far as what came before it has stayed. */
static double hw_leak_watched(const hw_leak_t* detector,
                              const hw_leak_window_t* window) {
  const hw_leak_track_t* track = &detector->tracks[window->metric];
  double since = hw_leak_active(detector, window->points[window->count - 1].t);
  double stays = fmin(fmax(hw_leak_retained(track), 0), 1);
  return hw_leak_active(detector, window->points[0].t) - since * (1 - stays);
}

/* A window grows: a suspicion begins, ripens, or becomes a verdict. */
static void hw_leak_pass(hw_leak_t* detector, const hw_leak_window_t* window) {
  const hw_leak_options_t* options = &detector->options;
  hw_leak_track_t* track = &detector->tracks[window->metric];
  double seen = hw_leak_watched(detector, window);
  track->passed_ms = detector->now_ms;
  track->passed_span = seen;
  track->passed_source = window->source;
  track->passed_level = window->level;
  if (track->state == HW_LEAK_NONE) {
    track->state = HW_LEAK_SUSPECTED;
    track->suspected_ms = detector->now_ms;
    track->suspected_span = seen;
  }
  if (track->state == HW_LEAK_ESTABLISHED) {
    /* The episode keeps its beginning. */
    double since = track->verdict.since_ms;
    hw_leak_write(detector, window, &track->verdict);
    track->verdict.since_ms = fmin(since, track->verdict.since_ms);
    track->verdict.duration_ms = detector->now_ms - track->verdict.since_ms;
    return;
  }
  /* A verdict falls on a new high only. */
  if (!hw_evidence_is_high(window->points, window->count,
                           window->evidence.slope.slope)) {
    return;
  }
  double limit;
  double room = hw_leak_headroom(detector, window, &limit);
  double left = room / window->evidence.last_slope;
  double gone = window->evidence.growth / (window->evidence.growth + room);
  bool early = gone >= options->headroom_share &&
               window->basis == HW_LEAK_BY_COLLECTIONS;
  if (seen < hw_leak_patience(detector, left, early, window->points[0].t)) {
    return;
  }
  double hold =
      fmax(options->hold_ms, options->hold_share * track->suspected_span);
  if (early) hold = fmin(hold, options->hold_ms / 2);
  if (hw_leak_active(detector, track->suspected_ms) < hold) return;
  track->state = HW_LEAK_ESTABLISHED;
  track->source = window->source;
  track->checked_ms = detector->now_ms;
  hw_leak_write(detector, window, &track->verdict);
  track->announce = HW_LEAK_ALL_HEARERS;
}

/* The newest points since `since` at the finest level that holds them all. */
static int hw_leak_since(const hw_leak_t* detector, hw_leak_metric_t metric,
                         hw_leak_source_t source, double since,
                         hw_point_t* points) {
  int count = 0;
  int levels = hw_series_levels(&detector->tracks[metric].series[source]);
  for (int level = 0; level < levels; level++) {
    count = hw_leak_read(detector, metric, source, level, since, points);
    if (count < HW_SERIES_POINTS) break;
  }
  return count;
}

/* Whether an established leak goes on. Where no points come, nothing is known
 * and nothing changes. */
static void hw_leak_follow(hw_leak_t* detector, hw_leak_metric_t metric) {
  const hw_leak_options_t* options = &detector->options;
  hw_leak_track_t* track = &detector->tracks[metric];
  const hw_leak_verdict_t* verdict = &track->verdict;
  hw_point_t points[HW_SERIES_POINTS];
  int count = hw_leak_since(detector, metric, track->source,
                            verdict->evidence[verdict->count - 1].t, points);
  if (count >= 3) {
    /* Given back: the last two are below the middle of the growth. */
    double middle =
        verdict->evidence[verdict->count - 1].v - verdict->growth / 2;
    if (points[count - 1].v < middle && points[count - 2].v < middle) {
      hw_leak_finish(track, detector->now_ms);
      return;
    }
  }
  double quiet = fmax(options->end_ms, verdict->duration_ms / 2);
  if (hw_leak_active(detector, track->checked_ms) < quiet) return;
  count =
      hw_leak_since(detector, metric, track->source, track->checked_ms, points);
  hw_trend_slope_t slope;
  if (count < 4 || hw_trend_slope(points, count, 0, 0, &slope) != 0) return;
  if (slope.slope * 1000 < options->end_share * verdict->rate) {
    hw_leak_finish(track, detector->now_ms);
  } else {
    track->checked_ms = detector->now_ms - quiet / 2;
  }
}

/* Judges one level of one source of one metric. Returns whether pairs had to
 * be looked at. */
static bool hw_leak_judge_level(hw_leak_t* detector, hw_leak_metric_t metric,
                                hw_leak_source_t source, int level) {
  hw_leak_window_t window = {
      .metric = metric, .source = source, .level = level};
  hw_leak_track_t* track = &detector->tracks[metric];
  hw_point_t all[HW_SERIES_POINTS];
  int count =
      hw_leak_read(detector, metric, source, level, track->floor_ms, all);
  /* An established leak is only kept up to date. */
  if (track->state == HW_LEAK_ESTABLISHED &&
      detector->now_ms - track->verdict.time_ms <
          detector->options.end_ms / 2) {
    return false;
  }
  /* Newer parts of a full level are what the level below shows finer. */
  int parts = level == 0 || count < HW_SERIES_POINTS ? HW_LEAK_PARTS : 1;
  bool costly = false;
  for (int part = 0; part < parts; part++) {
    if (!hw_leak_part(detector, &window, all, count, part)) continue;
    hw_leak_assess(detector, &window);
    if (window.evidence.test.variance > 0) costly = true;
    if (window.evidence.finding == HW_EVIDENCE_GROWS) {
      hw_leak_pass(detector, &window);
      break;
    }
    if (source == track->passed_source && level == track->passed_level) {
      track->failed_ms = detector->now_ms;
    }
  }
  return costly;
}

static bool hw_leak_judge_source(hw_leak_t* detector, hw_leak_metric_t metric,
                                 hw_leak_source_t source) {
  hw_series_t* series = &detector->tracks[metric].series[source];
  int levels = hw_series_levels(series);
  series->changed &= (UINT32_C(1) << levels) - 1;
  while (series->changed != 0) {
    int level = 0;
    while ((series->changed >> level & 1) == 0)
      level++;
    series->changed &= ~(UINT32_C(1) << level);
    if (hw_leak_judge_level(detector, metric, source, level)) return true;
  }
  return false;
}

static void hw_leak_withdraw(hw_leak_t* detector) {
  for (int i = 0; i < HW_LEAK_METRICS; i++) {
    hw_leak_track_t* track = &detector->tracks[i];
    if (track->state != HW_LEAK_SUSPECTED) continue;
    double patience =
        fmax(detector->options.withdraw_ms, track->passed_span / 4);
    /* Where no new points come, nothing speaks against it either. */
    if (track->failed_ms > track->passed_ms &&
        hw_leak_active(detector, track->passed_ms) > patience) {
      track->state = HW_LEAK_NONE;
    }
  }
}

void hw_leak_judge(hw_leak_t* detector) {
  int turns = HW_LEAK_METRICS * HW_LEAK_SOURCES;
  for (int i = 0; i < turns; i++) {
    int turn = (int)(detector->turn++ % (uint32_t)turns);
    hw_leak_metric_t metric = (hw_leak_metric_t)(turn / HW_LEAK_SOURCES);
    hw_leak_source_t source = (hw_leak_source_t)(turn % HW_LEAK_SOURCES);
    hw_leak_track_t* track = &detector->tracks[metric];
    if (track->series[source].changed == 0) continue;
    bool costly = hw_leak_judge_source(detector, metric, source);
    if (track->state == HW_LEAK_ESTABLISHED && track->source == source) {
      hw_leak_follow(detector, metric);
      costly = true;
    }
    if (costly) break;
  }
  hw_leak_withdraw(detector);
}
