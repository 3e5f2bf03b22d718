#include "hw_evidence.h"

#include <math.h>
#include <string.h>

/* The normal quantile of the 90 % interval the rate is given with. */
#define HW_EVIDENCE_Z 1.645

/* By how much the criterion of a step must beat that of a line to be believed:
 * Kass and Raftery, "Bayes factors", JASA 90 (1995), call 6 strong. */
#define HW_EVIDENCE_STEP_LEAD 6

static double hw_evidence_slope(const hw_point_t* points, int count) {
  hw_trend_slope_t slope;
  return hw_trend_slope(points, count, 0, 0, &slope) == 0 ? slope.slope : 0;
}

static double hw_evidence_median(const hw_point_t* points, int count) {
  double values[HW_TREND_MAX];
  for (int i = 0; i < count; i++)
    values[i] = points[i].v;
  return hw_trend_select(values, count, count / 2);
}

bool hw_evidence_is_high(const hw_point_t* points, int count, double slope) {
  const hw_point_t* last = &points[count - 1];
  double high = points[0].v;
  for (int i = 1; i < count - 1; i++)
    high = fmax(high, points[i].v);
  return last->v - high >= slope * (last->t - points[count - 2].t) / 2;
}

/* The slopes of the first and the last half of the window's time. Halves of
 * points would not do: V8 collects a growing heap ever more seldom, so that
 * most points are of a warm-up's first seconds. The middle is interpolated and
 * belongs to both. */
static void hw_evidence_halves(const hw_point_t* points, int count,
                               hw_evidence_t* evidence) {
  double t = (points[0].t + points[count - 1].t) / 2;
  int after = 1; /* the first point beyond the middle */
  while (after < count - 1 && points[after].t <= t)
    after++;
  const hw_point_t* a = &points[after - 1];
  const hw_point_t* b = &points[after];
  double share = b->t > a->t ? (t - a->t) / (b->t - a->t) : 0;
  hw_point_t half[HW_TREND_MAX + 1];
  memcpy(half, points, (size_t)after * sizeof *points);
  half[after] = (hw_point_t){t, a->v + share * (b->v - a->v)};
  evidence->first_slope = hw_evidence_slope(half, after + 1);
  half[0] = half[after];
  memcpy(half + 1, b, (size_t)(count - after) * sizeof *points);
  evidence->last_slope = hw_evidence_slope(half, count - after + 1);
}

/* One jump between two levels explains the points better than any slope. */
static bool hw_evidence_is_step(const hw_point_t* points, int count,
                                hw_shape_t* best) {
  hw_trend_shape_t shape;
  if (hw_trend_shape(points, count, &shape) != 0) return false;
  *best = shape.shape;
  double line = fmin(
      shape.bic[HW_SHAPE_LINEAR],
      fmin(shape.bic[HW_SHAPE_SATURATING], shape.bic[HW_SHAPE_ACCELERATING]));
  return shape.bic[HW_SHAPE_STEP] + HW_EVIDENCE_STEP_LEAD < line;
}

/* Whether the newest points still rise. The halves forgive a stop in the last
 * few points; this is what notices that a cache is full just now. */
static bool hw_evidence_fresh(const hw_point_t* points, int count,
                              double slope) {
  int each = count / 5 < 2 ? 2 : count / 5;
  const hw_point_t* last = points + count - each;
  const hw_point_t* before = last - each;
  double rise =
      hw_evidence_median(last, each) - hw_evidence_median(before, each);
  double time = last->t - before->t;
  return rise > slope * time / 4;
}

static hw_evidence_finding_t hw_evidence_find(const hw_evidence_rule_t* rule,
                                              const hw_point_t* points,
                                              int count,
                                              hw_evidence_t* evidence) {
  if (evidence->growth < rule->min_growth) return HW_EVIDENCE_SMALL;
  if (evidence->test.p > rule->alpha || evidence->slope.low <= 0) {
    return HW_EVIDENCE_CHANCE;
  }
  hw_evidence_halves(points, count, evidence);
  if (evidence->last_slope <= 0 ||
      evidence->last_slope < rule->sustained * evidence->first_slope) {
    return HW_EVIDENCE_SLOWING;
  }
  if (!hw_evidence_fresh(points, count, evidence->slope.slope)) {
    return HW_EVIDENCE_SLOWING;
  }
  /* A stair of two steps is a step in its last half. */
  int half = count / 2 + 1;
  hw_shape_t unused;
  if (hw_evidence_is_step(points, count, &evidence->shape) ||
      hw_evidence_is_step(points + count - half, half, &unused)) {
    return HW_EVIDENCE_STEP;
  }
  return HW_EVIDENCE_GROWS;
}

