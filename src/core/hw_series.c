#include "hw_series.h"

#include <math.h>
#include <string.h>

void hw_series_init(hw_series_t* series, double width) {
  memset(series, 0, sizeof *series);
  series->width = width;
}

static void hw_series_merge(hw_series_bucket_t* into,
                            const hw_series_bucket_t* bucket) {
  if (bucket->v < into->v) {
    into->t = bucket->t;
    into->v = bucket->v;
  }
  if (bucket->top > into->top) into->top = bucket->top;
}

/* Puts a closed bucket of the level below, or a point, into a level. Returns
 * whether that closed a bucket here, which is then in `closed`. */
static bool hw_series_add(hw_series_level_t* level, int64_t number,
                          const hw_series_bucket_t* bucket,
                          hw_series_bucket_t* closed) {
  bool closes = level->is_open && number > level->number;
  if (closes) {
    *closed = level->open;
    level->ring[level->closed++ % HW_SERIES_POINTS] = level->open;
  }
  if (closes || !level->is_open) {
    level->open = *bucket;
    level->number = number;
    level->is_open = true;
  } else {
    hw_series_merge(&level->open, bucket);
  }
  return closes;
}

void hw_series_push(hw_series_t* series, double t, double v) {
  if (series->points++ == 0) series->start = t;
  double place = (t - series->start) / series->width;
  /* Times so far away that buckets can't be counted share the last one. */
  int64_t number = place < 0x1p62 ? (int64_t)place : INT64_C(1) << 62;
  hw_series_bucket_t bucket = {t, v, v};
  for (int i = 0; i < HW_SERIES_LEVELS; i++) {
    hw_series_level_t* level = &series->levels[i];
    int64_t before = level->number;
    hw_series_bucket_t closed;
    if (!hw_series_add(level, number, &bucket, &closed)) return;
    series->changed |= 1u << i;
    bucket = closed;
    number = before >> 1;
  }
}

int hw_series_levels(const hw_series_t* series) {
  int levels = 1;
  while (levels < HW_SERIES_LEVELS &&
         series->levels[levels - 1].closed > HW_SERIES_POINTS) {
    levels++;
  }
  return levels;
}

/* What is open at this level and below, as one bucket. */
static bool hw_series_open(const hw_series_t* series, int level,
                           hw_series_bucket_t* open) {
  bool any = false;
  for (int i = level; i >= 0; i--) {
    const hw_series_level_t* each = &series->levels[i];
    if (!each->is_open) continue;
    if (any) {
      hw_series_merge(open, &each->open);
    } else {
      *open = each->open;
    }
    any = true;
  }
  return any;
}

int hw_series_read(const hw_series_t* series, int level, double since,
                   bool open, hw_point_t points[HW_SERIES_POINTS]) {
  const hw_series_level_t* from = &series->levels[level];
  uint64_t kept =
      from->closed < HW_SERIES_POINTS ? from->closed : HW_SERIES_POINTS;
  hw_series_bucket_t last;
  bool extra = open && hw_series_open(series, level, &last) && last.t >= since;
  /* The last point takes the oldest one's place. */
  if (extra && kept == HW_SERIES_POINTS) kept--;
  int count = 0;
  for (uint64_t i = from->closed - kept; i < from->closed; i++) {
    const hw_series_bucket_t* bucket = &from->ring[i % HW_SERIES_POINTS];
    if (bucket->t < since) continue;
    points[count++] = (hw_point_t){bucket->t, bucket->v};
  }
  if (extra) points[count++] = (hw_point_t){last.t, last.v};
  return count;
}

double hw_series_top_before(const hw_series_t* series, double time) {
  double top = -HUGE_VAL;
  int levels = hw_series_levels(series);
  for (int l = 0; l < levels; l++) {
    const hw_series_level_t* level = &series->levels[l];
    double width = ldexp(series->width, l);
    uint64_t first =
        level->closed > HW_SERIES_POINTS ? level->closed - HW_SERIES_POINTS : 0;
    for (uint64_t i = first; i < level->closed; i++) {
      const hw_series_bucket_t* bucket = &level->ring[i % HW_SERIES_POINTS];
      if (bucket->t + width <= time && bucket->top > top) top = bucket->top;
    }
  }
  return top;
}
