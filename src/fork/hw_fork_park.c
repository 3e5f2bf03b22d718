#include "hw_fork_park.h"

#include <stdatomic.h>
#include <time.h>

/* Threads look this often whether they may go. */
#define NAP_NS 100000

enum { OVER, PARKING, HELD };

/* The ticket (high 32 bits), the phase (16 bits) and the count (16 bits) in
 * one word, so that no thread is counted into an attempt it is too late for,
 * and no fork begins with one missing. */
static _Atomic uint64_t word;
static _Atomic uint64_t deadline;

static uint64_t make_word(uint64_t ticket, unsigned phase, unsigned count) {
  return ticket << 32 | (uint64_t)phase << 16 | count;
}

static uint32_t ticket_of(uint64_t from) {
  return (uint32_t)(from >> 32);
}

static unsigned phase_of(uint64_t from) {
  return (unsigned)(from >> 16 & 0xffff);
}

static unsigned count_of(uint64_t from) {
  return (unsigned)(from & 0xffff);
}

uint64_t hw_fork_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void* hw_fork_park_begin(uint64_t deadline_ns) {
  /* Of 32 bits, never 0: pointers hold it on any machine. */
  uint32_t ticket = ticket_of(atomic_load(&word)) + 1;
  if (ticket == 0) ticket = 1;
  atomic_store(&deadline, deadline_ns);
  atomic_store(&word, make_word(ticket, PARKING, 0));
  return (void*)(uintptr_t)ticket;
}

/* Counts this thread in. False if it comes too late. */
static bool count_in(uint32_t ticket) {
  uint64_t seen = atomic_load(&word);
  do {
    if (ticket_of(seen) != ticket || phase_of(seen) != PARKING) return false;
  } while (!atomic_compare_exchange_weak(&word, &seen, seen + 1));
  return true;
}

/* Ends the attempt if it is past its deadline and not held. */
static void end_late(uint64_t seen) {
  if (phase_of(seen) == PARKING && hw_fork_now() > atomic_load(&deadline))
    atomic_compare_exchange_strong(&word, &seen,
                                   make_word(ticket_of(seen), OVER, 0));
}

void hw_fork_park_run(void* argument) {
  const struct timespec nap = {0, NAP_NS};
  uint32_t ticket = (uint32_t)(uintptr_t)argument;
  if (!count_in(ticket)) return;
  for (;;) {
    uint64_t seen = atomic_load(&word);
    if (ticket_of(seen) != ticket || phase_of(seen) == OVER) return;
    end_late(seen);
    nanosleep(&nap, NULL);
  }
}

uint32_t hw_fork_park_count(void) {
  return count_of(atomic_load(&word));
}

bool hw_fork_park_hold(uint32_t count) {
  uint64_t seen = atomic_load(&word);
  if (phase_of(seen) != PARKING || count_of(seen) != count) return false;
  return atomic_compare_exchange_strong(
      &word, &seen, make_word(ticket_of(seen), HELD, count));
}

void hw_fork_park_end(void) {
  atomic_store(&word, make_word(ticket_of(atomic_load(&word)), OVER, 0));
}