void hw_evidence_assess(const hw_evidence_rule_t* rule,
                        const hw_point_t* points, int count,
                        hw_evidence_t* evidence) {
  memset(evidence, 0, sizeof *evidence);
  evidence->finding = HW_EVIDENCE_FEW;
  int least = rule->min_points < 4 ? 4 : rule->min_points;
  if (count < least || count > HW_TREND_MAX) return;
  evidence->span = points[count - 1].t - points[0].t;
  evidence->level = hw_evidence_median(points, count);
  /* Most windows of most processes end here, for next to nothing: what has
   * not grown from its first third to its last isn't worth the pairs. */
  int third = count / 3;
  evidence->finding = HW_EVIDENCE_SMALL;
  if (hw_evidence_median(points + count - third, third) -
          hw_evidence_median(points, third) <
      rule->min_growth / 2) {
    return;
  }
  if (hw_trend_test(points, count, &evidence->test) != 0) return;
  if (hw_trend_slope(points, count, evidence->test.variance, HW_EVIDENCE_Z,
                     &evidence->slope) != 0) {
    return;
  }
  evidence->growth = evidence->slope.slope * evidence->span;
  evidence->finding = hw_evidence_find(rule, points, count, evidence);
}

int hw_evidence_merge(const hw_point_t* points, int count, double ratio,
                      hw_point_t* merged) {
  int left = 0;
  double gap = 0;
  for (int i = 0; i < count; i++) {
    double now = i > 0 ? points[i].t - merged[left - 1].t : 0;
    if (i > 0 && now < gap / ratio) {
      merged[left - 1].v = fmin(merged[left - 1].v, points[i].v);
    } else {
      merged[left++] = points[i];
      gap = now;
    }
  }
  return left;
}

static double hw_evidence_rate(const hw_point_t* from, const hw_point_t* to) {
  return to->t > from->t ? (to->v - from->v) / (to->t - from->t) : 0;
}

void hw_evidence_assess_few(const hw_evidence_few_t* rule,
                            const hw_point_t* points, int count,
                            double retained, hw_evidence_t* evidence) {
  memset(evidence, 0, sizeof *evidence);
  evidence->finding = HW_EVIDENCE_FEW;
  if (count < 3 || count > HW_TREND_MAX) return;
  const hw_point_t* last = &points[count - 1];
  evidence->span = last->t - points[0].t;
  evidence->level = hw_evidence_median(points, count);
  evidence->growth = last->v - points[0].v;
  evidence->shape = HW_SHAPE_LINEAR;
  evidence->finding = HW_EVIDENCE_SMALL;
  if (evidence->growth < rule->min_growth) return;
  evidence->finding = HW_EVIDENCE_CHANCE;
  for (int i = 1; i < count; i++) {
    if (points[i].v <= points[i - 1].v) return;
  }
  if (hw_trend_test(points, count, &evidence->test) != 0) return;
  if (hw_trend_slope(points, count, evidence->test.variance, HW_EVIDENCE_Z,
                     &evidence->slope) != 0) {
    return;
  }
  /* Not from the first on: that may be of a warm-up. */
  evidence->first_slope = hw_evidence_rate(last - 2, last - 1);
  evidence->last_slope = hw_evidence_rate(last - 1, last);
  evidence->finding = HW_EVIDENCE_SLOWING;
  if (evidence->last_slope < rule->steady * evidence->first_slope) return;
  if (evidence->last_slope > rule->unsteady * evidence->first_slope) return;
  if (retained < rule->min_retained) return;
  evidence->finding = HW_EVIDENCE_GROWS;
}
