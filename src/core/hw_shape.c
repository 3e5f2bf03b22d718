/*
 * hw_trend_shape: five shapes of a series compared by BIC. Apart from the rest
 * of hw_trend.c because it is least squares, where the rest is ranks.
 */
#include <math.h>

#include "hw_error.h"
#include "hw_trend.h"

/* Time constants tried for the curves, as shares of the series' length. Beyond
 * 1 a curve can't be told from a line. */
static const double hw_shape_constants[] = {0.08, 0.15, 0.25, 0.4, 0.6, 1};

/* Residual sum of squares of the best a + b·x; b through `slope`. */
static double hw_shape_line(const double* x, const double* y, int n,
                            double* slope) {
  double sx = 0;
  double sy = 0;
  for (int i = 0; i < n; i++) {
    sx += x[i];
    sy += y[i];
  }
  double xx = 0;
  double xy = 0;
  double yy = 0;
  for (int i = 0; i < n; i++) {
    double dx = x[i] - sx / n;
    double dy = y[i] - sy / n;
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  *slope = xx > 0 ? xy / xx : 0;
  return yy - *slope * xy;
}

/* The best split into two means. */
static double hw_shape_step(const double* y, int n) {
  double total = 0;
  double square = 0;
  for (int i = 0; i < n; i++) {
    total += y[i];
    square += y[i] * y[i];
  }
  double best = square - total * total / n;
  double left = 0;
  for (int i = 1; i < n; i++) {
    left += y[i - 1];
    double right = total - left;
    double rest = square - left * left / i - right * right / (n - i);
    if (rest < best) best = rest;
  }
  return best;
}

/* The best rising curve; `sign` -1 levels off, 1 accelerates. HUGE_VAL where
 * none rises. */
static double hw_shape_curve(const double* x, const double* y, int n,
                             double sign) {
  double best = HUGE_VAL;
  int tried = sizeof hw_shape_constants / sizeof *hw_shape_constants;
  for (int c = 0; c < tried; c++) {
    double curve[HW_TREND_MAX];
    for (int i = 0; i < n; i++) {
      curve[i] = sign * exp(sign * x[i] / hw_shape_constants[c]);
    }
    double slope;
    double rest = hw_shape_line(curve, y, n, &slope);
    if (slope > 0 && rest < best) best = rest;
  }
  return best;
}

int hw_trend_shape(const hw_point_t* points, int count,
                   hw_trend_shape_t* shape) {
  if (count < 6 || count > HW_TREND_MAX) return HW_EINVAL;
  double low = points[0].v;
  double high = points[0].v;
  for (int i = 1; i < count; i++) {
    low = fmin(low, points[i].v);
    high = fmax(high, points[i].v);
  }
  double span = points[count - 1].t - points[0].t;
  double x[HW_TREND_MAX];
  double y[HW_TREND_MAX];
  for (int i = 0; i < count; i++) {
    x[i] = span > 0 ? (points[i].t - points[0].t) / span : 0;
    y[i] = high > low ? (points[i].v - low) / (high - low) : 0;
  }
  /* A constant has one mean, a line two numbers, a step two means and a place,
   * a curve three numbers. */
  static const double parameters[HW_SHAPES] = {1, 3, 3, 2, 3};
  double zero[HW_TREND_MAX] = {0};
  double unused;
  double rest[HW_SHAPES];
  rest[HW_SHAPE_CONSTANT] = hw_shape_line(zero, y, count, &unused);
  rest[HW_SHAPE_STEP] = hw_shape_step(y, count);
  rest[HW_SHAPE_SATURATING] = hw_shape_curve(x, y, count, -1);
  rest[HW_SHAPE_LINEAR] = hw_shape_line(x, y, count, &unused);
  rest[HW_SHAPE_ACCELERATING] = hw_shape_curve(x, y, count, 1);

  shape->shape = HW_SHAPE_CONSTANT;
  for (int i = 0; i < HW_SHAPES; i++) {
    /* A floor under the residuals: a perfect fit isn't infinitely good. */
    double each = fmax(rest[i] / count, 1e-9);
    shape->bic[i] = count * log(each) + parameters[i] * log(count);
    if (shape->bic[i] < shape->bic[shape->shape]) shape->shape = (hw_shape_t)i;
  }
  return 0;
}

const char* hw_trend_shape_name(hw_shape_t shape) {
  static const char* const names[HW_SHAPES] = {"constant", "step", "saturating",
                                               "linear", "accelerating"};
  return (unsigned)shape < HW_SHAPES ? names[shape] : "unknown";
}
