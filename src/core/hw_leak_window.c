/*
 * What the points of a window say: whether they grow, by which evidence, and
 * whether what else is known bears it out.
 */
#include <math.h>
#include <string.h>

#include "hw_leak_internal.h"

/* Fewest collections that say anything by themselves. */
#define HW_LEAK_FEW 3

double hw_leak_active(const hw_leak_t* detector, double from) {
  double active = detector->now_ms - from;
  uint64_t kept =
      detector->gap_count < HW_LEAK_GAPS ? detector->gap_count : HW_LEAK_GAPS;
  for (uint64_t i = 0; i < kept; i++) {
    const hw_leak_gap_t* gap = &detector->gaps[i];
    if (gap->start_ms >= from) active -= gap->length_ms;
  }
  return active;
}

int hw_leak_read(const hw_leak_t* detector, hw_leak_metric_t metric,
                 hw_leak_source_t source, int level, double since,
                 hw_point_t* points) {
  const hw_leak_track_t* track = &detector->tracks[metric];
  bool cycles = source == HW_LEAK_CYCLES;
  int count =
      hw_series_read(&track->series[source], level, since, cycles, points);
  /* The cycle that runs has a lowest so far, which is as good as the others
   * once it has lasted a little. The heap's has not: its garbage is only gone
   * at the end. */
  if (!cycles || metric == HW_LEAK_HEAP || level > 0 || !track->low.known ||
      count == 0 || track->low.t <= points[count - 1].t) {
    return count;
  }
  if (count == HW_SERIES_POINTS) {
    memmove(points, points + 1, (size_t)--count * sizeof *points);
  }
  points[count++] = (hw_point_t){track->low.t, track->low.v};
  return count;
}

bool hw_leak_part(const hw_leak_t* detector, hw_leak_window_t* window,
                  const hw_point_t* all, int count, int part) {
  bool cycles = window->source == HW_LEAK_CYCLES;
  int least = (int)(cycles ? detector->options.min_points
                           : detector->options.min_envelope_points);
  int size = part < 3 ? count - count * part / 4 : 8 - part;
  hw_point_t merged[HW_SERIES_POINTS];
  window->few = part >= 3;
  if (window->few) {
    /* Who has seen many collections has had many chances to find a few that
     * rise. */
    if (!cycles || count > 2 * least || size >= least ||
        window->metric == HW_LEAK_NATIVE) {
      return false;
    }
    count = hw_evidence_merge(all, count, HW_LEAK_TOGETHER, merged);
    all = merged;
    /* Three are only enough where there have never been more. */
    if (size > count) {
      size = part == HW_LEAK_PARTS - 1 && count == HW_LEAK_FEW ? count : 0;
    }
  } else if (size < least) {
    return false;
  }
  window->count = size;
  memcpy(window->points, all + count - size, (size_t)size * sizeof *all);
  return size > 0;
}

/* What the least growth is, for a window that begins at size `level`. */
static double least_growth(const hw_leak_options_t* options,
                           hw_leak_metric_t metric, double rss, double level) {
  if (metric == HW_LEAK_CONTEXTS) return options->min_contexts;
  /* Native's lower bound may be far below 0: its share is of all rss. */
  if (metric == HW_LEAK_NATIVE) {
    return fmax(options->min_native_bytes, options->min_native_share * rss);
  }
  return fmax(options->min_growth_bytes, options->min_growth_share * level);
}

double hw_leak_retained(const hw_leak_track_t* track) {
  if (!track->low.known || track->peak <= track->base) return 0;
  return (track->low.v - track->base) / (track->peak - track->base);
}

/* A process that has lived through many windows of this length has had as many
 * chances to show a rise by chance. */
static double alpha(const hw_leak_t* detector, double span) {
  double age = detector->now_ms - detector->start_ms;
  double looks = span > 0 ? age / (2 * span) : 1;
  return detector->options.alpha / fmax(looks, 1);
}

static int read_majors(const hw_leak_t* detector, double since,
                       hw_point_t* points) {
  return hw_series_read(&detector->tracks[HW_LEAK_HEAP].series[HW_LEAK_CYCLES],
                        0, since, true, points);
}

/* Whether the envelope may speak: where major collections come, they do; where
 * some came, they must not contradict it. */
static bool may_fall_back(const hw_leak_t* detector,
                          const hw_leak_window_t* window) {
  const hw_leak_options_t* options = &detector->options;
  double since = window->points[0].t;
  double seen = hw_leak_active(detector, since);
  if (seen < options->fallback_ms) return false;
  if (window->metric == HW_LEAK_NATIVE) return true;
  if (window->evidence.growth < options->fallback_growth * window->min_growth) {
    return false;
  }
  hw_point_t majors[HW_SERIES_POINTS];
  int count = read_majors(detector, since, majors);
  double retained = hw_leak_retained(&detector->tracks[window->metric]);
  if (window->metric != HW_LEAK_HEAP) {
    return count < 2 ||
           (count < HW_LEAK_FEW && retained >= 2 * options->few_retained);
  }
  if (count < 2) return seen >= options->fallback_heap_ms;
  /* Collections must bear out the window's first third at least. */
  double last = majors[count - 1].t;
  return retained >= options->fallback_retained &&
         2 * (last - since) >= hw_leak_active(detector, last);
}

