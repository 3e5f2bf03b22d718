/*
 * Which sites are likely to leak: growth × spread over ages. The method is
 * described at hw_sites_rank.
 */
#include <math.h>
#include <string.h>

#include "hw_sites_internal.h"
#include "hw_trend.h"

#define PARTS 8     /* of the time of sampling, for the spread */
#define FEW_PARTS 4 /* fewer say nothing of the course */
#define CANDIDATES (2 * HW_SITES_RANKED)

/* Above this share in the youngest quarter, bytes are only young. */
#define CHURN_SHARE 0.75
/* Below this share in the younger half, they have stopped coming. */
#define LEVEL_SHARE 0.15
/* A site that shrinks is ranked after all that grow. */
#define SHRINKING 1e-6

/* Of two sites that are one, the share of bytes on the other's side. */
#define MISPLACED 0.1
/* What an older one must have to be taken for one with a newer. */
#define FEW_SAMPLES 3

/* Fewer observations than that make no slope. */
#define FEW_OBSERVATIONS 3

/* A candidate: a copy of a site, perhaps of two that are one. */
typedef struct {
  hw_site_t* site;
  double growth;
  double score;
  hw_sites_ranked_t ranked;
} candidate_t;

/* Bytes by equal parts of the time that is looked at, oldest first. */
typedef struct {
  int count;
  double part[PARTS];
} profile_t;

/* -- Spread -------------------------------------------------------------- */

/* How many intervals are looked at, and when the last of them ends. */
static uint32_t looked_at(const hw_sites_t* sites, double* end_ms) {
  uint32_t count = hw_sites_settled(sites);
  if (count == 0) count = sites->edge_count + 1;
  *end_ms = hw_sites_interval_end(sites, count - 1);
  return count;
}

/* Spreads the intervals' bytes over the parts of time they lie in. */
static profile_t profile_of(const hw_sites_t* sites, const hw_site_t* site) {
  double end_ms, from_ms = sites->start_ms;
  uint32_t count = looked_at(sites, &end_ms);
  profile_t profile = {.count = count < PARTS ? (int)count : PARTS};
  double part_ms = (end_ms - sites->start_ms) / profile.count;
  for (uint32_t i = 0; i < count; i++) {
    double to_ms = hw_sites_interval_end(sites, i);
    /* Most sites have bytes in few intervals. */
    for (int p = 0; site->intervals[i] > 0 && p < profile.count; p++) {
      double low = sites->start_ms + p * part_ms;
      double high = p + 1 == profile.count ? end_ms : low + part_ms;
      double inside = fmin(high, to_ms) - fmax(low, from_ms);
      if (inside > 0)
        profile.part[p] += site->intervals[i] * inside / (to_ms - from_ms);
    }
    from_ms = to_ms;
  }
  return profile;
}

static double sum_of(const profile_t* profile, int from) {
  double sum = 0;
  for (int i = from; i < profile->count; i++)
    sum += profile->part[i];
  return sum;
}

static double spread_of(const profile_t* profile) {
  double sum = sum_of(profile, 0), squares = 0;
  for (int i = 0; i < profile->count; i++)
    squares += profile->part[i] * profile->part[i];
  return squares > 0 ? sum * sum / (profile->count * squares) : 0;
}

static hw_sites_trend_t trend_of(const profile_t* profile, double rate) {
  double sum = sum_of(profile, 0);
  if (profile->count < FEW_PARTS || sum <= 0) return HW_SITES_GROWING;
  double quarter = sum_of(profile, profile->count - profile->count / 4);
  double half = sum_of(profile, profile->count - profile->count / 2);
  if (quarter > CHURN_SHARE * sum) return HW_SITES_CHURN;
  if (half < LEVEL_SHARE * sum || rate <= 0) return HW_SITES_LEVEL;
  return HW_SITES_GROWING;
}

/* -- Growth -------------------------------------------------------------- */

/* Settled bytes a second. Of few collections only the whole is known. */
static double rate_of(const hw_sites_t* sites, const hw_site_t* site) {
  hw_point_t points[HW_SITES_HISTORY + 1];
  int count = 1;
  points[0] = (hw_point_t){sites->start_ms, 0};
  for (uint32_t i = 0; i < sites->history_count; i++)
    points[count++] =
        (hw_point_t){sites->history_ms[i], (double)site->history[i]};
  hw_trend_slope_t slope;
  if (count > FEW_OBSERVATIONS &&
      hw_trend_slope(points, count, 0, 0, &slope) == 0)
    return slope.slope * 1000;
  double end_ms;
  looked_at(sites, &end_ms);
  double time_ms = end_ms - sites->start_ms;
  return time_ms > 0 ? site->settled / time_ms * 1000 : site->settled;
}

