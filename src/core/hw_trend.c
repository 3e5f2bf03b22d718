#include "hw_trend.h"

#include <math.h>

#include "hw_error.h"

#define HW_TREND_PAIRS (HW_TREND_MAX * (HW_TREND_MAX - 1) / 2)

/* Below this many points autocorrelations are chance; above it the exact
 * distribution of s is close enough to normal. */
#define HW_TREND_EXACT 10

/* Correlations within the 90 % band around 0 are taken for 0. */
#define HW_TREND_BAND 1.645

double hw_trend_select(double* values, int count, int rank) {
  int low = 0;
  int high = count - 1;
  while (low < high) {
    double pivot = values[low + (high - low) / 2];
    int i = low;
    int j = high;
    while (i <= j) {
      while (values[i] < pivot)
        i++;
      while (values[j] > pivot)
        j--;
      if (i <= j) {
        double swap = values[i];
        values[i++] = values[j];
        values[j--] = swap;
      }
    }
    if (rank <= j) {
      high = j;
    } else if (rank >= i) {
      low = i;
    } else {
      break;
    }
  }
  return values[rank];
}

static double hw_trend_median(double* values, int count) {
  double upper = hw_trend_select(values, count, count / 2);
  if (count % 2 != 0) return upper;
  return (upper + hw_trend_select(values, count, count / 2 - 1)) / 2;
}

static double hw_trend_sign(double difference) {
  return (difference > 0) - (difference < 0);
}

/* Of the n! orders of n different values, the share with an s of at least
 * `s`. An order with k inversions has s = n(n-1)/2 - 2k; the orders by
 * inversions are counted value by value: the next one may be put before any
 * number of those already there. */
static double hw_trend_exact_p(int n, double s) {
  double ways[HW_TREND_EXACT * (HW_TREND_EXACT - 1) / 2 + 1] = {1};
  int pairs = 0;
  double total = 1;
  for (int m = 2; m <= n; m++) {
    int wider = pairs + m - 1;
    for (int k = wider; k >= 0; k--) {
      double sum = 0;
      for (int j = 0; j < m && j <= k; j++) {
        if (k - j <= pairs) sum += ways[k - j];
      }
      ways[k] = sum;
    }
    pairs = wider;
    total *= m;
  }
  int most = (pairs - (int)s) / 2;
  double below = 0;
  for (int k = 0; k <= most && k <= pairs; k++)
    below += ways[k];
  return below / total;
}

/* Ranks from 1, equal values sharing the middle of theirs. */
static void hw_trend_ranks(const double* values, int n, double* ranks) {
  for (int i = 0; i < n; i++) {
    double below = 0;
    double equal = 0;
    for (int j = 0; j < n; j++) {
      below += values[j] < values[i];
      equal += values[j] == values[i];
    }
    ranks[i] = below + (equal + 1) / 2;
  }
}

/* Hamed and Rao's factor on the variance of s, at least 1. */
static double hw_trend_correction(const hw_point_t* points, int n) {
  hw_trend_slope_t line;
  if (hw_trend_slope(points, n, 0, 0, &line) != 0) return 1;
  double rest[HW_TREND_MAX];
  double ranks[HW_TREND_MAX];
  for (int i = 0; i < n; i++)
    rest[i] = points[i].v - line.slope * points[i].t;
  hw_trend_ranks(rest, n, ranks);
  double mean = (n + 1) / 2.0;
  double square = 0;
  for (int i = 0; i < n; i++)
    square += (ranks[i] - mean) * (ranks[i] - mean);
  if (square <= 0) return 1;
  double sum = 0;
  for (int lag = 1; lag < n - 2; lag++) {
    double product = 0;
    for (int i = 0; i + lag < n; i++) {
      product += (ranks[i] - mean) * (ranks[i + lag] - mean);
    }
    double correlation = product / square;
    if (correlation <= HW_TREND_BAND / sqrt(n)) break;
    sum += (double)(n - lag) * (n - lag - 1) * (n - lag - 2) * correlation;
  }
  return 1 + 2.0 / ((double)n * (n - 1) * (n - 2)) * sum;
}

int hw_trend_test(const hw_point_t* points, int count, hw_trend_test_t* test) {
  if (count < 3 || count > HW_TREND_MAX) return HW_EINVAL;
  double n = count;
  double s = 0;
  double ties = 0; /* the sum of u(u-1)(2u+5) over groups of u equal values */
  for (int i = 0; i < count; i++) {
    double equal = 0;
    for (int j = 0; j < count; j++) {
      if (j > i) s += hw_trend_sign(points[j].v - points[i].v);
      equal += points[j].v == points[i].v;
    }
    /* Each of the u members of a group adds a u-th of the group's share. */
    ties += (equal - 1) * (2 * equal + 5);
  }
  double variance = (n * (n - 1) * (2 * n + 5) - ties) / 18;
  test->correction =
      count >= HW_TREND_EXACT ? hw_trend_correction(points, count) : 1;
  test->s = s;
  test->variance = variance * test->correction;
  test->z = 0;
  test->p = 1;
  if (variance <= 0) return 0; /* all values are equal */
  test->z = (s - hw_trend_sign(s)) / sqrt(test->variance);
  if (count <= HW_TREND_EXACT && ties == 0 && test->correction == 1) {
    test->p = hw_trend_exact_p(count, s);
  } else {
    test->p = erfc(test->z / sqrt(2)) / 2;
  }
  return 0;
}

int hw_trend_slope(const hw_point_t* points, int count, double variance,
                   double z, hw_trend_slope_t* slope) {
  if (count < 2 || count > HW_TREND_MAX) return HW_EINVAL;
  double slopes[HW_TREND_PAIRS];
  int pairs = 0;
  for (int i = 0; i < count; i++) {
    for (int j = i + 1; j < count; j++) {
      double time = points[j].t - points[i].t;
      if (time > 0) slopes[pairs++] = (points[j].v - points[i].v) / time;
    }
  }
  if (pairs == 0) return HW_EINVAL;
  slope->slope = hw_trend_median(slopes, pairs);

  /* Sen's interval: the slopes that are half of z·sd(s) ranks away from the
   * middle. Rounded outwards, it is never narrower than promised. */
  double reach = z * sqrt(variance);
  int lower = (int)floor((pairs - reach) / 2) - 1;
  int upper = (int)ceil((pairs + reach) / 2);
  if (lower < 0) lower = 0;
  if (upper > pairs - 1) upper = pairs - 1;
  slope->low = hw_trend_select(slopes, pairs, lower);
  slope->high = hw_trend_select(slopes, pairs, upper);

  double rest[HW_TREND_MAX];
  for (int i = 0; i < count; i++) {
    rest[i] = points[i].v - slope->slope * points[i].t;
  }
  slope->intercept = hw_trend_median(rest, count);
  return 0;
}
