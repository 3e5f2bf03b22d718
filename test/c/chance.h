#ifndef CHANCE_H_
#define CHANCE_H_

#include <stdint.h>

/* The state of chance(): set it, and the numbers that follow are the same. */
static uint64_t state;

/* SplitMix64, to [0, 1). */
static double chance(void) {
  uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

#endif /* CHANCE_H_ */
