#ifndef HW_TREND_H_
#define HW_TREND_H_

#include <stdbool.h>

/*
 * Trends in short series of unevenly spaced points.
 *
 * Three questions, each answered by a method that one wild point cannot turn:
 * does the series rise at all (Mann–Kendall), how fast (Theil–Sen), and what
 * does its course look like (a comparison of five shapes by BIC). Memory after
 * garbage collections is far from normally distributed: the error is one-sided
 * and comes in bursts, so least squares and its confidence intervals would
 * believe in trends that are one late collection.
 *
 * All functions are pure: no state, no allocation, no clock, safe inside a GC.
 * Points must be in order of time and finite; at most HW_TREND_MAX are taken,
 * because the methods look at every pair: 32 points are 496 pairs, which is
 * microseconds, and more points than that add little once each is the lowest
 * of many.
 */

#define HW_TREND_MAX 32

/* One point: `t` in any unit of time, `v` in any unit of value. */
typedef struct {
  double t;
  double v;
} hw_point_t;

/* The answer of a Mann–Kendall test against "no trend". */
typedef struct {
  double s;        /* pairs that rise less pairs that fall */
  double variance; /* of s without a trend: ties and autocorrelation counted */
  double correction; /* how much autocorrelation raised it; at least 1 */
  double z;          /* s in standard deviations, with continuity correction */
  double p;          /* chance of an s this high or higher without a trend */
} hw_trend_test_t;

/* A robust slope, in values per unit of time. */
typedef struct {
  double slope;
  double low; /* confidence interval */
  double high;
  double intercept; /* the line's value at t = 0 */
} hw_trend_slope_t;

/* What the course of a series looks like most. */
typedef enum {
  HW_SHAPE_CONSTANT,
  HW_SHAPE_STEP,       /* one jump between two levels */
  HW_SHAPE_SATURATING, /* rises and levels off, as a cache that fills */
  HW_SHAPE_LINEAR,
  HW_SHAPE_ACCELERATING,
  HW_SHAPES
} hw_shape_t;

/* The comparison behind a shape. */
typedef struct {
  hw_shape_t shape;      /* the one with the lowest criterion */
  double bic[HW_SHAPES]; /* Bayesian information criterion of each */
} hw_trend_shape_t;

/*
 * Tests whether the series rises (one-sided).
 *
 * H. B. Mann, "Nonparametric tests against trend", Econometrica 13 (1945);
 * M. G. Kendall, "Rank Correlation Methods" (1975), also for the variance with
 * ties. Up to ten points without ties, p is exact: of the n! orders, those with
 * so few inversions are counted. From ten points on the variance is corrected
 * for autocorrelation as by K. H. Hamed and A. R. Rao, "A modified Mann–Kendall
 * trend test for autocorrelated data", Journal of Hydrology 204 (1998), from
 * the ranks of what is left after Theil–Sen's line is taken off. Of the lags
 * only those count that come before the first without a significant positive
 * correlation: taking the line off makes the far ones negative, and in so short
 * a series that would cancel what the near ones have shown.
 *
 * Returns 0, or HW_EINVAL for fewer than 3 or more than HW_TREND_MAX points.
 */
int hw_trend_test(const hw_point_t* points, int count, hw_trend_test_t* test);

/*
 * The median of the slopes between all pairs (H. Theil, Proc. KNAW 53, 1950),
 * with a distribution-free confidence interval: P. K. Sen, "Estimates of the
 * regression coefficient based on Kendall's tau", JASA 63 (1968). `z` is the
 * normal quantile of the interval, 1.645 for 90 %; `variance` that of
 * hw_trend_test. The intercept is the median of what the slope leaves
 * (W. J. Conover, "Practical Nonparametric Statistics", 1980). Pairs at one
 * time are left out.
 *
 * Returns 0, or HW_EINVAL for too few or too many points, or no two times.
 */
int hw_trend_slope(const hw_point_t* points, int count, double variance,
                   double z, hw_trend_slope_t* slope);

/*
 * Compares five shapes by G. Schwarz, "Estimating the dimension of a model",
 * Annals of Statistics 6 (1978): the residual sum of squares of the best fit,
 * with a price for each parameter. The step's place is searched; the time
 * constants of the curves, exp(±x/τ), are those of a short list, the series
 * being scaled to [0, 1] in time.
 *
 * It is a description, not a proof: steps and bursts bend honest lines.
 * Returns 0, or HW_EINVAL for fewer than 6 or more than HW_TREND_MAX points.
 */
int hw_trend_shape(const hw_point_t* points, int count,
                   hw_trend_shape_t* shape);

/* The name of a shape, such as "linear": a static string, never NULL. */
const char* hw_trend_shape_name(hw_shape_t shape);

/* The value of rank `rank`, from 0, among `count` values, which it reorders.
 * C. A. R. Hoare's quickselect (CACM 4, 1961). */
double hw_trend_select(double* values, int count, int rank);

#endif /* HW_TREND_H_ */