/* What a site's growth counts for, beside a leak of a known rate. */
static double weight_of(const hw_sites_t* sites, double rate) {
  double most = sites->expected;
  if (most <= 0 || rate <= most || sites->history_count >= FEW_OBSERVATIONS)
    return 1;
  return most / rate * (most / rate);
}

static void judge(const hw_sites_t* sites, candidate_t* candidate) {
  hw_sites_ranked_t* ranked = &candidate->ranked;
  const hw_site_t* site = candidate->site;
  profile_t profile = profile_of(sites, site);
  double end_ms;
  looked_at(sites, &end_ms);
  ranked->growth_rate = rate_of(sites, site);
  ranked->spread = spread_of(&profile);
  ranked->trend = trend_of(&profile, ranked->growth_rate);
  candidate->growth =
      fmax(ranked->growth_rate, 0) * (end_ms - sites->start_ms) / 1000;
  candidate->score = candidate->growth * ranked->spread *
                     weight_of(sites, ranked->growth_rate);
  if (candidate->score <= 0)
    candidate->score = SHRINKING * site->settled * ranked->spread;
}

/* -- Candidates ---------------------------------------------------------- */

static void insert(candidate_t* list, size_t* count, const candidate_t* added) {
  size_t at = *count;
  if (at == CANDIDATES) {
    if (list[at - 1].score >= added->score) return;
    at--;
  } else {
    ++*count;
  }
  for (; at > 0 && list[at - 1].score < added->score; at--)
    list[at] = list[at - 1];
  list[at] = *added;
}

/* Those with the most bytes that are spread; copied, so that they can be
 * joined. */
static size_t select_candidates(hw_sites_t* sites, candidate_t* list) {
  size_t count = 0;
  for (uint32_t n = 0; n < sites->site_count; n++) {
    hw_site_t* site = &sites->sites[n];
    if (site->key == 0 || site->settled <= 0) continue;
    profile_t profile = profile_of(sites, site);
    const candidate_t added = {.site = site,
                               .score = site->settled * spread_of(&profile)};
    insert(list, &count, &added);
  }
  for (size_t i = 0; i < count; i++) {
    sites->ranked[i] = *list[i].site;
    list[i].site = &sites->ranked[i];
    list[i].ranked =
        (hw_sites_ranked_t){.application = list[i].site->application};
  }
  return count;
}

/* -- Inlining ------------------------------------------------------------ */

/* Of the functions on a stack, how far from its inside, from 1; 0 of others. */
static void mark_stack(hw_sites_t* sites, const hw_site_t* site, bool marked) {
  for (uint32_t i = site->depth; i-- > 0;) {
    if (sites->functions[site->stack[i]].kind != HW_SITES_NATIVE)
      sites->rank[site->stack[i]] = marked ? (uint8_t)(i + 1) : 0;
  }
}

/* The least mark of the functions that call one of the application there. */
static uint32_t rank_of_callers(const hw_sites_t* sites,
                                const hw_site_t* site) {
  uint32_t best = 0;
  bool inside = true;
  for (uint32_t i = 0; i < site->depth; i++) {
    uint32_t rank = sites->rank[site->stack[i]];
    if (!inside && rank > 0 && (best == 0 || rank < best)) best = rank;
    if (site->stack[i] == site->application) inside = false;
  }
  return best;
}

/* Into one of the functions on this stack, which has none of the application,
 * V8 may have inlined one: into the innermost that calls any elsewhere. The
 * heaviest site in which it does; NULL if there is none. */
static hw_site_t* heaviest_behind(hw_sites_t* sites, const hw_site_t* site) {
  hw_site_t* heaviest = NULL;
  uint32_t best = 0;
  mark_stack(sites, site, true);
  for (uint32_t n = 0; n < sites->site_count; n++) {
    hw_site_t* other = &sites->sites[n];
    if (other->key == 0 || other->application == HW_SITES_NONE) continue;
    uint32_t rank = rank_of_callers(sites, other);
    if (rank == 0 || (best > 0 && rank > best) ||
        (rank == best && other->settled <= heaviest->settled))
      continue;
    best = rank;
    heaviest = other;
  }
  mark_stack(sites, site, false);
  return heaviest;
}

/* Whether `older` stops where `newer` begins: there is a moment with next to
 * nothing of the one after it and of the other before. */
static bool is_continued(const hw_sites_t* sites, const hw_site_t* older,
                         const hw_site_t* newer) {
  double end_ms;
  uint32_t count = looked_at(sites, &end_ms);
  double after = 0, before = 0, total = 0;
  for (uint32_t i = 0; i < count; i++) {
    after += older->intervals[i];
    total += newer->intervals[i];
  }
  double all = after;
  if (all <= 0 || total <= 0) return false;
  for (uint32_t i = 0; i + 1 < count; i++) {
    after -= older->intervals[i];
    before += newer->intervals[i];
    if (after / all + before / total < MISPLACED) return true;
  }
  return false;
}