/* What a process has held before, and then let go, is no leak when it comes
 * back. Only a past longer than the window can tell. */
static bool is_record(const hw_leak_t* detector,
                      const hw_leak_window_t* window) {
  if (window->count < 2) return true;
  const hw_series_t* series =
      &detector->tracks[window->metric].series[window->source];
  double first = window->points[0].t;
  double span = window->points[window->count - 1].t - first;
  if (first - series->start <= span) return true;
  double top = hw_series_top_before(series, first);
  return window->points[window->count - 1].v > top &&
         window->points[window->count - 2].v > top;
}

/* Fewer collections than a test of trend needs. They must bear out at least
 * half of the time since the first; and what is used now must not be below. */
static void assess_few(const hw_leak_t* detector, hw_leak_window_t* window) {
  const hw_leak_options_t* options = &detector->options;
  const hw_leak_track_t* track = &detector->tracks[window->metric];
  hw_evidence_few_t rule = {
      .min_growth = window->min_growth,
      .steady = options->few_steady,
      .unsteady = options->few_unsteady,
      .min_retained = ldexp(options->few_retained,
                            (int)options->min_points - 1 - window->count),
  };
  window->basis = HW_LEAK_BY_FEW;
  hw_evidence_assess_few(&rule, window->points, window->count,
                         hw_leak_retained(track), &window->evidence);
  if (window->evidence.finding != HW_EVIDENCE_GROWS) return;
  const hw_point_t* last = &window->points[window->count - 1];
  if (hw_leak_active(detector, last->t) > window->evidence.span ||
      track->newest < last->v) {
    window->evidence.finding = HW_EVIDENCE_FEW;
  }
}

/* Native's upper bound must grow as well, and as steadily: what a collection
 * frees and V8 keeps is a step in it, after which the heap's growth into new
 * pages is the lower bound's. */
static bool bounds_agree(const hw_leak_t* detector,
                         const hw_leak_window_t* window) {
  if (window->metric != HW_LEAK_NATIVE) return true;
  hw_point_t points[HW_SERIES_POINTS];
  for (int level = 0; level < HW_SERIES_LEVELS; level++) {
    int count = hw_series_read(&detector->ceiling, level, window->points[0].t,
                               false, points);
    /* A full ring may have lost the window's beginning. */
    if (count == HW_SERIES_POINTS && level + 1 < HW_SERIES_LEVELS) continue;
    hw_evidence_rule_t rule = {
        .alpha = detector->options.alpha,
        .min_growth = window->min_growth / 2,
        .sustained = detector->options.sustained,
    };
    hw_evidence_t ceiling;
    hw_evidence_assess(&rule, points, count, &ceiling);
    return ceiling.finding == HW_EVIDENCE_GROWS &&
           ceiling.slope.slope >= window->evidence.slope.slope / 2;
  }
  return false;
}

void hw_leak_assess(const hw_leak_t* detector, hw_leak_window_t* window) {
  if (!is_record(detector, window)) {
    window->evidence = (hw_evidence_t){.finding = HW_EVIDENCE_SMALL};
    return;
  }
  const hw_leak_options_t* options = &detector->options;
  bool cycles = window->source == HW_LEAK_CYCLES;
  window->basis = cycles ? HW_LEAK_BY_COLLECTIONS : HW_LEAK_BY_ENVELOPE;
  if (window->count > 0) {
    window->min_growth = least_growth(options, window->metric, detector->rss,
                                      window->points[0].v);
  }
  if (window->few) {
    assess_few(detector, window);
    return;
  }
  double span = window->count > 0 ? detector->now_ms - window->points[0].t : 0;
  hw_evidence_rule_t rule = {
      .alpha = alpha(detector, span),
      .min_growth = window->min_growth,
      .sustained = options->sustained,
      .min_points =
          (int)(cycles ? options->min_points : options->min_envelope_points),
  };
  hw_evidence_assess(&rule, window->points, window->count, &window->evidence);
  if (window->evidence.finding != HW_EVIDENCE_GROWS) return;
  if (!cycles && !may_fall_back(detector, window)) {
    window->evidence.finding = HW_EVIDENCE_FEW;
  } else if (!bounds_agree(detector, window)) {
    window->evidence.finding = HW_EVIDENCE_SLOWING;
  }
}