/* Whether `newer` is how `older` looks with some of its functions inlined into
 * their callers: the same function allocates, or it is one of those. */
static bool is_inlined(const hw_site_t* older, const hw_site_t* newer) {
  uint32_t found = 0;
  if (older->callers <= newer->callers) return false;
  bool innermost =
      older->top == older->application && newer->top == newer->application;
  if (older->top != newer->top && !innermost) return false;
  for (uint32_t i = 0; i < older->callers && found < newer->callers; i++)
    found += older->caller[i] == newer->caller[found];
  return found == newer->callers;
}

static void join(const hw_sites_t* sites, hw_site_t* into,
                 const hw_site_t* from) {
  into->bytes += from->bytes;
  into->count += from->count;
  into->settled += from->settled;
  for (uint32_t i = 0; i <= sites->edge_count; i++)
    into->intervals[i] += from->intervals[i];
  for (uint32_t i = 0; i < sites->history_count; i++)
    into->history[i] += from->history[i];
}

static hw_site_t* find_candidate(const candidate_t* list, size_t count,
                                 uint64_t key) {
  for (size_t i = 0; i < count; i++) {
    if (list[i].site->key == key) return list[i].site;
  }
  return NULL;
}

/* The heaviest site that looks like `newer` now; NULL if there is none. What
 * few samples say may be chance. Most sites begin too early to be any. */
static hw_site_t* before_inlining(hw_sites_t* sites, const hw_site_t* newer) {
  double least = FEW_SAMPLES * (double)sites->sample_interval_bytes;
  hw_site_t* heaviest = NULL;
  if (newer->intervals[0] >= MISPLACED * newer->settled) return NULL;
  for (uint32_t n = 0; n < sites->site_count; n++) {
    hw_site_t* site = &sites->sites[n];
    if (site->key == 0 || !is_inlined(site, newer) || site->settled < least ||
        (heaviest != NULL && site->settled <= heaviest->settled) ||
        !is_continued(sites, site, newer))
      continue;
    heaviest = site;
  }
  return heaviest;
}

/* Makes two sites one, under the name of the older. */
static void take_for_one(hw_sites_t* sites, candidate_t* list, size_t count,
                         candidate_t* candidate, const hw_site_t* older) {
  hw_site_t* site = candidate->site;
  hw_site_t* partner = find_candidate(list, count, older->key);
  if (partner != NULL) {
    join(sites, partner, site);
    site->settled = 0;
    site->key = 0;
    return;
  }
  hw_site_t joined = *older;
  join(sites, &joined, site);
  *site = joined;
  candidate->ranked.application = joined.application;
  candidate->ranked.inferred = false;
}

/* Finds who in the application stands behind a site that shows none of it, or
 * that V8 has inlined a part of. */
static void find_application(hw_sites_t* sites, candidate_t* list, size_t count,
                             candidate_t* candidate) {
  hw_site_t* site = candidate->site;
  if (site->settled <= 0) return;
  const hw_site_t* behind = site->application == HW_SITES_NONE
                                ? heaviest_behind(sites, site)
                                : before_inlining(sites, site);
  if (behind == NULL) return;
  if (site->application != HW_SITES_NONE || is_continued(sites, behind, site)) {
    take_for_one(sites, list, count, candidate, behind);
    return;
  }
  candidate->ranked.application = behind->application;
  candidate->ranked.inferred = true;
}

/* -- Ranking ------------------------------------------------------------- */

void hw_sites_expect(hw_sites_t* sites, double rate) {
  sites->expected = rate;
}

size_t hw_sites_rank(hw_sites_t* sites, hw_sites_ranked_t* ranked, size_t max) {
  candidate_t chosen[CANDIDATES], list[CANDIDATES];
  size_t count = select_candidates(sites, chosen), sorted = 0;
  for (size_t i = 0; i < count; i++)
    find_application(sites, chosen, count, &chosen[i]);
  double growth = 0;
  for (size_t i = 0; i < count; i++) {
    if (chosen[i].site->key == 0) continue;
    judge(sites, &chosen[i]);
    growth += chosen[i].growth;
    insert(list, &sorted, &chosen[i]);
  }
  if (max > sorted) max = sorted;
  for (size_t i = 0; i < max; i++) {
    const hw_site_t* site = list[i].site;
    ranked[i] = list[i].ranked;
    ranked[i].top = site->top;
    ranked[i].stack = site->stack;
    ranked[i].depth = site->depth;
    ranked[i].bytes = site->bytes;
    ranked[i].count = site->count;
    ranked[i].share = growth > 0 ? list[i].growth / growth : 0;
    ranked[i].intervals = site->intervals;
  }
  return max;
}

const char* hw_sites_trend_name(hw_sites_trend_t trend) {
  static const char* const names[] = {"growing", "churn", "level"};
  return (unsigned)trend < 3 ? names[trend] : "unknown";
}
